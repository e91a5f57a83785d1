r"""Bike trips in New York on a grid, by the hour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tgst.datasets.crowd_flow import CrowdFlow

SOURCE = "the folder data/BikeNYC of https://github.com/lucktroy/DeepST names the place of the file"


class BikeNYC(CrowdFlow):
    r"""BikeNYC of `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction"
    <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017): trips of New York's shared bikes that
    began and that ended in each cell of a grid of 16 rows and 8 columns, every hour from 1 April to
    30 September 2014.

    :obj:`dataset[0]` is the graph of the cells (:func:`tgst.utils.grid_graph`) with
    :obj:`edge_index`, :obj:`e_id`, :obj:`pos`, :obj:`cell`, :obj:`node_id` (``"row,column"``) and
    :obj:`num_nodes`. :obj:`dataset.series` holds the flows on its nodes, :obj:`dataset.frames` the
    same as frames :math:`(T, C, H, W)`. There are neither holidays nor weather. The file is read
    where it is and nothing is written.

    4,392 hours are published. Of the 128 cells 81 hold a station: the published errors are those of
    these cells, :math:`\sqrt{128 / 81} = 1.257` times the errors over all cells. The file was not
    at hand when this was written: the class follows the published description, and its tests the
    published layout.

    Args:
        root (str or Path): Folder with ``NYC14_M16x8_T60_NewEnd.h5`` (arrays ``data`` of hours,
            flows, rows and columns, and ``date``, YYYYMMDD and the hour, 01 to 24 or 00 to 23).
        connectivity (int, optional): Neighbours of a cell: :obj:`4` or :obj:`8`.
            (default: :obj:`4`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        whole_days (bool, optional): Drop days that lack a slot. (default: :obj:`True`)

    Shapes:
        - **series.values:** :math:`(H W, T, 2)`, channels ``new_flow`` (trips that begin) and
          ``end_flow`` in trips per hour, float32; nodes row-major
        - **frames:** :math:`(T, 2, H, W)`

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is not what it should be; the message names it.
    """

    def __init__(
        self,
        root: str | Path,
        connectivity: int = 4,
        transform: Callable | None = None,
        whole_days: bool = True,
    ) -> None:
        super().__init__(
            root,
            ["NYC14_M16x8_T60_NewEnd.h5"],
            slots_per_day=24,
            first_slot="auto",
            channels=("new_flow", "end_flow"),
            source=SOURCE,
            whole_days=whole_days,
            connectivity=connectivity,
            transform=transform,
        )
