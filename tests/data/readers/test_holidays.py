import pytest

from tests.data.readers.real import real_file
from tgst.data import read_holidays


def test_days(tmp_path):
    path = tmp_path / "holidays.txt"
    path.write_bytes(b"20131001\r\n20130919\r\n\r\n 20131001 \r\n20120229")
    days = read_holidays(path)
    assert days.dtype == "M8[D]"
    assert days.astype(str).tolist() == ["2012-02-29", "2013-09-19", "2013-10-01"]


@pytest.mark.parametrize("bad", ["20130229", "2013-10-01", "2013100", "201310011", "National Day"])
def test_a_line_that_does_not_parse(tmp_path, bad):
    path = tmp_path / "holidays.txt"
    path.write_text(f"20131001\n\n{bad}\n20131002\n")
    with pytest.raises(
        ValueError, match=f"holidays.txt line 3: expected a day YYYYMMDD, got '{bad}'"
    ):
        read_holidays(path)


def test_no_file_and_empty_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent.txt: expected a file, found none"):
        read_holidays(tmp_path / "absent.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"empty.txt: expected text, got an empty file"):
        read_holidays(tmp_path / "empty.txt")


def test_real_file():
    days = read_holidays(real_file("taxinyc_grid/NY_Holiday.txt")).astype(str).tolist()
    assert len(days) == 73
    assert (days[0], days[-1]) == ("2010-01-01", "2014-12-25")
    assert "2012-07-04" in days
