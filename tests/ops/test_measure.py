from __future__ import annotations

import time

import pytest
import torch

from tgst.ops.measure import Timing, copy_bandwidth, peak_extra_bytes, time_interleaved

CPU = torch.device("cpu")


def test_peak_counts_what_is_neither_there_before_nor_returned():
    x = torch.ones(1000)

    def function():
        a = x * 2  # 4,000 bytes, alive with b
        b = a * 3  # 4,000 bytes, alive with c
        del a
        return b + 1

    assert 4000 <= peak_extra_bytes(function, CPU) < 5000


def test_peak_without_extra():
    x = torch.ones(1000)
    assert peak_extra_bytes(lambda: (torch.empty_like(x), None), CPU) == 0


@pytest.fixture
def far_apart(monkeypatch):
    # So that a sleep that lasts longer on a busy machine stays on its side of the border.
    monkeypatch.setattr("tgst.ops.measure._CACHED_SECONDS", 0.1)


def test_times_are_medians_of_turns(far_apart):
    calls = []

    def slow():
        calls.append("slow")
        time.sleep(0.12)

    def fast():
        calls.append("fast")
        time.sleep(0.006)

    times = time_interleaved({"slow": slow, "fast": fast}, 6, CPU)
    assert calls[:4] == ["slow", "slow", "fast", "fast"]
    rounds = {tuple(calls[start : start + 3]) for start in range(4, len(calls), 3)}
    assert len(calls) == 4 + 3 * 6
    assert rounds == {("slow", "fast", "fast"), ("fast", "fast", "slow")}
    assert isinstance(times["slow"], Timing)
    assert times["slow"].median > times["fast"].median > 0
    assert times["slow"].spread >= 0


def test_short_functions_are_called_several_times_per_sample():
    calls = []
    time_interleaved({"short": lambda: calls.append(1)}, 2, CPU)
    assert len(calls) > 100


def test_one_repetition_has_no_spread():
    with pytest.raises(ValueError, match="repetitions: expected at least 2, got 1"):
        time_interleaved({"none": lambda: None}, 1, CPU)


def test_a_slow_function_takes_part_in_fewer_rounds(far_apart):
    calls = []

    def slow():
        calls.append("slow")
        time.sleep(0.15)

    def fast():
        calls.append("fast")
        time.sleep(0.006)

    times = time_interleaved({"slow": slow, "fast": fast}, 12, CPU, seconds=0.4)
    assert times["slow"].samples == 3
    assert times["fast"].samples == 12
    # Of 12 rounds the third, the seventh and the eleventh, not the first three.
    rounds = "".join(name[0] for name in calls[4:])
    # The fast one is called once more before each of its samples.
    assert rounds.replace("s", "") == "ff" * 12
    before = [len(part) / 2 for part in rounds.replace("s", " ").rstrip().split(" ")]
    first, second, third = (sum(before[: part + 1]) for part in range(3))
    assert first in (2, 3)
    assert second in (6, 7)
    assert third in (10, 11)


def test_copy_bandwidth_counts_reads_and_writes():
    source, target = torch.ones(2**22), torch.zeros(2**22)
    timing = time_interleaved({"copy": lambda: target.copy_(source)}, 5, CPU)["copy"]
    by_hand = 2 * 2**24 / (timing.median / 1e3)
    assert 0.2 < copy_bandwidth(CPU, 2**24) / by_hand < 5


def test_peak_without_warming_up():
    calls = []
    peak_extra_bytes(lambda: calls.append(1), CPU, warm_up=False)
    assert len(calls) == 1
