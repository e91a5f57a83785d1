r"""What one cleaning step did."""

from __future__ import annotations

from typing import NamedTuple


class StepRecord(NamedTuple):
    r"""What one step of a :class:`tgst.data.Clean` did to the readings.

    Attributes:
        step (str): The step.
        rows (int): Rows after the step.
        observed (int): Observed readings after the step, of all nodes.
        removed (int, optional): Readings that were observed before the step and are not after it;
            :obj:`None` if the step changed the rows, as resampling does.
        filled (int): Readings that the step filled in.
    """

    step: str
    rows: int
    observed: int
    removed: int | None
    filled: int
