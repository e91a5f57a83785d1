import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.data.stored import CHAIN, expected, read, write_sources
from tgst.data import ClipStore, build_clip_store
from tgst.datasets import SkeletonClips
from tgst.loader import PadTime


@pytest.fixture
def store(tmp_path):
    sources = write_sources(tmp_path / "raw")
    return build_clip_store(
        tmp_path / "store", sources, read, {}, CHAIN, shard_size=3, progress=False
    )


def test_clips(store):
    assert len(store) == 7
    for index in range(7):
        clip, wanted = store[index], expected(index)
        assert np.array_equal(clip.positions, wanted.positions)
        assert np.array_equal(clip.observed, wanted.observed)
        assert (clip.label, clip.name, clip.info) == (wanted.label, wanted.name, wanted.info)
        record = store.records[index]
        assert record.observed == wanted.observed.sum()
        assert (record.persons, record.frames) == wanted.positions.shape[:2]
    assert store[-1].name == "clip_6"
    assert [clip.name for clip in store] == [f"clip_{index}" for index in range(7)]
    with pytest.raises(IndexError):
        store[7]


def test_selections(store):
    assert [clip.name for clip in store.select([5, 0])] == ["clip_5", "clip_0"]
    assert [clip.name for clip in store[2:4]] == ["clip_2", "clip_3"]
    assert np.array_equal(store.select([5, 0])[0].positions, expected(5).positions)
    assert len(store) == 7
    assert repr(store[:2]) == f"ClipStore(2, folder={str(store.folder)!r})"


def test_other_labels(store):
    labelled = store.labelled({"clip_5": 9, "clip_0": 8})
    assert [clip.label for clip in labelled] == [8, None, None, None, None, 9, None]
    assert store[5].label == 1


def test_positions_are_mapped_from_the_disk(store):
    positions = store[4].positions
    assert isinstance(positions.base, np.memmap) or isinstance(positions.base.base, np.memmap)
    assert not positions.flags.writeable


def test_pickles_hold_no_positions(store):
    before = len(pickle.dumps(store))
    _ = list(store)
    content = pickle.dumps(store)
    assert len(content) == before
    assert np.array_equal(pickle.loads(content)[6].positions, expected(6).positions)


def test_in_a_dataset(store):
    dataset = SkeletonClips(store, CHAIN, num_classes=4)
    (batch,) = DataLoader(dataset[[1, 4]], batch_size=2, collate_fn=PadTime(), num_workers=1)
    assert batch.x.shape == (9, 6, 2)
    wanted = torch.from_numpy(expected(4).positions[0].swapaxes(0, 1).copy())
    assert torch.equal(batch.x[6:], wanted)
    assert torch.equal(batch.mask[6:], torch.from_numpy(expected(4).observed[0].T.copy()))
    assert batch.subject.tolist() == [1, 4]
    assert dataset.y.tolist() == [0, 1, 2, 3, 0, 1, 2]
    with pytest.raises(ValueError, match=r"clip 'clip_2': expected a label in 0..1, got 2"):
        SkeletonClips(store[:3], CHAIN, num_classes=2)
    dataset[0].x.add_(1)  # a copy: the file stays as it is
    assert torch.equal(dataset[0].x[0, 1], torch.tensor([7.0, 8.0]))


def test_no_store(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"store.json: expected a file of a store of clips"):
        ClipStore(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("store.json", '{"format": 0}', "store.json: expected a store of format 1, got 0; delete"),
        ("store.json", "{", "store.json: expected JSON of a store of clips"),
        ("00001.json", "[]", "00001.json: expected an object, got list"),
        ("00001.json", "{}", "00001.json: expected the clips of a shard, .*'sources'.*; delete it"),
        (
            "00001.json",
            '{"sources": [], "clips": [{"name": "a"}]}',
            "00001.json: expected the clips of a shard, .*missing 6 required",
        ),
    ],
)
def test_damaged_indices(store, name, content, message):
    (store.folder / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        ClipStore(store.folder)


def test_damaged_arrays(store):
    path = store.folder / "00001.positions.npy"
    path.write_bytes(path.read_bytes()[:-5])
    assert ClipStore(store.folder)[0].name == "clip_0"
    message = r"00001.positions.npy: expected an array of this store: .*delete 00001.json to make"
    with pytest.raises(ValueError, match=message):
        _ = ClipStore(store.folder)[3]
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        _ = ClipStore(store.folder)[3]
    np.save(path, np.zeros((2, 3, 2), np.float32))
    with pytest.raises(ValueError, match=r"00001.positions.npy: expected \d+ rows or more, got 2"):
        _ = ClipStore(store.folder)[3]
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        _ = ClipStore(store.folder)[3]
