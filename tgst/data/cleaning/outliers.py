r"""Readings that do not fit their neighbours in time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tgst.data.cleaning.durations import Duration, whole_seconds
from tgst.data.cleaning.readings import observed_readings, selected_channels, without_readings
from tgst.data.series import Series

READINGS_PER_BLOCK = 2**22  # bounds the memory of the windows
NORMAL = 1.4826  # standard deviation of normal noise, in median absolute deviations
FEWEST = 3  # observed readings that a window must hold to judge


class Outliers:
    r"""Takes readings far from the rolling median of their node for not observed, with the filter
    of `"The Influence Curve and its Role in Robust Estimation"
    <https://doi.org/10.1080/01621459.1974.10482962>`_ (Hampel, 1974).

    .. math::
        | x_t - \mathrm{med}_t | > \tau \, \max(1.4826 \, \mathrm{MAD}_t, \phi), \quad
        \mathrm{MAD}_t = \mathrm{med}_{|s - t| \le w / 2} \, | x_s - \mathrm{med}_t |

    with the median :math:`\mathrm{med}_t` over the observed readings of the node in a window
    around :math:`t`. The window is centred: whether a reading is an outlier is known only half a
    window later. It does not reach across a gap in the timestamps further than its length, and
    with fewer than three observed readings nothing is removed.

    Where readings hardly change, :math:`\mathrm{MAD}_t` is next to zero and every small change
    would stand out. So the scale is at least :math:`\phi`: by default a tenth of
    :math:`1.4826 \, \mathrm{MAD}` of all readings of the node, or, if more than half of them are
    equal, their standard deviation.

    Args:
        threshold (float, optional): Threshold :math:`\tau`. (default: :obj:`5.0`)
        window (int, str, datetime.timedelta or numpy.timedelta64, optional): Length :math:`w` of
            the window: an odd number of readings, or a duration. (default: :obj:`13`)
        channel (int or str, optional): The channel to look at, by index or by name; :obj:`None`
            means all. A reading is removed with all of its channels. (default: :obj:`None`)
        floor (float, optional): :math:`\phi`, in the unit of the readings.
            (default: :obj:`None`)

    Raises:
        ValueError: If an argument is out of range or, when called, the window holds fewer than
            three rows of the series.
    """

    def __init__(
        self,
        threshold: float = 5.0,
        window: int | Duration = 13,
        channel: int | str | None = None,
        floor: float | None = None,
    ) -> None:
        if not threshold > 0:
            raise ValueError(f"`threshold` must be positive, got {threshold}")
        if floor is not None and not floor > 0:
            raise ValueError(f"`floor` must be positive, got {floor}")
        if not isinstance(window, int):
            whole_seconds(window, "window")
        elif window < FEWEST or window % 2 == 0:
            raise ValueError(f"`window` must be an odd number of at least 3 rows, got {window}")
        self.threshold, self.window, self.channel, self.floor = threshold, window, channel, floor

    def __call__(self, series: Series) -> Series:
        r"""The series without its outliers."""
        channels = selected_channels(series, self.channel)
        observed = observed_readings(series)
        if series.num_steps < FEWEST:
            return series
        half, reach = self._half(series)
        moments = torch.from_numpy(series.timestamps.astype(np.int64))
        bad = torch.zeros_like(observed)
        for channel in channels:
            for node in range(series.num_nodes):
                values = series.values[node, :, channel].double()
                values = values.masked_fill(~observed[node], float("nan"))
                bad[node] |= self._outliers(values, moments, half, reach)
        return without_readings(series, bad)

    def __repr__(self) -> str:
        window = self.window if isinstance(self.window, int) else str(self.window)
        channel = "" if self.channel is None else f", channel={self.channel!r}"
        floor = "" if self.floor is None else f", floor={self.floor:g}"
        return f"{type(self).__name__}({self.threshold:g}, window={window!r}{channel}{floor})"

    def _half(self, series: Series) -> tuple[int, int]:
        r"""Rows and seconds that the window reaches to either side."""
        step = int(series.step / np.timedelta64(1, "s"))
        if isinstance(self.window, int):
            half = self.window // 2
            return half, half * step
        reach = whole_seconds(self.window, "window") // 2
        if reach < step:
            raise ValueError(
                f"`window` must reach at least one step of the series ({step} s) to either side, "
                f"got {self.window}"
            )
        return reach // step, reach

    def _outliers(self, values: Tensor, moments: Tensor, half: int, reach: int) -> Tensor:
        r"""Where the readings [T] of one node, NaN where not observed, are outliers."""
        floor = _spread(values) if self.floor is None else self.floor
        padded = torch.nn.functional.pad(values, (half, half), value=float("nan"))
        times = torch.nn.functional.pad(moments, (half, half))
        width = 2 * half + 1
        bad = torch.zeros(len(values), dtype=torch.bool)
        rows = max(1, READINGS_PER_BLOCK // width)
        for start in range(0, len(values), rows):
            stop = min(start + rows, len(values))
            window = padded[start : stop + 2 * half].unfold(0, width, 1)
            away = times[start : stop + 2 * half].unfold(0, width, 1) - moments[start:stop, None]
            window = window.masked_fill(away.abs() > reach, float("nan"))
            median, count = _median(window)
            deviation, _ = _median((window - median[:, None]).abs())
            scale = (NORMAL * deviation).clamp(min=floor)
            far = (values[start:stop] - median).abs() > self.threshold * scale
            bad[start:stop] = far & (count >= FEWEST)
        return bad


def _spread(values: Tensor) -> float:
    r"""The smallest scale of a node: see :class:`Outliers`."""
    seen = values[~values.isnan()]
    if len(seen) == 0:
        return 0.0
    median, _ = _median(seen[None])
    deviation = float(_median((seen - median).abs()[None])[0])
    return 0.1 * NORMAL * deviation if deviation > 0 else float(seen.std(correction=0))


def _median(values: Tensor) -> tuple[Tensor, Tensor]:
    r"""Median over the last dimension without NaN, and how many values it is of."""
    count = (~values.isnan()).sum(dim=-1)
    ordered = values.sort(dim=-1).values  # NaN comes last
    lower = ordered.gather(-1, ((count - 1).clamp(min=0) // 2).unsqueeze(-1))
    upper = ordered.gather(-1, (count // 2).clamp(max=values.size(-1) - 1).unsqueeze(-1))
    return ((lower + upper) / 2).squeeze(-1), count
