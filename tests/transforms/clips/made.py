"""Clips for the tests of their transforms."""

from __future__ import annotations

import torch
from torch_geometric.data import Data

from tgst.utils import Skeleton, repeat_graph

JOINTS = 20


def make_clip(
    persons: int = 2,
    frames: int = 12,
    missing: float = 0.2,
    channels: int = 3,
    skeleton: str = "kinect-20",
    dtype: torch.dtype = torch.float32,
    batch: tuple[int, ...] = (),
    seed: int = 0,
) -> Data:
    """A clip as the datasets give it: zeros and a False mask where nothing was observed."""
    generator = torch.Generator().manual_seed(seed)
    graph = Skeleton.named(skeleton).data()
    graph.edge_weight = torch.rand(graph.num_edges, generator=generator)
    graph.edge_type = torch.arange(graph.num_edges) % 3
    data = repeat_graph(graph, persons)
    shape = (data.num_nodes, *batch, frames)
    data.mask = torch.rand(shape, generator=generator) >= missing
    x = torch.randn(*shape, channels, generator=generator, dtype=dtype) + 2
    data.x = torch.where(data.mask.unsqueeze(-1), x, 0.0)
    data.y = torch.tensor([3])
    data.name = "clip"
    return data


def apart(value: torch.Tensor, joints: int = JOINTS) -> torch.Tensor:
    """The persons apart: [M, V, ...]."""
    return value.unflatten(0, (-1, joints))
