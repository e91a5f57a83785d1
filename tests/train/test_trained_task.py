from __future__ import annotations

import lightning
import pytest
import torch
from lightning.pytorch.trainer.states import TrainerFn

from tgst.train.moving_average import averaged_model
from tgst.train.trained_task import TrainedTask


class Task(TrainedTask):
    """Notes what is asked of it."""

    data_name = "a TinyData"
    selected_by = "error"

    def __init__(self, average=None, refuses=False):
        super().__init__()
        self.model = torch.nn.Linear(2, 3)
        self.averaged = None if average is None else averaged_model(self.model, average)
        self.trained_on = "January"
        self.refuses = refuses
        self.asked = []

    @property
    def knows_data(self):
        return "use_data" in self.asked

    def use_data(self, data):
        self.asked.append("use_data")

    def saved(self):
        return {"channels": ["speed"]}

    def use_saved(self, checkpoint):
        self.asked.append(("use_saved", checkpoint["channels"]))

    def _check_fits(self, checkpoint, name):
        self.asked.append(("fits", name))
        if self.refuses:
            raise ValueError(f"{name} does not fit")

    def _check_resumed(self, checkpoint, name, epochs):
        self.asked.append(("resumed", name, epochs))


def test_a_checkpoint_says_what_the_data_module_would_have_said():
    checkpoint = {}
    Task().on_save_checkpoint(checkpoint)
    assert checkpoint == {
        "model_class": "torch.nn.modules.linear.Linear",
        "model_arguments": {"in_features": 2, "out_features": 3},
        "trained_on": "January",
        "channels": ["speed"],
    }
    task = Task()
    task.on_load_checkpoint(checkpoint)
    assert task.asked == [("fits", "the checkpoint"), ("use_saved", ["speed"])]


def test_nothing_is_taken_from_a_checkpoint_that_is_refused():
    task = Task(refuses=True)
    with pytest.raises(ValueError, match="the checkpoint does not fit"):
        task.on_load_checkpoint({"channels": ["flow"]})
    assert task.asked == [("fits", "the checkpoint")]


@pytest.mark.parametrize(
    ("function", "resumed"),
    [(TrainerFn.FITTING, [("resumed", "checkpoint a.ckpt", 7)]), (TrainerFn.TESTING, [])],
)
def test_only_a_fit_is_resumed(function, resumed):
    task = Task()
    task.trainer = lightning.Trainer(max_epochs=7, logger=False, accelerator="cpu")
    task.trainer.state.fn = function
    task.trainer.ckpt_path = "a.ckpt"
    task.use_data(None)
    task.on_load_checkpoint({})
    assert task.asked == ["use_data", ("fits", "checkpoint a.ckpt"), *resumed]


def test_a_data_module_is_needed():
    task = Task()
    task.trainer = lightning.Trainer(logger=False, accelerator="cpu")
    with pytest.raises(ValueError, match="datamodule: expected a TinyData, got None"):
        task.setup("fit")


def test_averaged_weights_are_used_outside_of_training():
    task = Task(average=0.9)
    assert task.train().used_model is task.model
    assert task.eval().used_model is task.averaged.module
    alone = Task().eval()
    assert alone.used_model is alone.model
