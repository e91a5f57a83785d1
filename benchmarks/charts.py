"""Charts that several suites draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def times(axis: Any, names: Sequence[str], milliseconds: Sequence[float], ours: str) -> None:
    """Draw a point per name, the first on top: lengths of bars would say nothing on a logarithmic
    axis. Where nothing was measured the panel says so.
    """
    if not names:
        axis.text(0.5, 0.5, "not measured", ha="center", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        return
    places = range(len(names))
    colours = ["tab:orange" if name.startswith(ours) else "tab:blue" for name in names]
    axis.scatter(milliseconds, places, color=colours, zorder=2)
    axis.set_yticks(places, names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xscale("log")
    axis.set_xlim(min(milliseconds) / 1.5, max(milliseconds) * 1.5)
    plain_ticks(axis.xaxis, few=max(milliseconds) > 100 * min(milliseconds))
    axis.grid(alpha=0.3)


def plain_ticks(axis: Any, few: bool = False) -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 or at the powers of ten alone."""
    from matplotlib.ticker import LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0,) if few else (1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_locator(NullLocator())
