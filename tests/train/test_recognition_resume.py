from __future__ import annotations

import pytest
import torch
from lightning.pytorch import seed_everything

from tests.train.test_resume import StopAfter, assert_same
from tests.train.tiny import tiny_trainer
from tests.train.tiny_skeleton import Noise, skeleton_data, skeleton_model
from tgst.train import RandomState, RecognitionTask
from tgst.train.run_cli import checkpoint_callbacks

FULL = {
    "average": 0.9,
    "optimizer": "adamw",
    "scheduler": "cosine",
    "warmup_epochs": 1,
    "mixup": 0.4,
    "class_balanced": True,
}


def fit(folder, epochs=3, resume=False, stop=None, workers=0, **kwargs):
    seed_everything(11 if resume else 7)  # a new process would not have the old one's state
    callbacks = [
        *checkpoint_callbacks(folder, ("val/accuracy", "max")),
        RandomState(),
        *([StopAfter(stop)] if stop else []),
    ]
    trainer = tiny_trainer(folder, max_epochs=epochs, callbacks=callbacks)
    task = RecognitionTask(skeleton_model(dropout=0.5), learning_rate=0.02, **kwargs)
    data = skeleton_data(transform=[Noise()], num_workers=workers)
    last = folder / "last.ckpt"
    trainer.fit(task, datamodule=data, ckpt_path=last if resume else None)
    return torch.load(last, weights_only=True)


@pytest.mark.parametrize("kwargs", [{}, FULL, {"workers": 1}], ids=["plain", "full", "workers"])
def test_a_resumed_fit_ends_like_an_uninterrupted_one(tmp_path, kwargs):
    straight = fit(tmp_path / "straight", **kwargs)
    assert fit(tmp_path / "stopped", stop=1, **kwargs)["epoch"] == 0
    resumed = fit(tmp_path / "stopped", resume=True, **kwargs)
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        assert_same(straight[name], resumed[name], name)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"momentum": 0.5}, "model.momentum is 0.9 in the checkpoint and 0.5 here"),
        ({"nesterov": False}, "model.nesterov is True in the checkpoint and False here"),
        ({"warmup_epochs": 1}, "model.warmup_epochs is 0 in the checkpoint and 1 here"),
    ],
)
def test_settings_that_the_checkpoint_would_override_are_refused(tmp_path, kwargs, message):
    fit(tmp_path, 1)
    with pytest.raises(ValueError, match=f"last.ckpt cannot be resumed .*: {message}"):
        fit(tmp_path, 2, resume=True, **kwargs)


def test_another_number_of_epochs_does_not_fit_the_schedule(tmp_path):
    fit(tmp_path, 2, scheduler="cosine", warmup_epochs=1)
    message = r"planned for 2 epochs, .*: trainer.max_epochs must be 2 to resume it, got 4"
    with pytest.raises(ValueError, match=message):
        fit(tmp_path, 4, resume=True, scheduler="cosine", warmup_epochs=1)
