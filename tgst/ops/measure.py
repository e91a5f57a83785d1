"""Time and memory of functions: interleaved repetitions, and peaks counted by the profiler."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_SAMPLE_SECONDS = 0.005  # a shorter function is called several times per sample


class Timing(NamedTuple):
    """The median of several samples and the distance between their quartiles, milliseconds."""

    median: float
    spread: float


def time_interleaved(
    functions: Mapping[str, Callable[[], object]], repetitions: int, device: torch.device
) -> dict[str, Timing]:
    r"""Time functions in turns, so that a busy moment of the machine meets all of them.

    Args:
        functions (Mapping[str, Callable]): The functions by name; each is warmed up first.
        repetitions (int): Samples per function, at least 2.
        device (torch.device): The device to wait for.

    Raises:
        ValueError: If there are fewer than 2 repetitions.
    """
    if repetitions < 2:
        raise ValueError(f"repetitions: expected at least 2, got {repetitions}")
    calls = {name: _calls_per_sample(call, device) for name, call in functions.items()}
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repetitions):
        for name, call in functions.items():
            samples[name].append(_milliseconds(call, calls[name], device))
    return {name: _timing(values) for name, values in samples.items()}


def peak_extra_bytes(function: Callable[[], object], device: torch.device) -> int:
    r"""Count the bytes that a function holds at its peak beyond the tensors it returns.

    What exists before the call does not count. On CPU every allocation is counted by torch's
    profiler, so the result does not depend on time or on the allocator of the machine.

    Args:
        function (Callable): Returns the tensors that do not count (outputs, gradients).
        device (torch.device): The device whose memory is counted.
    """
    function()  # the first call may fill caches
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


def _calls_per_sample(function: Callable[[], object], device: torch.device) -> int:
    function()
    seconds = _milliseconds(function, 1, device) / 1e3
    return max(1, int(_SAMPLE_SECONDS / max(seconds, 1e-6)))


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
    return Timing(median, upper - lower)
