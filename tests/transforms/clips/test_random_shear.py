from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomShear


@pytest.mark.parametrize("channels", [2, 3])
def test_values(channels: int) -> None:
    data = make_clip(channels=channels, dtype=torch.float64)
    torch.manual_seed(3)
    out = RandomShear()(data)
    torch.manual_seed(3)
    matrix = ((torch.rand(channels, channels) * 2 - 1) * 0.5).double().numpy()
    np.fill_diagonal(matrix, 1)
    for node, frame in ((0, 0), (33, 7)):
        np.testing.assert_allclose(out.x[node, frame].numpy(), matrix @ data.x[node, frame].numpy())
    assert np.abs(matrix - np.eye(channels)).max() <= 0.5
