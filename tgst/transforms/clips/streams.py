r"""Joints, bones and their motions as channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_choice, checked_coordinates
from tgst.transforms.clips.clip import Clip, checked_clip, coordinates
from tgst.utils.skeleton import Skeleton, as_skeleton
from tgst.utils.streams import Motion, bone_mask, bones, motion, motion_mask

Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]
# What of its change in time or space, added to a further channel, makes it the mean over the
# entries that the stream compares.
_TO_MEAN = {"bone": -1 / 2, "forward": 1 / 2, "backward": -1 / 2, "central": -2 / 3}


@functional_transform("tgst_streams")
class Streams(BaseTransform):
    r"""Replaces the joints by a choice of the four streams of skeleton networks, one after the
    other in the channels.

    .. math::
        \text{joint: } & x_{i,t} \qquad\qquad
        \text{bone: } b_{i,t} = x_{i,t} - x_{\mathrm{parent}(i),t}

        \text{joint motion: } & x_{i,t+1} - x_{i,t} \qquad
        \text{bone motion: } b_{i,t+1} - b_{i,t}

    Joints and bones are those of `"Two-Stream Adaptive Graph Convolutional Networks for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_, all four those of
    PYSKL (`GenSkeFeat`), where each is the input of a network of its own: give one stream for that.
    The bones of roots and the motions at the ends of a clip are 0 (:func:`~tgst.utils.bones`,
    :func:`~tgst.utils.motion`).

    A bone or motion between two entries is 0 unless both are observed: nothing moves from or to a
    joint that was not seen. :obj:`mask` says where at least one of the streams is observed, which
    with :obj:`"joint"` is where the joint is; motions alone are not observed at the ends of a clip
    (:func:`~tgst.utils.motion_mask`), so that padding a clip before or after changes nothing.
    Channels behind the coordinates, such as a confidence, become the mean over the entries that are
    compared.

    Augment before, not after: rotations and flips take the first coordinates only.

    Args:
        streams (sequence of str): Any of :obj:`"joint"`, :obj:`"bone"`, :obj:`"joint_motion"` and
            :obj:`"bone_motion"`, in the order of the channels.
        skeleton (str or Skeleton): The layout, which says the parent of each joint.
        motion (str, optional): :obj:`"forward"`, :obj:`"backward"` or :obj:`"central"`, as in
            :func:`~tgst.utils.motion`. (default: :obj:`"forward"`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **input**: :obj:`x` :math:`(M V, *, T, C)`, any unit of length; :obj:`mask`
          :math:`(M V, *, T)`, optional
        - **output**: :obj:`x` :math:`(M V, *, T, C \cdot \text{streams})`, :obj:`mask`
          :math:`(M V, *, T)`

    Raises:
        TypeError: If :obj:`skeleton` is neither a name nor a skeleton.
        ValueError: If a stream is unknown, named twice or there is none, or the joints are not
            those of the skeleton.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        skeleton: str | Skeleton,
        motion: Motion = "forward",
        num_coordinates: int | None = None,
    ) -> None:
        if isinstance(streams, str) or not streams or len(set(streams)) < len(streams):
            raise ValueError(f"streams: expected a list of different streams, got {streams!r}")
        for stream in streams:
            checked_choice("streams", stream, get_args(Stream))
        self.streams = tuple(streams)
        self.skeleton = as_skeleton(skeleton)
        self.motion = checked_choice("motion", motion, get_args(Motion))
        self.num_coordinates = checked_coordinates(num_coordinates)
        self._parent = self.skeleton.parent

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        clip = checked_clip(data, self.skeleton)
        num_coordinates = coordinates(clip.x, self.num_coordinates)
        made = [self._stream(stream, clip, num_coordinates) for stream in self.streams]
        data.x = made[0][0] if len(made) == 1 else torch.cat([x for x, _ in made], dim=-1)
        mask = made[0][1]
        for _, other in made[1:]:
            mask = mask | other
        data.mask = mask
        return data

    def _stream(self, stream: Stream, clip: Clip, num_coordinates: int) -> tuple[Tensor, Tensor]:
        x, mask = clip.x, clip.mask
        if stream.startswith("bone"):
            parent = self._parent.to(x.device)
            seen = bone_mask(mask, parent)
            x = _compared(x, bones(x, parent), seen, num_coordinates, "bone")
            mask = seen
        if stream.endswith("motion"):
            seen = motion_mask(mask, self.motion)
            x = _compared(x, motion(x, self.motion), seen, num_coordinates, self.motion)
            mask = seen
        return x, mask

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({list(self.streams)}, skeleton={self.skeleton.name!r}, "
            f"motion={self.motion!r})"
        )


def _compared(x: Tensor, change: Tensor, seen: Tensor, num_coordinates: int, kind: str) -> Tensor:
    """The change of the coordinates, the mean of what is behind them, 0 where not observed."""
    if num_coordinates < x.size(-1):
        further = x[..., num_coordinates:] + _TO_MEAN[kind] * change[..., num_coordinates:]
        change = torch.cat([change[..., :num_coordinates], further], dim=-1)
    return torch.where(seen.unsqueeze(-1), change, 0.0)
