r"""What a file of readings holds, before it is a series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class RawTable(NamedTuple):
    r"""Readings of a file.

    Attributes:
        timestamps (numpy.ndarray, optional): Moments, datetime64; :obj:`None` if the file has
            none.
        in_utc (bool): Whether the file says that its moments have a time zone; they are in UTC
            then.
        node_id (list, optional): Name of each column; :obj:`None` if the file has none.

    Shapes:
        - **values:** :math:`(T, N)` or :math:`(T, N, C)`, floating point, NaN where missing
        - **timestamps:** :math:`(T)`
    """

    values: np.ndarray
    timestamps: np.ndarray | None
    in_utc: bool
    node_id: list[str] | None
