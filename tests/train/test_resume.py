from __future__ import annotations

import pytest
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping

from tests.train.tiny import tiny_data, tiny_model, tiny_trainer, trained
from tgst.train import ForecastTask, RandomState
from tgst.train.run_cli import checkpoint_callbacks

FULL = {"average": 0.9, "scheduler": "cosine", "scheduler_args": {"T_max": 3}, "optimizer": "adamw"}


class StopAfter(Callback):
    def __init__(self, epochs):
        self.epochs = epochs

    def on_train_epoch_end(self, trainer, pl_module):
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


def fit(root, folder, epochs, resume=False, random_state=True, workers=0, stop=None, **kwargs):
    r"""Fits up to an epoch and returns all that is kept in the last checkpoint."""
    seed_everything(11 if resume else 7)  # a new process would not have the old one's state
    callbacks = [
        *checkpoint_callbacks(folder),
        EarlyStopping("val/mae", patience=5),
        *([RandomState()] if random_state else []),
        *([StopAfter(stop)] if stop else []),
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
        if not name.startswith("RunCheckpoint"):  # those hold the paths of two folders
            assert_same(state, resumed["callbacks"][name], name)


def test_a_fit_that_was_stopped_early_keeps_its_default_schedule(tmp_path, root):
    straight, weights = fit(root, tmp_path / "straight", 3, scheduler="cosine")
    stopped, _ = fit(root, tmp_path / "stopped", 3, stop=1, scheduler="cosine")
    assert stopped["epoch"] == 0
    resumed, resumed_weights = fit(root, tmp_path / "stopped", 3, resume=True, scheduler="cosine")
    assert_same(weights, resumed_weights)
    for name in ("state_dict", "optimizer_states", "lr_schedulers", "epoch", "global_step"):
        assert_same(straight[name], resumed[name], name)


def test_another_number_of_epochs_does_not_fit_the_default_schedule(tmp_path, root):
    fit(root, tmp_path, 1, scheduler="cosine")
    message = r"planned for 1 epochs, .*: trainer.max_epochs must be 1 to resume it, got 2"
    with pytest.raises(ValueError, match=message):
        fit(root, tmp_path, 2, resume=True, scheduler="cosine")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"learning_rate": 0.5}, "model.learning_rate is 0.001 in the checkpoint and 0.5 here"),
        ({"weight_decay": 0.5}, "model.weight_decay is 0.0 in the checkpoint and 0.5 here"),
        ({"optimizer": "adamw"}, "model.optimizer is 'adam' in the checkpoint and 'adamw' here"),
        ({"scheduler": "cosine"}, "model.scheduler is None in the checkpoint and 'cosine' here"),
    ],
)
def test_settings_that_the_checkpoint_would_override_are_refused(tmp_path, root, kwargs, message):
    fit(root, tmp_path, 1)
    with pytest.raises(ValueError, match=f"last.ckpt cannot be resumed .*: {message}"):
        fit(root, tmp_path, 2, resume=True, **kwargs)


def test_other_arguments_of_the_scheduler_are_refused(tmp_path, root):
    fit(root, tmp_path, 1, **FULL)
    message = r"model.scheduler_args is \{'T_max': 3\} in the checkpoint and \{'T_max': 4\} here"
    with pytest.raises(ValueError, match=message):
        fit(root, tmp_path, 2, resume=True, **(FULL | {"scheduler_args": {"T_max": 4}}))


def test_without_the_random_state_it_would_not(tmp_path, root):
    _, weights = fit(root, tmp_path / "straight", 2, random_state=False)
    fit(root, tmp_path / "stopped", 1, random_state=False)
    _, resumed = fit(root, tmp_path / "stopped", 2, resume=True, random_state=False)
    assert any(not torch.equal(value, resumed[name]) for name, value in weights.items())


def test_the_position_of_the_loader_is_saved(tmp_path, root):
    saved, _ = fit(root, tmp_path, 2)
    position = saved["loops"]["fit_loop"]["state_dict"]["combined_loader"]
    assert position == [{"epoch": 2, "position": 0}]


@pytest.mark.parametrize("moved", [False, True])
def test_best_is_kept_over_a_resumption(tmp_path, root, moved):
    fit(root, tmp_path / "run", 2)
    folder = tmp_path / "moved" if moved else tmp_path / "run"
    (tmp_path / "run").rename(folder)
    before = torch.load(folder / "best.ckpt", weights_only=True)
    # a step this large makes the resumed epoch worse
    saved = torch.load(folder / "last.ckpt", weights_only=True)
    saved["optimizer_states"][0]["param_groups"][0]["lr"] = 10.0
    torch.save(saved, folder / "last.ckpt")
    fit(root, folder, 3, resume=True)
    after = torch.load(folder / "best.ckpt", weights_only=True)
    assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] == 2
    assert {path.name for path in folder.glob("*.ckpt")} == {"best.ckpt", "last.ckpt"}
    assert_same(before["state_dict"], after["state_dict"])


def test_a_fit_is_not_resumed_on_other_training_rows(tmp_path, root):
    """What it was validated on must not become what it learns from."""
    _, _, path = trained(tmp_path, root)
    message = r"fit to the readings from 2012-03-01T00:00:00 to 2012-03-01T08:40:00, but data.split"
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path, max_epochs=2).fit(
            ForecastTask(tiny_model()),
            datamodule=tiny_data(root, split=(0.8, 0.1, 0.1)),
            ckpt_path=path,
        )
    tiny_trainer(tmp_path).test(  # on other rows it may well be tested
        ForecastTask(tiny_model()),
        datamodule=tiny_data(root, split=(0.5, 0.1, 0.4)),
        ckpt_path=path,
        verbose=False,
    )
