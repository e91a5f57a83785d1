from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.train.tiny_grid import HEIGHT, WIDTH, tiny_data, write_taxi_nyc
from tgst.train.grid_scaling import GridScaling

SQRT = {"method": "standard", "per": "cell", "power": 0.5}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


def made(root, planes=(), **kwargs):
    data = tiny_data(root, **kwargs)
    scaling = GridScaling(data.description, planes)
    scaling.frames.load_state_dict(data.scaler.state_dict())
    if scaling.changes is not None:
        scaling.changes.load_state_dict(data.change_scaler.state_dict())
    return scaling, next(iter(data.test_dataloader()))


@pytest.mark.parametrize("reference", ["none", "last", "week"])
@pytest.mark.parametrize("change_scaling", [None, {"per": "cell"}])
def test_the_flows_of_the_target_are_the_target(root, reference, change_scaling):
    if reference == "none":
        change_scaling = None
    options = {"reference": reference, "scaling": SQRT, "change_scaling": change_scaling}
    scaling, batch = made(root, horizon=2, **options)
    flows = scaling.flows(scaling.target(batch), batch)
    torch.testing.assert_close(flows, batch.y, rtol=1e-4, atol=1e-3)


def test_no_change_means_the_reference(root):
    scaling, batch = made(root, reference="week", scaling=SQRT, change_scaling={"per": "cell"})
    flows = scaling.flows(torch.zeros_like(batch.y), batch)
    torch.testing.assert_close(flows, batch.reference, rtol=1e-4, atol=1e-3)


def test_the_target_is_the_scaled_change(root):
    options = {"reference": "week", "scaling": SQRT, "change_scaling": {"per": "cell"}}
    scaling, batch = made(root, **options)
    frames, changes = scaling.frames, scaling.changes
    expected = (batch.y.sqrt() - batch.reference.sqrt()) / frames.scale / changes.scale
    torch.testing.assert_close(scaling.target(batch), expected, rtol=1e-4, atol=1e-4)
    published, batch = made(root, scaling={"method": "min_max"})
    expected = (batch.y - published.frames.shift) / published.frames.scale
    torch.testing.assert_close(published.target(batch), expected)


def test_inputs_are_frames_one_after_another(root):
    scaling, batch = made(root, closeness=2, trend_width=1, horizon=2)
    closeness, period, trend = scaling.inputs(batch)
    shape = (len(batch.y), -1, HEIGHT, WIDTH)
    scaled = scaling.frames.transform(batch.closeness[:, :, 0])
    assert torch.equal(closeness, scaled.reshape(shape))
    assert torch.equal(closeness[:, 2:], scaled[:, 1])  # the second frame after the first
    assert period.shape[1] == 2 * 2
    assert trend.shape[1] == 2 * 3 * 2


def test_changes_and_planes_join_every_frame(root):
    options = {"closeness": 2, "changes": True, "change_scaling": {"per": "channel"}}
    scaling, batch = made(root, ("time_of_day", "position"), **options)
    frames = scaling.inputs(batch)[0].unflatten(1, (2, 8))
    now, before = (scaling.frames.transform(batch.closeness[:, :, k]) for k in (0, 1))
    assert torch.equal(frames[:, :, :2], now)
    torch.testing.assert_close(frames[:, :, 2:4], (now - before) / scaling.changes.scale)
    for frame in range(2):
        row, column, sine, cosine = frames[:, frame, 4:].unbind(1)
        np.testing.assert_allclose(row[0, :, 1], np.linspace(-1, 1, HEIGHT), atol=1e-6)
        np.testing.assert_allclose(column[0, 1], np.linspace(-1, 1, WIDTH), atol=1e-6)
        for plane, value in ((sine, batch.time_of_day[:, 0]), (cosine, batch.time_of_day[:, 1])):
            assert torch.equal(plane, value[:, None, None].expand_as(plane))


def test_an_absent_branch_has_no_channel(root):
    scaling, batch = made(root, closeness=0, trend=0)
    closeness, period, trend = scaling.inputs(batch)
    assert (closeness.size(1), period.size(1), trend.size(1)) == (0, 2, 0)
