r"""What a clip has to be beside the other clips of its dataset."""

from __future__ import annotations

from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton


def check_clip(
    clip: SkeletonClip,
    skeleton: Skeleton,
    num_channels: int | None = None,
    num_classes: int | None = None,
) -> SkeletonClip:
    r"""Returns a clip that fits its dataset, and refuses others.

    Args:
        clip (SkeletonClip): The clip.
        skeleton (Skeleton): The layout that the dataset was told.
        num_channels (int, optional): Channels of the other clips. (default: :obj:`None`)
        num_classes (int, optional): The label has to be in 0..num_classes-1.
            (default: :obj:`None`)

    Raises:
        ValueError: If the joints are not those of the layout, the channels are other ones, or the
            label is outside of the classes; the message names the clip.
    """
    skeleton.check(clip.num_joints, f"clip {clip.name!r}")
    if num_channels is not None and clip.num_channels != num_channels:
        raise ValueError(
            f"clip {clip.name!r}: expected {num_channels} channels as in the clips before, got "
            f"{clip.num_channels}"
        )
    if clip.label is not None and num_classes is not None and clip.label >= num_classes:
        raise ValueError(
            f"clip {clip.name!r}: expected a label in 0..{num_classes - 1}, got {clip.label}"
        )
    return clip
