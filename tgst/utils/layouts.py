"""Named converters between the layout of this package and those of other codes.

Every converter returns a view: nothing is copied. No layer guesses a layout; a tensor enters and
leaves through one of these.
"""

from __future__ import annotations

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


def _permuted(x: Tensor, layout: str, order: tuple[int, ...]) -> Tensor:
    if x.dim() != len(order):
        raise ValueError(f"x: expected {len(order)} dimensions {layout}, got shape {list(x.shape)}")
    return x.permute(order)
