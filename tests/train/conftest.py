from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

from tests.train.tiny import write_los_loop


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", module="torch.utils.data.*")
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_los_loop(tmp_path / "losloop")
