r"""Random shifts, turns, sizes and shears of images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.transforms.clips.arguments import checked_amount, checked_choice, checked_probability
from tgst.transforms.images.arguments import check_images, chosen

PADDING = ("zeros", "border", "reflection")


class RandomAffine(torch.nn.Module):
    r"""Shifts, turns, scales and shears each image of a batch at random, by one grid and one
    sampling for the whole batch.

    Each number is uniform between minus and plus the one that is given; an image keeps its place
    with all of them zero. See :func:`affine_images` for what they mean.

    Args:
        shift (float, optional): Largest shift along each axis, in pixels. (default: :obj:`0`)
        rotation (float, optional): Largest turn, in degrees. (default: :obj:`0`)
        scale (float, optional): Largest relative change of size along each axis, less than 1.
            (default: :obj:`0`)
        shear (float, optional): Largest shear. (default: :obj:`0`)
        isotropic (bool, optional): Whether both axes are scaled alike. (default: :obj:`False`)
        p (float, optional): Probability with which an image is changed. (default: :obj:`1`)
        padding (str, optional): What is outside of an image: :obj:`"zeros"`, :obj:`"border"` or
            :obj:`"reflection"`. (default: :obj:`"zeros"`)

    Shapes:
        - **input, output:** :math:`(B, C, H, W)`

    Raises:
        ValueError: If a number is out of range.
    """

    def __init__(
        self,
        shift: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        isotropic: bool = False,
        p: float = 1.0,
        padding: str = "zeros",
    ) -> None:
        super().__init__()
        self.shift = checked_amount("shift", shift)
        self.rotation = checked_amount("rotation", rotation)
        self.scale = checked_amount("scale", scale)
        if scale >= 1:
            raise ValueError(f"scale: expected less than 1, got {scale}")
        self.shear = checked_amount("shear", shear)
        self.isotropic = isotropic
        self.p = checked_probability("p", p)
        self.padding = checked_choice("padding", padding, PADDING)

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the changed images."""
        check_images(x)
        if self.p == 0 or not (self.shift or self.rotation or self.scale or self.shear):
            return x
        draw = 2 * torch.rand(x.size(0), 6, device=x.device) - 1
        scale = draw[:, [2, 2]] if self.isotropic else draw[:, 2:4]
        moved = affine_images(
            x,
            shift=self.shift * draw[:, :2],
            rotation=self.rotation * draw[:, 4],
            scale=1 + self.scale * scale,
            shear=self.shear * draw[:, 5],
            padding=self.padding,
        )
        return moved if self.p == 1 else torch.where(chosen(self.p, x, 1, 1, 1), moved, x)

    def extra_repr(self) -> str:
        r"""The settings."""
        return (
            f"shift={self.shift}, rotation={self.rotation}, scale={self.scale}, "
            f"shear={self.shear}, p={self.p}"
        )


def affine_images(
    x: Tensor,
    shift: Tensor | None = None,
    rotation: Tensor | None = None,
    scale: Tensor | None = None,
    shear: Tensor | None = None,
    padding: str = "zeros",
) -> Tensor:
    r"""Moves what each image shows by an affine map about its centre, in pixels.

    .. math::
        p' = R(\alpha) \begin{pmatrix} 1 & h \\ 0 & 1 \end{pmatrix}
        \begin{pmatrix} s_x & 0 \\ 0 & s_y \end{pmatrix} p + t.

    Bilinear, in float32. What is left out changes nothing.

    Convention: :math:`x` points right and :math:`y` down, so that a positive turn is clockwise, a
    positive shift goes right and down, and a scale above 1 enlarges.

    Args:
        x (torch.Tensor): The images.
        shift (torch.Tensor, optional): :math:`t`, in pixels. (default: :obj:`None`)
        rotation (torch.Tensor, optional): :math:`\alpha`, in degrees. (default: :obj:`None`)
        scale (torch.Tensor, optional): :math:`s`. (default: :obj:`None`)
        shear (torch.Tensor, optional): :math:`h`. (default: :obj:`None`)
        padding (str, optional): :obj:`"zeros"`, :obj:`"border"` or :obj:`"reflection"`.
            (default: :obj:`"zeros"`)

    Shapes:
        - **x, output:** :math:`(B, C, H, W)`
        - **shift, scale:** :math:`(B, 2)`, x first
        - **rotation, shear:** :math:`(B)`

    Raises:
        ValueError: If the input is no batch of images, a number is not one for each of them, or
            the padding is unknown.
    """
    check_images(x)
    checked_choice("padding", padding, PADDING)
    one, two = [x.size(0)], [x.size(0), 2]
    _check_shape("shift", shift, two)
    _check_shape("rotation", rotation, one)
    _check_shape("scale", scale, two)
    _check_shape("shear", shear, one)
    if len(x) == 0:
        return x  # torch makes no grid for none
    # rounded by autocast, coordinates would miss by pixels
    with torch.autocast(x.device.type, enabled=False):
        grid = _grid(x, shift, rotation, scale, shear)
        moved = F.grid_sample(x.float(), grid, padding_mode=padding, align_corners=False)
    return moved.to(x.dtype)


def _check_shape(name: str, value: Tensor | None, shape: list[int]) -> None:
    if value is not None and list(value.shape) != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {list(value.shape)}")


def _grid(
    x: Tensor,
    shift: Tensor | None,
    rotation: Tensor | None,
    scale: Tensor | None,
    shear: Tensor | None,
) -> Tensor:
    r"""Where each output pixel comes from, in the sampler's coordinates."""
    images, height, width = x.size(0), x.size(2), x.size(3)
    zero, one = torch.zeros(images, device=x.device), torch.ones(images, device=x.device)
    angle = zero if rotation is None else rotation.float() * (math.pi / 180)
    wide, high = (one, one) if scale is None else scale.float().unbind(-1)
    skew = zero if shear is None else shear.float()
    cos, sin = angle.cos(), angle.sin()
    # the sampler asks where an output pixel comes from: S^-1 H^-1 R^-1 (p' - t)
    rows = torch.stack(
        [(cos + skew * sin) / wide, (sin - skew * cos) / wide, -sin / high, cos / high], dim=-1
    ).view(images, 2, 2)
    offset = x.new_zeros(images, 2, dtype=torch.float32) if shift is None else -shift.float()
    offset = (rows @ offset.unsqueeze(-1)).squeeze(-1)
    # a coordinate of the grid is two per side, whatever the side
    half = offset.new_tensor([width, height]) / 2
    theta = torch.cat([rows * half / half.unsqueeze(-1), (offset / half).unsqueeze(-1)], dim=-1)
    return F.affine_grid(theta, [images, 1, height, width], align_corners=False)
