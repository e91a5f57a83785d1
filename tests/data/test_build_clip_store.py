import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.data.stored import CHAIN, Counted, expected, read, write_sources
from tgst.data import ClipStore, build_clip_store
from tgst.utils import Skeleton


def build(folder, sources, reader=read, arguments=None, **kwargs):
    kwargs = {"skeleton": CHAIN, "shard_size": 3, "progress": False, **kwargs}
    return build_clip_store(folder / "store", sources, reader, arguments or {"bodies": 2}, **kwargs)


def assert_complete(store, number=7):
    assert [record.name for record in store.records] == [f"clip_{i}" for i in range(number)]
    for index, clip in enumerate(store):
        assert np.array_equal(clip.positions, expected(index).positions)
        assert np.array_equal(clip.observed, expected(index).observed)


def test_shards(tmp_path):
    store = build(tmp_path, write_sources(tmp_path / "raw"))
    assert_complete(store)
    names = sorted(path.name for path in (tmp_path / "store").iterdir())
    shards = [f"0000{shard}.{part}" for shard in range(3) for part in PARTS]
    assert names == [*shards, "store.json"]
    assert store.failed == {}
    assert store.arguments == {"bodies": 2, "skeleton": "chain-3", "half": False}


PARTS = ("json", "observed.npy", "positions.npy")


def test_a_complete_store_reads_no_source(tmp_path):
    sources = write_sources(tmp_path / "raw")
    build(tmp_path, sources)
    for path in sources.values():
        path.unlink()
    counted = Counted()
    assert_complete(build(tmp_path, sources, counted))
    assert counted.names == []


def test_an_interrupted_call_goes_on(tmp_path):
    sources = write_sources(tmp_path / "raw")
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, sources, Counted(stop_at=5))
    assert len(ClipStore(tmp_path / "store")) == 3  # the shard that was complete
    counted = Counted()
    assert_complete(build(tmp_path, sources, counted))
    assert counted.names == ["clip_3", "clip_4", "clip_5", "clip_6"]


@pytest.mark.parametrize("part", PARTS)
def test_interrupted_while_a_shard_is_written(tmp_path, monkeypatch, part):
    sources = write_sources(tmp_path / "raw")
    replace = os.replace

    def stop(source, target):
        if target.name == f"00001.{part}":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, sources)
    monkeypatch.undo()
    assert not list((tmp_path / "store").glob(".*"))  # no part of a file is left
    assert len(ClipStore(tmp_path / "store")) == 3
    counted = Counted()
    assert_complete(build(tmp_path, sources, counted))
    assert counted.names == ["clip_3", "clip_4", "clip_5", "clip_6"]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.data.stored import Counted, write_sources
from tests.data.test_build_clip_store import build

class Killed(Counted):
    def __call__(self, path):
        if path.stem == "clip_4":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(path)

folder = Path(sys.argv[1])
build(folder, write_sources(folder / "raw"), Killed())
"""


@pytest.mark.slow
def test_a_killed_process_leaves_what_is_complete(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    counted = Counted()
    assert_complete(build(tmp_path, write_sources(tmp_path / "raw"), counted))
    assert counted.names == ["clip_3", "clip_4", "clip_5", "clip_6"]


def test_one_reads_while_others_wait(tmp_path):
    sources = write_sources(tmp_path / "raw")
    begun, go_on = threading.Event(), threading.Event()

    def slow(path):
        begun.set()
        assert go_on.wait(30)
        return read(path)

    counted = Counted()
    with ThreadPoolExecutor(2) as pool:  # a lock is held by an open file, not by a process
        first = pool.submit(build, tmp_path, sources, slow)
        assert begun.wait(30)
        second = pool.submit(build, tmp_path, sources, counted)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        go_on.set()
        assert_complete(first.result(30))
        assert_complete(second.result(30))
    assert counted.names == []


def test_a_complete_store_is_not_written_to(tmp_path, monkeypatch):
    sources = write_sources(tmp_path / "raw")
    build(tmp_path, sources)
    module = sys.modules["tgst.data.build_clip_store"]  # the function hides it
    monkeypatch.setattr(module, "_alone", None)  # cannot be called
    assert_complete(build(tmp_path, sources))


def test_new_files_are_added(tmp_path):
    build(tmp_path, write_sources(tmp_path / "raw", 4))
    counted = Counted()
    store = build(tmp_path, write_sources(tmp_path / "raw", 7), counted)
    assert counted.names == ["clip_4", "clip_5", "clip_6"]
    assert_complete(store)


def test_a_damaged_file(tmp_path):
    sources = write_sources(tmp_path / "raw")
    sources["clip_4"].write_text("cut")
    with pytest.raises(ValueError, match=r"clip_4.txt line 1: invalid literal"):
        build(tmp_path, sources)
    store = build(tmp_path, sources, on_error="skip")
    assert list(store.failed) == ["clip_4"]
    assert "clip_4.txt line 1" in store.failed["clip_4"]
    assert [record.name[-1] for record in store.records] == list("012356")
    sources["clip_4"].write_text("4")
    counted = Counted()
    store = build(tmp_path, sources, counted, on_error="skip")
    assert counted.names == ["clip_4"]
    assert store.failed == {}
    assert [record.name[-1] for record in store.records] == list("0123564")


def test_a_missing_file_and_nothing_else(tmp_path):
    sources = {"clip_9": tmp_path / "clip_9.txt"}
    store = build(tmp_path, sources, on_error="skip")
    assert "No such file" in store.failed["clip_9"]
    assert len(store) == 0
    with pytest.raises(FileNotFoundError):
        build(tmp_path, sources)


def test_worker_processes(tmp_path):
    sources = write_sources(tmp_path / "raw")
    assert_complete(build(tmp_path, sources, num_workers=2))
    sources["clip_4"].write_text("cut")
    with pytest.raises(ValueError, match=r"clip_4.txt line 1"):
        build(tmp_path / "raw", sources, num_workers=1)


def test_other_arguments_are_refused(tmp_path):
    sources = write_sources(tmp_path / "raw")
    build(tmp_path, sources)
    message = r"store: expected a store made with bodies=3, got bodies=2; take another folder"
    with pytest.raises(ValueError, match=message):
        build(tmp_path, sources, arguments={"bodies": 3})
    with pytest.raises(ValueError, match="made with half=True, got half=False"):
        build(tmp_path, sources, half=True)
    other = Skeleton.from_edges([(0, 1), (0, 2)], name="vee-3")
    with pytest.raises(ValueError, match="made with skeleton='vee-3', got skeleton='chain-3'"):
        build(tmp_path, sources, skeleton=other)


def test_half_precision(tmp_path):
    store = build(tmp_path, write_sources(tmp_path / "raw"), half=True)
    stored = np.load(tmp_path / "store" / "00001.positions.npy")
    assert stored.dtype == np.float16
    assert store[6].positions.dtype == np.float32
    assert np.array_equal(store[6].positions, expected(6).positions)  # small whole numbers


def test_clips_are_checked(tmp_path):
    sources = write_sources(tmp_path / "raw")
    with pytest.raises(ValueError, match=r"clip 'clip_3': expected a label in 0..2, got 3"):
        build(tmp_path, sources, num_classes=3)
    pair = Skeleton.from_edges([(0, 1)], name="pair-2")
    with pytest.raises(
        ValueError, match="clip 'clip_0': expected the 2 joints of skeleton 'pair-2'"
    ):
        build(tmp_path / "raw", sources, skeleton=pair)


def test_progress(tmp_path, capsys):
    sources = write_sources(tmp_path / "raw")
    build(tmp_path, sources, progress=True)
    assert "store: 100%" in (shown := capsys.readouterr().err)
    assert "7/7" in shown
    build(tmp_path, sources, progress=True)
    assert capsys.readouterr().err == ""  # nothing to do


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_error": "ignore"}, "on_error: expected one of .'raise', 'skip'., got 'ignore'"),
        ({"shard_size": 0}, "shard_size: expected at least 1, got 0"),
    ],
)
def test_errors(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, {}, **arguments)


def test_nothing_is_a_pickle(tmp_path):
    build(tmp_path, write_sources(tmp_path / "raw"))
    arrays, records = ([*(tmp_path / "store").glob(f"*.{kind}")] for kind in ("npy", "json"))
    assert len(arrays) >= 2
    assert len(records) >= 1
    assert all(np.load(path, allow_pickle=False).dtype.kind in "fb" for path in arrays)
    assert all(isinstance(json.loads(path.read_text()), dict | list) for path in records)
