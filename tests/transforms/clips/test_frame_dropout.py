from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import FrameDropout


def test_frames_of_all_persons() -> None:
    data = make_clip()
    torch.manual_seed(3)
    out = FrameDropout(0.4)(data)
    torch.manual_seed(3)
    kept = torch.rand(12) >= 0.4
    assert 0 < int(kept.sum()) < 12
    assert torch.equal(out.mask, data.mask & kept)
    assert torch.equal(out.x, data.x * kept.unsqueeze(-1))


def test_none_and_all() -> None:
    data = make_clip()
    assert torch.equal(FrameDropout(0.0)(data).x, data.x)
    assert torch.equal(FrameDropout(1.0)(data).x, data.x)  # nothing would be left
