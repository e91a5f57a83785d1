from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.flow_files import numbered_frames, slot_stamps, write_flow
from tests.datasets.real_folder import real_folder
from tgst.data import FlowScaler, LagWindows
from tgst.datasets import TaxiNYC
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph

NAME = "NYC{}_Taxi_M16x8_T60_InOut.h5"
DAY = np.timedelta64(1, "D")


def write(folder: Path, years: tuple[int, ...] = (10, 11), size=(2, 3, 2)) -> Path:
    """August 30 to September 1 and October 1 and 2 of every year."""
    for number, year in enumerate(years):
        stamps = slot_stamps(f"20{year}-08-30", f"20{year}-09-01", 24, 0)
        stamps += slot_stamps(f"20{year}-10-01", f"20{year}-10-02", 24, 0)
        write_flow(folder / NAME.format(year), stamps, numbered_frames(120, size, 120 * number))
    (folder / "NY_Holiday.txt").write_text("20101225\n20101002\n")
    return folder


def test_graph(tmp_path):
    dataset = TaxiNYC(write(tmp_path), (2010, 2011))
    assert len(dataset) == 1
    data, grid = dataset[0], grid_graph(3, 2)
    assert torch.equal(data.edge_index, grid.edge_index)
    assert torch.equal(data.e_id, torch.arange(grid.num_edges))
    assert torch.equal(data.pos, grid.pos)
    assert data.node_id == ["0,0", "0,1", "1,0", "1,1", "2,0", "2,1"]
    assert data.num_nodes == 6
    assert (dataset.height, dataset.width, dataset.slots_per_day) == (3, 2, 24)
    offsets = OffsetPartition()
    eight = TaxiNYC(tmp_path, (2010,), connectivity=8, transform=offsets)[0]
    assert torch.equal(eight.edge_type, offsets(grid_graph(3, 2, 8)).edge_type)


def test_series_and_frames(tmp_path):
    dataset = TaxiNYC(write(tmp_path), (2011, 2010))
    series = dataset.series
    assert series.channels == ("new_flow", "end_flow")
    assert series.node_id == dataset[0].node_id
    assert series.values.shape == (6, 2 * 96, 2)  # September is dropped
    assert series.mask is None
    # Frame 70 is the second day before September, 22:00; frame 72 + 24 the first of October.
    assert series.values[3, 46].tolist() == [46 * 100 + 9, 46 * 100 + 59]
    october = int(np.flatnonzero(series.timestamps == np.datetime64("2010-10-01T05"))[0])
    assert series.values[4, october, 1] == (72 + 5) * 100 + 50 + 16
    assert str(series.timestamps[96]) == "2011-08-30T00:00:00"
    assert series.values[0, 96, 0] == 120 * 100
    assert dataset.frames.shape == (192, 2, 3, 2)
    assert dataset.frames[46, 1, 1, 1] == 46 * 100 + 59
    assert dataset.frames.data_ptr() == series.values.data_ptr()
    assert dataset.holidays.astype(str).tolist() == ["2010-10-02", "2010-12-25"]
    assert dataset.meteorology is None


def test_unsorted_and_repeated_stamps(tmp_path):
    stamps = slot_stamps("2010-08-01", "2010-08-02", 24, 0)
    order = np.random.default_rng(0).permutation(48)
    shuffled = [stamps[place] for place in order] + stamps[10:12]
    frames = np.concatenate([numbered_frames(48)[order], np.full((2, 2, 3, 2), 0.5)])
    write(tmp_path)
    write_flow(tmp_path / NAME.format(10), shuffled, frames)
    values = TaxiNYC(tmp_path, (2010,)).frames.double().numpy()
    expected = numbered_frames(48)
    expected[10:12] += 0.5
    np.testing.assert_array_equal(values, expected)


def test_files_that_are_not_in_the_order_of_time(tmp_path):
    write(tmp_path)
    (tmp_path / NAME.format(10)).rename(tmp_path / "other")
    (tmp_path / NAME.format(11)).rename(tmp_path / NAME.format(10))
    (tmp_path / "other").rename(tmp_path / NAME.format(11))
    dataset = TaxiNYC(tmp_path, (2010, 2011))
    assert (np.diff(dataset.series.timestamps) > np.timedelta64(0)).all()
    hour = dataset.frames[:, 0, 0, 0] / 100
    assert hour.tolist() == [*range(48), *range(72, 120), *range(120, 168), *range(192, 240)]


def test_two_flows_are_kept(tmp_path):
    write(tmp_path)
    stamps = slot_stamps("2010-08-01", "2010-08-01", 24, 0)
    write_flow(tmp_path / NAME.format(10), stamps, numbered_frames(24, (4, 3, 3)))
    frames = TaxiNYC(tmp_path, (2010,)).frames
    np.testing.assert_array_equal(frames, numbered_frames(24, (2, 3, 3)))


def test_channels_last(tmp_path):
    write(tmp_path)
    stamps = slot_stamps("2010-08-01", "2010-08-01", 24, 0)
    write_flow(tmp_path / NAME.format(10), stamps, numbered_frames(24, (16, 8, 2)))
    with pytest.raises(ValueError, match=r"\[n, 2, height, width\], got shape \[24, 16, 8, 2\]"):
        TaxiNYC(tmp_path, (2010,))


def test_numbers_in_an_array(tmp_path):
    dataset = TaxiNYC(write(tmp_path), np.array([2010, 2011]), months=np.array([8, 10]))
    assert dataset.series.num_steps == 2 * 96
    with pytest.raises(ValueError, match=r"years: .* each once, got \(\)"):
        TaxiNYC(tmp_path, np.array([], dtype=int))


def test_months(tmp_path):
    write(tmp_path)
    assert TaxiNYC(tmp_path, (2010,), [9]).series.num_steps == 24
    assert TaxiNYC(tmp_path, (2010,), (8, 9)).series.num_steps == 72
    assert TaxiNYC(tmp_path, (2010,), range(1, 9)).series.num_steps == 48
    with pytest.raises(
        ValueError, match="expected a slot that is kept, got none of 120 from 2010-"
    ):
        TaxiNYC(tmp_path, (2010,), (1,))


def test_whole_days(tmp_path):
    write(tmp_path)
    stamps = slot_stamps("2010-08-01", "2010-08-03", 24, 0)
    del stamps[30]
    write_flow(tmp_path / NAME.format(10), stamps)
    assert TaxiNYC(tmp_path, (2010,)).series.num_steps == 71
    days = TaxiNYC(tmp_path, (2010,), whole_days=True).series.timestamps.astype("M8[D]")
    assert np.unique(days).astype(str).tolist() == ["2010-08-01", "2010-08-03"]


def test_nothing_is_written(tmp_path):
    names = sorted(path.name for path in write(tmp_path).iterdir())
    _ = TaxiNYC(str(tmp_path), (2010,))[0]
    assert sorted(path.name for path in tmp_path.rglob("*")) == names


@pytest.mark.parametrize("name", [NAME.format(11), "NY_Holiday.txt"])
def test_missing_file(tmp_path, name):
    (write(tmp_path) / name).unlink()
    wanted = r"`root` must hold NYC10_.*h5, NYC11_.*h5 and NY_Holiday.txt"
    with pytest.raises(
        FileNotFoundError, match=f"{wanted}, got no {name} in .*no publisher's addr"
    ):
        TaxiNYC(tmp_path, (2010, 2011))


def test_files_of_different_grids(tmp_path):
    write(write(tmp_path), (11,), (2, 2, 3))
    with pytest.raises(
        ValueError, match=r"NYC11_.*: expected the grid \[3, 2\] of NYC10_.*h5, got \[2, 3\]"
    ):
        TaxiNYC(tmp_path, (2010, 2011))


def test_one_channel(tmp_path):
    write(tmp_path, (10,), (1, 3, 2))
    with pytest.raises(ValueError, match=r"expected 2 channels \[n, 2, height, width\], got shape"):
        TaxiNYC(tmp_path, (2010,))


def test_slot_in_two_files(tmp_path):
    write(tmp_path)
    write_flow(tmp_path / NAME.format(11), slot_stamps("2010-10-02", "2010-10-02", 24, 0))
    with pytest.raises(
        ValueError,
        match=r"NYC10_.*h5 and NYC11_.*h5: expected every slot in one file, got 2010-10-02T00:00",
    ):
        TaxiNYC(tmp_path, (2010, 2011))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"years": ()}, r"years: expected numbers of 2000\.\.2099, each once, got \(\)"),
        (
            {"years": (10, 11)},
            r"years: expected numbers of 2000\.\.2099, each once, got \(10, 11\)",
        ),
        ({"months": (0, 1)}, r"months: expected numbers of 1\.\.12, each once, got \(0, 1\)"),
        ({"months": (2, 2)}, r"months: expected numbers of 1\.\.12, each once, got \(2, 2\)"),
    ],
)
def test_bad_argument(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        TaxiNYC(tmp_path, **arguments)


def real(months=tuple(range(1, 9))) -> TaxiNYC:
    return TaxiNYC(real_folder("taxinyc_grid"), months=months)


def test_real_files():
    dataset = real(None)
    series = dataset.series
    assert (dataset.height, dataset.width, series.num_nodes) == (16, 8, 128)
    assert series.num_steps == 3 * 335 * 24 + 24  # no September, a leap year
    assert (np.diff(series.timestamps[: 243 * 24]) == np.timedelta64(1, "h")).all()
    assert len(dataset.holidays) == 73
    assert "2012-12-25" in dataset.holidays.astype(str)


def test_frames_of_the_same_stamp_are_parts_on_real_files():
    """1 April 2010, 00:00 is in the file twice, with 3668 and with 32,177 trips."""
    dataset = real()
    row = int(np.flatnonzero(dataset.series.timestamps == np.datetime64("2010-04-01T00"))[0])
    assert dataset.frames[row].sum() == 3668 + 32_177


def test_channels_of_real_files():
    """On 1 September there are only trips that began in August: they end there."""
    begun, ended = real((9,)).frames.sum(dim=(0, 2, 3)).tolist()
    assert (begun, ended) == (0, 13_071)


def test_baselines_of_real_files():
    """Known errors, one hour ahead, all cells and both flows, 4 to 31 August 2012."""
    dataset = real()
    windows = LagWindows(dataset.series.timestamps).between(np.datetime64("2012-08-04"))
    assert len(windows) == 28 * 24
    frames = dataset.frames.double().numpy()
    target = frames[windows.target_rows[:, 0]]

    def error(forecast: np.ndarray) -> float:
        return float(np.sqrt(np.mean((forecast - target) ** 2)))

    assert error(frames[windows.closeness_rows[:, 0]]) == pytest.approx(140.5, abs=0.05)
    assert error(frames[windows.trend_rows[:, 0, 0]]) == pytest.approx(51.8, abs=0.05)
    weeks = LagWindows(dataset.series.timestamps, 0, 0, 16)[-len(windows) :]
    assert (weeks.target_rows == windows.target_rows).all()
    assert error(frames[weeks.trend_rows[:, 0]].mean(axis=1)) == pytest.approx(72.24, abs=0.01)


def test_last_value_of_2010_on_real_files():
    """Known errors of the last 20 % of January to August."""
    frames = TaxiNYC(real_folder("taxinyc_grid"), (2010,), range(1, 9)).frames.double()
    first = int(0.8 * len(frames))
    error = frames[first:] - frames[first - 1 : -1]
    assert error.abs().mean().item() == pytest.approx(23.4, abs=0.05)
    assert error.square().mean().sqrt().item() == pytest.approx(133.3, abs=0.06)


def test_clock_changes_of_real_files():
    """The hour that the clock skips has next to no trip, the one that it repeats those of both."""
    dataset = real(None)
    trips = dataset.frames.sum(dim=(1, 2, 3))
    row = {str(stamp): place for place, stamp in enumerate(dataset.series.timestamps)}
    for day, share in (("2010-03-14", 0.2), ("2011-03-13", 0.0), ("2012-03-11", 0.0)):
        skipped = row[f"{day}T02:00:00"]
        assert trips[skipped] <= share * trips[skipped - 1]
    for day in ("2010-11-07", "2011-11-06", "2012-11-04"):
        repeated = row[f"{day}T01:00:00"]
        assert trips[repeated] > 1.4 * trips[repeated - 1]


def test_training_windows_and_scaler_see_no_test_slot():
    dataset = real()
    border = np.datetime64("2012-08-04")
    windows = LagWindows(dataset.series.timestamps).between(stop=border)
    read = [windows.closeness_rows, windows.period_rows, windows.trend_rows, windows.target_rows]
    stop = int(np.searchsorted(dataset.series.timestamps, border))
    assert max(rows.max() for rows in read) == stop - 1
    scaler = FlowScaler("standard", "cell", 0.5).fit(dataset.frames[:stop])
    dataset.series.values[:, stop:] *= 7
    again = FlowScaler("standard", "cell", 0.5).fit(dataset.frames[:stop])
    assert torch.equal(again.scale, scaler.scale)
    assert torch.equal(again.shift, scaler.shift)
