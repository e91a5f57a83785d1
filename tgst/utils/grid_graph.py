r"""Cells of a grid as nodes."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.ops.adjacency import check_count

Wrap = Literal["height", "width"]


def grid_graph(
    height: int,
    width: int,
    connectivity: int = 4,
    *,
    radius: int = 1,
    wrap: bool | Wrap = False,
    mask: Tensor | None = None,
) -> Data:
    r"""Makes the cells of a grid (an image, a city map, a weather field) the nodes of a graph,
    whose edges join neighbouring cells.

    .. math::
        (j \to i) \in \mathcal{E} \iff j \neq i, \quad \begin{cases}
            |\Delta r| + |\Delta c| \leq R & \text{connectivity 4} \\
            \max(|\Delta r|, |\Delta c|) \leq R & \text{connectivity 8}
        \end{cases}

    with :math:`(\Delta r, \Delta c)` row and column of :math:`j` less those of :math:`i`. Every
    pair of neighbours has an edge in both directions; there are no self loops. Edges are sorted by
    target, then by :math:`\Delta r`, then by :math:`\Delta c`.

    Convention:
        Image orientation: row 0 is at the top, column 0 at the left. Nodes are row-major: the cell
        in row :math:`r` and column :math:`c` has the number :math:`r W + c`, as in
        :obj:`image.flatten(-2)`. :obj:`pos` is :math:`(c, H - 1 - r)`, with **y upwards**, so that
        a drawn graph stands like the image (:func:`torch_geometric.utils.grid` does the same):
        take rows from :obj:`cell` rather than from :obj:`pos`.

    Args:
        height (int): Number of rows :math:`H`.
        width (int): Number of columns :math:`W`.
        connectivity (int, optional): :obj:`4` for neighbours that share a side, :obj:`8` for those
            at a corner too. (default: :obj:`4`)
        radius (int, optional): Reach :math:`R` in cells; with :obj:`connectivity=8` the
            neighbours and the cell itself fill the window of a convolution of size
            :math:`2 R + 1`. (default: :obj:`1`)
        wrap (bool or str, optional): Whether opposite borders are neighbours: :obj:`True` for all
            four, :obj:`"width"` for left and right (longitudes), :obj:`"height"` for top and
            bottom. (default: :obj:`False`)
        mask (torch.Tensor, optional): :obj:`True` where a cell is a node. The others (lakes, cells
            without a road) are left out, and nodes are numbered on in the order of the cells that
            are kept. (default: :obj:`None`, all cells)

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`edge_index`, :obj:`e_id`, :obj:`pos`,
        :obj:`cell` (the number :math:`r W + c` of every node's cell), :obj:`node_id`
        (``"row,column"``), :obj:`num_nodes`, and the plain numbers :obj:`height` and :obj:`width`.

    Shapes:
        - **mask:** :math:`(H, W)`, bool
        - **pos:** :math:`(N, 2)`
        - **cell:** :math:`(N)`, long

    Raises:
        TypeError: If a size is no integer.
        ValueError: If a size is below 1, :obj:`connectivity` or :obj:`wrap` is none of the choices,
            a wrapped side has fewer than :math:`2 R + 1` cells (two neighbours would be one cell),
            or :obj:`mask` is misshapen or leaves no cell.
    """
    height = check_count("height", height, at_least=1)
    width = check_count("width", width, at_least=1)
    offsets = _offsets(connectivity, check_count("radius", radius, at_least=1))
    around = _checked_wrap(wrap, height, width, radius)
    cell = _cells(mask, height, width)
    node = cell.new_full((height * width,), -1)  # the node of every cell
    node[cell] = torch.arange(cell.numel(), device=cell.device)

    place = torch.stack([cell // width, cell % width], dim=1)
    neighbour = place[:, None] + offsets.to(cell.device)  # [N, offsets, 2]
    size = neighbour.new_tensor([height, width])
    inside = ((neighbour >= 0) & (neighbour < size) | neighbour.new_tensor(around).bool()).all(-1)
    row, column = neighbour.remainder(size).unbind(-1)
    source = torch.where(inside, node[row * width + column], -1)
    target = torch.arange(cell.numel(), device=cell.device)[:, None].expand_as(source)
    edge_index = torch.stack([source, target])[:, source >= 0]

    data = Data(edge_index=edge_index, num_nodes=cell.numel(), cell=cell)
    data.height, data.width = height, width
    data.e_id = torch.arange(edge_index.size(1), device=cell.device)
    data.pos = torch.stack([place[:, 1], height - 1 - place[:, 0]], dim=1).to(
        torch.get_default_dtype()
    )
    data.node_id = [f"{row},{column}" for row, column in place.tolist()]
    return data


def _offsets(connectivity: int, radius: int) -> Tensor:
    """Every (row, column) from a cell to a neighbour, rows first."""
    if connectivity not in (4, 8) or isinstance(connectivity, bool | Tensor):
        raise ValueError(f"connectivity: expected 4 or 8, got {connectivity!r}")
    reach = torch.arange(-radius, radius + 1)
    offsets = torch.cartesian_prod(reach, reach)
    distance = offsets.abs().sum(1) if connectivity == 4 else offsets.abs().amax(1)
    return offsets[(distance > 0) & (distance <= radius)]


def _checked_wrap(wrap: Any, height: int, width: int, radius: int) -> tuple[bool, bool]:
    """Whether rows and columns go on at the opposite border."""
    if not isinstance(wrap, bool) and wrap not in get_args(Wrap):
        raise ValueError(f"wrap: expected True, False, 'height' or 'width', got {wrap!r}")
    around = (wrap is True or wrap == "height", wrap is True or wrap == "width")
    for name, size, wrapped in (("height", height, around[0]), ("width", width, around[1])):
        if wrapped and size < 2 * radius + 1:
            raise ValueError(
                f"{name}: expected at least {2 * radius + 1} cells where borders wrap (with fewer, "
                f"neighbours at two offsets are one cell), got {size}"
            )
    return around


def _cells(mask: Tensor | None, height: int, width: int) -> Tensor:
    """The row-major numbers of the cells that are nodes."""
    if mask is None:
        return torch.arange(height * width)
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.shape != (height, width):
        came = f"{mask.dtype} {list(mask.shape)}" if isinstance(mask, Tensor) else type(mask)
        raise ValueError(f"mask: expected torch.bool [H, W] = [{height}, {width}], got {came}")
    cell = mask.flatten().nonzero().flatten()
    if cell.numel() == 0:
        raise ValueError("mask: expected at least one cell that is True, got none")
    return cell
