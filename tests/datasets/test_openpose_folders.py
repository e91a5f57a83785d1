import pytest
import torch
from torch.utils.data import DataLoader

from tests.datasets.openpose_files import joint, write_video
from tgst.datasets import OpenPoseFolders, openpose_folders
from tgst.loader import PadTime
from tgst.transforms import UniformPartition
from tgst.utils import Skeleton


def classes(root):
    write_video(root / "run" / "b", 4, 200)
    write_video(root / "jump" / "z", 2, 300, first=7)
    write_video(root / "jump" / "a", 3, 100)
    return root


def test_folders_of_classes(tmp_path):
    dataset = OpenPoseFolders(classes(tmp_path), partition=UniformPartition(), progress=False)
    assert dataset.names == ["jump/a", "jump/z", "run/b"]
    assert dataset.class_names == ["jump", "run"]
    assert dataset.y.tolist() == [0, 0, 1]
    assert dataset.skeleton.name == "openpose-18"
    data = dataset[2]
    assert data.x.shape == (18, 4, 3)
    assert data.x[5, 2].tolist() == joint(200, 2, 5)
    assert data.y.tolist() == [1]
    assert [each.first_frame for each in dataset] == [0, 7, 0]
    (batch,) = DataLoader(dataset, batch_size=3, collate_fn=PadTime())
    assert batch.x.shape == (54, 4, 3)
    assert batch.mask.sum(1).tolist() == [3] * 18 + [2] * 18 + [4] * 18
    assert dataset.failed == {}


def test_the_order_of_the_classes(tmp_path):
    names = ["run", "sit", "jump"]
    dataset = OpenPoseFolders(classes(tmp_path), class_names=names, progress=False)
    assert dataset.y.tolist() == [2, 2, 0]
    assert dataset.num_classes == 3
    with pytest.raises(ValueError, match=r"class_names: expected those of the folders \['run'\]"):
        OpenPoseFolders(tmp_path, class_names=["jump"], progress=False)


def test_folders_of_videos(tmp_path):
    write_video(tmp_path / "first")
    write_video(tmp_path / "second", 4)
    dataset = OpenPoseFolders(tmp_path, class_names=["sit", "run"], progress=False)
    assert dataset.names == ["first", "second"]
    assert dataset.y is None
    assert "y" not in dataset[0]
    assert dataset.num_classes == 2
    labelled = OpenPoseFolders(tmp_path, labels={"second": 1, "first": 0}, progress=False)
    assert labelled.y.tolist() == [0, 1]
    message = r"labels: .* got none for \['first'\] and some for \['third'\]"
    with pytest.raises(ValueError, match=message):
        OpenPoseFolders(tmp_path, labels={"second": 1, "third": 0}, progress=False)


def test_a_single_video(tmp_path):
    dataset = OpenPoseFolders(write_video(tmp_path / "walk"), frame_size=(200, 100), progress=False)
    assert dataset.names == ["walk"]
    x, y, confidence = joint(100, 1, 3)
    assert dataset[0].x[3, 1].tolist() == pytest.approx([x / 200, y / 100, confidence])


@pytest.mark.parametrize("workers", [0, 1])
def test_stored(tmp_path, monkeypatch, workers):
    root, store = classes(tmp_path / "videos"), tmp_path / "store"
    arguments = {"processed": store, "progress": False}
    first = OpenPoseFolders(root, num_workers=workers, **arguments)
    fresh = OpenPoseFolders(root, progress=False)
    monkeypatch.setattr(openpose_folders, "read_openpose_folder", None)
    again = OpenPoseFolders(root, class_names=["run", "jump"], **arguments)
    assert first.names == again.names == fresh.names
    assert first.y.tolist() == fresh.y.tolist() == [0, 0, 1]
    assert again.y.tolist() == [1, 1, 0]  # labels are no part of the store
    for one, other in zip(again, fresh, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.mask, other.mask)
    with pytest.raises(ValueError, match=r"made with frame_size=\[2, 2\], got frame_size=None"):
        OpenPoseFolders(root, frame_size=(2, 2), **arguments)


def test_a_damaged_video(tmp_path):
    root = classes(tmp_path / "videos")
    path = root / "jump" / "a" / "a_000000000001_keypoints.json"
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r"a_000000000001_keypoints.json line 1"):
        OpenPoseFolders(root, progress=False)
    dataset = OpenPoseFolders(root, processed=tmp_path / "s", on_error="skip", progress=False)
    assert dataset.names == ["jump/z", "run/b"]
    assert list(dataset.failed) == ["jump/a"]


def test_nobody_was_found(tmp_path):
    root = classes(tmp_path)
    for path in (root / "jump" / "a").iterdir():
        path.write_text('{"people": []}')
    dataset = OpenPoseFolders(root, progress=False)
    assert dataset.dropped == ["jump/a"]
    kept = OpenPoseFolders(root, empty="keep", progress=False)
    assert not kept[0].mask.any()
    assert kept[0].x.shape == (18, 3, 3)


def test_progress(tmp_path, capsys):
    OpenPoseFolders(classes(tmp_path / "videos"))
    assert "videos: 100%" in capsys.readouterr().err


def test_another_layout(tmp_path):
    chain = Skeleton.from_edges([(joint, joint + 1) for joint in range(24)], name="chain-25")
    with pytest.raises(ValueError, match="75"):  # 25 joints of three numbers
        OpenPoseFolders(classes(tmp_path), skeleton=chain, progress=False)


def test_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`root` must hold files .*, got none in"):
        OpenPoseFolders(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"`root` must hold files .*, got none in"):
        OpenPoseFolders(tmp_path / "nowhere")
    root = classes(tmp_path)
    with pytest.raises(ValueError, match=r"labels: expected None, .*classes \['jump', 'run'\]"):
        OpenPoseFolders(root, labels={"a": 0})
    write_video(root / "single")
    with pytest.raises(ValueError, match=r"got the video single beside the class jump"):
        OpenPoseFolders(root)
