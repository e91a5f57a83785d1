r"""A loader that continues where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader


class ResumableLoader(DataLoader):
    r"""A :class:`torch.utils.data.DataLoader` whose :meth:`state_dict` holds epoch and position,
    so that a resumed run sees the batches that an uninterrupted run sees.

    Its sampler is a :class:`~tgst.loader.epoch_shuffle.EpochShuffle` or another one whose order
    follows from its attribute :obj:`epoch`.
    """

    _position = 0  # batches of the current epoch that were handed out
    _epoch = 0  # epoch they belong to
    _resume: dict[str, int] | None = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: nothing happens before the first batch is asked for. Trainers make
        # iterators ahead, and set the epoch of the sampler afterwards.
        self._epoch = self._sampler_epoch()
        self.start_epoch(self._epoch)
        resume, self._resume = self._resume, None
        skip = resume["position"] if resume and resume["epoch"] == self._epoch else 0
        for position, batch in enumerate(super().__iter__(), start=1):
            if position > skip:
                self._position = position
                yield batch

    def start_epoch(self, epoch: int) -> None:
        r"""Called before the first batch of every pass.

        Args:
            epoch (int): Its number.
        """

    def state_dict(self) -> dict[str, int]:
        r"""Epoch and number of batches handed out in it, to continue from."""
        if self._resume is not None:
            return dict(self._resume)
        if self._position in (0, len(self)):
            return {"epoch": self._sampler_epoch(), "position": 0}
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        r"""Continue from a :meth:`state_dict`: the next pass skips what was handed out.

        Args:
            state (dict): What :meth:`state_dict` gave.
        """
        self._resume = {"epoch": int(state["epoch"]), "position": int(state["position"])}
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(self._resume["epoch"])

    def _sampler_epoch(self) -> int:
        return getattr(self.sampler, "epoch", 0)
