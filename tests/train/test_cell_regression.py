"""The linear forecast of each cell: it finds the coefficients of cells that are linear."""

import numpy as np
import pytest
import torch

from tgst.data import LagWindows
from tgst.train.cell_regression import CellRegression
from tgst.train.grid_windows import grid_rows

SLOTS = 24 * 21


def stamps():
    return np.datetime64("2024-01-01T00", "s") + np.timedelta64(3600, "s") * np.arange(SLOTS)


def rows(**options):
    windows = LagWindows(stamps(), closeness=2, period=1, trend=0, **options)
    return grid_rows(windows)


def linear_frames():
    """Two flows in 2 x 3 cells, each cell with coefficients of its own; the last cell is empty."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(SLOTS, 2, 2, 3, generator=generator)
    coefficients = torch.rand(4, 2, 2, 3, generator=generator) - 0.5
    for t in range(24, SLOTS):
        noise = (
            torch.rand(2, 2, 3, generator=generator) if t % 3 else 0
        )  # every third slot has none
        own = coefficients[0] * frames[t - 1] + coefficients[1] * frames[t - 2]
        other = coefficients[2] * frames[t - 24].flip(0) + coefficients[3]
        frames[t] = own + other + noise
    frames[:, :, 1, 2] = 0
    return frames


def test_exact_where_cells_are_linear():
    frames = linear_frames()
    windows = rows()
    without_noise = windows.select(windows.target[:, 0] % 3 == 0)
    train, test = without_noise.select(slice(80)), without_noise.select(slice(80, None))
    forecast = CellRegression(ridge=1e-12).fit(frames, train).predict(frames, test)
    torch.testing.assert_close(forecast, frames[test.target], atol=1e-4, rtol=1e-4)


def test_reference_is_added():
    frames = linear_frames() + 5
    windows = grid_rows(LagWindows(stamps(), closeness=1, period=0, trend=0), reference="last")
    model = CellRegression(ridge=1e12).fit(frames, windows)  # no weight is worth it
    forecast = model.predict(frames, windows)
    torch.testing.assert_close(forecast, frames[windows.target - 1], atol=1e-3, rtol=1e-3)


def test_least_squares_of_one_cell():
    frames = linear_frames()
    windows = rows(horizon=2)
    forecast = CellRegression(ridge=1e-12).fit(frames, windows).predict(frames, windows)
    parts = [frames[torch.from_numpy(r)][..., 0, 1].flatten(1).numpy() for r in windows[:3]]
    x = np.concatenate([*parts, np.ones((len(windows.target), 1))], axis=1).astype(np.float64)
    y = frames[torch.from_numpy(windows.target)][..., 0, 1].flatten(1).numpy().astype(np.float64)
    expected = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    np.testing.assert_allclose(forecast[..., 0, 1].flatten(1).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("ridge", [0.0, -1.0])
def test_ridge(ridge):
    with pytest.raises(ValueError, match=f"ridge: expected a number above 0, got {ridge}"):
        CellRegression(ridge)
