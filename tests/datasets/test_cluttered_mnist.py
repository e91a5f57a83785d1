from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.datasets.real_folder import real_folder
from tgst.datasets import ClutteredMNIST

FILE = "cluttered_mnist_40x40.npz"


def arrays(train=3, test=2):
    pixels = np.arange((train + test) * 1600).reshape(-1, 1600) / 8000
    return {
        "X_train": pixels[:train].astype("f4"),
        "y_train": np.array([[4], [0], [9]], dtype="i4")[:train],
        "X_valid": pixels[train:].astype("f4"),
        "y_valid": np.array([[1], [7]], dtype="i4")[:test],
    }


def write(folder, **changes):
    changed = {k: v for k, v in (arrays() | changes).items() if v is not None}
    np.savez(folder / FILE, **changed)
    return folder


def test_values(tmp_path):
    write(tmp_path)
    train, test = ClutteredMNIST(tmp_path), ClutteredMNIST(tmp_path, part="test")
    assert (len(train), len(test), train.num_classes) == (3, 2, 10)
    assert train.labels.tolist() == [4, 0, 9]
    assert test.labels.tolist() == [1, 7]
    image, label = train[1]
    assert (image.shape, image.dtype, label) == ((1, 40, 40), torch.float32, 0)
    assert image[0, 3, 5].item() == pytest.approx((1600 + 3 * 40 + 5) / 8000)  # row by row
    assert test[1][0][0, 0, 0].item() == pytest.approx(4 * 1600 / 8000)
    assert repr(test) == "ClutteredMNIST(2, part='test')"


def test_labels_may_be_one_hot_or_in_no_column(tmp_path):
    write(tmp_path, y_train=np.eye(10)[[4, 0, 9]], y_valid=np.array([1, 7], dtype="u1"))
    assert ClutteredMNIST(tmp_path).labels.tolist() == [4, 0, 9]
    assert ClutteredMNIST(tmp_path, "test").labels.tolist() == [1, 7]


def test_images_may_be_squares(tmp_path):
    squares = arrays()["X_train"].reshape(3, 40, 40)
    assert torch.equal(
        ClutteredMNIST(write(tmp_path, X_train=squares)).images[:, 0], torch.from_numpy(squares)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": None}, "expected arrays X_train, y_train, got no y_train in it"),
        ({"X_train": np.zeros((3, 784), "f4")}, r"X_train: expected numbers of shape \(N, 1600\)"),
        ({"X_train": np.full((3, 1600), "a")}, r"or \(N, 40, 40\), got <U1 \(3, 1600\)"),
        ({"X_train": np.full((3, 1600), 255)}, "X_train: expected values in 0..1, got 255 to 255"),
        ({"X_train": np.full((3, 1600), np.nan)}, "X_train: expected values in 0..1, got nan"),
        ({"y_train": np.zeros((2, 1))}, r"y_train: expected shape \(3,\), \(3, 1\) or \(3, 10\)"),
        ({"y_train": np.array([1, 10, 3])}, "y_train: expected digits 0 to 9, got others"),
        ({"y_train": np.array([1, 1.5, 3])}, "y_train: expected digits 0 to 9, got others"),
        ({"y_train": np.full((3, 10), "1")}, "y_train: expected digits 0 to 9, got <U1"),
        ({"y_train": np.ones((3, 10))}, "y_train: expected one 1 in each row, got others"),
        ({"y_train": np.eye(10)[[1, 2, 3]] * 0.5}, "y_train: expected one 1 in each row"),
        ({"y_train": np.full((3, 10), 0.1)}, "y_train: expected one 1 in each row, got others"),
    ],
)
def test_damaged_arrays_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as error:
        ClutteredMNIST(write(tmp_path, **changes))
    assert str(tmp_path / FILE) in str(error.value)
    assert len(ClutteredMNIST(tmp_path, "test")) == 2  # the other part is fine


def test_objects_are_not_unpickled(tmp_path):
    write(tmp_path, y_train=np.array([{}, {}, {}], dtype=object))
    with pytest.raises(ValueError, match=r"expected an .npz archive of plain arrays, got Object"):
        ClutteredMNIST(tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04 cut short"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match=r"expected an .npz archive of plain arrays, got"):
        ClutteredMNIST(tmp_path)


def test_an_array_under_the_name_of_the_archive_is_refused(tmp_path):
    with open(tmp_path / FILE, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(
        ValueError, match=r"expected an .npz archive of plain arrays, got one array"
    ):
        ClutteredMNIST(tmp_path)


def test_a_missing_file_and_part(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"`root` must hold {FILE}, got no {FILE} in"):
        ClutteredMNIST(tmp_path)
    with pytest.raises(ValueError, match="part: expected one of train, test, got 'val'"):
        ClutteredMNIST(tmp_path, part="val")


def test_the_real_file():
    root = real_folder("cluttered_mnist")
    train, test = ClutteredMNIST(root), ClutteredMNIST(root, "test")
    assert (train.images.shape, test.images.shape) == ((10_000, 1, 40, 40), (1_000, 1, 40, 40))
    counts = [953, 1083, 1036, 1027, 988, 937, 964, 1008, 943, 1061]
    assert torch.bincount(train.labels).tolist() == counts
    assert torch.bincount(test.labels).tolist() == [110, 119, 98, 116, 74, 100, 83, 108, 102, 90]
    assert (float(train.images.min()), float(train.images.max())) == (0, 1)
