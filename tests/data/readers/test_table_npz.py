import numpy as np
import pytest

from tgst.data import read_table

TIMES = np.datetime64("2024-03-04", "s") + np.timedelta64(3600, "s") * np.arange(4)
FLOW = np.arange(24).reshape(4, 3, 2)


def write(folder, **arrays):
    np.savez(folder / "flow.npz", **arrays)
    return folder / "flow.npz"


def test_several_channels(tmp_path):
    path = write(tmp_path, arr_0=FLOW)
    series = read_table(path, start="2024-03-04", step="1h", channels=("in", "out"))
    assert series.values.tolist() == FLOW.transpose(1, 0, 2).tolist()
    assert series.channels == ("in", "out")
    assert series.node_id == ["0", "1", "2"]
    assert (series.timestamps == TIMES).all()
    unnamed = read_table(path, start="2024-03-04", step="1h")
    assert unnamed.channels == ("value_0", "value_1")


@pytest.mark.parametrize("times", [TIMES, TIMES.astype(str)])
def test_timestamps_and_ids_of_the_file(tmp_path, times):
    path = write(tmp_path, flow=FLOW[..., 0], timestamps=times, node_id=np.array(["a", "b", "c"]))
    series = read_table(path, channel="flow")
    assert (series.timestamps == TIMES).all()
    assert series.node_id == ["a", "b", "c"]
    assert series.values[..., 0].tolist() == FLOW[..., 0].T.tolist()
    assert series.channels == ("flow",)


def test_key_and_name_of_the_timestamps(tmp_path):
    path = write(tmp_path, bike=FLOW, taxi=FLOW[..., 0] + 0.5, when=TIMES)
    series = read_table(path, key="taxi", timestamps="when", node_id=["x", "y", "z"])
    assert series.values[1, 2, 0] == FLOW[2, 1, 0] + 0.5
    assert series.node_id == ["x", "y", "z"]
    with pytest.raises(
        ValueError, match=r"`key` must name the array .* got None; it has bike, taxi"
    ):
        read_table(path, timestamps="when")
    with pytest.raises(ValueError, match=r"`timestamps` must name an array of .* got 'time'"):
        read_table(path, key="taxi", timestamps="time")


def test_a_reading_lacks_if_a_channel_does(tmp_path):
    flow = FLOW.astype(np.float32)
    flow[1, 2, 0], flow[3, 0, 1] = np.nan, -9999.9
    series = read_table(write(tmp_path, a=flow, timestamps=TIMES), missing=(-9999.9,))
    assert (~series.mask).nonzero().tolist() == [[0, 3], [2, 1]]
    assert series.values[2, 1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, r"flow\.npz has no timestamps: give `start`"),
        ({"timestamps": np.arange(4)}, "datetime64 or of ISO 8601 texts, got int64"),
        ({"timestamps": TIMES[:3]}, r"`timestamps` must be .* shape \(4,\)"),
        ({"node_id": np.array("a"), "timestamps": TIMES}, r"`node_id` must .* of shape \(\)"),
        ({"a": FLOW[0, 0], "timestamps": TIMES}, r"got int64 of shape \(2,\)"),
        ({"a": FLOW.astype(str), "timestamps": TIMES}, "must hold numbers"),
        (
            {"a": FLOW.astype(object), "timestamps": TIMES},
            "array 'a' cannot be read: .*allow_pickle",
        ),
    ],
)
def test_bad_arrays(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, **({"a": FLOW} | arrays)))


def test_another_file(tmp_path):
    path = tmp_path / "flow.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"flow\.npz must be an NPZ file"):
        read_table(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"flow\.npz must be an NPZ file, got No data left"):
        read_table(path)
    with path.open("wb") as file:
        np.save(file, FLOW)
    with pytest.raises(ValueError, match=r"flow\.npz must be an NPZ file, got a single array"):
        read_table(path)


@pytest.mark.parametrize("position", [60, 200])  # the header of the array, and its numbers
def test_damaged_file(tmp_path, position):
    path = tmp_path / "flow.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).random((500, 3)))
    damaged = bytearray(path.read_bytes())
    damaged[position] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"flow\.npz: the array 'a' cannot be read"):
        read_table(path, start="2024", step="1h")


def test_ids_as_bytes(tmp_path):
    path = write(tmp_path, a=FLOW, timestamps=TIMES, node_id=np.array([b"x", b"y", b"z"]))
    assert read_table(path).node_id == ["x", "y", "z"]
