from __future__ import annotations

import pytest
import torch

from tgst.transforms.images import RandomClutter


def numbered(batch=5, side=12):
    r"""Each image has its own brightness everywhere."""
    return torch.arange(1.0, batch + 1).view(-1, 1, 1, 1).expand(batch, 2, side, side).clone()


def test_patches_come_from_other_images():
    torch.manual_seed(0)
    x = torch.zeros(6, 1, 16, 16)
    x[:3] = 0.5
    x[4] = 1.0
    cluttered = RandomClutter(number=1, size=4)(x)
    assert torch.equal(cluttered[4], x[4])  # none is brighter
    for image, before in zip(cluttered, x, strict=True):
        changed = image != before
        assert changed.sum() in (0, 16)  # one square of 4 x 4, or one from an image no brighter
        if changed.any():
            rows, columns = changed[0].any(1).nonzero(), changed[0].any(0).nonzero()
            assert (rows.max() - rows.min(), columns.max() - columns.min()) == (3, 3)


def test_a_patch_is_cut_out_as_it_is(monkeypatch):
    x = torch.rand(2, 3, 8, 9)
    drawn = iter([torch.ones(2, 1), *(torch.tensor(each) for each in PLACES)])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(drawn).long())
    cluttered = RandomClutter(number=1, size=3)(x)
    expected = x.clone()
    # cut out of the other image at (1, 2) and (4, 0), put at (5, 6) and (0, 3)
    expected[0, :, 5:8, 6:9] = torch.maximum(x[0, :, 5:8, 6:9], x[1, :, 1:4, 2:5])
    expected[1, :, 0:3, 3:6] = torch.maximum(x[1, :, 0:3, 3:6], x[0, :, 4:7, 0:3])
    assert torch.equal(cluttered, expected)


# top and left of the source, then of the target
PLACES = ([[1], [4]], [[2], [0]], [[5], [0]], [[6], [3]])


def test_sums_of_patches(monkeypatch):
    x = torch.rand(2, 3, 8, 9)
    drawn = iter([torch.ones(2, 1), *(torch.tensor(each) for each in PLACES)])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: next(drawn).long())
    cluttered = RandomClutter(number=1, size=3, blend="add")(x)
    expected = x.clone()
    expected[0, :, 5:8, 6:9] += x[1, :, 1:4, 2:5]
    expected[1, :, 0:3, 3:6] += x[0, :, 4:7, 0:3]
    torch.testing.assert_close(cluttered, expected)


def test_every_place_of_source_and_target_occurs():
    torch.manual_seed(0)
    x = torch.zeros(2, 1, 5, 5)
    x[1] = torch.rand(1, 5, 5)
    clutter = RandomClutter(number=1, size=4)
    seen = {tuple(clutter(x)[0].flatten().tolist()) for _ in range(300)}
    assert len(seen) == 4 * 4  # two places in each direction, of each


def test_no_patch_with_probability_zero_and_no_other_image():
    x = numbered()
    assert torch.equal(RandomClutter(p=0.0)(x), x)
    assert torch.equal(RandomClutter()(x[:1]), x[:1])


def test_some_patches_are_left_out():
    torch.manual_seed(0)
    x = torch.zeros(400, 1, 8, 8)
    x[1::2] = 1
    black = RandomClutter(number=1, size=4, p=0.5)(x)[::2]
    share = (black.amax((1, 2, 3)) > 0).float().mean()
    assert 0.18 < float(share) < 0.33  # half of the patches, half of them white


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number": 0}, "number: expected at least 1, got 0"),
        ({"size": 0}, "size: expected at least 1, got 0"),
        ({"p": -0.1}, "p: expected a number >= 0, got -0.1"),
        ({"blend": "paste"}, r"blend: expected one of \('max', 'add'\), got 'paste'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomClutter(**arguments)


def test_a_patch_must_fit():
    with pytest.raises(ValueError, match=r"size: expected at most the images' sides \[6, 9\], got"):
        RandomClutter(size=7)(torch.zeros(2, 1, 6, 9))
