from __future__ import annotations

import pytest
import torch

from tgst.nn.models import LateFusion, SkeletonSTGCN
from tgst.transforms import SpatialPartition
from tgst.utils.skeleton import Skeleton

GRAPH = SpatialPartition(center=1)(Skeleton.named("openpose-18").data())


def network(channels, classes=4):
    return SkeletonSTGCN(channels, classes, 3, num_joints=18, channels=[4, 4], strides=[1, 2])


def fused():
    torch.manual_seed(0)
    return LateFusion([network(2), network(3)], [[0, 2], [1, 2, 3]]).eval()


def arguments(mask=None):
    return {"edge_type": GRAPH.edge_type, "edge_weight": GRAPH.edge_weight, "mask": mask}


def test_mean_probability_by_hand():
    model, x = fused(), torch.randn(18, 5, 8, 4)
    kwargs = arguments(torch.rand(18, 5, 8) > 0.2)
    each = [
        model.models[0](x[..., [0, 2]], GRAPH.edge_index, **kwargs),
        model.models[1](x[..., 1:], GRAPH.edge_index, **kwargs),
    ]
    scores = model.scores(x, GRAPH.edge_index, **kwargs)
    assert list(scores) == ["0", "1"]
    for score, expected in zip(scores.values(), each, strict=True):
        torch.testing.assert_close(score, expected)
    out = model(x, GRAPH.edge_index, **kwargs)
    assert out.shape == (5, 4)
    torch.testing.assert_close(out.exp(), (each[0].softmax(-1) + each[1].softmax(-1)) / 2)


def test_keeps_double_precision():
    model, x = fused().double(), torch.randn(18, 8, 4, dtype=torch.float64)
    out = model(x, GRAPH.edge_index, GRAPH.edge_type, GRAPH.edge_weight.double())
    assert abs(out.exp().sum().item() - 1) < 1e-12


def test_sizes_are_those_of_the_networks():
    model = fused()
    assert (model.in_channels, model.num_classes, model.num_partitions) == (4, 4, 3)
    assert (model.num_joints, model.num_edges) == (18, None)
    assert repr(model) == "LateFusion(2, channels=[[0, 2], [1, 2, 3]])"


def test_new_weights_in_all_networks():
    model = fused()
    before = [value.clone() for value in (model.models[0].head.weight, model.models[1].head.weight)]
    model.reset_parameters()
    assert not torch.equal(model.models[0].head.weight, before[0])
    assert not torch.equal(model.models[1].head.weight, before[1])


@pytest.mark.parametrize(
    ("models", "channels", "message"),
    [
        (
            [],
            [],
            r"channels: expected a list for each of the 0 networks \(at least one\), got \[\]",
        ),
        ([network(2)], [[0, 1], [2]], "channels: expected a list for each of the 1 networks"),
        ([network(2)], [[0, -1]], r"channels: expected numbers >= 0 for network 0, got \[0, -1\]"),
        ([network(2)], [[0]], r"channels: network 0 has 2 input channels, got 1 \(\[0\]\)"),
        (
            [network(1), network(1, classes=5)],
            [[0], [1]],
            "models: expected the 4 classes of the first network, got 5 of network 1",
        ),
    ],
)
def test_networks_that_do_not_fit_are_refused(models, channels, message):
    with pytest.raises(ValueError, match=message):
        LateFusion(models, channels)
