import pytest
import torch
from torch_geometric.nn import GATConv, GCNConv

from tests.nn import dense
from tests.nn import skeletons as s
from tests.nn.golden_skeleton import assert_same
from tgst.nn import ChebConv, PartitionConv, PerStep, SkeletonBlock
from tgst.ops import Adjacency
from tgst.testing import Graph


def block(**options):
    torch.manual_seed(0)
    given = {"in_channels": 3, "out_channels": 4, "num_partitions": 3, "kernel_size": 3, **options}
    layer = SkeletonBlock(**given).double().eval()
    for name, tensor in layer.state_dict().items():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5) if "running_var" in name else tensor.uniform_(-0.7, 0.7)
    return layer


def graph(joints=7):
    edge_index, edge_type, edge_weight = s.tree(joints)
    return Graph(edge_index, edge_type, edge_weight, torch.arange(edge_type.numel()), joints)


def call(layer, x, edges, **options):
    return layer(x, edges.edge_index, edges.edge_type, edges.edge_weight, edges.e_id, **options)


FORMS = [
    ({}, "conv"),
    ({"in_channels": 4}, "identity"),
    ({"in_channels": 4, "stride": 2}, "conv"),
    ({"in_channels": 4, "residual": "conv"}, "conv"),
    ({"residual": None}, None),
    ({"in_channels": 4, "residual": "identity", "num_edges": 19, "causal": True}, "identity"),
    ({"kernel_size": 4, "stride": 3}, "conv"),
]


@pytest.mark.parametrize(("options", "form"), FORMS)
def test_residual_forms(options, form):
    layer = block(**options)
    assert layer.residual == form
    assert (layer.residual_conv is None) == (layer.residual_norm is None) == (form != "conv")
    x = torch.randn(7, 2, 8, layer.in_channels, dtype=torch.float64)
    out = call(layer, x, graph())
    assert out.shape == (7, 2, -(-8 // layer.stride), 4)
    assert_same(out, dense.skeleton_block(layer, x, graph()))


def test_the_input_is_left_alone():
    x = torch.randn(7, 8, 4, dtype=torch.float64)
    before = x.clone()
    for training in (True, False):
        call(block(in_channels=4).train(training), x, graph())
        assert_same(x, before, 0.0)


def test_absent_frames_end_the_series():
    """In evaluation, a padded series equals the series alone; what the padding holds is nothing."""
    layer = block(in_channels=4)
    x = torch.randn(7, 2, 9, 4, dtype=torch.float64)
    present = torch.ones(1, 2, 9, dtype=torch.bool)
    present[:, 1, 6:] = False
    x[:, 1, 6:] = 0
    out = call(layer, x, graph(), present=present)
    assert_same(out[:, 0], call(layer, x[:, 0], graph()))
    assert_same(out[:, 1, :6], call(layer, x[:, 1, :6], graph()))
    assert (out[:, 1, 6:] == 0).all()
    # Without it, the bias of the graph convolution is read behind the end.
    assert (call(layer, x, graph())[:, 1, :6] - out[:, 1, :6]).abs().max() > 1e-3
    strided = block(stride=2)
    x = torch.randn(7, 9, 3, dtype=torch.float64)
    out = call(strided, x, graph(), present=torch.arange(9).expand(1, 9) < 5)
    assert_same(out[:, :3], call(strided, x[:, :5], graph()))
    assert (out[:, 3:] == 0).all()


def test_absent_frames_are_not_in_the_statistics():
    one, two = block(stride=2).train(), block(stride=2).train()
    x = torch.randn(7, 9, 3, dtype=torch.float64)
    present = torch.arange(9).expand(1, 9) < 5
    out, expected = call(one, x, graph(), present=present), call(two, x[:, :5], graph())
    assert_same(out[:, :3], expected)
    for own, other in zip(one.buffers(), two.buffers(), strict=True):
        assert_same(own, other)


def test_no_gradient_from_absent_frames():
    layer, x = block(), torch.randn(7, 9, 3, dtype=torch.float64, requires_grad=True)
    present = torch.arange(9).expand(1, 9) < 5
    call(layer, x, graph(), present=present).sum().backward()
    assert (x.grad[:, 5:] == 0).all()
    assert (x.grad[:, :5] != 0).any()


def test_dropout():
    layer = block(dropout=0.4, residual=None).train()
    x = torch.randn(7, 300, 3, dtype=torch.float64)
    torch.manual_seed(0)
    out = call(layer, x, graph())
    layer.dropout = 0.0
    full = call(layer, x, graph())
    kept = out != 0
    assert_same(out[kept], full[kept] / 0.6)
    assert_same((kept & (full != 0)).sum() / (full != 0).sum(), torch.tensor(0.6), 0.05)
    layer.dropout = 0.4
    assert_same(call(layer.eval(), x, graph()), dense.skeleton_block(layer, x, graph()))


def test_importance_scales_edges():
    layer, edges = block(num_edges=19), graph()
    layer.importance.weight.data.uniform_(0.5, 2)
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    plain = block()
    plain.load_state_dict({k: v for k, v in layer.state_dict().items() if "importance" not in k})
    scaled = edges._replace(edge_weight=edges.edge_weight * layer.importance.weight.detach())
    assert_same(call(layer, x, edges), call(plain, x, scaled))
    # Without weights the importance is the weight, and an Adjacency is an edge_index.
    adjacency = Adjacency.build(edges.edge_index, edges.edge_type, 7, 3)
    ones = edges._replace(edge_weight=torch.ones(19).double())
    assert_same(layer(x, adjacency), call(layer, x, ones))


@pytest.mark.parametrize(
    ("conv", "arguments"),
    [
        (lambda: PerStep(GCNConv(3, 4)), ("edge_weight",)),
        (lambda: PerStep(GATConv(3, 4)), ()),
        (lambda: ChebConv(3, 4, K=2), ("edge_weight",)),
        (lambda: PartitionConv(3, 4, 3), ("edge_type", "edge_weight")),
    ],
)
def test_any_convolution(conv, arguments):
    layer = block(conv=conv())
    assert layer.edge_arguments == arguments
    edges, x = graph(), torch.randn(7, 5, 3, dtype=torch.float64)
    given = {"edge_type": edges.edge_type, "edge_weight": edges.edge_weight}
    inner = layer.conv(x, edges.edge_index, **{name: given[name] for name in arguments})
    hidden = dense.batch_norm(layer.norm1, inner).relu()
    hidden = dense.batch_norm(layer.norm2, dense.temporal_conv(layer.temporal, hidden))
    residual = dense.temporal_conv(layer.residual_conv, x)
    expected = (hidden + dense.batch_norm(layer.residual_norm, residual)).relu()
    assert_same(call(layer, x, edges), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"residual": "identity"}, "residual: 'identity' expects equal channels and stride=1"),
        ({"residual": "sum"}, "residual: expected 'auto', 'identity', 'conv' or None, got 'sum'"),
        ({"dropout": -0.1}, r"dropout: expected a probability in \[0, 1\), got -0.1"),
        ({"conv": GCNConv(3, 4)}, "conv: expected a layer for .*PerStep"),
        ({"conv": PerStep(GATConv(3, 4)), "num_edges": 3}, "num_edges: .*takes edge_weight"),
        ({"kernel_size": 0}, "kernel_size, stride, dilation: expected at least 1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        block(**options)


def test_bad_present():
    x = torch.randn(7, 9, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"present: expected .*\[7 or 1, 9\].*got .*\[1, 8\]"):
        call(block(), x, graph(), present=torch.ones(1, 8, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"present: .*torch.bool.*got torch.float32"):
        call(block(), x, graph(), present=torch.ones(1, 9))
