from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import BoneLength, bone_lengths
from tgst.utils import Skeleton

NAME = "kinect-20"
PARENTS = Skeleton.named(NAME).parents


def _lengths(x: torch.Tensor, seen: torch.Tensor) -> np.ndarray:
    """The median length of each bone of one person, bone by bone; NaN where never observed."""
    out = np.full(20, np.nan)
    for joint, parent in enumerate(PARENTS):
        known = seen[joint] & seen[parent if parent >= 0 else joint]
        if parent >= 0 and known.any():
            length = (x[joint] - x[parent]).norm(dim=-1)[known]
            out[joint] = np.sort(length.numpy())[(len(length) - 1) // 2]
    return out


def test_bones_get_their_lengths_and_keep_their_directions() -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    target = torch.linspace(1, 3, 20)
    out = BoneLength(NAME, target, limits=(0.01, 100.0))(data)
    for person in (slice(0, 20), slice(20, 40)):
        before, after = data.x[person], out.x[person]
        factor = target.double().numpy() / _lengths(before, data.mask[person])
        for joint, parent in enumerate(PARENTS):
            if parent < 0:
                assert torch.equal(after[joint], before[joint])
            else:
                bone = (before[joint] - before[parent]) * factor[joint]
                torch.testing.assert_close(after[joint] - after[parent], bone)


def test_limits() -> None:
    data = make_clip(persons=1, missing=0.0, dtype=torch.float64)
    out = BoneLength(NAME, [100.0] * 20)(data)
    parent = Skeleton.named(NAME).parent
    torch.testing.assert_close(out.x - out.x[parent], 2 * (data.x - data.x[parent]))


def test_missing_joints() -> None:
    data = make_clip(missing=0.3, dtype=torch.float64)
    data.mask[5], data.x[5] = False, 0  # the bones of this elbow have no length
    out = BoneLength(NAME, [1.0] * 20, limits=(0.1, 10.0))(data)
    x, seen = data.x.numpy(), data.mask.numpy()
    for first in (0, 20):
        body = slice(first, first + 20)
        factor = 1 / _lengths(data.x[body], data.mask[body])
        for joint, frame in np.ndindex(20, 12):
            expected, step = x[first + joint, frame].copy(), joint
            while PARENTS[step] >= 0:
                child, parent = first + step, first + PARENTS[step]
                if seen[child, frame] and seen[parent, frame]:
                    bone = x[child, frame] - x[parent, frame]
                    expected += (np.clip(factor[step], 0.1, 10) - 1) * bone
                step = PARENTS[step]
            if not seen[first + joint, frame]:
                expected[:] = 0
            np.testing.assert_allclose(out.x[first + joint, frame].numpy(), expected, atol=1e-9)


def test_lengths_of_training_clips() -> None:
    several = [make_clip(persons=1 + seed % 2, missing=0.3, seed=seed) for seed in range(3)]
    several[0].mask[5] = False
    each = [
        _lengths(clip.x.double()[body], clip.mask[body])
        for clip in several
        for body in (slice(first, first + 20) for first in range(0, clip.num_nodes, 20))
    ]
    table = np.stack(each)
    known = ~np.isnan(table)
    expected = np.where(known, table, 0).sum(0) / np.maximum(known.sum(0), 1)
    lengths = bone_lengths(several, NAME)
    assert lengths.dtype == torch.float64
    np.testing.assert_allclose(lengths.numpy(), expected, atol=1e-9)
    assert float(lengths[PARENTS.index(-1)]) == 0
    with pytest.raises(ValueError, match="clips: expected at least one clip, got none"):
        bone_lengths([], NAME)


def test_its_own_lengths_change_nothing() -> None:
    data = make_clip(persons=1, missing=0.0, dtype=torch.float64)
    out = BoneLength(NAME, bone_lengths([data], NAME))(data)
    torch.testing.assert_close(out.x, data.x)


def test_confidence_stays() -> None:
    data = make_clip(channels=4)
    out = BoneLength(NAME, [1.0] * 20)(data)
    assert torch.equal(out.x[..., 3], data.x[..., 3])
