from __future__ import annotations

import pytest
import torch

from tgst.transforms.images import RandomNoise


def test_the_noise_is_normal_and_each_pixel_has_its_own():
    torch.manual_seed(0)
    x = torch.rand(20, 1, 30, 30)
    noise = RandomNoise(0.2)(x) - x
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(0.2, rel=0.03)
    torch.manual_seed(5)
    expected = x + 0.2 * torch.randn(x.shape)
    torch.manual_seed(5)
    torch.testing.assert_close(RandomNoise(0.2)(x), expected)


def test_no_noise_changes_nothing():
    x = torch.rand(2, 1, 3, 3)
    assert RandomNoise(0.0)(x) is x


def test_a_negative_deviation_is_refused():
    with pytest.raises(ValueError, match="std: expected a number >= 0, got -1"):
        RandomNoise(-1)
