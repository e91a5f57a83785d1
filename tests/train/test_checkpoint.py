from __future__ import annotations

import errno
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from tgst.train import AtomicCheckpointIO
from tgst.train.checkpoint import model_difference

REPOSITORY = Path(__file__).parents[2]


def checkpoint(value: float):
    return {"state_dict": {"weight": torch.full((3,), value)}, "epoch": 2, "names": ["a"]}


def test_what_is_saved_comes_back(tmp_path):
    path = tmp_path / "new" / "folder" / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint(checkpoint(1.0), path)
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert loaded["epoch"] == 2
    assert loaded["names"] == ["a"]
    assert loaded["state_dict"]["weight"].tolist() == [1.0, 1.0, 1.0]
    assert os.listdir(path.parent) == ["a.ckpt"]


def test_a_second_save_replaces_the_file_and_keeps_common_permissions(tmp_path):
    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint(checkpoint(1.0), path)
    AtomicCheckpointIO().save_checkpoint(checkpoint(2.0), path)
    assert AtomicCheckpointIO().load_checkpoint(path)["state_dict"]["weight"][0] == 2
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


FULL_DISK = """
import resource, sys, torch
from tgst.train import AtomicCheckpointIO
path = sys.argv[1]
io = AtomicCheckpointIO()
io.save_checkpoint({"state_dict": {"weight": torch.arange(3.0)}}, path)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    io.save_checkpoint({"state_dict": {"weight": torch.zeros(1_000_000)}}, path)
except OSError as error:
    print(error.errno, error)
"""


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_write_that_fails_leaves_the_last_good_checkpoint(tmp_path):
    pytest.importorskip("resource", reason="file size limits need POSIX")
    path = tmp_path / "a.ckpt"
    message = run(FULL_DISK, str(path))
    assert message.startswith(str(errno.EFBIG))
    assert "cannot save the checkpoint (File too large); one saved there before" in message
    assert str(path) in message
    assert os.listdir(tmp_path) == ["a.ckpt"]
    loaded = AtomicCheckpointIO().load_checkpoint(path)
    assert loaded["state_dict"]["weight"].tolist() == [0.0, 1.0, 2.0]


FULL_DISK_IN_FIT = """
import resource, shutil, sys
from pathlib import Path
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from tests.train.tiny import tiny_data, tiny_model, tiny_trainer, write_los_loop
from tgst.train import ForecastTask

folder = Path(sys.argv[1])
root = write_los_loop(folder / "losloop")
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

class FillDisk(Callback):
    def __init__(self, runs, copies):
        self.runs, self.copies = runs, copies

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            shutil.copytree(self.runs, self.copies)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, unlimited[1]))

for filename in ("best", "{epoch}"):
    # the number of the epoch: every epoch is better than the one before
    keep = ModelCheckpoint(folder / filename, filename, monitor="epoch", mode="max")
    fill = FillDisk(folder / filename, folder / (filename + "_copies"))
    trainer = tiny_trainer(folder, max_epochs=3, callbacks=[fill, keep])
    try:
        trainer.fit(ForecastTask(tiny_model()), datamodule=tiny_data(root))
    except OSError as error:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        print(error)
"""


def test_a_disk_that_fills_up_during_a_fit_keeps_the_best_checkpoint(tmp_path):
    pytest.importorskip("resource", reason="file size limits need POSIX")
    lines = run(FULL_DISK_IN_FIT, str(tmp_path)).splitlines()
    messages = [line for line in lines if "cannot save the checkpoint (File too large)" in line]
    assert len(messages) == 2
    for filename, kept in (("best", "best.ckpt"), ("{epoch}", "epoch=0.ckpt")):
        folder, copies = tmp_path / filename, tmp_path / f"{filename}_copies"
        # nothing else is left, neither a part of the new file nor its name
        assert os.listdir(folder) == os.listdir(copies) == [kept]
        assert (folder / kept).read_bytes() == (copies / kept).read_bytes()
        assert AtomicCheckpointIO().load_checkpoint(folder / kept)["epoch"] == 0


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot save the checkpoint .*file/a\.ckpt"):
        AtomicCheckpointIO().save_checkpoint(checkpoint(1.0), tmp_path / "file" / "a.ckpt")


class Trap:
    def __reduce__(self):
        return os.mkdir, (os.environ["TRAP"],)


def test_pickled_objects_are_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    torch.save(checkpoint(1.0) | {"trap": Trap()}, tmp_path / "a.ckpt")
    for weights_only in (None, False):
        with pytest.raises(ValueError, match=r"a\.ckpt is not a file of tensors .* not unpickled"):
            AtomicCheckpointIO().load_checkpoint(tmp_path / "a.ckpt", weights_only=weights_only)
    assert not (tmp_path / "sprung").exists()


def test_missing_damaged_and_foreign_files_are_named(tmp_path):
    io = AtomicCheckpointIO()
    path = tmp_path / "a.ckpt"
    with pytest.raises(FileNotFoundError, match=r"checkpoint .*a\.ckpt does not exist"):
        io.load_checkpoint(path)
    io.save_checkpoint(checkpoint(1.0), path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"a\.ckpt is damaged or not a checkpoint"):
        io.load_checkpoint(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.ckpt is damaged or not a checkpoint"):
        io.load_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(ValueError, match=r"a\.ckpt is damaged or not a checkpoint"):
        io.load_checkpoint(path)
    torch.save({"weight": torch.ones(1)}, path)
    with pytest.raises(ValueError, match=r"a\.ckpt holds no 'state_dict'"):
        io.load_checkpoint(path)


def test_a_file_cut_at_any_length_is_named(tmp_path):
    """Cut within its tensors, it makes torch seek to before its beginning: an OSError."""
    path = tmp_path / "a.ckpt"
    content = {"state_dict": {"weight": torch.zeros(5000)}, "epoch": 2}
    AtomicCheckpointIO().save_checkpoint(content, path)
    whole = path.read_bytes()
    for length in [*range(5), *range(100, len(whole), len(whole) // 50), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"checkpoint .*a\.ckpt is "):
            AtomicCheckpointIO().load_checkpoint(path)


def test_the_file_system_keeps_its_own_word(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "a.ckpt"
    AtomicCheckpointIO().save_checkpoint(checkpoint(1.0), path)
    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OSError, match="Input/output error"):
        AtomicCheckpointIO().load_checkpoint(path)


@pytest.mark.parametrize("content", [b"speed,flow\n1,2\n", b"model: null\n", b"\x80\x02."])
def test_a_file_of_another_kind_is_named_without_unsafe_advice(tmp_path, content):
    path = tmp_path / "a.ckpt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checkpoint .*a\.ckpt is ") as caught:
        AtomicCheckpointIO().load_checkpoint(path)
    assert "weights_only" not in str(caught.value)


def test_options_of_other_storages_are_refused(tmp_path):
    with pytest.raises(ValueError, match="storage_options must be None, got 1"):
        AtomicCheckpointIO().save_checkpoint({}, tmp_path / "a.ckpt", storage_options=1)


def test_removes(tmp_path):
    path = tmp_path / "a.ckpt"
    path.touch()
    AtomicCheckpointIO().remove_checkpoint(path)
    assert not path.exists()
    AtomicCheckpointIO().remove_checkpoint(path)  # is fine when it is gone


def test_model_difference_names_shapes_and_names():
    own = {"a": torch.ones(2), "b": torch.ones(3), "same": torch.ones(1)}
    saved = {"a": torch.ones(4), "c": torch.ones(1), "same": torch.zeros(1)}
    assert model_difference(own, saved) == [
        "a is (4,) in the checkpoint and (2,) here",
        "the checkpoint lacks b",
        "only the checkpoint has c",
    ]
    assert model_difference(own, own) == []


def test_model_difference_shortens_long_lists():
    saved = {f"p{index}": torch.ones(1) for index in range(7)}
    assert model_difference({}, saved) == ["only the checkpoint has p0, p1, p2, and 4 more"]
