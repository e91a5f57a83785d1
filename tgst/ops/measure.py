"""Time and memory of functions: interleaved repetitions, and peaks counted by the profiler."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_SAMPLE_SECONDS = 0.005  # a shorter function is called several times per sample
_CACHED_SECONDS = 0.02  # a shorter function is called once before its samples, see below
_WARM_SECONDS = 0.5  # a longer function is not called again only to warm up
_FEWEST = 3  # samples of a function that is too slow for all repetitions


class Timing(NamedTuple):
    """The median of several samples, the distance between their quartiles, how many there are, and
    the least of them; milliseconds.
    """

    median: float
    spread: float
    samples: int = 0
    least: float = float("nan")


def time_interleaved(
    functions: Mapping[str, Callable[[], object]],
    repetitions: int,
    device: torch.device,
    seconds: float | None = None,
) -> dict[str, Timing]:
    r"""Time functions in turns, so that a busy moment of the machine meets all of them, and in
    another order in each round, so that none always follows the same one.

    Args:
        functions (Mapping[str, Callable]): The functions by name; each is warmed up first, and one
            shorter than 20 ms again before each sample.
        repetitions (int): Samples per function, at least 2.
        device (torch.device): The device to wait for.
        seconds (float, optional): A function whose samples would take longer than this in total
            takes part in fewer rounds, spread evenly, but at least in 3 (or all, if fewer).

    Raises:
        ValueError: If there are fewer than 2 repetitions.
    """
    if repetitions < 2:
        raise ValueError(f"repetitions: expected at least 2, got {repetitions}")
    calls, rounds, lengths = {}, {}, {}
    for name, call in functions.items():
        calls[name], lengths[name] = _calls_per_sample(call, device)
        rounds[name] = _rounds(repetitions, lengths[name] * calls[name], seconds)
    samples: dict[str, list[float]] = {name: [] for name in functions}
    order = random.Random(0)
    for turn in range(repetitions):
        # In another order each time: what one leaves to the next (caches, threads that sleep) would
        # be counted for or against the same one.
        for name, call in order.sample(list(functions.items()), len(functions)):
            if turn in rounds[name]:
                if lengths[name] < _CACHED_SECONDS:
                    call()  # brings its data back, which the one before drove out of the caches
                samples[name].append(_milliseconds(call, calls[name], device))
    return {name: _timing(values) for name, values in samples.items()}


def copy_bandwidth(device: torch.device, num_bytes: int = 2**28, repetitions: int = 7) -> float:
    r"""Measure how many bytes per second a copy between existing tensors reads and writes.

    Args:
        device (torch.device): The device whose memory is measured.
        num_bytes (int): The size of the tensor, far beyond the caches.
        repetitions (int): Samples; the median counts.
    """
    source = torch.ones(num_bytes // 4, device=device)
    target = torch.zeros_like(source)
    timing = time_interleaved({"copy": lambda: target.copy_(source)}, repetitions, device)["copy"]
    return 2 * num_bytes / (timing.median / 1e3)


def peak_extra_bytes(
    function: Callable[[], object], device: torch.device, warm_up: bool = True
) -> int:
    r"""Count the bytes that a function holds at its peak beyond the tensors it returns.

    What exists before the call does not count. On CPU every allocation is counted by torch's
    profiler, so the result does not depend on time or on the allocator of the machine.

    Args:
        function (Callable): Returns the tensors that do not count (outputs, gradients).
        device (torch.device): The device whose memory is counted.
        warm_up (bool): Call the function once before, since the first call may fill caches.
    """
    if warm_up:
        function()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        returned = function()
        torch.cuda.synchronize(device)
        peak = torch.cuda.max_memory_allocated(device) - before
    else:
        returned, peak = _profiled_peak(function)
    return max(0, peak - _total_bytes(returned))


def _profiled_peak(function: Callable[[], object]) -> tuple[object, int]:
    # The profiler's logger otherwise prints two lines per call; a level set by the user holds.
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
        returned = function()  # held, so that its release is not counted
    events = profiler.profiler.kineto_results.events()
    changes = [(event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"]
    held = peak = 0
    for _, change in sorted(changes, key=lambda entry: entry[0]):
        held += change
        peak = max(peak, held)
    return returned, peak


def _total_bytes(returned: object) -> int:
    tensors = returned if isinstance(returned, (tuple, list)) else (returned,)
    return sum(t.numel() * t.element_size() for t in tensors if isinstance(t, Tensor))


def _calls_per_sample(function: Callable[[], object], device: torch.device) -> tuple[int, float]:
    """Return the calls that make a sample, and the seconds of one call."""
    seconds = _milliseconds(function, 1, device) / 1e3
    if seconds < _WARM_SECONDS:
        seconds = _milliseconds(function, 1, device) / 1e3
    return max(1, int(_SAMPLE_SECONDS / max(seconds, 1e-6))), seconds


def _rounds(repetitions: int, sample_seconds: float, seconds: float | None) -> set[int]:
    """Choose the rounds in which a function is timed."""
    count = repetitions
    if seconds is not None:
        count = max(_FEWEST, int(seconds / max(sample_seconds, 1e-9)))
    count = min(count, repetitions)
    return {(2 * turn + 1) * repetitions // (2 * count) for turn in range(count)}


def _milliseconds(function: Callable[[], object], calls: int, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        function()
    _wait(device)
    return (time.perf_counter() - start) * 1e3 / calls


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _timing(samples: list[float]) -> Timing:
    lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, upper - lower, len(samples), min(samples))
