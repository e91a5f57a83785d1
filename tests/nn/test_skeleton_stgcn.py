from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.nn import GATConv, GCNConv

from tests.nn import skeletons as s
from tests.nn.golden_skeleton import assert_same
from tgst.loader import PadTime
from tgst.nn import PerStep
from tgst.nn.models import SkeletonSTGCN
from tgst.ops import Adjacency


@pytest.mark.parametrize(
    ("classes", "joints", "edges", "published", "off_edges"),
    # NTU RGB+D 60 and Kinetics: the published importance has K V V numbers per block, ours one
    # per edge.
    [(60, 25, 73, 3_098_832, 18_750 - 730), (400, 18, 52, 3_177_140, 9_720 - 520)],
)
def test_parameter_counts(classes, joints, edges, published, off_edges):
    model = SkeletonSTGCN(3, classes, num_partitions=3, num_edges=edges, num_joints=joints)
    assert sum(p.numel() for p in model.parameters()) == published - off_edges
    importance = sum(block.importance.weight.numel() for block in model.blocks)
    assert importance == 10 * edges
    own = {name for name, _ in model.named_parameters()} | {n for n, _ in model.named_buffers()}
    assert set(model.state_dict()) == own
    assert [block.residual for block in model.blocks] == [
        None, *["identity"] * 3, "conv", *["identity"] * 2, "conv", *["identity"] * 2,
    ]  # fmt: skip


def test_receptive_field():
    """Published: 9, 17, 25, 33, 41, 57, 73, 89, 121, 153 frames after each block."""
    graph = s.tree(1)
    strides = SkeletonSTGCN(1, 1, 1, num_joints=1).blocks
    seen = []
    for depth in range(1, 11):
        model = (
            SkeletonSTGCN(
                1,
                1,
                1,
                data_norm=None,
                channels=[1] * depth,
                strides=[b.stride for b in strides][:depth],
            )
            .double()
            .eval()
        )
        for parameter in model.parameters():
            parameter.data.fill_(0.1)
        x = torch.ones(1, 400, 1, dtype=torch.float64, requires_grad=True)
        hidden = model.features(x, graph[0], torch.zeros(1, dtype=torch.long))
        step = hidden.size(1) // 2
        hidden[0, step].sum().backward()
        touched = x.grad[0, :, 0].nonzero().view(-1)
        seen.append(touched.numel())
        assert (touched[0] + touched[-1]) / 2 == model.frames(400)[step]
    assert seen == [9, 17, 25, 33, 41, 57, 73, 89, 121, 153]


def test_persons_as_copies_and_as_dimension():
    model, data = s.small(), s.clip(7, 9, persons=2)
    graph = s.tree(7)
    x = data.x.view(2, 7, 9, 3).transpose(0, 1)  # [V, M, T, C]
    each = model(x, *graph)
    assert each.shape == (2, 5)
    pooled = model(x, *graph, person_dim=1)
    assert_same(pooled, each.mean(0, keepdim=True))
    assert_same(model(x, *graph, person_dim=-3), pooled)
    assert_same(s.run(model, s.without(data)), pooled)
    assert_same(model(x[:, 0], *graph), each[:1])
    # With batch dimensions before and after the persons, three clips.
    more = torch.stack([x, x + 1, x * 2], dim=1)  # [V, B, M, T, C]
    out = model(more, *graph, person_dim=2)
    assert out.shape == (3, 5)
    assert_same(out[2], model(x * 2, *graph, person_dim=1)[0])
    assert_same(model(more.transpose(1, 2), *graph, person_dim=1), out)


def test_different_skeletons_in_one_batch():
    """17 and 25 joints, of different lengths."""
    model = s.small(data_norm="channel", num_edges=None, num_joints=None)
    clips = [s.clip(17, 8, seed=1), s.clip(25, 6, persons=2, seed=2)]
    apart = torch.cat([s.run(model, one) for one in clips])
    assert_same(s.run(model, PadTime()(clips)), apart)
    # Their importance too, when their edges have ids of their own.
    model = s.small(data_norm="channel", num_edges=49 + 73, num_joints=None)
    clips[1].e_id = clips[1].e_id + 49
    apart = torch.cat([s.run(model, one) for one in clips])
    assert_same(s.run(model, PadTime()(clips)), apart)
    with pytest.raises(ValueError, match=r"multiple of num_joints=25 nodes .*got 67"):
        s.run(s.small(25), PadTime()(clips))


def test_extract_feature_means_to_the_logits():
    data = PadTime()([s.clip(7, 9, 2), s.clip(7, 6, seed=1)])
    data.mask[3, 4] = False
    edges = data.edge_index, data.edge_type, data.edge_weight, data.batch, data.mask, data.e_id
    model = s.small()
    response, feature = model.extract_feature(data.x, *edges)
    assert response.shape == (21, 3, 5)
    assert feature.shape == (21, 3, 6)
    assert_same(feature, model.features(data.x, *edges), 0.0)
    seen = data.mask[:, model.frames(9)]
    for clip, logits in enumerate(s.run(model, data)):
        own = data.batch == clip
        assert_same(response[own][seen[own]].mean(0), logits)
    model.readout = "mean"
    response, _ = model.extract_feature(data.x, *edges)
    for clip, logits in enumerate(s.run(model, data)):
        assert_same(response[data.batch == clip].mean((0, 1)), logits)


def test_adjacency_and_edge_index_class():
    model, one = s.small(), s.clip(7, 9, 2)
    expected = s.run(model, one)
    adjacency = Adjacency.build(one.edge_index, one.edge_type, 14, 3)
    out = model(one.x, adjacency, edge_weight=one.edge_weight, e_id=one.e_id, mask=one.mask)
    assert_same(out, expected)
    one.edge_index = EdgeIndex(one.edge_index, sparse_size=(14, 14))
    assert_same(s.run(model, one), expected)


def test_any_convolution():
    """A PyG convolution in each block equals the same steps by hand."""
    model = s.small(num_edges=None, conv=lambda i, o: PerStep(GCNConv(i, o, normalize=False)))
    one = s.clip(7, 9)
    norm = model.data_norm(one.x.transpose(0, 1).flatten(1)).view(9, 7, 3).transpose(0, 1)
    block = model.blocks[0]
    matrix = torch.zeros(7, 7, dtype=torch.float64)
    matrix[one.edge_index[1], one.edge_index[0]] = one.edge_weight
    gcn = block.conv.conv
    inner = torch.einsum("ij,jtc->itc", matrix, norm @ gcn.lin.weight.t()) + gcn.bias
    hidden = block.norm2(block.temporal(block.norm1(inner).relu())).relu()
    assert_same(block(norm, one.edge_index, one.edge_type, one.edge_weight), hidden)
    assert s.run(model, one).shape == (1, 5)
    gat = s.small(num_edges=None, conv=lambda i, o: PerStep(GATConv(i, o)))
    batch = PadTime()([one, s.clip(7, 5, 2)])
    assert_same(s.run(gat, batch)[0], s.run(gat, one)[0])
    with pytest.raises(ValueError, match="conv that takes edge_weight"):
        s.small(conv=lambda i, o: PerStep(GATConv(i, o)))


def test_causal_frames():
    model, one = s.small(causal=True), s.clip(7, 12)
    graph = s.tree(7)
    hidden = model.features(one.x, *graph)
    for step, frame in enumerate(model.frames(12).tolist()):
        later = one.x.clone()
        later[:, frame + 1 :] += 1
        assert_same(model.features(later, *graph)[:, : step + 1], hidden[:, : step + 1])
        later[:, frame] += 1
        assert (model.features(later, *graph)[:, step] - hidden[:, step]).abs().max() > 1e-6


def test_published_initialisation():
    torch.manual_seed(0)
    model = SkeletonSTGCN(3, 60, 3, num_edges=52, num_joints=18, init="published")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            assert abs(module.weight.mean() - 1) < 0.02
            assert 0.01 < module.weight.std() < 0.03
        elif getattr(module, "bias", None) is not None:
            assert abs(module.weight.mean()) < 0.002
            assert_same(module.weight.std().item(), 0.02, 0.1)
            assert (module.bias == 0).all()
    assert all((block.importance.weight == 1).all() for block in model.blocks)
    before = copy.deepcopy(model.state_dict())
    model.reset_parameters()
    assert not torch.equal(model.head.weight, before["head.weight"])
    assert_same(model.head.weight.std().item(), 0.02, 0.1)


def test_dropout_in_all_blocks_but_the_first():
    model = s.small(dropout=0.5)
    assert [block.dropout for block in model.blocks] == [0.0, 0.5, 0.5]
    one = s.clip(7, 9)
    expected = s.run(model, one)
    assert_same(s.run(s.small(), one), expected)  # none in evaluation mode
    model.train()
    torch.manual_seed(0)
    first = s.run(model, one)
    assert (s.run(model, one) - first).abs().max() > 1e-3
    torch.manual_seed(0)
    assert_same(s.run(model, one), first, 0.0)


def test_pickle_and_deepcopy():
    model, one = s.small(), s.clip(7, 9, 2)
    expected = s.run(model, one)
    assert_same(s.run(pickle.loads(pickle.dumps(model)), one), expected, 0.0)
    assert_same(s.run(copy.deepcopy(model), one), expected, 0.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_joints": None}, "num_joints: data_norm='joint' needs the number of joints"),
        ({"data_norm": "node"}, "data_norm: expected 'joint', 'channel' or None, got 'node'"),
        ({"readout": "max"}, "readout: expected 'masked' or 'mean', got 'max'"),
        ({"init": "zeros"}, "init: expected 'default' or 'published', got 'zeros'"),
        ({"strides": (1, 2)}, r"channels, strides: .*got \(4, 4, 6\) and \(1, 2\)"),
        ({"channels": (), "strides": ()}, "channels, strides: .*at least one block"),
        ({"dropout": 1.0}, r"dropout: expected a probability in \[0, 1\), got 1.0"),
        ({"residual": "dense"}, "residual: expected 'auto', 'identity', 'conv' or None, got 'dens"),
        ({"residual": "identity"}, "residual: 'identity' expects equal channels and stride=1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        s.small(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"x": d.x[:6]}, "x: expected a multiple of num_joints=7 nodes .*got 6"),
        (lambda d: {"x": d.x[:, :0]}, r"x: .*at least one frame, got \[7, 0, 3\]"),
        (lambda d: {"x": d.x[0]}, r"x: expected \[num_nodes, \*, frames, 3\].*got \[9, 3\]"),
        (lambda d: {"x": d.x[..., :2]}, r"x: expected \[num_nodes, \*, 3\].*got shape"),
        (lambda d: {"mask": d.mask[:, :4]}, r"mask: expected shape \[7, 9\].*got \[7, 4\]"),
        (lambda d: {"mask": d.mask.float()}, r"mask: .*torch.bool, got \[7, 9\] torch.float32"),
        (lambda d: {"batch": torch.zeros(6).long()}, r"batch: expected a long tensor \[7\]"),
        (lambda d: {"person": torch.zeros(7)}, r"person: .*got torch.float32 \[7\]"),
        (lambda d: {"person_dim": 1}, r"person_dim: .*between nodes and frames, got 1 for \[7, 9"),
        (lambda d: {"e_id": d.e_id[:3]}, "edge_weight: expected shape"),
    ],
)
def test_bad_input(change, message):
    model, one = s.small(), s.clip(7, 9)
    given = {"mask": one.mask, **change(one)}
    x = given.pop("x", one.x)
    with pytest.raises(ValueError, match=message):
        model(x, one.edge_index, one.edge_type, one.edge_weight, **given)


@torch.no_grad()  # the property suite compiles the backward pass
@pytest.mark.parametrize("dynamic", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_compile(dynamic):
    torch._dynamo.reset()
    model = s.small(channels=(4, 6), strides=(1, 2))
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for frames in (9, 12) if dynamic else (9, 9):
        batch = PadTime(length=frames)([s.clip(7, 8), s.clip(7, 9, 2)])
        expected = s.run(model, batch, person=batch.person)
        assert_same(s.run(compiled, batch, batch_size=2, person=batch.person), expected)
    with pytest.raises(Exception, match="batch_size: expected the number of clips in compiled"):
        s.run(compiled, batch)


def test_export():
    model = s.small()
    batch = PadTime()([s.clip(7, 8), s.clip(7, 9, 2)])
    names = ("edge_index", "edge_type", "edge_weight", "batch", "mask", "e_id")
    given = {name: batch[name] for name in names}
    program = torch.export.export(model, (batch.x,), {**given, "batch_size": 2})
    out = program.module()(batch.x, **given, batch_size=2)
    assert_same(out, s.run(model, batch))


def test_export_of_any_number_of_clips():
    model, graph = s.small(), s.tree(7)
    clips = torch.randn(7, 5, 9, 3, dtype=torch.float64)
    shapes = {"x": {1: torch.export.Dim("clips", min=2)}}
    shapes |= dict.fromkeys(("edge_index", "edge_type", "edge_weight"))
    program = torch.export.export(model, (clips[:, :3].contiguous(), *graph), dynamic_shapes=shapes)
    assert_same(program.module()(clips, *graph), model(clips, *graph))


@pytest.mark.slow
def test_onnx(tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model, (edge_index, edge_type, edge_weight) = s.small().float(), s.tree(7)
    given = (torch.randn(7, 2, 9, 3), edge_index, edge_type, edge_weight.float())
    torch.onnx.export(model, given, tmp_path / "model.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [node.name for node in session.get_inputs()]
    assert len(names) == len(given)
    feed = {name: value.numpy() for name, value in zip(names, given, strict=True)}
    (logits,) = session.run(None, feed)
    assert_same(torch.from_numpy(logits), model(*given), 1e-5)


@pytest.mark.parametrize("by_person", [False, True])
def test_compiled_training_with_absent_frames(by_person):
    torch._dynamo.reset()
    batch = PadTime()([s.clip(7, 9), s.clip(7, 5, 2)])
    given = {"person": batch.person} if by_person else {}
    eager, other = (s.small(channels=(4, 6), strides=(1, 2)).train() for _ in range(2))
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    expected = s.run(eager, batch, **given)
    actual = s.run(compiled, batch, batch_size=2, **given)
    assert_same(actual, expected)
    expected.square().sum().backward()
    actual.square().sum().backward()
    for p, q in zip(eager.parameters(), other.parameters(), strict=True):
        assert_same(q.grad, p.grad)
    for p, q in zip(eager.buffers(), other.buffers(), strict=True):
        assert_same(q, p)


@pytest.mark.slow
def test_inductor():
    torch._dynamo.reset()
    model = s.small().float()
    one = s.clip(7, 9, 2)
    one.x, one.edge_weight = one.x.float(), one.edge_weight.float()
    expected = s.run(model, one)
    assert_same(s.run(torch.compile(model, fullgraph=True), one), expected, 1e-4)


def test_head_dropout_drops_what_the_classes_are_read_from():
    edges = s.tree(5)
    model = SkeletonSTGCN(3, 4, 3, channels=[6], strides=[1], data_norm=None, head_dropout=0.5)
    model = model.double()
    x = torch.randn(5, 2, 7, 3, dtype=torch.float64)
    feature = model.extract_feature(x, *edges)[1].mean(dim=(0, 2))
    torch.manual_seed(0)
    dropped = torch.nn.functional.dropout(feature, 0.5)
    assert (dropped == 0).any()
    torch.manual_seed(0)
    assert_same(model(x, *edges), model.head(dropped))
    model.eval()
    assert_same(model(x, *edges), model.extract_feature(x, *edges)[0].mean(dim=(0, 2)))
    with pytest.raises(
        ValueError, match=r"head_dropout: expected a probability in \[0, 1\), got 1"
    ):
        SkeletonSTGCN(3, 4, 3, data_norm=None, head_dropout=1)
