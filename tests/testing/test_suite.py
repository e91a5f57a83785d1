"""The property suite catches layers that are broken on purpose, and nothing else."""

import dataclasses

import pytest
import torch

from tests.nn import dense
from tests.nn.test_properties import CASES, labelled
from tgst.nn import PartitionConv
from tgst.testing import LayerCase, check_properties, check_property


def run(layer, x, graph, **change):
    graph = graph._replace(**change)
    return labelled(layer, x, graph)


def drop_last_edge(layer, x, graph):
    return labelled(layer, x, graph.edges(torch.arange(graph.edge_index.size(1) - 1)))


def ignore_labels(layer, x, graph):
    return run(layer, x, graph, edge_type=torch.zeros_like(graph.edge_type))


def ignore_weights(layer, x, graph):
    return run(layer, x, graph, edge_weight=torch.ones_like(graph.edge_weight))


def average_weights(layer, x, graph):
    weight = graph.edge_weight
    return run(layer, x, graph, edge_weight=torch.full_like(weight, weight.sum() / 18))


def leak_across_samples(layer, x, graph):
    out = labelled(layer, x, graph)
    return out + 0.1 * out.roll(1, 1) if out.dim() > 3 else out


def leak_across_nodes(layer, x, graph):
    out = labelled(layer, x, graph)
    return out + 0.1 * out.mean(0) if out.size(0) else out


def prefer_node_zero(layer, x, graph):
    out = labelled(layer, x, graph)
    return torch.cat([2 * out[:1], out[1:]])


def mix_steps(layer, x, graph):
    return labelled(layer, x, graph).cumsum(-2)


def detach_gradient(layer, x, graph):
    return labelled(layer, x.detach(), graph)


def number_the_edges(layer, x, graph):
    position = torch.arange(graph.edge_index.size(1), dtype=graph.edge_weight.dtype)
    return run(layer, x, graph, edge_weight=graph.edge_weight * (1 + position))


def compute_in_float32(layer, x, graph):
    return labelled(layer, x, graph).float()


BROKEN = {
    drop_last_edge: {"dense_reference", "edge_order"},
    ignore_labels: {"dense_reference", "edge_label_sensitivity"},
    ignore_weights: {"dense_reference", "edge_weight_sensitivity", "parallel_edges"},
    average_weights: {"dense_reference", "edge_weight_sensitivity"},
    leak_across_samples: {"dense_reference", "batch_equivalence"},
    leak_across_nodes: {"dense_reference", "isolated_nodes", "disjoint_union"},
    prefer_node_zero: {"dense_reference", "node_permutation", "disjoint_union"},
    mix_steps: {"dense_reference", "time_order"},
    detach_gradient: {"gradients"},
    number_the_edges: {"dense_reference", "edge_order", "parallel_edges"},
    compute_in_float32: {"dense_reference"},
}


def broken_case(call):
    return LayerCase(
        lambda: PartitionConv(2, 4, num_partitions=3),
        call,
        2,
        num_partitions=3,
        reference=dense.partition_conv,
    )


@pytest.mark.parametrize("call", BROKEN, ids=lambda call: call.__name__)
def test_catches(call):
    case = broken_case(call)
    for name in BROKEN[call]:
        with pytest.raises((AssertionError, RuntimeError)):
            check_property(case, name)


def test_checks_what_is_claimed():
    slow = {"compile_static", "compile_dynamic", "compile_inductor"}
    checked = check_properties(CASES["partition_widen"], skip=slow)
    assert {"dense_reference", "gradients", "edge_label_sensitivity", "empty"} <= set(checked)
    assert not slow & set(checked)
    assert "causality" not in checked
    causal = check_properties(CASES["temporal_causal"], skip=slow)
    assert "causality" in causal
    assert "edge_order" not in causal


def test_a_lookahead_breaks_causality():
    case = dataclasses.replace(CASES["temporal_same"], causal=True)
    with pytest.raises(AssertionError):
        check_property(case, "causality")


def test_misspelt_names_are_refused():
    case = dataclasses.replace(CASES["cheb"], exempt=frozenset({"dense_referense"}))
    with pytest.raises(ValueError, match="dense_referense"):
        check_properties(case)
    with pytest.raises(ValueError, match="dense_referense"):
        check_properties(CASES["cheb"], skip=["dense_referense"])
    with pytest.raises(ValueError, match="dense_referense"):
        check_property(CASES["cheb"], "dense_referense")
    with pytest.raises(ValueError, match="reference: the case gives no dense reference"):
        check_property(dataclasses.replace(CASES["cheb"], reference=None), "dense_reference")
