import numpy as np
import pytest
import torch

from tgst.data import Meteorology, external_features

SLOT = np.timedelta64(30, "m")
NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "weekday"]


def slots(count: int, first: str = "2013-07-01T00:00") -> np.ndarray:
    return np.datetime64(first, "s") + SLOT * np.arange(count)


def meteorology(stamps: np.ndarray, kinds: int = 17) -> Meteorology:
    number = np.arange(len(stamps))
    return Meteorology(
        stamps,
        np.eye(kinds, dtype=np.float32)[number % kinds],
        number.astype(np.float32),
        (20 - number / 2).astype(np.float32),
    )


def test_day_of_the_week():
    stamps = np.arange("2013-07-01T12", "2013-07-15T12", dtype="M8[D]").astype("M8[s]")  # a Monday
    features, names = external_features(stamps)
    assert names == NAMES
    assert features.dtype == torch.float32
    assert features[:, :7].tolist() == np.tile(np.eye(7), (2, 1)).tolist()
    assert features[:, 7].tolist() == [1, 1, 1, 1, 1, 0, 0] * 2


def test_holidays():
    stamps = slots(48 * 4)
    features, names = external_features(stamps, np.array(["2013-07-02", "2013-07-04"], "M8[D]"))
    assert names == [*NAMES, "holiday"]
    assert features[:, 8].tolist() == [0] * 48 + [1] * 48 + [0] * 48 + [1] * 48


def test_holidays_of_days_before():
    stamps = slots(48 * 4)
    days = np.array(["2013-06-30", "2013-07-02"], "M8[D]")
    features, names = external_features(stamps, days, hour_of_day=True, holiday_lags=(1, 2))
    assert names[8:10] == ["holiday", "hour_0"]
    assert names[-2:] == ["holiday_1_days_before", "holiday_2_days_before"]
    assert features[:, -2].tolist() == [1] * 48 + [0] * 48 + [1] * 48 + [0] * 48
    assert features[:, -1].tolist() == [0] * 48 + [1] * 48 + [0] * 48 + [1] * 48
    for lags, given in (((0,), days), ((7,), None)):
        with pytest.raises(ValueError, match=rf"holiday_lags: .* got \[{lags[0]}\]"):
            external_features(stamps, given, holiday_lags=lags)


def test_the_28_of_taxi_bj():
    stamps = slots(100)
    weather = meteorology(slots(110, "2013-06-30T22:00"))  # record 4 is that of the first slot
    features, names = external_features(
        stamps, np.array(["2013-07-02"], "M8[D]"), weather, fit_stop=60
    )
    assert names == [
        *NAMES,
        "holiday",
        *(f"weather_{kind}" for kind in range(17)),
        "wind_speed",
        "temperature",
    ]
    assert features.shape == (100, 28)
    # The weather of slot t is that of t - 1: record t + 3.
    assert features[:, 9:26].argmax(1).tolist() == [(row + 3) % 17 for row in range(100)]
    assert (features[:, 9:26].sum(1) == 1).all()
    # Scaled by the training rows: records 3 to 62.
    expected = np.arange(100) / 59
    np.testing.assert_allclose(features[:, 26], expected, rtol=1e-6)
    np.testing.assert_allclose(features[:, 27], 1 - expected, atol=1e-6)


def test_weather_of_the_test_part_does_not_scale():
    stamps, weather = slots(100), meteorology(slots(100))
    before, _ = external_features(stamps, meteorology=weather, fit_stop=70)
    weather.wind_speed[75:] = 1e6
    weather.temperature[75:] = -1e6
    after, _ = external_features(stamps, meteorology=weather, fit_stop=70)
    assert torch.equal(after[:76], before[:76])
    assert not torch.equal(after[76:], before[76:])


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_weather_lag(lag):
    weather = meteorology(slots(60, "2013-06-30T20:00"))
    features, names = external_features(
        slots(40), meteorology=weather, weather_lag=lag, fit_stop=40
    )
    kind = names.index("weather_0")
    assert features[:, kind : kind + 17].argmax(1).tolist() == [
        (row + 8 - lag) % 17 for row in range(40)
    ]


def test_weather_of_one_slot():
    """A single slot does not say how long it is; that of the slot itself is not known yet."""
    weather = meteorology(slots(60))
    one = {"timestamps": slots(60)[30:31], "meteorology": weather, "fit_stop": 1}
    with pytest.raises(ValueError, match="step: expected the length of a slot for 1 slot, got"):
        external_features(**one)
    features, names = external_features(**one, step=SLOT)
    kind = names.index("weather_0")
    assert features[0, kind : kind + 17].argmax() == 29 % 17
    now, _ = external_features(**one, weather_lag=0)
    assert now[0, kind : kind + 17].argmax() == 30 % 17


def test_missing_records():
    """The last record before counts; at the first slot, that of the slot itself."""
    weather = meteorology(slots(60))
    keep = np.delete(np.arange(60), [10, 11, 30])
    weather = Meteorology(*(array[keep] for array in weather))
    features, names = external_features(slots(60), meteorology=weather, fit_stop=60)
    wind = features[:, names.index("wind_speed")] * 58
    expected = [0, *range(59)]
    expected[11], expected[12], expected[31] = 9, 9, 29
    np.testing.assert_allclose(wind, expected, atol=1e-4)


def test_a_record_counts_for_a_day():
    weather = meteorology(slots(49, "2013-06-30T00:00"))  # the last one is of 1 July, 00:00
    stamps = slots(1, "2013-07-02T00:30")
    features, names = external_features(stamps, meteorology=weather, fit_stop=1, step=SLOT)
    kind = names.index("weather_0")
    assert features[0, kind : kind + 17].argmax() == 48 % 17
    with pytest.raises(ValueError, match="expected the weather at 2013-07-02T00:30:00 for row 1"):
        external_features(slots(3, "2013-07-02T00:30"), meteorology=weather, fit_stop=1)


def test_constant_wind():
    weather = meteorology(slots(50))
    weather.wind_speed[:] = 5
    features, names = external_features(slots(50), meteorology=weather, fit_stop=50)
    assert (features[:, names.index("wind_speed")] == 0).all()


def test_hour_of_day():
    features, names = external_features(slots(96), hour_of_day=True)
    assert names == [*NAMES, *(f"hour_{hour}" for hour in range(24))]
    assert features[:, 8:].argmax(1).tolist() == [slot // 2 % 24 for slot in range(96)]
    assert (features[:, 8:].sum(1) == 1).all()


def test_errors():
    stamps, weather = slots(100), meteorology(slots(100))
    with pytest.raises(ValueError, match=r"timestamps: expected a datetime64 array \[T\], got int"):
        external_features(np.arange(3))
    with pytest.raises(ValueError, match="timestamps: expected ascending moments"):
        external_features(stamps[::-1], meteorology=weather, fit_stop=9)
    for stop in (None, 0, 101):
        with pytest.raises(ValueError, match=rf"fit_stop: .*1\.\.100, .* got {stop}"):
            external_features(stamps, meteorology=weather, fit_stop=stop)
    with pytest.raises(ValueError, match="weather_lag: expected at least 0 slots, got -1"):
        external_features(stamps, meteorology=weather, fit_stop=9, weather_lag=-1)
    late = meteorology(slots(300)[49:120])
    with pytest.raises(
        ValueError,
        match=r"meteorology: expected the weather at 2013-06-30T23:30:00 for row 0, got none "
        r"within a day \(nor for 48 other rows\); it covers 2013-07-02T00:30:00 \.\.",
    ):
        external_features(stamps, meteorology=late, fit_stop=50)
