from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.flow_files import numbered_frames, slot_stamps, write_flow, write_meteorology
from tgst.data import LagWindows, external_features
from tgst.datasets import TaxiBJ
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph

NAME = "BJ{}_M32x32_T30_InOut.h5"
# The spans of the published files, shortened; the weather covers the time between them too.
SPANS = {
    13: ("2013-07-01", "2013-07-12"),
    14: ("2014-03-01", "2014-03-09"),
    15: ("2015-03-01", "2015-03-09"),
    16: ("2015-11-01", "2015-11-11"),
}
MISSING = 3 * 48 + 24  # noon of 4 July 2013


def write(folder: Path, missing: bool = True) -> Path:
    for span, (first, last) in SPANS.items():
        stamps = slot_stamps(first, last, 48, 1)
        frames = numbered_frames(len(stamps), first=1000 * span)
        if span == 13 and missing:
            del stamps[MISSING]
            frames = np.delete(frames, MISSING, axis=0)
        write_flow(folder / NAME.format(span), stamps, frames)
    weather = slot_stamps("2013-07-01", "2015-11-30", 48, 1)
    write_meteorology(folder / "BJ_Meteorology.h5", weather)
    (folder / "BJ_Holiday.txt").write_text("20130704\n20151111\n")
    return folder


def test_graph_and_series(tmp_path):
    dataset = TaxiBJ(write(tmp_path), whole_days=False)
    assert (dataset.height, dataset.width, dataset.slots_per_day) == (3, 2, 48)
    assert dataset[0].node_id == ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]
    assert dataset[0].edge_index.shape == (2, 14)
    series = dataset.series
    assert series.channels == ("inflow", "outflow")
    assert series.num_steps == (12 + 9 + 9 + 11) * 48 - 1
    row = int(np.flatnonzero(series.timestamps == np.datetime64("2014-03-02T00:30"))[0])
    assert series.values[3, row].tolist() == [14_049 * 100 + 9, 14_049 * 100 + 59]
    assert dataset.frames[row, 1, 2, 0] == 14_049 * 100 + 50 + 16
    assert dataset.holidays.astype(str).tolist() == ["2013-07-04", "2015-11-11"]
    assert dataset.meteorology.weather.shape[1] == 17


def test_connectivity_and_transform(tmp_path):
    offsets = OffsetPartition()
    data = TaxiBJ(write(tmp_path), (13,), connectivity=8, transform=offsets)[0]
    assert torch.equal(data.edge_type, offsets(grid_graph(3, 2, 8)).edge_type)


def test_incomplete_days_are_dropped(tmp_path):
    days = TaxiBJ(write(tmp_path)).series.timestamps.astype("M8[D]")
    assert np.datetime64("2013-07-04") not in days
    assert len(days) == 40 * 48


def test_windows_stay_within_a_span_and_cross_no_gap(tmp_path):
    dataset = TaxiBJ(write(tmp_path), whole_days=False)
    windows = LagWindows(dataset.series.timestamps)
    value = dataset.frames[:, 0, 0, 0] / 100  # 1000 times the span, plus the number of the slot
    target = value[windows.target_rows[:, 0]]
    for rows, lags in (
        (windows.closeness_rows, [1, 2, 3]),
        (windows.period_rows[:, 0], [48]),
        (windows.trend_rows[:, 0], [48 * 7]),
    ):
        assert torch.equal(
            target[:, None] - value[rows], torch.tensor(lags).expand(rows.shape) * 1.0
        )
    # A week at the beginning of every span serves as input only, and a week after the missing slot
    # there is no target.
    assert len(windows) == (5 + 2 + 2 + 4) * 48 - 1
    targets = windows.timestamps[windows.target_rows[:, 0]]
    assert str(targets[0]) == "2013-07-08T00:00:00"
    assert np.datetime64("2013-07-11T12:00") not in targets


def test_the_28_external_features(tmp_path):
    dataset = TaxiBJ(write(tmp_path))
    stamps = dataset.series.timestamps
    features, names = external_features(
        stamps, dataset.holidays, dataset.meteorology, fit_stop=len(stamps) - 48
    )
    assert features.shape == (len(stamps), 28)
    assert features.isfinite().all()
    day = stamps.astype("M8[D]").astype(str)
    assert set(day[features[:, names.index("holiday")].numpy() == 1]) == {"2015-11-11"}


def test_spans(tmp_path):
    dataset = TaxiBJ(write(tmp_path), np.array([16, 14]))
    years = np.unique(dataset.series.timestamps.astype("M8[Y]")).astype(str)
    assert years.tolist() == ["2014", "2015"]
    assert dataset.raw_file_names[:2] == [NAME.format(14), NAME.format(16)]
    for spans in ((), (12,), (13, 13)):
        with pytest.raises(
            ValueError, match=r"spans: expected numbers of \(13, 14, 15, 16\), each"
        ):
            TaxiBJ(tmp_path, spans)


def test_without_external_files(tmp_path):
    write(tmp_path)
    (tmp_path / "BJ_Meteorology.h5").unlink()
    dataset = TaxiBJ(tmp_path, external=False)
    assert dataset.holidays is None
    assert dataset.meteorology is None
    with pytest.raises(FileNotFoundError, match=r"got no BJ_Meteorology.h5 in .*lucktroy/DeepST"):
        TaxiBJ(tmp_path)


def test_slots_from_zero_are_refused(tmp_path):
    """Half an hour off would go unnoticed."""
    write(tmp_path)
    write_flow(tmp_path / NAME.format(15), slot_stamps("2015-03-01", "2015-03-09", 48, 0))
    with pytest.raises(
        ValueError, match=r"BJ15_.*h5 date\[0\]: expected a slot 1\.\.48, got '2015030100'"
    ):
        TaxiBJ(tmp_path)
    weather = slot_stamps("2013-07-01", "2013-07-12", 48, 0)
    write_meteorology(tmp_path / "BJ_Meteorology.h5", weather)
    with pytest.raises(ValueError, match=r"Meteorology.h5 date\[0\]: .* got '2013070100'"):
        TaxiBJ(tmp_path, (13,))
