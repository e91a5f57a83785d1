from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch_geometric.data import Data
from torch_geometric.transforms import Compose

from tests.transforms.clips.made import make_clip
from tgst.transforms import BodyFrame, CenterRoot
from tgst.utils import Skeleton


def _turned(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The rotation by the angle between two directions about their normal."""
    axis = np.cross(start, end)
    cosine = start @ end / np.linalg.norm(start) / np.linalg.norm(end)
    return Rotation.from_rotvec(axis / np.linalg.norm(axis) * np.arccos(cosine)).as_matrix()


def _ntu(missing: float = 0.0) -> Data:
    return make_clip(skeleton="ntu-25", missing=missing, dtype=torch.float64)


def _expected(data: Data, node: int, frame: int) -> np.ndarray:
    """What PreNormalize3D does after centring, with the joints of a person and frame."""
    x = data.x.numpy()
    first = _turned(x[node + 1, frame] - x[node, frame], np.array([0.0, 0.0, 1.0]))
    x = x @ first.T
    second = _turned(x[node + 8, frame] - x[node + 4, frame], np.array([1.0, 0.0, 0.0]))
    return x @ second.T


def test_as_published() -> None:
    data = _ntu()
    out = BodyFrame("ntu-25")(data)
    np.testing.assert_allclose(out.x.numpy(), _expected(data, 0, 0), atol=1e-12)
    shoulders = out.x[8, 0] - out.x[4, 0]
    assert shoulders[0] > 0
    torch.testing.assert_close(shoulders[1:], torch.zeros(2, dtype=torch.float64))


def test_with_centring_zeros_are_kept() -> None:
    data = _ntu(missing=0.1)
    data.mask[[0, 1, 4, 8], 0] = True
    root = CenterRoot("ntu-25", joint="spine", per="first_frame")
    out = Compose([root, BodyFrame("ntu-25")])(data)
    assert bool((out.x[1, 0] == 0).all())
    assert bool((out.x[~data.mask] == 0).all())
    centred = root(data)
    expected = _expected(centred, 0, 0)
    np.testing.assert_allclose(out.x.numpy(), expected, atol=1e-12)


def test_upright_bodies_do_not_depend_on_the_camera() -> None:
    data = _ntu()
    # spine along y, shoulders along x, as seen from the front
    data.x[[0, 1, 4, 8], 0] = torch.tensor(
        [[0.0, 0, 0], [0, 1, 0], [-1, 1, 0], [1, 1, 0]], dtype=torch.float64
    )
    turned = data.clone()
    turned.x = data.x @ torch.from_numpy(Rotation.from_euler("xyz", [0.3, -1.0, 2.0]).as_matrix()).T
    body = BodyFrame("ntu-25")
    out = body(data)
    torch.testing.assert_close(body(turned).x, out.x)
    upright = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(out.x[1, 0] - out.x[0, 0], upright)


def test_bone_lengths_stay() -> None:
    data = _ntu()
    out = BodyFrame("ntu-25")(data)
    source, target = Skeleton.named("ntu-25").data(2).edge_index
    before = (data.x[source] - data.x[target]).norm(dim=-1)
    torch.testing.assert_close((out.x[source] - out.x[target]).norm(dim=-1), before)


def test_first_frame_in_which_all_is_seen_and_next_person() -> None:
    data = _ntu()
    data.mask[0, 0] = data.mask[4, 1] = False
    data.x[~data.mask] = 0
    np.testing.assert_allclose(BodyFrame("ntu-25")(data).x, _expected(data, 0, 2), atol=1e-12)
    data.mask[8], data.x[8] = False, 0
    np.testing.assert_allclose(BodyFrame("ntu-25")(data).x, _expected(data, 25, 0), atol=1e-12)
    data.mask[33], data.x[33] = False, 0
    assert torch.equal(BodyFrame("ntu-25")(data).x, data.x)


@pytest.mark.parametrize("name", ["kinect-20", "msr-20", "openpose-18", "coco-17", "h36m-17"])
def test_joints_are_found_by_their_names(name: str) -> None:
    skeleton = Skeleton.named(name)
    data = make_clip(skeleton=name, missing=0.0, dtype=torch.float64)
    out = BodyFrame(name)(data)
    left, right = skeleton.joints.index("left_shoulder"), skeleton.joints.index("right_shoulder")
    shoulders = out.x[right, 0] - out.x[left, 0]
    torch.testing.assert_close(shoulders[1:], torch.zeros(2, dtype=torch.float64))
    assert shoulders[0] > 0


def test_given_joints() -> None:
    data = _ntu()
    given = BodyFrame("ntu-25", spine=[["left_hip", "right_hip"], 20], shoulders=[4, 8])
    assert given.spine == ([12, 16], [20])
    named = BodyFrame("ntu-25", spine=(0, "spine"), shoulders=("left_shoulder", "right_shoulder"))
    assert torch.equal(named(data).x, BodyFrame("ntu-25")(data).x)
    assert not torch.allclose(given(data).x, named(data).x)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_spine_along_the_axis(sign: float) -> None:
    # No axis to turn about: as published, nothing turns, upright or upside down.
    data = _ntu()
    data.x[[0, 1, 4, 8], 0] = torch.tensor(
        [[0.0, 0, 0], [0, 0, sign], [-1, 0, sign], [1, 0, sign]], dtype=torch.float64
    )
    torch.testing.assert_close(BodyFrame("ntu-25")(data).x, data.x)


@pytest.mark.parametrize("tilt", [2e-8, 1e-7, 1e-4])
def test_almost_upside_down(tilt: float) -> None:
    # The angle is almost 180 degrees, about an axis that is still defined.
    data = _ntu()
    data.x[[0, 1], 0] = torch.tensor([[0.0, 0, 0], [0, tilt, -1]], dtype=torch.float64)
    out = BodyFrame("ntu-25")(data)
    torch.testing.assert_close(
        torch.cdist(out.x[:, 0], out.x[:, 0]), torch.cdist(data.x[:, 0], data.x[:, 0])
    )
    np.testing.assert_allclose(out.x.numpy(), _expected(data, 0, 0), atol=1e-6)


def test_flat_clips_are_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.x: expected three coordinates, got 2"):
        BodyFrame("kinect-20")(make_clip(channels=2))
