r"""Series for the tests of the cleaning steps."""

import numpy as np
import torch

from tests.data.test_series import stamps
from tgst.data import Series


def series_of(rows, times=None, **kwargs) -> Series:
    r"""One channel out of lists of readings, None where not observed."""
    readings = np.array(rows, dtype=np.float32)
    values = torch.from_numpy(readings).unsqueeze(-1)
    times = stamps(readings.shape[1]) if times is None else times
    return Series(values.nan_to_num(), times, torch.from_numpy(~np.isnan(readings)), **kwargs)


def random_series(nodes=5, steps=200, channels=2, gaps=True) -> Series:
    r"""Random walks; the last node was never observed and the one before is constant."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(nodes, steps, channels, generator=generator).cumsum(dim=1)
    values[-2] = 7.0
    mask = torch.rand(nodes, steps, generator=generator) < 0.7
    mask[-1] = False
    times = stamps(steps)
    if gaps:
        times[50:] += np.timedelta64(17, "m")
        times[120:] += np.timedelta64(1, "D")
    return Series(values, times, mask)


def copy_of(series: Series) -> Series:
    mask = None if series.mask is None else series.mask.clone()
    filled = None if series.filled is None else series.filled.clone()
    values, times = series.values.clone(), series.timestamps.copy()
    return Series(values, times, mask, series.node_id, series.channels, filled)


def same(first: Series, second: Series) -> bool:
    fields = [(one.values, one.mask, one.filled) for one in (first, second)]
    return (first.timestamps == second.timestamps).all() and all(
        (a is None and b is None) or torch.equal(a, b) for a, b in zip(*fields, strict=True)
    )
