r"""Loads windows of sampled neighbourhoods of a large graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import SamplerOutput

from tgst.data import Series, window_starts
from tgst.loader.neighbor_sampler import NeighborSampler
from tgst.loader.sampled_graph import SampledGraph, rows_of_nodes
from tgst.loader.step_plan import Step, StepPlan
from tgst.loader.window_dataset import WindowDataset
from tgst.loader.window_loader import gives_day_of_week


class _Steps:
    r"""A dataset that gives what it is asked for: the steps of a plan are their own index. Its
    length is the number of seed nodes, as in any loader of nodes.
    """

    def __init__(self, num_inputs: int) -> None:
        self.num_inputs = num_inputs

    def __len__(self) -> int:
        return self.num_inputs

    def __getitem__(self, step: Step) -> Step:
        return step


class _StepLoader(DataLoader):
    # Stands between NodeLoader and DataLoader. NodeLoader loads single nodes and leaves it to a
    # batch sampler which of them form a batch; a step also has windows and a seed.
    def __init__(self, dataset: range, *, plan: StepPlan, **kwargs: Any) -> None:
        steps = _Steps(len(dataset))
        super().__init__(steps, batch_size=None, sampler=plan, **kwargs)  # type: ignore[arg-type]


class NeighborWindowLoader(NodeLoader, _StepLoader):
    r"""Batches of sampled neighbourhoods times windows, to train on graphs that do not fit at
    once: a :class:`torch_geometric.loader.NodeLoader` on :class:`tgst.loader.NeighborSampler`.

    A step takes :obj:`batch_size` seed nodes, samples their neighbourhood and cuts
    :obj:`num_windows` windows for the sampled nodes out of the one array of the series. Its cost
    does not depend on the number of nodes, edges or rows. The loss counts the seed nodes only:

    .. code-block:: python

        for batch in loader:
            out = model(batch.x, batch.edge_index, batch.edge_type, batch.edge_weight, batch.e_id)
            loss = masked_mae(out[: batch.batch_size], batch.y, batch.y_mask)

    A batch is a :class:`~torch_geometric.data.Data` on the CPU, with the seed nodes first. The
    other attributes of nodes and edges of :obj:`data` (tensors, arrays, and lists such as
    :obj:`node_id`) are sampled along, those of the graph as a whole stay as they are.

    With as many hops as the graph convolutions of the model reach
    (:attr:`tgst.nn.models.TrafficSTGCN.num_hops`) and :obj:`num_neighbors=[-1, ...]`, the outputs
    at the seed nodes are those on the full graph, for models whose nodes do not meet outside of
    the graph convolutions (:obj:`norm="channel"`, not :obj:`"node"`). With fewer hops or
    neighbours they are approximations.

    Edge ids are those of :obj:`data` (:obj:`e_id`; the places of the edges where there are none),
    so that parameters per edge (:class:`tgst.nn.EdgeImportance`) follow their edges.

    Args:
        series (Series): The readings, of the nodes of the graph, in any order of the nodes.
        data (torch_geometric.data.Data): The graph, ready to multiply: transforms come before
            sampling. :obj:`x`, :obj:`y` and masks in it give way to the windows.
        history (int, optional): Input steps. (default: :obj:`12`)
        horizon (int, optional): Target steps. (default: :obj:`12`)
        num_neighbors (sequence of int, optional): Edges to keep per node at each hop; -1 keeps
            all. Self loops do not count and are always kept. (default: :obj:`(8, 8)`)
        batch_size (int, optional): Seed nodes in a batch. (default: :obj:`1024`)
        part (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for the
            whole series. (default: :obj:`None`)
        split (sequence of float, optional): Share of rows of each part.
            (default: :obj:`(0.7, 0.1, 0.2)`)
        num_windows (int, optional): Windows in a batch. (default: :obj:`1`)
        input_nodes (torch.Tensor or sequence, optional): Seed nodes, numbers or a bool per node;
            :obj:`None` means all nodes. (default: :obj:`None`)
        method (str, optional): :obj:`"uniform"` or :obj:`"weighted"`, see
            :class:`tgst.loader.NeighborSampler`. (default: :obj:`"uniform"`)
        rescale (bool, optional): Multiply edge weights so that they make up for edges that were
            left out, see :class:`tgst.loader.NeighborSampler`. A graph without
            :obj:`edge_weight` then gets one, unless all neighbours are kept.
            (default: :obj:`True`)
        pairing (str, optional): :obj:`"random"`: an epoch takes every seed node once, with
            windows that are dealt from a shuffled pile of all windows. :obj:`"all"`: every batch
            of seed nodes with every batch of windows, for evaluation. (default:
            :obj:`"random"`)
        shuffle (bool, optional): Random order, another one in every epoch; :obj:`None` shuffles
            the training part only. (default: :obj:`None`)
        target_channels (sequence of int or str, optional): Channels of the targets, by index or
            by name; :obj:`None` means all. (default: :obj:`None`)
        time_of_day (bool, optional): Give sine and cosine of the time of day as covariates.
            (default: :obj:`False`)
        stride (int, optional): Rows from one window to the next. (default: :obj:`1`)
        seed (int, optional): Order and samples follow from it and the number of the epoch alone,
            with any number of workers; the global random state is not used.
            (default: :obj:`0`)
        within_day (bool, optional): See :class:`tgst.loader.WindowLoader`.
            (default: :obj:`False`)
        day_of_week (bool or str, optional): See :class:`tgst.loader.WindowLoader`.
            (default: :obj:`False`)
        covariates (torch.Tensor or numpy.ndarray, optional): See
            :class:`tgst.loader.WindowLoader`. (default: :obj:`None`)
        **kwargs (optional): Further arguments of :class:`torch_geometric.loader.NodeLoader` and
            :class:`torch.utils.data.DataLoader`, such as :obj:`num_workers`, :obj:`drop_last` or
            :obj:`transform`.

    Shapes:
        With :math:`n` sampled nodes, the first :math:`S` of them seed nodes, and :math:`B` windows:

        - **x:** :math:`(n, B, \text{history}, C)`, **mask:** :math:`(n, B, \text{history})`
        - **y:** :math:`(S, B, \text{horizon}, C_y)`, **y_mask:** :math:`(S, B, \text{horizon})`
        - **covariates:** :math:`(1 \text{ or } n, B, \text{history} + \text{horizon}, D)`
        - **start:** :math:`(B)`, row of the first history step
        - **edge_index:** :math:`(2, E')`, **edge_type**, **edge_weight**, **e_id:** :math:`(E')`
        - **n_id:** :math:`(n)`, numbers of the nodes in :obj:`data`; **batch_size:** :math:`S`

    Attributes:
        series (Series): The readings.
        starts (numpy.ndarray): Row of the first history step of every window, ascending.

    Raises:
        TypeError: If a number of neighbours, a size or the seed is no integer.
        ValueError: If series and graph do not have the same nodes, edge ids repeat, a seed node
            does, or an argument is out of range.
    """

    def __init__(
        self,
        series: Series,
        data: Data,
        history: int = 12,
        horizon: int = 12,
        num_neighbors: Sequence[int] = (8, 8),
        batch_size: int = 1024,
        part: str | None = None,
        split: Sequence[float] = (0.7, 0.1, 0.2),
        num_windows: int = 1,
        input_nodes: Tensor | Sequence[int] | None = None,
        method: str = "uniform",
        rescale: bool = True,
        pairing: str = "random",
        shuffle: bool | None = None,
        target_channels: Sequence[int | str] | None = None,
        time_of_day: bool = False,
        stride: int = 1,
        seed: int = 0,
        within_day: bool = False,
        day_of_week: bool | Literal["auto"] = False,
        covariates: Tensor | np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        plan = kwargs.get("sampler")
        if isinstance(plan, StepPlan) and plan.loader is not None:
            # Lightning builds the loader of a prediction again, from what it finds in the loader.
            self.__setstate__(plan.loader.__getstate__())
            return
        _check_arguments(kwargs)
        self.series, self.history, self.horizon = series, history, horizon
        self.starts = window_starts(
            series, history, horizon, part, split, stride, within_day=within_day
        )
        self.windows = WindowDataset(
            series,
            self.starts,
            history,
            horizon,
            target_channels,
            time_of_day,
            gives_day_of_week(series, split, day_of_week),
            covariates,
        )
        sampler = NeighborSampler(data, num_neighbors, method, seed)
        whole = all(number == -1 for number in sampler.num_neighbors)
        self.graph = SampledGraph(data, sampler, rescale and not whole, series.values.dtype)
        self._rows = rows_of_nodes(series, data)
        seeds = _seed_nodes(input_nodes, sampler.num_nodes)
        shuffle = part == "train" if shuffle is None else shuffle
        sizes = (len(seeds), batch_size, len(self.starts), num_windows)
        self.plan = StepPlan(*sizes, pairing, shuffle, kwargs.pop("drop_last", False), seed)
        if kwargs.get("generator") is None:  # DataLoader seeds its workers from it
            kwargs["generator"] = torch.Generator().manual_seed(self.plan.seed)
        super().__init__(data, sampler, seeds, plan=self.plan, **kwargs)  # type: ignore[call-arg,misc]
        self.plan.loader = self

    def set_epoch(self, epoch: int) -> None:
        r"""Choose order and samples of the next pass; without it, passes count up from 0."""
        self.plan.set_epoch(epoch)

    def collate_fn(self, index: Step) -> Any:
        r"""Samples the neighbourhood of a step."""
        sampled = self.node_sampler.sample_from_nodes(self.input_data[index.nodes], seed=index.seed)
        sampled.metadata = (*sampled.metadata, index.windows)
        return self.filter_fn(sampled) if self.filter_per_worker else sampled

    def filter_fn(self, out: SamplerOutput) -> Data:
        r"""Joins a sampled neighbourhood with the readings of its windows."""
        if self.transform_sampler_output:
            out = self.transform_sampler_output(out)
        batch = self.graph.batch(out)
        rows = out.node if self._rows is None else self._rows[out.node]
        windows = self.windows.windows(out.metadata[3], rows, rows[: batch.batch_size])
        for name, value in windows._asdict().items():
            batch[name] = value
        return batch if self.transform is None else self.transform(batch)

    def timestamps_of(self, batch: Data) -> np.ndarray:
        r"""Moments of the targets of a batch.

        Args:
            batch (torch_geometric.data.Data): A batch of this loader.

        Returns:
            numpy.ndarray: datetime64[s] of shape :math:`(B, \text{horizon})`.
        """
        rows = batch.start.cpu().numpy()[:, None] + np.arange(self.horizon) + self.history
        return self.series.timestamps[rows]

    def __call__(self, index: Any) -> Any:
        r"""Not provided: a batch needs windows beside its nodes."""
        raise NotImplementedError(f"{type(self).__name__}: iterate over it, or call filter_fn")

    def __getstate__(self) -> dict[str, Any]:
        # Spawned workers get a copy; torch can send them neither its generators nor the workers of
        # an earlier pass, which persistent_workers keeps.
        return {**self.__dict__, "generator": None, "_iterator": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["generator"] = torch.Generator().manual_seed(self.plan.seed)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.series!r}, {self.node_sampler!r}, steps={len(self)})"


def _check_arguments(kwargs: dict[str, Any]) -> None:
    for name in ("sampler", "batch_sampler", "input_time", "input_id", "custom_cls"):
        if kwargs.get(name) is not None:
            raise ValueError(
                f"`{name}` is not taken: seed nodes and windows are chosen by `input_nodes`, "
                f"`batch_size`, `num_windows` and `pairing`, got {type(kwargs[name]).__name__}"
            )


def _seed_nodes(input_nodes: Any, num_nodes: int) -> Tensor:
    if input_nodes is None:
        return torch.arange(num_nodes)
    try:
        nodes = torch.as_tensor(input_nodes).cpu()
    except (TypeError, ValueError, RuntimeError) as error:  # a set, names, lists of other lengths
        raise ValueError(
            f"`input_nodes` must hold node numbers or a bool for each of the {num_nodes} nodes, "
            f"got {type(input_nodes).__name__}: {error}"
        ) from error
    if nodes.dtype == torch.bool and nodes.shape == (num_nodes,):
        nodes = nodes.nonzero().flatten()
    if nodes.dtype == torch.bool or nodes.is_floating_point() or nodes.dim() != 1:
        raise ValueError(
            f"`input_nodes` must hold node numbers or a bool for each of the {num_nodes} nodes, "
            f"got {nodes.dtype} of shape {list(nodes.shape)}"
        )
    outside = nodes[(nodes < 0) | (nodes >= num_nodes)]
    if len(outside):
        raise ValueError(f"`input_nodes` must be in 0..{num_nodes - 1}, got {int(outside[0])}")
    distinct, count = nodes.unique(return_counts=True)
    if len(distinct) < len(nodes):
        raise ValueError(
            f"`input_nodes` must hold every node at most once, got {int(distinct[count.argmax()])} "
            f"{int(count.max())} times"
        )
    return nodes.long()
