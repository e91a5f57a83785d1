r"""The callback that makes a resumed run continue the random numbers of the stopped one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

__all__ = ["RandomState"]


class RandomState(Callback):
    r"""Keeps the states of all random number generators in the checkpoint.

    A fit that was stopped at the end of an epoch and resumed from ``last.ckpt`` then draws the
    same dropout masks as one that was never stopped. Together with the position of the loader,
    which the trainer saves (:meth:`tgst.loader.WindowLoader.state_dict`), it ends with the same
    weights, bit for bit on the CPU in one process.

    The states of PyTorch (CPU and all CUDA devices), NumPy and Python are stored as tensors and
    plain lists, so the checkpoint loads with ``weights_only=True``. They are put back when the
    first epoch after the resumption starts: later than the construction of the model, the sanity
    check and everything else that draws numbers before training.
    """

    def __init__(self) -> None:
        self._restored: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        r"""The generators' states now."""
        return _random_states()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        r"""Keeps states for the start of the next epoch.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        self._restored = state_dict

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Puts the states back, once, in the first epoch after a resumption."""
        # the states are those of the first process; others must not draw the same numbers
        if self._restored is not None and trainer.is_global_zero:
            _set_random_states(self._restored)
            self._restored = None


def _random_states() -> dict[str, Any]:
    # the global generator of libraries and transforms that do not take one
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [
            str(name),
            np.asarray(keys).tolist(),
            int(position),
            int(has_gauss),
            float(cached),
        ],
        "python": [version, list(words), gauss],
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"].cpu())
    # a run resumed on another number of devices keeps what fits
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state.cpu(), device)
    name, keys, position, has_gauss, cached = states["numpy"]
    keys = np.array(keys, dtype=np.uint32)
    np.random.set_state((name, keys, position, has_gauss, cached))  # noqa: NPY002
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
