r"""The callback that keeps checkpoints in a folder that may be moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

__all__ = ["RunCheckpoint"]


class RunCheckpoint(ModelCheckpoint):
    r"""A :class:`lightning.pytorch.callbacks.ModelCheckpoint` that knows its best score again
    after its folder was moved.

    Lightning forgets the score when the folder has another name than before; the next epoch,
    however bad, would then replace the best checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        r"""Takes up a saved state, with its files looked for in this folder.

        Args:
            state_dict: What ``state_dict`` gave, perhaps in another folder.
        """
        best = Path(str(self.dirpath)) / Path(state_dict["best_model_path"] or "none").name
        if state_dict.get("dirpath") != self.dirpath and best.is_file():
            state_dict = state_dict | {
                "dirpath": self.dirpath,
                "best_k_models": {
                    self._here(path): score for path, score in state_dict["best_k_models"].items()
                },
            }
            for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state_dict[name] = self._here(state_dict[name])
        super().load_state_dict(state_dict)

    def _here(self, path: str) -> str:
        return str(Path(str(self.dirpath)) / Path(path).name) if path else path
