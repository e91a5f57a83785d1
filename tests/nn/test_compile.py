"""Compiled training steps: one compilation for all batches of one graph."""

import copy

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from tests.nn import skeletons as s
from tests.nn.test_cuda_graphs import traffic
from tgst.loader import PadTime
from tgst.nn.models import SkeletonSTGCN
from tgst.ops import Adjacency
from tgst.testing import random_graph


def windows(batch, **options):
    """A traffic model on as many windows, its graph as Adjacency."""
    torch.manual_seed(0)
    model, given = traffic(**options)
    return model, {**given, "x": torch.randn(7, batch, 12, 2)}


def plain(batch, **options):
    """The same with a new tensor of the same edges each time."""
    model, given = windows(batch, **options)
    graph = random_graph(num_partitions=options.get("num_partitions", 1))
    edge_type = graph.edge_type.clone() if "num_partitions" in options else None
    return model, {**given, "edge_index": graph.edge_index.clone(), "edge_type": edge_type}


def clips(batch, mask):
    """A skeleton model on clips in a batch dimension."""
    torch.manual_seed(0)
    model = SkeletonSTGCN(3, 5, 3, 19, 7, channels=(4, 6), strides=(1, 2), kernel_size=3)
    edge_index, edge_type, weight = s.tree(7)
    x = torch.randn(7, batch, 9, 3)
    given = {
        "edge_index": Adjacency.build(edge_index, edge_type, 7, 3),
        "edge_weight": weight.float(),
    }
    return model, {"x": x, **given, "mask": torch.rand(7, batch, 9) > 0.2 if mask else None}


def unions(batch):
    """A skeleton model on a Batch of clips of different length."""
    model, _ = clips(3, True)
    joined = PadTime(length=9)([s.clip(7, 9 - i % 3, seed=i) for i in range(batch)])
    keys = ("x", "edge_index", "edge_type", "edge_weight", "batch", "mask", "e_id")
    given = {key: joined[key] for key in keys}
    given["x"], given["edge_weight"] = given["x"].float(), given["edge_weight"].float()
    return model, {**given, "batch_size": batch}


PARTITION = {"kernel": "partition", "num_partitions": 3, "edge_importance": True, "num_edges": 18}
CASES = {
    "traffic_cheb": lambda batch: windows(batch),
    "traffic_first_order": lambda batch: windows(batch, kernel="first_order", variant="authors"),
    "traffic_partition": lambda batch: plain(batch, **PARTITION),
    "skeleton": lambda batch: clips(batch, mask=False),
    "skeleton_masked": lambda batch: clips(batch, mask=True),
    "skeleton_batch": unions,
}


def step(model, run, given):
    model.zero_grad()
    out = run(**given)
    out.square().sum().backward()
    return out.detach(), [p.grad.clone() for p in model.parameters()]


def compilations(name, batches, dynamic):
    torch._dynamo.reset()
    counter, counts = CompileCounterWithBackend("aot_eager"), []
    eager, _ = CASES[name](batches[0])
    other = copy.deepcopy(eager)
    run = torch.compile(other, fullgraph=True, backend=counter, dynamic=dynamic)
    for batch in batches:
        _, given = CASES[name](batch)
        expected, found = step(eager, eager, given), step(other, run, given)
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)
        counts.append(counter.frame_count)
    return counts


@pytest.mark.parametrize("name", CASES)
def test_one_compilation_for_batches_of_any_size(name):
    # sizes that no channel, node or step has: the compiler takes equal sizes for one
    counts = compilations(name, (11, 14, 10), dynamic=True)
    assert counts[-1] == counts[0]


@pytest.mark.parametrize("name", ["traffic_partition", "skeleton_masked"])
def test_one_compilation_for_batches_of_one_size(name):
    counts = compilations(name, (8, 8, 8), dynamic=False)
    assert counts[-1] == counts[0]
