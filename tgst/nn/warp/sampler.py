r"""Reads an image at the points of a grid."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.warp.arguments import LAYOUTS, check_image, full_precision
from tgst.nn.warp.gather import gather_sample

SAMPLINGS = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection", "circular")


def sample(
    x: Tensor,
    grid: Tensor,
    sampling: str = "bilinear",
    padding: str = "zeros",
    align_corners: bool = False,
    deterministic: str | bool = "auto",
) -> Tensor:
    r"""Reads an image at the points of a grid: the sampler of `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS 2015), for images and volumes.

    .. math::
        V_i^c = \sum_n \sum_m U_{nm}^c \, k(x_i - m) \, k(y_i - n)

    with the kernel :math:`k(d) = \max(0, 1 - |d|)` (bilinear, trilinear in a volume), the nearest
    pixel, or cubic convolution with :math:`a = -0.75` (which may overshoot).

    Convention:
        As :func:`torch.nn.functional.grid_sample`, which does the work: the grid holds normalised
        source coordinates :math:`(x, y[, z])`, and :obj:`align_corners` must be the one that the
        grid was made with.

        Sampling is done in float32 at least, also for half-precision inputs and under autocast,
        and the result cast back to the input's dtype. (In half precision torch on the CPU reads
        out of bounds in images of more than 32,767 pixels, and everywhere coordinates are too
        coarse.)

        The backward pass of ``grid_sample`` on CUDA adds up in an order that changes from run to
        run, and raises under :func:`torch.use_deterministic_algorithms`. The deterministic
        sampler gathers the pixels by index instead (``torch.Tensor.index_select``, of which
        torch's documentation of that function says that its derivative on CUDA is then
        deterministic). It needs more memory: several copies of the output.

    Args:
        x (torch.Tensor): Images or volumes.
        grid (torch.Tensor): Where to read.
        sampling (str, optional): :obj:`"bilinear"`, :obj:`"nearest"` (no gradient to the grid) or
            :obj:`"bicubic"` (images only). (default: :obj:`"bilinear"`)
        padding (str, optional): What lies outside: :obj:`"zeros"`, :obj:`"border"` (the nearest
            pixel of the image), :obj:`"reflection"`, or :obj:`"circular"`, for maps of the whole
            globe: the image again to the left and right, the border above and below.
            (default: :obj:`"zeros"`)
        align_corners (bool, optional): See :class:`Warp`. (default: :obj:`False`)
        deterministic (str or bool, optional): Whether gradients are summed in a fixed order;
            :obj:`"auto"` where torch is told to, the device is not a CPU and there are gradients.
            (default: :obj:`"auto"`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **grid**: :math:`(B, [D', ] H', W', d)`
        - **output**: :math:`(B, C, [D', ] H', W')`

    Raises:
        TypeError: If the input holds no floats.
        ValueError: If a mode is unknown or a shape does not fit.
    """
    check_modes(sampling, padding, deterministic)
    check_image(x)
    check_grid(grid, x, sampling)
    if deterministic == "auto":
        trained = torch.is_grad_enabled() and (x.requires_grad or grid.requires_grad)
        wanted = trained and torch.are_deterministic_algorithms_enabled()
        deterministic = wanted and x.device.type != "cpu"
    dtype = torch.promote_types(x.dtype, torch.float32)
    with full_precision(x.device.type):
        wide, points = x.to(dtype), grid.to(dtype)
        if deterministic or padding == "circular":
            out = gather_sample(wide, points, sampling, padding, align_corners)
        else:
            out = F.grid_sample(wide, points, sampling, padding, align_corners)
    return out.to(x.dtype)


def check_modes(sampling: str, padding: str, deterministic: str | bool) -> None:
    r"""Raises if an option of :func:`sample` is unknown."""
    if sampling not in SAMPLINGS:
        raise ValueError(f"sampling: expected one of {SAMPLINGS}, got {sampling!r}")
    if padding not in PADDINGS:
        raise ValueError(f"padding: expected one of {PADDINGS}, got {padding!r}")
    if deterministic not in ("auto", True, False):
        raise ValueError(f"deterministic: expected 'auto' or a bool, got {deterministic!r}")


def check_grid(grid: Tensor, x: Tensor, sampling: str) -> None:
    r"""Raises unless the grid fits the image."""
    dim = x.dim() - 2
    if grid.dim() != dim + 2 or grid.size(0) != x.size(0) or grid.size(-1) != dim:
        sizes = "H', W'" if dim == 2 else "D', H', W'"
        raise ValueError(
            f"grid: expected [{x.size(0)}, {sizes}, {dim}] for x {LAYOUTS[dim]} of shape "
            f"{list(x.shape)}, got {list(grid.shape)}"
        )
    if min(grid.shape[1:]) < 1:
        raise ValueError(f"grid: expected at least one point, got {list(grid.shape)}")
    if sampling == "bicubic" and dim != 2:
        raise ValueError(f"sampling: 'bicubic' is for {LAYOUTS[2]}, got shape {list(x.shape)}")
