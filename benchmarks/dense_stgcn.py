"""ST-GCN as published: dense matrices per partition, features ``(N, C, T, V)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tgst.nn.models import SkeletonSTGCN

WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)


class DenseBlock(nn.Module):
    """All partitions in one 1x1 convolution, then a product with a ``(K, V, V)`` tensor."""

    def __init__(self, matrices: Tensor, width_in: int, width: int, stride: int, first: bool):
        super().__init__()
        self.importance = nn.Parameter(torch.ones_like(matrices))
        self.spatial = nn.Conv2d(width_in, width * matrices.size(0), 1)
        self.norm1 = nn.BatchNorm2d(width)
        self.temporal = nn.Conv2d(width, width, (9, 1), (stride, 1), (4, 0))
        self.norm2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.first = first
        self.residual_conv = self.residual_norm = None
        if not first and (width_in != width or stride != 1):
            self.residual_conv = nn.Conv2d(width_in, width, 1, (stride, 1))
            self.residual_norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor, matrices: Tensor) -> Tensor:
        """Run the block on ``(N, C, T, V)``."""
        weighted = matrices * self.importance
        messages = self.spatial(x).unflatten(1, (matrices.size(0), -1))
        hidden = torch.einsum("nkctv,kvw->nctw", messages, weighted).contiguous()
        hidden = self.temporal(self.relu(self.norm1(hidden)))
        hidden = self.norm2(hidden)
        if self.residual_conv is not None and self.residual_norm is not None:
            hidden = hidden + self.residual_norm(self.residual_conv(x))
        elif not self.first:
            hidden = hidden + x
        return self.relu(hidden)


class DenseSTGCN(nn.Module):
    """The ten blocks on clips ``(N, C, T, V, M)``."""

    matrices: Tensor

    def __init__(
        self,
        matrices: Tensor,
        in_channels: int,
        num_classes: int,
        widths: Sequence[int] = WIDTHS,
        strides: Sequence[int] = STRIDES,
    ):
        super().__init__()
        self.register_buffer("matrices", matrices)
        self.data_norm = nn.BatchNorm1d(in_channels * matrices.size(1))
        sizes = zip((in_channels, *widths), widths, strides, strict=False)
        self.blocks = nn.ModuleList(
            DenseBlock(matrices, *size, first=layer == 0) for layer, size in enumerate(sizes)
        )
        self.head = nn.Conv2d(widths[-1], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(N, classes)``."""
        clips, channels, frames, joints, persons = x.shape
        rows = x.permute(0, 4, 3, 1, 2).reshape(clips * persons, joints * channels, frames)
        rows = self.data_norm(rows).view(clips * persons, joints, channels, frames)
        hidden = rows.permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            hidden = block(hidden, self.matrices)
        pooled = nn.functional.avg_pool2d(hidden, hidden.shape[2:])
        pooled = pooled.view(clips, persons, -1, 1, 1).mean(dim=1)
        return self.head(pooled).view(clips, -1)


class Pair(NamedTuple):
    """A parameter of ours, the dense one, and how to read the dense one as ours."""

    ours: Tensor
    dense: Tensor
    view: Callable[[Tensor], Tensor]


def pairs(sparse: Any, dense: Any, edges: Tensor) -> list[Pair]:
    """Return all parameters of both; :obj:`edges` are (label, source, target) of each edge."""
    found = _norm(sparse.data_norm, dense.data_norm)
    found += [
        Pair(sparse.head.weight, dense.head.weight, lambda a: a[..., 0, 0]),
        Pair(sparse.head.bias, dense.head.bias, lambda a: a),
    ]
    for ours, theirs in zip(sparse.blocks, dense.blocks, strict=True):
        found += _block(ours, theirs, edges)
    assert len(found) == len(list(sparse.parameters())) == len(list(dense.parameters()))
    return found


def _block(ours: Any, theirs: Any, edges: Tensor) -> list[Pair]:
    partitions = ours.conv.num_partitions
    label, source, target = edges
    found = [
        Pair(
            ours.conv.weight,
            theirs.spatial.weight,
            lambda a: a.reshape(partitions, -1, a.size(1)).transpose(1, 2),
        ),
        Pair(ours.conv.bias, theirs.spatial.bias, lambda a: a.view(partitions, -1)),
        Pair(ours.importance.weight, theirs.importance, lambda a: a[label, source, target]),
        *_temporal(ours.temporal, theirs.temporal),
        *_norm(ours.norm1, theirs.norm1),
        *_norm(ours.norm2, theirs.norm2),
    ]
    if ours.residual_conv is not None:
        found += _temporal(ours.residual_conv, theirs.residual_conv)
        found += _norm(ours.residual_norm, theirs.residual_norm)
    return found


def _norm(ours: Any, theirs: Any) -> list[Pair]:
    return [
        Pair(ours.weight, theirs.weight, lambda a: a),
        Pair(ours.bias, theirs.bias, lambda a: a),
    ]


def _temporal(ours: Any, theirs: Any) -> list[Pair]:
    return [
        Pair(ours.weight, theirs.weight, lambda a: a.squeeze(-1)),
        Pair(ours.bias, theirs.bias, lambda a: a),
    ]


def copy_weights(sparse: SkeletonSTGCN, dense: DenseSTGCN, edges: Tensor) -> None:
    """Give the sparse model the parameters of the dense one."""
    with torch.no_grad():
        for ours, theirs, view in pairs(sparse, dense, edges):
            ours.copy_(view(theirs))


def gradient_difference(sparse: SkeletonSTGCN, dense: DenseSTGCN, edges: Tensor) -> float:
    """Return the largest difference of two gradients, relative to the largest gradient."""
    largest = difference = 0.0
    for ours, theirs, view in pairs(sparse, dense, edges):
        assert ours.grad is not None
        assert theirs.grad is not None
        expected = view(theirs.grad)
        largest = max(largest, float(expected.abs().max()))
        difference = max(difference, float((ours.grad - expected).abs().max()))
    return difference / largest
