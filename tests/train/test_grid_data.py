from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.data.flow_files import slot_stamps, write_flow, write_meteorology
from tests.train.tiny_grid import HEIGHT, WIDTH, flows, tiny_data, write_taxi_nyc
from tgst.data import FlowScaler, Series, external_features
from tgst.train import GridData, grid_data

HOUR = np.timedelta64(1, "h")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


def targets(data):
    stamps = data.series.timestamps
    return {part: stamps[rows.target] for part, rows in data.parts.items()}


def test_parts_follow_one_another_and_windows_stay_within_a_year(root):
    data = tiny_data(root, horizon=2)
    times = targets(data)
    assert times["test"].min() == data.test_start == np.datetime64("2011-02-14T00")
    assert times["test"].max() == np.datetime64("2011-02-20T23")
    assert times["val"].min() == np.datetime64("2011-02-09T00")
    assert times["val"].max() == np.datetime64("2011-02-13T23")
    assert times["train"].max() == np.datetime64("2011-02-08T23")
    # a week of history in each of the two years
    of_2010 = times["train"][times["train"][:, 0] < np.datetime64("2011-01-01")]
    assert of_2010.min() == np.datetime64("2010-01-08T00")
    assert len(of_2010) == 33 * 24 - 1
    of_2011 = times["train"][len(of_2010) :]
    assert of_2011.min() == np.datetime64("2011-01-10T00")
    assert (np.diff(times["train"], axis=1) == HOUR).all()


def test_the_share_is_that_of_windows_and_slots_replace_days(root):
    data = tiny_data(root, val_days=None, val_share=0.25, test_days=28, test_slots=100)
    before = len(data.parts["train"].target) + len(data.parts["val"].target)
    assert len(data.parts["train"].target) == int(before * 0.75)
    assert len(data.parts["test"].target) == 100


def test_the_second_stage_trains_on_what_was_validated_on(root):
    one, two = tiny_data(root), tiny_data(root, train_on_all=True)
    assert one.validates
    assert not two.validates
    both = np.concatenate([one.parts["train"].target, one.parts["val"].target])
    np.testing.assert_array_equal(two.parts["train"].target, both)
    np.testing.assert_array_equal(two.parts["test"].target, one.parts["test"].target)
    steps = tiny_data(root, horizon=2, train_on_all=True)
    assert targets(steps)["train"].max() < steps.test_start == targets(steps)["test"].min()
    assert two.val_dataloader() == []
    assert one.trained_on == "2010-01-01T00:00:00 to 2011-02-08T23:00:00"
    assert two.trained_on == "2010-01-01T00:00:00 to 2011-02-13T23:00:00"


def test_scalers_see_the_training_frames_only(tmp_path):
    """Later frames of another size change nothing."""
    folders = [write_taxi_nyc(tmp_path / name) for name in ("a", "b")]
    stamps = slot_stamps("2011-01-03", "2011-02-20", 24, 0)
    frames = flows(stamps)
    frames[37 * 24 :] *= 100  # from the first validation frame on
    write_flow(folders[1] / "NYC11_Taxi_M16x8_T60_InOut.h5", stamps, frames)
    options = {
        "scaling": {"method": "standard", "per": "cell", "power": 0.5},
        "change_scaling": {"per": "cell"},
        "reference": "week",
    }
    one, two = (tiny_data(folder, **options) for folder in folders)
    assert not torch.equal(one.frames, two.frames)
    for name in ("scaler", "change_scaler"):
        assert torch.equal(getattr(one, name).scale, getattr(two, name).scale)
    wider = tiny_data(folders[1], **options, train_on_all=True)
    assert (wider.scaler.scale > one.scaler.scale).all()
    train = one.frames[: one.train_stop]
    expected = FlowScaler(**options["scaling"]).fit(train)
    assert torch.equal(one.scaler.shift, expected.shift)
    rows = one.parts["train"].target[:, 0]
    root_of = train.sqrt()
    changes = (root_of[rows] - root_of[rows - 168]) / expected.scale
    deviation = changes.std(0, correction=0)
    torch.testing.assert_close(one.change_scaler.scale, deviation, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("branch", ["closeness", "period", "trend"])
def test_changes_are_scaled_without_a_reference_too(root, branch):
    lags = {"closeness": 0, "period": 0, "trend": 0} | {branch: 1}
    data = tiny_data(root, changes=True, change_scaling={"per": "all"}, **lags)
    rows = getattr(data.parts["train"], branch)[:, 0]
    scaled = data.scaler.transform(data.frames)
    expected = (scaled[rows[:, 0]] - scaled[rows[:, 1]]).std(correction=0)
    torch.testing.assert_close(data.change_scaler.scale.squeeze(), expected, rtol=1e-4, atol=1e-5)


def test_number_of_frames_and_description(root):
    data = tiny_data(root, closeness=2, period=2, trend=1, period_width=1, trend_width=2, horizon=2)
    batch = next(iter(data.test_dataloader()))
    shapes = {name: getattr(batch, name).shape[1:] for name in data.num_frames}
    assert data.num_frames == {"closeness": 2, "period": 12, "trend": 10}
    assert shapes == {n: (k, 1, 2, HEIGHT, WIDTH) for n, k in data.num_frames.items()}
    description = data.description
    assert (description["height"], description["width"], description["slot_seconds"]) == (
        4,
        3,
        3600,
    )
    assert description["channels"] == ["new_flow", "end_flow"]
    assert data.unit == "trips/h"


def test_external_features_are_those_of_the_targets(root):
    data = tiny_data(root, hour_of_day=True, holiday_lags=[7])
    holidays = np.array(["2010-01-01", "2011-01-17"], "datetime64[D]")
    options = {"hour_of_day": True, "holiday_lags": [7]}
    values, names = external_features(data.series.timestamps, holidays, **options)
    assert data.external_names == names
    assert len(names) == 8 + 1 + 24 + 1
    batch = next(iter(data.loader("train")))
    assert torch.equal(batch.external[:, 0], values[batch.row])
    assert tiny_data(root, external=False).test_dataloader().dataset.external.size(1) == 0


def test_predict_takes_the_chosen_windows_in_order(root):
    data = tiny_data(root, predict_part="val", predict_stride=3)
    rows = torch.cat([batch.row for batch in data.predict_dataloader()]).tolist()
    assert rows == data.parts["val"].target[::3, 0].tolist()


def test_training_order_follows_the_seed(root):
    def order(seed):
        return torch.cat([b.row for b in tiny_data(root, seed=seed).train_dataloader()]).tolist()

    assert order(0) == order(0) != order(1)
    assert sorted(order(0)) == sorted(order(1))


def test_setup_reads_once(root):
    data = tiny_data(root)
    frames = data.frames
    data.setup("test")
    assert data.frames is frames


def test_moving_fields_need_no_folder():
    data = GridData(
        dataset_args={"height": 5, "width": 6, "num_steps": 240},
        closeness=4, period=0, trend=0, external=False, test_days=2, val_days=2,
    )  # fmt: skip
    data.setup()
    assert data.num_frames == {"closeness": 4, "period": 0, "trend": 0}
    batch = next(iter(data.train_dataloader()))
    assert batch.period.shape == (32, 0, 1, 1, 5, 6)
    row = int(batch.row[0])
    assert torch.equal(batch.closeness[0, 1, 0], data.frames[row - 2])
    assert data.unit == ""


def test_weather_is_scaled_by_the_training_rows_only(tmp_path):
    stamps = slot_stamps("2020-03-01", "2020-03-31", 24, 1)
    write_flow(tmp_path / "own.h5", stamps, flows(stamps, (2, 2, 2)))
    write_meteorology(tmp_path / "weather.h5", stamps)  # ever more wind
    arguments = {
        "flow_files": ["own.h5"],
        "slots_per_day": 24,
        "first_slot": 1,
        "channels": ["in", "out"],
        "source": "ourselves",
        "meteorology_file": "weather.h5",
    }
    data = GridData("files", str(tmp_path), arguments, test_days=3, val_days=2)
    data.setup()
    wind = data.external_values[:, data.external_names.index("wind_speed")]
    assert wind[data.train_stop - 1] == wind[: data.train_stop].max() == 1
    assert wind[-1] > 1.1


def test_files_of_ones_own(tmp_path):
    stamps = slot_stamps("2020-03-01", "2020-03-31", 24, 1)
    write_flow(tmp_path / "own.h5", stamps, flows(stamps, (2, 2, 2)))
    arguments = {
        "flow_files": ["own.h5"],
        "slots_per_day": 24,
        "first_slot": 1,
        "channels": ["in", "out"],
        "source": "ourselves",
    }
    data = GridData("files", str(tmp_path), arguments, test_days=3)
    data.setup()
    assert data.series.channels == ("in", "out")
    assert data.frames.shape == (31 * 24, 2, 2, 2)
    assert str(data.test_start) == "2020-03-29T00:00:00"


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dataset": "taxi"}, "dataset must be one of bikenyc, .*taxinyc, got 'taxi'"),
        ({"reference": "day"}, "reference must be one of none, last, week, got 'day'"),
        ({"predict_part": "all"}, "predict_part must be one of train, val, test, got 'all'"),
        (
            {"dataset": "taxinyc"},
            r"'taxinyc' is read from a folder: root \(--root DIR\) is missing",
        ),
        ({"dataset_args": {"weeks": 1}}, "data set 'movingfields' takes height, .*, got weeks"),
        ({"val_share": 1.0}, r"val_share must be in \[0, 1\), got 1.0"),
        ({"test_days": 0}, "test_days must be above 0, got 0"),
        ({"test_slots": -1}, "test_slots must be above 0, got -1"),
        ({"trend_width": -1}, "trend_width must be at least 0, got -1"),
        ({"predict_stride": 0}, "predict_stride must be at least 1, got 0"),
        (
            {"change_scaling": {}},
            "change_scaling needs a reference or changes to scale, got neither",
        ),
        (
            {"scaling": {"method": "z"}},
            "scaling does not fit FlowScaler .*method.*got {'method': 'z'}",
        ),
        (
            {"change_scaling": {"mode": 1}, "reference": "week"},
            "change_scaling does not fit FlowScaler .*mode",
        ),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GridData(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"test_days": 60}, "the train part: expected a window, got none of"),
        ({"val_days": 60}, "the train part: expected a window, got none of"),
        ({"test_days": 0.01}, "the test part: expected a window, got none of .*change test_days"),
        ({"val_days": 0.001}, "the val part: expected a window, got none of"),
    ],
)
def test_a_part_without_windows_is_refused(root, kwargs, message):
    kwargs = {"dataset_args": {"years": [2011]}} | kwargs
    with pytest.raises(ValueError, match=message):
        tiny_data(root, **kwargs)


def test_cells_that_were_not_observed_are_refused(monkeypatch):
    class Holes(grid_data.DATASETS["movingfields"]):
        def __init__(self):
            super().__init__(4, 4, 48)
            mask = torch.ones(16, 48, dtype=torch.bool)
            mask[3, 5] = False
            series = self.series
            self.series = Series(series.values, series.timestamps, mask, series.node_id)

    monkeypatch.setitem(grid_data.DATASETS, "movingfields", Holes)
    with pytest.raises(ValueError, match="'movingfields': expected every cell observed"):
        GridData(period=0, trend=0).setup()
