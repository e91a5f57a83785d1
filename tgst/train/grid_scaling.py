r"""Between flows in their unit and what a network reads and says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tgst.data import FlowScaler
from tgst.train.grid_windows import GridBatch

__all__ = ["GridScaling"]

BRANCHES = ("closeness", "period", "trend")


class GridScaling(torch.nn.Module):
    r"""Scales frames, adds their changes and planes, and tells flows from the network's output.

    With the scaling of frames :math:`s`, that of changes :math:`d` (of scaled frames) and the
    reference frame :math:`\mathbf{r}` the output :math:`\mathbf{o}` means

    .. math::
        \hat{\mathbf{x}} = s^{-1}(\mathbf{o}) \quad \text{without a reference, or} \quad
        \hat{\mathbf{x}} = s^{-1}\bigl(s(\mathbf{r}) + d^{-1}(\mathbf{o})\bigr)

    Args:
        grid: Description of the data (:class:`tgst.train.GridData`).
        planes: ``"position"`` and ``"time_of_day"``, those that join the channels of every frame.
    """

    def __init__(self, grid: Mapping[str, Any], planes: Sequence[str] = ()) -> None:
        super().__init__()
        size = grid["num_channels"], grid["height"], grid["width"]
        self.frames = FlowScaler(**grid["scaling"], size=size)
        self.changes: FlowScaler | None = None
        if grid["change_scaling"] is not None:
            self.changes = FlowScaler(**({"method": "scale"} | grid["change_scaling"]), size=size)
        self.planes = tuple(planes)

    def inputs(self, batch: GridBatch) -> list[Tensor]:
        r"""What closeness, period and trend read, :math:`(B, l \cdot \text{channels}, H, W)` each.

        The channels of a frame are its flows, their changes since the week before (where the batch
        has that frame), row and column from -1 to 1, and sine and cosine of the time of day of the
        first target.

        Args:
            batch: Windows as the loader gives them.
        """
        return [self._input(getattr(batch, name), batch.time_of_day) for name in BRANCHES]

    def _input(self, frames: Tensor, time_of_day: Tensor) -> Tensor:
        scaled = self.frames.transform(frames)
        now = scaled[:, :, 0]
        parts = [now]
        if frames.size(2) == 2:
            parts.append(self._scaled_change(now - scaled[:, :, 1]))
        height, width = frames.shape[-2:]
        shape = (*frames.shape[:2], 2, height, width)
        if "position" in self.planes:
            row = torch.linspace(-1, 1, height).to(scaled)[:, None].expand(height, width)
            column = torch.linspace(-1, 1, width).to(scaled).expand(height, width)
            parts.append(torch.stack([row, column]).expand(shape))
        if "time_of_day" in self.planes:
            parts.append(time_of_day.to(scaled)[:, None, :, None, None].expand(shape))
        return torch.cat(parts, dim=2).flatten(1, 2)

    def target(self, batch: GridBatch) -> Tensor:
        r"""What the network should say.

        Args:
            batch: Windows as the loader gives them.
        """
        target = self.frames.transform(batch.y)
        if batch.reference.size(1) == 0:
            return target
        return self._scaled_change(target - self.frames.transform(batch.reference))

    def flows(self, output: Tensor, batch: GridBatch) -> Tensor:
        r"""The flows that the network means.

        Args:
            output: What it says, :math:`(B, \text{horizon}, C, H, W)`.
            batch: Windows as the loader gives them.
        """
        if batch.reference.size(1):
            if self.changes is not None:
                output = self.changes.inverse_transform(output)
            output = output + self.frames.transform(batch.reference)
        return self.frames.inverse_transform(output)

    def _scaled_change(self, change: Tensor) -> Tensor:
        return change if self.changes is None else self.changes.transform(change)
