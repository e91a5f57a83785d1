import h5py
import numpy as np
import pytest

from tests.data.flow_files import numbered_frames, slot_stamps, write_flow
from tgst.data import read_flow_hdf5


def test_frames(tmp_path):
    stamps = slot_stamps("2013-07-01", "2013-07-02", 48, 1)
    frames, timestamps = read_flow_hdf5(write_flow(tmp_path / "flow.h5", stamps), 48)
    assert frames.dtype == np.float32
    assert frames.shape == (96, 2, 3, 2)
    np.testing.assert_array_equal(frames, numbered_frames(96))
    expected = np.datetime64("2013-07-01", "s") + np.timedelta64(30, "m") * np.arange(96)
    assert (timestamps == expected).all()


def test_unsorted_with_gaps(tmp_path):
    stamps = slot_stamps("2010-01-01", "2010-01-03", 24, 0)
    order = np.random.default_rng(0).permutation(72)[:50]
    path = write_flow(tmp_path / "f.h5", [stamps[i] for i in order], numbered_frames(72)[order])
    frames, timestamps = read_flow_hdf5(str(path), 24, 0, "error")
    there = np.sort(order)
    np.testing.assert_array_equal(frames, numbered_frames(72)[there])
    assert (timestamps == np.datetime64("2010-01-01", "s") + np.timedelta64(1, "h") * there).all()


def test_repeated_stamps(tmp_path):
    stamps = [b"2010010101", b"2010010100", b"2010010101", b"2010010102", b"2010010101"]
    path = write_flow(tmp_path / "f.h5", stamps)
    numbered = numbered_frames(5)
    frames, timestamps = read_flow_hdf5(path, 24)
    assert timestamps.astype("M8[h]").astype(int).tolist() == [350640, 350641, 350642]
    np.testing.assert_array_equal(frames[0], numbered[1])
    np.testing.assert_array_equal(frames[1], numbered[0] + numbered[2] + numbered[4])
    np.testing.assert_array_equal(frames[2], numbered[3])
    first, _ = read_flow_hdf5(path, 24, repeated="first")
    np.testing.assert_array_equal(first, numbered[[1, 0, 3]])
    with pytest.raises(
        ValueError,
        match=r"f.h5 date\[2\]: expected every stamp once, got 2010-01-01T01:00:00 again "
        r"\(first at 0\); repeated='sum' adds",
    ):
        read_flow_hdf5(path, 24, repeated="error")


def test_negative_flows_become_zero(tmp_path):
    values = numbered_frames(24) - 110
    path = write_flow(tmp_path / "f.h5", slot_stamps("2010-01-01", "2010-01-01", 24, 0), values)
    np.testing.assert_array_equal(read_flow_hdf5(path, 24)[0], np.maximum(values, 0))


def test_integer_counts(tmp_path):
    stamps = slot_stamps("2010-01-01", "2010-01-01", 24, 0)
    path = write_flow(tmp_path / "f.h5", stamps, numbered_frames(24).astype(np.int16))
    np.testing.assert_array_equal(read_flow_hdf5(path, 24)[0], numbered_frames(24))


def test_bad_stamp(tmp_path):
    stamps = slot_stamps("2013-07-01", "2013-07-02", 48, 1)
    stamps[77] = b"2013070249"
    with pytest.raises(
        ValueError, match=r"f.h5 date\[77\]: expected a slot 1\.\.48, got '2013070249'"
    ):
        read_flow_hdf5(write_flow(tmp_path / "f.h5", stamps), 48, 1)
    stamps[77] = b"20130702xx"
    with pytest.raises(ValueError, match=r"f.h5 date\[77\]: .* two digits, got '20130702xx'"):
        read_flow_hdf5(write_flow(tmp_path / "f.h5", stamps), 48)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent.h5: expected a file, found none"):
        read_flow_hdf5(tmp_path / "absent.h5", 48)


def test_missing_keys(tmp_path):
    path = tmp_path / "f.h5"
    with h5py.File(path, "w") as file:
        file["Data"] = np.zeros((4, 2, 3, 2))
        file["date"] = np.zeros(4, "S10")
        file.create_group("data")
    with pytest.raises(
        ValueError,
        match=r"f.h5: expected the arrays data, date, got no data but Data \(4, 2, 3, 2\), "
        r"data \(group\), date \(4,\)",
    ):
        read_flow_hdf5(path, 48)
    with h5py.File(path, "w"):
        pass
    with pytest.raises(ValueError, match=r"got no data, date but nothing"):
        read_flow_hdf5(path, 48)
    with h5py.File(path, "w") as file:
        file["data"] = h5py.Empty("f")
        file["date"] = b"2013070101"
    with pytest.raises(ValueError, match=r"got no data, date but data None, date \(\)"):
        read_flow_hdf5(path, 48)


def test_no_hdf5(tmp_path):
    (tmp_path / "f.h5").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ValueError, match=r"f.h5: expected an HDF5 file, got "):
        read_flow_hdf5(tmp_path / "f.h5", 48)


def test_cut_off(tmp_path):
    path = write_flow(tmp_path / "f.h5", slot_stamps("2013-07-01", "2013-07-09", 48, 1))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"f.h5: expected an HDF5 file, got .*truncated"):
        read_flow_hdf5(path, 48)


def test_damaged_chunk(tmp_path):
    path, values = tmp_path / "f.h5", np.random.default_rng(0).random((48, 2, 3, 2))
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=values, chunks=values.shape, compression="gzip")
        file["date"] = np.array(slot_stamps("2013-07-01", "2013-07-01", 48, 1))
        start = data.id.get_chunk_info(0).byte_offset
    damaged = bytearray(path.read_bytes())
    damaged[start + 40 : start + 80] = b"\xff" * 40
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"f.h5: cannot be read .*is it cut off"):
        read_flow_hdf5(path, 48)


def values(nan: bool = False) -> np.ndarray:
    frames = numbered_frames(24)
    if nan:
        frames[7, 1, 2, 0] = np.nan
    return frames


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (
            values()[:, 0],
            r"data: expected frames \[n, channels, height, width\], got .*\[24, 3, 2\]",
        ),
        (values()[:0], r"data: expected frames \[n, .*got shape \[0, 2, 3, 2\]"),
        (values()[:23], r"date: expected 23 stamps, one per frame of data .*got shape \[24\]"),
        (values(nan=True), r"data\[7, 1, 2, 0\]: expected a finite number \(float32\), got nan"),
        (values() * 1e37, r"data\[0, 1, 0, 0\]: expected a finite number .*, got 5e\+38"),
        (values().astype("S5"), r"data: expected numbers, got \|S5"),
    ],
)
def test_bad_data(tmp_path, frames, message):
    path = write_flow(tmp_path / "f.h5", slot_stamps("2010-01-01", "2010-01-01", 24, 0), frames)
    with pytest.raises(ValueError, match=f"f.h5 {message}"):
        read_flow_hdf5(path, 24)


def test_bad_argument(tmp_path):
    with pytest.raises(ValueError, match=r"repeated: expected one of \('sum', .*got 'mean'"):
        read_flow_hdf5(tmp_path / "f.h5", 24, repeated="mean")
