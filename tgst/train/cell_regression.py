r"""A linear forecast of each cell of a grid."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tgst.train.grid_windows import GridRows

__all__ = ["CellRegression"]

WINDOWS_PER_CHUNK = 256


class CellRegression:
    r"""Forecasts the flows of each cell by a ridge regression of its own on what a grid model reads
    of that cell.

    .. math::
        \hat{\mathbf{y}}_i = \mathbf{r}_i + \mathbf{b}_i + \mathbf{W}_i^\top \mathbf{z}_i, \quad
        \min_{\mathbf{W}_i, \mathbf{b}_i} \sum_t \| \mathbf{y}_{i,t} - \hat{\mathbf{y}}_{i,t} \|^2 +
        \lambda \sum_k g_{i,k} \| \mathbf{w}_{i,k} \|^2

    with :math:`\mathbf{z}_i` the flows of cell :math:`i` in the frames of all branches,
    :math:`\mathbf{r}_i` those of the reference frame (zero without one) and :math:`g_{i,k}` the sum
    of squares of feature :math:`k`. No cell sees another one, and nothing external.

    Args:
        ridge: :math:`\lambda`, above 0.

    Raises:
        ValueError: If ``ridge`` is not above 0.
    """

    weight: Tensor

    def __init__(self, ridge: float = 1e-5) -> None:
        if not ridge > 0:
            raise ValueError(f"ridge: expected a number above 0, got {ridge}")
        self.ridge = ridge

    def fit(self, frames: Tensor, rows: GridRows) -> CellRegression:
        r"""Solves the regressions on the given windows.

        Args:
            frames: All frames, :math:`(T, C, H, W)`.
            rows: The training windows.
        """
        gram = cross = torch.zeros(())
        for part in _chunks(rows):
            features = self._features(frames, part)
            target = (_targets(frames, part) - _reference(frames, part)).double()
            target = target.flatten(1, 2).flatten(2).permute(2, 0, 1)  # [cells, windows, H C]
            gram = gram + features.mT @ features
            cross = cross + features.mT @ target
        own = gram.diagonal(dim1=-2, dim2=-1)
        # a feature that was always zero gets no weight
        penalty = torch.where(own > 0, self.ridge * own, 1.0)
        self.weight = torch.linalg.solve(gram + penalty.diag_embed(), cross)
        return self

    def predict(self, frames: Tensor, rows: GridRows) -> Tensor:
        r"""Forecasts windows.

        Args:
            frames: All frames, :math:`(T, C, H, W)`.
            rows: The windows.

        Returns:
            :math:`(B, \text{horizon}, C, H, W)`, in the unit of the frames.
        """
        reference = _reference(frames, rows)
        change = (self._features(frames, rows) @ self.weight).permute(1, 2, 0)
        size = (len(rows.target), rows.target.shape[1], *frames.shape[1:])
        return reference + change.reshape(size).to(frames.dtype)

    def _features(self, frames: Tensor, rows: GridRows) -> Tensor:
        """The flows of each cell, and one: [cells, windows, features], double."""
        read = [frames[torch.from_numpy(x)].flatten(1, 3) for x in rows[:3] if x.shape[1]]
        features = torch.cat(read, dim=1).flatten(2).permute(2, 0, 1).double()
        return torch.nn.functional.pad(features, (0, 1), value=1.0)


def _chunks(rows: GridRows) -> Iterator[GridRows]:
    for start in range(0, len(rows.target), WINDOWS_PER_CHUNK):
        yield rows.select(slice(start, start + WINDOWS_PER_CHUNK))


def _targets(frames: Tensor, rows: GridRows) -> Tensor:
    return frames[torch.from_numpy(rows.target)]


def _reference(frames: Tensor, rows: GridRows) -> Tensor:
    targets = torch.zeros(*rows.target.shape, *frames.shape[1:])
    return frames[torch.from_numpy(rows.reference)] if rows.reference.shape[1] else targets
