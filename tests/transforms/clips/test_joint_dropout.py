from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import JointDropout


def test_whole_joints() -> None:
    data = make_clip()
    torch.manual_seed(3)
    out = JointDropout(0.3)(data)
    torch.manual_seed(3)
    kept = torch.rand(40, 1) >= 0.3
    assert 0 < int(kept.sum()) < 40
    assert torch.equal(out.mask, data.mask & kept)
    assert torch.equal(out.x, data.x * kept.unsqueeze(-1))


def test_per_frame() -> None:
    data = make_clip()
    torch.manual_seed(3)
    out = JointDropout(0.3, per="frame")(data)
    torch.manual_seed(3)
    kept = torch.rand(40, 12) >= 0.3
    assert torch.equal(out.mask, data.mask & kept)
    assert torch.equal(out.x, data.x * kept.unsqueeze(-1))


def test_none_and_all() -> None:
    data = make_clip()
    assert torch.equal(JointDropout(0.0)(data).x, data.x)
    assert torch.equal(JointDropout(1.0)(data).x, data.x)  # nothing would be left
