from __future__ import annotations

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import EarlyStopping

from tests.train.tiny import tiny_data, tiny_model, tiny_trainer
from tgst.train import ForecastTask, RandomState
from tgst.train.forecast_cli import checkpoint_callbacks

FULL = {"average": 0.9, "scheduler": "cosine", "scheduler_args": {"T_max": 3}, "optimizer": "adamw"}


def fit(root, folder, epochs, resume=False, random_state=True, workers=0, **kwargs):
    r"""Fits up to an epoch and returns all that is kept in the last checkpoint."""
    seed_everything(11 if resume else 7)  # a new process would not have the old one's state
    callbacks = [
        *checkpoint_callbacks(folder),
        EarlyStopping("val/mae", patience=5),
        *([RandomState()] if random_state else []),
    ]
    trainer = tiny_trainer(folder, max_epochs=epochs, callbacks=callbacks)
    task = ForecastTask(tiny_model(seed=3, dropout=0.5), **kwargs)
    last = folder / "last.ckpt"
    data = tiny_data(root, num_workers=workers)
    trainer.fit(task, datamodule=data, ckpt_path=last if resume else None)
    return torch.load(last, weights_only=True), task.state_dict()


def assert_same(one, two, where="checkpoint"):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, two), where
    elif isinstance(one, dict):
        assert one.keys() == two.keys(), where
        for name in one:
            assert_same(one[name], two[name], f"{where}/{name}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for index, pair in enumerate(zip(one, two, strict=True)):
            assert_same(*pair, f"{where}/{index}")
    else:
        assert one == two, where


@pytest.mark.parametrize("kwargs", [{}, FULL, {"workers": 1}], ids=["plain", "full", "workers"])
def test_a_resumed_fit_ends_like_an_uninterrupted_one(tmp_path, root, kwargs):
    straight, weights = fit(root, tmp_path / "straight", 3, **kwargs)
    fit(root, tmp_path / "stopped", 1, **kwargs)
    fit(root, tmp_path / "stopped", 2, resume=True, **kwargs)
    resumed, resumed_weights = fit(root, tmp_path / "stopped", 3, resume=True, **kwargs)
    assert_same(weights, resumed_weights)
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        assert_same(straight[name], resumed[name], name)
    for name, state in straight["callbacks"].items():
        if not name.startswith("ModelCheckpoint"):  # those hold the paths of two folders
            assert_same(state, resumed["callbacks"][name], name)


def test_without_the_random_state_it_would_not(tmp_path, root):
    _, weights = fit(root, tmp_path / "straight", 2, random_state=False)
    fit(root, tmp_path / "stopped", 1, random_state=False)
    _, resumed = fit(root, tmp_path / "stopped", 2, resume=True, random_state=False)
    assert any(not torch.equal(value, resumed[name]) for name, value in weights.items())


def test_the_position_of_the_loader_is_saved(tmp_path, root):
    saved, _ = fit(root, tmp_path, 2)
    position = saved["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    assert position == [{"epoch": 2, "position": 0}]


def test_best_is_kept_over_a_resumption(tmp_path, root):
    fit(root, tmp_path, 2)
    before = torch.load(tmp_path / "best.ckpt", weights_only=True)
    # a step this large makes the resumed epoch worse
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    saved["optimizer_states"][0]["param_groups"][0]["lr"] = 10.0
    torch.save(saved, tmp_path / "last.ckpt")
    fit(root, tmp_path, 3, resume=True)
    after = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["epoch"] == 2
    assert_same(before["state_dict"], after["state_dict"])
