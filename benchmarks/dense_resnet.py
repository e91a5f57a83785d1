"""ST-ResNet as published: stacks of 2-D convolutions, one per branch, and a weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from tgst.nn.models import STResNet


class PlainBranch(nn.Module):
    """A convolution, residual units of two convolutions after a ReLU each, and a convolution."""

    def __init__(self, width_in: int, width: int, width_out: int, units: int):
        super().__init__()
        widths = [width_in, *[width] * (2 * units + 1), width_out]
        self.convs = nn.ModuleList(
            nn.Conv2d(ins, outs, 3, padding=1) for ins, outs in pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run the branch on ``(B, C, H, W)``."""
        first, *inner, last = self.convs
        x = first(x)
        for one, two in zip(inner[::2], inner[1::2], strict=True):
            x = x + two(torch.relu(one(torch.relu(x))))
        return last(torch.relu(x))


class PlainResNet(nn.Module):
    """The branches, their sum with a weight per cell and flow, and a tanh."""

    def __init__(
        self,
        grid: tuple[int, int],
        frames: Sequence[int],
        units: int,
        width: int = 64,
        flows: int = 2,
    ):
        super().__init__()
        self.branches = nn.ModuleList(
            PlainBranch(count * flows, width, flows, units) for count in frames
        )
        self.weights = nn.ParameterList(torch.rand(flows, *grid) for _ in frames)

    def forward(self, *frames: Tensor) -> Tensor:
        """Return the next frame ``(B, flows, H, W)``."""
        outs = [branch(x) for branch, x in zip(self.branches, frames, strict=True)]
        weighted = [weight * out for weight, out in zip(self.weights, outs, strict=True)]
        return torch.tanh(sum(weighted[1:], weighted[0]))


def pairs(plain: PlainResNet, ours: STResNet) -> list[tuple[Tensor, Tensor]]:
    """Return (ours, plain) for all convolutions; both list them in the order they run in."""
    found = []
    for branch, theirs in zip(ours.branches.values(), plain.branches, strict=True):
        found += list(zip(branch.parameters(), theirs.parameters(), strict=True))
    return found


def copy_weights(plain: PlainResNet, ours: STResNet) -> None:
    """Give our model the parameters of the plain one."""
    with torch.no_grad():
        for receiver, giver in pairs(plain, ours):
            receiver.copy_(giver)
        ours.fusion.weight.copy_(torch.stack(list(plain.weights)))


def gradient_difference(plain: PlainResNet, ours: STResNet) -> float:
    """Return the largest difference of two gradients, relative to the largest gradient."""
    found = [(one.grad, two.grad) for one, two in pairs(plain, ours)]
    found.append((ours.fusion.weight.grad, torch.stack([w.grad for w in plain.weights])))
    largest = max(float(expected.abs().max()) for _, expected in found)
    return max(float((grad - expected).abs().max()) for grad, expected in found) / largest
