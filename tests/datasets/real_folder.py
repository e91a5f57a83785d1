"""Where real data sets are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_folder(name: str) -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip(f"TGST_DATA (the folder that holds {name}/) is not set")
    path = Path(os.environ["TGST_DATA"]) / name
    if not path.is_dir():
        pytest.skip(f"{path} does not exist")
    return path
