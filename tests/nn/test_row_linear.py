from __future__ import annotations

import pytest
import torch

from tgst.nn.row_linear import RowLinear


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_row_linear_is_a_linear_layer(dtype):
    torch.manual_seed(0)
    layer = RowLinear(4, 3).to(dtype)
    plain = torch.nn.Linear(4, 3).to(dtype)
    plain.load_state_dict(layer.state_dict())
    seen = []
    layer.register_forward_hook(lambda *arguments: seen.append(arguments[-1].shape))
    for shape in ((5, 4), (5, 2, 4), (5, 2, 6, 4), (5, 0, 4)):
        x = torch.randn(shape, dtype=dtype)
        torch.testing.assert_close(layer(x), plain(x), rtol=1e-5, atol=1e-6)
    assert seen[-1] == (5, 0, 3)
