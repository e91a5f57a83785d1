from __future__ import annotations

import csv
import importlib.util

import numpy as np
import pytest
import torch

from tests.train.tiny import tiny_trainer
from tests.train.tiny_grid import tiny_data, trained, write_taxi_nyc
from tgst.train import GridTask, GridWriter


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = write_taxi_nyc(tmp_path_factory.mktemp("grid"))
    folder = tmp_path_factory.mktemp("run")
    task, _, _ = trained(folder, root)
    return task, tiny_data(root, predict_stride=50), folder


def predict(run, path):
    task, data, folder = run
    trainer = tiny_trainer(folder, callbacks=[GridWriter(path)])
    trainer.predict(task, datamodule=data, return_predictions=False)
    return torch.cat([task.eval()(batch) for batch in data.predict_dataloader()]).detach()


def test_every_value_is_in_its_row(run, tmp_path):
    forecasts = predict(run, tmp_path / "a.csv")
    data = run[1]
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["timestamp", "row", "column", "horizon", "channel", "value"]
    assert len(rows) == forecasts.numel() == 4 * 2 * 4 * 3
    assert rows[0]["timestamp"] == "2011-02-14 00:00:00"
    moments = data.series.timestamps[data.parts["test"].target[::50, 0]]
    place = {str(moment).replace("T", " "): index for index, moment in enumerate(moments)}
    for row in rows:
        channel = ("new_flow", "end_flow").index(row["channel"])
        window, step = place[row["timestamp"]], int(row["horizon"]) - 1
        value = forecasts[window, step, channel, int(row["row"]), int(row["column"])]
        assert float(row["value"]) == pytest.approx(float(value), rel=1e-5, abs=1e-5)


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")
def test_parquet_holds_the_same(run, tmp_path):
    import pyarrow.parquet

    forecasts = predict(run, tmp_path / "a.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["timestamp", "row", "column", "horizon", "channel", "value"]
    np.testing.assert_allclose(table["value"].to_numpy(), forecasts.flatten(), rtol=1e-6)


def test_other_endings_and_several_processes_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got 'a.txt'"):
        GridWriter(tmp_path / "a.txt")
    writer = GridWriter(tmp_path / "a.csv")

    class Two:
        world_size = 2

    with pytest.raises(ValueError, match="forecasts are written by one process, got 2"):
        writer.on_predict_start(Two(), GridTask(torch.nn.Identity()))


def test_a_run_that_fails_leaves_the_older_file(run, tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("old")

    def fail(self, batch, batch_idx):
        raise ValueError("stopped")

    monkeypatch.setattr(GridTask, "predict_step", fail)
    with pytest.raises(ValueError, match="stopped"):
        predict(run, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
