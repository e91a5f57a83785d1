from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tgst.utils import (
    from_bctn,
    from_btnc,
    from_nctvm,
    grid_graph,
    grid_to_nodes,
    nodes_to_grid,
    to_bctn,
    to_btnc,
    to_nctvm,
)

SIZES = {"B": 2, "T": 3, "N": 4, "C": 5, "V": 6, "M": 7}
CONVERTERS = [
    (from_btnc, to_btnc, "BTNC", "NBTC"),
    (from_bctn, to_bctn, "BCTN", "NBTC"),
    (from_nctvm, to_nctvm, "NCTVM", "VNMTC"),
]


@pytest.mark.parametrize(("enter", "leave", "other", "ours"), CONVERTERS)
def test_values_and_round_trip(
    enter: Callable[[Tensor], Tensor], leave: Callable[[Tensor], Tensor], other: str, ours: str
) -> None:
    x = torch.randn([SIZES[letter] for letter in other])
    expected = torch.einsum(f"{other}->{ours}", x)
    assert torch.equal(enter(x), expected)
    assert torch.equal(leave(expected), x)
    assert enter(x).data_ptr() == x.data_ptr()  # a view


@pytest.mark.parametrize(
    ("converter", "layout"),
    [(enter, other) for enter, _, other, _ in CONVERTERS]
    + [(leave, ours) for _, leave, _, ours in CONVERTERS],
)
def test_another_rank_is_refused(converter: Callable[[Tensor], Tensor], layout: str) -> None:
    rank = len(layout)
    letters = ", ".join(layout)
    for wrong in (rank - 1, rank + 1):
        message = (
            rf"x: expected {rank} dimensions \[{letters}\], got shape \[{'1, ' * (wrong - 1)}1\]"
        )
        with pytest.raises(ValueError, match=message):
            converter(torch.zeros([1] * wrong))


def test_grid_to_nodes_and_back() -> None:
    images = torch.randn(2, 5, 3, 4, 6)  # [B, T, C, H, W]
    nodes = grid_to_nodes(images)
    assert nodes.shape == (24, 2, 5, 3)
    for row in range(4):
        for column in range(6):
            assert torch.equal(nodes[row * 6 + column], images[..., row, column])
    back = nodes_to_grid(nodes, 4, 6)
    assert torch.equal(back, images)
    assert nodes.data_ptr() == back.data_ptr() == images.data_ptr()  # views
    frame = images[:, 0]  # [B, C, H, W] to [N, B, C]
    assert torch.equal(grid_to_nodes(frame), nodes[:, :, 0])
    assert torch.equal(nodes_to_grid(nodes[:, :, 0], 4, 6), frame)


def test_frames_stacked_in_the_channels() -> None:
    stacked = torch.randn(2, 5 * 3, 4, 6)  # [B, T * C, H, W]
    nodes = grid_to_nodes(stacked, channels=3)
    assert nodes.shape == (24, 2, 5, 3)
    for step in range(5):
        for channel in range(3):
            plane = stacked[:, step * 3 + channel].flatten(1).T
            assert torch.equal(nodes[:, :, step, channel], plane)
    back = nodes_to_grid(nodes, 4, 6, stacked=True)
    assert torch.equal(back, stacked)
    assert nodes.data_ptr() == back.data_ptr() == stacked.data_ptr()
    # Windows of a batch are cut elsewhere and are no views of one image: the values are the same.
    windows = torch.randn(24, 2, 5, 3)
    assert torch.equal(
        nodes_to_grid(windows, 4, 6, stacked=True), nodes_to_grid(windows, 4, 6).flatten(1, 2)
    )


def test_grid_with_holes() -> None:
    mask = torch.tensor([[True, False, True], [False, True, True]])
    cell = grid_graph(2, 3, mask=mask).cell
    images = torch.randn(4, 2, 3, requires_grad=True)
    nodes = grid_to_nodes(images, cell)
    assert torch.equal(nodes.T, images[:, mask])
    filled = nodes_to_grid(nodes, 2, 3, cell, fill_value=-1.0)
    assert torch.equal(filled, images.where(mask, -1.0))
    assert torch.equal(nodes_to_grid(nodes, 2, 3, cell), images * mask)
    filled.sum().backward()
    assert torch.equal(images.grad, mask.float().expand(4, 2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: grid_to_nodes(x[0]),
            r"x: expected 3 dimensions or more \[\*, C, H, W\], got shape \[4, 5\]",
        ),
        (
            lambda x: grid_to_nodes(x, channels=4),
            r"channels: expected frames of 4 channels stacked in dimension -3 of "
            r"\[\*, T \* C, H, W\], got shape \[6, 4, 5\]",
        ),
        (lambda x: grid_to_nodes(x, channels=0), "channels: expected frames of 0 channels"),
        (
            lambda x: grid_to_nodes(x, torch.tensor([3, 20])),
            r"cell: expected numbers in 0..19 \(H \* W = 4 \* 5\), got 20",
        ),
        (
            lambda x: grid_to_nodes(x, torch.tensor([0.0])),
            r"cell: expected shape \[N\] and dtype torch.int64, got \[1\] and torch.float32",
        ),
        (
            lambda x: nodes_to_grid(x, 4, 5),
            r"x: expected \[N, \*, T, C\] with a node for each of the H \* W = 4 \* 5 cells, got "
            r"shape \[6, 4, 5\]",
        ),
        (
            lambda x: nodes_to_grid(x, 4, 5, torch.tensor([1, 2])),
            r"x: expected \[N, \*, T, C\] with a node for each of the 2 cells",
        ),
        (
            lambda x: nodes_to_grid(x[:2], 4, 5, torch.tensor([1, -2])),
            r"cell: expected numbers in 0..19 .*, got -2",
        ),
        (
            lambda x: nodes_to_grid(x[0], 2, 2, stacked=True),
            r"x: expected \[N, \*, T, C\] to stack its steps, got shape \[4, 5\]",
        ),
    ],
)
def test_grids_that_are_refused(call: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(6, 4, 5))
