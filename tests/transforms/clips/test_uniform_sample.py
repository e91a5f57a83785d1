from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.clips.made import make_clip
from tgst.transforms import UniformSample


def _numbered(frames: int) -> Data:
    data = make_clip(persons=1, frames=frames, missing=0.0)
    data.x[:] = torch.arange(frames).view(1, -1, 1)
    return data


def _frames(out: Data) -> list[int]:
    return out.x[0, ..., 0].long().flatten().tolist()


@pytest.mark.parametrize("frames", [20, 21, 37, 100])
def test_long_clips_one_frame_per_segment(frames: int) -> None:
    data, seen = _numbered(frames), set()
    for seed in range(30):
        torch.manual_seed(seed)
        picked = _frames(UniformSample(10)(data))
        for segment, frame in enumerate(picked):
            assert segment * frames // 10 <= frame < (segment + 1) * frames // 10
        seen.update(picked)
    assert len(seen) == frames or frames == 100
    assert len(seen) > 0.9 * frames


@pytest.mark.parametrize("frames", [10, 11, 15, 19])
def test_middling_clips_skip_single_frames(frames: int) -> None:
    data, seen = _numbered(frames), set()
    for seed in range(30):
        torch.manual_seed(seed)
        picked = _frames(UniformSample(10)(data))
        assert picked == sorted(set(picked))
        steps = [b - a for a, b in zip([-1, *picked], [*picked, frames], strict=True)]
        assert set(steps) <= {1, 2}
        assert steps.count(2) == frames - 10
        seen.add(tuple(picked))
    assert (len(seen) == 1) == (frames == 10)


def test_any_frame_may_be_the_one_that_is_skipped() -> None:
    data, skipped = _numbered(6), set()
    for seed in range(60):
        torch.manual_seed(seed)
        skipped.update(set(range(6)) - set(_frames(UniformSample(5)(data))))
    assert skipped == set(range(6))


def test_twice_the_frames_are_segments() -> None:
    # Skips would leave six choices only.
    data, seen = _numbered(10), set()
    for seed in range(60):
        torch.manual_seed(seed)
        seen.add(tuple(_frames(UniformSample(5)(data))))
    assert len(seen) > 20


def test_short_clips_loop_from_a_random_start() -> None:
    data, starts = _numbered(7), set()
    for seed in range(40):
        torch.manual_seed(seed)
        picked = _frames(UniformSample(10)(data))
        assert picked == [(picked[0] + step) % 7 for step in range(10)]
        starts.add(picked[0])
    assert starts == set(range(7))


def test_mask_goes_with_its_frames() -> None:
    data = make_clip(frames=30)
    data.x[..., 0] = torch.arange(30.0)
    out = UniformSample(10)(data)
    frame = out.x[0, :, 0].long()
    assert torch.equal(out.mask, data.mask[:, frame])
    assert torch.equal(out.x, data.x[:, frame])


@pytest.mark.parametrize("frames", [4, 15, 64])
def test_test_form_has_its_own_generator(frames: int) -> None:
    data = _numbered(frames)
    state = torch.get_rng_state()
    first = UniformSample(10, num_clips=3)(data)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(99)
    assert torch.equal(UniformSample(10, num_clips=3)(data).x, first.x)
    assert first.x.shape == (20, 3, 10, 3)
    assert first.mask.shape == (20, 3, 10)
    one, two, three = first.x[0, ..., 0].tolist()
    assert one != two
    assert two != three
    if frames != 4:
        assert not torch.equal(UniformSample(10, num_clips=3, seed=1)(data).x, first.x)


def test_starts_of_short_clips_in_tests() -> None:
    starts = UniformSample(10, num_clips=3)(_numbered(8)).x[0, :, 0, 0].tolist()
    assert starts == [0, 2, 5]
    starts = UniformSample(10, num_clips=5)(_numbered(3)).x[0, :, 0, 0].tolist()
    assert starts == [0, 1, 2, 0, 1]
