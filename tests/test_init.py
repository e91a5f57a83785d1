from __future__ import annotations

import subprocess
import sys

import pytest

import tgst

CHECK = """
import sys
import tgst
heavy = {"h5py", "lightning", "matplotlib", "torchmetrics"}  # PyG imports pandas itself
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert tgst.metrics.MaskedMAE(1).compute().shape == (1,)
assert "torchmetrics" in sys.modules
"""


def test_the_import_is_light_and_heavy_packages_come_when_they_are_used():
    subprocess.run([sys.executable, "-c", CHECK], check=True)


def test_an_unknown_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tgst' has no attribute 'modles'"):
        _ = tgst.modles
