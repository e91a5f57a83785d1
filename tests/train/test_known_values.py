from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.train.tiny import (
    HISTORY,
    HORIZON,
    STEPS,
    tiny_data,
    tiny_model,
    tiny_trainer,
    write_los_loop,
)
from tgst.data import Series, StandardScaler
from tgst.train import ForecastTask
from tgst.train.known_values import readings_before


@pytest.fixture
def weather(root):
    r"""A table beside the readings with a day more at either end."""
    moments = pd.date_range("2012-02-29", periods=STEPS + 2 * 288, freq="5min")
    rain = np.arange(len(moments), dtype=float)
    frame = pd.DataFrame({"rain": rain, "holiday": rain % 2}, index=moments)
    frame.to_csv(root / "weather.csv")
    return frame


def test_a_file_of_known_values_joins_the_windows(root, weather):
    data = tiny_data(root, covariates="weather.csv")
    data.setup()
    assert data.covariate_channels == {"time_of_day": 2, "day_of_week": 0, "covariates": 2}
    batch = next(iter(data.test_dataloader()))
    rows = 288 + int(batch.start[0]) + np.arange(HISTORY + HORIZON)
    expected = torch.tensor(weather.iloc[rows].to_numpy(), dtype=torch.float32)
    assert torch.equal(batch.covariates[0, 0, :, 2:], expected)


def test_a_model_trains_with_them_past_and_future(root, weather, tmp_path):
    task = ForecastTask(tiny_model(in_channels=1 + 4 + 4 * HORIZON), future_covariates=True)
    tiny_trainer(tmp_path).fit(task, datamodule=tiny_data(root, covariates="weather.csv"))
    assert torch.isfinite(task.trainer.callback_metrics["val/mae"])
    with pytest.raises(ValueError, match=r"data give 5 .* 2 of data.covariates"):
        tiny_trainer(tmp_path).fit(
            ForecastTask(tiny_model()), datamodule=tiny_data(root, covariates="weather.csv")
        )


def test_moments_and_values_must_be_complete(root, weather):
    weather.iloc[400, 1] = np.nan
    weather.to_csv(root / "holes.csv")
    with pytest.raises(ValueError, match=r"holes.csv .* none in the column holiday at 2012-03-01T"):
        tiny_data(root, covariates="holes.csv").setup()
    weather.iloc[300:].to_csv(root / "late.csv")
    with pytest.raises(ValueError, match=r"late.csv .* none for 2012-03-01T00:00:00 and 11 more"):
        tiny_data(root, covariates="late.csv").setup()
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        tiny_data(root, covariates="nowhere.csv").setup()


def test_a_checkpoint_of_other_known_values_is_refused(root, weather, tmp_path):
    """Two columns of a file are as many channels as the time of day."""
    data = tiny_data(root, time_of_day=False, covariates="weather.csv")
    trainer = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(ForecastTask(tiny_model()), datamodule=data)
    trainer.save_checkpoint(tmp_path / "weather.ckpt")
    weather.rename(columns={"holiday": "wind"}).to_csv(root / "wind.csv")
    message = r"weather\.ckpt does not fit .*: covariates is \['rain', 'holiday'\] in the .* and "
    for other, names in [
        ({}, r"\['time_of_day'\]"),
        ({"time_of_day": False, "covariates": "wind.csv"}, r"\['rain', 'wind'\]"),
    ]:
        with pytest.raises(ValueError, match=message + names + " here"):
            tiny_trainer(tmp_path).test(
                ForecastTask(tiny_model()),
                datamodule=tiny_data(root, **other),
                ckpt_path=tmp_path / "weather.ckpt",
            )


def weekly_series(mask=None, days=20, absent=()):
    stamps = np.datetime64("2012-03-01", "s") + np.arange(days * 24) * np.timedelta64(1, "h")
    kept = np.delete(np.arange(len(stamps)), list(absent))
    values = torch.rand(3, len(kept), 2, generator=torch.Generator().manual_seed(0)) * 50
    return Series(values, stamps[kept], mask)


def test_readings_of_a_week_before_are_found_by_their_stamps():
    series = weekly_series(absent=(30, 31, 200))
    scaler = StandardScaler().fit(series, 0, 300)
    found = readings_before(series, scaler, np.timedelta64(7, "D"))
    place = {stamp: row for row, stamp in enumerate(series.timestamps.tolist())}
    lacking = 0
    for row, stamp in enumerate(series.timestamps):
        before = place.get((stamp - np.timedelta64(7, "D")).item())
        lacking += before is None
        expected = 0 if before is None else scaler.transform(series.values[:, before])
        torch.testing.assert_close(found[:, row], torch.as_tensor(expected).expand(3, 2).float())
    assert lacking == (7 * 24 - 2) + 3  # the first week, and three behind an absent slot


def test_readings_that_were_not_observed_are_the_mean():
    mask = torch.ones(3, 480, dtype=torch.bool)
    mask[1, 5] = False
    series = weekly_series(mask)
    found = readings_before(series, StandardScaler().fit(series), np.timedelta64(7, "D"))
    assert found[1, 5 + 168].tolist() == [0, 0]
    assert (found[0, 5 + 168] != 0).all()


def test_a_model_sees_the_readings_of_a_week_before(tmp_path):
    folder = write_los_loop(tmp_path / "long", num_steps=2500)
    kwargs = {"week_before": True, "time_of_day": False, "split": (0.95, 0.02, 0.03)}
    data = tiny_data(folder, **kwargs)
    data.setup()
    batch = next(iter(data.test_dataloader()))
    row = int(batch.start[0]) + HISTORY  # the first target
    expected = data.scaler.transform(data.series.values[:, row - 7 * 288])
    torch.testing.assert_close(batch.covariates[:, 0, HISTORY], expected)
    task = ForecastTask(tiny_model(in_channels=1 + 1 + HORIZON), future_covariates=True)
    tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    assert task.scores["mae"].isfinite().all()


def test_a_week_before_joins_the_columns_of_a_file(root, weather):
    data = tiny_data(root, covariates="weather.csv", week_before=True)
    data.setup()
    given = {"time_of_day": 2, "day_of_week": 0, "covariates": 2, "week_before": 1}
    assert data.covariate_channels == given
    assert data.covariate_names == ["time_of_day", "rain", "holiday", "speed a week before"]
    batch = next(iter(data.test_dataloader()))
    assert batch.covariates.shape[-1] == 5
    plain = tiny_data(root, covariates="weather.csv")
    plain.setup()
    other = next(iter(plain.test_dataloader()))
    assert torch.equal(batch.covariates[:1, ..., :4], other.covariates)
    # a series of a few hours has no week before
    assert (batch.covariates[..., 4] == 0).all()


def test_a_horizon_beyond_a_week_has_no_week_before(root):
    data = tiny_data(root, week_before=True, history=12, horizon=4)
    data.horizon = 2017
    with pytest.raises(ValueError, match="week_before needs a horizon of at most a week, got 2017"):
        data.setup()
