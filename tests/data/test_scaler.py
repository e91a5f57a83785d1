import copy

import numpy as np
import pytest
import torch

from tests.data.test_series import stamps
from tgst.data import Series, StandardScaler


def example(mask=None) -> Series:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(300, 20, 2, generator=generator) * torch.tensor([3.0, 0.5]) + 40.0
    return Series(values, stamps(20), mask)


def test_fit_equals_numpy():
    series = example()
    scaler = StandardScaler().fit(series)
    values = series.values.double().numpy()
    np.testing.assert_allclose(scaler.mean, values.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(scaler.std, values.std((0, 1)), rtol=1e-6)


def test_fit_uses_only_the_given_rows():
    series = example()
    scaler = StandardScaler().fit(series, stop=12)
    values = series.values[:, :12].double().numpy()
    np.testing.assert_allclose(scaler.mean, values.mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(scaler.std, values.std((0, 1)), rtol=1e-6)

    changed = Series(series.values.clone(), series.timestamps)
    changed.values[:, 12:] = 1e6
    again = StandardScaler().fit(changed, stop=12)
    assert torch.equal(again.mean, scaler.mean)
    assert torch.equal(again.std, scaler.std)
    assert not torch.equal(StandardScaler().fit(changed, stop=13).mean, scaler.mean)


def test_fit_uses_only_observed_values():
    mask = torch.rand(300, 20, generator=torch.Generator().manual_seed(1)) < 0.7
    series = example(mask)
    scaler = StandardScaler().fit(series)
    values = series.values[mask].double().numpy()
    np.testing.assert_allclose(scaler.mean, values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(scaler.std, values.std(0), rtol=1e-6)

    series.values[~mask] = 1e6  # whatever lies behind the mask does not count
    again = StandardScaler().fit(series)
    assert torch.equal(again.mean, scaler.mean)
    assert torch.equal(again.std, scaler.std)


@pytest.mark.parametrize("value", [0.0, 0.1, 12345.678])
def test_constant_channel_gets_deviation_one(value):
    values = torch.rand(7, 11, 2)
    values[..., 1] = value
    scaler = StandardScaler().fit(Series(values, stamps(11)))
    assert scaler.std[1] == 1
    assert 0 < scaler.std[0] < 1
    assert scaler.transform(values)[..., 1].abs().max() <= 1e-6 * max(value, 1)


def test_rounding_noise_is_constant():
    values = torch.full((7, 10, 1), 12345.678)
    values[:, ::2] = torch.nextafter(values[:, ::2], torch.tensor(0.0))
    assert 0 < values.double().std() < 1e-3
    assert StandardScaler().fit(Series(values, stamps(10))).std == 1


def test_nothing_observed():
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[:, :4] = False
    series = Series(torch.ones(3, 8, 1), stamps(8), mask)
    with pytest.raises(ValueError, match=r"`series` must hold an observed reading in rows 0\.\.4"):
        StandardScaler().fit(series, stop=4)
    with pytest.raises(ValueError, match="stop <= 8, got start=0, stop=9"):
        StandardScaler().fit(series, stop=9)


def test_transform_and_back():
    scaler = StandardScaler()
    scaler.mean, scaler.std = torch.tensor([10.0, 20.0]), torch.tensor([2.0, 4.0])
    x = torch.tensor([[12.0, 12.0], [6.0, 24.0]])
    assert scaler.transform(x).tolist() == [[1, -2], [-2, 1]]
    assert scaler.inverse_transform(scaler.transform(x)).tolist() == x.tolist()
    second = scaler.transform(x[:, 1:], channels=[1])
    assert second.flatten().tolist() == [-2, 1]
    assert scaler.inverse_transform(second, channels=[1]).flatten().tolist() == [12, 24]
    assert scaler.transform(x.double()).dtype == torch.float64


def test_wrong_number_of_channels():
    scaler = StandardScaler(2)
    message = r"`x` must have 2 channels .*got shape \(3, 1\)"
    with pytest.raises(ValueError, match=message):
        scaler.transform(torch.zeros(3, 1))
    with pytest.raises(ValueError, match=message):
        scaler.inverse_transform(torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"must have 1 channels .*channels=\[1\]"):
        scaler.inverse_transform(torch.zeros(3, 2), channels=[1])


def test_unfitted_is_the_identity():
    x = torch.rand(2, 3)
    assert torch.equal(StandardScaler(3).transform(x), x)
    assert str(StandardScaler(3)) == "StandardScaler(3)"


def test_state_dict_and_copies():
    scaler = StandardScaler().fit(example())
    restored = StandardScaler(2)
    restored.load_state_dict(scaler.state_dict())
    assert torch.equal(restored.mean, scaler.mean)
    assert torch.equal(restored.std, scaler.std)
    assert torch.equal(copy.deepcopy(scaler).std, scaler.std)
    assert scaler.double().mean.dtype == torch.float64  # buffers follow the module
    assert not list(scaler.parameters())


@pytest.mark.parametrize("constant", [False, True])
def test_sensors_without_readings_and_constant_sensors(constant):
    values = torch.rand(3, 10, 2) if not constant else torch.full((3, 10, 2), 4.0)
    values[1], mask = 4.0, torch.ones(3, 10, dtype=torch.bool)
    mask[2] = False
    series = Series(values, stamps(10), mask)
    scaler = StandardScaler().fit(series)
    assert scaler.mean.isfinite().all()
    expected = values[:2].double().flatten(0, 1).std(dim=0, correction=0)
    np.testing.assert_allclose(scaler.std, torch.ones(2) if constant else expected, rtol=1e-5)
    scaled = scaler.transform(series.values)
    assert scaled.isfinite().all()
    assert not constant or (scaled[:2] == 0).all()
