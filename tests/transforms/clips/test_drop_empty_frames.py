from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import DropEmptyFrames


def test_frames_without_anybody_leave() -> None:
    data = make_clip(missing=0.0)
    data.mask[:, [0, 4, 5]] = False
    data.mask[:20, 7] = False  # the second person is still there
    data.x[~data.mask] = 0
    out = DropEmptyFrames()(data)
    kept = [1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert torch.equal(out.x, data.x[:, kept])
    assert torch.equal(out.mask, data.mask[:, kept])
