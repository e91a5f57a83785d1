"""Named converters between the layout of this package and those of other codes.

Every converter returns a view: nothing is copied, but for grids with holes. No layer guesses a
layout; a tensor enters and leaves through one of these.
"""

from __future__ import annotations

import torch
from torch import Tensor


def from_btnc(x: Tensor) -> Tensor:
    r"""Converts windows of tsl and LargeST to nodes first: :obj:`[B, T, N, C]` to
    :obj:`[N, B, T, C]`.

    Args:
        x (torch.Tensor): Batch, time, nodes, channels.

    Raises:
        ValueError: If :obj:`x` has not 4 dimensions.
    """
    return _permuted(x, "[B, T, N, C]", (2, 0, 1, 3))


def to_btnc(x: Tensor) -> Tensor:
    r"""Converts nodes first to windows of tsl and LargeST: :obj:`[N, B, T, C]` to
    :obj:`[B, T, N, C]`.

    Args:
        x (torch.Tensor): Nodes, batch, time, channels.

    Raises:
        ValueError: If :obj:`x` has not 4 dimensions.
    """
    return _permuted(x, "[N, B, T, C]", (1, 2, 0, 3))


def from_bctn(x: Tensor) -> Tensor:
    r"""Converts windows of the STGCN codes to nodes first: :obj:`[B, C, T, N]` to
    :obj:`[N, B, T, C]`.

    Args:
        x (torch.Tensor): Batch, channels, time, nodes.

    Raises:
        ValueError: If :obj:`x` has not 4 dimensions.
    """
    return _permuted(x, "[B, C, T, N]", (3, 0, 2, 1))


def to_bctn(x: Tensor) -> Tensor:
    r"""Converts nodes first to windows of the STGCN codes: :obj:`[N, B, T, C]` to
    :obj:`[B, C, T, N]`.

    Args:
        x (torch.Tensor): Nodes, batch, time, channels.

    Raises:
        ValueError: If :obj:`x` has not 4 dimensions.
    """
    return _permuted(x, "[N, B, T, C]", (1, 3, 2, 0))


def from_nctvm(x: Tensor) -> Tensor:
    r"""Converts clips of ST-GCN to nodes first: :obj:`(N, C, T, V, M)` to :obj:`[V, N, M, T, C]`.

    Convention: these are the letters of ST-GCN, where N counts clips, V joints and M persons; N
    and M become batch dimensions.

    Args:
        x (torch.Tensor): Clips, channels, time, joints, persons.

    Raises:
        ValueError: If :obj:`x` has not 5 dimensions.
    """
    return _permuted(x, "[N, C, T, V, M]", (3, 0, 4, 2, 1))


def to_nctvm(x: Tensor) -> Tensor:
    r"""Converts nodes first to clips of ST-GCN: :obj:`[V, N, M, T, C]` to :obj:`(N, C, T, V, M)`.

    Convention: these are the letters of ST-GCN, where N counts clips, V joints and M persons.

    Args:
        x (torch.Tensor): Joints, clips, persons, time, channels.

    Raises:
        ValueError: If :obj:`x` has not 5 dimensions.
    """
    return _permuted(x, "[V, N, M, T, C]", (1, 4, 3, 0, 2))


def grid_to_nodes(x: Tensor, cell: Tensor | None = None, *, channels: int | None = None) -> Tensor:
    r"""Converts images to nodes first: :obj:`[*, T, C, H, W]` to :obj:`[N, *, T, C]`, or, with
    :obj:`channels`, frames stacked in the channels as those of :class:`tgst.nn.models.STResNet`:
    :obj:`[*, T * C, H, W]` to :obj:`[N, *, T, C]`.

    A single frame :obj:`[*, C, H, W]` becomes :obj:`[N, *, C]`. Nothing is lost:
    :func:`nodes_to_grid` is the way back.

    Convention: nodes are row-major, node :math:`r W + c` is the cell in row :math:`r` (0 at the
    top) and column :math:`c`, as in :func:`tgst.utils.grid_graph`. Stacked frames are the slow
    index, :obj:`t * C + c`. The order of the steps is kept: where a network takes the most recent
    frame first, flip the time.

    Args:
        x (torch.Tensor): Any number of leading dimensions, channels, rows, columns.
        cell (torch.Tensor, optional): The cells that are nodes, :obj:`data.cell` of
            :func:`tgst.utils.grid_graph`; the result is then a copy. (default: :obj:`None`, all)
        channels (int, optional): Number of channels :math:`C` of each of the stacked frames.
            (default: :obj:`None`, not stacked)

    Shapes:
        - **x:** :math:`(*, T, C, H, W)` or :math:`(*, T C, H, W)`
        - **cell:** :math:`(N)`, long
        - **output:** :math:`(N, *, T, C)`

    Raises:
        ValueError: If :obj:`x` has fewer than 3 dimensions or its frames do not have
            :obj:`channels` channels, or if :obj:`cell` names a cell outside of the grid.
    """
    if x.dim() < 3:
        raise ValueError(
            f"x: expected 3 dimensions or more [*, C, H, W], got shape {list(x.shape)}"
        )
    height, width = x.shape[-2:]
    if channels is not None:
        if channels < 1 or x.size(-3) % channels:
            raise ValueError(
                f"channels: expected frames of {channels} channels stacked in dimension -3 of "
                f"[*, T * C, H, W], got shape {list(x.shape)}"
            )
        x = x.unflatten(-3, (x.size(-3) // channels, channels))
    x = x.flatten(-2).movedim(-1, 0)
    if cell is None:
        return x
    _check_cells(cell, height, width)
    return x.index_select(0, cell)


def nodes_to_grid(
    x: Tensor,
    height: int,
    width: int,
    cell: Tensor | None = None,
    *,
    stacked: bool = False,
    fill_value: float = 0.0,
) -> Tensor:
    r"""Converts nodes first to images: :obj:`[N, *, T, C]` to :obj:`[*, T, C, H, W]`, or, with
    :obj:`stacked`, to frames stacked in the channels as :class:`tgst.nn.models.STResNet` takes
    them: :obj:`[N, *, T, C]` to :obj:`[*, T * C, H, W]`.

    The way back from :func:`grid_to_nodes`, with its conventions.

    Args:
        x (torch.Tensor): Nodes, any number of further dimensions.
        height (int): Number of rows :math:`H`.
        width (int): Number of columns :math:`W`.
        cell (torch.Tensor, optional): The cells that are nodes, :obj:`data.cell` of
            :func:`tgst.utils.grid_graph`; the result is then a copy. (default: :obj:`None`, all)
        stacked (bool, optional): Whether to stack time in the channels; step :obj:`t` and channel
            :obj:`c` become channel :obj:`t * C + c`. (default: :obj:`False`)
        fill_value (float, optional): What the cells that are no node hold. (default: :obj:`0.0`)

    Shapes:
        - **x:** :math:`(N, *, T, C)`
        - **cell:** :math:`(N)`, long
        - **output:** :math:`(*, T, C, H, W)` or :math:`(*, T C, H, W)`

    Raises:
        ValueError: If :obj:`x` has not one node per cell, has no two last dimensions to stack, or
            if :obj:`cell` names a cell outside of the grid.
    """
    num_nodes = height * width if cell is None else cell.numel()
    if x.dim() < 2 or x.size(0) != num_nodes:
        cells = f"H * W = {height} * {width} cells" if cell is None else f"{num_nodes} cells"
        raise ValueError(
            f"x: expected [N, *, T, C] with a node for each of the {cells}, got shape "
            f"{list(x.shape)}"
        )
    if cell is not None:
        _check_cells(cell, height, width)
        filled = x.new_full((height * width, *x.shape[1:]), fill_value)
        x = filled.index_copy(0, cell, x)
    if stacked:
        if x.dim() < 3:
            raise ValueError(
                f"x: expected [N, *, T, C] to stack its steps, got shape {list(x.shape)}"
            )
        x = x.flatten(-2)
    return x.unflatten(0, (height, width)).movedim((0, 1), (-2, -1))


def _check_cells(cell: Tensor, height: int, width: int) -> None:
    if cell.dim() != 1 or cell.dtype != torch.long:
        raise ValueError(
            f"cell: expected shape [N] and dtype torch.int64, got {list(cell.shape)} and "
            f"{cell.dtype}"
        )
    outside = (cell < 0) | (cell >= height * width)
    if outside.any():
        raise ValueError(
            f"cell: expected numbers in 0..{height * width - 1} (H * W = {height} * {width}), got "
            f"{int(cell[outside][0])}"
        )


def _permuted(x: Tensor, layout: str, order: tuple[int, ...]) -> Tensor:
    if x.dim() != len(order):
        raise ValueError(f"x: expected {len(order)} dimensions {layout}, got shape {list(x.shape)}")
    return x.permute(order)
