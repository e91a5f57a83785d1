r"""Bodies of one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_coordinates
from tgst.transforms.clips.clip import checked_clip, coordinates, with_coordinates
from tgst.utils.skeleton import Skeleton, as_skeleton
from tgst.utils.streams import bone_mask, bones


@functional_transform("tgst_bone_length")
class BoneLength(BaseTransform):
    r"""Gives every bone of a clip its length in a common body, so that persons differ in their
    poses alone.

    .. math::
        x_{i,t} \leftarrow x_{i,t} + \sum_{j \in \mathrm{path}(i)} (f_j - 1) \, b_{j,t}, \qquad
        f_j = \frac{\ell_j}{\mathrm{median}_t \, \lVert b_{j,t} \rVert}

    where :math:`b_j = x_j - x_{\mathrm{parent}(j)}` and the path leads from joint :math:`i` to the
    root, which stays where it is: every bone keeps its direction and is stretched by one factor
    for all frames, within :obj:`limits`. The lengths :math:`\ell_j` are those of the training
    clips (:func:`bone_lengths`). Ours, for depth sensors and few subjects; for flat clips, whose
    lengths depend on the view, it makes no sense.

    The median is over the frames (and further dimensions) in which both joints of a bone are
    observed. A bone that never is, or has no length, is left as it is, and so are joints that are
    not observed. Where a bone is not observed in a frame, the joints behind it go without its
    stretch: fill gaps before (:class:`Interpolate`).

    Args:
        skeleton (str or Skeleton): The layout, which says the parent of each joint.
        lengths (sequence of float or torch.Tensor): The length :math:`\ell_j` of the bone from each
            joint to its parent; those of roots are not read.
        limits (tuple of float, optional): The smallest and the largest factor.
            (default: :obj:`(0.5, 2.0)`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, the unit of :obj:`lengths`
        - **mask**: :math:`(M V, *, T)`, optional
        - **lengths**: :math:`(V)`

    Raises:
        TypeError: If :obj:`skeleton` is neither a name nor a skeleton.
        ValueError: If there is not one length :math:`\geq 0` per joint, the limits are out of order
            or the joints of a clip are not those of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        lengths: Sequence[float] | Tensor,
        limits: tuple[float, float] = (0.5, 2.0),
        num_coordinates: int | None = None,
    ) -> None:
        self.skeleton = as_skeleton(skeleton)
        self.lengths = torch.as_tensor(lengths, dtype=torch.float64)
        if self.lengths.shape != (self.skeleton.num_joints,):
            raise ValueError(
                f"lengths: expected one for each of the {self.skeleton.num_joints} joints of "
                f"skeleton {self.skeleton.name!r}, got shape {list(self.lengths.shape)}"
            )
        if not bool((self.lengths >= 0).all() & self.lengths.isfinite().all()):
            raise ValueError(f"lengths: expected numbers >= 0, got {self.lengths.tolist()}")
        if len(limits) != 2 or not 0 < limits[0] <= 1 <= limits[1]:
            raise ValueError(f"limits: expected (at most 1, at least 1), got {limits!r}")
        self.limits = (float(limits[0]), float(limits[1]))
        self.num_coordinates = checked_coordinates(num_coordinates)
        self._parent = self.skeleton.parent
        self._path = _paths(self.skeleton)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        clip = checked_clip(data, self.skeleton)
        places = clip.x[..., : coordinates(clip.x, self.num_coordinates)]
        bone, seen = _bones(places, clip.mask, self._parent.to(places.device))
        shape = (clip.num_persons, clip.num_joints)
        length = _median_length(bone.unflatten(0, shape), seen.unflatten(0, shape))
        factor = (self.lengths.to(length) / length).clamp(*self.limits)
        stretch = torch.where(length > 0, factor - 1, 0.0)  # a length that is not known is NaN
        bone = bone.unflatten(0, shape).flatten(2) * stretch.unsqueeze(-1)
        moved = (self._path.to(bone) @ bone).view(places.shape)
        data.x = with_coordinates(
            clip.x, torch.where(clip.mask.unsqueeze(-1), places + moved, places)
        )
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.skeleton.name!r}, "
            f"lengths=[{self.lengths.numel()}], limits={self.limits})"
        )


def bone_lengths(
    clips: Iterable[Data], skeleton: str | Skeleton, num_coordinates: int | None = None
) -> Tensor:
    r"""Returns the mean length of every bone over the persons of some clips, for
    :class:`BoneLength`: the median over the frames of a clip, then the mean.

    Args:
        clips (iterable of torch_geometric.data.Data): The training clips; one at a time is in
            memory.
        skeleton (str or Skeleton): The layout.
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length
        - **mask**: :math:`(M V, *, T)`, optional
        - **output**: :math:`(V)`, float64, in that unit; 0 for roots and bones that are never
          observed

    Raises:
        ValueError: If there is no clip, or the joints of one are not those of the skeleton.
    """
    skeleton = as_skeleton(skeleton)
    total = count = torch.zeros(skeleton.num_joints, dtype=torch.float64)
    num_clips = 0
    for data in clips:
        clip = checked_clip(data, skeleton)
        places = clip.x[..., : coordinates(clip.x, num_coordinates)].double()
        bone, seen = _bones(places, clip.mask, skeleton.parent.to(places.device))
        shape = (clip.num_persons, clip.num_joints)
        length = _median_length(bone.unflatten(0, shape), seen.unflatten(0, shape)).cpu()
        total, count = total + length.nansum(0), count + (~length.isnan()).sum(0)
        num_clips += 1
    if num_clips == 0:
        raise ValueError("clips: expected at least one clip, got none")
    return total / count.clamp(min=1)


def _bones(places: Tensor, mask: Tensor, parent: Tensor) -> tuple[Tensor, Tensor]:
    seen = bone_mask(mask, parent)
    return torch.where(seen.unsqueeze(-1), bones(places, parent), 0.0), seen


def _median_length(bone: Tensor, seen: Tensor) -> Tensor:
    """The median length of each bone of each person, NaN if it is never observed, [M, V]."""
    length = torch.where(seen, bone.norm(dim=-1), torch.nan)
    return length.flatten(2).nanmedian(-1).values


def _paths(skeleton: Skeleton) -> Tensor:
    """1 where a joint (column) is on the way from another (row) to the root, which is not."""
    path = torch.zeros(skeleton.num_joints, skeleton.num_joints)
    for joint in range(skeleton.num_joints):
        step = joint
        while skeleton.parents[step] >= 0:
            path[joint, step] = 1
            step = skeleton.parents[step]
    return path
