r"""Fields that a wind carries over a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from tgst.data import Series
from tgst.datasets.advection_diffusion import AdvectionDiffusion
from tgst.ops.adjacency import check_count
from tgst.utils import grid_graph, nodes_to_grid

DAY = 24 * 3600  # seconds
BLOB = (1.5, 3.0)  # widths of the first clouds, in cells
SOURCE = 1.0  # width of a source, in cells


class MovingFields(InMemoryDataset):
    r"""Synthetic moving fields, such as clouds of smoke in a wind: advection and diffusion on a
    grid, for short forecasts of video-like frames.

    .. math::
        \frac{\partial u}{\partial t} = - \nabla \cdot (\mathbf{v} u) + D \, \nabla^2 u
        + \sum_{k} q_k(t) \, g_k - \lambda u

    in cells and steps, solved by :class:`~tgst.datasets.AdvectionDiffusion`. The velocity
    :math:`\mathbf{v}` is the wind, everywhere the same, plus a swirl without divergence. Source
    :math:`k` is a Gaussian :math:`g_k` of one cell's width whose rate :math:`q_k` goes up and down
    once a day, at its own hour and on every day to another height. The first field is a number of
    Gaussian clouds. Channels are several substances in the same wind, with clouds and sources of
    their own.

    :obj:`dataset[0]` is the graph of :func:`tgst.utils.grid_graph`, and :obj:`dataset.series` holds
    the field at each cell, nodes in row-major order. :obj:`dataset.frames` is a view of it as
    images, :math:`(T, C, H, W)`; :obj:`dataset.height`, :obj:`dataset.width` and
    :obj:`dataset.slots_per_day` are plain numbers. There are no :obj:`dataset.holidays` and no
    :obj:`dataset.meteorology`. Nothing is written.

    Convention: velocities are (rows, columns) per step; rows grow downwards, so that
    :obj:`wind=(0.5, 0.0)` carries the field down in the image.

    Args:
        height (int, optional): Number of rows :math:`H`. (default: :obj:`32`)
        width (int, optional): Number of columns :math:`W`. (default: :obj:`32`)
        num_steps (int, optional): Number of frames :math:`T`. (default: :obj:`960`)
        seed (int, optional): Seed of everything that is random: clouds, sources and noise have a
            random stream each. (default: :obj:`0`)
        num_channels (int, optional): Number of substances :math:`C`. (default: :obj:`1`)
        wind (sequence of float, optional): The wind, rows and columns per step.
            (default: :obj:`(0.4, 0.7)`)
        swirl (float, optional): Largest speed of the swirl in cells per step, 0 for none; in a
            periodic grid four eddies, else one. (default: :obj:`0.0`)
        diffusion (float, optional): :math:`D`, in cells squared per step. (default: :obj:`0.05`)
        decay (float, optional): :math:`\lambda`, the share that is lost in a step.
            (default: :obj:`0.03`)
        sources (int, optional): Number of sources of each substance. (default: :obj:`4`)
        clouds (int, optional): Number of clouds in the first field. (default: :obj:`6`)
        periodic (bool, optional): Whether opposite borders are neighbours, in the field and in the
            graph. Without, what the wind carries over the border is lost, and nothing comes in.
            (default: :obj:`True`)
        noise (float, optional): Standard deviation of the error of a reading.
            (default: :obj:`0.0`)
        start (str, optional): First timestamp. (default: :obj:`"2024-01-01"`)
        interval (int, optional): Seconds of a step, a divisor of a day. (default: :obj:`3600`)
        connectivity (int, optional): As of :func:`tgst.utils.grid_graph`. (default: :obj:`8`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)

    Shapes:
        - **series.values:** :math:`(H W, T, C)`, float32
        - **frames:** :math:`(T, C, H, W)`

    Raises:
        TypeError: If a count is no integer.
        ValueError: If an argument is out of range.
    """

    series: Series
    holidays: None = None
    meteorology: None = None

    def __init__(
        self,
        height: int = 32,
        width: int = 32,
        num_steps: int = 960,
        seed: int = 0,
        *,
        num_channels: int = 1,
        wind: Sequence[float] = (0.4, 0.7),
        swirl: float = 0.0,
        diffusion: float = 0.05,
        decay: float = 0.03,
        sources: int = 4,
        clouds: int = 6,
        periodic: bool = True,
        noise: float = 0.0,
        start: str = "2024-01-01",
        interval: int = 3600,
        connectivity: int = 8,
        transform: Callable | None = None,
    ) -> None:
        super().__init__(None, transform)
        self.height = check_count("height", height, at_least=3)
        self.width = check_count("width", width, at_least=3)
        num_steps = check_count("num_steps", num_steps, at_least=1)
        num_channels = check_count("num_channels", num_channels, at_least=1)
        sources, clouds = check_count("sources", sources), check_count("clouds", clouds)
        streams = np.random.SeedSequence(check_count("seed", seed)).spawn(3)
        of_clouds, of_sources, of_noise = (np.random.default_rng(stream) for stream in streams)
        _check_number("noise", noise)
        timestamps = _timestamps(start, interval, num_steps)
        self.slots_per_day = DAY // interval
        model = AdvectionDiffusion(
            height, width, wind, swirl=swirl, diffusion=diffusion, decay=decay, periodic=periodic
        )
        field = _clouds(num_channels, clouds, model, of_clouds)
        rate, place = _sources(num_channels, sources, timestamps, model, of_sources)
        frames = model.run(field, num_steps, rate, place)
        frames += noise * of_noise.standard_normal(frames.shape)

        graph = grid_graph(height, width, connectivity, wrap=periodic)
        names = () if num_channels == 1 else [f"field_{c}" for c in range(num_channels)]
        values = torch.from_numpy(frames).float().permute(2, 3, 0, 1).flatten(0, 1)
        self.series = Series(
            values, timestamps, node_id=graph.node_id, channels=tuple(names) or ("field",)
        )
        self.data, self.slices = self.collate([graph])

    @property
    def frames(self) -> Tensor:
        r"""The fields as images :math:`(T, C, H, W)`, a view of :obj:`series.values`."""
        return nodes_to_grid(self.series.values, self.height, self.width)


def _check_number(name: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise ValueError(f"{name}: expected a number >= 0, got {value}")


def _timestamps(start: str, interval: int, num_steps: int) -> np.ndarray:
    interval = check_count("interval", interval, at_least=1)
    if DAY % interval:
        raise ValueError(f"interval: expected a divisor of {DAY} seconds, a day, got {interval}")
    try:
        first = np.datetime64(start, "s")
    except ValueError as error:
        raise ValueError(f"start: expected a date and time (ISO 8601), got {start!r}") from error
    if np.isnat(first):
        raise ValueError(f"start: expected a date and time (ISO 8601), got {start!r}")
    return first + np.arange(num_steps) * np.timedelta64(interval, "s")


def _clouds(
    num_channels: int, count: int, model: AdvectionDiffusion, rng: np.random.Generator
) -> np.ndarray:
    """Gaussians of random height, width and place [C, H, W]."""
    shape = (num_channels, count)
    place = rng.uniform(0.0, 1.0, (*shape, 2)) * (model.height, model.width)
    width, height = rng.uniform(*BLOB, shape), rng.uniform(0.5, 1.5, shape)
    return (height[..., None, None] * model.gaussian(place, width)).sum(axis=1)


def _sources(
    num_channels: int,
    count: int,
    timestamps: np.ndarray,
    model: AdvectionDiffusion,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Rates [T, C, K] and Gaussians of fixed places [C, K, H, W]."""
    shape = (num_channels, count)
    place = rng.uniform(0.0, 1.0, (*shape, 2)) * (model.height, model.width)
    strength, hour = rng.uniform(0.1, 0.3, shape), rng.uniform(0.0, 1.0, shape)
    time = (timestamps - timestamps[0].astype("datetime64[D]")) / np.timedelta64(DAY, "s")
    phase = time[:, None, None] - hour  # days since a minimum of the source
    day = np.floor(phase).astype(np.int64) + 1
    level = rng.lognormal(0.0, 0.5, (day.max(initial=0) + 1, *shape))
    level = np.take_along_axis(level, day, axis=0)
    rate = strength * level * (1.0 - np.cos(2 * np.pi * phase))
    return rate, model.gaussian(place, np.full(shape, SOURCE))
