r"""A table of readings: nodes, time steps and channels."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    import pandas

NODES_PER_CHECK = 256  # bounds the memory of a pass over the values


@dataclass(eq=False, repr=False)
class Series:
    r"""Readings of :math:`N` nodes at :math:`T` moments with :math:`C` channels each.

    The values stay one array: windows are cut from it when they are asked for
    (:class:`tgst.loader.WindowLoader`), and a memory-mapped array is never read as a whole into
    memory. Unobserved readings are stored as zero, but for those that a cleaning step filled in:
    they keep their value in :obj:`values` and stay unobserved in :obj:`mask`, so that the mask
    keeps the record of what was measured. Filled readings may serve as input; losses, metrics and
    scalers never count them. Loaders take them for known from the next observed reading of the
    node on: fill by readings up to that one, as :class:`tgst.data.InterpolateGaps` does, and no
    input holds the future.

    Args:
        values (torch.Tensor or numpy.ndarray): Readings, in the units of the source.
        timestamps (array_like of datetime64): Moment of each reading in whole seconds, strictly
            increasing. Gaps are allowed.
        mask (torch.Tensor, optional): :obj:`True` where a reading was observed; :obj:`None` if
            all of them were. (default: :obj:`None`)
        node_id (sequence, optional): Name of each node; without names they are numbered.
        channels (sequence of str, optional): Name of each channel; without names they are
            :obj:`("value",)` for one channel and :obj:`("value_0", ...)` for several.
        filled (torch.Tensor, optional): :obj:`True` where a reading was not observed but filled
            in; :obj:`None` if none was. (default: :obj:`None`)

    Shapes:
        - **values:** :math:`(N, T, C)`, floating point
        - **timestamps:** :math:`(T)`
        - **mask:** :math:`(N, T)`, bool: one entry for all channels of a reading
        - **filled:** :math:`(N, T)`, bool, nowhere :obj:`True` together with :obj:`mask`

    Raises:
        ValueError: If an observed or filled value is NaN or infinite, if a reading is both
            observed and filled, if the timestamps are unsorted, repeated or not whole seconds, or
            if shapes, dtypes or lengths do not agree.
    """

    values: Tensor
    timestamps: np.ndarray
    mask: Tensor | None = None
    node_id: list[str] = field(default_factory=list)
    channels: tuple[str, ...] = ()
    filled: Tensor | None = None

    def __post_init__(self) -> None:
        self.values = _as_values(self.values)
        num_nodes, num_steps, num_channels = self.values.shape
        self.timestamps = _as_timestamps(self.timestamps, num_steps)
        self.node_id = _as_node_id(self.node_id, num_nodes)
        several = tuple(f"value_{channel}" for channel in range(num_channels))
        unnamed = ("value",) if num_channels == 1 else several
        self.channels = tuple(str(channel) for channel in self.channels) or unnamed
        if len(self.channels) != num_channels or len(set(self.channels)) != num_channels:
            raise ValueError(
                f"`channels` must hold {num_channels} different names, one per channel of "
                f"`values` {tuple(self.values.shape)}, got {self.channels}"
            )
        if self.mask is not None:
            self.mask = _as_mask(self.mask, num_nodes, num_steps)
        if self.filled is not None:
            self.filled = _as_mask(self.filled, num_nodes, num_steps, "filled")
            self._check_filled()
        self._check_observed()

    @property
    def num_nodes(self) -> int:
        r"""Number of nodes :math:`N`."""
        return self.values.size(0)

    @property
    def num_steps(self) -> int:
        r"""Number of time steps :math:`T`."""
        return self.values.size(1)

    @property
    def num_channels(self) -> int:
        r"""Number of channels :math:`C`."""
        return self.values.size(2)

    @property
    def step(self) -> np.timedelta64:
        r"""Most frequent difference between neighbouring timestamps (the smallest if tied)."""
        if self.num_steps < 2:
            raise ValueError("`step` needs a series of at least 2 time steps, got 1")
        differences, counts = np.unique(np.diff(self.timestamps), return_counts=True)
        return differences[counts.argmax()]

    def __repr__(self) -> str:
        span = f"{self.timestamps[0]} .. {self.timestamps[-1]}"
        return (
            f"{type(self).__name__}(nodes={self.num_nodes}, steps={self.num_steps}, "
            f"channels={self.channels}, {span})"
        )

    def slice(self, start: int, stop: int) -> Series:
        r"""Rows :obj:`start` to :obj:`stop` (exclusive) of the series, without a copy.

        Args:
            start (int): First row.
            stop (int): Row after the last one.

        Raises:
            ValueError: If the rows are outside of the series or none is left.
        """
        if not 0 <= start < stop <= self.num_steps:
            raise ValueError(
                f"`start` and `stop` must satisfy 0 <= start < stop <= {self.num_steps}, "
                f"got start={start}, stop={stop}"
            )
        mask = None if self.mask is None else self.mask[:, start:stop]
        filled = None if self.filled is None else self.filled[:, start:stop]
        values, timestamps = self.values[:, start:stop], self.timestamps[start:stop]
        return Series(values, timestamps, mask, self.node_id, self.channels, filled)

    def aligned_to(self, node_id: Sequence[Any]) -> Series:
        r"""The same series with its nodes in the order of a graph.

        Args:
            node_id (sequence): Ids of the graph's nodes in the graph's order, for example
                :obj:`data.node_id`; compared as strings.

        Raises:
            ValueError: If the series and the graph do not have the same nodes; the message names
                the ids.
        """
        wanted = _as_node_id(node_id, len(node_id))
        if wanted == self.node_id:
            return self
        here, there = set(self.node_id), set(wanted)  # once: a large graph has many nodes
        missing = [name for name in wanted if name not in here]
        extra = [name for name in self.node_id if name not in there]
        if missing or extra:
            raise ValueError(
                f"`node_id` of the graph ({len(wanted)} nodes) must equal the nodes of the series "
                f"({self.num_nodes}): {_listed(missing)} without readings, "
                f"{_listed(extra)} not in the graph"
            )
        row = {name: index for index, name in enumerate(self.node_id)}
        order = torch.tensor([row[name] for name in wanted])
        mask = None if self.mask is None else self.mask[order]
        filled = None if self.filled is None else self.filled[order]
        return Series(self.values[order], self.timestamps, mask, wanted, self.channels, filled)

    @classmethod
    def from_frame(cls, frame: pandas.DataFrame, channel: str = "value") -> Series:
        r"""A series of one channel from a table with a row per moment and a column per node.

        Args:
            frame (pandas.DataFrame): Readings; the index holds the timestamps, the columns the
                node ids. NaN means not observed.
            channel (str, optional): Name of the channel. (default: :obj:`"value"`)

        Raises:
            ValueError: If the index is no :class:`pandas.DatetimeIndex`, if a column is not
                numeric, or if the readings are no valid series.
        """
        import pandas as pd

        if not isinstance(frame.index, pd.DatetimeIndex):
            raise ValueError(
                f"`frame` must be indexed by timestamps (pandas.DatetimeIndex), "
                f"got {type(frame.index).__name__}"
            )
        if frame.index.tz is not None:
            raise ValueError(
                f"`frame` must have timestamps without a time zone, got {frame.index.tz}; "
                "convert with frame.tz_localize(None)"
            )
        for position, (name, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
            if not pd.api.types.is_numeric_dtype(dtype):
                raise ValueError(
                    f"`frame` must have numeric columns, got {dtype} in column {position} ({name})"
                )
        readings = frame.to_numpy(dtype=np.float32, na_value=np.nan).T
        observed = ~np.isnan(readings)
        values = torch.from_numpy(np.where(observed, readings, np.float32(0)))
        mask = None if observed.all() else torch.from_numpy(observed)
        timestamps = frame.index.to_numpy()
        return cls(values.unsqueeze(-1), timestamps, mask, list(frame.columns), (channel,))

    def to_frame(self, channel: int = 0, filled: bool = False) -> pandas.DataFrame:
        r"""One channel as a table with a row per moment and a column per node.

        Args:
            channel (int, optional): Index of the channel. (default: :obj:`0`)
            filled (bool, optional): Show the readings that were filled in too.
                (default: :obj:`False`)

        Returns:
            pandas.DataFrame: The readings; NaN where nothing was observed.
        """
        import pandas as pd

        values = self.values[..., channel]
        if self.mask is not None:
            shown = self.mask | self.filled if filled and self.filled is not None else self.mask
            values = values.masked_fill(~shown, float("nan"))
        return pd.DataFrame(values.T.numpy(), index=self.timestamps, columns=self.node_id)

    def _check_filled(self) -> None:
        r"""Refuse readings that are said to be both observed and filled in."""
        assert self.filled is not None
        both = self.filled if self.mask is None else self.filled & self.mask
        if both.any():
            node, step = (int(index) for index in both.nonzero()[0])
            raise ValueError(
                f"`filled` must be False where `mask` says that a reading was observed, got True "
                f"at node {self.node_id[node]!r}, {self.timestamps[step]} (and "
                f"{int(both.sum()) - 1} more)"
            )

    def _check_observed(self) -> None:
        r"""Refuse observed NaN or infinity and store unobserved, unfilled readings as zero."""
        clear = False
        for start in range(0, self.num_nodes, NODES_PER_CHECK):
            nodes = slice(start, start + NODES_PER_CHECK)
            values, stored = self.values[nodes], _stored(self, nodes)
            bad = ~values.isfinite().all(dim=-1)
            if stored is not None:
                clear = clear or bool(((values != 0).any(dim=-1) & ~stored).any())
                bad &= stored
            if bad.any():
                node, step = (int(index) for index in bad.nonzero()[0])
                raise ValueError(
                    f"`values` must be finite where they are observed or filled, got "
                    f"{values[node, step].tolist()} at node {self.node_id[start + node]!r}, "
                    f"{self.timestamps[step]} (and {int(bad.sum()) - 1} more of the first "
                    f"{start + len(values)} nodes); give a `mask` that is False there"
                )
        stored = _stored(self, slice(None)) if clear else None
        if stored is not None:
            self.values = self.values.masked_fill(~stored.unsqueeze(-1), 0)


def _stored(series: Series, nodes: slice) -> Tensor | None:
    r"""Where the values of some nodes mean something; :obj:`None` if everywhere."""
    mask, filled = series.mask, series.filled
    if mask is None:
        return None
    return mask[nodes] if filled is None else mask[nodes] | filled[nodes]


def as_tensor(values: Any) -> Any:
    r"""An array as a tensor on the same memory; anything else as it is.

    Args:
        values: The array.
    """
    if not isinstance(values, np.ndarray):
        return values
    with warnings.catch_warnings():  # nothing is ever written into a read-only memory map
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(values)


def _as_values(values: Any) -> Tensor:
    values = as_tensor(values)
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"`values` must be a floating point tensor or array, got {kind}")
    if values.dim() != 3 or 0 in values.shape:
        raise ValueError(
            "`values` must have the shape [nodes, time, channels] with at least one entry each, "
            f"got {tuple(values.shape)}"
        )
    return values


def _as_timestamps(timestamps: Any, num_steps: int) -> np.ndarray:
    stamps = np.asarray(timestamps)
    if stamps.dtype.kind != "M" or stamps.shape != (num_steps,):
        raise ValueError(
            f"`timestamps` must be a datetime64 array of shape ({num_steps},), one per time step "
            f"of `values`, got {stamps.dtype} of shape {stamps.shape}"
        )
    if np.isnat(stamps).any():
        raise ValueError(
            f"`timestamps` must not hold NaT, got it at row {np.isnat(stamps).argmax()}"
        )
    later = np.diff(stamps) > np.timedelta64(0)
    if not later.all():
        row = int((~later).argmax()) + 1
        problem = "repeated" if stamps[row] == stamps[row - 1] else "earlier than the one before"
        raise ValueError(
            f"`timestamps` must be strictly increasing, got {stamps[row]} at row {row}, "
            f"which is {problem} ({stamps[row - 1]})"
        )
    seconds = stamps.astype("datetime64[s]")
    if (seconds != stamps).any():
        raise ValueError(
            f"`timestamps` must be whole seconds, got {stamps[(seconds != stamps).argmax()]}"
        )
    return seconds


def _as_node_id(node_id: Sequence[Any] | None, num_nodes: int) -> list[str]:
    if node_id is None or len(node_id) == 0:
        node_id = range(num_nodes)
    if isinstance(node_id, Tensor):
        node_id = node_id.tolist()  # "7", not "tensor(7)"
    names = [str(name) for name in node_id]
    if len(names) != num_nodes:
        raise ValueError(f"`node_id` must hold {num_nodes} ids, one per node, got {len(names)}")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"`node_id` must not repeat an id, got {_listed(repeated)} repeatedly")
    return names


def _as_mask(mask: Any, num_nodes: int, num_steps: int, name: str = "mask") -> Tensor:
    mask = as_tensor(mask)
    if not isinstance(mask, Tensor):
        raise ValueError(f"`{name}` must be a bool tensor, got {type(mask).__name__}")
    if mask.dtype != torch.bool or mask.shape != (num_nodes, num_steps):
        raise ValueError(
            f"`{name}` must be a bool tensor of shape [nodes, time] = ({num_nodes}, {num_steps}), "
            f"got {mask.dtype} of shape {tuple(mask.shape)}"
        )
    return mask


def _listed(names: Sequence[str], limit: int = 5) -> str:
    r"""The first few names and how many more there are."""
    if not names:
        return "none"
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more
