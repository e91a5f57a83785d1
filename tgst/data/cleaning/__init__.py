r"""Steps that clean readings: each takes a series and gives a new one."""

from __future__ import annotations

from tgst.data.cleaning.clean import Clean
from tgst.data.cleaning.interpolate_gaps import InterpolateGaps
from tgst.data.cleaning.outliers import Outliers
from tgst.data.cleaning.physical_range import PhysicalRange
from tgst.data.cleaning.resample import Resample
from tgst.data.cleaning.step_record import StepRecord

__all__ = ["Clean", "InterpolateGaps", "Outliers", "PhysicalRange", "Resample", "StepRecord"]
