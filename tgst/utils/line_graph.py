"""Segments as nodes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.ops import Adjacency
from tgst.utils.graph_parts import edge_attributes, node_names, sorted_edges

STRAIGHT, LEFT, RIGHT, U_TURN = range(4)

_STRAIGHT_WITHIN = torch.pi / 4


def line_graph(data: Data, *, turns: bool | None = None, geographic: bool = False) -> Data:
    r"""Makes the segments (edges) of a road network the nodes of a graph, whose edges are the
    turns from one segment into the next.

    Segment :math:`e` leads into segment :math:`f` if :math:`e` ends where :math:`f` begins, as in
    :func:`networkx.line_graph`. Segments keep the order of the edges of :obj:`data`; turns are
    ordered by the segment they come from, then by the one they lead into.

    Edge attributes become attributes of nodes without their prefix: :obj:`edge_length` (metres)
    becomes :obj:`length`, :obj:`edge_weight` :obj:`weight`, :obj:`edge_type` :obj:`segment_type`
    and :obj:`e_id` :obj:`segment_id`. Attributes of junctions are not carried.

    A turn is labelled in :obj:`edge_type` by the signed angle between the two directions, from
    the first junction of a segment straight to its last one: :obj:`0` straight (45 degrees at most
    to either side), :obj:`1` left, :obj:`2` right, :obj:`3` U-turn (back to the junction one came
    from, whatever the angle). With :obj:`pos` on an axis to the east and one to the north, left is
    left. There are four labels (:obj:`num_partitions=4`), whichever occur. A turn from or into a
    segment without extent (both ends in one place) is straight.

    Args:
        data (torch_geometric.data.Data): The road network.
        turns (bool, optional): Whether to label turns; :obj:`True` needs :obj:`pos`.
            (default: if there is :obj:`pos`)
        geographic (bool, optional): Whether :obj:`pos` is longitude and latitude in degrees:
            directions are then corrected by the cosine of the latitude, and segments may cross
            the antimeridian. (default: :obj:`False`)

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`edge_index`, :obj:`e_id`,
        :obj:`num_nodes`, :obj:`node_id` (``"tail-head"``, parallel segments with a further
        ``"-1"`` and so on), :obj:`segment_id`; the carried attributes; :obj:`edge_length`, half of
        both lengths, if segments have lengths; :obj:`pos`, the middle between both ends, and
        :obj:`edge_type` if there is :obj:`pos`.

    Shapes:
        - **edge_index:** :math:`(2, |\mathcal{T}|)`, segments
        - **edge_type:** :math:`(|\mathcal{T}|)`, :math:`0 \leq` label :math:`< 4`
        - **edge_length:** :math:`(|\mathcal{T}|)`, metres
        - **pos:** :math:`(|\mathcal{E}|, D)`

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph.
        ValueError: If turns are asked for without :obj:`pos`, :obj:`geographic` meets a latitude
            beyond 90 degrees, or an attribute is misshapen or would take a name that has another
            meaning.
    """
    edges = sorted_edges(data)
    pos = _checked_pos(data, turns)
    if geographic and pos is not None and bool((pos[:, 1].abs() > 90).any()):
        raise ValueError(
            "geographic: expected False where pos is not longitude and latitude in degrees "
            f"(the latitudes reach {float(pos[:, 1].abs().max())}), got True"
        )
    arriving, leaving = _turns(edges)
    line = Data(edge_index=torch.stack([arriving, leaving]), num_nodes=edges.num_edges)
    line.e_id = torch.arange(line.edge_index.size(1), device=arriving.device)
    line.node_id = _segment_names(node_names(data), edges)
    numbers = torch.arange(edges.num_edges, device=arriving.device)
    line.segment_id = data.e_id if "e_id" in data else numbers
    for name, value in edge_attributes(data).items():
        line[_node_name(name)] = value
    if "edge_length" in data:
        line.edge_length = (data.edge_length[arriving] + data.edge_length[leaving]) / 2
    if pos is not None:
        line.pos = pos[edges.source] + _extent(edges, pos, geographic) / 2
        if geographic:
            line.pos[:, 0] = _within_180(line.pos[:, 0])
        if turns is not False:
            line.edge_type = _labels(edges, pos, arriving, leaving, geographic)
    return line


def _checked_pos(data: Data, turns: bool | None) -> Tensor | None:
    pos = data.pos
    if pos is None:
        if turns:
            raise ValueError(
                "turns: expected None or False for a graph without pos (directions come from "
                "the coordinates of the junctions), got True"
            )
        return None
    if not isinstance(pos, Tensor) or pos.dim() != 2 or pos.size(0) != data.num_nodes:
        came = list(pos.shape) if isinstance(pos, Tensor) else type(pos).__name__
        raise ValueError(f"data.pos: expected shape [{data.num_nodes}, D], got {came}")
    if turns is not False and pos.size(1) < 2:
        raise ValueError(f"data.pos: expected two coordinates or more, got {pos.size(1)}")
    return pos if pos.is_floating_point() else pos.to(torch.get_default_dtype())


def _turns(edges: Adjacency) -> tuple[Tensor, Tensor]:
    """Every pair of a segment that ends at a junction and one that begins there."""
    begin = edges.ptr_out[edges.target]
    count = edges.ptr_out[edges.target + 1] - begin
    arriving = torch.repeat_interleave(count)
    # Number of a turn among those of its segment: its own number less that of the first one.
    first = count.cumsum(0) - count
    place = torch.arange(len(arriving), device=arriving.device) - first[arriving] + begin[arriving]
    return arriving, edges.order_out[place]


def _extent(edges: Adjacency, pos: Tensor, geographic: bool) -> Tensor:
    """From the first to the last junction of every segment."""
    extent = pos[edges.target] - pos[edges.source]
    if geographic:  # the short way round where a segment crosses the antimeridian
        extent[:, 0] = _within_180(extent[:, 0])
    return extent


def _within_180(degrees: Tensor) -> Tensor:
    turned = torch.remainder(degrees + 180, 360) - 180
    return torch.where(degrees.abs() > 180, turned, degrees)  # others stay exact


def _labels(
    edges: Adjacency, pos: Tensor, arriving: Tensor, leaving: Tensor, geographic: bool
) -> Tensor:
    direction = _extent(edges, pos.double(), geographic)[:, :2]
    before, after = direction[arriving], direction[leaving]
    if geographic:
        scale = pos[edges.target[arriving], 1].double().deg2rad().cos()
        before, after = (
            torch.stack([each[:, 0] * scale, each[:, 1]], dim=1) for each in (before, after)
        )
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    # A negative zero would turn an angle of 180 degrees into one of -180.
    angle = torch.atan2(cross + 0.0, (before * after).sum(1))
    bound = _STRAIGHT_WITHIN + 1e-6  # coordinates in single precision
    label = torch.full_like(arriving, STRAIGHT)
    label[angle > bound] = LEFT
    label[angle < -bound] = RIGHT
    back = edges.target[leaving] == edges.source[arriving]
    label[back & (edges.source[arriving] != edges.target[arriving])] = U_TURN
    return label


def _segment_names(names: list[Any], edges: Adjacency) -> list[str]:
    ends = zip(edges.source.tolist(), edges.target.tolist(), strict=True)
    segments = [f"{names[source]}-{names[target]}" for source, target in ends]
    count = Counter(segments)
    if len(count) == len(segments):
        return segments
    met: Counter[str] = Counter()
    for place, name in enumerate(segments):
        if met[name] > 0:
            unused = f"{name}-{met[name]}"
            while unused in count:
                met[name] += 1
                unused = f"{name}-{met[name]}"
            segments[place] = unused
            count[unused] += 1
        met[name] += 1
    return segments


def _node_name(name: str) -> str:
    short = "segment_type" if name == "edge_type" else name.removeprefix("edge_")
    taken = short in ("pos", "node_id", "segment_id", "e_id") or short.startswith("edge")
    if taken or (hasattr(Data, short) and short not in ("x", "y")):
        raise ValueError(
            f"data.{name}: expected a name whose rest can name an attribute of segments, got "
            f"{short!r}, which has another meaning; rename it"
        )
    return short
