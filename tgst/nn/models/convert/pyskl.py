r"""The state dicts of ST-GCN in PYSKL and mmaction2, in and out."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.nn.models.convert.converted_checkpoint import ConvertedCheckpoint
from tgst.nn.models.convert.families import expect_family
from tgst.nn.models.convert.network import build_network, checked_adjacency
from tgst.nn.models.convert.published import Published, check_exportable
from tgst.nn.models.convert.reading import plain_tensors
from tgst.nn.models.convert.stgcn import to_stgcn
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN
from tgst.utils.skeleton import Skeleton

# Names inside a block, PYSKL's and the released ones.
_PARTS = {
    "gcn.conv": "gcn.conv",
    "gcn.bn": "tcn.0",
    "tcn.conv": "tcn.2",
    "tcn.bn": "tcn.3",
    "residual.conv": "residual.0",
    "residual.bn": "residual.1",
}
_HEADS = {"pyskl": "cls_head.fc_cls", "mmaction2": "cls_head.fc"}
_GRAPH = re.compile(r"backbone\.gcn\.(0|[1-9]\d*)\.gcn\.(A|PA)$")


def from_pyskl(
    state_dict: Mapping[str, Tensor],
    strides: Sequence[int] | None = None,
    graph: Data | Skeleton | str | None = None,
    dtype: torch.dtype = torch.float32,
    adaptive: str = "importance",
    **options,
) -> ConvertedCheckpoint:
    r"""Converts the state dict of PYSKL's or mmaction2's STGCN.

    Their graph convolution comes in four forms. Without :obj:`PA` the graph is :obj:`A` as it is
    or, where it differs between the blocks, learnt (:obj:`adaptive="init"` there): every entry is
    then an edge of weight one whose importance is the learnt entry. With :obj:`PA` the graph is
    the product :obj:`A * PA` or, which no name tells, the sum :obj:`A + PA`. With
    :obj:`conv_pos="post"` the bias is added behind the graph: it is moved into the mean of the
    norm that follows, which changes no output.

    Args:
        state_dict (mapping): Name to tensor, for example from :func:`read_checkpoint`.
        strides (sequence, optional): As in :func:`from_stgcn`. (default: :obj:`None`)
        graph (Data or Skeleton or str, optional): As in :func:`from_stgcn`.
            (default: :obj:`None`)
        dtype (torch.dtype, optional): Precision of the model. (default: :obj:`torch.float32`)
        adaptive (str, optional): What :obj:`PA` is, :obj:`"importance"` or :obj:`"offset"`.
            (default: :obj:`"importance"`)
        **options (optional): Further arguments of :class:`~tgst.nn.models.SkeletonSTGCN`.

    Returns:
        ConvertedCheckpoint: Model and graph.

    Raises:
        ValueError: If tensors are missing, surprising or of another shape, if the names belong to
            another network (ST-GCN++, AAGCN, CTR-GCN), or if the graph is another one.
    """
    if adaptive not in ("importance", "offset"):
        raise ValueError(f"adaptive: expected 'importance' or 'offset', got {adaptive!r}")
    tensors = plain_tensors(state_dict)
    family = expect_family(tensors, ("pyskl",), "from_pyskl")
    head = _HEADS["mmaction2" if "cls_head.fc.weight" in tensors else "pyskl"]
    adjacency, importances = _graph(tensors, adaptive)
    renamed = {
        _released(name, head): value for name, value in tensors.items() if not _GRAPH.match(name)
    }
    if renamed.get("fcn.weight", adjacency).dim() == 2:
        renamed["fcn.weight"] = renamed["fcn.weight"][..., None, None]
    published = Published(renamed, adjacency, importances, lambda name: _pyskl_name(name, head))
    for block in sorted({found[1] for name in renamed if (found := _CONV.match(name))}):
        _bias_into_norm(renamed, block, adjacency.size(0))
    return build_network(published, family, strides, graph, dtype, **options)


_CONV = re.compile(r"st_gcn_networks\.(\d+)\.gcn\.conv\.weight$")


def _graph(tensors: dict[str, Tensor], adaptive: str) -> tuple[Tensor, list[Tensor] | None]:
    found: dict[str, dict[int, Tensor]] = {"A": {}, "PA": {}}
    for name, value in tensors.items():
        if match := _GRAPH.match(name):
            found[match[2]][int(match[1])] = checked_adjacency(value)
    blocks = range(max(len(found["A"]), len(found["PA"]), 1))
    for kind in ["A"] + ["PA"] * bool(found["PA"]):
        lacking = [i for i in blocks if i not in found[kind]]
        if lacking:
            raise ValueError(f"state_dict: lacks backbone.gcn.{lacking[0]}.gcn.{kind}")
    bases, learnt = ([found[kind][i] for i in sorted(found[kind])] for kind in ("A", "PA"))
    same = all(torch.equal(base, bases[0]) for base in bases)
    if same and not (learnt and adaptive == "offset"):
        return bases[0], learnt or None
    effective = bases
    if learnt and adaptive == "importance":
        effective = [base * part for base, part in zip(bases, learnt, strict=True)]
    elif learnt:
        effective = [base + part for base, part in zip(bases, learnt, strict=True)]
    used = torch.stack(effective).ne(0).any(0)
    return used.to(bases[0].dtype), effective


def _released(name: str, head: str) -> str:
    part, _, entry = name.rpartition(".")
    if part == head:
        return f"fcn.{entry}"
    if part == "backbone.data_bn":
        return f"data_bn.{entry}"
    match = re.match(r"backbone\.gcn\.(\d+)\.(.+)$", part)
    if match and match[2] in _PARTS:
        return f"st_gcn_networks.{match[1]}.{_PARTS[match[2]]}.{entry}"
    return name


def _pyskl_name(name: str, head: str) -> str:
    part, _, entry = name.rpartition(".")
    if part == "fcn":
        return f"{head}.{entry}"
    if part == "data_bn":
        return f"backbone.data_bn.{entry}"
    match = re.match(r"st_gcn_networks\.(\d+)\.(.+)$", part)
    if match:
        theirs = {released: own for own, released in _PARTS.items()}
        return f"backbone.gcn.{match[1]}.{theirs[match[2]]}.{entry}"
    return name


def _bias_into_norm(tensors: dict[str, Tensor], block: str, partitions: int) -> None:
    # conv_pos="post": one convolution from K C to C' channels, behind the graph.
    conv, norm = (f"st_gcn_networks.{block}.{part}" for part in ("gcn.conv", "tcn.0"))
    mean, bias = tensors.get(f"{norm}.running_mean"), tensors.get(f"{conv}.bias")
    weight = tensors[f"{conv}.weight"]
    if mean is None or bias is None or partitions == 1 or weight.size(0) != mean.numel():
        return
    if weight.dim() != 4 or weight.size(1) % partitions:  # refused with all other shapes
        return
    width, channels = mean.numel(), weight.size(1) // partitions
    split = weight.reshape(width, partitions, channels, 1, 1).transpose(0, 1)
    tensors[f"{conv}.weight"] = split.reshape(partitions * width, channels, 1, 1)
    tensors[f"{conv}.bias"] = torch.zeros_like(bias).repeat(partitions)
    tensors[f"{norm}.running_mean"] = mean - bias


def to_pyskl(
    model: SkeletonSTGCN,
    edge_index: Tensor,
    edge_type: Tensor | None = None,
    edge_weight: Tensor | None = None,
    e_id: Tensor | None = None,
    num_joints: int | None = None,
    style: str = "pyskl",
) -> OrderedDict[str, Tensor]:
    r"""Writes a model as a state dict of PYSKL's or mmaction2's STGCN with
    :obj:`adaptive="importance"`.

    Args:
        model (SkeletonSTGCN): The model.
        edge_index (Tensor): As in :func:`to_stgcn`.
        edge_type (Tensor, optional): As in :func:`to_stgcn`. (default: :obj:`None`)
        edge_weight (Tensor, optional): As in :func:`to_stgcn`. (default: :obj:`None`)
        e_id (Tensor, optional): As in :func:`to_stgcn`. (default: :obj:`None`)
        num_joints (int, optional): As in :func:`to_stgcn`. (default: :obj:`None`)
        style (str, optional): :obj:`"pyskl"` or :obj:`"mmaction2"`, which name the head
            differently. (default: :obj:`"pyskl"`)

    Returns:
        OrderedDict: Name to tensor.

    Raises:
        ValueError: As :func:`to_stgcn`, and if the style is unknown.
    """
    if style not in _HEADS:
        raise ValueError(f"style: expected one of {sorted(_HEADS)}, got {style!r}")
    check_exportable(model)
    released = to_stgcn(model, edge_index, edge_type, edge_weight, e_id, num_joints)
    adjacency = released.pop("A")
    tensors: OrderedDict[str, Tensor] = OrderedDict()
    for name, value in released.items():
        if name.startswith("edge_importance."):
            block = name.rpartition(".")[2]
            tensors[f"backbone.gcn.{block}.gcn.A"] = adjacency.clone()
            tensors[f"backbone.gcn.{block}.gcn.PA"] = value
        else:
            tensors[_pyskl_name(name, _HEADS[style])] = value
    head = f"{_HEADS[style]}.weight"
    tensors[head] = tensors[head].flatten(1)
    return tensors
