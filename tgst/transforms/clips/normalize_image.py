r"""Pixels to a range that does not depend on the image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_positive
from tgst.transforms.clips.clip import checked_clip, with_coordinates


@functional_transform("tgst_normalize_image")
class NormalizeImage(BaseTransform):
    r"""Moves the origin of image coordinates to the middle and divides by the size.

    .. math::
        x \leftarrow e \left( \frac{x}{w} - \frac{1}{2} \right), \qquad
        y \leftarrow e \left( \frac{y}{h} - \frac{1}{2} \right)

    * :math:`e = 2`, from -1 to 1: PYSKL (`PreNormalize2D`,
      :math:`(x - w / 2) / (w / 2)`), for images of 1920 x 1080 where the size is not known;
    * :math:`e = 1`, from -0.5 to 0.5: `"Spatial Temporal Graph Convolutional Networks for
      Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_, whose files hold
      fractions of the image already (:obj:`width=1, height=1`).

    Without width and height, the box around all that is observed in the clip (all persons, frames
    and further dimensions) stands for the image, which makes the clip independent of where the
    person stands and how large it is. Both sides are the longer one of the box, so that the body
    keeps its shape; PYSKL (`auto`) divides each axis by its own.

    Joints that are not observed stay as they are; both codes write zeros for them. Joints of a low
    confidence become such by :class:`ConfidenceMask`, in PYSKL up to 0.01.

    Args:
        width (float, optional): The width :math:`w` of the image, in the unit of the data.
            (default: :obj:`1920`)
        height (float, optional): The height :math:`h`. (default: :obj:`1080`)
        extent (float, optional): The range :math:`e`. (default: :obj:`2.0`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`, :math:`C \geq 2`, pixels
        - **mask**: :math:`(N, *, T)`, optional

    Raises:
        ValueError: If a size is not positive, only one is given, or the clip has one channel.
    """

    def __init__(
        self, width: float | None = 1920, height: float | None = 1080, extent: float = 2.0
    ) -> None:
        if (width is None) != (height is None):
            raise ValueError(
                f"height: expected both width and height or neither, got width={width} and "
                f"height={height}"
            )
        for name, value in (("width", width), ("height", height), ("extent", extent)):
            if value is not None:
                checked_positive(name, value)
        self.width, self.height, self.extent = width, height, extent

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x, mask, *_ = checked_clip(data)
        if x.size(-1) < 2:
            raise ValueError(f"data.x: expected two coordinates or more, got {x.size(-1)} channel")
        places, seen = x[..., :2], mask.unsqueeze(-1)
        if self.width is None or self.height is None:
            if not bool(mask.any()):
                return data
            middle, size = _box(places, seen)
        else:
            size = x.new_tensor([self.width, self.height])
            middle = size / 2
        normal = (places - middle) * (self.extent / size)
        data.x = with_coordinates(x, torch.where(seen, normal, places))
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(width={self.width}, height={self.height}, "
            f"extent={self.extent})"
        )


def _box(places: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """The middle of the box around what is observed, and its longer side (1 for a point)."""
    low = torch.where(seen, places, torch.inf).flatten(0, -2).amin(0)
    high = torch.where(seen, places, -torch.inf).flatten(0, -2).amax(0)
    size = (high - low).amax()
    return (low + high) / 2, torch.where(size > 0, size, 1.0)
