from __future__ import annotations

import math

import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.clips.made import make_clip
from tgst.transforms import ResampleTime, TemporalCrop


def _numbered(frames: int, before: int = 0, after: int = 0) -> Data:
    """Every coordinate is the number of the frame; unobserved frames around."""
    data = make_clip(persons=1, frames=before + frames + after, missing=0.0)
    data.x[:] = torch.arange(before + frames + after).view(1, -1, 1)
    data.mask[:, :before] = False
    data.mask[:, before + frames :] = False
    data.x[~data.mask] = 0
    return data


def test_random_crops_as_published() -> None:
    data = _numbered(100, before=3, after=5)
    crop = TemporalCrop(None, (0.5, 1.0), min_length=64)
    lengths = set()
    for seed in range(40):
        torch.manual_seed(seed)
        out = crop(data)
        torch.manual_seed(seed)
        share = 0.5 + 0.5 * float(torch.rand((), dtype=torch.float64))
        kept = min(max(math.floor(100 * share), 64), 100)
        first = 3 + int(torch.randint(100 - kept + 1, ()))
        assert out.x[0, :, 0].tolist() == list(range(first, first + kept))
        assert bool(out.mask.all())
        lengths.add(kept)
    assert min(lengths) == 64
    assert max(lengths) > 90


def test_crop_is_resampled() -> None:
    data = make_clip(frames=50)
    torch.manual_seed(2)
    out = TemporalCrop(16, (0.4, 0.9), min_length=5)(data)
    torch.manual_seed(2)
    cut = TemporalCrop(None, (0.4, 0.9), min_length=5)(data)
    expected = ResampleTime(16)(cut)
    assert torch.equal(out.x, expected.x)
    assert torch.equal(out.mask, expected.mask)


@pytest.mark.parametrize(("frames", "ratio"), [(100, 0.95), (41, 0.95), (10, 0.5), (1, 0.1)])
def test_middle_for_tests(frames: int, ratio: float) -> None:
    cut = int((1 - ratio) * frames / 2)
    state = torch.get_rng_state()
    out = TemporalCrop(None, ratio)(_numbered(frames, before=2, after=1))
    assert out.x[0, :, 0].tolist() == list(range(2 + cut, 2 + frames - cut))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("frames", [1, 2, 5, 6])
def test_the_middle_is_never_empty(frames: int) -> None:
    assert TemporalCrop(None, 1e-20)(_numbered(frames)).x.size(1) == 2 - frames % 2


def test_short_clips_are_only_stretched() -> None:
    data = make_clip(frames=30)
    out = TemporalCrop()(data)
    expected = ResampleTime(64)(data)
    assert torch.equal(out.x, expected.x)
    assert torch.equal(out.mask, expected.mask)
