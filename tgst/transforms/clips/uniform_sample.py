r"""Frames picked evenly over a clip."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip


@functional_transform("tgst_uniform_sample")
class UniformSample(BaseTransform):
    r"""Picks :math:`L` of the :math:`T` frames of a clip, at random and evenly, as in PYSKL
    (`"PYSKL: Towards Good Practices for Skeleton Action Recognition"
    <https://arxiv.org/abs/2205.09443>`_).

    * :math:`T \geq 2 L`: one random frame of each of :math:`L` segments, of which segment :math:`l`
      begins at :math:`\lfloor l T / L \rfloor`;
    * :math:`L \leq T < 2 L`: all frames but some: of :math:`L + 1` gaps, :math:`T - L` random ones
      skip a frame each;
    * :math:`T < L`: consecutive frames from a random start, the clip repeated as often as needed.

    With :obj:`num_clips`, so many clips are picked as a further dimension of :obj:`x`, for the mean
    of their scores in a test. They are always the same: drawn from a generator of their own, which
    is seeded with :obj:`seed`, where the published code sets the state of the global one (the
    numbers themselves are others). Short clips then start at frame
    :math:`\lfloor c T / \text{num\_clips} \rfloor` in clip :math:`c` (at :math:`c` if there are
    fewer frames than clips).

    Args:
        length (int): The number of frames :math:`L`; published are 100.
        num_clips (int, optional): The number of clips of the test form; published are 10.
            :obj:`None` picks one at random, and adds no dimension. (default: :obj:`None`)
        seed (int, optional): The seed of the test form. (default: :obj:`255`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, L, C)` or :math:`(N, *, \text{num\_clips}, L, C)`,
          :obj:`mask` alike

    Raises:
        TypeError: If an argument is no integer.
        ValueError: If :obj:`length` or :obj:`num_clips` is less than 1.
    """

    def __init__(self, length: int, num_clips: int | None = None, seed: int = 255) -> None:
        self.length = checked_count("length", length)
        self.num_clips = None if num_clips is None else checked_count("num_clips", num_clips)
        self.seed = checked_count("seed", seed, at_least=0)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        frame = self._frames(x.size(-2)).to(x.device)
        x, mask = x.index_select(-2, frame), mask.index_select(-1, frame)
        if self.num_clips is not None:
            x = x.unflatten(-2, (self.num_clips, self.length))
            mask = mask.unflatten(-1, (self.num_clips, self.length))
        data.x, data.mask = x, mask
        return data

    def _frames(self, num_frames: int) -> Tensor:
        if self.num_clips is None:
            return _picked(num_frames, self.length, None)
        generator = Generator().manual_seed(self.seed)
        clips = min(self.num_clips, num_frames)  # fewer frames than clips: one frame on per clip
        return torch.cat(
            [
                _picked(num_frames, self.length, generator, start=clip * num_frames // clips)
                for clip in range(self.num_clips)
            ]
        )

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.length}, num_clips={self.num_clips}, "
            f"seed={self.seed})"
        )


def _picked(
    num_frames: int, length: int, generator: Generator | None, start: int | None = None
) -> Tensor:
    """Frame numbers; short clips begin at :obj:`start`, or at random."""
    steps = torch.arange(length)
    if num_frames < length:
        first = int(torch.randint(num_frames, ())) if start is None else start
        return (first + steps) % num_frames
    if num_frames < 2 * length:
        skipped = torch.zeros(length + 1, dtype=torch.long)
        skipped[torch.randperm(length + 1, generator=generator)[: num_frames - length]] = 1
        return steps + skipped.cumsum(0)[:-1]
    edges = torch.arange(length + 1) * num_frames // length
    share = torch.rand(length, dtype=torch.float64, generator=generator)
    return edges[:-1] + (share * (edges[1:] - edges[:-1])).long()
