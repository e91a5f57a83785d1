r"""Taxi trips in Beijing on a grid, every half hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tgst.datasets.crowd_flow import CrowdFlow

SPANS = (13, 14, 15, 16)
SOURCE = (
    "the folder data/TaxiBJ of https://github.com/lucktroy/DeepST names the places of the files"
)


class TaxiBJ(CrowdFlow):
    r"""TaxiBJ of `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction"
    <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017): taxis in Beijing that came into and
    left each cell of a grid of 32 rows and 32 columns, every 30 minutes in four spans of time, with
    holidays and weather.

    :obj:`dataset[0]` is the graph of the cells (:func:`tgst.utils.grid_graph`) with
    :obj:`edge_index`, :obj:`e_id`, :obj:`pos`, :obj:`cell`, :obj:`node_id` (``"row,column"``) and
    :obj:`num_nodes`. :obj:`dataset.series` holds the flows on its nodes, :obj:`dataset.frames` the
    same as frames :math:`(T, C, H, W)`, :obj:`dataset.holidays` days, and
    :obj:`dataset.meteorology` the weather (:class:`tgst.data.Meteorology`). The files are read
    where they are and nothing is written.

    The spans are 1 July to 30 October 2013, 1 March to 30 June 2014 and 2015, and 1 November 2015
    to 10 April 2016, with slots and days missing in each; 22,459 slots are there. Nothing is filled
    in: :class:`tgst.data.LagWindows` goes by stamps, so that no window crosses a gap or a span. No
    file was at hand when this was written: the class follows the published description, and its
    tests the published layout.

    Args:
        root (str or Path): Folder with ``BJ13_M32x32_T30_InOut.h5`` to ``BJ16_...`` (arrays
            ``data`` of slots, flows, rows and columns, and ``date``, YYYYMMDD and the slot 01 to
            48), ``BJ_Holiday.txt`` and ``BJ_Meteorology.h5`` (arrays ``date``, ``Temperature``,
            ``WindSpeed`` and ``Weather``).
        spans (sequence of int, optional): Spans to read, by the number in the name of the file.
            (default: :obj:`(13, 14, 15, 16)`)
        external (bool, optional): Read holidays and weather; :obj:`None` takes their place without.
            (default: :obj:`True`)
        connectivity (int, optional): Neighbours of a cell: :obj:`4` or :obj:`8`.
            (default: :obj:`4`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        whole_days (bool, optional): Drop days that lack a slot, as the authors' code does; it looks
            at the first and the last slot of a day only, this at all of them.
            (default: :obj:`True`)

    Shapes:
        - **series.values:** :math:`(H W, T, 2)`, channels ``inflow`` and ``outflow`` in taxis per
          half hour, float32; nodes row-major
        - **frames:** :math:`(T, 2, H, W)`

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If :obj:`spans` are none, twice or others, if a file is not what it should be,
            or if the files do not have the same grid; the message names the file.
    """

    def __init__(
        self,
        root: str | Path,
        spans: Sequence[int] = SPANS,
        external: bool = True,
        connectivity: int = 4,
        transform: Callable | None = None,
        whole_days: bool = True,
    ) -> None:
        if len(spans) == 0 or len(set(spans)) < len(spans) or not set(spans) <= set(SPANS):
            raise ValueError(f"spans: expected numbers of {SPANS}, each once, got {tuple(spans)}")
        self.spans = tuple(sorted(spans))
        super().__init__(
            root,
            [f"BJ{span}_M32x32_T30_InOut.h5" for span in self.spans],
            slots_per_day=48,
            first_slot=1,
            channels=("inflow", "outflow"),
            source=SOURCE,
            holiday_file="BJ_Holiday.txt" if external else None,
            meteorology_file="BJ_Meteorology.h5" if external else None,
            whole_days=whole_days,
            connectivity=connectivity,
            transform=transform,
        )
