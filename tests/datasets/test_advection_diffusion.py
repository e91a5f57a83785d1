from __future__ import annotations

import numpy as np
import pytest

from tgst.datasets import AdvectionDiffusion


def blob(model, row=8.0, column=8.0, width=2.0):
    return model.gaussian(np.array([[row, column]]), np.array([width]))


def center(frame):
    """Centre of mass [rows, columns] on a torus, by the phase of the lowest wave."""
    found = []
    for axis, size in enumerate(frame.shape):
        mass = frame.sum(axis=1 - axis)
        wave = (mass * np.exp(2j * np.pi * np.arange(size) / size)).sum()
        found.append(np.angle(wave) / (2 * np.pi) * size % size)
    return np.array(found)


@pytest.mark.parametrize("swirl", [0.0, 0.8])
def test_mass_is_conserved_on_a_torus(swirl):
    model = AdvectionDiffusion(12, 15, (0.4, -0.7), swirl=swirl, diffusion=0.1)
    field = np.random.default_rng(0).random((2, 12, 15))
    frames = model.run(field, 40)
    np.testing.assert_allclose(frames.sum((2, 3)), np.tile(field.sum((1, 2)), (40, 1)), rtol=1e-12)
    assert np.abs(frames[1] - frames[0]).max() > 0.1


@pytest.mark.parametrize("wind", [(0.4, 0.7), (-0.3, 0.0), (0.0, -1.6)])
def test_advection_moves_by_the_velocity(wind):
    model = AdvectionDiffusion(24, 32, wind)
    frames = model.run(blob(model, width=4.0), 11)[:, 0]
    for step, frame in enumerate(frames):
        missed = center(frame) - (8 + step * np.array(wind))
        missed -= np.round(missed / frame.shape) * frame.shape
        np.testing.assert_allclose(missed, 0.0, atol=0.02)
    # It keeps its form but for the peak, which the limiter cuts: the solution is the moved cloud.
    exact = blob(model, *(8 + 10 * np.array(wind)), width=4.0)[0]
    assert np.abs(frames[10] - exact).max() < 0.1
    assert np.abs(frames[0] - exact).max() > 0.4


@pytest.mark.parametrize("wind", [(0.5, 0.0), (-0.5, 0.0), (0.0, 0.4), (0.0, -0.4)])
def test_error_of_second_order_in_time(wind):
    """Fluxes of the middle of a substep: with those of its beginning the error is 0.16 to 0.26."""
    model = AdvectionDiffusion(32, 32, wind)
    frame = model.run(blob(model, 10, 12, width=3.0), 21)[20]
    exact = blob(model, 10 + 20 * wind[0], 12 + 20 * wind[1], width=3.0)
    assert np.sqrt(((frame - exact) ** 2).sum() / (exact**2).sum()) < 0.05


def test_down_is_down_and_right_is_right():
    field = np.zeros((1, 5, 7))
    field[0, 2, 3] = 1.0
    down = AdvectionDiffusion(5, 7, (1.0, 0.0)).run(field, 2)[1, 0]
    right = AdvectionDiffusion(5, 7, (0.0, 1.0)).run(field, 2)[1, 0]
    assert down[3, 3] > 0.4
    assert right[2, 4] > 0.4
    assert down[1].max() == 0
    assert right[:, 2].max() == 0


def test_diffusion_spreads_by_its_coefficient():
    # A Gaussian of variance s stays one, of variance s + 2 D t.
    model = AdvectionDiffusion(40, 40, (0.0, 0.0), diffusion=0.3)
    frames = model.run(blob(model, 20, 20), 31)[:, 0]
    peaks = frames.max((1, 2))
    assert (np.diff(peaks) < 0).all()
    np.testing.assert_allclose(peaks, 4 / (4 + 0.6 * np.arange(31)), rtol=0.01)
    place = np.arange(40) - 20.0
    variance = (frames[-1].sum(1) * place**2).sum() / frames[-1].sum()
    assert variance == pytest.approx(4 + 0.6 * 30, rel=0.01)


@pytest.mark.parametrize("periodic", [True, False])
def test_no_new_extremes(periodic):
    model = AdvectionDiffusion(9, 11, (0.9, -0.4), swirl=1.0, diffusion=0.1, periodic=periodic)
    field = (np.random.default_rng(0).random((1, 9, 11)) < 0.3).astype(float)
    frames = model.run(field, 60)
    assert frames.min() >= 0
    assert frames.max() <= 1 + 1e-12


def test_the_swirl_has_no_divergence():
    model = AdvectionDiffusion(9, 11, (0.2, 0.1), swirl=1.0)
    frames = model.run(np.ones((1, 9, 11)), 20)
    np.testing.assert_allclose(frames, 1.0, rtol=1e-12)
    down, right = model.velocity
    assert max(np.abs(down - 0.2).max(), np.abs(right - 0.1).max()) == pytest.approx(1.0)
    np.testing.assert_allclose(down[0], down[-1], atol=1e-12)  # it goes on at the border
    closed = AdvectionDiffusion(9, 11, (0.0, 0.0), swirl=1.0, periodic=False)
    np.testing.assert_allclose(closed.velocity[0][[0, -1]], 0.0, atol=1e-12)
    field = np.random.default_rng(0).random((1, 9, 11))
    np.testing.assert_allclose(closed.run(field, 20)[-1].sum(), field.sum(), rtol=1e-12)


def test_open_borders_lose_what_crosses_them():
    model = AdvectionDiffusion(16, 16, (0.0, 1.0), periodic=False)
    frames = model.run(blob(model, 8, 12, 1.0), 13)[:, 0]
    mass = frames.sum((1, 2))
    assert (np.diff(mass) <= 1e-12).all()
    assert mass[-1] < 0.01 * mass[0]
    assert frames[-1][:, :4].max() < 1e-3  # nothing comes in at the other side
    still = AdvectionDiffusion(16, 16, (0.0, 0.0), diffusion=0.2, periodic=False)
    spread = still.run(blob(still, 0, 0), 30).sum((1, 2, 3))
    np.testing.assert_allclose(spread, spread[0], rtol=1e-12)


def test_decay_and_sources():
    model = AdvectionDiffusion(8, 8, (0.3, 0.2), diffusion=0.1, decay=0.1)
    field = np.random.default_rng(0).random((1, 8, 8))
    mass = model.run(field, 10).sum((1, 2, 3))
    np.testing.assert_allclose(mass, mass[0] * np.exp(-0.1 * np.arange(10)), rtol=1e-12)
    lasting = AdvectionDiffusion(8, 8, (0.3, 0.2), diffusion=0.1)
    rate = np.arange(10.0).reshape(10, 1, 1) * [[1.0, 2.0]]
    place = np.zeros((1, 2, 8, 8))
    place[0, 0, 1, 1] = place[0, 1, 5, 5] = 1.0
    frames = lasting.run(np.zeros((1, 8, 8)), 10, rate, place)
    emitted = 3 * np.concatenate([[0], np.arange(9).cumsum()])
    np.testing.assert_allclose(frames.sum((1, 2, 3)), emitted, rtol=1e-12, atol=1e-12)
    assert frames[2, 0, 5, 5] > 1.5 * frames[2, 0, 1, 1] > 0


def test_gaussians():
    torus, plane = (AdvectionDiffusion(10, 8, (0, 0), periodic=p) for p in (True, False))
    place, width = np.array([[0.0, 7.0]]), np.array([1.0])
    assert torus.gaussian(place, width)[0, 0, 7] == plane.gaussian(place, width)[0, 0, 7] == 1
    assert torus.gaussian(place, width)[0, 9, 0] == pytest.approx(np.exp(-1))
    assert plane.gaussian(place, width)[0, 9, 0] < 1e-20
    assert plane.gaussian(place, width)[0, 1, 6] == pytest.approx(np.exp(-1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 2}, "height: expected at least 3, got 2"),
        ({"width": 0}, "width: expected at least 3, got 0"),
        ({"wind": (1.0,)}, r"wind: expected two numbers, rows and columns per step, got \(1.0,\)"),
        ({"wind": (1.0, np.nan)}, "wind: expected two numbers"),
        ({"swirl": -1.0}, "swirl: expected a number >= 0, got -1.0"),
        ({"diffusion": np.inf}, "diffusion: expected a number >= 0, got inf"),
        ({"decay": np.nan}, "decay: expected a number >= 0, got nan"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdvectionDiffusion(**{"height": 5, "width": 5, "wind": (0.0, 0.0), **arguments})
