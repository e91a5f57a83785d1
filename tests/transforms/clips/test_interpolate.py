from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import Interpolate


@pytest.mark.parametrize("max_gap", [None, 1, 2, 4])
@pytest.mark.parametrize("missing", [0.3, 0.7])
def test_values(max_gap: int | None, missing: float) -> None:
    data = make_clip(frames=20, missing=missing, dtype=torch.float64)
    out = Interpolate(max_gap)(data)
    x, seen = data.x.numpy(), data.mask.numpy()
    expected, mask = x.copy(), seen.copy()
    for node in range(40):
        known = np.nonzero(seen[node])[0]
        for start, stop in pairwise(known):
            if max_gap is None or stop - start - 1 <= max_gap:
                inside = np.arange(start + 1, stop)
                mask[node, inside] = True
                for channel in range(3):
                    ends = x[node, [start, stop], channel]
                    expected[node, inside, channel] = np.interp(inside, [start, stop], ends)
    np.testing.assert_allclose(out.x.numpy(), expected, atol=1e-12)
    np.testing.assert_array_equal(out.mask.numpy(), mask)
    assert mask.sum() > seen.sum()


def test_a_line_is_restored() -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    data.x[:] = torch.arange(12.0).view(1, -1, 1)
    whole = data.x.clone()
    data.mask[:, 3:7] = False
    data.x[~data.mask] = 0
    out = Interpolate()(data)
    torch.testing.assert_close(out.x, whole)
    assert bool(out.mask.all())
    assert torch.equal(Interpolate(3)(data).mask, data.mask)
