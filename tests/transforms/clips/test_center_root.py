from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.clips.made import apart, make_clip
from tgst.transforms import CenterRoot
from tgst.utils import Skeleton

NAME, SPINE = "kinect-20", 1


def _complete() -> Data:
    return make_clip(missing=0.0, dtype=torch.float64)


def test_each_frame_around_the_first_person() -> None:
    data = _complete()
    out = CenterRoot(NAME)(data)
    torch.testing.assert_close(out.x, data.x - data.x[SPINE])
    assert bool((out.x[SPINE] == 0).all())


def test_first_frame() -> None:
    data = _complete()
    out = CenterRoot(NAME, per="first_frame")(data)
    torch.testing.assert_close(out.x, data.x - data.x[SPINE, 0])


def test_mean_of_the_clip() -> None:
    data = _complete()
    out = CenterRoot(NAME, per="clip")(data)
    torch.testing.assert_close(out.x, data.x - data.x[SPINE].mean(0))


def test_each_person() -> None:
    data = _complete()
    out = CenterRoot(NAME, person="each", joint="head")(data)
    first, second = apart(data.x)
    torch.testing.assert_close(out.x, torch.cat([first - first[3], second - second[3]]))


def test_middle_of_joints_and_confidence() -> None:
    data = make_clip(missing=0.0, channels=4, dtype=torch.float64)
    out = CenterRoot(NAME, joint=["left_hip", "right_hip"])(data)
    places = data.x[..., :3] - (data.x[12, :, :3] + data.x[16, :, :3]) / 2
    torch.testing.assert_close(out.x, torch.cat([places, data.x[..., 3:]], dim=-1))


def test_frames_without_root_take_the_last_place_seen() -> None:
    data = _complete()
    data.mask[SPINE] = torch.tensor([False, False, True, False, True, *[False] * 7])
    data.x[SPINE] = torch.where(data.mask[SPINE].unsqueeze(-1), data.x[SPINE], 0.0)
    frame = torch.tensor([2, 2, 2, 2, *[4] * 8])
    expected = data.x - data.x[SPINE, frame]
    expected[SPINE] = torch.where(data.mask[SPINE].unsqueeze(-1), expected[SPINE], 0.0)
    torch.testing.assert_close(CenterRoot(NAME)(data).x, expected)
    first = CenterRoot(NAME, per="first_frame")(data).x
    torch.testing.assert_close(first[5], data.x[5] - data.x[SPINE, 2])
    clip = CenterRoot(NAME, per="clip")(data).x
    torch.testing.assert_close(clip[5], data.x[5] - data.x[SPINE, [2, 4]].mean(0))


@pytest.mark.parametrize("per", ["frame", "first_frame", "clip"])
def test_root_that_is_seen_once(per: str) -> None:
    data = _complete()
    data.mask[SPINE] = torch.arange(12) == 3
    data.x[SPINE] = torch.where(data.mask[SPINE].unsqueeze(-1), data.x[SPINE], 0.0)
    out = CenterRoot(NAME, per=per)(data).x
    torch.testing.assert_close(out[5], data.x[5] - data.x[SPINE, 3])


@pytest.mark.parametrize("per", ["frame", "first_frame", "clip"])
def test_root_that_is_never_seen(per: str) -> None:
    data = _complete()
    data.mask[SPINE], data.x[SPINE] = False, 0
    torch.testing.assert_close(CenterRoot(NAME, per=per)(data).x, data.x)
    second = CenterRoot(NAME, per=per, person="each")(data).x
    torch.testing.assert_close(second[:20], data.x[:20])
    assert not torch.equal(second[20:], data.x[20:])


@pytest.mark.parametrize("per", ["frame", "first_frame", "clip"])
def test_does_not_depend_on_where_the_camera_stands(per: str) -> None:
    data = make_clip(dtype=torch.float64)
    moved = data.clone()
    shift = torch.tensor([3.0, -1.0, 0.5], dtype=torch.float64)
    moved.x = torch.where(data.mask.unsqueeze(-1), data.x + shift, 0.0)
    root = CenterRoot(NAME, per=per)
    torch.testing.assert_close(root(moved).x, root(data).x)


def test_default_is_the_centre_of_the_skeleton() -> None:
    for name in ("ntu-25", "openpose-18", "msr-20"):
        assert CenterRoot(name).joints == [Skeleton.named(name).center]
