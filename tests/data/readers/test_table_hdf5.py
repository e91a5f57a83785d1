r"""Files are written by h5py in the layout of pandas.DataFrame.to_hdf(format="fixed")."""

import h5py
import numpy as np
import pytest

from tgst.data import read_table

START = np.datetime64("2012-03-01", "s")
TIMES = START + np.timedelta64(300, "s") * np.arange(4)
READINGS = np.arange(12, dtype=np.float64).reshape(4, 3) + 0.5


def axis(group, name, values, kind, **attributes):
    group[name] = values
    group[name].attrs.update({"kind": np.bytes_(kind), "transposed": np.uint8(1), **attributes})


def frame(group, ids, blocks, kind="datetime64", unit="ns", transposed=1, **attributes):
    r"""Blocks are pairs of the ids of some columns and their readings [T, n]."""
    kinds = {"S": "string", "i": "integer"}
    group.attrs.update({"pandas_type": np.bytes_("frame"), "encoding": np.bytes_("UTF-8")})
    group.attrs.update({"nblocks": len(blocks), "axis0_variety": np.bytes_("regular")})
    axis(group, "axis0", ids, kinds[ids.dtype.kind])
    axis(group, "axis1", TIMES.astype(f"M8[{unit}]").astype(np.int64), kind, **attributes)
    # The frequency is a pickle that nothing may read; this one would say so.
    group["axis1"].attrs["freq"] = np.bytes_(b"cbuiltins\nprint\n(S'read'\ntR.")
    for number, (items, readings) in enumerate(blocks):
        axis(group, f"block{number}_items", items, kinds[items.dtype.kind])
        group[f"block{number}_values"] = readings if transposed else readings.T
        group[f"block{number}_values"].attrs["transposed"] = np.uint8(transposed)


TEXTS = np.array([b"773869", b"767541", b"7"])
NUMBERS = np.array([400001, 400017, 400030])


def write(folder, *args, key="df", **kwargs):
    with h5py.File(folder / "speed.h5", "a") as opened:
        frame(opened.create_group(key), *args, **kwargs)
    return folder / "speed.h5"


@pytest.mark.parametrize("ids", [TEXTS, NUMBERS])
@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("datetime64", "ns"),
        ("datetime64[ns]", "ns"),
        ("datetime64[us]", "us"),
        ("datetime64[s]", "s"),
    ],
)
def test_table(tmp_path, capsys, ids, kind, unit, transposed):
    path = write(tmp_path, ids, [(ids, READINGS)], kind=kind, unit=unit, transposed=transposed)
    series = read_table(path, channel="speed")
    assert series.node_id == [name.decode() if ids is TEXTS else str(name) for name in ids.tolist()]
    assert series.values[..., 0].T.tolist() == READINGS.tolist()
    assert (series.timestamps == TIMES).all()
    assert series.channels == ("speed",)
    assert capsys.readouterr().out == ""


def test_several_blocks_are_put_together_by_name(tmp_path):
    whole = np.arange(4).reshape(4, 1)
    blocks = [(TEXTS[[1]], whole), (TEXTS[[2, 0]], READINGS[:, :2].astype(np.float32))]
    series = read_table(write(tmp_path, TEXTS, blocks))
    assert series.node_id == ["773869", "767541", "7"]
    expected = np.stack([READINGS[:, 1], whole[:, 0], READINGS[:, 0]])
    assert series.values[..., 0].tolist() == expected.tolist()


def test_names_beyond_ascii_and_an_old_encoding(tmp_path):
    names = np.array(["Köln".encode(), b"b", b"c"])
    path = write(tmp_path, names, [(names, READINGS)])
    with h5py.File(path, "a") as opened:
        opened["df"].attrs["encoding"] = np.bytes_(b"N.")  # old files hold a pickle of None
    assert read_table(path).node_id == ["Köln", "b", "c"]


def test_zero_means_missing(tmp_path):
    readings = READINGS.copy()
    readings[1, 2], readings[2, 0] = 0.0, np.nan
    series = read_table(write(tmp_path, TEXTS, [(TEXTS, readings)]), missing=(0,))
    assert (~series.mask).nonzero().tolist() == [[0, 2], [2, 1]]


def test_one_of_two_tables(tmp_path):
    write(tmp_path, TEXTS, [(TEXTS, READINGS)], key="flow")
    path = write(tmp_path, NUMBERS, [(NUMBERS, READINGS)], key="deep/speed")
    assert read_table(path, key="/deep/speed").node_id == ["400001", "400017", "400030"]
    with pytest.raises(ValueError, match=r"`key` must name the table of .* deep/speed, flow"):
        read_table(path)
    with pytest.raises(ValueError, match=r"`key` must name a table of .* got 'df'; it has"):
        read_table(path, key="df")


def test_times_with_a_zone_are_stored_in_utc(tmp_path):
    zone = {"tz": np.bytes_(b"America/Los_Angeles")}
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)], **zone)
    assert (read_table(path).timestamps == TIMES).all()
    with pytest.raises(ValueError, match="`tz` is for local times"):
        read_table(path, tz="America/Los_Angeles")


def test_numbered_rows_need_start_and_step(tmp_path):
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)], kind="integer")
    with pytest.raises(ValueError, match=r"speed\.h5 has no timestamps"):
        read_table(path)
    assert (read_table(path, start="2012-03-01", step="5min").timestamps == TIMES).all()


def change(path, name, value, **attributes):
    with h5py.File(path, "a") as opened:
        if value is not None:
            del opened[name]
            opened[name] = value
        opened[name].attrs.update(attributes)
    return path


def test_table_format_is_named(tmp_path):
    with h5py.File(tmp_path / "speed.h5", "w") as opened:
        group = opened.create_group("df")
        group.attrs["pandas_type"] = np.bytes_("frame_table")
        group["table"] = np.zeros(3)
    message = r"key 'df': got a frame in format='table'; .* what is read is .*format='fixed'"
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "speed.h5")


def test_plain_datasets_are_named(tmp_path):
    with h5py.File(tmp_path / "speed.h5", "w") as opened:
        opened["data"] = READINGS
        opened["date"] = np.arange(4)
    with pytest.raises(ValueError, match=r"holds none: data \(4, 3\), date \(4,\); what is read"):
        read_table(tmp_path / "speed.h5")
    with pytest.raises(ValueError, match=r"key 'data': got a plain dataset of shape \(4, 3\)"):
        read_table(tmp_path / "speed.h5", key="data")


def test_pickled_ids_are_not_read(tmp_path):
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)])
    with h5py.File(path, "a") as opened:
        del opened["df/axis0"]
        pickles = opened["df"].create_dataset("axis0", (1,), h5py.vlen_dtype(np.uint8))
        pickles[0] = np.frombuffer(b"cbuiltins\nprint\n(S'read'\ntR.", np.uint8)
        pickles.attrs["kind"] = np.bytes_("object")
    with pytest.raises(ValueError, match=r"axis0 must hold node ids .*kind 'object'.*pickled ids"):
        read_table(path)


@pytest.mark.parametrize(
    ("name", "value", "attributes", "message"),
    [
        ("df", None, {"pandas_type": np.bytes_("series")}, "got the pandas layout 'series'"),
        ("df/axis1", np.arange(0), {"kind": np.bytes_("datetime64")}, r"must have 0 rows and 3"),
        ("df", None, {"axis0_variety": np.bytes_("multi")}, "got several levels of columns"),
        ("df/axis1", None, {"kind": np.bytes_("string")}, "timestamps .* got kind 'string'"),
        (
            "df/block0_values",
            READINGS[:2],
            {"transposed": 1},
            r"4 rows and 3 columns, got \(2, 3\)",
        ),
        ("df/block0_values", np.full((4, 3), b"x"), {"transposed": 1}, "numbers, got .S1"),
        ("df/axis0", TEXTS[[0, 1, 1]], {"kind": np.bytes_("string")}, "name every column once"),
        ("df/block0_items", TEXTS[[0, 1]], {}, r"4 rows and 2 columns, got \(4, 3\)"),
    ],
)
def test_other_layouts(tmp_path, name, value, attributes, message):
    path = change(write(tmp_path, TEXTS, [(TEXTS, READINGS)]), name, value, **attributes)
    with pytest.raises(ValueError, match=message):
        read_table(path, key="df")


def test_group_without_a_table(tmp_path):
    with h5py.File(tmp_path / "speed.h5", "w") as opened:
        opened.create_group("df")["axis0"] = TEXTS
    with pytest.raises(ValueError, match=r"key 'df': got a group of axis0 \(3,\)"):
        read_table(tmp_path / "speed.h5", key="df")


def test_another_file(tmp_path):
    (tmp_path / "speed.h5").write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match=r"speed\.h5 must be an HDF5 file"):
        read_table(tmp_path / "speed.h5")


def test_frame_without_values(tmp_path):
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)])
    with h5py.File(path, "a") as opened:
        del opened["df/block0_values"]
    with pytest.raises(ValueError, match=r"got a frame without axes or values: axis0 \(3,\)"):
        read_table(path)


def test_file_that_was_damaged(tmp_path):
    path = write(tmp_path, TEXTS, [])
    with h5py.File(path, "a") as opened:
        opened["df"].create_dataset("block0_values", data=READINGS, compression="gzip")
        opened["df/block0_values"].attrs["transposed"] = 1
        axis(opened["df"], "block0_items", TEXTS, "string")
        opened["df"].attrs["nblocks"] = 1
        place = opened["df/block0_values"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 8] = b"damaged!"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"speed\.h5 cannot be read \(.*is it cut off, or packed"):
        read_table(path)


@pytest.mark.parametrize("number", [0, 2])
def test_wrong_number_of_blocks(tmp_path, number):
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)])
    with h5py.File(path, "a") as opened:
        opened["df"].attrs["nblocks"] = number
    message = r"each of its 3 columns in one block, got 0" if number == 0 else "has another layout"
    with pytest.raises(ValueError, match=message):
        read_table(path)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            np.array([b"773869", b"773869", b"7"]),
            "got 3 columns in the blocks, 2 of them different",
        ),
        (np.array([b"773869", b"767541", b"8"]), r"speed\.h5 has another layout: '8'"),
    ],
)
def test_blocks_of_other_columns(tmp_path, items, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, TEXTS, [(items, READINGS)]))


def test_axis_that_is_no_array(tmp_path):
    path = write(tmp_path, TEXTS, [(TEXTS, READINGS)])
    with h5py.File(path, "a") as opened:
        del opened["df"]["axis0"]
        opened["df"].create_group("axis0")
    with pytest.raises(ValueError, match=r"speed\.h5 has another layout: .*; what is read is"):
        read_table(path)
