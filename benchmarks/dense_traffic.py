"""STGCN for traffic as published for PyTorch: a dense N x N operator, features ``(B, C, T, N)``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tgst.nn.models import TrafficSTGCN

CHANNELS = ((64, 16, 64), (64, 16, 64))
HEAD = 128


class DenseTemporal(nn.Module):
    """A convolution in time with the kernel ``(k, 1)`` and a gated linear unit, ``(P + R) s(Q)``.

    The residual R is the newest step that an output sees: padded with zero channels where the
    layer widens, through a 1x1 convolution where it narrows.
    """

    def __init__(self, width_in: int, width: int, taps: int):
        super().__init__()
        self.conv = nn.Conv2d(width_in, 2 * width, (taps, 1))
        self.align = nn.Conv2d(width_in, width, 1, bias=False) if width_in > width else None
        self.width, self.taps = width, taps

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer on ``(B, C, T, N)``."""
        residual = aligned(x, self.width, self.align)[:, :, self.taps - 1 :]
        value, gate = self.conv(x).split(self.width, dim=1)
        return (value + residual) * torch.sigmoid(gate)


class DenseCheb(nn.Module):
    """A graph convolution on ``(B, T, N, C)``: all polynomials stacked, then one product."""

    def __init__(self, width: int, K: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(K, width, width))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Convolve with a scaled Laplacian."""
        polynomials = [x]
        for order in range(1, self.weight.size(0)):
            following = torch.einsum("ij,btjc->btic", matrix, polynomials[-1])
            if order > 1:
                following = 2 * following - polynomials[-2]
            polynomials.append(following)
        stacked = torch.stack(polynomials, dim=2)
        return torch.einsum("btknc,kcd->btnd", stacked, self.weight) + self.bias


class DenseFirstOrder(nn.Module):
    """A graph convolution of first order on ``(B, T, N, C)``."""

    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Convolve with a renormalised adjacency."""
        neighbours = torch.einsum("ij,btjc->btic", matrix, x)
        return torch.einsum("btnc,cd->btnd", neighbours, self.weight) + self.bias


class DenseTrafficBlock(nn.Module):
    """Temporal, graph and temporal convolution, normalisation over nodes and channels, dropout."""

    def __init__(
        self, width_in: int, widths: Sequence[int], taps: int, K: int | None, nodes: int, p: float
    ):
        super().__init__()
        first, spatial, second = widths
        self.temporal1 = DenseTemporal(width_in, first, taps)
        self.align = nn.Conv2d(first, spatial, 1) if first > spatial else None
        self.conv = DenseFirstOrder(spatial) if K is None else DenseCheb(spatial, K)
        self.temporal2 = DenseTemporal(spatial, second, taps)
        self.norm = nn.LayerNorm([nodes, second], eps=1e-12)
        self.dropout = nn.Dropout(p)
        self.spatial = spatial

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Run the block on ``(B, C, T, N)``."""
        x = aligned(self.temporal1(x), self.spatial, self.align)
        convolved = self.conv(x.permute(0, 2, 3, 1), matrix).permute(0, 3, 1, 2)
        x = self.temporal2(torch.relu(convolved + x))
        return self.dropout(normalised(x, self.norm).permute(0, 3, 1, 2))


class DenseTrafficSTGCN(nn.Module):
    """The blocks and the output block on ``(B, C, T, N)``.

    Without :obj:`K` the graph convolutions are of first order.
    """

    matrix: Tensor

    def __init__(
        self,
        matrix: Tensor,
        in_channels: int = 1,
        out_channels: int = 1,
        history: int = 12,
        taps: int = 3,
        K: int | None = 3,
        channels: Sequence[Sequence[int]] = CHANNELS,
        head: int = HEAD,
        dropout: float = 0.0,
    ):
        super().__init__()
        self.register_buffer("matrix", matrix)
        nodes = matrix.size(0)
        inputs = [in_channels, *(widths[-1] for widths in channels)]
        self.blocks = nn.ModuleList(
            DenseTrafficBlock(width_in, widths, taps, K, nodes, dropout)
            for width_in, widths in zip(inputs, channels, strict=False)
        )
        remaining = history - 2 * len(channels) * (taps - 1)
        self.temporal = DenseTemporal(inputs[-1], head, remaining)
        self.norm = nn.LayerNorm([nodes, head], eps=1e-12)
        self.hidden = nn.Linear(head, head)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(head, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(B, outputs, 1, N)``."""
        for block in self.blocks:
            x = block(x, self.matrix)
        x = normalised(self.temporal(x), self.norm)
        x = self.dropout(torch.relu(self.hidden(x)))
        return self.out(x).permute(0, 3, 1, 2)


def aligned(x: Tensor, width: int, conv: nn.Module | None) -> Tensor:
    """Return the channels of ``(B, C, T, N)`` widened with zeros or narrowed by a convolution."""
    if conv is not None:
        return conv(x)
    if x.size(1) == width:
        return x
    missing = x.new_zeros(x.size(0), width - x.size(1), *x.shape[2:])
    return torch.cat([x, missing], dim=1)


def normalised(x: Tensor, norm: nn.Module) -> Tensor:
    """Return ``(B, C, T, N)`` normalised over nodes and channels, as ``(B, T, N, C)``."""
    return norm(x.permute(0, 2, 3, 1))


def series(x: Tensor) -> Tensor:
    """Return ``(B, C, T, N)``, as the dense model takes it, as ``[N, B, T, C]``."""
    return x.permute(3, 0, 2, 1)


def sparse_model(dense: DenseTrafficSTGCN, in_channels: int, horizon: int, **options: Any):
    """Return our model of the same plan and weights; horizon times channels are its outputs."""
    first = dense.blocks[0].conv
    cheb = isinstance(first, DenseCheb)
    channels = [(b.temporal1.width, b.spatial, b.temporal2.width) for b in dense.blocks]
    taps = dense.blocks[0].temporal1.taps
    model = TrafficSTGCN(
        in_channels,
        dense.out.out_features // horizon,
        history=dense.temporal.taps + 2 * len(channels) * (taps - 1),
        horizon=horizon,
        kernel="cheb" if cheb else "first_order",
        K=first.weight.size(0) if cheb else 3,
        variant="pytorch",
        norm="node",
        num_nodes=dense.matrix.size(0),
        channels=channels,
        head_channels=dense.temporal.width,
        kernel_size=taps,
        dropout=dense.dropout.p,
        **options,
    ).to(dense.matrix)
    copy_to_sparse(dense, model)
    return model


class Pair(NamedTuple):
    """A parameter of ours and the dense one; both hold the same numbers in the same order."""

    ours: Tensor
    dense: Tensor


def pairs(dense: DenseTrafficSTGCN, sparse: Any) -> list[Pair]:
    """Return all parameters of both."""
    found = []
    for theirs, ours in zip(dense.blocks, sparse.blocks, strict=True):
        found += _temporal(ours.temporal1, theirs.temporal1)
        found += _temporal(ours.temporal2, theirs.temporal2)
        found += _affine(ours.conv, theirs.conv) + _affine(ours.norm, theirs.norm)
        found += _affine(ours.align, theirs.align)
    head = sparse.head
    found += _temporal(head.temporal, dense.temporal) + _affine(head.norm, dense.norm)
    found += _affine(head.hidden, dense.hidden) + _affine(head.out, dense.out)
    assert len(found) == len(list(sparse.parameters())) == len(list(dense.parameters()))
    return found


def _temporal(ours: Any, theirs: Any) -> list[Pair]:
    found = _affine(ours, theirs.conv)
    if theirs.align is not None:
        found.append(Pair(ours.align, theirs.align.weight))
    return found


def _affine(ours: Any, theirs: Any) -> list[Pair]:
    if theirs is None:
        return []
    return [Pair(ours.weight, theirs.weight), Pair(ours.bias, theirs.bias)]


def copy_to_sparse(dense: DenseTrafficSTGCN, sparse: TrafficSTGCN) -> None:
    """Give our model the parameters of the dense one."""
    _copy(pairs(dense, sparse), lambda pair: pair)


def copy_to_dense(sparse: TrafficSTGCN, dense: DenseTrafficSTGCN) -> None:
    """Give the dense model our parameters."""
    _copy(pairs(dense, sparse), lambda pair: (pair.dense, pair.ours))


def _copy(found: list[Pair], order: Callable[[Pair], tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for pair in found:
            receiver, giver = order(pair)
            receiver.copy_(giver.view(receiver.shape))


def gradient_difference(dense: DenseTrafficSTGCN, sparse: TrafficSTGCN) -> float:
    """Return the largest difference of two gradients, relative to the largest gradient."""
    largest = difference = 0.0
    for ours, theirs in pairs(dense, sparse):
        assert ours.grad is not None
        assert theirs.grad is not None
        largest = max(largest, float(theirs.grad.abs().max()))
        expected = theirs.grad.view(ours.shape)
        difference = max(difference, float((ours.grad - expected).abs().max()))
    return difference / largest
