r"""Clips, graph and loaders of a recognition task."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform, Compose

import tgst.datasets
from tgst.datasets import SkeletonClips
from tgst.datasets.skeleton_graphs import SkeletonGraphs
from tgst.loader import ClipLoader, ClipViews
from tgst.train.clip_files import largest_coordinate, read_clip_files
from tgst.train.sliding_windows import SlidingWindows
from tgst.utils.skeleton import Skeleton

__all__ = ["SkeletonData"]

DATASETS = {
    "kinetics": "KineticsSkeleton",
    "msr_action3d": "MSRAction3D",
    "ntu_rgbd": "NTURGBD",
    "pyskl": "PYSKL",
    "simulated": "SimulatedActions",
    "stgcn_feeder": "STGCNFeeder",
    "utkinect": "UTKinect",
}
NTU_READING = ("bodies", "num_bodies", "denoise", "join")  # how NTURGBD reads .skeleton files


class SkeletonData(LightningDataModule):
    r"""Clips of one skeleton to train, validate and test on, or to predict.

    The clips are read once, go through ``pre_transform`` once and stay in memory (``in_memory``).
    In every epoch a training clip goes through ``transform``, others go through
    ``eval_transform``.

    Without ``validation_subjects`` and ``validation_share`` all training clips are trained on and
    nothing is validated: the checkpoint to take is that of the last epoch.

    Args:
        dataset: ``"kinetics"``, ``"msr_action3d"``, ``"ntu_rgbd"``, ``"pyskl"``, ``"simulated"``,
            ``"stgcn_feeder"`` or ``"utkinect"``; for others see :meth:`from_clips`.
        root: Folder of the data set, for those that are read from disk.
        dataset_args: Further arguments of the data set, for example ``{"protocol": "xview"}``;
            those named ``train_<argument>`` and ``test_<argument>`` are for one part only. For data
            sets without a root, paths are looked for in ``root``.
        partition: Labels and weights of the edges: a :class:`tgst.transforms.SpatialPartition` or
            another one.
        num_persons: Persons of a clip; the first ones of it that were seen, absent ones where
            there are fewer.
        pre_transform: Transforms of every clip, before it is kept.
        transform: Transforms of a training clip, each time it is seen.
        eval_transform: Transforms of the other clips; random numbers are the same each time.
        in_memory: Keep what ``pre_transform`` gives; if False, clips are read and go through it
            each time they are seen.
        batch_size: Training clips per batch.
        eval_batch_size: Other clips per batch; as in training if None.
        drop_last: Leave the last training batch of an epoch out if it is smaller than the others.
        validation_subjects: Training subjects whose clips validate and are not trained on.
        validation_share: Share of the training clips, drawn at random but always the same ones,
            that validate; for data sets without subjects.
        num_test_clips: Views of each clip in test and prediction, each with random numbers of its
            own; their probabilities are averaged.
        input: What to predict instead of the test part: a folder of OpenPose folders (a JSON file
            per frame), such a folder itself, or ``.skeleton`` files.
        input_args: How to read it: arguments of :func:`tgst.data.read_openpose_folder`, such as
            ``{"frame_size": [1920, 1080], "num_persons": 5}``, or of
            :func:`tgst.data.read_ntu_skeleton`, which by default reads as ``"ntu_rgbd"`` does with
            its ``dataset_args``. Each person that is read gets labels.
        window: Frames of the windows that ``predict`` cuts longer clips into; None for one of the
            whole clip.
        window_stride: Frames from one window to the next; half a window if None.
        num_workers: Worker processes of the loaders.
        seed: Seed of the order and of the random transforms; 0 if None. On the command line None
            means ``--seed_everything``.

    Raises:
        ValueError: If the data set is unknown or does not take an argument, or a number is out of
            range.
    """

    skeleton: Skeleton
    graph: Data
    class_names: list[str]
    num_partitions: int
    num_channels: int
    class_weights: Tensor | None = None
    trained_on: str | None = None
    extent: float | None = None
    items: SlidingWindows

    def __init__(
        self,
        dataset: str = "simulated",
        root: str | None = None,
        dataset_args: dict[str, Any] | None = None,
        partition: BaseTransform | None = None,
        num_persons: int = 1,
        pre_transform: list[BaseTransform] | None = None,
        transform: list[BaseTransform] | None = None,
        eval_transform: list[BaseTransform] | None = None,
        in_memory: bool = True,
        batch_size: int = 32,
        eval_batch_size: int | None = None,
        drop_last: bool = False,
        validation_subjects: list[int] | None = None,
        validation_share: float = 0.0,
        num_test_clips: int = 1,
        input: str | None = None,
        input_args: dict[str, Any] | None = None,
        window: int | None = None,
        window_stride: int | None = None,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if dataset not in DATASETS:
            raise ValueError(
                f"dataset must be one of {', '.join(sorted(DATASETS))}, got {dataset!r}"
            )
        if not 0 <= validation_share < 1:
            raise ValueError(f"validation_share must be in [0, 1), got {validation_share}")
        if validation_share and validation_subjects:
            raise ValueError("validation_share must be 0 beside validation_subjects, got both")
        self.dataset = dataset
        self.root = root
        self.dataset_args = dict(dataset_args or {})
        self.partition = partition
        self.num_persons = num_persons
        self.pre_transform = Compose(list(pre_transform or []))
        self.transform = Compose(list(transform or []))
        self.eval_transform = Compose(list(eval_transform or []))
        self.in_memory = in_memory
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size or batch_size
        self.drop_last = drop_last
        self.validation_subjects = list(validation_subjects or [])
        self.validation_share = validation_share
        self.num_test_clips = num_test_clips
        self.input = input
        self.input_args = dict(input_args or {})
        self.window = window
        self.window_stride = window_stride
        self.num_workers = num_workers
        self.seed = seed
        self._datasets: dict[str, SkeletonClips] = {}
        self._parts: dict[str, Sequence[Data]] = {}

    @classmethod
    def from_clips(
        cls, train: SkeletonClips | None = None, test: SkeletonClips | None = None, **kwargs: Any
    ) -> SkeletonData:
        r"""Takes data sets that were made already, for example of one's own clips.

        Args:
            train: The training clips.
            test: The test clips.
            **kwargs: Further arguments of the class.
        """
        data = cls(**kwargs)
        given = {"train": train, "test": test}
        data._datasets = {part: each for part, each in given.items() if each is not None}
        return data

    @property
    def validates(self) -> bool:
        r"""Whether training clips are held out for validation."""
        return bool(self.validation_subjects or self.validation_share)

    def describe(
        self, skeleton: Skeleton, class_names: Sequence[str], extent: float | None = None
    ) -> None:
        r"""Says what the clips show, so that those of ``input`` need no data set beside them.

        Args:
            skeleton: Their layout.
            class_names: The classes that they may be of.
            extent: The largest x or y of the clips that were trained on, if known: ``input`` in
                another unit is refused then.
        """
        self.extent = extent
        self.skeleton = skeleton
        self.class_names = list(class_names)
        graphs = SkeletonGraphs([skeleton], self.partition)
        self.graph = graphs.graph(0, 1)
        del self.graph.person  # the task repeats it for as many persons as it meets
        self.num_partitions = graphs.num_partitions

    def setup(self, stage: str | None = None) -> None:
        r"""Reads the clips that a stage needs, once.

        Args:
            stage: Lightning's stage; None reads training and test clips.

        Raises:
            ValueError: If the data set lacks something that was asked for; names it.
        """
        if stage == "predict":
            self._set_up_prediction()
            return
        parts = {"fit": ("train", "val"), "validate": ("val",), "test": ("test",)}
        for part in parts.get(stage or "", ("train", "val", "test")):
            if part != "val" or self.validates:
                self._read_part(part)

    def _read_part(self, part: str) -> None:
        if part in self._parts:
            return
        dataset = self._dataset("test" if part == "test" else "train")
        if part != "test":
            dataset = self._training_parts(dataset)[part]
        if part == "train":
            self.class_weights = dataset.class_weights()
            self.trained_on = self._description(dataset)
            self.extent = _extent(dataset)
        clips = _Transformed(dataset, self.pre_transform)
        self._parts[part] = list(clips) if self.in_memory else clips
        self.num_channels = self._channels(self._parts[part])

    def _channels(self, clips: Sequence[Data]) -> int:
        (view,) = ClipViews([clips[0]], self.eval_transform)[0]
        return view["x"].size(-1)

    def _dataset(self, split: str) -> SkeletonClips:
        if split not in self._datasets:
            self._datasets[split] = _made(
                self.dataset, split, self.root, self.num_persons, self.dataset_args
            )
        dataset = self._datasets[split]
        names = dataset.class_names or [str(label) for label in range(dataset.num_classes)]
        if not hasattr(self, "skeleton"):
            self.describe(dataset.skeleton, names)
        elif list(names) != self.class_names:
            raise ValueError(
                f"class_names: expected those of the other part, {self.class_names}, in the "
                f"{split} part, got {list(names)}"
            )
        return dataset

    def _training_parts(self, dataset: SkeletonClips) -> dict[str, SkeletonClips]:
        held = torch.zeros(len(dataset), dtype=torch.bool)
        if self.validation_subjects:
            subjects = dataset.subjects
            strangers = sorted(set(self.validation_subjects) - set(subjects))
            if strangers:
                known = sorted({each for each in subjects if each is not None})
                raise ValueError(
                    f"data.validation_subjects must be of the training subjects {known}, got "
                    f"{strangers}"
                )
            held = torch.tensor([each in self.validation_subjects for each in subjects])
        elif self.validation_share:
            # not by the seed of the run: runs of several seeds are compared on the same clips
            order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0))
            held[order[: round(self.validation_share * len(dataset))]] = True
        if held.all() or (self.validates and not held.any()):
            raise ValueError(
                f"data.validation_subjects or data.validation_share must leave clips on both "
                f"sides, got {int(held.sum())} of {len(dataset)} for validation"
            )
        parts: dict[str, Any] = {"train": dataset[~held], "val": dataset[held]}
        return parts

    def _description(self, dataset: SkeletonClips) -> str:
        subjects = {each for each in dataset.subjects if each is not None}
        if not subjects:
            share = f" (validation_share {self.validation_share})" if self.validates else ""
            return f"{len(dataset)} clips{share}"
        return f"{len(dataset)} clips of the subjects {', '.join(map(str, sorted(subjects)))}"

    def _set_up_prediction(self) -> None:
        if self.input is None:
            dataset = self._dataset("test")
            clips = [dataset.clip(index) for index in range(len(dataset))]
        else:
            if not hasattr(self, "skeleton"):
                self.extent = _extent(self._dataset("train"))
            known = _arguments_of("test", self.dataset_args) if self.dataset == "ntu_rgbd" else {}
            ntu = {name: known[name] for name in NTU_READING if name in known}
            clips = read_clip_files(self.input, self.skeleton, self.input_args, ntu, self.extent)
        self.items = SlidingWindows(
            clips,
            SkeletonGraphs([self.skeleton]).graph(0, self.num_persons),
            self.num_persons,
            self.window,
            self.window_stride,
            self.pre_transform,
        )
        self.num_channels = self._channels(self.items)

    def loader(self, clips: Sequence[Data], views: int = 1) -> ClipLoader:
        r"""A loader of clips that are not trained on, in their order.

        Args:
            clips: The clips.
            views: Views of each.
        """
        # a seed of its own: scores do not depend on that of the training
        data = ClipViews(clips, self.eval_transform, views)
        return ClipLoader(data, batch_size=self.eval_batch_size, num_workers=self.num_workers)

    def train_dataloader(self) -> ClipLoader:
        r"""Training clips; order and views depend on the seed and the epoch only."""
        seed = self.seed or 0
        return ClipLoader(
            ClipViews(self._parts["train"], self.transform, seed=seed),
            batch_size=self.batch_size,
            shuffle=True,
            seed=seed,
            num_workers=self.num_workers,
            drop_last=self.drop_last,
        )

    def val_dataloader(self) -> Any:
        r"""The clips held out for validation, one view of each; nothing if there are none."""
        return self.loader(self._parts["val"]) if self.validates else []

    def test_dataloader(self) -> ClipLoader:
        r"""The test clips."""
        return self.loader(self._parts["test"], self.num_test_clips)

    def predict_dataloader(self) -> ClipLoader:
        r"""The windows to predict: all persons of a clip together, then each."""
        return self.loader(self.items, self.num_test_clips)


class _Transformed(Sequence[Data]):
    """Clips that are read and transformed when they are asked for."""

    def __init__(self, clips: Any, transform: Callable[[Data], Data]) -> None:
        self.clips = clips
        self.transform = transform

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.transform(self.clips[index])


def _extent(dataset: SkeletonClips) -> float:
    """The largest x or y of some sixty clips, as they were read."""
    numbers = range(0, len(dataset), 1 + len(dataset) // 64)
    return max(largest_coordinate(dataset.clip(number)) for number in numbers)


def _made(
    name: str, split: str, root: str | None, num_persons: int, arguments: Mapping[str, Any]
) -> SkeletonClips:
    """One part of a data set."""
    make: Callable[..., SkeletonClips] = getattr(tgst.datasets, DATASETS[name])
    parameters = inspect.signature(make).parameters
    given = _arguments_of(split, arguments)
    paths = {key for key in given if key.endswith("path") and key in parameters}
    if root is not None and paths and "root" not in parameters:
        given |= {key: str(Path(root, given[key])) for key in paths}
    elif root is not None:
        given["root"] = root
    unknown = [key for key in given if key not in parameters]
    if unknown:
        raise ValueError(
            f"data set {name!r} takes {', '.join(parameters)}, got {', '.join(unknown)}"
        )
    if "root" in parameters and "root" not in given:
        raise ValueError(f"data set {name!r} is read from a folder: root (--root DIR) is missing")
    own = {"split": split, "num_persons": num_persons}
    return make(**{key: value for key, value in own.items() if key in parameters} | given)


def _arguments_of(split: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Those of all parts, then those of this one."""
    shared = {k: v for k, v in arguments.items() if not k.startswith(("train_", "test_"))}
    own = {k: v for k, v in arguments.items() if k.startswith(f"{split}_")}
    return shared | {k.removeprefix(f"{split}_"): v for k, v in own.items()}
