"""The property suite of tgst.testing, over every layer, block and model."""

import pytest
import torch
from torch_geometric.nn import GATConv, GCNConv, RGCNConv

import tgst.nn
from tests.nn import dense
from tests.nn.test_grid_models import BUILDERS
from tgst.nn import (
    ChebConv,
    FixedGraph,
    FlatFeatures,
    PartitionConv,
    PerStep,
    SkeletonBlock,
    TemporalConv,
    TrafficBlock,
)
from tgst.nn.models import LateFusion, SkeletonEnsemble, SkeletonSTGCN, TrafficSTGCN
from tgst.testing import PROPERTIES, LayerCase, check_property
from tgst.testing.suite import applies


def labelled(layer, x, graph):
    return layer(x, graph.edge_index, graph.edge_type, graph.edge_weight)


def weighted(layer, x, graph):
    return layer(x, graph.edge_index, edge_weight=graph.edge_weight)


def with_ids(layer, x, graph):
    return layer(x, graph.edge_index, graph.edge_type, graph.edge_weight, graph.e_id)


def alone(layer, x, graph):
    return layer(x)


def flat(layer, x, graph):
    # It takes no batch dimension: one sample at a time.
    rows = x.reshape(x.size(0), x.shape[1:-2].numel(), x.size(-2) * x.size(-1))
    outs = [labelled(layer, part, graph) for part in rows.unbind(1)]
    return torch.stack(outs, dim=1).view(*x.shape[:-1], 4)


def dense_module(call):
    def reference(module, x, graph):
        return call(dense.with_dense_convs(module, graph), x, graph)

    return reference


def partition(bias, *widths):
    return LayerCase(
        lambda: PartitionConv(*widths, num_partitions=3, bias=bias),
        labelled,
        widths[0],
        num_partitions=3,
        reference=dense.partition_conv,
    )


def temporal(**options):
    # Its reference takes no graph and it has no edges to order, weigh or double.
    return LayerCase(
        lambda: TemporalConv(options.get("width", 3), 4, **options["of"]),
        alone,
        options.get("width", 3),
        reference=dense.temporal_conv,
        spatial=False,
        temporal=True,
        causal=options["of"].get("padding") == "causal",
    )


# Parameters per node: tied to the nodes' numbers and count.
NODE_NORM = frozenset({"node_permutation", "isolated_nodes", "disjoint_union"})
# Parameters per edge: a second graph would share the ids of the first.
EDGE_PARAMETERS = frozenset({"disjoint_union"})
SMALL = {"channels": [(4, 3, 4), (4, 3, 5)], "horizon": 2}


def model(call=with_ids, exempt=frozenset(), num_partitions=1, **options):
    return LayerCase(
        lambda: TrafficSTGCN(2, 1, num_partitions=num_partitions, **SMALL, **options),
        call,
        2,
        steps=12,
        num_partitions=num_partitions,
        reference=dense_module(call),
        temporal=True,
        exempt=exempt,
        fixed_nodes=options.get("norm") == "node",
    )


CASES = {
    "partition_widen": partition(True, 2, 4),
    "partition_narrow": partition(True, 4, 2),
    "partition_message_widen": partition("message", 2, 4),
    "partition_message_narrow": partition("message", 4, 2),
    "partition_no_bias": partition(False, 3, 3),
    "cheb": LayerCase(lambda: ChebConv(3, 4, K=3), weighted, 3, reference=dense.cheb_conv),
    "cheb_one": LayerCase(
        lambda: ChebConv(3, 4, K=1),
        weighted,
        3,
        reference=dense.cheb_conv,
        # T0 alone looks at no neighbour and no weight.
        exempt=frozenset({"edge_weight_sensitivity", "gradients"}),
    ),
    "temporal_same": temporal(of={"kernel_size": 3, "residual": True}),
    "temporal_causal": temporal(
        of={"kernel_size": 3, "dilation": 2, "padding": "causal", "gate": "glu", "residual": True}
    ),
    "temporal_valid_narrow": temporal(
        of={"kernel_size": 2, "padding": "valid", "gate": "gtu", "residual": True}, width=6
    ),
    "temporal_whole": temporal(of={"kernel_size": 5, "padding": "valid", "gate": "glu"}),
    "temporal_stride": temporal(of={"kernel_size": 4, "stride": 2, "residual": True}, width=5),
    "block": LayerCase(
        lambda: TrafficBlock(2, (4, 3, 4), ChebConv(3, 3, 3)),
        weighted,
        2,
        steps=6,
        reference=dense_module(weighted),
        temporal=True,
    ),
    "block_beside": LayerCase(
        lambda: TrafficBlock(
            2, (5, 3, 4), PartitionConv(5, 3, 2), gates=("glu", None), align="beside"
        ),
        labelled,
        2,
        steps=6,
        num_partitions=2,
        reference=dense_module(labelled),
        temporal=True,
    ),
    "block_node": LayerCase(
        lambda: TrafficBlock(2, (4, 6, 4), ChebConv(6, 6, 2), norm="node", num_nodes=7),
        weighted,
        2,
        steps=6,
        reference=dense_module(weighted),
        temporal=True,
        exempt=NODE_NORM,
        fixed_nodes=True,
    ),
    "model_paper": model(),
    "model_partition": model(kernel="partition", num_partitions=3, variant="authors"),
    "model_first_order": model(kernel="first_order", variant="pytorch", head_channels=4),
    "model_edge_importance": model(
        edge_importance=True, num_edges=18, residual=True, exempt=EDGE_PARAMETERS
    ),
    "model_skip": model(variant="authors", skip=True),
    "model_authors_node": model(variant="authors", norm="node", num_nodes=7, exempt=NODE_NORM),
}


def responses(layer, x, graph):
    edges = graph.edge_index, graph.edge_type, graph.edge_weight
    return layer.extract_feature(x, *edges, e_id=graph.e_id)[0]


def skeleton_block(exempt=frozenset(), steps=6, width=3, **options):
    return LayerCase(
        lambda: SkeletonBlock(width, 4, num_partitions=3, kernel_size=3, **options),
        with_ids,
        width,
        steps=steps,
        num_partitions=3,
        reference=dense.skeleton_block,
        temporal=True,
        causal=options.get("causal", False),
        exempt=exempt,
    )


def skeleton_model(exempt=frozenset(), **options):
    given = {"channels": (4, 4, 5), "strides": (1, 1, 2), "data_norm": "channel", **options}
    return LayerCase(
        lambda: SkeletonSTGCN(3, 2, num_partitions=3, kernel_size=3, **given),
        responses,
        3,
        steps=6,
        num_partitions=3,
        reference=dense.skeleton_model,
        temporal=True,
        causal=options.get("causal", False),
        exempt=exempt,
    )


CASES |= {
    "skeleton_block_stride": skeleton_block(EDGE_PARAMETERS, stride=2, num_edges=18),
    "skeleton_block_identity": skeleton_block(width=4),
    "skeleton_block_causal": skeleton_block(residual=None, causal=True),
    "skeleton_model": skeleton_model(EDGE_PARAMETERS, num_edges=18),
    "skeleton_model_causal": skeleton_model(
        causal=True, strides=(1, 1, 1), data_norm=None, residual="conv"
    ),
}


def logits(layer, x, graph, mask=None):
    """Every node is a clip of its own, so that the output has nodes, too."""
    nodes = torch.arange(x.size(0), device=x.device)
    edges = graph.edge_index, graph.edge_type, graph.edge_weight
    return layer(x, *edges, batch=nodes, mask=mask, e_id=graph.e_id, batch_size=x.size(0))


def observed(x):
    return x[..., -1] > -0.5


def masked_logits(layer, x, graph):
    return logits(layer, x, graph, observed(x))


def masked(reference):
    return lambda layer, x, graph: reference(layer, x, graph, observed(x))


def small_skeleton(in_channels=3, **options):
    given = {"channels": (4, 5), "strides": (1, 2), "data_norm": "channel", **options}
    return SkeletonSTGCN(in_channels, 2, num_partitions=3, kernel_size=3, **given)


def recognition(build, call, reference, exempt=frozenset(), in_channels=3, fixed_nodes=False):
    return LayerCase(
        build,
        call,
        in_channels,
        steps=6,
        num_partitions=3,
        reference=reference,
        temporal=True,
        exempt=exempt,
        fixed_nodes=fixed_nodes,
    )


# Tied to the order of the joints, and to whole skeletons.
JOINTS = frozenset({"node_permutation", "isolated_nodes"})

CASES |= {
    "skeleton_logits_joint": recognition(
        lambda: small_skeleton(data_norm="joint", num_joints=7),
        logits,
        dense.skeleton_logits,
        JOINTS,
        fixed_nodes=True,
    ),
    "skeleton_logits_masked": recognition(
        lambda: small_skeleton(num_edges=18),
        masked_logits,
        masked(dense.skeleton_logits),
        EDGE_PARAMETERS,
    ),
    "skeleton_late_fusion": recognition(
        lambda: LateFusion([small_skeleton(2), small_skeleton(3)], [[2, 0], [1, 2, 3]]),
        masked_logits,
        masked(dense.late_fusion),
        in_channels=4,
    ),
    "skeleton_ensemble": recognition(
        lambda: SkeletonEnsemble.two_stream(small_skeleton(), small_skeleton()),
        logits,
        dense.skeleton_ensemble,
    ),
    "skeleton_ensemble_bones": recognition(
        lambda: SkeletonEnsemble(
            {"bone": small_skeleton(), "bone_motion": small_skeleton()},
            torch.tensor([0, 0, 0, 1, 1, 2, 2]),
            {"bone": 0.5},
            "probability",
        ),
        logits,
        dense.skeleton_ensemble,
        JOINTS,
        fixed_nodes=True,
    ),
}

CASES["flat_features"] = LayerCase(
    lambda: FlatFeatures(PartitionConv(2, 4, 3), num_steps=5, num_channels=2),
    flat,
    2,
    num_partitions=3,
    reference=lambda layer, x, graph: dense.partition_conv(layer.model, x, graph),
    # No sample at all needs a batch dimension; test_flat_features.py has the graph without nodes.
    exempt=frozenset({"empty"}),
)

# PyG convolutions inside PerStep: their own sums and normalisations, so no dense reference here
# (test_per_step.py compares them with a loop over steps).
PER_STEP = frozenset({"dense_reference"})
CASES["per_step_gcn"] = LayerCase(
    lambda: PerStep(GCNConv(3, 4, normalize=False)), weighted, 3, exempt=PER_STEP
)
CASES["model_per_step_gat"] = LayerCase(
    lambda: TrafficSTGCN(2, 1, conv=lambda i, o: PerStep(GATConv(i, o)), **SMALL),
    weighted,
    2,
    steps=12,
    temporal=True,
    exempt=PER_STEP | {"edge_weight_sensitivity", "parallel_edges"},  # GAT takes no weights
)
CASES["block_per_step_rgcn"] = LayerCase(
    lambda: TrafficBlock(2, (4, 3, 4), PerStep(RGCNConv(3, 3, 2, aggr="add"))),
    labelled,
    2,
    steps=6,
    num_partitions=2,
    temporal=True,
    # RGCNConv takes no weights, adds up in float32 and, as PyG sets it up, breaks the graph while
    # torch compiles it.
    exempt=PER_STEP
    | {"edge_weight_sensitivity", "parallel_edges", "bfloat16"}
    | {"compile_static", "compile_dynamic"},
)

INDUCTOR = {
    "partition_narrow",
    "cheb",
    "temporal_causal",
    "model_paper",
    "model_partition",
    "skeleton_model",
    "skeleton_logits_masked",
    "skeleton_late_fusion",
    "skeleton_ensemble",
}


def pairs():
    for case in CASES:
        for name in PROPERTIES:
            if name == "compile_inductor" and case not in INDUCTOR:
                continue
            if name != "cuda" and not applies(CASES[case], name):
                continue
            marks = [pytest.mark.slow] if name == "compile_inductor" else []
            if name == "cuda":
                marks.append(
                    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
                )
            yield pytest.param(case, name, marks=marks, id=f"{case}-{name}")


def test_every_layer_is_in_the_suite():
    """On its own or as a part: EdgeImportance takes no features, NodeLayerNorm one graph. Layers of
    frames and images, which take no graph, are in the suite of test_grid_models. What is no
    module, such as SkeletonStream, and FixedGraph, which knows a single graph, have their own."""
    builders = [*(case.build for case in CASES.values()), *BUILDERS.values()]
    checked = {type(module) for build in builders for module in build().modules()}
    public = [getattr(room, name) for room in (tgst.nn, tgst.nn.models) for name in room.__all__]
    layers = {
        layer for layer in public if isinstance(layer, type) and issubclass(layer, torch.nn.Module)
    }
    assert len(layers) >= 14
    assert layers - {FixedGraph} <= checked


@pytest.mark.parametrize(("case", "name"), list(pairs()))
def test_property(case, name):
    check_property(CASES[case], name)
