r"""Taxi trips in New York on a grid, by the hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tgst.datasets.crowd_flow import CrowdFlow

SOURCE = (
    "no publisher's address is known: the files go around beside codes for crowd flow forecasting, "
    "under these names"
)
SEPTEMBER = 9


class TaxiNYC(CrowdFlow):
    r"""Yellow-taxi trips in New York on a grid of 16 rows and 8 columns, every hour of 2010 to
    2014: how many began and how many ended in each cell, after `"Listening to the city,
    attentively: A Spatio-Temporal Attention Boosted Autoencoder for the Short-Term Flow Prediction
    Problem" <https://arxiv.org/abs/2103.00983>`_ (Fiorini et al., 2021), who are to be cited.

    :obj:`dataset[0]` is the graph of the cells (:func:`tgst.utils.grid_graph`) with
    :obj:`edge_index`, :obj:`e_id`, :obj:`pos`, :obj:`cell`, :obj:`node_id` (``"row,column"``) and
    :obj:`num_nodes`. :obj:`dataset.series` holds the flows on its nodes, :obj:`dataset.frames` the
    same as frames :math:`(T, C, H, W)`, :obj:`dataset.holidays` the days of ``NY_Holiday.txt``.
    The files are read where they are and nothing is written.

    What is in the files:

    * They are in one form with TaxiBJ, but slots count from 00 to 23.
    * Frames are not sorted, and 48 to 72 stamps of a year occur twice: trips over the end of a
      month are in the files of both months that they were made of. Such frames are **added up**.
    * September is absent but for its first day, which holds the trips from August that ended then
      and nothing else. It is dropped unless :obj:`months` names September.
    * That day tells the channels apart, which the files only call "InOut": the first is zero there,
      so it counts the trips that **begin** in a cell (what leaves it), the second those that
      **end** there. Hence the names.
    * Stamps are the clock of New York without a time zone, and every day has 24 hours. The hour
      that a spring day skips (2 on 14 March 2010, 13 March 2011 and 11 March 2012) is there with
      few trips or none; the hour that an autumn day repeats (1 on 7 November 2010, 6 November 2011
      and 4 November 2012) holds the trips of both.

    Args:
        root (str or Path): Folder with ``NYC10_Taxi_M16x8_T60_InOut.h5`` and so on (arrays
            ``data`` of hours, flows, rows and columns, and ``date``, YYYYMMDDHH), and
            ``NY_Holiday.txt``. No publisher's address is known: they have to be there.
        years (sequence of int, optional): Years, a file each. (default: :obj:`(2010, 2011, 2012)`)
        months (sequence of int, optional): Months of every year, from 1 on; :obj:`None` means all
            but September. (default: :obj:`None`)
        connectivity (int, optional): Neighbours of a cell: :obj:`4` or :obj:`8`.
            (default: :obj:`4`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        whole_days (bool, optional): Drop days that lack a slot. (default: :obj:`False`)

    Shapes:
        - **series.values:** :math:`(H W, T, 2)`, channels ``new_flow`` and ``end_flow`` in trips
          per hour, float32; nodes row-major
        - **frames:** :math:`(T, 2, H, W)`

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If :obj:`years` or :obj:`months` are none, twice or out of range, if a file is
            not what it should be, or if the files do not have the same grid; the message names the
            file.
    """

    def __init__(
        self,
        root: str | Path,
        years: Sequence[int] = (2010, 2011, 2012),
        months: Sequence[int] | None = None,
        connectivity: int = 4,
        transform: Callable | None = None,
        whole_days: bool = False,
    ) -> None:
        _check_numbers("years", years, range(2000, 2100))
        if months is not None:
            _check_numbers("months", months, range(1, 13))
        self.years = tuple(sorted(years))
        all_known = set(range(1, 13)) - {SEPTEMBER}
        self.months = tuple(sorted(all_known if months is None else months))
        super().__init__(
            root,
            [f"NYC{year % 100:02d}_Taxi_M16x8_T60_InOut.h5" for year in self.years],
            slots_per_day=24,
            first_slot=0,
            channels=("new_flow", "end_flow"),
            source=SOURCE,
            holiday_file="NY_Holiday.txt",
            keep=self._in_months,
            whole_days=whole_days,
            connectivity=connectivity,
            transform=transform,
        )

    def _in_months(self, stamps: np.ndarray) -> np.ndarray:
        month = stamps.astype("datetime64[M]").astype(np.int64) % 12 + 1
        return np.isin(month, self.months)


def _check_numbers(name: str, numbers: Sequence[int], allowed: range) -> None:
    if len(numbers) == 0 or len(set(numbers)) < len(numbers) or not set(numbers) <= set(allowed):
        raise ValueError(
            f"{name}: expected numbers of {allowed.start}..{allowed.stop - 1}, each once, got "
            f"{tuple(numbers)}"
        )
