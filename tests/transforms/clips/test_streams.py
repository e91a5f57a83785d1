from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import apart, make_clip
from tgst.transforms import Streams
from tgst.utils import Skeleton

NAME = "kinect-20"
FOUR = ["joint", "bone", "joint_motion", "bone_motion"]
PARENTS = np.array(Skeleton.named(NAME).parents)


def expected(x: np.ndarray, seen: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The streams of x [M, V, T, C] entry by entry, and where they are observed."""
    out = {name: (np.zeros_like(x), np.zeros_like(seen)) for name in FOUR}
    out["joint"] = x, seen
    for source, target in ((None, "bone"), ("joint", "joint_motion"), ("bone", "bone_motion")):
        value, known = out[target]
        for m, v, t in np.ndindex(seen.shape):
            if source is None:
                other = x[m, PARENTS[v], t] if PARENTS[v] >= 0 else x[m, v, t]
                known[m, v, t] = seen[m, v, t] and (PARENTS[v] < 0 or seen[m, PARENTS[v], t])
                change = x[m, v, t] - other
            else:
                before, seen_before = out[source]
                last = t == seen.shape[-1] - 1
                known[m, v, t] = not last and seen_before[m, v, t] and seen_before[m, v, t + 1]
                change = 0 if last else before[m, v, t + 1] - before[m, v, t]
            if known[m, v, t]:
                value[m, v, t] = change
    return out


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("streams", [FOUR, ["bone"], ["bone_motion"], ["bone_motion", "joint"]])
def test_values(streams: list[str], missing: float) -> None:
    data = make_clip(missing=missing, dtype=torch.float64)
    out = Streams(streams, NAME)(data)
    each = expected(apart(data.x).numpy(), apart(data.mask).numpy())
    x = np.concatenate([each[name][0] for name in streams], axis=-1)
    mask = np.any([each[name][1] for name in streams], axis=0)
    np.testing.assert_allclose(apart(out.x).numpy(), x, atol=1e-12)
    np.testing.assert_array_equal(apart(out.mask).numpy(), mask)


def test_no_motion_from_or_to_a_joint_that_was_not_seen() -> None:
    data = make_clip(persons=1, frames=4, missing=0.0)
    data.mask[3, 1] = False
    data.x[3, 1] = 0
    motion = Streams(["joint_motion"], NAME)(data)
    assert (motion.x[3].norm(dim=-1) > 0).tolist() == [False, False, True, False]
    assert motion.mask[3].tolist() == [False, False, True, False]
    assert Streams(["joint", "joint_motion"], NAME)(data).mask[3].tolist() == [
        True,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("kind", ["forward", "backward", "central"])
def test_kinds_of_motion(kind: str) -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    x = data.x.numpy()
    motion = np.zeros_like(x)
    if kind == "forward":
        motion[:, :-1] = np.diff(x, axis=1)
    elif kind == "backward":
        motion[:, 1:] = np.diff(x, axis=1)
    else:
        motion[:, 1:-1] = x[:, 1:-1] - (x[:, :-2] + x[:, 2:]) / 2
    out = Streams(["joint_motion"], NAME, motion=kind)(data)
    np.testing.assert_allclose(out.x.numpy(), motion, atol=1e-12)


def test_confidence_becomes_the_mean_of_what_is_compared() -> None:
    data = make_clip(persons=1, channels=4, missing=0.0, dtype=torch.float64)
    score = data.x[..., 3]
    parent = Skeleton.named(NAME).parent
    bone = Streams(["bone"], NAME)(data).x[..., 3]
    torch.testing.assert_close(bone, (score + score[parent]) / 2)
    before, after = score[:, :-1], score[:, 1:]
    zero = torch.zeros_like(score[:, :1])
    forward = Streams(["joint_motion"], NAME)(data).x[..., 3]
    torch.testing.assert_close(forward, torch.cat([(before + after) / 2, zero], dim=1))
    backward = Streams(["joint_motion"], NAME, motion="backward")(data).x[..., 3]
    torch.testing.assert_close(backward, torch.cat([zero, (before + after) / 2], dim=1))
    central = Streams(["joint_motion"], NAME, motion="central")(data).x[..., 3]
    mean = (score[:, :-2] + score[:, 1:-1] + score[:, 2:]) / 3
    torch.testing.assert_close(central, torch.cat([zero, mean, zero], dim=1))
    flat = Streams(["bone"], NAME, num_coordinates=2)(data).x
    torch.testing.assert_close(flat[..., 2], (data.x[..., 2] + data.x[parent][..., 2]) / 2)


def test_roots_have_no_bone() -> None:
    root = Skeleton.named(NAME).parents.index(-1)
    out = Streams(["bone"], NAME)(make_clip(persons=1, missing=0.0))
    assert bool((out.x[root] == 0).all())
    assert bool(out.mask.all())


def test_padding_before_or_after_changes_nothing() -> None:
    data, streams = make_clip(dtype=torch.float64), Streams(FOUR, NAME)
    longer = data.clone()
    longer.x = torch.nn.functional.pad(data.x, (0, 0, 2, 3))
    longer.mask = torch.nn.functional.pad(data.mask, (2, 3))
    out, padded = streams(data), streams(longer)
    assert torch.equal(padded.x[:, 2:-3], out.x)
    assert torch.equal(padded.mask[:, 2:-3], out.mask)
    assert bool((padded.x[:, :2] == 0).all() and (padded.x[:, -3:] == 0).all())
