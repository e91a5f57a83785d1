from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tgst.utils import from_bctn, from_btnc, from_nctvm, to_bctn, to_btnc, to_nctvm

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
