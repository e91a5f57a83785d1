from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets.skeleton_graphs import SkeletonGraphs
from tgst.loader import ClipBatch
from tgst.train import RecognitionWriter, SlidingWindows
from tgst.train.sliding_windows import WindowItem, window_starts
from tgst.train.table_file import TableFile
from tgst.utils.skeleton import Skeleton

GRAPH = SkeletonGraphs([Skeleton.named("kinect-20")])


def clip(name, frames, seen, label=None):
    r"""A clip whose persons are seen in the frames of a range each; values tell them apart."""
    person, frame = np.ogrid[: len(seen), :frames]
    value = np.broadcast_to(
        (100 * (person + 1) + frame)[..., None, None], (len(seen), frames, 20, 3)
    )
    observed = np.zeros((len(seen), frames, 20), bool)
    for number, part in enumerate(seen):
        observed[number, part] = True
    return SkeletonClip(value.astype("f4"), observed, label, name)


ALL = slice(None)
CLIPS = [
    clip("pair", 6, [ALL, slice(0, 2)], label=1),
    clip("nobody", 3, [slice(0, 0)]),
    clip("one", 2, [ALL]),
]


def windows(**kwargs):
    defaults = {"num_persons": 2, "window": 4, "stride": 2}
    return SlidingWindows(CLIPS, GRAPH.graph(0, 2), **(defaults | kwargs))


def test_windows_cover_the_clip():
    assert window_starts(10, 4, 2) == [0, 2, 4, 6]
    assert window_starts(11, 4, 3) == [0, 3, 6, 7]  # the last one ends with the clip
    assert window_starts(11, 5) == [0, 2, 4, 6]
    assert window_starts(4, 4) == window_starts(3, 4) == window_starts(9, None) == [0]


def test_items_are_all_persons_then_each():
    found = windows()
    assert found.items == [
        WindowItem(0, (0, 1), ("all",), 0, 0, 4),
        WindowItem(0, (0, 1), ("all",), 1, 2, 6),
        WindowItem(0, (0,), ("0",), 0, 0, 4),
        WindowItem(0, (0,), ("0",), 1, 2, 6),
        WindowItem(0, (1,), ("1",), 0, 0, 4),  # not seen in the second window
        WindowItem(2, (0,), ("all", "0"), 0, 0, 2),
    ]
    assert found.empty == [1]


def test_windows_have_one_number_for_all_persons():
    late = clip("late", 8, [ALL, slice(5, 8)])
    found = SlidingWindows([late], GRAPH.graph(0, 2), 2, window=4, stride=2).items
    assert [item for item in found if item.named == ("1",)] == [
        WindowItem(0, (1,), ("1",), 1, 2, 6),
        WindowItem(0, (1,), ("1",), 2, 4, 8),
    ]


def test_graphs_hold_the_persons_and_frames_of_the_item():
    found = windows()
    both, second = found[1], found[4]
    assert both.x.shape == (40, 4, 3)
    assert both.x[3, :, 0].tolist() == [102, 103, 104, 105]
    assert not both.mask[20:].any()
    assert second.x[7, :, 1].tolist() == [200, 201, 0, 0]
    assert second.mask[7].tolist() == [True, True, False, False]
    assert not second.mask[20:].any()
    assert (second.x[20:] == 0).all()


def test_more_persons_than_the_model_sees():
    found = windows(num_persons=1)
    assert [item.persons for item in found.items[:2]] == [(0,), (0,)]
    assert {item.named for item in found.items} == {("all",), ("0",), ("1",), ("all", "0")}


def test_windows_out_of_range_are_refused():
    with pytest.raises(ValueError, match="window must be at least 1, got 0"):
        windows(window=0)
    with pytest.raises(ValueError, match="window_stride must be at least 1, got -1"):
        windows(stride=-1)
    with pytest.raises(ValueError, match="clips: expected persons in some, got 1 without any"):
        SlidingWindows(CLIPS[1:2], GRAPH.graph(0, 1))


PROBABILITY = torch.tensor(
    [
        [0.5, 0.3, 0.2],
        [0.1, 0.7, 0.2],
        [0.6, 0.2, 0.2],
        [0.6, 0.4, 0.0],
        [0.2, 0.3, 0.5],
        [0.0, 0.25, 0.75],
    ]
)
EXPECTED = [
    ["pair", "all", "0", "0", "3", "walk", "0.5", "run", "0.3", "run"],
    ["pair", "all", "1", "2", "5", "run", "0.7", "sit", "0.2", "run"],
    ["pair", "all", "all", "0", "5", "run", "0.5", "walk", "0.3", "run"],
    ["pair", "0", "0", "0", "3", "walk", "0.6", None, "0.2", "run"],
    ["pair", "0", "1", "2", "5", "walk", "0.6", "run", "0.4", "run"],
    ["pair", "0", "all", "0", "5", "walk", "0.6", "run", "0.3", "run"],
    ["pair", "1", "0", "0", "3", "sit", "0.5", "run", "0.3", "run"],
    ["pair", "1", "all", "0", "5", "sit", "0.5", "run", "0.3", "run"],
    ["one", "all", "all", "0", "1", "sit", "0.75", "run", "0.25", ""],
    ["one", "0", "all", "0", "1", "sit", "0.75", "run", "0.25", ""],
    ["nobody", "all", "all", "0", "2", "", "", "", "", ""],
]


def write(path, top=2, world_size=1):
    data = SimpleNamespace(items=windows(), class_names=["walk", "run", "sit"])
    trainer = SimpleNamespace(world_size=world_size, datamodule=data)
    writer = RecognitionWriter(path, top)
    writer.on_predict_start(trainer, None)
    for part in (slice(0, 3), slice(3, 6)):  # a batch ends within a clip
        number = torch.arange(6)[part]
        batch = ClipBatch(torch.zeros(0), torch.zeros(0), torch.full((3,), -1), number)
        writer.on_predict_batch_end(trainer, None, PROBABILITY[part], batch, 0)
    return writer, trainer


def test_rows_by_hand(tmp_path):
    path = tmp_path / "new" / "labels.csv"
    writer, trainer = write(path)
    assert not path.exists()
    writer.on_predict_end(trainer, None)
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [
        "clip", "person", "window", "first_frame", "last_frame",
        "label", "confidence", "label_2", "confidence_2", "truth",
    ]  # fmt: skip
    for row, expected in zip(rows, EXPECTED, strict=True):
        assert [a for a, b in zip(row, expected, strict=True) if b is not None] == [
            b for b in expected if b is not None
        ]
    assert [entry.name for entry in path.parent.iterdir()] == ["labels.csv"]


def test_parquet_holds_the_same(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    writer, trainer = write(tmp_path / "labels.parquet", top=9)  # of three classes
    writer.on_predict_end(trainer, None)
    table = parquet.read_table(tmp_path / "labels.parquet").to_pydict()
    assert table["clip"] == [row[0] for row in EXPECTED]
    assert table["label"] == [row[5] or None for row in EXPECTED]
    assert table["last_frame"] == [int(row[4]) for row in EXPECTED]
    assert table["confidence"][:3] == pytest.approx([0.5, 0.7, 0.5])
    assert table["confidence_3"][2] == pytest.approx(0.2)
    assert table["truth"][-1] is None


def test_an_unfinished_table_leaves_the_old_one(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("old")
    writer, trainer = write(path)
    writer.on_exception(trainer, None, RuntimeError())
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got 'labels.txt'"):
        RecognitionWriter(tmp_path / "labels.txt")
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        RecognitionWriter(tmp_path / "labels.csv", 0)
    with pytest.raises(ValueError, match="labels are written by one process, got 2"):
        write(tmp_path / "labels.csv", world_size=2)
    with pytest.raises(ValueError, match="output must end in"):
        TableFile(tmp_path / "a.json", {"a": "text"})
