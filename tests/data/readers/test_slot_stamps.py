import numpy as np
import pytest

from tests.data.flow_files import slot_stamps
from tgst.data import complete_days, parse_slot_stamps


@pytest.mark.parametrize("first_slot", [0, 1, "auto"])
@pytest.mark.parametrize("slots_per_day", [1, 8, 24, 48, 96])
def test_stamps(slots_per_day, first_slot):
    first = 1 if first_slot == "auto" else first_slot
    stamps = slot_stamps("2012-02-28", "2012-03-01", slots_per_day, first)
    moments = parse_slot_stamps(stamps, slots_per_day, first_slot)
    step = np.timedelta64(86_400 // slots_per_day, "s")
    expected = np.datetime64("2012-02-28", "s") + step * np.arange(3 * slots_per_day)
    assert moments.dtype == np.dtype("M8[s]")
    assert (moments == expected).all()


def test_published_examples():
    # TaxiBJ: slot 01 is 00:00 to 00:30. TaxiNYC: hours from 00 on.
    assert str(parse_slot_stamps([b"2013070101"], 48, 1)[0]) == "2013-07-01T00:00:00"
    assert str(parse_slot_stamps(["2013070148"], 48, 1)[0]) == "2013-07-01T23:30:00"
    assert str(parse_slot_stamps([2010010123], 24, 0)[0]) == "2010-01-01T23:00:00"
    assert str(parse_slot_stamps([b"20100101287"], 288, 0)[0]) == "2010-01-01T23:55:00"


def test_the_first_slot_is_found_out():
    assert str(parse_slot_stamps([b"2014040100", b"2014040107"], 24)[1]) == "2014-04-01T07:00:00"
    assert str(parse_slot_stamps([b"2014040107", b"2014040124"], 24)[0]) == "2014-04-01T06:00:00"
    for stamps, found in ((["2014040107"], "neither"), (["2014040100", "2014040124"], "both")):
        with pytest.raises(
            ValueError,
            match=f"dates: expected either a slot 0 or a slot 24, .*got {found}; give first_slot=0",
        ):
            parse_slot_stamps(stamps, 24, where="dates")


def test_order_is_kept():
    moments = parse_slot_stamps(["2014040105", "2014040104", "2014040105"], 24, 0)
    assert (np.diff(moments) == np.array([-3600, 3600], "m8[s]")).all()


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (b"2013023001", "YYYYMMDD and a slot of two digits"),  # 30 February
        (b"2013130101", "YYYYMMDD and a slot of two digits"),
        (b"0000010101", "YYYYMMDD and a slot of two digits"),
        (b"20130701", "YYYYMMDD and a slot of two digits"),
        (b"201307011", "YYYYMMDD and a slot of two digits"),
        (b"2013-07-01", "YYYYMMDD and a slot of two digits"),
        (b"2013070 01", "YYYYMMDD and a slot of two digits"),
        (b"", "YYYYMMDD and a slot of two digits"),
        ("２０１３０７０１０１", "YYYYMMDD and a slot of two digits"),
        (b"20130701\xff1", "YYYYMMDD and a slot of two digits"),
        (b"2013070149", "a slot 1..48"),
        (b"2013070100", "a slot 1..48"),
    ],
)
def test_a_stamp_that_does_not_parse(bad, expected):
    stamps = [*slot_stamps("2013-07-01", "2013-07-02", 48, 1), bad]
    text = bad if isinstance(bad, str) else bad.decode("utf-8", "backslashreplace")
    with pytest.raises(ValueError) as error:
        parse_slot_stamps(stamps, 48, 1, "BJ13.h5 date")
    assert str(error.value) == f"BJ13.h5 date[96]: expected {expected}, got {text!r}"


def test_bad_argument():
    for slots in (0, 7, 172_800):
        with pytest.raises(ValueError, match=f"slots_per_day: expected a number .*got {slots}"):
            parse_slot_stamps([], slots)
    with pytest.raises(ValueError, match="first_slot: expected 0, 1 or 'auto', got 2"):
        parse_slot_stamps([], 24, 2)


def test_complete_days():
    moments = parse_slot_stamps(slot_stamps("2013-07-01", "2013-07-04", 48, 1), 48)
    kept = np.delete(np.arange(192), [60, 96])  # in the middle of day 2, the first of day 3
    complete = complete_days(moments[kept], 48)
    assert complete.tolist() == [day in (0, 3) for day in kept // 48]
    order = np.random.default_rng(0).permutation(len(kept))
    assert complete_days(moments[kept][order], 48).tolist() == complete[order].tolist()
