from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.train.image_files import read_images


@pytest.mark.parametrize("shape", [(2, 1, 3, 4), (2, 3, 4), (2, 12)])
def test_shapes(tmp_path, shape):
    x = np.arange(24, dtype="f8").reshape(shape)
    np.save(tmp_path / "x.npy", x)
    images = read_images(tmp_path / "x.npy", 1, (3, 4))
    assert images.dtype == torch.float32
    assert torch.equal(images, torch.arange(24.0).view(2, 1, 3, 4))


def test_bytes_are_divided_by_255_and_other_numbers_are_not(tmp_path):
    x = np.array([[[[0, 51], [255, 102]]] * 3])
    for kind, factor in (("u1", 255), ("i4", 1), ("f4", 1)):
        np.save(tmp_path / "x.npy", x.astype(kind))
        images = read_images(tmp_path / "x.npy", 3, [2, 2])
        torch.testing.assert_close(images, torch.from_numpy(x).float() / factor)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((2, 3, 5)),
            r"expected images of shape \(N, 1, 3, 4\) or \(N, 12\) in .*got \(2, ",
        ),
        (np.zeros((0, 12)), r"expected images of shape .*, got \(0, 12\)"),
        (np.zeros(()), r"expected images of shape .*, got \(\)"),
        (np.array(["a"]), "to be an .npy array of numbers, got <U1"),
        (np.array([{}]), "to be an .npy array, got Object arrays cannot be loaded"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=message):
        read_images(tmp_path / "x.npy", 1, (3, 4))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(FileNotFoundError, match=r"input: there is no file .*x.npy"):
        read_images(path, 1, (3, 4))
    path.write_bytes(b"P6 4 3")
    with pytest.raises(ValueError, match=r"input: expected .* to be an .npy array, got"):
        read_images(path, 1, (3, 4))
    with open(path, "wb") as file:
        np.savez(file, x=np.zeros((1, 12)))
    with pytest.raises(ValueError, match=r"to be an .npy array of numbers, got NpzFile"):
        read_images(path, 1, (3, 4))
