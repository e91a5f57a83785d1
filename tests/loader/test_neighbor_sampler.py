from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.sampler import BaseSampler, NodeSamplerInput

from tgst.loader import NeighborSampler
from tgst.loader.neighbor_sampler import mixed_seed


def random_graph(num_nodes=60, num_edges=400, seed=0) -> Data:
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)  # with parallels
    loops = torch.arange(0, num_nodes, 3).expand(2, -1)
    edge_index = torch.cat([edge_index, loops], dim=1)
    edge_index = edge_index[:, torch.randperm(edge_index.size(1), generator=generator)]
    weight = torch.rand(edge_index.size(1), generator=generator, dtype=torch.float64)
    return Data(edge_index=edge_index, edge_weight=weight, num_nodes=num_nodes)


def sample(sampler, seeds, seed=None):
    nodes = torch.as_tensor(seeds)
    return sampler.sample_from_nodes(NodeSamplerInput(torch.arange(len(nodes)), nodes), seed=seed)


def edges_of(sampler, out) -> list[int]:
    return sampler.edge_permutation[out.edge].tolist()


def in_edges(data, node) -> list[int]:
    source, target = data.edge_index
    return ((target == node) & (source != target)).nonzero().flatten().tolist()


def loops(data, node) -> list[int]:
    source, target = data.edge_index
    return ((target == node) & (source == node)).nonzero().flatten().tolist()


def check_is_a_sample(data, sampler, seeds, out, numbers):
    """Everything that a loop over nodes and hops would do."""
    edges = edges_of(sampler, out)
    assert out.node[: len(seeds)].tolist() == list(seeds)
    assert len(out.node.unique()) == len(out.node)
    assert len(set(edges)) == len(edges)
    assert torch.equal(out.node[out.row], data.edge_index[0, edges])
    assert torch.equal(out.node[out.col], data.edge_index[1, edges])
    assert (out.col.diff() >= 0).all()
    hop, met = list(seeds), set(seeds)
    for number, size in zip([*numbers, 0], [*out.num_sampled_nodes, 0], strict=False):
        following = set()
        for node in hop:
            own = [e for e in edges if data.edge_index[1, e] == node]
            neighbors = [e for e in own if data.edge_index[0, e] != node]
            assert sorted(set(own) - set(neighbors)) == loops(data, node)
            candidates = in_edges(data, node)
            wanted = len(candidates) if number == -1 else min(number, len(candidates))
            assert len(neighbors) == wanted
            assert set(neighbors) <= set(candidates)
            following |= {int(data.edge_index[0, e]) for e in neighbors}
        assert len(hop) == size or not number
        hop = sorted(following - met)
        met |= following
    assert met == set(out.node.tolist())
    assert not hop
    assert sum(out.num_sampled_edges) == len(edges)
    assert sum(out.num_sampled_nodes) == len(out.node)


@pytest.mark.parametrize("method", ["uniform", "weighted"])
@pytest.mark.parametrize("numbers", [[2], [3, 2], [-1, 2, 1], [-1, -1]])
def test_a_sample_is_what_a_loop_would_take(method, numbers):
    data = random_graph()
    sampler = NeighborSampler(data, numbers, method)
    assert isinstance(sampler, BaseSampler)
    for seeds in ([5, 0, 59], [7], list(range(60))):
        out = sample(sampler, seeds)
        check_is_a_sample(data, sampler, seeds, out, numbers)
        assert (sampler._local == -1).all()


def test_full_neighborhood_is_the_subgraph_within_the_hops():
    # 4 -> 3 -> 2 -> 1 -> 0, and 0 -> 4
    data = Data(edge_index=torch.tensor([[4, 3, 2, 1, 0], [3, 2, 1, 0, 4]]), num_nodes=5)
    sampler = NeighborSampler(data, [-1, -1])
    out = sample(sampler, [0])
    assert out.node.tolist() == [0, 1, 2]
    assert edges_of(sampler, out) == [3, 2]
    assert out.num_sampled_nodes == [1, 1, 1]
    assert out.num_sampled_edges == [1, 1]
    assert out.metadata[2].tolist() == [1.0, 1.0]


def test_self_loops_are_kept_and_do_not_count():
    edge_index = torch.tensor([[0, 1, 2, 0, 1, 2, 1], [0, 0, 0, 0, 1, 2, 2]])
    data = Data(edge_index=edge_index, num_nodes=3)
    sampler = NeighborSampler(data, [1])
    for seed in range(10):
        out = sample(sampler, [0], seed)
        kept = edges_of(sampler, out)
        assert {0, 3} < set(kept)  # two parallel self loops
        assert len([edge for edge in kept if edge in (1, 2)]) == 1
        last = 4 if 1 in kept else 5  # the self loop of the neighbour, at the last hop
        assert set(kept) == {0, 3, 1 if 1 in kept else 2, last}
        scale = dict(zip(kept, out.metadata[2].tolist(), strict=True))
        assert scale == {0: 1.0, 3: 1.0, 1 if 1 in kept else 2: 2.0, last: 1.0}


def test_node_without_edges():
    data = Data(edge_index=torch.tensor([[1], [0]]), num_nodes=3)
    out = sample(NeighborSampler(data, [2, 2]), [2])
    assert out.node.tolist() == [2]
    assert out.edge.numel() == 0
    empty = Data(edge_index=torch.empty(2, 0, dtype=torch.long), num_nodes=2)
    assert sample(NeighborSampler(empty, [2]), [1, 0]).node.tolist() == [1, 0]


def draws(data, method, number, times=2000):
    """How often each edge into node 0 was kept, and the mean of the rescaled weights."""
    sampler = NeighborSampler(data, [number], method)
    count, weight = torch.zeros(data.num_edges), torch.zeros(data.num_edges, dtype=torch.float64)
    for seed in range(times):
        out = sample(sampler, [0], seed)
        edges = sampler.edge_permutation[out.edge]
        count[edges] += 1
        weight[edges] += data.edge_weight[edges] * out.metadata[2]
    return count / times, weight / times


def star(weights) -> Data:
    number = len(weights)
    edge_index = torch.stack([torch.arange(1, number + 1), torch.zeros(number).long()])
    weight = torch.tensor(weights, dtype=torch.float64)
    return Data(edge_index=edge_index, edge_weight=weight, num_nodes=number + 1)


def test_uniform_sampling_is_uniform_and_its_sum_unbiased():
    data = star([0.1, -2.0, 3.0, 0.0, 1.0])
    share, weight = draws(data, "uniform", 2)
    torch.testing.assert_close(share, torch.full((5,), 0.4), rtol=0, atol=0.03)
    torch.testing.assert_close(weight, data.edge_weight, rtol=0.08, atol=0.02)


def test_unbiased_sum_over_labelled_parallel_edges():
    data = random_graph(12, 90)
    x = torch.randn(12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    source, target = data.edge_index
    exact = torch.zeros(12, dtype=torch.float64).index_add_(0, target, data.edge_weight * x[source])
    sampler, total = NeighborSampler(data, [3]), torch.zeros(12, dtype=torch.float64)
    squares = torch.zeros(12, dtype=torch.float64)
    for seed in range(2000):
        out = sample(sampler, range(12), seed)
        edges = sampler.edge_permutation[out.edge]
        product = data.edge_weight[edges] * out.metadata[2] * x[source[edges]]
        drawn = torch.zeros(12, dtype=torch.float64).index_add_(0, target[edges], product)
        total += drawn
        squares += drawn**2
    mean = total / 2000
    error = ((squares / 2000 - mean**2).clamp(min=0) / 2000).sqrt()
    assert ((mean - exact).abs() < 4.5 * error + 1e-9).all()


def test_weighted_sampling_draws_by_weight_one_after_the_other():
    data = star([1.0, -2.0, 3.0, 0.0])
    share, _ = draws(data, "weighted", 1)
    torch.testing.assert_close(share, torch.tensor([1, 2, 3, 0]) / 6, rtol=0, atol=0.03)
    # Two of three: left out is 1 with probability 2/6 * 3/4 + 3/6 * 2/3, and so on.
    share, _ = draws(data, "weighted", 2)
    left_out = torch.tensor([2 / 6 * 3 / 4 + 3 / 6 * 2 / 3, 1 / 6 * 3 / 5 + 3 / 6 * 1 / 3, 0.0])
    left_out[2] = 1 - left_out[:2].sum()
    torch.testing.assert_close(share[:3], 1 - left_out, rtol=0, atol=0.03)
    assert share[3] == 0


def test_weighted_rescaling_keeps_the_sum_of_absolute_weights():
    data = random_graph(20, 300)
    data.edge_weight[::4] *= -1
    sampler = NeighborSampler(data, [4], "weighted")
    out = sample(sampler, range(20), 0)
    edges = sampler.edge_permutation[out.edge]
    weight = data.edge_weight.abs()
    source, target = data.edge_index
    neighbor = (source != target).double()
    full = torch.zeros(20, dtype=torch.float64).index_add_(0, target, weight * neighbor)
    scaled = weight[edges] * out.metadata[2] * neighbor[edges]
    kept = torch.zeros(20, dtype=torch.float64).index_add_(0, target[edges], scaled)
    torch.testing.assert_close(kept, full)
    assert (out.metadata[2][source[edges] == target[edges]] == 1).all()


def test_weights_of_zero_everywhere():
    data = star([0.0, 0.0, 0.0])
    out = sample(NeighborSampler(data, [2], "weighted"), [0], 0)
    assert out.metadata[2].tolist() == [1.0, 1.0]


def test_sample_follows_from_seed_alone():
    data = random_graph()
    first, second = NeighborSampler(data, [2, 2]), NeighborSampler(data, [2, 2], seed=1)
    state = torch.get_rng_state()
    a, b = sample(first, [1, 2], 5), sample(second, [1, 2], 5)
    assert torch.equal(a.edge, b.edge)
    assert torch.equal(a.node, b.node)
    stream = [sample(first, [1, 2]).edge.tolist() for _ in range(4)]
    again = NeighborSampler(data, [2, 2])
    assert [sample(again, [1, 2]).edge.tolist() for _ in range(4)] == stream
    assert stream[0] != stream[1]
    assert [sample(second, [1, 2]).edge.tolist() for _ in range(4)] != stream
    assert torch.equal(torch.get_rng_state(), state)
    assert mixed_seed(0, 1) != mixed_seed(1, 0) != mixed_seed(0, 0)


def test_in_a_node_loader_of_pyg():
    data = random_graph()
    data.x = torch.arange(60).unsqueeze(1).expand(60, 4)
    data.edge_type = torch.arange(data.num_edges)
    loader = NodeLoader(data, NeighborSampler(data, [3, 3]), batch_size=20, num_workers=1)
    for batch in loader:
        assert torch.equal(batch.x[:, 0], batch.n_id)
        assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.edge_type])
        assert batch.batch_size == 20


def test_cost_does_not_depend_on_the_size_of_the_graph():
    # The same component once and 200 times: the calls see the same number of elements.
    small = random_graph()
    offsets = 60 * torch.arange(200).repeat_interleave(small.num_edges)
    large = Data(edge_index=small.edge_index.repeat(1, 200) + offsets, num_nodes=12_000)
    sizes = []
    for data in (small, large):
        sampler, seen = NeighborSampler(data, [3, 3]), []
        with Sizes(seen):
            sample(sampler, [3, 1], 0)
        sizes.append(seen)
    assert sizes[0] == sizes[1]


class Sizes(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes the size of everything that is computed (views and writes in place apart)."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for value in out if isinstance(out, (tuple, list)) else (out,):
            alias = any(returned.alias_info for returned in function._schema.returns)
            if isinstance(value, torch.Tensor) and not alias:
                self.seen.append((function.__name__, value.numel()))
        return out


def test_copies_in_other_processes_number_nodes_by_themselves():
    """Tensors that go to a spawned worker keep their memory: all workers would write into one."""
    data = random_graph()
    sampler = NeighborSampler(data, [3, 3])
    copy = pickle.loads(ForkingPickler.dumps(sampler))
    copy._local[:] = 7  # as in the middle of a call of another process
    assert (sampler._local == -1).all()
    check_is_a_sample(data, sampler, [5, 0], sample(sampler, [5, 0], 0), [3, 3])
    again = pickle.loads(pickle.dumps(sampler))
    assert torch.equal(sample(again, [5, 0], 0).edge, sample(sampler, [5, 0], 0).edge)


def test_seed_of_numpy_is_that_number():
    data = random_graph()
    ours, theirs = NeighborSampler(data, [2], seed=3), NeighborSampler(data, [2], seed=np.int64(3))
    for _ in range(3):
        assert torch.equal(sample(ours, range(60)).edge, sample(theirs, range(60)).edge)
    assert mixed_seed(np.int64(3), 2, 1, 5) == mixed_seed(3, 2, 1, 5)


@pytest.mark.parametrize("numbers", [8, "88", {("a", "to", "b"): [8]}, None])
def test_refuses_what_is_no_sequence_of_numbers(numbers):
    with pytest.raises(TypeError, match="num_neighbors: expected a sequence with an int for each"):
        NeighborSampler(random_graph(), numbers)


@pytest.mark.parametrize("numbers", [[], [0], [-2], [3, 0]])
def test_refuses_numbers_of_neighbors(numbers):
    with pytest.raises(ValueError, match="num_neighbors: expected a positive number, or -1"):
        NeighborSampler(random_graph(), numbers)


def test_refuses_bad_arguments():
    data = random_graph()
    with pytest.raises(TypeError, match=r"num_neighbors: expected an int, got 2\.5"):
        NeighborSampler(data, [2.5])
    with pytest.raises(ValueError, match=r"method: expected one of .*got 'best'"):
        NeighborSampler(data, [2], "best")
    sampler = NeighborSampler(data, [2])
    with pytest.raises(ValueError, match=r"index.node: expected every seed node once, got 4 2"):
        sample(sampler, [1, 4, 4])
    with pytest.raises(ValueError, match=r"index.node: expected nodes in 0..59, got 60"):
        sample(sampler, [1, 60])
    assert (sampler._local == -1).all()
    with pytest.raises(NotImplementedError, match="samples around nodes"):
        sampler.sample_from_edges(None)
    data.edge_weight[3] = float("inf")
    source, target = data.edge_index[:, 3].tolist()
    message = rf"data.edge_weight: .* finite numbers, got inf at edge 3 \({source} -> {target}\)"
    with pytest.raises(ValueError, match=message):
        NeighborSampler(data, [2], "weighted")
    with pytest.raises(TypeError, match=r"seed: expected an int, got 0\.5"):
        NeighborSampler(data, [2], seed=0.5)
    del data.edge_weight
    with pytest.raises(ValueError, match=r"method='weighted' expects a tensor \[420\], got None"):
        NeighborSampler(data, [2], "weighted")


def test_repr():
    assert repr(NeighborSampler(random_graph(), [8, -1])) == (
        "NeighborSampler([8, -1], method='uniform')"
    )
