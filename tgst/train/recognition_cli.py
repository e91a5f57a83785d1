r"""Lightning's command line for recognition tasks."""

from __future__ import annotations

from lightning.pytorch.callbacks import Callback

from tgst.train.classification_cli import ClassificationCLI
from tgst.train.recognition_agreement import skeleton_of
from tgst.train.recognition_task import RecognitionTask
from tgst.train.recognition_writer import RecognitionWriter
from tgst.train.run_cli import rank_zero_print
from tgst.train.skeleton_data import SkeletonData

__all__ = ["RecognitionCLI"]


class RecognitionCLI(ClassificationCLI):
    r"""``tgst fit|validate|test|predict`` for :class:`tgst.train.RecognitionTask` and
    :class:`tgst.train.SkeletonData`; see :class:`tgst.train.ClassificationCLI`.

    * ``predict`` writes the labels of the test part, or of the clips in ``--input``
      (:class:`tgst.train.RecognitionWriter`). Layout and classes come from the checkpoint then;
      the data set need not be there.

    Args:
        arguments: What follows ``tgst``.
    """

    task = "recognition"
    task_class = RecognitionTask
    data_class = SkeletonData
    input_help = "folder of OpenPose folders or .skeleton files"
    validation_settings = "data.validation_subjects or data.validation_share"

    def writer(self) -> Callback:
        r"""The callback that writes the labels."""
        return RecognitionWriter(self.output, self.options.top)

    def before_predict(self) -> None:
        r"""Tells the data what the model knows, so that clips need no data set beside them."""
        if self.datamodule.input is not None:
            checkpoint = self.described("skeleton")
            skeleton = skeleton_of(checkpoint["skeleton"])
            extent = checkpoint.get("extent")
            self.datamodule.describe(skeleton, checkpoint["class_names"], extent)

    def after_predict(self) -> None:
        r"""Says where the labels are, and which clips have none."""
        windows = self.datamodule.items
        if windows.empty:
            names = ", ".join(windows.clips[number].name for number in windows.empty)
            rank_zero_print(f"nobody was seen in: {names}")
        rank_zero_print(f"labels: {self.output}")
