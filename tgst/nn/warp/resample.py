r"""Grid generator and sampler in one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from tgst.nn.warp.affine import Affine
from tgst.nn.warp.arguments import check_image, check_size, holds_values, widened
from tgst.nn.warp.sampler import check_modes, sample
from tgst.nn.warp.warp import Warp

# On other devices than the CPU the look at the grid waits for the device.
_CALLS_PER_LOOK = 64


class Resample(torch.nn.Module):
    r"""Resamples images by given parameters of a warp: grid generator and sampler of `"Spatial
    Transformer Networks" <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS 2015),
    all of a :class:`~tgst.nn.SpatialTransformer` but the localisation net.

    .. math::
        V(\mathbf{x}_t) = U(\mathcal{T}_\theta(\mathbf{x}_t))

    A smaller output skips pixels of the input and aliases, as bilinear sampling looks at two
    pixels per dimension only. With :obj:`antialias` the warp is sampled at a multiple of the output
    size and averaged afterwards, as the paper does for cluttered MNIST. The whole factor needed
    is input pixels per output pixel, which depends on the scale that is predicted per sample;
    :obj:`antialias=True` takes it for a scale of one, the input size divided by the output size
    and rounded up. Where larger scales (a reduced image) are to be expected, give the factor.

    Args:
        warp (Warp, optional): The family of maps. (default: :obj:`None`: :class:`Affine`)
        output_size (int or tuple, optional): :math:`([D', ] H', W')`, or one number for all.
            (default: :obj:`None`: that of the input)
        sampling (str, optional): See :func:`sample`. (default: :obj:`"bilinear"`)
        padding (str, optional): See :func:`sample`. (default: :obj:`"zeros"`)
        align_corners (bool, optional): See :class:`Warp`. (default: :obj:`False`)
        antialias (bool or int, optional): Points per output pixel and dimension, or whether to
            choose their number. (default: :obj:`False`)
        deterministic (str or bool, optional): See :func:`sample`. (default: :obj:`"auto"`)
        warn_outside (bool, optional): Whether a :class:`RuntimeWarning` is given when the grid of
            a sample has left the image, so that its parameters get no gradient: on the CPU in
            every call, elsewhere in every 64th, never in a compiled or exported graph.
            (default: :obj:`True`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **theta**: :math:`(B, P)` or a matrix, see :class:`Warp`
        - **output**: :math:`(B, C, [D', ] H', W')`

    Raises:
        TypeError: If :obj:`warp` is not a warp or the input holds no floats.
        ValueError: If an option is unknown, a size is empty or a shape does not fit.
    """

    def __init__(
        self,
        warp: Warp | None = None,
        output_size: int | tuple[int, ...] | None = None,
        sampling: str = "bilinear",
        padding: str = "zeros",
        align_corners: bool = False,
        antialias: bool | int = False,
        deterministic: Literal["auto"] | bool = "auto",
        warn_outside: bool = True,
    ):
        super().__init__()
        warp = Affine() if warp is None else warp
        if not isinstance(warp, Warp):
            raise TypeError(f"warp: expected a Warp, got {type(warp).__name__}")
        check_modes(sampling, padding, deterministic)
        if not isinstance(antialias, int) or (antialias is not False and antialias < 1):
            raise ValueError(
                f"antialias: expected a bool or a whole factor of at least 1, got {antialias}"
            )
        if isinstance(output_size, int):
            output_size = (output_size,) * warp.dim
        if output_size is not None:
            output_size = check_size(output_size, warp.dim, "output_size")
        self.warp = warp
        self.output_size = output_size
        self.sampling = sampling
        self.padding = padding
        self.align_corners = align_corners
        self.antialias = antialias
        self.deterministic = deterministic
        self.warn_outside = warn_outside
        self._calls = 0

    def forward(self, x: Tensor, theta: Tensor) -> Tensor:
        r"""Resamples the images; see the class for shapes."""
        self.check(x)
        size = self.size_of(x)
        factors = self._factors(x.shape[2:], size)
        plain = max(factors) == 1
        grid = self.warp.grid(theta, size, self.align_corners, None if plain else factors)
        if grid.size(0) != x.size(0):
            raise ValueError(f"theta: expected {x.size(0)} rows as x, got {grid.size(0)}")
        self._look(grid, x.shape[2:])
        modes = (self.sampling, self.padding, self.align_corners, self.deterministic)
        out = sample(widened(x), grid, *modes)
        return (out if plain else _mean(out, factors)).to(x.dtype)

    def check(self, x: Tensor) -> None:
        r"""Raises unless an input is a float image of the warp's dimension."""
        check_image(x, self.warp.dim)

    def size_of(self, x: Tensor) -> tuple[int, ...]:
        r"""Size of the output for an input."""
        return tuple(x.shape[2:]) if self.output_size is None else self.output_size

    def _factors(self, given: Sequence[int], size: Sequence[int]) -> tuple[int, ...]:
        if self.antialias is True:
            return tuple(-(-n // m) for n, m in zip(given, size, strict=True))
        return (int(self.antialias) or 1,) * len(size)

    def _look(self, grid: Tensor, size: Sequence[int]) -> None:
        if not (self.warn_outside and holds_values(grid)):
            return
        self._calls += 1
        if grid.device.type != "cpu" and self._calls % _CALLS_PER_LOOK != 1:
            return
        options = (size, self.padding, self.align_corners, self.sampling)
        # Few points of each sample nearly always show that it has not.
        few = (slice(None), *[slice(None, None, 4)] * len(size))
        if has_left(grid.detach()[few], *options) and has_left(grid.detach(), *options):
            warnings.warn(
                "The sampling grid of at least one sample lies outside the image altogether: its "
                "parameters get no gradient. A lower learning rate for the localisation net "
                "(param_groups), an identity penalty, bounds or padding='reflection' help.",
                RuntimeWarning,
                stacklevel=2,
            )

    def extra_repr(self) -> str:
        r"""The options."""
        return (
            f"output_size={self.output_size}, sampling={self.sampling!r}, "
            f"padding={self.padding!r}, align_corners={self.align_corners}, "
            f"antialias={self.antialias}"
        )


def has_left(
    grid: Tensor, size: Sequence[int], padding: str, align_corners: bool, sampling: str = "bilinear"
) -> bool:
    r"""Whether no point of some sample depends on its place: with zeros outside, if it lies a
    pixel outside in any dimension, with the border repeated, if it lies outside in all; bicubic
    sampling reads one pixel more.
    """
    if padding not in ("zeros", "border"):
        return False
    reach = (padding == "zeros") + (sampling == "bicubic")
    near = []
    for d, n in enumerate(reversed(size)):
        # Half the width within which pixels (-reach, n - 1 + reach) are read.
        if n == 1 and (align_corners or padding == "border"):  # one pixel, read from everywhere
            continue
        limit = (n - 1 + 2 * reach) / (n - 1 if align_corners else n)
        inside = grid[..., d].abs() < limit
        near.append(inside.flatten(1))
    if not near:
        return False
    read = torch.stack(near)
    read = read.all(0) if padding == "zeros" else read.any(0)
    return not bool(read.any(1).all())


def _mean(x: Tensor, factors: Sequence[int]) -> Tensor:
    # Not avg_pool, whose gradient in three dimensions is not deterministic on CUDA.
    shape = list(x.shape[:2])
    for n, k in zip(x.shape[2:], factors, strict=True):
        shape += [n // k, k]
    return x.reshape(shape).mean(dim=list(range(3, len(shape), 2)))
