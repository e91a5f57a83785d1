r"""Sampling by index: the same sums as ``grid_sample``, in a fixed order."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["gather_sample"]

_CUBIC = -0.75  # as in torch


class Tap(NamedTuple):
    r"""One of the pixels that a point reads along one dimension."""

    pixel: Tensor
    weight: Tensor | None
    inside: Tensor


def gather_sample(
    x: Tensor, grid: Tensor, sampling: str, padding: str, align_corners: bool
) -> Tensor:
    r"""Reads an image at the points of a grid, by index; see :func:`tgst.nn.warp.sample`.

    Forward and backward consist of element-wise functions and ``index_select``.

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **grid**: :math:`(B, [D', ] H', W', d)`
        - **output**: :math:`(B, C, [D', ] H', W')`
    """
    sizes, shape = x.shape[2:], grid.shape[1:-1]
    taps = []
    for d, n in enumerate(sizes):
        coordinate = grid[..., len(sizes) - 1 - d].flatten(1)
        rule = padding
        if padding == "circular" and d < len(sizes) - 1:
            rule = "border"
        taps.append(_taps(coordinate, n, sampling, rule, align_corners))
    # One row per pixel, and a last one of zeros for what lies outside.
    rows = x.flatten(2).transpose(1, 2).reshape(-1, x.size(1))
    rows = torch.cat([rows, rows.new_zeros(1, x.size(1))])
    start = torch.arange(x.size(0), device=x.device).unsqueeze(1) * math.prod(sizes)
    out = None
    for chosen in itertools.product(*taps):
        index, weight, inside = _joined(chosen, sizes)
        index = torch.where(inside, start + index, rows.size(0) - 1)
        part = rows.index_select(0, index.flatten())
        if weight is not None:
            part = part * weight.reshape(-1, 1)
        out = part if out is None else out + part
    assert out is not None
    out = out.view(x.size(0), math.prod(shape), x.size(1)).transpose(1, 2)
    return out.reshape(*x.shape[:2], *shape)


def _joined(chosen: tuple[Tap, ...], sizes) -> Tap:
    index, weight, inside = chosen[0]
    for tap, n in zip(chosen[1:], sizes[1:], strict=True):
        index, inside = index * n + tap.pixel, inside & tap.inside
        if weight is not None and tap.weight is not None:
            weight = weight * tap.weight
    return Tap(index, weight, inside)


def _taps(x: Tensor, n: int, sampling: str, padding: str, align_corners: bool) -> list[Tap]:
    pixel = (x + 1) * (n - 1) / 2 if align_corners else ((x + 1) * n - 1) / 2
    if sampling == "bicubic":  # pads pixels, not points
        first = pixel.floor().detach()
        weights = _cubic_weights(pixel - first)
        places = [first + offset for offset in (-1, 0, 1, 2)]
        places = [_padded(place, n, padding, align_corners) for place in places]
        return [_tap(p, w, n, padding) for p, w in zip(places, weights, strict=True)]
    pixel = _padded(pixel, n, padding, align_corners)
    if sampling == "nearest":
        return [_tap(pixel.detach().round(), None, n, padding)]
    first = pixel.floor().detach()
    after = pixel - first
    return [_tap(first, 1 - after, n, padding), _tap(first + 1, after, n, padding)]


def _tap(place: Tensor, weight: Tensor | None, n: int, padding: str) -> Tap:
    place = place.detach()
    if padding == "circular":
        place = place.remainder(n)
    inside = (place >= 0) & (place <= n - 1)  # not so for NaN
    return Tap(torch.where(inside, place, 0).long(), weight, inside)


def _cubic_weights(t: Tensor) -> list[Tensor]:
    def near(d: Tensor) -> Tensor:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC

    return [far(1 + t), near(t), near(1 - t), far(2 - t)]


def _padded(pixel: Tensor, n: int, padding: str, align_corners: bool) -> Tensor:
    if padding in ("zeros", "circular"):
        return pixel
    if padding == "reflection":
        pixel = _reflected(pixel, n, align_corners)
    # At the border itself torch's gradient is zero, clamp's is not.
    within = (pixel > 0) & (pixel < n - 1)
    return torch.where(within, pixel, pixel.detach().clamp(0, n - 1))


def _reflected(pixel: Tensor, n: int, align_corners: bool) -> Tensor:
    low, span = (0.0, n - 1) if align_corners else (-0.5, n)
    if span == 0:
        return torch.zeros_like(pixel)
    way = (pixel - low).abs()
    turns = (way / span).floor().detach()
    rest = way - turns * span
    return torch.where(turns % 2 == 0, rest, span - rest) + low
