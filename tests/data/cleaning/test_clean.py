import numpy as np
import pytest
import torch

from tests.data.cleaning.examples import copy_of, random_series, same, series_of
from tgst.data import (
    Clean,
    InterpolateGaps,
    Outliers,
    PhysicalRange,
    Resample,
    Series,
    StandardScaler,
    StepRecord,
    gaps,
)


def test_steps_in_order_and_their_record():
    series = series_of([[60, -5, 62, None, None, 65, 66, 300], [1, 2, 3, 4, 5, 6, 7, 8]])
    clean = Clean([PhysicalRange(0, 130), InterpolateGaps(2)])
    cleaned = clean(series)
    assert cleaned.values[0, :, 0].tolist() == [60, 61, 62, 63, 64, 65, 66, 0]
    assert cleaned.mask[0].int().tolist() == [1, 0, 1, 0, 0, 1, 1, 0]
    assert cleaned.filled[0].int().tolist() == [0, 1, 0, 1, 1, 0, 0, 0]
    assert clean.record == [
        StepRecord("PhysicalRange(0, 130)", rows=8, observed=12, removed=2, filled=0),
        StepRecord("InterpolateGaps(2)", rows=8, observed=12, removed=0, filled=3),
    ]
    assert clean.report().splitlines()[1].split() == [
        "PhysicalRange(0,",
        "130)",
        *["8", "12", "2", "0"],
    ]


def test_resampling_has_no_count_of_removed_readings():
    clean = Clean([Resample("10min")])
    assert (
        clean(Series(torch.ones(2, 4, 1), random_series(steps=4, gaps=False).timestamps)).num_steps
        == 2
    )
    assert clean.record == [StepRecord("Resample('10min')", 2, 4, None, 0)]
    assert clean.report().splitlines()[1].split()[-3:] == ["4", "-", "0"]


def test_composition_equals_the_steps():
    series = random_series()
    before = copy_of(series)
    steps = [Resample("10min"), PhysicalRange(-8, 8), Outliers(3.0), InterpolateGaps("30min")]
    cleaned = Clean(steps)(series)
    expected = series
    for step in steps:
        expected = step(expected)
    assert same(cleaned, expected)
    assert same(series, before)
    assert cleaned.filled.any()
    assert gaps(cleaned) == []


def test_sensor_that_was_never_observed_and_constant_sensor():
    series = random_series()
    steps = [Resample("5min"), PhysicalRange(-50, 50), Outliers(), InterpolateGaps(3)]
    cleaned = Clean(steps)(series)
    assert not cleaned.mask[-1].any()
    assert not cleaned.filled[-1].any()
    assert (cleaned.values[-1] == 0).all()
    constant = cleaned.mask[-2] | cleaned.filled[-2]
    assert (cleaned.values[-2][constant] == 7).all()
    scaler = StandardScaler().fit(cleaned)
    expected = cleaned.values[cleaned.mask].double()
    np.testing.assert_allclose(scaler.mean, expected.mean(dim=0), rtol=1e-5)
    np.testing.assert_allclose(scaler.std, expected.std(dim=0, correction=0), rtol=1e-5)
    assert scaler.transform(cleaned.values).isfinite().all()


def test_no_steps():
    series, clean = random_series(), Clean([])
    assert clean(series) is series
    assert clean.record == []
    assert repr(clean) == "Clean([])"


def test_repr():
    clean = Clean([PhysicalRange(0, 130), InterpolateGaps(2)])
    assert repr(clean) == "Clean([PhysicalRange(0, 130), InterpolateGaps(2)])"


def test_step_that_cannot_be_called():
    with pytest.raises(ValueError, match=r"`steps` must be callables .* got 'Resample'"):
        Clean([PhysicalRange(0, 1), "Resample"])


def test_one_step_is_no_sequence():
    with pytest.raises(ValueError, match=r"`steps` must be a sequence of steps, got PhysicalRange"):
        Clean(PhysicalRange(0, 1))


def test_step_that_gives_no_series():
    with pytest.raises(ValueError, match="`steps` must give a Series, got NoneType from <function"):
        Clean([lambda series: None])(random_series())
