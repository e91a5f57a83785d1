"""Layers of other packages in the place of ours, where they can be imported.

The layers stand in the dense formulation (:mod:`benchmarks.dense_traffic`), whose graph
convolutions see ``(B, T, N, C)``: the layout that PyG's and tsl's layers take as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import ChebConv

from benchmarks.dense_traffic import HEAD, DenseTrafficSTGCN
from benchmarks.sensor_graph import SensorGraph

LOOP = "PyG ChebConv, a loop over batch and time"
BATCHED = "PyG ChebConv on [B, T, N, C]"
STCONV, STCONV_WIDE = "PyG Temporal STConv, hidden 16", "PyG Temporal STConv, hidden 64"
DIFFCONV = "tsl DiffConv on [B, T, N, C]"
PACKAGES = ("torch-geometric-temporal", "torch-spatiotemporal")
_STGCN = "torch_geometric_temporal.nn.attention.stgcn"
SOURCES = {STCONV: _STGCN, STCONV_WIDE: _STGCN, DIFFCONV: "tsl.nn.layers"}


class NotImportable(ImportError):
    """Says what could not be imported, and why."""


def imported(peer: str, name: str) -> Any:
    """Return a name of the package of a peer."""
    module = SOURCES[peer]
    try:
        return getattr(import_module(module), name)
    except Exception as error:  # whatever a package that was built for other versions raises
        raise NotImportable(f"{module}: {type(error).__name__}: {error}") from error


def peer_versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def gathered(
    builders: dict[str, Callable[[], nn.Module]],
) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Build what can be built; return the models, and the reason for each of the others."""
    models, absent = {}, {}
    for name, build in builders.items():
        try:
            models[name] = build()
        except NotImportable as error:
            absent[name] = str(error)
    return models, absent


class OnGraph(nn.Module):
    """A layer of another package in the place of a dense graph convolution."""

    edge_index: Tensor

    def __init__(self, conv: nn.Module, edge_index: Tensor, loop: bool = False, **given: Any):
        super().__init__()
        self.conv, self.loop, self.given = conv, loop, given
        self.register_buffer("edge_index", edge_index)

    def forward(self, x: Tensor, matrix: Tensor) -> Tensor:
        """Convolve ``(B, T, N, C)``; the dense matrix is not used."""
        if not self.loop:
            return self.conv(x, self.edge_index, **self.given)
        steps = [self.conv(one, self.edge_index, **self.given) for one in x.flatten(0, 1)]
        return torch.stack(steps).unflatten(0, x.shape[:2])


def pyg_cheb(weight: Tensor, bias: Tensor) -> ChebConv:
    """Return PyG's layer with the weights ``[K, C_in, C_out]`` of a dense one."""
    conv = ChebConv(weight.size(1), weight.size(2), weight.size(0)).to(weight)
    with torch.no_grad():
        for linear, matrix in zip(conv.lins, weight, strict=True):
            linear.weight.copy_(matrix.t())
        conv.bias.copy_(bias)
    return conv


def diffusion(width_in: int, width: int, K: int) -> nn.Module:
    """Return tsl's layer of as many terms, those of one direction."""
    return imported(DIFFCONV, "DiffConv")(width_in, width, K - 1, add_backward=False)


class STConvStack(nn.Module):
    """Two STConv blocks and an output block of the same parts.

    A block of PyG Temporal has one hidden width, where the plan 64-16-64 has two: it is built with
    the one, which is cheaper, and with the other.
    """

    edge_index: Tensor

    def __init__(self, graph: SensorGraph, hidden: int, outputs: int, K: int, dropout: float):
        super().__init__()
        block = imported(STCONV, "STConv")
        self.register_buffer("edge_index", graph.edge_index)
        self.blocks = nn.ModuleList(
            block(graph.num_nodes, width_in, hidden, 64, 3, K) for width_in in (1, 64)
        )
        self.temporal = imported(STCONV, "TemporalConv")(64, HEAD, 4)
        self.head = nn.Sequential(
            nn.Linear(HEAD, HEAD), nn.ReLU(), nn.Dropout(dropout), nn.Linear(HEAD, outputs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, C, T, N)`` to ``(B, outputs, 1, N)``."""
        hidden = x.permute(0, 2, 3, 1)
        for block in self.blocks:
            hidden = block(hidden, self.edge_index)
        return self.head(self.temporal(hidden)).permute(0, 3, 1, 2)


def traffic_peers(
    dense: DenseTrafficSTGCN, graph: SensorGraph
) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Return the models of the other packages, and what could not be imported."""
    K, width = dense.blocks[0].conv.weight.shape[:2]
    edges, options = graph.edge_index, (dense.out.out_features, K, dense.dropout.p)

    def cheb(loop: bool) -> nn.Module:
        return _replaced(dense, lambda c: OnGraph(pyg_cheb(c.weight, c.bias), edges, loop))

    def diff() -> nn.Module:
        cached = {"cache_support": True}
        return _replaced(dense, lambda c: OnGraph(diffusion(width, width, K), edges, **cached))

    builders = {
        BATCHED: lambda: cheb(loop=False),
        DIFFCONV: diff,
        LOOP: lambda: cheb(loop=True),
        STCONV: lambda: STConvStack(graph, 16, *options),
        STCONV_WIDE: lambda: STConvStack(graph, 64, *options),
    }
    return gathered(builders)


def _replaced(dense: DenseTrafficSTGCN, conv: Callable[[Any], nn.Module]) -> DenseTrafficSTGCN:
    # The dense model with other graph convolutions, and without its matrix.
    nodes = dense.matrix.size(0)
    model = deepcopy(dense, {id(dense.matrix): dense.matrix.new_empty(nodes, 0)})
    for block in model.blocks:
        block.conv = conv(block.conv)
    return model
