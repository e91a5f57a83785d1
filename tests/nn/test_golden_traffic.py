"""Parity with the published STGCN code, in float64, outputs and all gradients."""

import pytest
import torch

from tests.nn import golden as g
from tgst.nn import ChebConv, PartitionConv, TemporalConv, TrafficBlock
from tgst.nn.models import TrafficSTGCN


@pytest.mark.parametrize("name", ["cheb_ks3", "cheb_ks2_nobias", "cheb_ks4_directed"])
def test_cheb_conv(name):
    golden = g.Golden(name)
    K, width_in, width_out = golden["sd.weight"].shape
    conv = ChebConv(width_in, width_out, K, bias="sd.bias" in golden).double()
    conv.weight.data = golden["sd.weight"].clone()
    if conv.bias is not None:
        conv.bias.data = golden["sd.bias"].clone()
    x = golden.series("x").requires_grad_()
    out = conv(x, *golden.graph())
    g.assert_same(out, golden.node_major("out"))
    out.backward(golden.node_major("grad_out"))
    g.assert_same(x.grad, golden.series("grad_x"))
    g.assert_same(conv.weight.grad, golden["grad.weight"])
    if conv.bias is not None:
        g.assert_same(conv.bias.grad, golden["grad.bias"])


def test_first_order_conv():
    golden = g.Golden("graphconv_first_order")
    conv = PartitionConv(*golden["sd.weight"].shape).double()
    conv.weight.data = golden["sd.weight"].unsqueeze(0).clone()
    conv.bias.data = golden["sd.bias"].clone()
    x = golden.series("x").requires_grad_()
    edge_index, edge_weight = golden.graph()
    out = conv(x, edge_index, edge_weight=edge_weight)
    g.assert_same(out, golden.node_major("out"))
    out.backward(golden.node_major("grad_out"))
    g.assert_same(x.grad, golden.series("grad_x"))
    g.assert_same(conv.weight.grad[0], golden["grad.weight"])
    g.assert_same(conv.bias.grad, golden["grad.bias"])


@pytest.mark.parametrize("name", ["tconv_glu_widen", "tconv_glu_narrow", "tconv_gtu_equal"])
def test_temporal_conv(name):
    golden = g.Golden(name)
    width, width_in, kernel_size, _ = golden["sd.causal_conv.weight"].shape
    layer = TemporalConv(
        width_in,
        width // 2,
        kernel_size,
        padding="valid",
        gate=str(golden.arrays["act"]),
        residual=True,
    ).double()
    g.load_temporal(layer, golden, "sd.")
    x = golden.series("x").requires_grad_()
    out = layer(x)
    g.assert_same(out, golden.series("out"))
    out.backward(golden.series("grad_out"))
    g.assert_same(x.grad, golden.series("grad_x"))
    g.assert_temporal_grads(layer, golden, "grad.")


@pytest.mark.parametrize("name", ["stconv_cheb_glu", "stconv_gcn_gtu"])
def test_traffic_block(name):
    golden = g.Golden(name)
    width_in, first, spatial, second = golden.arrays["channels"]
    cheb = "cheb" in name
    conv = ChebConv(spatial, spatial, 3) if cheb else PartitionConv(spatial, spatial)
    gate = str(golden.arrays["act"])
    block = TrafficBlock(
        int(width_in),
        (int(first), int(spatial), int(second)),
        conv,
        gates=(gate, gate),
        norm="node",
        num_nodes=17,
        eps=1e-12,
    ).double()
    g.load_block(block, golden, "sd.")
    x = golden.series("x").requires_grad_()
    edge_index, edge_weight = golden.graph()
    out = block(x, edge_index, edge_weight=edge_weight)
    g.assert_same(out, golden.series("out"))
    out.backward(golden.series("grad_out"))
    g.assert_same(x.grad, golden.series("grad_x"))
    g.assert_block_grads(block, golden, "grad.")


@pytest.mark.parametrize("name", ["stgcn_cheb_glu", "stgcn_gcn_glu"])
def test_pytorch_variant(name):
    golden = g.Golden(name)
    model = TrafficSTGCN(
        1,
        1,
        horizon=1,
        kernel="cheb" if "cheb" in name else "first_order",
        variant="pytorch",
        norm="node",
        num_nodes=17,
        channels=[(8, 4, 8), (8, 4, 8)],
        head_channels=16,
    ).double()
    for i, block in enumerate(model.blocks):
        g.load_block(block, golden, f"sd.st_blocks.{i}.")
    head = model.head
    g.load_temporal(head.temporal, golden, "sd.output.tmp_conv1.")
    for ours, theirs in ((head.hidden, "fc1"), (head.out, "fc2"), (head.norm, "tc1_ln")):
        ours.weight.data = golden[f"sd.output.{theirs}.weight"].clone()
        ours.bias.data = golden[f"sd.output.{theirs}.bias"].clone()
    model.eval()
    x = golden.series("x").requires_grad_()
    edge_index, edge_weight = golden.graph()
    out = model(x, edge_index, edge_weight=edge_weight)
    g.assert_same(out, golden.series("out"))
    out.backward(golden.series("grad_out"))
    g.assert_same(x.grad, golden.series("grad_x"))
    for i, block in enumerate(model.blocks):
        g.assert_block_grads(block, golden, f"grad.st_blocks.{i}.")
    g.assert_temporal_grads(head.temporal, golden, "grad.output.tmp_conv1.")
    for ours, theirs in ((head.hidden, "fc1"), (head.out, "fc2"), (head.norm, "tc1_ln")):
        g.assert_same(ours.weight.grad, golden[f"grad.output.{theirs}.weight"])
        g.assert_same(ours.bias.grad, golden[f"grad.output.{theirs}.bias"])


def test_parameter_counts():
    """The authors' code: 333,604 at 228 stations, 845,122 at 1,026 (one-step output)."""
    for num_nodes, count in ((228, 333_604), (1_026, 845_122)):
        model = TrafficSTGCN(1, 1, horizon=1, variant="authors", norm="node", num_nodes=num_nodes)
        assert sum(p.numel() for p in model.parameters()) == count
    # The re-implementation has 255,361, of which 14,784 belong to alignments that are never used.
    model = TrafficSTGCN(1, 1, horizon=1, variant="pytorch", norm="node", num_nodes=228)
    assert sum(p.numel() for p in model.parameters()) == 255_361 - 14_784
    norms = sum(p.numel() for n, p in model.named_parameters() if "norm" in n)
    assert norms == 116_736


def test_widths_of_variants():
    torch.manual_seed(0)
    widths = {
        v: [
            (b.temporal1.out_channels, b.spatial_channels, b.temporal2.out_channels)
            for b in TrafficSTGCN(1, 1, variant=v).blocks
        ]
        for v in ("paper", "authors", "pytorch")
    }
    assert widths["paper"] == widths["pytorch"] == [(64, 16, 64)] * 2
    assert widths["authors"] == [(32, 32, 64), (32, 32, 128)]
