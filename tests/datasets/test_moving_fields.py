from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.datasets import AdvectionDiffusion, MovingFields
from tgst.utils import grid_graph, grid_to_nodes

STILL = {"sources": 0, "decay": 0.0}


def test_graph_and_series():
    dataset = MovingFields(6, 8, 50, num_channels=2, start="2024-02-28", interval=1800)
    data, series = dataset[0], dataset.series
    data.validate()
    assert len(dataset) == 1
    assert (dataset.height, dataset.width, dataset.slots_per_day) == (6, 8, 48)
    assert dataset.holidays is dataset.meteorology is None
    assert torch.equal(data.edge_index, grid_graph(6, 8, 8, wrap=True).edge_index)
    assert data.node_id == series.node_id
    assert series.channels == ("field_0", "field_1")
    assert series.values.shape == (48, 50, 2)
    assert series.values.dtype == torch.float32
    assert series.mask is None
    assert series.timestamps[0] == np.datetime64("2024-02-28T00:00:00")
    assert series.timestamps[-1] == np.datetime64("2024-02-29T00:30:00")
    assert not torch.equal(series.values[..., 0], series.values[..., 1])
    assert MovingFields(6, 8, 2).series.channels == ("field",)


def test_frames_are_a_view_of_the_series():
    dataset = MovingFields(6, 8, 5, num_channels=2)
    frames = dataset.frames
    assert frames.shape == (5, 2, 6, 8)
    assert frames.data_ptr() == dataset.series.values.data_ptr()
    assert torch.equal(grid_to_nodes(frames), dataset.series.values)
    assert torch.equal(dataset.series.values[2 * 8 + 3], frames[:, :, 2, 3])


def test_graph_without_wrap_and_with_four_neighbours():
    dataset = MovingFields(4, 5, 3, periodic=False, connectivity=4)
    assert torch.equal(dataset[0].edge_index, grid_graph(4, 5, 4).edge_index)


def test_mass_is_conserved_without_sources():
    frames = MovingFields(16, 12, 30, swirl=0.5, **STILL).frames.double()
    mass = frames.sum((1, 2, 3))
    torch.testing.assert_close(mass, mass[:1].expand(30), rtol=1e-6, atol=0.0)
    lost = MovingFields(16, 12, 30, swirl=0.5, periodic=False, **STILL).frames.sum((1, 2, 3))
    assert lost[-1] < 0.8 * lost[0]


def test_wind_moves_the_field_by_whole_cells():
    still = {**STILL, "diffusion": 0.0}
    frames = MovingFields(24, 24, 9, seed=3, wind=(0.5, -0.25), **still).frames[:, 0]
    moved = frames[0].roll((4, -2), (0, 1))
    difference = (frames[8] - moved).square().mean().sqrt()
    assert difference < 0.15 * (frames[8] - frames[0]).square().mean().sqrt()
    other = frames[0].roll((-4, 2), (0, 1))
    assert difference < 0.15 * (frames[8] - other).square().mean().sqrt()


@pytest.mark.parametrize("periodic", [True, False])
def test_options_reach_the_solver(periodic):
    """Without sources the frames are the run of the first one, and every option counts."""
    options = {"wind": (0.3, -0.2), "swirl": 0.4, "diffusion": 0.07, "decay": 0.1}
    frames = MovingFields(6, 7, 4, sources=0, periodic=periodic, **options).frames.double()

    def run(**other):
        model = AdvectionDiffusion(6, 7, periodic=periodic, **{**options, **other})
        return torch.from_numpy(model.run(frames[0].numpy(), 4))

    torch.testing.assert_close(frames, run(), rtol=1e-5, atol=1e-6)
    for name in options:
        other = run(**{name: (0.0, 0.0) if name == "wind" else 0.0})
        assert (frames - other).abs().max() > 0.01


def test_diffusion_smooths():
    roughness = []
    for diffusion in (0.02, 0.1, 0.5):
        frames = MovingFields(16, 16, 20, diffusion=diffusion, **STILL).frames[:, 0]
        change = frames.diff(dim=1).square().mean((1, 2))
        assert change[-1] < 0.8 * change[0]
        roughness.append(float(change[-1]))
    assert roughness[0] > 1.5 * roughness[1] > 2 * roughness[2]


def test_the_seed_decides_everything():
    options = {"noise": 0.1, "num_channels": 2}
    first, same, other = (MovingFields(8, 9, 40, seed, **options) for seed in (5, 5, 6))
    assert torch.equal(first.series.values, same.series.values)
    change = (first.frames - other.frames).abs()
    assert (change.mean((0, 2, 3)) > 0.1).all()


def test_streams_are_apart():
    # The clouds are the same whatever the sources, and the field whatever the noise.
    first, second = (MovingFields(8, 9, 2, sources=count) for count in (0, 3))
    assert torch.equal(first.frames[0], second.frames[0])
    assert not torch.equal(first.frames[1], second.frames[1])
    plain, noisy = (MovingFields(32, 32, 20, noise=noise) for noise in (0.0, 0.1))
    error = noisy.frames - plain.frames
    assert error.std() == pytest.approx(0.1, rel=0.05)
    assert abs(float(error.mean())) < 0.005


def test_sources_follow_the_day_and_differ_between_days():
    dataset = MovingFields(16, 16, 24 * 10, clouds=0, sources=1, decay=0.0, diffusion=0.0)
    mass = dataset.frames.double().sum((1, 2, 3))
    assert mass[0] == 0
    emitted = mass.diff()
    assert emitted.min() > -1e-4
    start = int(emitted[: 24 * 9].view(9, 24).mean(0).argmin())
    peaks = emitted[start : start + 24 * 8].view(8, 24)
    # One hump of a cosine per day: it rises for half a day and falls for the other half.
    rise, fall = peaks[:, 1:12].diff(dim=1), peaks[:, 13:23].diff(dim=1)
    assert (rise > 0).all()
    assert (fall < 0).all()
    days = peaks.sum(1)
    assert days.max() > 1.3 * days.min()


def test_sources_follow_the_clock():
    """What goes out from noon on does not depend on when the first frame is."""
    still = {"wind": (0.0, 0.0), "diffusion": 0.0, "decay": 0.0, "clouds": 0}
    day = MovingFields(5, 6, 40, start="2024-01-01", **still).frames
    noon = MovingFields(5, 6, 28, start="2024-01-01T12:00", **still).frames
    torch.testing.assert_close(noon.diff(dim=0), day[12:].diff(dim=0), rtol=1e-4, atol=1e-5)
    assert (noon.diff(dim=0) - day[:28].diff(dim=0)).abs().max() > 0.1


def test_transform():
    from tgst.transforms import OffsetPartition

    data = MovingFields(4, 5, 2, transform=OffsetPartition())[0]
    assert sorted(set(data.edge_type.tolist())) == list(range(9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 2}, "height: expected at least 3, got 2"),
        ({"num_steps": 0}, "num_steps: expected at least 1, got 0"),
        ({"num_channels": 0}, "num_channels: expected at least 1, got 0"),
        ({"sources": -1}, "sources: expected at least 0, got -1"),
        ({"clouds": -1}, "clouds: expected at least 0, got -1"),
        ({"seed": -1}, "seed: expected at least 0, got -1"),
        ({"noise": -0.5}, "noise: expected a number >= 0, got -0.5"),
        ({"interval": 7}, "interval: expected a divisor of 86400 seconds, a day, got 7"),
        ({"interval": 0}, "interval: expected at least 1, got 0"),
        ({"start": "monday"}, r"start: expected a date and time \(ISO 8601\), got 'monday'"),
        ({"start": "NaT"}, r"start: expected a date and time \(ISO 8601\), got 'NaT'"),
        ({"wind": 3.0}, "wind: expected two numbers"),
        ({"connectivity": 5}, "connectivity: expected 4 or 8, got 5"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MovingFields(**{"height": 4, "width": 4, "num_steps": 2, **arguments})


def test_counts_are_integers():
    with pytest.raises(TypeError, match="num_steps: expected an int, got float"):
        MovingFields(4, 4, 2.0)
