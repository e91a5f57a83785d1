from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.train.tiny import tiny_data, tiny_model, tiny_trainer, trained
from tgst.data import Series
from tgst.train import ForecastData, ForecastTask, write_scores
from tgst.train.scores import model_and_baseline_scores


@pytest.fixture
def tested(tmp_path, root):
    task, data, _ = trained(tmp_path, root, report_steps=[1, 4])
    tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    return task, data


def test_the_model_comes_first_and_baselines_follow(tested):
    task, data = tested
    scores = model_and_baseline_scores(task, data)
    assert list(scores) == [
        "TrafficSTGCN", "last value", "historical mean", "linear autoregression"
    ]  # fmt: skip
    assert torch.equal(scores["TrafficSTGCN"]["mae"], task.scores["mae"])
    last = [batch.x[:, :, -1:] - batch.y for batch in data.test_dataloader()]
    expected = torch.cat(last, dim=1).abs().double().mean(dim=(0, 1, 3))
    torch.testing.assert_close(scores["last value"]["mae"], expected)


def test_a_week_of_training_rows_gives_the_readings_of_a_week_before():
    complete = {"days": 12, "dropout": 0.0}
    data = ForecastData(dataset_args=complete, target_channels=["speed"], split=(0.7, 0, 0.3))
    data.setup()
    task = ForecastTask(tiny_model())
    task.scores = {name: torch.zeros(12) for name in ("mae", "rmse", "mape")}
    errors = model_and_baseline_scores(task, data)["same time last week"]["mae"]
    frame = data.series.to_frame()
    differences = (frame - frame.shift(7 * 288)).abs().iloc[data.train_rows.stop :]
    first = differences.iloc[: len(differences) - 11]  # targets one step ahead
    assert float(errors[0]) == pytest.approx(first.to_numpy().mean(), rel=1e-5)


def test_baselines_learn_from_training_rows_only(tested):
    task, data = tested
    rows = data.train_rows
    data.series.values[:, rows.stop :] += 1000.0
    # only the targets have moved; a mean that had seen them would have followed
    scores = model_and_baseline_scores(task, data)
    assert scores["historical mean"]["mae"].min() > 900


def test_json_holds_every_step_and_the_table_the_chosen_ones(tested, tmp_path):
    task, data = tested
    table = write_scores(task, data, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert content["unit"] == "mph"
    assert content["step_minutes"] == 5
    assert content["scores"]["TrafficSTGCN"]["mae"] == task.scores["mae"].tolist()
    assert (tmp_path / "out" / "scores.md").read_text() == table + "\n"
    assert "mph" in table
    row = next(line for line in table.splitlines() if "TrafficSTGCN" in line)
    cells = [float(cell.strip(" *")) for cell in row.split("|")[2:-1]]
    errors = [task.scores[name][step - 1] for name in ("mae", "rmse", "mape") for step in (1, 4)]
    assert cells == pytest.approx([round(float(error), 2) for error in errors], abs=0.006)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scores.json", "scores.md"}


@pytest.mark.parametrize("limit", [1, 0.5])
def test_baselines_are_scored_on_the_windows_of_a_limited_test(tmp_path, root, limit):
    task, data, _ = trained(tmp_path, root)
    tiny_trainer(tmp_path, limit_test_batches=limit).test(task, datamodule=data, verbose=False)
    batches = list(data.test_dataloader())
    assert len(batches) == 2  # both limits mean the first one
    scores = model_and_baseline_scores(task, data)
    expected = (batches[0].x[:, :, -1:] - batches[0].y).abs().double().mean(dim=(0, 1, 3))
    torch.testing.assert_close(scores["last value"]["mae"], expected)
    tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    all_windows = model_and_baseline_scores(task, data)
    assert not torch.allclose(all_windows["last value"]["mae"], expected)


def test_a_task_that_was_not_tested_is_refused(root):
    with pytest.raises(ValueError, match="expected one that was tested"):
        model_and_baseline_scores(ForecastTask(tiny_model()), tiny_data(root))


def test_a_horizon_beyond_a_week_has_no_week_before():
    day = np.timedelta64(86_400, "s")
    moments = np.datetime64("2024-01-01", "s") + day * np.arange(120)
    series = Series(torch.rand(4, 120, 1, generator=torch.Generator().manual_seed(0)), moments)
    data = ForecastData(history=12, horizon=12)
    data.series = series
    task = ForecastTask(tiny_model(horizon=12))
    task.scores = {name: torch.zeros(12) for name in ("mae", "rmse", "mape")}
    assert "same time last week" not in model_and_baseline_scores(task, data)
    data.horizon = 7
    task.scores = {name: torch.zeros(7) for name in ("mae", "rmse", "mape")}
    assert "same time last week" in model_and_baseline_scores(task, data)
