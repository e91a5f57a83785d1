from __future__ import annotations

import pytest
import torch

from tgst.utils import Skeleton, bone_mask, bones, motion, motion_mask

PARENT = torch.tensor([1, 1, 1, 2])
X = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(4, 1, 1)


def test_bones_of_one_and_several_persons():
    assert bones(X, PARENT).flatten().tolist() == [-9, 0, 90, 900]
    two = bones(torch.cat([X, 2 * X]), PARENT)
    assert two.flatten().tolist() == [-9, 0, 90, 900, -18, 0, 180, 1800]


def test_bones_of_a_layout_with_batch_dimensions():
    skeleton = Skeleton.named("ntu-25")
    x = torch.randn(25, 2, 3, 7, 3)
    out = bones(x, skeleton.parent)
    assert torch.equal(out[23], x[23] - x[24])  # tip and thumb of the right hand
    assert torch.equal(out[20], torch.zeros(2, 3, 7, 3))
    assert torch.equal(out[0], x[0] - x[1])


def test_bones_add_up_to_the_joints():
    skeleton = Skeleton.named("mediapipe-pose-33")
    x = torch.randn(33, 4, 3, dtype=torch.float64)
    bone, back = bones(x, skeleton.parent), torch.zeros_like(x)
    for joint in range(33):
        node = joint
        while skeleton.parents[node] >= 0:
            back[joint] += bone[node]
            node = skeleton.parents[node]
        back[joint] += x[node]
    torch.testing.assert_close(back, x, rtol=1e-12, atol=1e-12)


def test_bone_mask_needs_both_joints():
    mask = torch.tensor([[1, 1], [1, 1], [0, 1], [1, 1]], dtype=torch.bool)
    assert bone_mask(mask, PARENT).int().tolist() == [[1, 1], [1, 1], [0, 1], [0, 1]]
    mask[1, 1] = False
    both = bone_mask(torch.cat([mask, ~mask]), PARENT)
    assert both.int().tolist() == [
        [1, 0], [1, 0], [0, 0], [0, 1],
        [0, 0], [0, 1], [0, 0], [0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("forward", [3, 5, 7, 0]), ("backward", [0, 3, 5, 7]), ("central", [0, -1, -1, 0])],
)
def test_motion(kind, expected):
    x = torch.tensor([1.0, 4.0, 9.0, 16.0]).view(1, 4, 1).expand(3, 4, 2)
    out = motion(x, kind)
    assert out.shape == x.shape
    assert all(out[j, :, c].tolist() == expected for j in range(3) for c in range(2))
    assert torch.equal(x[0, :, 0], torch.tensor([1.0, 4.0, 9.0, 16.0]))


@pytest.mark.parametrize("kind", ["forward", "backward", "central"])
@pytest.mark.parametrize("frames", [0, 1])
def test_no_motion_in_less_than_two_frames(kind, frames):
    assert torch.equal(motion(torch.randn(2, frames, 3), kind), torch.zeros(2, frames, 3))
    mask = torch.ones(2, frames, dtype=torch.bool)
    assert torch.equal(motion_mask(mask, kind), torch.zeros(2, frames, dtype=torch.bool))


def test_two_frames_have_no_central_motion():
    assert torch.equal(motion(torch.randn(2, 2, 3), "central"), torch.zeros(2, 2, 3))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("forward", [1, 1, 0, 0, 1, 0]),
        ("backward", [0, 1, 1, 0, 0, 1]),
        ("central", [0, 1, 0, 0, 0, 0]),
    ],
)
def test_motion_is_observed_where_its_frames_are(kind, expected):
    mask = torch.tensor([[1, 1, 1, 0, 1, 1]], dtype=torch.bool)
    assert motion_mask(mask, kind).int().tolist() == [expected]
    assert mask.int().tolist() == [[1, 1, 1, 0, 1, 1]]


@pytest.mark.parametrize("kind", ["forward", "backward", "central"])
@pytest.mark.parametrize(("before", "after"), [(0, 4), (3, 0), (2, 1)])
def test_padding_changes_nothing(kind, before, after):
    x, mask = torch.randn(4, 6, 3), torch.ones(4, 6, dtype=torch.bool)
    mask[2, 3] = False
    seen = motion_mask(mask, kind)
    expected = motion(x, kind).masked_fill(~seen.unsqueeze(-1), 0)
    padded = torch.nn.functional.pad(x, (0, 0, before, after))
    padded_seen = motion_mask(torch.nn.functional.pad(mask, (before, after)), kind)
    out = motion(padded, kind).masked_fill(~padded_seen.unsqueeze(-1), 0)
    assert torch.equal(padded_seen, torch.nn.functional.pad(seen, (before, after)))
    assert torch.equal(out, torch.nn.functional.pad(expected, (0, 0, before, after)))


def test_unobserved_values_do_not_reach_observed_entries():
    mask = torch.rand(4, 9, generator=torch.Generator().manual_seed(0)) > 0.3
    x = torch.randn(4, 9, 3)
    other = torch.where(mask.unsqueeze(-1), x, torch.full_like(x, 1e6))
    for kind in ("forward", "backward", "central"):
        seen = motion_mask(mask, kind)
        assert torch.equal(motion(x, kind)[seen], motion(other, kind)[seen])
    seen = bone_mask(mask, PARENT)
    assert torch.equal(bones(x, PARENT)[seen], bones(other, PARENT)[seen])


def test_bad_input():
    with pytest.raises(ValueError, match=r"x: expected 4 joints per person, .* shape \[6, 2, 3\]"):
        bones(torch.zeros(6, 2, 3), PARENT)
    with pytest.raises(ValueError, match=r"mask: expected 4 joints per person, .* shape \[6, 2\]"):
        bone_mask(torch.zeros(6, 2, dtype=torch.bool), PARENT)
    for function in (motion, motion_mask):
        with pytest.raises(ValueError, match=r"kind: expected one of .*, got 'sideways'"):
            function(torch.zeros(2, 3, 4) > 0, "sideways")
