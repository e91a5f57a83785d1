from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch import seed_everything
from lightning.pytorch.loggers import CSVLogger

from tests.train.tiny import tiny_trainer
from tests.train.tiny_images import CONFIG, image_data, image_model, with_transformer, write_images
from tgst.datasets import ClutteredMNIST
from tgst.train import ImageTask, RecordTransforms, cli


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def fit(folder, root, epochs=2, **kwargs):
    seed_everything(0)
    task = ImageTask(with_transformer(), learning_rate=0.01, **kwargs)
    logger = CSVLogger(folder, name="", version="")
    callbacks = [RecordTransforms(images=3)]
    trainer = tiny_trainer(folder, max_epochs=epochs, logger=logger, callbacks=callbacks)
    trainer.fit(task, datamodule=image_data(root, validation_share=0.0))
    return task


@pytest.mark.parametrize("average", [None, 0.5])
def test_what_the_transformer_does_after_every_epoch(tmp_path, root, average):
    task = fit(tmp_path, root, average=average)
    with np.load(tmp_path / "transforms.npz", allow_pickle=False) as record:
        images, theta, epoch = (record[name] for name in ("images", "theta", "epoch"))
    assert epoch.tolist() == [0, 1, 2]
    assert np.array_equal(images, ClutteredMNIST(root).images[:3])
    assert theta.shape == (3, 3, 3)
    np.testing.assert_allclose(theta[0], [[1, 0, 0]] * 3)
    task.eval()
    with torch.no_grad():
        now = task.used_model.transform(torch.from_numpy(images))
    np.testing.assert_allclose(theta[2], now, rtol=1e-5)
    assert np.abs(theta[1] - theta[2]).max() > 1e-4


def test_recording_changes_no_training(tmp_path, root):
    seed_everything(0)
    plain = ImageTask(with_transformer(), learning_rate=0.01)
    data = image_data(root, validation_share=0.0)
    tiny_trainer(tmp_path, max_epochs=2).fit(plain, datamodule=data)
    watched = fit(tmp_path, root)
    for one, two in zip(plain.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_resumed_run_goes_on(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = CONFIG | {"trainer": CONFIG["trainer"] | {"callbacks": [RECORD]}}
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    command = ["fit", "--config", "tiny.yaml", "--root", str(root)]
    assert cli.main([*command, "--name", "whole", "--trainer.max_epochs", "2"]) == 0
    assert cli.main(command) == 0
    assert cli.main([*command, "--ckpt_path", "last", "--trainer.max_epochs", "2"]) == 0
    with (
        np.load("runs/whole/version_0/seen.npz") as one,
        np.load("runs/tiny/version_0/seen.npz") as two,
    ):
        assert one["epoch"].tolist() == [0, 1, 2]
        for name in ("epoch", "images", "theta"):
            np.testing.assert_array_equal(one[name], two[name])


RECORD = {"class_path": "tgst.train.RecordTransforms", "init_args": {"name": "seen.npz"}}


def test_mistakes_are_named(tmp_path, root):
    with pytest.raises(ValueError, match="images must be at least 1, got 0"):
        RecordTransforms(images=0)
    with pytest.raises(ValueError, match=r"name must end in .npz, got 'a.npy'"):
        RecordTransforms(name="a.npy")
    trainer = tiny_trainer(tmp_path, callbacks=[RecordTransforms()])
    message = "RecordTransforms needs a model with a transformer and the method transform, got Im"
    with pytest.raises(ValueError, match=message):
        trainer.fit(ImageTask(image_model()), datamodule=image_data(root))
