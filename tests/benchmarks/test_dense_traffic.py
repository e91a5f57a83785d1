from __future__ import annotations

import pytest
import torch

from benchmarks.dense_traffic import (
    DenseTemporal,
    DenseTrafficSTGCN,
    copy_to_dense,
    gradient_difference,
    series,
    sparse_model,
)
from tests.nn import golden as g
from tgst.nn import TemporalConv

BLOCK = {  # ours: published, in a block
    "temporal1.conv": "tmp_conv1.causal_conv",
    "align": "graph_conv.align.align_conv",
    "temporal2.conv": "tmp_conv2.causal_conv",
    "norm": "tc2_ln",
}
HEAD = {
    "temporal.conv": "output.tmp_conv1.causal_conv",
    "norm": "output.tc1_ln",
    "hidden": "output.fc1",
    "out": "output.fc2",
}


def published_names(kernel):
    names = dict(HEAD)
    for i in range(2):
        names |= {f"blocks.{i}.{ours}": f"st_blocks.{i}.{name}" for ours, name in BLOCK.items()}
        names[f"blocks.{i}.conv"] = f"st_blocks.{i}.graph_conv.{kernel}"
    return {
        f"{ours}.{part}": f"{name}.{part}"
        for ours, name in names.items()
        for part in ("weight", "bias")
    }


def tiny(name="stgcn_cheb_glu"):
    golden = g.Golden(name)
    cheb = "cheb" in name
    model = DenseTrafficSTGCN(
        golden["gso"], K=3 if cheb else None, channels=[(8, 4, 8), (8, 4, 8)], head=16
    ).double()
    names = published_names("cheb_graph_conv" if cheb else "graph_conv")
    state = {ours: golden[f"sd.{published}"] for ours, published in names.items()}
    model.load_state_dict(state | {"matrix": golden["gso"]})
    return golden, model, names


@pytest.mark.parametrize("name", ["stgcn_cheb_glu", "stgcn_gcn_glu"])
def test_equals_the_published_code(name):
    golden, model, names = tiny(name)
    x = golden["x"].requires_grad_()
    out = model(x)
    g.assert_same(out, golden["out"])
    out.backward(golden["grad_out"])
    g.assert_same(x.grad, golden["grad_x"])
    for ours, parameter in model.named_parameters():
        g.assert_same(parameter.grad, golden[f"grad.{names[ours]}"])


@pytest.mark.parametrize("name", ["stgcn_cheb_glu", "stgcn_gcn_glu"])
def test_equals_our_model(name):
    golden, dense, _ = tiny(name)
    sparse = sparse_model(dense, 1, 1)
    out = sparse(series(golden["x"]), *keywords(golden))
    g.assert_same(out, golden.series("out"))
    out.backward(golden.series("grad_out"))
    dense(golden["x"]).backward(golden["grad_out"])
    assert 0 <= gradient_difference(dense, sparse) < 1e-9
    sparse.blocks[0].conv.weight.grad[0, 0, 0] += 1.0
    assert gradient_difference(dense, sparse) > 1e-6


def keywords(golden):
    edge_index, edge_weight = golden.graph()
    return edge_index, None, edge_weight


def test_weights_travel_both_ways():
    golden, dense, _ = tiny()
    sparse = sparse_model(dense, 1, 1)
    torch.manual_seed(0)
    sparse.reset_parameters()
    x = series(golden["x"])
    with torch.no_grad():
        ours = sparse(x, *keywords(golden))
        assert not torch.allclose(series(dense(golden["x"])), ours)
        copy_to_dense(sparse, dense)
        g.assert_same(series(dense(golden["x"])), ours)


def test_several_channels_and_steps():
    golden, _, _ = tiny()
    torch.manual_seed(0)
    dense = DenseTrafficSTGCN(golden["gso"], 2, 24, channels=[(8, 12, 6), (8, 4, 8)], head=16)
    sparse = sparse_model(dense.double(), 2, 12)
    x = torch.randn(3, 2, 12, 17, dtype=torch.float64)
    ours = sparse(series(x), *keywords(golden))
    assert ours.shape == (17, 3, 12, 2)
    g.assert_same(ours.flatten(2), dense(x).squeeze(2).permute(2, 0, 1))


def test_narrowing_temporal_convolution():
    torch.manual_seed(0)
    dense = DenseTemporal(6, 4, 3).double()
    ours = TemporalConv(6, 4, 3, padding="valid", gate="glu", residual=True).double()
    ours.weight.data = dense.conv.weight.data.squeeze(-1)
    ours.bias.data, ours.align.data = dense.conv.bias.data, dense.align.weight.data[..., 0, 0]
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64)
    g.assert_same(series(dense(x)), ours(series(x)))


def test_dropout_is_for_training():
    golden, _, _ = tiny()
    torch.manual_seed(0)
    model = DenseTrafficSTGCN(golden["gso"], dropout=0.5).double()
    assert sparse_model(model, 1, 1).head.dropout == 0.5
    with torch.no_grad():
        assert not torch.equal(model(golden["x"]), model(golden["x"]))
        assert torch.equal(model.eval()(golden["x"]), model(golden["x"]))
