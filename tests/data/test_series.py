import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from tgst.data import Series


def stamps(num_steps: int, minutes: int = 5) -> np.ndarray:
    step = np.timedelta64(60 * minutes, "s")
    return np.datetime64("2020-01-01T00:00:00") + step * np.arange(num_steps)


def example(**kwargs) -> Series:
    values = torch.arange(24.0).view(3, 4, 2)
    arguments = {"node_id": ["a", "b", "c"], "channels": ("speed", "flow")} | kwargs
    return Series(values, stamps(4), **arguments)


def test_series_properties():
    series = example()
    assert (series.num_nodes, series.num_steps, series.num_channels) == (3, 4, 2)
    assert series.step == np.timedelta64(5, "m")
    assert series.timestamps.dtype == np.dtype("datetime64[s]")
    assert str(series) == (
        "Series(nodes=3, steps=4, channels=('speed', 'flow'), "
        "2020-01-01T00:00:00 .. 2020-01-01T00:15:00)"
    )


def test_names_by_default():
    assert Series(torch.zeros(2, 3, 1), stamps(3)).node_id == ["0", "1"]
    assert Series(torch.zeros(2, 3, 1), stamps(3)).channels == ("value",)
    assert Series(torch.zeros(2, 3, 2), stamps(3)).channels == ("value_0", "value_1")


def test_node_ids_are_strings():
    assert Series(torch.zeros(2, 3, 1), stamps(3), node_id=[7, 5]).node_id == ["7", "5"]


def test_step_is_the_most_frequent_difference():
    times = stamps(6)
    times[3:] += np.timedelta64(1, "h")
    assert Series(torch.zeros(1, 6, 1), times).step == np.timedelta64(300, "s")
    with pytest.raises(ValueError, match="`step` needs a series of at least 2 time steps"):
        _ = Series(torch.zeros(1, 1, 1), stamps(1)).step


def test_values_are_not_copied():
    values = torch.rand(3, 4, 1)
    mask = torch.ones(3, 4, dtype=torch.bool)
    series = Series(values, stamps(4), mask)
    assert series.values.data_ptr() == values.data_ptr()
    assert series.slice(1, 3).values.data_ptr() == values[:, 1].data_ptr()


def test_memory_mapped_values(tmp_path):
    np.save(tmp_path / "values.npy", np.arange(12, dtype=np.float32).reshape(3, 4, 1))
    mapped = np.load(tmp_path / "values.npy", mmap_mode="r")
    series = Series(mapped, stamps(4))
    assert series.values.data_ptr() == mapped.ctypes.data
    assert torch.equal(series.values[1, :, 0], torch.tensor([4.0, 5.0, 6.0, 7.0]))


def test_unobserved_values_are_stored_as_zero():
    values = torch.arange(1.0, 9.0).view(2, 4, 1)
    values[0, 1] = float("nan")
    given = values.clone()
    mask = torch.ones(2, 4, dtype=torch.bool)
    mask[0, 1] = mask[1, 2] = False
    series = Series(values, stamps(4), mask)
    expected = torch.tensor([[1.0, 0.0, 3.0, 4.0], [5.0, 6.0, 0.0, 8.0]])
    assert torch.equal(series.values[..., 0], expected)
    assert torch.equal(values.nan_to_num(-1), given.nan_to_num(-1))  # the argument is untouched


def test_unobserved_values_of_one_node_among_many():
    mask = torch.ones(600, 4, dtype=torch.bool)
    mask[5, 1] = False
    series = Series(torch.ones(600, 4, 1), stamps(4), mask)
    assert torch.equal(series.values[..., 0], mask.float())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_observed_value_must_be_finite(bad):
    values = torch.zeros(300, 4, 2)
    values[299, 2, 1] = bad
    names = [f"sensor {node}" for node in range(300)]
    message = r"`values` must be finite.* 'sensor 299', 2020-01-01T00:10:00 .*give a `mask`"
    with pytest.raises(ValueError, match=message):
        Series(values, stamps(4), node_id=names)
    mask = torch.zeros(300, 4, dtype=torch.bool)
    mask[299, 2] = True
    with pytest.raises(ValueError, match=message):
        Series(values, stamps(4), mask, node_id=names)
    assert Series(values, stamps(4), ~mask, node_id=names).values[299, 2].tolist() == [0, 0]


def test_unsorted_timestamps():
    times = stamps(4)
    times[[1, 2]] = times[[2, 1]]
    message = r"strictly increasing, got 2020-01-01T00:05:00 at row 2, which is earlier"
    with pytest.raises(ValueError, match=message):
        Series(torch.zeros(1, 4, 1), times)


def test_repeated_timestamps():
    times = stamps(4)
    times[3] = times[2]
    message = r"strictly increasing, got 2020-01-01T00:10:00 at row 3, which is repeated"
    with pytest.raises(ValueError, match=message):
        Series(torch.zeros(1, 4, 1), times)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.arange(4), r"`timestamps` must be a datetime64 array of shape \(4,\).*got int64"),
        (stamps(5), r"`timestamps` must be a datetime64 array of shape \(4,\).*shape \(5,\)"),
        (stamps(4) + np.timedelta64(5, "ms"), r"must be whole seconds, got .*00:00:00.005"),
        (np.array(["2020-01-01", "NaT", "2020-01-03", "2020-01-04"], "M8[s]"), "NaT.*row 1"),
    ],
)
def test_bad_timestamps(times, message):
    with pytest.raises(ValueError, match=message):
        Series(torch.zeros(1, 4, 1), times)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(3, 4), r"shape \[nodes, time, channels\].*got \(3, 4\)"),
        (torch.zeros(0, 4, 1), r"at least one entry each, got \(0, 4, 1\)"),
        (torch.zeros(3, 4, 1, dtype=torch.long), r"floating point.*got torch.int64"),
        ([[[1.0]]], r"floating point.*got list"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(ValueError, match=f"`values` must .*{message}"):
        Series(values, stamps(4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"node_id": ["a", "b"]}, "`node_id` must hold 3 ids, one per node, got 2"),
        ({"node_id": ["a", "b", "a"]}, "`node_id` must not repeat an id, got 'a'"),
        ({"channels": ("speed",)}, "`channels` must hold 2 different names"),
        ({"channels": ("speed", "speed")}, "`channels` must hold 2 different names"),
        ({"mask": torch.ones(4, 3, dtype=torch.bool)}, r"`mask` .*\(3, 4\), got .* \(4, 3\)"),
        ({"mask": torch.ones(3, 4)}, "`mask` must be a bool tensor.*got torch.float32"),
    ],
)
def test_bad_names_and_masks(arguments, message):
    with pytest.raises(ValueError, match=message):
        example(**arguments)


def test_slice():
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1, 2] = False
    part = example(mask=mask).slice(2, 4)
    assert part.values[0].tolist() == [[4, 5], [6, 7]]
    assert part.mask.tolist() == [[True, True], [False, True], [True, True]]
    assert part.timestamps.tolist() == stamps(4)[2:].tolist()
    assert (part.node_id, part.channels) == (["a", "b", "c"], ("speed", "flow"))


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 2), (0, 5)])
def test_slice_outside(start, stop):
    with pytest.raises(ValueError, match=f"<= 4, got start={start}, stop={stop}"):
        example().slice(start, stop)


def test_aligned_to():
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1, 2] = False
    series = example(mask=mask)
    aligned = series.aligned_to(["c", "a", "b"])
    assert aligned.node_id == ["c", "a", "b"]
    assert torch.equal(aligned.values, series.values[[2, 0, 1]])
    assert torch.equal(aligned.mask, mask[[2, 0, 1]])
    assert series.aligned_to(["a", "b", "c"]) is series


def test_aligned_to_numbers():
    series = Series(torch.arange(3.0).view(3, 1, 1), stamps(1), node_id=[10, 20, 30])
    assert series.aligned_to([30, 10, 20]).values.flatten().tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("node_id", "message"),
    [
        (["a", "b", "x"], "'x' without readings, 'c' not in the graph"),
        (["a", "b"], r"\(2 nodes\).*\(3\): none without readings, 'c' not in the graph"),
        (["a", "b", "c", "d"], "'d' without readings, none not in the graph"),
        (list("abcefghijk"), "'e', 'f', 'g', 'h', 'i' and 2 more without readings"),
    ],
)
def test_aligned_to_another_graph(node_id, message):
    with pytest.raises(ValueError, match=f"`node_id` of the graph .*{message}"):
        example().aligned_to(node_id)


def test_frame_round_trip():
    readings = np.array([[1.0, 2.0], [np.nan, 4.0], [5.0, 6.0]])
    frame = pd.DataFrame(readings, index=pd.DatetimeIndex(stamps(3)), columns=[101, 102])
    series = Series.from_frame(frame, channel="speed")
    assert series.values.dtype == torch.float32
    assert series.values[..., 0].tolist() == [[1, 0, 5], [2, 4, 6]]
    assert series.mask.tolist() == [[True, False, True], [True, True, True]]
    assert (series.node_id, series.channels) == (["101", "102"], ("speed",))
    assert series.timestamps.tolist() == stamps(3).tolist()
    back = series.to_frame()
    assert list(back.columns) == ["101", "102"]
    assert (back.index == frame.index).all()
    np.testing.assert_array_equal(back.to_numpy(), readings)


def test_frame_without_gaps_has_no_mask():
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.DatetimeIndex(stamps(2)))
    series = Series.from_frame(frame)
    assert series.mask is None
    assert series.values.flatten().tolist() == [1, 2]


def test_to_frame_of_a_channel():
    np.testing.assert_array_equal(example().to_frame(channel=1)["b"], [9, 11, 13, 15])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"a": [1.0]}), "indexed by timestamps.*got RangeIndex"),
        (pd.DataFrame({"a": [1.0]}, index=pd.DatetimeIndex(["2020"], tz="UTC")), "zone.*UTC"),
        (
            pd.DataFrame({"a": [1.0], "b": ["x"]}, index=pd.DatetimeIndex(["2020"])),
            r"numeric columns, got .* in column 1 \(b\)",
        ),
        (
            pd.DataFrame({"a": [1.0, 2.0]}, index=pd.DatetimeIndex(["2020", "2020"])),
            "strictly increasing.*row 1, which is repeated",
        ),
    ],
)
def test_bad_frames(frame, message):
    with pytest.raises(ValueError, match=message):
        Series.from_frame(frame)


def test_a_mask_that_is_no_tensor_is_refused():
    with pytest.raises(ValueError, match="`mask` must be a bool tensor, got list"):
        example(mask=[[True] * 4] * 3)


def with_filled() -> Series:
    mask = torch.ones(3, 4, dtype=torch.bool)
    filled = torch.zeros(3, 4, dtype=torch.bool)
    mask[1, 1] = mask[1, 2] = mask[2, 0] = False
    filled[1, 2] = True
    return example(mask=mask, filled=filled)


def test_filled_readings_keep_their_value_and_stay_unobserved():
    series = with_filled()
    assert series.values[1].tolist() == [[8, 9], [0, 0], [12, 13], [14, 15]]
    assert series.values[2, 0].tolist() == [0, 0]
    assert series.mask[1].tolist() == [True, False, False, True]
    assert series.filled.sum() == 1


def test_slice_and_alignment_keep_what_was_filled():
    series = with_filled()
    part = series.slice(2, 4)
    assert part.filled.tolist() == [[False, False], [True, False], [False, False]]
    assert part.values[1, 0].tolist() == [12, 13]
    aligned = series.aligned_to(["b", "c", "a"])
    assert aligned.filled.nonzero().tolist() == [[0, 2]]
    assert aligned.values[0, 2].tolist() == [12, 13]


def test_to_frame_shows_filled_readings_if_asked():
    frame = with_filled().to_frame()
    np.testing.assert_array_equal(frame["b"], [8, np.nan, np.nan, 14])
    np.testing.assert_array_equal(with_filled().to_frame(filled=True)["b"], [8, np.nan, 12, 14])
    np.testing.assert_array_equal(example().to_frame(filled=True)["b"], [8, 10, 12, 14])


def test_observed_and_filled_exclude_each_other():
    filled = torch.zeros(3, 4, dtype=torch.bool)
    filled[1, 2] = filled[2, 3] = True
    message = r"`filled` must be False where `mask` .* 'b', 2020-01-01T00:10:00 \(and 1 more\)"
    with pytest.raises(ValueError, match=message):
        example(filled=filled)
    with pytest.raises(ValueError, match=message):
        example(filled=filled, mask=torch.ones(3, 4, dtype=torch.bool))
    assert example(filled=filled, mask=~filled).values[1, 2].tolist() == [12, 13]


def test_filled_values_must_be_finite():
    values = torch.zeros(1, 4, 1)
    values[0, 1:3] = float("nan")
    mask = torch.tensor([[True, False, False, True]])
    filled = torch.tensor([[False, True, False, False]])
    with pytest.raises(ValueError, match=r"finite where they are observed or filled, .*00:05:00"):
        Series(values, stamps(4), mask, filled=filled)


def test_bad_filled():
    message = r"`filled` must be a bool tensor of shape \[nodes, time\] = \(3, 4\), got .*\(4, 3\)"
    with pytest.raises(ValueError, match=message):
        example(filled=torch.zeros(4, 3, dtype=torch.bool))


def test_masks_as_arrays():
    mask = np.ones((3, 4), dtype=bool)
    mask[1, 2] = False
    series = example(mask=mask, filled=~mask)
    assert series.mask.tolist() == mask.tolist()
    assert series.filled.nonzero().tolist() == [[1, 2]]


def test_read_only_masks():
    mask = np.array([[True, False]])
    mask.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = Series(torch.ones(1, 2, 1), stamps(2), mask)
    assert series.mask.tolist() == [[True, False]]


def test_ids_in_a_tensor_or_an_array_are_numbers_as_text():
    values, stamps = torch.zeros(2, 3, 1), np.arange(3).astype("datetime64[s]")
    for ids in (torch.tensor([7, 9]), np.array([7, 9]), [7, "9"]):
        assert Series(values, stamps, node_id=ids).node_id == ["7", "9"]
    assert Series(values, stamps, node_id=[9, 7]).aligned_to(torch.tensor([7, 9])).node_id == [
        "7",
        "9",
    ]
