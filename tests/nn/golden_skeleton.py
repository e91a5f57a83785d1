"""Reads the outputs of the published ST-GCN into the layouts used here."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tgst.nn import PartitionConv, SkeletonBlock
from tgst.nn.models import SkeletonSTGCN

FOLDER = Path(__file__).parents[1] / "golden" / "skeleton"


class Golden:
    """One golden file: arrays as tensors, (N, C, T, V) clips as [V, N, T, C]."""

    def __init__(self, name):
        path = FOLDER / f"{name}.npz"
        if not path.is_file():
            folder = os.environ.get("TGST_GOLDEN")
            if folder is None:
                pytest.skip(f"TGST_GOLDEN is not set: it names the folder of {name}.npz")
            path = Path(folder) / "skeleton" / f"{name}.npz"
        self.arrays = np.load(path, allow_pickle=False)

    def __getitem__(self, key):
        return torch.from_numpy(self.arrays[key])

    def __contains__(self, key):
        return key in self.arrays.files

    def clips(self, key):
        return self[key].permute(3, 0, 2, 1)

    def graph(self):
        """Edges (label, source, target) of the published matrices and their weights."""
        return graph_of(self["A"].double())


def graph_of(matrices):
    label, source, target = matrices.nonzero(as_tuple=True)
    return torch.stack([source, target]), label, matrices[label, source, target]


def on_edges(matrices, edge_index, edge_type):
    return matrices[edge_type, edge_index[0], edge_index[1]]


def assert_same(actual, expected, tolerance=1e-9):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def pairs(block, prefix=""):
    """(our tensor's name, published key, view of the published array as ours) of a block."""
    names = [
        ("conv.weight", "gcn.conv.weight", as_conv_weight(block.conv)),
        ("conv.bias", "gcn.conv.bias", lambda a: a.view(block.conv.num_partitions, -1)),
        ("temporal.weight", "tcn.2.weight", lambda a: a.squeeze(-1)),
        ("temporal.bias", "tcn.2.bias", lambda a: a),
        *norm_pairs("norm1", "tcn.0"),
        *norm_pairs("norm2", "tcn.3"),
    ]
    if block.residual_conv is not None:
        names += [
            ("residual_conv.weight", "residual.0.weight", lambda a: a.squeeze(-1)),
            ("residual_conv.bias", "residual.0.bias", lambda a: a),
            *norm_pairs("residual_norm", "residual.1"),
        ]
    return [(ours, prefix + theirs, view) for ours, theirs, view in names]


def as_conv_weight(conv: PartitionConv):
    """(K C', C, 1, 1) as [K, C, C']."""
    return lambda a: a.view(conv.num_partitions, conv.out_channels, -1).transpose(1, 2)


def norm_pairs(ours, theirs):
    keys = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return [(f"{ours}.{key}", f"{theirs}.{key}", lambda a: a) for key in keys]


def load_block(block: SkeletonBlock, golden, prefix):
    own = block.state_dict()
    for ours, theirs, view in pairs(block, prefix):
        own[ours].copy_(view(golden[theirs]))


def load_model(model: SkeletonSTGCN, golden, edges):
    """The published state dict, its importance read on the edges."""
    own = model.state_dict()
    for key in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        own[f"data_norm.{key}"].copy_(golden[f"data_bn.{key}"])
    for i, block in enumerate(model.blocks):
        load_block(block, golden, f"st_gcn_networks.{i}.")
        block.importance.weight.data = on_edges(golden[f"edge_importance.{i}"].double(), *edges)
    own["head.weight"].copy_(golden["fcn.weight"][..., 0, 0])
    own["head.bias"].copy_(golden["fcn.bias"])
