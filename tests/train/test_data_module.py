from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.transforms import BaseTransform, ToUndirected

from tests.train.tiny import HISTORY, HORIZON, STEPS, tiny_data
from tests.train.tiny_grid import write_taxi_nyc
from tgst.data import day_of_week
from tgst.datasets import LosLoop
from tgst.train import ForecastData, data_module
from tgst.transforms import DistancePartition


def ready(root, **kwargs):
    data = tiny_data(root, **kwargs)
    data.setup()
    return data


def test_scaler_sees_the_training_rows_only(root):
    data = ready(root)
    stop = int(STEPS * 0.7)
    readings = np.loadtxt(root / "los_speed.csv", delimiter=",", skiprows=1)
    assert data.train_rows == range(stop)
    assert data.scaler.mean.item() == pytest.approx(readings[:stop].mean(), rel=1e-5)
    assert data.scaler.std.item() == pytest.approx(readings[:stop].std(), rel=1e-4)
    assert abs(readings[:stop].mean() - readings.mean()) > 1e-2  # else the test says nothing


def test_parts_are_disjoint_and_evaluation_takes_every_window(root):
    data = ready(root, stride=5)
    targets = {}
    for part, loader in (
        ("train", data.train_dataloader()),
        ("val", data.val_dataloader()),
        ("test", data.test_dataloader()),
    ):
        starts = torch.cat([batch.start for batch in loader])
        targets[part] = (starts + HISTORY).sort().values.tolist()
    stop, end = int(STEPS * 0.7), int(STEPS * 0.8)
    assert targets["train"] == list(range(HISTORY, stop - HORIZON + 1, 5))
    assert targets["val"] == list(range(stop, end - HORIZON + 1))
    assert targets["test"] == list(range(end, STEPS - HORIZON + 1))


def test_the_last_days_replace_the_shares(tmp_path):
    root = write_taxi_nyc(tmp_path)  # 40 days of 2010 and 49 of 2011
    data = ForecastData(
        "taxinyc", str(root), {"years": [2010, 2011]}, history=6, horizon=1, test_days=7, val_days=5
    )
    data.setup()
    stamps = data.series.timestamps
    assert str(stamps[data.train_rows.stop]) == "2011-02-09T00:00:00"
    times = {part: stamps[data.loader(part).starts + 6] for part in ("train", "val", "test")}
    assert (str(times["val"][0]), str(times["val"][-1])) == (
        "2011-02-09T00:00:00",
        "2011-02-13T23:00:00",
    )
    assert len(times["test"]) == 7 * 24
    # no window begins in one year and ends in the next
    of_2011 = times["train"][times["train"] > np.datetime64("2010-12-31")]
    assert str(of_2011[0]) == "2011-01-03T06:00:00"
    assert data.unit == "trips/h"
    assert data.target_names == ["new_flow", "end_flow"]


def test_days_that_do_not_fit_are_refused(root):
    with pytest.raises(
        ValueError, match="replace the split together, got test_days 7 and val_days N"
    ):
        ForecastData(test_days=7)
    with pytest.raises(
        ValueError, match=r"test_days, val_days: expected fewer days .*, got 7 and 1"
    ):
        ready(root, test_days=7, val_days=1)


def test_training_order_is_random_and_follows_the_seed(root):
    def order(seed):
        return torch.cat([b.start for b in ready(root, seed=seed).train_dataloader()]).tolist()

    assert order(0) == order(0)
    assert order(0) != order(1)
    assert sorted(order(0)) == sorted(order(1)) != order(0)


def test_predict_takes_the_chosen_windows_in_order(root):
    data = ready(root, predict_part="val", predict_stride=3)
    starts = torch.cat([batch.start for batch in data.predict_dataloader()]).tolist()
    assert starts == torch.cat([batch.start for batch in data.val_dataloader()]).tolist()[::3]


class Scale(BaseTransform):
    def __init__(self, factor, offset):
        self.factor, self.offset = factor, offset

    def forward(self, data):
        data.edge_weight = data.edge_weight * self.factor + self.offset
        return data


def test_readings_follow_the_order_of_the_graph(root, monkeypatch):
    class Shuffled(LosLoop):
        def __init__(self, root):
            super().__init__(root)
            self.series = self.series.aligned_to(["702", "700", "703", "701"])

    plain = ready(root)
    monkeypatch.setitem(data_module.DATASETS, "losloop", Shuffled)
    data = ready(root)
    assert data.series.node_id == data.graph.node_id == ["700", "701", "702", "703"]
    assert torch.equal(data.series.values, plain.series.values)
    batch, expected = next(iter(data.test_dataloader())), next(iter(plain.test_dataloader()))
    assert torch.equal(batch.x, expected.x)


def test_units_of_positions(root):
    assert tiny_data(root).position_unit is None
    assert ForecastData().position_unit == "m"


def test_transforms_are_applied_in_order(root):
    plain = ready(root, transform=None).graph.edge_weight
    changed = ready(root, transform=[Scale(2, 1), Scale(3, 0)]).graph.edge_weight
    torch.testing.assert_close(changed, (plain * 2 + 1) * 3)


def test_a_transform_that_loses_the_labels_is_refused(root):
    with pytest.raises(ValueError, match="ToUndirected"):
        ready(root, transform=[DistancePartition(), ToUndirected()])


def test_simulated_traffic_with_a_chosen_channel():
    data = ForecastData(dataset_args={"days": 1}, target_channels=["flow"], batch_size=2)
    data.setup()
    batch = next(iter(data.test_dataloader()))
    flow = data.series.channels.index("flow")
    assert data.target_index == [flow]
    assert data.unit == "veh/h"
    row = int(batch.start[0]) + 12
    torch.testing.assert_close(batch.y[:, 0, 0, 0], data.series.values[:, row, flow])


def test_unit_of_channels_that_differ():
    data = ForecastData(dataset_args={"days": 1})
    data.setup()
    assert data.target_names == ["speed", "flow"]
    assert data.unit == "mixed units"


def test_setup_reads_once(root):
    data = ready(root)
    series = data.series
    data.setup("test")
    assert data.series is series


def test_the_day_of_the_week_joins_where_the_training_rows_cover_it():
    week = ForecastData(dataset_args={"days": 12}, time_of_day=True, day_of_week="auto")
    week.setup()
    assert week.covariate_channels == {"time_of_day": 2, "day_of_week": 7, "covariates": 0}
    batch = next(iter(week.test_dataloader()))
    moments = week.series.timestamps[int(batch.start[0]) + np.arange(24)]
    torch.testing.assert_close(batch.covariates[0, 0, :, 2:], torch.tensor(day_of_week(moments)))
    short = ForecastData(dataset_args={"days": 2}, time_of_day=True, day_of_week="auto")
    short.setup()
    assert short.covariate_channels == {"time_of_day": 2, "day_of_week": 0, "covariates": 0}
    assert next(iter(short.test_dataloader())).covariates.size(-1) == 2
    short.day_of_week = True
    with pytest.raises(ValueError, match=r"day_of_week.*every weekday"):
        short.test_dataloader()


def test_windows_stay_within_the_day():
    data = ForecastData(dataset_args={"days": 3}, within_day=True, split=(1, 0, 0))
    data.setup()
    assert len(data.train_dataloader().starts) == 3 * (288 - 24 + 1)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dataset": "metr"}, "dataset must be one of .*losloop, .*taxinyc, got 'metr'"),
        ({"predict_part": "all"}, "predict_part must be train, val or test, got 'all'"),
        (
            {"dataset": "losloop"},
            r"'losloop' is read from a folder: root \(--root DIR\) is missing",
        ),
        ({"dataset_args": {"weeks": 1}}, "data set 'simulated' takes .*days.*, got weeks"),
        ({"root": "somewhere"}, "data set 'simulated' takes .*, got root"),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ForecastData(**kwargs)


def test_refuses_an_unknown_channel(root):
    data = ready(root, target_channels=["flow"])
    with pytest.raises(ValueError, match=r"target_channels must be of \['speed'\], got \['flow'\]"):
        data.train_dataloader()


def test_a_series_shorter_than_a_window_is_refused(root):
    with pytest.raises(ValueError, match="shorter than a window"):
        ready(root, history=100, horizon=60).train_dataloader()
