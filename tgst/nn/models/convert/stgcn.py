r"""ST-GCN's released state dict, in and out."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.nn.models.convert.converted_checkpoint import ConvertedCheckpoint
from tgst.nn.models.convert.families import expect_family
from tgst.nn.models.convert.network import build_network
from tgst.nn.models.convert.published import (
    Published,
    blocks_of,
    check_exportable,
    published_tensors,
)
from tgst.nn.models.convert.reading import plain_tensors
from tgst.nn.models.skeleton_ensemble import SkeletonEnsemble
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN
from tgst.utils.skeleton import Skeleton

_IMPORTANCE = re.compile(r"edge_importance\.(0|[1-9]\d*)$")
_STREAMS = {"joint": "origin_stream.", "motion": "motion_stream."}


def from_stgcn(
    state_dict: Mapping[str, Tensor],
    strides: Sequence[int] | None = None,
    graph: Data | Skeleton | str | None = None,
    dtype: torch.dtype = torch.float32,
    **options,
) -> ConvertedCheckpoint:
    r"""Converts the state dict of the released ST-GCN code (2019, also mmskeleton's), of one
    stream or of two.

    Edges, labels and base weights are the entries of the checkpoint's own :obj:`A` that are not
    zero: never those of a layout's name, which differ between codes. The importance is taken on
    these edges only. Widths, number of classes and kernel size are read off the shapes.

    Convention:
        :obj:`A[k, v, w]` leads from joint v (source) to joint w (target) with label k. The model
        returned is in evaluation mode and has the published readout, :obj:`readout="mean"`, to
        which frames and persons of zeros contribute.

    Args:
        state_dict (mapping): Name to tensor, for example from :func:`read_checkpoint`.
        strides (sequence, optional): Stride of each block, which no shape tells. By default two
            wherever the residual is a convolution, as released. (default: :obj:`None`)
        graph (Data or Skeleton or str, optional): The graph that the checkpoint must belong to.
            Data with labels (of a partition transform) lends its order of edges and its
            :obj:`e_id`; of a skeleton, its name, or data without labels, the edges alone are
            compared. (default: :obj:`None`)
        dtype (torch.dtype, optional): Precision of the model. (default: :obj:`torch.float32`)
        **options (optional): Further arguments of :class:`~tgst.nn.models.SkeletonSTGCN`, such
            as :obj:`dropout`, :obj:`readout` or :obj:`backend`.

    Returns:
        ConvertedCheckpoint: Model and graph. The model of a two-stream checkpoint is a
        :class:`~tgst.nn.models.SkeletonEnsemble`.

    Raises:
        ValueError: If tensors are missing, surprising or of another shape, if the names belong to
            another network, or if the graph is another one.
    """
    tensors = plain_tensors(state_dict)
    family = expect_family(tensors, ("st-gcn", "two-stream"), "from_stgcn")
    arguments = {"strides": strides, "graph": graph, "dtype": dtype, **options}
    if family == "st-gcn":
        return build_network(_published(tensors), family, **arguments)
    names = tuple(_STREAMS.values())
    extra = [name for name in tensors if not name.startswith(names)]
    if extra:
        raise ValueError(f"state_dict: has no place for {', '.join(extra[:5])}")
    joint, motion = (
        build_network(_published(tensors, prefix), family, **arguments) for prefix in names
    )
    if not all(map(torch.equal, joint.graph(), motion.graph())):
        raise ValueError("state_dict: expected the same A in both streams")
    model = SkeletonEnsemble.two_stream(joint.model, motion.model).eval()
    fields = {name: getattr(joint, name) for name in joint.__dataclass_fields__}
    return ConvertedCheckpoint(**{**fields, "model": model})


def _published(tensors: Mapping[str, Tensor], prefix: str = "") -> Published:
    own = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    if "A" not in own:
        raise ValueError(f"state_dict: lacks {prefix}A, the graph")
    adjacency = own.pop("A")
    numbers = sorted(int(found[1]) for name in own if (found := _IMPORTANCE.match(name)))
    lacking = [i for i, number in enumerate(numbers) if i != number]
    if lacking:
        raise ValueError(f"state_dict: lacks {prefix}edge_importance.{lacking[0]}")
    importances = [own.pop(f"edge_importance.{i}") for i in numbers]
    return Published(own, adjacency, importances or None, lambda name: prefix + name)


def to_stgcn(
    model: SkeletonSTGCN | SkeletonEnsemble,
    edge_index: Tensor,
    edge_type: Tensor | None = None,
    edge_weight: Tensor | None = None,
    e_id: Tensor | None = None,
    num_joints: int | None = None,
) -> OrderedDict[str, Tensor]:
    r"""Writes a model as a state dict of the released ST-GCN code, names in its order.

    The logits of the released code with these weights equal the model's with
    :obj:`readout="mean"`. A model without importance gets ones. **Entries of the importance off
    the edges are not kept here**: they are multiplied by zero, and are written as ones (their
    start), so that a released file that comes in and goes out differs there. A norm per channel
    is written once per joint, and no norm as one that changes nothing: equal in evaluation mode.
    The strides are in no state dict.

    Args:
        model (SkeletonSTGCN or SkeletonEnsemble): The model, or
            :meth:`SkeletonEnsemble.two_stream <tgst.nn.models.SkeletonEnsemble.two_stream>` of two,
            which is written in the released two-stream form.
        edge_index (Tensor): :math:`(2, E)`, the graph of one person.
        edge_type (Tensor, optional): :math:`(E)`; zeros when left out. (default: :obj:`None`)
        edge_weight (Tensor, optional): :math:`(E)`; ones when left out. (default: :obj:`None`)
        e_id (Tensor, optional): :math:`(E)`, the number of each edge in the importance; in order
            when left out. (default: :obj:`None`)
        num_joints (int, optional): Number of joints; the model's or the graph's when left out.
            (default: :obj:`None`)

    Returns:
        OrderedDict: Name to tensor.

    Raises:
        ValueError: If the released network cannot express the model (causal, another
            convolution), the graph has parallel edges of one label, or labels, weights or numbers
            do not fit the edges or the model.
    """
    if isinstance(model, SkeletonEnsemble):
        graph = (edge_index, edge_type, edge_weight, e_id, num_joints)
        return _two_streams_to_stgcn(model, *graph)
    check_exportable(model)
    tensors = published_tensors(model)
    like = model.head.weight.detach()
    count = edge_index.size(1)
    label = edge_index.new_zeros(count) if edge_type is None else edge_type
    _check_edges(model, label, edge_weight, e_id, count)
    joints = _num_joints(model, tensors, edge_index, num_joints)
    place = (label, edge_index[0], edge_index[1])
    if torch.stack(place).unique(dim=1).size(1) != count:
        raise ValueError("edge_index: expected no parallel edges of one label, which A cannot hold")
    dense = like.new_zeros(model.num_partitions, joints, joints)
    weight = like.new_ones(count) if edge_weight is None else edge_weight.to(like)
    released = OrderedDict(A=dense.index_put(place, weight))
    norm = _input_norm(tensors, joints, model.in_channels, like)
    released.update({f"data_bn.{entry}": value for entry, value in norm.items()})
    released.update({k: v for k, v in tensors.items() if k.startswith("st_gcn_networks.")})
    for i, block in enumerate(blocks_of(model)):
        importance = torch.ones_like(dense)
        if block.importance is not None:
            kept = block.importance.weight.detach()
            importance = importance.index_put(place, kept if e_id is None else kept[e_id])
        released[f"edge_importance.{i}"] = importance
    released.update({k: v for k, v in tensors.items() if k.startswith("fcn.")})
    return released


def _two_streams_to_stgcn(model: SkeletonEnsemble, *graph) -> OrderedDict[str, Tensor]:
    if model.weights != dict.fromkeys(_STREAMS, 1.0) or model.fuse != "logits":
        raise ValueError(f"model: expected SkeletonEnsemble.two_stream, got {model}")
    released: OrderedDict[str, Tensor] = OrderedDict()
    for stream, prefix in _STREAMS.items():
        tensors = to_stgcn(cast(SkeletonSTGCN, model.models[stream]), *graph)
        released.update({prefix + name: value for name, value in tensors.items()})
    return released


def _check_edges(
    model: SkeletonSTGCN,
    edge_type: Tensor,
    edge_weight: Tensor | None,
    e_id: Tensor | None,
    count: int,
) -> None:
    given = {"edge_type": edge_type, "edge_weight": edge_weight, "e_id": e_id}
    for name, value in given.items():
        if value is not None and value.shape != (count,):
            raise ValueError(f"{name}: expected shape [{count}], got {list(value.shape)}")
    labels = model.num_partitions
    if count and not 0 <= int(edge_type.min()) <= int(edge_type.max()) < labels:
        raise ValueError(
            f"edge_type: expected labels in 0..{labels - 1}, as the model has, got "
            f"{int(edge_type.min())}..{int(edge_type.max())}"
        )
    if model.num_edges is None:
        return
    numbers = torch.arange(count) if e_id is None else e_id.cpu()
    if not torch.equal(numbers.sort().values, torch.arange(model.num_edges)):
        raise ValueError(
            f"e_id: expected each edge of one person once, 0 to {model.num_edges - 1} as the model "
            f"has, got {count} edges"
        )


def _num_joints(model: SkeletonSTGCN, tensors: dict, edge_index: Tensor, given: int | None) -> int:
    most = int(edge_index.max()) + 1 if edge_index.numel() else 0
    norm = tensors.get("data_bn.weight")
    own = None
    if norm is not None and norm.numel() != model.in_channels:
        own = norm.numel() // model.in_channels
    joints = given or own or most
    if own is not None and most > own:
        raise ValueError(
            f"edge_index: expected the graph of one person, joints in 0..{own - 1} as the model "
            f"has, got {most - 1}"
        )
    if joints < most or (own is not None and joints != own):
        raise ValueError(
            f"num_joints: expected {own or f'at least {most}'}, got {joints} with joints up to "
            f"{most - 1} in edge_index"
        )
    return joints


def _input_norm(tensors: dict, joints: int, channels: int, like: Tensor) -> dict[str, Tensor]:
    entries = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    if "data_bn.weight" not in tensors:
        size = joints * channels
        one, zero = like.new_ones(size), like.new_zeros(size)
        variance = one - 1e-5  # what the norm adds before it takes the root
        values = (one, zero, zero.clone(), variance, torch.tensor(0))
        return dict(zip(entries, values, strict=True))
    norm = {entry: tensors[f"data_bn.{entry}"] for entry in entries}
    if norm["weight"].numel() == joints * channels:
        return norm
    return {k: v.repeat(joints) if v.dim() else v for k, v in norm.items()}
