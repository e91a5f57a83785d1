r"""Images, their classes and loaders of an image task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from tgst.datasets import ClutteredMNIST
from tgst.loader import ImageBatch, ImageLoader
from tgst.train.image_files import read_images

__all__ = ["ImageData"]

DATASETS: dict[str, Any] = {"cluttered_mnist": ClutteredMNIST}


class ImageData(LightningDataModule):
    r"""Images of one size to train, validate and test on, or to predict.

    All images lie in one tensor; a batch is an index select. Augmentation acts on training batches
    as a whole, on the device, each time they are seen.

    Without ``validation_share`` all training images are trained on and nothing is validated: the
    checkpoint to take is that of the last epoch.

    Args:
        dataset: ``"cluttered_mnist"``; for others see :meth:`from_images`.
        root: Folder of the data set.
        augment: Modules that take and give a batch of images, one after the other, such as those
            of :mod:`tgst.transforms.images`.
        batch_size: Training images per batch.
        eval_batch_size: Other images per batch.
        drop_last: Leave the last training batch of an epoch out if it is smaller than the others.
        validation_share: Share of the training images that validate and are not trained on.
        validation_order: Which they are: ``"random"``, drawn at random but always the same ones,
            or the ``"last"`` ones of the data set.
        input: What to predict instead of the test part: an ``.npy`` file of images, see
            :func:`tgst.train.image_files.read_images`.
        seed: Seed of the order; 0 if None. On the command line None means ``--seed_everything``,
            which is that of the augmentation as well.

    Raises:
        ValueError: If the data set is unknown or a number is out of range.
    """

    class_names: list[str]
    num_channels: int
    image_size: tuple[int, ...]
    trained_on: str | None = None

    def __init__(
        self,
        dataset: str = "cluttered_mnist",
        root: str | None = None,
        augment: list[torch.nn.Module] | None = None,
        batch_size: int = 64,
        eval_batch_size: int = 500,
        drop_last: bool = True,
        validation_share: float = 0.0,
        validation_order: Literal["random", "last"] = "random",
        input: str | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if dataset not in DATASETS:
            raise ValueError(f"dataset must be one of {', '.join(DATASETS)}, got {dataset!r}")
        if not 0 <= validation_share < 1:
            raise ValueError(f"validation_share must be in [0, 1), got {validation_share}")
        if validation_order not in ("random", "last"):
            raise ValueError(
                f"validation_order must be one of random, last, got {validation_order!r}"
            )
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.dataset = dataset
        self.root = root
        self.augment = torch.nn.Sequential(*(augment or []))
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.drop_last = drop_last
        self.validation_share = validation_share
        self.validation_order = validation_order
        self.input = input
        self.seed = seed
        self._datasets: dict[str, Any] = {}
        self._parts: dict[str, tuple[Tensor, Tensor | None]] = {}

    @classmethod
    def from_images(cls, train: Any = None, test: Any = None, **kwargs: Any) -> ImageData:
        r"""Takes images that are there already.

        Args:
            train: The training images: an object with ``images``, ``labels`` and ``class_names``
                as :class:`tgst.datasets.ClutteredMNIST` has them.
            test: The test images, likewise.
            **kwargs: Further arguments of the class.
        """
        data = cls(**kwargs)
        given = {"train": train, "test": test}
        data._datasets = {part: each for part, each in given.items() if each is not None}
        return data

    @property
    def validates(self) -> bool:
        r"""Whether training images are held out for validation."""
        return bool(self.validation_share)

    def describe(
        self, class_names: Sequence[str], num_channels: int, image_size: Sequence[int]
    ) -> None:
        r"""Says what the images are, so that those of ``input`` need no data set beside them.

        Args:
            class_names: The classes.
            num_channels: Channels of an image.
            image_size: Its height and width.
        """
        self.class_names = list(class_names)
        self.num_channels, self.image_size = num_channels, tuple(image_size)

    def setup(self, stage: str | None = None) -> None:
        r"""Reads the images that a stage needs, once.

        Args:
            stage: Lightning's stage; None reads training and test images.

        Raises:
            ValueError: If the data set lacks something that was asked for; names it.
        """
        if stage == "predict":
            self._set_up_prediction()
            return
        parts = {"fit": ("train",), "validate": ("train",), "test": ("test",)}
        for part in parts.get(stage or "", ("train", "test")):
            if part not in self._parts:
                dataset = self._dataset(part)
                self._parts[part] = dataset.images, dataset.labels
                if part == "train":
                    self._hold_out()

    def _dataset(self, part: str) -> Any:
        if part not in self._datasets:
            if self.root is None:
                raise ValueError(
                    f"data set {self.dataset!r} is read from a folder: root (--root DIR) is missing"
                )
            self._datasets[part] = DATASETS[self.dataset](self.root, part)
        dataset = self._datasets[part]
        what = list(dataset.class_names), dataset.images.size(1), tuple(dataset.images.shape[2:])
        if not hasattr(self, "class_names"):
            self.describe(*what)
        own = self.class_names, self.num_channels, self.image_size
        if what != own:
            raise ValueError(
                f"{part}: expected the classes, channels and size of the other part, {own}, got "
                f"{what}"
            )
        return dataset

    def _hold_out(self) -> None:
        images, labels = self._parts["train"]
        assert labels is not None
        count = round(self.validation_share * len(images))
        if self.validates and not 0 < count < len(images):
            raise ValueError(
                f"data.validation_share must leave images on both sides, got {count} of "
                f"{len(images)} for validation"
            )
        # not by the seed of the run: runs of several seeds are compared on the same images
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        if self.validation_order == "last":
            order = torch.arange(len(images) - 1, -1, -1)
        held = torch.zeros(len(images), dtype=torch.bool)
        held[order[:count]] = True
        which = f" (validation_share {self.validation_share}, {self.validation_order})"
        self.trained_on = f"{len(images) - count} images{which if self.validates else ''}"
        if self.validates:
            self._parts["train"] = images[~held], labels[~held]
            self._parts["val"] = images[held], labels[held]

    def _set_up_prediction(self) -> None:
        if self.input is None:
            dataset = self._dataset("test")
            self._parts["predict"] = dataset.images, dataset.labels
            return
        if not hasattr(self, "class_names"):
            self._dataset("train")
        images = read_images(self.input, self.num_channels, self.image_size)
        self._parts["predict"] = images, None

    def shown_images(self, count: int) -> Tensor:
        r"""The first images that are held out for validation, or of the training part where none
        are, to look at during a fit.

        Args:
            count: At most so many.
        """
        return self._parts["val" if self.validates else "train"][0][:count]

    def test_images(self, count: int) -> Tensor:
        r"""The first test images.

        Args:
            count: At most so many.
        """
        return self._parts["test"][0][:count]

    def on_after_batch_transfer(self, batch: ImageBatch, dataloader_idx: int) -> ImageBatch:
        r"""Augments training batches.

        Args:
            batch: A batch, on its device.
            dataloader_idx: Number of its loader.
        """
        if self.trainer is None or not self.trainer.training:
            return batch
        return self.augmented(batch)

    @torch.no_grad()
    def augmented(self, batch: ImageBatch) -> ImageBatch:
        r"""A batch after augmentation.

        Args:
            batch: The batch.
        """
        return batch._replace(x=self.augment(batch.x))

    def train_dataloader(self) -> ImageLoader:
        r"""Training images; their order depends on the seed and the epoch only."""
        return ImageLoader(
            *self._parts["train"],
            batch_size=self.batch_size,
            shuffle=True,
            seed=self.seed or 0,
            drop_last=self.drop_last and len(self._parts["train"][0]) > self.batch_size,
        )

    def val_dataloader(self) -> Any:
        r"""The images held out for validation; nothing if there are none."""
        return self._in_order("val") if self.validates else []

    def test_dataloader(self) -> ImageLoader:
        r"""The test images."""
        return self._in_order("test")

    def predict_dataloader(self) -> ImageLoader:
        r"""The images to predict."""
        return self._in_order("predict")

    def _in_order(self, part: str) -> ImageLoader:
        return ImageLoader(*self._parts[part], batch_size=self.eval_batch_size)
