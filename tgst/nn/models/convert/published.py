r"""The names and shapes of ST-GCN as released, beside the ones here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from torch import Tensor

from tgst.nn.blocks.skeleton_block import SkeletonBlock
from tgst.nn.conv import PartitionConv
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN

# Released module names and ours, in the order in which a released state dict lists them.
_BLOCK_PARTS = {
    "gcn.conv": "conv",
    "tcn.0": "norm1",
    "tcn.2": "temporal",
    "tcn.3": "norm2",
    "residual.0": "residual_conv",
    "residual.1": "residual_norm",
}
_OUTER_PARTS = {"data_bn": "data_norm", "fcn": "head"}
_NORM_ENTRIES = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_COUNTER = "num_batches_tracked"  # absent in old files, and nothing depends on it
_SHOWN = 5


@dataclass
class Published:
    r"""One ST-GCN under the released names, its graph and its importance taken out.

    Args:
        tensors (dict): The released name of each tensor and the tensor.
        adjacency (Tensor): :math:`(K, V, V)`, row source, column target.
        importances (list, optional): One :math:`(K, V, V)` tensor per block.
        original (callable): The name that a tensor has in the file, for messages.
    """

    tensors: dict[str, Tensor]
    adjacency: Tensor
    importances: list[Tensor] | None
    original: Callable[[str], str] = field(default=str)


def to_own(name: str, value: Tensor, num_partitions: int) -> tuple[str, Tensor]:
    r"""Translates a released tensor into ours.

    Args:
        name (str): Its released name.
        value (Tensor): The tensor.
        num_partitions (int): Number of partitions :math:`K`.

    Returns:
        tuple: Our name and our form.
    """
    part, entry = name.rsplit(".", 1)
    if part in _OUTER_PARTS:
        own = value.flatten(1) if name == "fcn.weight" else value
        return f"{_OUTER_PARTS[part]}.{entry}", own
    _, block, part = part.split(".", 2)
    if part == "gcn.conv":
        # Partition k owns the output channels k C' to (k + 1) C'; a 1x1 convolution stores (out,
        # in), PartitionConv (in, out).
        value = value.reshape(num_partitions, -1, *value.shape[1:2])
        value = value.transpose(1, 2) if entry == "weight" else value
    elif part in ("tcn.2", "residual.0") and entry == "weight":
        value = value.squeeze(-1)
    return f"blocks.{block}.{_BLOCK_PARTS[part]}.{entry}", value.contiguous()


def published_tensors(model: SkeletonSTGCN) -> dict[str, Tensor]:
    r"""Writes a model's tensors under the released names, in the released order, without the
    graph and the importance.

    Args:
        model (SkeletonSTGCN): The model.

    Returns:
        dict: Released name to tensor.
    """
    own = model.state_dict()
    return {name: _from_own(name, own[to_name]) for name, to_name in _names(model)}


def _from_own(name: str, value: Tensor) -> Tensor:
    part, entry = name.rsplit(".", 1)
    part = part.split(".", 2)[-1]
    if entry == "weight" and part == "gcn.conv":
        value = value.transpose(1, 2).flatten(0, 1)[..., None, None]
    elif part == "gcn.conv":
        value = value.flatten()
    elif entry == "weight" and part in ("tcn.2", "residual.0"):
        value = value.unsqueeze(-1)
    elif name == "fcn.weight":
        value = value[..., None, None]
    return value.detach().clone()


def _names(model: SkeletonSTGCN) -> Iterator[tuple[str, str]]:
    parts = [("data_bn", "data_norm", model.data_norm)]
    for i, block in enumerate(blocks_of(model)):
        for released, own in _BLOCK_PARTS.items():
            parts += [(f"st_gcn_networks.{i}.{released}", f"blocks.{i}.{own}", getattr(block, own))]
    for released, own, module in [*parts, ("fcn", "head", model.head)]:
        if module is not None:
            norm = "bn" in released or "norm" in own
            for entry in _NORM_ENTRIES if norm else ("weight", "bias"):
                yield f"{released}.{entry}", f"{own}.{entry}"


def check_tensors(expected: dict[str, Tensor], published: Published) -> None:
    r"""Compares names and shapes with those that a network of the inferred sizes has.

    Args:
        expected (dict): Released name to tensor.
        published (Published): What the file holds.

    Raises:
        ValueError: If names are missing or surprising, or a shape differs; the message has the
            names of the file.
    """
    found, original = published.tensors, published.original
    missing = [name for name in expected if name not in found and not name.endswith(_COUNTER)]
    extra = [name for name in found if name not in expected]
    shapes = [
        f"{original(name)} of shape {list(expected[name].shape)}, got {list(found[name].shape)}"
        for name in expected
        if name in found and found[name].shape != expected[name].shape
    ]
    faults = []
    if missing:
        faults.append(f"lacks {_listed([original(name) for name in missing])}")
    if extra:
        faults.append(f"has no place for {_listed([original(name) for name in extra])}")
    if shapes:
        faults.append(f"expected {_listed(shapes)}")
    if faults:
        raise ValueError(f"state_dict: {'; '.join(faults)}")


def _listed(items: list[str]) -> str:
    more = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return ", ".join([*items[:_SHOWN], *more])


def inferred_sizes(published: Published, strides: tuple[int, ...] | None) -> dict:
    r"""Reads the arguments of :class:`~tgst.nn.models.SkeletonSTGCN` off the tensors' shapes.

    Args:
        published (Published): What the file holds.
        strides (tuple, optional): Strides of the blocks, which no shape tells. The default is
            two wherever the residual is a convolution, as released.

    Returns:
        dict: Keyword arguments.

    Raises:
        ValueError: If a tensor is missing or the shapes contradict one another.
    """
    partitions, joints = published.adjacency.shape[:2]
    blocks = [int(found[1]) for name in published.tensors if (found := _BLOCK_NAME.match(name))]
    shapes = [_block_shape(published, i, partitions) for i in range(max(blocks, default=0) + 1)]
    kernels = sorted({kernel for _, _, kernel in shapes})
    if len(kernels) > 1:
        raise ValueError(f"state_dict: expected one temporal kernel size, got {kernels}")
    in_channels, widths = shapes[0][0], tuple(width for _, width, _ in shapes)
    if strides is None:
        # A residual convolution is there where the width changes or frames are left out.
        names = [f"st_gcn_networks.{block}.residual.0.weight" for block in range(len(widths))]
        strides = tuple(2 if name in published.tensors else 1 for name in names)
    elif len(strides) != len(widths):
        raise ValueError(f"strides: expected one for each of {len(widths)} blocks, got {strides}")
    return {
        "in_channels": in_channels,
        "num_classes": _tensor(published, "fcn.weight", 4).size(0),
        "num_partitions": partitions,
        "num_joints": joints,
        "channels": widths,
        "strides": tuple(strides),
        "kernel_size": kernels[0],
        "data_norm": _data_norm(published, joints, in_channels),
    }


_BLOCK_NAME = re.compile(r"st_gcn_networks\.(\d+)\.")


def _block_shape(published: Published, block: int, partitions: int) -> tuple[int, int, int]:
    name = f"st_gcn_networks.{block}.gcn.conv.weight"
    rows, channels = _tensor(published, name, 4).shape[:2]
    width, _, kernel = _tensor(published, f"st_gcn_networks.{block}.tcn.2.weight", 4).shape[:3]
    if rows != partitions * width:
        raise ValueError(
            f"state_dict: {published.original(name)} has {rows} rows for {width} channels, "
            f"expected {partitions * width} for the {partitions} partitions of its A: weights of "
            "another partition strategy"
        )
    return channels, width, kernel


def _tensor(published: Published, name: str, dims: int) -> Tensor:
    value = published.tensors.get(name)
    if value is None:
        raise ValueError(f"state_dict: lacks {published.original(name)}")
    if value.dim() != dims:
        raise ValueError(
            f"state_dict: expected {published.original(name)} with {dims} dimensions, got shape "
            f"{list(value.shape)}"
        )
    return value


def _data_norm(published: Published, joints: int, channels: int) -> str | None:
    value = published.tensors.get("data_bn.weight")
    if value is None:
        return None
    if value.numel() != joints * channels:
        raise ValueError(
            f"state_dict: expected {published.original('data_bn.weight')} of {joints} joints x "
            f"{channels} channels = {joints * channels} entries, got {value.numel()} (a multiple "
            "of it is a norm for every person, which is not supported)"
        )
    return "joint"


def blocks_of(model: SkeletonSTGCN) -> list[SkeletonBlock]:
    r"""Returns a model's blocks as what they are.

    Args:
        model (SkeletonSTGCN): The model.
    """
    return cast(list[SkeletonBlock], list(model.blocks))


def check_exportable(model: SkeletonSTGCN) -> None:
    r"""Refuses a model that the released network cannot express.

    Args:
        model (SkeletonSTGCN): The model.

    Raises:
        ValueError: If it is causal, or has another graph convolution or other residuals.
    """
    if not isinstance(model, SkeletonSTGCN):
        raise ValueError(f"model: expected a SkeletonSTGCN, got {type(model).__name__}")
    for i, block in enumerate(blocks_of(model)):
        conv, temporal = block.conv, block.temporal
        own = isinstance(conv, PartitionConv) and conv.bias_mode == "message"
        if not own or temporal.padding != "same" or temporal.kernel_size % 2 == 0:
            raise ValueError(
                f"model: expected blocks with PartitionConv(bias='message') and an odd kernel "
                f"that looks both ways, got {conv} and {temporal} in block {i}"
            )
        widens = temporal.stride != 1 or conv.in_channels != conv.out_channels
        fitting = "none" if i == 0 else "conv" if widens else "identity"
        if _residual(block) != fitting:
            raise ValueError(f"model: expected residual {fitting} in block {i}")


def _residual(block: SkeletonBlock) -> str:
    if block.residual_conv is not None:
        return "conv"
    return "identity" if block.residual == "identity" else "none"
