r"""The graphs of skeletons, labelled once and repeated for each number of persons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch_geometric.data import Data

from tgst.utils.repeat_graph import repeat_graph
from tgst.utils.skeleton import Skeleton

PartitionLike = Callable[[Data], Data]


class SkeletonGraphs:
    r"""The one-person graph of each skeleton, with its labels, weights and edge ids, and that graph
    repeated for a number of persons (kept, since the same few numbers come again and again).

    The edges of the second skeleton are numbered after those of the first, and so on, so that
    :obj:`e_id` tells the edges of all skeletons apart and each has its own importance.

    Args:
        skeletons (sequence of Skeleton): The layouts, each once.
        partition (callable, optional): A :class:`tgst.transforms.Partition`, or a mapping from the
            name of each layout to one. Without any, the bones stay plain edges in both directions.
            (default: :obj:`None`)

    Raises:
        ValueError: If the mapping lacks a layout, or the partitions of the
            layouts differ in their number.
    """

    def __init__(
        self,
        skeletons: Sequence[Skeleton],
        partition: PartitionLike | Mapping[str, PartitionLike] | None = None,
    ) -> None:
        self.skeletons = tuple(skeletons)
        self._graphs: list[Data] = []
        self._repeated: dict[tuple[int, int], Data] = {}
        numbers = []
        self.num_edges = 0
        for skeleton in self.skeletons:
            own = _partition_of(skeleton, partition)
            graph = skeleton.data() if own is None else own(skeleton.data())
            numbers.append(_num_partitions(own, graph))
            # Whatever a transform left there: importance is indexed by the number of the edge.
            graph.e_id = torch.arange(graph.num_edges) + self.num_edges
            self.num_edges += graph.num_edges
            self._graphs.append(graph)
        if len(set(numbers)) > 1:
            counts = dict(zip([each.name for each in self.skeletons], numbers, strict=True))
            raise ValueError(
                f"partition: expected as many partitions for every skeleton, got {counts}"
            )
        self.num_partitions: int = numbers[0]

    def graph(self, kind: int, persons: int) -> Data:
        r"""Returns a new :class:`~torch_geometric.data.Data` with the graph of a number of persons;
        its tensors are shared.

        Args:
            kind (int): Number of the skeleton.
            persons (int): Number of persons.
        """
        key = kind, persons
        if key not in self._repeated:
            self._repeated[key] = repeat_graph(self._graphs[kind], persons)
        return self._repeated[key].__copy__()


def _partition_of(
    skeleton: Skeleton, partition: PartitionLike | Mapping[str, PartitionLike] | None
) -> PartitionLike | None:
    if not isinstance(partition, Mapping):
        return partition
    if skeleton.name not in partition:
        raise ValueError(
            f"partition: expected an entry for {skeleton.name!r}, got one for {sorted(partition)}"
        )
    return partition[skeleton.name]


def _num_partitions(partition: PartitionLike | None, graph: Data) -> int:
    number = getattr(partition, "num_partitions", None)
    if isinstance(number, int):
        return number
    label = graph.get("edge_type")  # of a composition, which does not know its number
    return int(label.max()) + 1 if isinstance(label, torch.Tensor) and label.numel() else 1
