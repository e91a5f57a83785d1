r"""Lightning's command line for images."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback

from tgst.train.classification_cli import ClassificationCLI
from tgst.train.image_data import ImageData
from tgst.train.image_task import ImageTask
from tgst.train.image_writer import ImageWriter
from tgst.train.run_cli import rank_zero_print
from tgst.train.transform_picture import write_transforms

__all__ = ["ImageCLI"]

SHOWN = 8  # images in the picture of the transforms


class ImageCLI(ClassificationCLI):
    r"""``tgst fit|validate|test|predict`` for :class:`tgst.train.ImageTask` and
    :class:`tgst.train.ImageData`; see :class:`tgst.train.ClassificationCLI`.

    * ``test`` gives the error in percent beside the accuracy, and draws what a spatial transformer
      looks at in the first test images (``transforms.png``).
    * ``predict`` writes the labels of the test part, or of the images in ``--input``
      (:class:`tgst.train.ImageWriter`). Classes and size come from the checkpoint then; the data
      set need not be there.

    Args:
        arguments: What follows ``tgst``.
    """

    task = "image"
    task_class = ImageTask
    data_class = ImageData
    input_help = ".npy file of images"
    validation_settings = "data.validation_share"

    def writer(self) -> Callback:
        r"""The callback that writes the labels."""
        return ImageWriter(self.output, self.options.top)

    def before_predict(self) -> None:
        r"""Tells the data what the model knows, so that images need no data set beside them."""
        if self.datamodule.input is not None:
            names = ("class_names", "num_channels", "image_size")
            known = self.described(*names)
            self.datamodule.describe(*(known[name] for name in names))

    def scores(self) -> dict[str, Any]:
        r"""The scores of the tested task, in plain containers."""
        scores = super().scores()
        error = {"error_percent": 100 * (1 - scores["scores"]["accuracy"])}
        scores["scores"] = error | scores["scores"]
        return scores

    def after_test(self) -> None:
        r"""Prints and writes the scores, and draws the transforms."""
        super().after_test()
        if self.trainer.is_global_zero:
            model = self.model.eval().used_model
            images = self.datamodule.test_images(SHOWN).to(self.model.device)
            write_transforms(model, images, self.run_folder / "transforms.png")

    def after_predict(self) -> None:
        r"""Says where the labels are."""
        rank_zero_print(f"labels: {self.output}")
