import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.datasets.ntu_files import positions, write_sample
from tgst.datasets import NTURGBD, ntu_rgbd
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

NAMES = [
    "S001C001P001R001A001",  # trains by subject, tests by view
    "S001C002P003R001A050",  # tests by subject, trains by view
    "S002C003P002R002A060",  # trains by subject and view
    "S018C001P045R001A002",  # of 120 only, for its setup; trains by subject and setup
    "S003C001P008R001A001",  # trains by subject
]


def write(folder, names=NAMES):
    for index, name in enumerate(names):
        write_sample(folder / "nturgb+d_skeletons", name, frames=2 + index, persons=1 + index % 2)
    return folder


def names_of(root, **arguments):
    return [NAMES.index(name) for name in NTURGBD(root, progress=False, **arguments).names]


def test_values(tmp_path):
    dataset = NTURGBD(write(tmp_path), split="test", partition=UniformPartition())
    assert dataset.names == [NAMES[1]]
    assert dataset.num_classes == 60
    assert dataset.class_names[49] == "punch"
    assert dataset.skeleton.name == "ntu-25"
    data = dataset[0]
    assert data.x.shape == (50, 3, 3)
    # The body that moves most comes first, though it is the second in the file.
    first = torch.from_numpy(positions(3, 2, 2).astype(np.float32)).transpose(0, 1)
    second = torch.from_numpy(positions(3, 1, 1).astype(np.float32)).transpose(0, 1)
    assert torch.equal(data.x, torch.cat([first, second]))
    assert data.mask.all()
    assert data.y.tolist() == [49]
    facts = (data.setup, data.camera, data.subject, data.replication, data.action)
    assert facts == (1, 2, 3, 1, 50)
    assert "body_ids" not in data
    assert dataset.clip(0).info["body_ids"] == "72057594037931102 72057594037931101"
    assert torch.equal(data.e_id, torch.arange(73).repeat(2))


def test_the_order_of_the_file(tmp_path):
    data = NTURGBD(write(tmp_path), split="test", bodies="file_order")[0]
    first = torch.from_numpy(positions(3, 1, 1).astype(np.float32)).transpose(0, 1)
    assert torch.equal(data.x[:25], first)


def test_protocols(tmp_path):
    root = write(tmp_path)
    assert names_of(root) == [0, 2, 4]
    assert names_of(root, split="test") == [1]
    assert names_of(root, split=None) == [0, 1, 2, 4]
    assert names_of(root, protocol="xview") == [1, 2]
    assert names_of(root, protocol="xview", split="test") == [0, 4]
    assert names_of(root, protocol="xset") == [2, 3]
    assert names_of(root, protocol="xset", split="test") == [0, 1, 4]
    assert names_of(root, classes=120) == [0, 2, 4, 3]
    dataset = NTURGBD(root, classes=120, progress=False)
    assert dataset.num_classes == 120
    assert dataset.y.tolist() == [0, 59, 0, 1]
    assert len(set(dataset.class_names)) == 120
    assert dataset.class_names[105:107] == ["hit with object", "wield knife"]


def test_validation(tmp_path):
    root = write(tmp_path)
    assert names_of(root, split="val", validation_subjects=[8]) == [4]
    assert names_of(root, split="train", validation_subjects=[8]) == [0, 2]
    assert names_of(root, split="test", validation_subjects=[8]) == [1]
    assert names_of(root, protocol="xview", split="val", validation_subjects=[3]) == [1]


def test_missing_samples(tmp_path):
    root = write(tmp_path)
    path = write_sample(root, "S004C001P001R001A007")
    path.write_text("0\n")  # broken: not read at all
    missing = tmp_path / "missing.txt"
    missing.write_text(f"samples\nwith\nmissing skeletons\n{path.stem}\n{NAMES[2]}\n")
    assert names_of(root, missing=missing) == [0, 4]
    store = root / "processed" / "ntu-energy-2"
    assert NAMES[2] not in (store / "00000.json").read_text()
    path.unlink()
    assert names_of(root) == [0, 2, 4]  # what is read now is added
    assert names_of(root, missing=missing) == [0, 4]  # and left out again


def test_files_are_read_once(tmp_path, monkeypatch):
    root = write(tmp_path)
    NTURGBD(root, progress=False)
    monkeypatch.setattr(ntu_rgbd, "read_ntu_skeleton", int)
    for path in root.rglob("*.skeleton"):
        path.unlink()
    assert names_of(root, protocol="xview") == [1, 2]
    with pytest.raises(FileNotFoundError, match=r"got none in .* and no store in .*ntu-all-2"):
        NTURGBD(root, bodies="all")


def test_an_interrupted_reading_goes_on(tmp_path, monkeypatch):
    root = write(tmp_path)
    read, seen = ntu_rgbd.read_ntu_skeleton, []

    def stop(path, **arguments):
        seen.append(path.stem)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return read(path, **arguments)

    build = ntu_rgbd.build_clip_store
    monkeypatch.setattr(ntu_rgbd, "read_ntu_skeleton", stop)
    monkeypatch.setattr(ntu_rgbd, "build_clip_store", lambda *a, **k: build(*a, shard_size=2, **k))
    with pytest.raises(KeyboardInterrupt):
        NTURGBD(root, classes=120, progress=False)
    assert names_of(root, classes=120) == [0, 2, 4, 3]
    # In the order of the names; the third was lost with the shard that was not complete.
    order = sorted(NAMES)
    assert seen == [*order[:4], *order[2:]]


def test_stores_of_their_own(tmp_path):
    root = write(tmp_path / "raw")
    processed = tmp_path / "processed"
    for arguments in ({}, {"bodies": "all", "denoise": True}, {"num_bodies": 1, "half": True}):
        NTURGBD(root, processed=processed, progress=False, **arguments)
    stores = sorted(path.name for path in processed.iterdir())
    assert stores == ["ntu-all-2-denoise", "ntu-energy-1-half", "ntu-energy-2"]
    assert not (root / "processed").exists()
    half = NTURGBD(root, split="test", processed=processed, num_bodies=1, half=True)
    assert half[0].x.shape == (25, 3, 3)
    expected = torch.from_numpy(positions(3, 2, 2)).transpose(0, 1).float()
    torch.testing.assert_close(half[0].x, expected, atol=0.002, rtol=0)


def test_damaged_files(tmp_path):
    root = write(tmp_path)
    path = root / "nturgb+d_skeletons" / f"{NAMES[2]}.skeleton"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:40]) + "\n")
    message = rf"{NAMES[2]}.skeleton line 41: expected .*cut off"
    with pytest.raises(ValueError, match=message):
        NTURGBD(root, progress=False)
    dataset = NTURGBD(root, on_error="skip", progress=False)
    assert dataset.names == [NAMES[0], NAMES[4]]
    assert list(dataset.failed) == [NAMES[2]]
    assert f"{NAMES[2]}.skeleton line 41" in dataset.failed[NAMES[2]]


def test_a_file_without_bodies(tmp_path):
    root = write(tmp_path)
    (root / "S001C001P002R001A009.skeleton").write_text("3\n0\n0\n0\n")
    dataset = NTURGBD(root, progress=False)
    assert dataset.dropped == ["S001C001P002R001A009"]
    assert len(dataset) == 3
    kept = NTURGBD(root, empty="keep", num_persons=2, progress=False)
    data = kept[kept.names.index("S001C001P002R001A009")]
    assert data.x.shape == (50, 3, 3)
    assert not data.mask.any()


def test_batches_in_worker_processes(tmp_path):
    dataset = NTURGBD(write(tmp_path), split=None, num_workers=1)
    (batch,) = DataLoader(dataset, batch_size=4, collate_fn=PadTime(), num_workers=1)
    assert torch.equal(batch.x, PadTime()(list(dataset)).x)
    assert batch.x.shape == (25 * 5, 6, 3)
    assert batch.camera.tolist() == [1, 2, 3, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"protocol": "xsub120"}, r"protocol, classes: expected one of .*got \('xsub120', 60\)"),
        ({"protocol": "xset", "classes": 60}, r"protocol, classes: .*got \('xset', 60\)"),
        ({"protocol": "xview", "classes": 120}, r"protocol, classes: .*got \('xview', 120\)"),
        ({"split": "valid"}, r"split: expected one of .*got 'valid'"),
        ({"split": "val"}, r"validation_subjects: expected training subjects .*got none"),
        ({"validation_subjects": [1, 3]}, r"expected training subjects, got \[3\]"),
        ({"bodies": "first"}, r"bodies: expected one of .*got 'first'"),
        ({"skeleton": "ntu-26"}, r"skeleton: expected one of .*got 'ntu-26'"),
    ],
)
def test_errors(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        NTURGBD(write(tmp_path), progress=False, **arguments)


def test_names(tmp_path):
    write_sample(tmp_path, "walking")
    with pytest.raises(ValueError, match=r"walking.skeleton: name: expected one such as"):
        NTURGBD(tmp_path)
    (tmp_path / "walking.skeleton").unlink()
    write(tmp_path)
    write_sample(tmp_path, NAMES[0])
    with pytest.raises(ValueError, match=r"expected every sample once, got .* as well"):
        NTURGBD(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"`root` must hold .skeleton files of NTU RGB"):
        NTURGBD(tmp_path / "nowhere")
