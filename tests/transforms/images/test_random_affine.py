from __future__ import annotations

import math

import pytest
import torch

from tgst.transforms.images import RandomAffine, affine_images


def images(batch=4, height=8, width=12, channels=2):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))


def rolled(x, right, down):
    r"""Moved by whole pixels, with zeros where nothing came."""
    moved = x.roll((down, right), (-2, -1)).clone()
    moved[..., : max(down, 0), :] = 0
    moved[..., x.size(-2) + min(down, 0) :, :] = 0
    moved[..., : max(right, 0)] = 0
    moved[..., x.size(-1) + min(right, 0) :] = 0
    return moved


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-4, 1), (0, 0)])
def test_a_shift_by_whole_pixels_is_a_roll_with_zeros(right, down):
    x = images()
    shift = torch.tensor([[float(right), float(down)]] * 4)
    torch.testing.assert_close(
        affine_images(x, shift=shift), rolled(x, right, down), atol=2e-5, rtol=0
    )


def test_each_image_has_its_own_shift():
    x = images(batch=2)
    moved = affine_images(x, shift=torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    expected = torch.cat([rolled(x[:1], 1, 0), rolled(x[1:], 0, 2)])
    torch.testing.assert_close(moved, expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("angle", [90.0, 180.0, -90.0])
def test_a_positive_turn_is_clockwise(angle):
    x = images(height=9, width=9)
    turned = affine_images(x, rotation=torch.full((4,), angle))
    expected = torch.rot90(x, -round(angle / 90), (2, 3))
    torch.testing.assert_close(turned, expected, atol=2e-5, rtol=0)


def places(x):
    r"""The centre of mass of each image, in pixels from the middle, as (x, y)."""
    height, width = x.shape[-2:]
    across, down = torch.arange(width) - (width - 1) / 2, torch.arange(height) - (height - 1) / 2
    mass = x.sum((1, 2, 3))
    return torch.stack([(x.sum((1, 2)) @ across) / mass, (x.sum((1, 3)) @ down) / mass], dim=1)


def test_the_map_in_pixels_of_an_image_that_is_no_square():
    # a blob at (10, 6) from the middle of 41 x 61 pixels goes where the formula says
    x = torch.zeros(3, 1, 41, 61)
    x[:, :, 25:28, 39:42] = 1
    given = {
        "shift": torch.tensor([[1.0, -2.0], [0.0, 3.0], [0.5, 0.5]]),
        "rotation": torch.tensor([20.0, -35.0, 0.0]),
        "scale": torch.tensor([[1.2, 0.9], [0.8, 1.1], [1.0, 1.3]]),
        "shear": torch.tensor([0.3, -0.2, 0.5]),
    }
    expected = []
    for i in range(3):
        angle = math.radians(float(given["rotation"][i]))
        turn = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        skew = torch.tensor([[1.0, float(given["shear"][i])], [0.0, 1.0]])
        point = torch.tensor([10.0, 6.0]) * given["scale"][i]
        expected.append(turn @ skew @ point + given["shift"][i])
    torch.testing.assert_close(
        places(affine_images(x, **given)), torch.stack(expected), atol=0.1, rtol=0
    )


def test_draws_are_within_their_bounds(monkeypatch):
    x = torch.zeros(6, 1, 41, 61)
    x[:, :, 19:22, 29:32] = 1
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.ones(size))
    torch.testing.assert_close(
        places(RandomAffine(shift=5)(x)), torch.full((6, 2), 5.0), atol=1e-3, rtol=0
    )
    x[:, :, 19:22, 39:42] = 1
    x[:, :, 19:22, 29:32] = 0
    turned = places(RandomAffine(rotation=30)(x))
    expected = 10 * torch.tensor([[math.cos(math.pi / 6), 0.5]]).expand(6, 2)
    torch.testing.assert_close(turned, expected, atol=0.02, rtol=0)
    larger = places(RandomAffine(scale=0.2)(x))
    torch.testing.assert_close(larger, torch.tensor([[12.0, 0.0]]).expand(6, 2), atol=0.02, rtol=0)


def test_every_image_is_drawn_for_itself_from_both_sides():
    torch.manual_seed(0)
    x = torch.zeros(200, 1, 21, 21)
    x[:, :, 9:12, 9:12] = 1
    where = places(RandomAffine(shift=4)(x))
    assert where.abs().max() <= 4.001
    for axis in range(2):
        assert where[:, axis].min() < -3.5
        assert where[:, axis].max() > 3.5
        assert len(where[:, axis].unique()) > 190


def test_isotropic_scales_both_axes_alike():
    torch.manual_seed(0)
    x = torch.zeros(50, 1, 61, 61)
    x[:, :, 40:43, 40:43] = 1  # (11, 11) from the middle
    where = places(RandomAffine(scale=0.3, isotropic=True)(x))
    torch.testing.assert_close(where[:, 0], where[:, 1], atol=1e-3, rtol=0)
    free = places(RandomAffine(scale=0.3)(x))
    assert (free[:, 0] - free[:, 1]).abs().max() > 1


def test_nothing_to_change_changes_nothing():
    x = images()
    assert RandomAffine()(x) is x
    assert RandomAffine(shift=3, p=0)(x) is x
    assert RandomAffine(shift=3)(x[:0]).shape == (0, 2, 8, 12)


def test_images_that_are_not_drawn_stay_exactly():
    torch.manual_seed(0)
    x = images(batch=300)
    changed = RandomAffine(shift=2, rotation=10, p=0.3)(x)
    same = (changed == x).flatten(1).all(1)
    assert 0.6 < float(same.float().mean()) < 0.8


def test_border_padding_and_dtype():
    x = torch.ones(2, 1, 5, 5, dtype=torch.float64)
    assert RandomAffine(shift=3, padding="border")(x).min() == pytest.approx(1)
    assert RandomAffine(shift=3)(x.bfloat16()).dtype == torch.bfloat16


def test_autocast_does_not_round_the_places():
    x = images(height=64, width=64)
    given = {"shift": torch.full((4, 2), 3.3), "rotation": torch.full((4,), 17.0)}
    expected = affine_images(x, **given)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(affine_images(x, **given), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shift": -1}, "shift: expected a number >= 0, got -1"),
        ({"rotation": float("nan")}, "rotation: expected a number >= 0, got nan"),
        ({"scale": 1.0}, "scale: expected less than 1, got 1.0"),
        ({"shear": "a"}, "shear: expected a number >= 0, got 'a'"),
        ({"p": 1.5}, "p: expected a probability in 0..1, got 1.5"),
        ({"padding": "wrap"}, r"padding: expected one of \('zeros', 'border', 'reflection'\)"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        RandomAffine(**arguments)


@pytest.mark.parametrize("x", [torch.zeros(3, 4, 4), torch.zeros(1, 1, 4, 4).long()])
@pytest.mark.parametrize("change", [RandomAffine(shift=1), affine_images])
def test_what_is_no_batch_of_images_is_refused(x, change):
    with pytest.raises(
        ValueError, match=r"x: expected a floating point tensor \[B, C, H, W\], got"
    ):
        change(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shift": torch.zeros(4)}, r"shift: expected shape \[4, 2\], got \[4\]"),
        ({"scale": torch.ones(2)}, r"scale: expected shape \[4, 2\], got \[2\]"),
        ({"rotation": torch.zeros(3)}, r"rotation: expected shape \[4\], got \[3\]"),
        ({"shear": torch.zeros(4, 1)}, r"shear: expected shape \[4\], got \[4, 1\]"),
        ({"padding": "wrap"}, r"padding: expected one of \('zeros', 'border', 'reflection'\)"),
    ],
)
def test_numbers_that_are_not_one_for_each_image_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        affine_images(images(), **arguments)
