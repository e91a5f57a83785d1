"""Partitions of a grid by the place of the source relative to the target."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.edges import checked_graph, checked_int, edge_name
from tgst.transforms.partition import LabelledEdges, Normalization, Partition


class _Grid(NamedTuple):
    """The cell of every node, and the size of the grid."""

    cell: Tensor
    height: int
    width: int


@functional_transform("tgst_offset_partition")
class OffsetPartition(Partition):
    r"""Labels every edge of a grid graph by its offset in rows and columns, so that
    :class:`tgst.nn.PartitionConv` on the graph is the convolution of an image.

    .. math::
        \ell(j \to i) = \ell(\Delta r, \Delta c), \quad
        \Delta r = r_j - r_i, \; \Delta c = c_j - c_i \in \{-R, \dots, R\}

    There are :math:`(2 R + 1)^2` labels. Label 0 is the offset :math:`(0, 0)`, the node itself; the
    others follow row by row, from :math:`(-R, -R)` to :math:`(R, R)`. With :math:`R = 1`:

    .. math::
        \begin{pmatrix} 1 & 2 & 3 \\ 4 & 0 & 5 \\ 6 & 7 & 8 \end{pmatrix}

    :obj:`offsets` lists them. On the graph of :func:`tgst.utils.grid_graph` with
    :obj:`connectivity=8`, :obj:`PartitionConv(in_channels, out_channels, num_partitions=9)` equals
    :obj:`torch.nn.Conv2d(in_channels, out_channels, 3, padding=1)`, and with :obj:`wrap=True` the
    one with :obj:`padding_mode="circular"`, if :obj:`conv.weight[k]` is
    :obj:`kernel[:, :, R + dr, R + dc].T` for :obj:`dr, dc = offsets[k]`:
    :meth:`weight_from_kernel`. Where cells are left out it is the convolution of an image that is
    zero there, read at the cells that are nodes. With :obj:`connectivity=4` the corners of the
    kernel have no edges.

    Convention: image orientation, row 0 at the top; the cell in row :math:`r` and column :math:`c`
    has the number :math:`r W + c`. Cells come from :obj:`data.cell`, or are the numbers of the
    nodes where there is none, and the size of the grid from :obj:`data.height` and
    :obj:`data.width`; :obj:`data.pos`, whose direction differs from code to code, is not read. An
    edge longer than :math:`R` is taken around the border of the grid if it is short enough that
    way. Weights stay as they are by default (:obj:`normalize=None`), unlike those of
    other partitions: a convolution sums.

    Self loops, normalisation, edge ids and other edge attributes: :class:`Partition`.

    Args:
        radius (int, optional): Largest offset :math:`R` in rows and in columns.
            (default: :obj:`1`)
        height (int, optional): Number of rows :math:`H` of the grid; needed where the graph does
            not have it. (default: :obj:`None`, that of the graph)
        width (int, optional): Number of columns :math:`W` of the grid; likewise.
            (default: :obj:`None`)
        normalize (str, optional): As of :class:`Partition`. (default: :obj:`None`)
        **kwargs (optional): :obj:`alpha`, :obj:`add_self_loops` and :obj:`fill_value` of
            :class:`Partition`.

    Shapes:
        - **data.cell:** :math:`(N)`, long

    Raises:
        TypeError: If a size is no integer.
        ValueError: If a size is below 1, missing, or not that of the graph, the cells of the nodes
            do not fit the grid, or an edge leads farther than :obj:`radius`.
    """

    _grid: _Grid  # of the graph at hand

    def __init__(
        self,
        radius: int = 1,
        height: int | None = None,
        width: int | None = None,
        normalize: Normalization | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(normalize, **kwargs)
        self.radius = _at_least_1("radius", radius)
        self.height = None if height is None else _at_least_1("height", height)
        self.width = None if width is None else _at_least_1("width", width)

    @property
    def num_partitions(self) -> int:
        r"""One per offset, the node itself included."""
        return (2 * self.radius + 1) ** 2

    @property
    def offsets(self) -> tuple[tuple[int, int], ...]:
        r"""Entry k is the (row, column) of a source of label k, relative to its target."""
        reach = range(-self.radius, self.radius + 1)
        around = [(row, column) for row in reach for column in reach if (row, column) != (0, 0)]
        return ((0, 0), *around)

    def weight_from_kernel(self, kernel: Tensor) -> Tensor:
        r"""Orders the weight of a :class:`torch.nn.Conv2d` as that of a
        :class:`tgst.nn.PartitionConv`.

        Args:
            kernel (torch.Tensor): Weight of the convolution.

        Shapes:
            - **kernel:** :math:`(C_{out}, C_{in}, 2 R + 1, 2 R + 1)`
            - **output:** :math:`((2 R + 1)^2, C_{in}, C_{out})`

        Raises:
            ValueError: If the kernel has another size.
        """
        size = 2 * self.radius + 1
        if kernel.dim() != 4 or kernel.shape[2:] != (size, size):
            raise ValueError(
                f"kernel: expected [C_out, C_in, {size}, {size}] for radius={self.radius}, got "
                f"{list(kernel.shape)}"
            )
        return kernel.flatten(2)[..., self._places()].permute(2, 1, 0)

    def kernel_from_weight(self, weight: Tensor) -> Tensor:
        r"""The way back from :meth:`weight_from_kernel`.

        Args:
            weight (torch.Tensor): Weight of the :class:`tgst.nn.PartitionConv`.

        Shapes:
            - **weight:** :math:`((2 R + 1)^2, C_{in}, C_{out})`
            - **output:** :math:`(C_{out}, C_{in}, 2 R + 1, 2 R + 1)`

        Raises:
            ValueError: If the weight does not have a matrix per offset.
        """
        size = 2 * self.radius + 1
        if weight.dim() != 3 or weight.size(0) != size**2:
            raise ValueError(
                f"weight: expected [{size**2}, C_in, C_out] for radius={self.radius}, got "
                f"{list(weight.shape)}"
            )
        label = torch.tensor(self._places()).argsort()
        return weight[label].permute(2, 1, 0).unflatten(2, (size, size))

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`edge_type`, :obj:`edge_weight` and :obj:`e_id`."""
        _, num_nodes = checked_graph(data)
        given = copy.copy(self)
        height, width = self._size_of(data, "height"), self._size_of(data, "width")
        given._grid = _Grid(_cells_of(data, num_nodes, height, width), height, width)
        return super(OffsetPartition, given).forward(data)

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Labels the edges by their offsets."""
        cell, height, width = self._grid
        cell = cell[edges.edge_index]
        (source_row, target_row), (source_column, target_column) = cell // width, cell % width
        rows = self._offset(source_row - target_row, height)
        columns = self._offset(source_column - target_column, width)
        far = (torch.maximum(rows.abs(), columns.abs()) > self.radius).nonzero()
        if far.numel() > 0:
            edge = int(far[0])
            raise ValueError(
                f"data.edge_index: expected edges of at most {self.radius} rows and columns on a "
                f"grid of {height} x {width} cells, got {edge_name(edges.edge_index, edge)} "
                f"over {abs(int(rows[edge]))} rows and {abs(int(columns[edge]))} columns"
            )
        place = (rows + self.radius) * (2 * self.radius + 1) + columns + self.radius
        label = torch.tensor(self._places(), device=place.device).argsort()
        return edges._replace(label=label[place])

    def _offset(self, direct: Tensor, size: int) -> Tensor:
        """The offset along one side, around the border where the direct way is too far."""
        around = direct - direct.sign() * size
        shorter = (direct.abs() > self.radius) & (around.abs() < direct.abs())
        return torch.where(shorter, around, direct)

    def _size_of(self, data: Data, name: str) -> int:
        given, known = getattr(self, name), data.get(name)
        if isinstance(known, Tensor) and known.numel() == 1:  # a graph out of a Batch
            known = known.item()
        if known is None and given is None:
            raise ValueError(
                f"{name}: expected the number for a graph without data.{name}, got None"
            )
        known = given if known is None else _at_least_1(f"data.{name}", known)
        # A wrong width may go unnoticed otherwise: most edges are then short around the border.
        if given is not None and given != known:
            raise ValueError(f"{name}: expected {known}, that of the graph, got {given}")
        return known

    def _places(self) -> list[int]:
        """Where the offset of every label is in a flattened kernel."""
        size = 2 * self.radius + 1
        return [(r + self.radius) * size + c + self.radius for r, c in self.offsets]


def _cells_of(data: Data, num_nodes: int, height: int, width: int) -> Tensor:
    cell, num_cells = data.get("cell"), height * width
    grid = f"a grid of {height} x {width} = {num_cells} cells"
    if cell is None:
        if num_nodes != num_cells:
            raise ValueError(
                f"data: expected a node for every cell of {grid}, or data.cell, got "
                f"{num_nodes} nodes without it"
            )
        return torch.arange(num_cells, device=data.edge_index.device)
    if not isinstance(cell, Tensor) or cell.shape != (num_nodes,) or cell.dtype != torch.long:
        came = f"{cell.dtype} {list(cell.shape)}" if isinstance(cell, Tensor) else type(cell)
        raise ValueError(f"data.cell: expected torch.int64 [{num_nodes}], got {came}")
    outside = cell[(cell < 0) | (cell >= num_cells)]
    if outside.numel() > 0:
        raise ValueError(f"data.cell: expected cells of {grid}, got {int(outside[0])}")
    cells, count = cell.unique(return_counts=True)
    if cells.numel() < num_nodes:
        twice = int(cells[count > 1][0])
        raise ValueError(f"data.cell: expected another cell for every node, got {twice} twice")
    return cell


def _at_least_1(name: str, value: Any) -> int:
    value = checked_int(name, value)
    if value < 1:
        raise ValueError(f"{name}: expected a number >= 1, got {value}")
    return value
