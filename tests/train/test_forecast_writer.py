from __future__ import annotations

import csv
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.train.tiny import HISTORY, HORIZON, tiny_data, tiny_trainer, trained
from tgst.train import ForecastData, ForecastTask, ForecastWriter


def expected_rows(task, data):
    r"""Timestamp, node, horizon, value and channel from the model's own output."""
    rows = []
    with torch.no_grad():
        for batch in data.predict_dataloader():
            out = task.eval()(batch)
            for window, start in enumerate(batch.start.tolist()):
                for step in range(out.size(2)):
                    stamp = data.series.timestamps[start + data.history + step]
                    for node, name in enumerate(data.series.node_id):
                        for channel, title in enumerate(data.target_names):
                            value = out[node, window, step, channel].item()
                            rows.append((stamp, name, step + 1, value, title))
    return rows


def predict(task, data, path, folder):
    trainer = tiny_trainer(folder, callbacks=[ForecastWriter(path)], enable_checkpointing=False)
    assert trainer.predict(task, datamodule=data, return_predictions=False) is None
    assert [name for name in os.listdir(path.parent) if name.startswith(".")] == []


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_csv_holds_the_forecasts_of_the_model(tmp_path, root):
    task, data, _ = trained(tmp_path, root)
    path = tmp_path / "out" / "forecasts.csv"
    predict(task, data, path, tmp_path)
    rows, expected = read_csv(path), expected_rows(task, data)
    assert list(rows[0]) == ["timestamp", "node_id", "horizon", "value"]
    assert len(rows) == len(expected) > 16 * 4 * HORIZON  # more than one batch
    for row, (stamp, node, step, value, _) in zip(rows, expected, strict=True):
        assert np.datetime64(row["timestamp"]) == stamp
        assert (row["node_id"], int(row["horizon"])) == (node, step)
        assert np.float32(row["value"]) == np.float32(value)
    # the first target of the test part, 80 % of 150 steps of 5 minutes after midnight
    assert rows[0]["timestamp"] == "2012-03-01 10:00:00"


def test_parquet_holds_the_forecasts_of_the_model(tmp_path, root):
    parquet = pytest.importorskip("pyarrow.parquet")
    task, data, _ = trained(tmp_path, root)
    path = tmp_path / "forecasts.parquet"
    predict(task, data, path, tmp_path)
    table, expected = parquet.read_table(path), expected_rows(task, data)
    assert table.column_names == ["timestamp", "node_id", "horizon", "value"]
    stamps, nodes, steps, values, _ = zip(*expected, strict=True)
    assert np.array_equal(table["timestamp"].to_numpy().astype("datetime64[s]"), np.array(stamps))
    assert table["node_id"].to_pylist() == list(nodes)
    assert table["horizon"].to_pylist() == list(steps)
    assert np.array_equal(table["value"].to_numpy(), np.array(values, dtype=np.float32))


class Levels(torch.nn.Module):
    def forward(self, x, edge_index):
        level = torch.arange(2.0) + torch.arange(x.size(0)).view(-1, 1, 1, 1)
        return level.expand(x.size(0), x.size(1), 12, 2)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_several_channels_are_named(tmp_path, suffix):
    data = ForecastData(dataset_args={"days": 1}, predict_stride=30)
    task = ForecastTask(Levels())
    path = tmp_path / f"forecasts{suffix}"
    predict(task, data, path, tmp_path)
    expected = expected_rows(task, data)
    if suffix == ".csv":
        rows = [(r["node_id"], r["channel"], np.float32(r["value"])) for r in read_csv(path)]
    else:
        table = pytest.importorskip("pyarrow.parquet").read_table(path)
        columns = (table[name].to_pylist() for name in ("node_id", "channel", "value"))
        rows = list(zip(*columns, strict=True))
    assert rows == [(node, name, np.float32(value)) for _, node, _, value, name in expected]
    assert {name for _, name, _ in rows} == {"speed", "flow"}


class Failing(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x, edge_index):
        self.calls += 1
        if self.calls > 1:
            raise ValueError("out of order")
        return torch.zeros(x.size(0), x.size(1), HORIZON, 1)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_failed_run_leaves_the_older_file(tmp_path, root, suffix):
    path = tmp_path / "out" / f"forecasts{suffix}"
    path.parent.mkdir()
    path.write_text("older")
    trainer = tiny_trainer(tmp_path, callbacks=[ForecastWriter(path)], enable_checkpointing=False)
    data = tiny_data(root, batch_size=4)
    with pytest.raises(ValueError, match="out of order"):
        trainer.predict(ForecastTask(Failing()), datamodule=data, return_predictions=False)
    assert os.listdir(path.parent) == [path.name]
    assert path.read_text() == "older"


def test_refuses_other_formats_and_several_processes(tmp_path):
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got 'a.json'"):
        ForecastWriter(tmp_path / "a.json")
    with pytest.raises(ValueError, match="written by one process, got 2: set trainer"):
        ForecastWriter(tmp_path / "a.csv").on_predict_start(SimpleNamespace(world_size=2), None)


def test_says_what_parquet_needs(tmp_path, root, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    task, data = ForecastTask(Levels()), tiny_data(root)
    writer = ForecastWriter(tmp_path / "a.parquet")
    trainer = tiny_trainer(tmp_path, callbacks=[writer], enable_checkpointing=False)
    with pytest.raises(ValueError, match=r'pip install "tgst\[data\]", or write .csv'):
        trainer.predict(task, datamodule=data, return_predictions=False)


def test_history_is_not_part_of_the_timestamps(tmp_path, root):
    data = tiny_data(root, predict_stride=HISTORY + HORIZON)
    task, _, _ = trained(tmp_path, root)
    predict(task, data, tmp_path / "a.csv", tmp_path)
    stamps = {row["timestamp"] for row in read_csv(tmp_path / "a.csv")}
    batch = next(iter(data.predict_dataloader()))
    targets = data.series.timestamps[batch.start[:, None] + torch.arange(HORIZON) + HISTORY]
    assert stamps == {str(stamp).replace("T", " ") for stamp in targets.flatten()}
