"""Reads the outputs of the published STGCN implementation into the layouts used here."""

from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parents[1] / "golden" / "traffic"


class Golden:
    """One golden file: arrays as float64 tensors, (B, C, T, N) series as [N, B, T, C]."""

    def __init__(self, name):
        self.arrays = np.load(FOLDER / f"{name}.npz", allow_pickle=False)

    def __getitem__(self, key):
        return torch.from_numpy(self.arrays[key])

    def __contains__(self, key):
        return key in self.arrays.files

    def series(self, key):
        return self[key].permute(3, 0, 2, 1)

    def node_major(self, key):
        """(B, T, N, C), which the published graph convolutions return, as [N, B, T, C]."""
        return self[key].permute(2, 0, 1, 3)

    def graph(self):
        """Edges j -> i with weight gso[i, j]."""
        gso = self["gso"]
        target, source = gso.nonzero(as_tuple=True)
        return torch.stack([source, target]), gso[target, source]


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


# -- parameters -----------------------------------------------------------------------------
# Published key -> ours. The alignment bias of a temporal convolution is redundant there (it only
# shifts the value half), so it is added to our bias; its gradient must equal that half's.


def load_temporal(layer, golden, prefix):
    layer.weight.data = golden[f"{prefix}causal_conv.weight"].squeeze(-1).clone()
    layer.bias.data = golden[f"{prefix}causal_conv.bias"].clone()
    if layer.align is not None:
        layer.align.data = golden[f"{prefix}align.align_conv.weight"][..., 0, 0].clone()
        layer.bias.data[: layer.out_channels] += golden[f"{prefix}align.align_conv.bias"]


def assert_temporal_grads(layer, golden, prefix):
    assert_same(layer.weight.grad, golden[f"{prefix}causal_conv.weight"].squeeze(-1))
    assert_same(layer.bias.grad, golden[f"{prefix}causal_conv.bias"])
    if layer.align is not None:
        assert_same(layer.align.grad, golden[f"{prefix}align.align_conv.weight"][..., 0, 0])
        value_half = layer.bias.grad[: layer.out_channels]
        assert_same(value_half, golden[f"{prefix}align.align_conv.bias"])


def graph_conv_name(golden, prefix):
    return next(
        name for name in ("cheb_graph_conv", "graph_conv") if f"{prefix}{name}.weight" in golden
    )


def load_block(block, golden, prefix):
    load_temporal(block.temporal1, golden, f"{prefix}tmp_conv1.")
    load_temporal(block.temporal2, golden, f"{prefix}tmp_conv2.")
    graph = f"{prefix}graph_conv."
    conv = graph_conv_name(golden, graph)
    block.align.weight.data = golden[f"{graph}align.align_conv.weight"][..., 0, 0].clone()
    block.align.bias.data = golden[f"{graph}align.align_conv.bias"].clone()
    block.conv.weight.data = golden[f"{graph}{conv}.weight"].view_as(block.conv.weight).clone()
    block.conv.bias.data = golden[f"{graph}{conv}.bias"].clone()
    block.norm.weight.data = golden[f"{prefix}tc2_ln.weight"].clone()
    block.norm.bias.data = golden[f"{prefix}tc2_ln.bias"].clone()


def assert_block_grads(block, golden, prefix):
    assert_temporal_grads(block.temporal1, golden, f"{prefix}tmp_conv1.")
    assert_temporal_grads(block.temporal2, golden, f"{prefix}tmp_conv2.")
    graph = f"{prefix}graph_conv."
    conv = graph_conv_name(golden, graph)
    assert_same(block.align.weight.grad, golden[f"{graph}align.align_conv.weight"][..., 0, 0])
    assert_same(block.align.bias.grad, golden[f"{graph}align.align_conv.bias"])
    weight = golden[f"{graph}{conv}.weight"]
    assert_same(block.conv.weight.grad.view_as(weight), weight)
    assert_same(block.conv.bias.grad, golden[f"{graph}{conv}.bias"])
    assert_same(block.norm.weight.grad, golden[f"{prefix}tc2_ln.weight"])
    assert_same(block.norm.bias.grad, golden[f"{prefix}tc2_ln.bias"])
