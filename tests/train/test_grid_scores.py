from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.datasets.real_folder import real_folder
from tests.train.tiny import tiny_trainer
from tests.train.tiny_grid import tiny_data, trained, write_taxi_nyc
from tgst.train import GridData, GridTask
from tgst.train.cell_regression import CellRegression
from tgst.train.grid_scores import (
    LINEAR,
    grid_baseline_scores,
    grid_scores,
    grid_table,
    write_grid_scores,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


def rmse(prediction, target):
    return np.sqrt(((prediction - target) ** 2).mean(axis=(0, 2, 3, 4)))


def test_baselines_equal_numpy(root):
    data = tiny_data(root, horizon=3)
    frames = data.frames.double().numpy()
    target = data.parts["test"].target
    truth = frames[target]
    scores = grid_baseline_scores(data)
    names = ["last value", "same time last week", "mean by time of week, 16 weeks", LINEAR]
    assert list(scores) == names
    last = np.repeat(frames[target[:, :1] - 1], 3, axis=1)
    np.testing.assert_allclose(scores["last value"]["rmse"], rmse(last, truth), rtol=1e-5)
    week = frames[target - 168]
    np.testing.assert_allclose(scores["same time last week"]["rmse"], rmse(week, truth), rtol=1e-5)
    channel = np.sqrt(((week - truth)[:, :, 1] ** 2).mean(axis=(0, 2, 3)))
    found = scores["same time last week"]["rmse end_flow"]
    np.testing.assert_allclose(found, channel, rtol=1e-5)
    mae = np.abs(week - truth).mean(axis=(0, 2, 3, 4))
    np.testing.assert_allclose(scores["same time last week"]["mae"], mae, rtol=1e-5)
    model = CellRegression().fit(data.frames, data.parts["train"])
    linear = model.predict(data.frames, data.parts["test"]).numpy()
    np.testing.assert_allclose(scores[LINEAR]["rmse"], rmse(linear, truth), rtol=1e-5)
    first = grid_baseline_scores(data, windows=5)[LINEAR]["rmse"]
    np.testing.assert_allclose(first, rmse(linear[:5], truth[:5]), rtol=1e-5)


def test_the_mean_is_that_of_the_last_weeks_of_the_training_frames(tmp_path):
    spans = {2010: ("2010-01-01", "2010-06-30")}
    folder = write_taxi_nyc(tmp_path, spans)
    arguments = {"years": [2010]}
    data = tiny_data(folder, dataset_args=arguments)
    frames, stamps = data.frames.double().numpy(), data.series.timestamps
    hour_of_week = stamps.astype("datetime64[h]").astype(int) % 168
    stop = data.train_stop
    assert str(stamps[stop]) == "2010-06-19T00:00:00"
    first = stop - 16 * 168
    means = np.stack(
        [frames[first:stop][hour_of_week[first:stop] == hour].mean(0) for hour in range(168)]
    )
    target = data.parts["test"].target
    expected = rmse(means[hour_of_week[target]], frames[target])
    scores = grid_baseline_scores(data)["mean by time of week, 16 weeks"]
    np.testing.assert_allclose(scores["rmse"], expected, rtol=1e-5)


def test_short_training_parts_have_fewer_baselines():
    data = GridData(
        dataset_args={"height": 4, "width": 4, "num_steps": 200},
        period=0, trend=0, external=False, test_days=2, val_days=1,
    )  # fmt: skip
    data.setup()
    assert list(grid_baseline_scores(data)) == ["last value", LINEAR]


def test_a_horizon_of_more_than_a_week_has_no_week_before():
    data = GridData(
        dataset_args={"height": 4, "width": 4, "num_steps": 1000}, horizon=169, closeness=1,
        period=0, trend=0, external=False, test_days=8, val_days=8,
    )  # fmt: skip
    data.setup()
    names = ["last value", "mean by time of week, 3 weeks", LINEAR]
    assert list(grid_baseline_scores(data)) == names


def test_scores_of_a_tested_model_beside_the_baselines(root, tmp_path):
    task, data, _ = trained(tmp_path, root, rmse_factor=1.25)
    with pytest.raises(ValueError, match="task: expected one that was tested"):
        grid_scores(task, data)
    tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    scores = grid_scores(task, data)
    assert next(iter(scores)) == "STResNet"
    predictions = torch.cat([task.eval()(batch) for batch in data.test_dataloader()])
    target = data.frames[torch.from_numpy(data.parts["test"].target)]
    expected = rmse(predictions.detach().double().numpy(), target.double().numpy())
    np.testing.assert_allclose(scores["STResNet"]["rmse"], expected, rtol=1e-5)
    table = grid_table(task, data, scores)
    assert table.startswith("RMSE in trips/h, RMSE X1.2500 in trips/h, MAE in trips/h, RMSE NEW_")
    for name, values in scores.items():
        assert f"| {name} " in table
        assert f"{float(values['rmse']):.2f}" in table
        assert f"{1.25 * float(values['rmse']):.2f}" in table
    write_grid_scores(task, data, tmp_path, scores)
    written = json.loads((tmp_path / "scores.json").read_text())
    assert written["windows"] == 168
    assert written["scores"]["STResNet"]["rmse"] == scores["STResNet"]["rmse"].tolist()
    assert (tmp_path / "scores.md").read_text() == table + "\n"


def test_baselines_are_scored_on_the_windows_that_were_tested(root, tmp_path):
    task, data, _ = trained(tmp_path, root)
    trainer = tiny_trainer(tmp_path, limit_test_batches=2)
    trainer.test(task, datamodule=data, verbose=False)
    assert task.tested_windows == 64
    scores = grid_scores(task, data)
    target = data.parts["test"].target[:64]
    frames = data.frames.double().numpy()
    expected = rmse(frames[target - 168], frames[target])
    np.testing.assert_allclose(scores["same time last week"]["rmse"], expected, rtol=1e-5)


def test_small_fields_have_more_digits(tmp_path):
    data = GridData(
        dataset_args={"height": 4, "width": 4, "num_steps": 200},
        period=0, trend=0, external=False, test_days=2, val_days=1,
    )  # fmt: skip
    data.setup()
    task = GridTask(torch.nn.Identity())
    scores = {"last value": {"rmse": torch.tensor([0.01234])}}
    assert "| 0.0123* |" in grid_table(task, data, scores)
    assert "RMSE in the unit of the data" in grid_table(task, data, scores)


def test_baselines_of_taxi_nyc():
    data = GridData(
        "taxinyc", str(real_folder("taxinyc_grid")), {"months": [1, 2, 3, 4, 5, 6, 7, 8]}
    )
    data.setup()
    assert len(data.parts["test"].target) == 28 * 24
    scores = grid_baseline_scores(data)
    found = {name: round(float(errors["rmse"]), 1) for name, errors in scores.items()}
    assert found.pop(LINEAR) > 51.8  # the published frames alone do not say enough
    assert found == {
        "last value": 140.5,
        "same time last week": 51.8,
        "mean by time of week, 16 weeks": 121.7,
    }
