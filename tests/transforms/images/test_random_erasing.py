from __future__ import annotations

import pytest
import torch

from tgst.transforms.images import RandomErasing


def test_one_square_of_each_chosen_image_is_erased():
    torch.manual_seed(0)
    x = torch.ones(300, 2, 9, 12)
    erased = RandomErasing(size=[2, 4], p=0.5, value=-1)(x)
    assert torch.equal(erased[:, 0], erased[:, 1])  # all channels alike
    holes = (erased[:, 0] == -1).flatten(1).sum(1)
    assert set(holes.tolist()) == {0, 4, 9, 16}
    assert 0.4 < float((holes > 0).float().mean()) < 0.6
    assert torch.equal(erased != 1, erased == -1)
    for image in erased[holes > 0, 0]:
        hole = image == -1
        rows, columns = hole.any(1).sum(), hole.any(0).sum()
        assert rows == columns
        assert rows * columns == hole.sum()


def test_every_place_occurs():
    torch.manual_seed(0)
    erased = RandomErasing(size=3, p=1.0)(torch.ones(400, 1, 4, 5))
    corners = {tuple((image == 0)[0].nonzero()[0].tolist()) for image in erased}
    assert corners == {(row, column) for row in range(2) for column in range(3)}


def test_nothing_is_erased_with_probability_zero():
    x = torch.rand(4, 1, 9, 9)
    assert torch.equal(RandomErasing(p=0.0)(x), x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size: expected at least 1, got 0"),
        ({"size": [4, 2]}, r"size: expected \[smallest, largest\], got \[4, 2\]"),
        ({"size": [1, 2, 3]}, r"size: expected a number of pixels or \[smallest, largest\], got"),
        ({"p": 2}, "p: expected a probability in 0..1, got 2"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomErasing(**arguments)


def test_a_square_must_fit():
    with pytest.raises(ValueError, match=r"size: expected at most the images' sides \[6, 9\], got"):
        RandomErasing(size=[2, 7])(torch.zeros(2, 1, 6, 9))
