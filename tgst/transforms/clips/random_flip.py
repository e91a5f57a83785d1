r"""Random mirroring of clips."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count, checked_probability
from tgst.transforms.clips.clip import checked_clip
from tgst.utils.skeleton import Skeleton, as_skeleton


@functional_transform("tgst_random_flip")
class RandomFlip(BaseTransform):
    r"""Mirrors a clip at random: one coordinate changes its sign, and left and right joints change
    places.

    .. math::
        x_{i,d} \leftarrow 2 c - x_{\mathrm{swap}(i),d} \; \text{for } d = \text{axis}, \qquad
        x_{i,d} \leftarrow x_{\mathrm{swap}(i),d} \; \text{for the others}

    As in PYSKL (`Flip`, with probability 0.5, about the middle of the image). The mirror stands at
    :math:`c`: 0 for clips that are centred on a root or normalised to the middle of the image, 0.5
    for fractions of the image, half its width for pixels.

    Actions of one hand change sides; leave this out where classes differ by the side.

    Args:
        skeleton (str or Skeleton): The layout, which says the pairs of left and right joints.
        axis (int, optional): The coordinate that is mirrored, the one from left to right.
            (default: :obj:`0`)
        p (float, optional): The probability. (default: :obj:`0.5`)
        about (float or str, optional): Where the mirror stands, or :obj:`"mean"`: in the mean of
            all that is observed in the clip. (default: :obj:`0.0`)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length
        - **mask**: :math:`(M V, *, T)`, optional

    Raises:
        TypeError: If :obj:`skeleton` is neither a name nor a skeleton, or :obj:`axis` no integer.
        ValueError: If the skeleton has no pairs, an argument is out of range, the clip has no such
            coordinate, or its joints are not those of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        axis: int = 0,
        p: float = 0.5,
        about: float | Literal["mean"] = 0.0,
    ) -> None:
        self.skeleton = as_skeleton(skeleton)
        if not self.skeleton.pairs:
            raise ValueError(
                f"skeleton: expected pairs of left and right joints, got none in "
                f"{self.skeleton.name!r}"
            )
        self.axis = checked_count("axis", axis, at_least=0)
        self.p = checked_probability("p", p)
        if about != "mean" and not (isinstance(about, int | float) and math.isfinite(about)):
            raise ValueError(f'about: expected a number or "mean", got {about!r}')
        self.about = about
        self._swap = self.skeleton.swap

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and, if there is one, :obj:`mask`."""
        clip = checked_clip(data, self.skeleton)
        if self.axis >= clip.x.size(-1):
            raise ValueError(
                f"axis: expected one of the {clip.x.size(-1)} channels of data.x, got {self.axis}"
            )
        if float(torch.rand(())) >= self.p:
            return data
        x, mask = clip.persons()
        swap = self._swap.to(x.device)
        x, seen = x[:, swap], mask[:, swap]  # copies, which may be written to
        line = x[..., self.axis]
        line.copy_(torch.where(seen, 2 * self._place(line, seen) - line, line))
        data.x = x.flatten(0, 1)
        if "mask" in data:
            data.mask = seen.flatten(0, 1)
        return data

    def _place(self, line: Tensor, seen: Tensor) -> Tensor | float:
        if not isinstance(self.about, str):
            return self.about
        return torch.where(seen, line, 0.0).sum() / seen.sum().clamp(min=1)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.skeleton.name!r}, axis={self.axis}, p={self.p}, "
            f"about={self.about!r})"
        )
