r"""A PyG dataset over clips of skeletons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, Dataset

from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets.clip_facts import (
    Empty,
    check_info,
    clip_facts,
    label_tensor,
    shared_integers,
    without_empty,
)
from tgst.datasets.skeleton_graphs import PartitionLike, SkeletonGraphs
from tgst.utils.skeleton import Skeleton, as_skeleton


class SkeletonClips(Dataset):
    r"""Clips of skeletons as graphs: the base of all datasets of skeletons here, and the way to
    make one of clips that a reader gave.

    :obj:`dataset[i]` is a clip with :math:`M` persons as **one** graph, the disjoint union of
    :math:`M` copies of the skeleton: node :math:`m V + v` is joint :math:`v` of person :math:`m`.
    All copies share the edge ids, hence the importance of their edges. It is an ordinary
    :class:`torch_geometric.data.Dataset`: indices, slices and masks give subsets, and
    :class:`torch_geometric.loader.DataLoader` batches clips of one length. Clips of different
    lengths are batched by :obj:`torch.utils.data.DataLoader(dataset, collate_fn=PadTime())`
    (:class:`tgst.loader.PadTime`).

    Datasets of different layouts go together in a :class:`torch.utils.data.ConcatDataset`, but each
    numbers its edges from 0: models with an importance per edge need **one** dataset of several
    layouts, whose edges are numbered through.

    Args:
        clips (sequence of SkeletonClip): The clips: a list, or anything that reads a clip when it
            is asked for one, as some readers give. All are looked at once, one after another, but
            for those of a :class:`tgst.data.ClipStore`, which were checked when they were stored.
        skeleton (str or Skeleton or sequence of them): Layout of all clips, or of each. Several
            layouts in one batch need a model without parameters per joint
            (:obj:`data_norm="channel"`).
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)
        num_classes (int, optional): Number of classes; :obj:`None` takes that of the names, or the
            largest label plus one. (default: :obj:`None`)
        partition (callable, optional): A :class:`tgst.transforms.Partition`, applied once to the
            graph of one person; with several layouts also a mapping from their names to one each.
            Without any, the edges are the bones in both directions. (default: :obj:`None`)
        num_persons (int, optional): Persons of every clip: the first of those that were seen, and
            absent ones (zeros, never observed) where there are fewer. :obj:`None` takes those that
            were seen. (default: :obj:`None`)
        empty (str, optional): What to do with clips in which nothing was ever seen:
            :obj:`"drop"` them (:obj:`dataset.dropped` names them), :obj:`"keep"` them (one absent
            person) or :obj:`"raise"`. (default: :obj:`"drop"`)
        info (sequence of str, optional): Entries of :obj:`clip.info` that the graphs hold;
            :obj:`None` takes the integers that all clips have. (default: :obj:`None`)
        transform (callable, optional): Applied to a graph at every access.
            (default: :obj:`None`)
        root (str, optional): The folder that the clips came from. (default: :obj:`None`)
        only (iterable of int, optional): Numbers of the clips to take; :obj:`None` takes all.
            (default: :obj:`None`)

    Shapes:
        - **x:** :math:`(M V, T, C)`, float32
        - **mask:** :math:`(M V, T)`, boolean, :obj:`True` where a joint was observed
        - **y:** :math:`(1)`, long, the class; absent from clips without a label
        - **person:** :math:`(M V)`, long, the person of a node
        - **edge_index:** :math:`(2, M E)`, row 0 the source; **edge_type**, **edge_weight**
          :math:`(M E)` as the partition writes them; **e_id** :math:`(M E)`, long, the edge of
          the one-person graph

    Raises:
        ValueError: If there is no clip, a clip does not fit the layout, has no frame or an observed
            joint that is not finite, a label is outside of the classes, only some clips have one,
            the layout is unknown, or an argument is out of range.
    """

    def __init__(
        self,
        clips: Sequence[SkeletonClip],
        skeleton: str | Skeleton | Sequence[str | Skeleton],
        class_names: Sequence[str] | None = None,
        num_classes: int | None = None,
        partition: PartitionLike | Mapping[str, PartitionLike] | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        info: Sequence[str] | None = None,
        transform: Callable | None = None,
        root: str | None = None,
        only: Iterable[int] | None = None,
    ) -> None:
        _check_arguments(num_persons, empty, class_names, num_classes)
        super().__init__(root, transform)
        layouts, self._kinds = _layouts(skeleton, len(clips))
        self._graphs = SkeletonGraphs(layouts, partition)
        self.class_names = None if class_names is None else list(class_names)
        known = len(class_names) if class_names is not None else num_classes
        rows = range(len(clips)) if only is None else only
        skeletons = [layouts[kind] for kind in self._kinds]
        facts = list(clip_facts(clips, rows, skeletons, known, find_empty=empty != "keep"))
        self._facts, self.dropped = without_empty(facts, empty)
        self._clips, self.num_persons = clips, num_persons
        self._y = label_tensor(self._facts, known)
        largest = -1 if self._y is None else int(self._y.max())
        self._num_classes = largest + 1 if known is None else known
        self._info_keys = (
            shared_integers(self._facts) if info is None else check_info(self._facts, info)
        )

    def len(self) -> int:
        r"""The number of clips, before any subset was taken."""
        return len(self._facts)

    def get(self, idx: int) -> Data:
        r"""The graph of a clip, before any subset was taken and without the transform.

        Args:
            idx (int): Number of the clip.
        """
        row = self._facts[idx].row
        clip = self._clips[row]
        positions, observed = _persons(clip, self.num_persons)
        data = self._graphs.graph(self._kinds[row], len(positions))
        del data["num_nodes"]  # that of x: a stored number would not follow a transform
        data.x = torch.from_numpy(_nodes_first(positions).astype(np.float32, copy=False))
        data.mask = torch.from_numpy(_nodes_first(observed))
        if clip.label is not None:
            data.y = torch.tensor([clip.label])
        data.name = clip.name
        for key in self._info_keys:
            data[key] = clip.info[key]
        return data

    def clip(self, index: int) -> SkeletonClip:
        r"""The clip behind :obj:`dataset[index]`.

        Args:
            index (int): Number of the clip in this dataset or subset.
        """
        return self._clips[self._facts[self.indices()[index]].row]

    @property
    def num_classes(self) -> int:
        r"""Number of classes; 0 if it is not known."""
        return self._num_classes

    @property
    def num_partitions(self) -> int:
        r"""Number of edge labels; 1 without a partition."""
        return self._graphs.num_partitions

    @property
    def num_edges(self) -> int:
        r"""Number of edges of one person, of all layouts together: of edge ids."""
        return self._graphs.num_edges

    @property
    def skeletons(self) -> tuple[Skeleton, ...]:
        r"""The layouts."""
        return self._graphs.skeletons

    @property
    def skeleton(self) -> Skeleton:
        r"""The layout; of several, there is no single one.

        Raises:
            ValueError: If the clips have several layouts.
        """
        if len(self.skeletons) > 1:
            names = [skeleton.name for skeleton in self.skeletons]
            raise ValueError(f"skeleton: expected clips of one layout, got {names}")
        return self.skeletons[0]

    @property
    def num_joints(self) -> int:
        r"""Number of joints of the one layout."""
        return self.skeleton.num_joints

    @property
    def y(self) -> Tensor | None:
        r"""The labels of all clips; :obj:`None` if they have none."""
        return None if self._y is None else self._y[list(self.indices())]

    @property
    def names(self) -> list[str]:
        r"""The names of all clips."""
        return [self._facts[index].name for index in self.indices()]

    @property
    def subjects(self) -> list[Any]:
        r"""Who acts in each clip; :obj:`None` where it is not known."""
        return self.column("subject")

    def column(self, key: str) -> list[Any]:
        r"""An entry of :obj:`clip.info` of all clips; :obj:`None` where a clip has none.

        Args:
            key (str): Name of the entry, such as :obj:`"camera"`.
        """
        return [self._facts[index].info.get(key) for index in self.indices()]

    def class_counts(self) -> Tensor:
        r"""Number of clips of each class.

        Raises:
            ValueError: If the clips have no labels.
        """
        if self.y is None:
            raise ValueError("y: expected clips with labels, got none")
        return torch.bincount(self.y, minlength=self.num_classes)

    def class_weights(self) -> Tensor:
        r"""A weight per class for a balanced loss: the number of clips per class that occurs,
        divided by that of this class, :math:`N / (K n_k)`; 0 for a class that does not occur.
        """
        counts = self.class_counts().to(torch.get_default_dtype())
        share = counts.sum() / (counts > 0).sum()
        return torch.where(counts > 0, share / counts.clamp(min=1), 0.0)

    def sample_weights(self) -> Tensor:
        r"""The weight of each clip's class, for :class:`torch.utils.data.WeightedRandomSampler`."""
        weights = self.class_weights()
        assert self.y is not None  # class_weights() refuses clips without labels
        return weights[self.y]


def _check_arguments(
    num_persons: int | None,
    empty: str,
    class_names: Sequence[str] | None,
    num_classes: int | None,
) -> None:
    if num_persons is not None and num_persons < 1:
        raise ValueError(f"num_persons: expected at least 1, got {num_persons}")
    if empty not in get_args(Empty):
        raise ValueError(f"empty: expected one of {get_args(Empty)}, got {empty!r}")
    if class_names is not None and num_classes is not None and len(class_names) != num_classes:
        raise ValueError(
            f"class_names: expected {num_classes} names (num_classes), got {len(class_names)}"
        )


def _layouts(
    skeleton: str | Skeleton | Sequence[str | Skeleton], num_clips: int
) -> tuple[list[Skeleton], Sequence[int]]:
    r"""The different layouts, and which of them each clip has."""
    if isinstance(skeleton, (str, Skeleton)):
        return [as_skeleton(skeleton)], [0] * num_clips
    if len(skeleton) != num_clips:
        raise ValueError(
            f"skeleton: expected one layout, or one for each of the {num_clips} clips, got "
            f"{len(skeleton)}"
        )
    each = [as_skeleton(layout) for layout in skeleton]
    layouts = list(dict.fromkeys(each))
    number = {layout: index for index, layout in enumerate(layouts)}
    return layouts, [number[layout] for layout in each]


def _persons(clip: SkeletonClip, num_persons: int | None) -> tuple[np.ndarray, np.ndarray]:
    r"""Positions and mask of the persons that were seen, cut or padded to their number."""
    seen = np.flatnonzero(clip.observed.any(axis=(1, 2)))
    wanted = max(len(seen), 1) if num_persons is None else num_persons
    seen = seen[:wanted]
    # Selected by indices: a copy, which may be written to.
    positions, observed = np.asarray(clip.positions)[seen], np.asarray(clip.observed)[seen]
    absent = wanted - len(seen)
    if absent:
        positions = np.concatenate([positions, np.zeros((absent, *positions.shape[1:]), "f4")])
        observed = np.concatenate([observed, np.zeros((absent, *observed.shape[1:]), bool)])
    return positions, observed


def _nodes_first(values: np.ndarray) -> np.ndarray:
    r"""From persons, frames, joints, ... to nodes, frames, ..."""
    moved = np.ascontiguousarray(values.swapaxes(1, 2))
    return moved.reshape(-1, *moved.shape[2:])
