r"""Clips in memory, seen through a random transform that can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch.utils.data import Dataset
from torch_geometric.data import Data


class ClipViews(Dataset):
    r"""Views of clips: what a transform makes of each, the same again for the same seed.

    The random numbers of a view follow from :obj:`seed`, the epoch, the number of the clip and that
    of the view alone; the global random state is put back afterwards. So a view does not depend on
    the order of the clips, on the number of worker processes, or on a fit that was interrupted.

    Args:
        clips (sequence of torch_geometric.data.Data): The clips.
        transform (callable, optional): Makes a view of a copy of a clip; takes its random numbers
            from PyTorch's global generator. (default: :obj:`None`)
        num_views (int, optional): Views of each clip. (default: :obj:`1`)
        seed (int, optional): Different seeds give different views. (default: :obj:`0`)

    Raises:
        ValueError: If there is no clip, or :obj:`num_views` is less than 1.
    """

    def __init__(
        self,
        clips: Sequence[Data],
        transform: Callable[[Data], Data] | None = None,
        num_views: int = 1,
        seed: int = 0,
    ) -> None:
        if not len(clips):
            raise ValueError("clips: expected at least one clip, got none")
        if num_views < 1:
            raise ValueError(f"num_views must be at least 1, got {num_views}")
        self.clips = clips
        self.transform = transform
        self.num_views = num_views
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> list[Data]:
        r"""The views of one clip, each with its number as :obj:`clip`."""
        return [self._view(index, number) for number in range(self.num_views)]

    def _view(self, index: int, number: int) -> Data:
        view = self.clips[index].__copy__()
        if self.transform is not None:
            with _seeded(self.seed, self.epoch, index, number):
                view = self.transform(view)
        view.clip = index
        return view


@contextmanager
def _seeded(*numbers: int) -> Iterator[None]:
    """Other numbers, other random numbers; not :func:`torch.manual_seed`, which is for all devices
    and slow.
    """
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + number) % (1 << 61)
    state = torch.default_generator.get_state()
    torch.default_generator.manual_seed(mixed)
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
