from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.clips.made import make_clip
from tgst.transforms.clips.clip import (
    checked_clip,
    coordinates,
    joint_numbers,
    middle_of,
    with_coordinates,
)
from tgst.utils import Skeleton

KINECT = Skeleton.named("kinect-20")


def test_persons_are_counted_by_person_or_by_the_skeleton() -> None:
    data = make_clip(persons=3)
    assert checked_clip(data).num_persons == 3
    assert checked_clip(data).num_joints == 20
    x, mask = checked_clip(data).persons()
    assert x.shape == (3, 20, 12, 3)
    assert mask.shape == (3, 20, 12)
    assert torch.equal(x[2, 5], data.x[45])
    del data.person
    assert checked_clip(data).num_persons == 1
    assert checked_clip(data, KINECT).num_persons == 3


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            torch.ones(40, 11, dtype=torch.bool),
            r"data\.mask: expected shape \[40, 12\] .* \[40, 11",
        ),
        (
            torch.ones(40, 12),
            r"data\.mask: expected shape \[40, 12\] and torch\.bool, got .*float32",
        ),
        ([1, 0], r"data\.mask: expected shape \[40, 12\] and torch\.bool, got \[1, 0\]"),
    ],
)
def test_bad_masks(mask: object, message: str) -> None:
    data = make_clip()
    data.mask = mask
    with pytest.raises(ValueError, match=message):
        checked_clip(data)


def test_bad_persons() -> None:
    data = make_clip()
    data.person = data.person[:-1]
    with pytest.raises(ValueError, match=r"data\.person: expected shape \[40\], got \[39\]"):
        checked_clip(data)
    data.person = torch.tensor([1, 0]).repeat_interleave(20)
    with pytest.raises(ValueError, match=r"0 for 40 joints, .* person after person, got \[1, 1"):
        checked_clip(data)
    data.person = torch.arange(40) % 2
    with pytest.raises(ValueError, match=r"0 for 20 joints, .* got \[0, 1, 0"):
        checked_clip(data)
    data.person = torch.full((40,), -1)
    with pytest.raises(ValueError, match=r"0 for 40 joints, .* got \[-1"):
        checked_clip(data)
    data.person = torch.arange(40).clamp(max=2)
    with pytest.raises(ValueError, match=r"same number of joints for each of 3 persons, got 40"):
        checked_clip(data)


def test_bad_joints() -> None:
    message = (
        r"data\.x: expected floating point \[num_joints, \*, frames, channels\], got \[20, 3\]"
    )
    with pytest.raises(ValueError, match=message):
        checked_clip(Data(x=torch.zeros(20, 3)))
    with pytest.raises(ValueError, match=r"data\.x: .*, got \[20, 4, 3\] torch\.int64"):
        checked_clip(Data(x=torch.zeros(20, 4, 3, dtype=torch.long)))


def test_number_of_coordinates() -> None:
    assert [coordinates(torch.zeros(1, c), None) for c in (2, 3, 4)] == [2, 3, 3]
    assert coordinates(torch.zeros(1, 3), 2) == 2
    with pytest.raises(ValueError, match=r"num_coordinates: expected a number .* 12 channels"):
        coordinates(torch.zeros(1, 12), None)
    with pytest.raises(ValueError, match=r"num_coordinates: expected at most the 2 channels .* 3"):
        coordinates(torch.zeros(1, 2), 3)


def test_further_channels_stay() -> None:
    x = torch.arange(8.0).view(2, 4)
    assert with_coordinates(x, -x[:, :3]).tolist() == [[0, -1, -2, 3], [-4, -5, -6, 7]]


def test_joints_by_name_and_number() -> None:
    assert joint_numbers("joint", "head", KINECT) == [3]
    assert joint_numbers("joint", 1, KINECT) == [1]
    assert joint_numbers("joint", ("left_hip", 16), KINECT) == [12, 16]
    with pytest.raises(
        ValueError, match=r"joint: expected joints in 0\.\.19 .*'kinect-20', got 20"
    ):
        joint_numbers("joint", 20, KINECT)
    with pytest.raises(ValueError, match=r"joint: expected one of hip_center, .*, got 'nose'"):
        joint_numbers("joint", "nose", KINECT)
    with pytest.raises(ValueError, match="joint: expected a joint or several, got none"):
        joint_numbers("joint", [], KINECT)
    with pytest.raises(TypeError, match=r"joint: expected joints by number or name, got 1\.5"):
        joint_numbers("joint", 1.5, KINECT)  # type: ignore[arg-type]


def test_middle_is_known_where_all_joints_are() -> None:
    x = torch.tensor([[[[1.0]], [[3.0]], [[8.0]]]])
    mask = torch.tensor([[[True], [True], [False]]])
    middle, known = middle_of(x, mask, [0, 1])
    assert (middle.item(), known.item()) == (2.0, True)
    middle, known = middle_of(x, mask, [0, 2])
    assert (middle.item(), known.item()) == (0.0, False)
