r"""Readings from Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.readers.moments import moments_from_text, moments_of_index
from tgst.data.readers.raw_table import RawTable


def read_parquet(path: Path, timestamps: str | None) -> RawTable:
    r"""Reads a table with a column per node.

    Args:
        path (Path): The file.
        timestamps (str, optional): Name of the column of moments; :obj:`None` takes the index of
            the table, if it holds moments.

    Raises:
        ValueError: If the file is no Parquet, the column of moments does not exist or holds none,
            or a column is not numeric.
    """
    import pandas as pd
    import pyarrow as pa
    from pyarrow import parquet

    try:
        frame = parquet.read_table(path).to_pandas(date_as_object=False)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} must be a Parquet file, got {error}") from error
    index: Any = frame.index
    if timestamps is not None and timestamps != index.name:
        if timestamps not in frame.columns:
            raise ValueError(
                f"`timestamps` must name a column of {path}, got {timestamps!r}; it has "
                f"{', '.join(map(str, frame.columns[:10]))}"
            )
        index = frame.pop(timestamps)
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(
                f"{path} must have numeric columns, got {dtype} in column {name!r}; name a "
                "column of timestamps by `timestamps`"
            )
    values = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    stamps, in_utc = _moments(index, timestamps, path)
    return RawTable(values, stamps, in_utc, [str(name) for name in frame.columns])


def _moments(index: Any, timestamps: str | None, path: Path) -> tuple[np.ndarray | None, bool]:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(index.dtype):
        return moments_of_index(pd.DatetimeIndex(index))
    if timestamps is None:
        return None, False
    if pd.api.types.is_string_dtype(index.dtype):
        texts = ["" if text is None or text is pd.NA else str(text) for text in index.tolist()]
        return moments_from_text(texts, f"column {timestamps!r} of {path}")
    raise ValueError(
        f"`timestamps` must name a column of timestamps of {path}, got {index.dtype} in "
        f"{timestamps!r}"
    )
