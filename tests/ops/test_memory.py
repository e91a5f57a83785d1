from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import sys
import torch
from tgst.ops import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(20_000_000)  # 80 MB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
plain = faults()
assert keep_memory()
faults()  # the heap grows
print(plain, faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone has the switch")
def test_pages_are_cleared_once():
    run = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    plain, kept = map(int, run.stdout.split())
    assert plain >= 4 * 38  # pages of 2 MiB, or many more of 4 KiB
    assert kept < plain / 10


def test_other_systems_are_left_alone(monkeypatch):
    from tgst.ops import keep_memory

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no library is to be opened"))
    assert keep_memory() is False
