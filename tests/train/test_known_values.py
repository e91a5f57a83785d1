from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.train.tiny import HISTORY, HORIZON, STEPS, tiny_data, tiny_model, tiny_trainer
from tgst.train import ForecastTask


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
