from __future__ import annotations

import copy
import gc

import lightning.pytorch as lightning
import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import NodeLoader
from torch_geometric.transforms import ToUndirected

import tgst
from tests.data.test_series import stamps
from tests.loader.test_neighbor_sampler import Sizes
from tgst.data import Series
from tgst.loader import NeighborWindowLoader, WindowLoader
from tgst.metrics import masked_mae
from tgst.nn.models import TrafficSTGCN
from tgst.ops.cache import _cache
from tgst.transforms import DirectionPartition, FirstOrderKernel, ScaledLaplacian

NODES, STEPS = 40, 90


def series_of(num_nodes=NODES, num_steps=STEPS, dtype=torch.float64, **kwargs) -> Series:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(num_nodes, num_steps, 2, generator=generator, dtype=dtype) + 1
    mask = torch.rand(num_nodes, num_steps, generator=generator) < 0.8
    return Series(values, stamps(num_steps), mask, channels=("speed", "flow"), **kwargs)


def roads(num_nodes=NODES, seed=0) -> Data:
    """A ring with chords: directed, of varying in-degrees, without parallel roads."""
    generator = torch.Generator().manual_seed(seed)
    ring = torch.arange(num_nodes)
    tail, reach = (
        torch.randint(*ends, (num_nodes,), generator=generator)
        for ends in ((0, num_nodes), (-3, 4))
    )
    edge_index = torch.stack([torch.cat([ring, tail]), torch.cat([ring + 1, tail + reach])])
    edge_index = edge_index % num_nodes
    edge_index = edge_index[:, edge_index[0] != edge_index[1]].unique(dim=1)
    length = torch.rand(edge_index.size(1), generator=generator, dtype=torch.float64) + 0.5
    data = Data(edge_index=edge_index, edge_length=length, num_nodes=num_nodes)
    data.edge_weight = 1 / length
    data.pos = torch.rand(num_nodes, 2, generator=generator)
    return data


def graph_for(kernel) -> Data:
    if kernel == "cheb":
        return ScaledLaplacian()(ToUndirected()(roads()))
    if kernel == "first_order":
        return FirstOrderKernel()(ToUndirected()(roads()))
    return DirectionPartition()(roads())


def loader(data=None, series=None, **kwargs) -> NeighborWindowLoader:
    options = {"history": 12, "horizon": 3, "num_neighbors": [2, 2], "batch_size": 6} | kwargs
    return NeighborWindowLoader(
        series_of() if series is None else series,
        DirectionPartition()(roads()) if data is None else data,
        **options,
    )


def call(model, batch):
    label = batch.get("edge_type")
    return model(batch.x, batch.edge_index, label, batch.edge_weight, batch.e_id)


def same(first: Data, second: Data) -> bool:
    tensors = {key: value for key, value in first.to_dict().items() if torch.is_tensor(value)}
    return all(torch.equal(value, second[key]) for key, value in tensors.items())


def test_the_line_of_the_manual():
    series, data = series_of(dtype=torch.float32), DirectionPartition()(roads())
    for batch in tgst.loader.NeighborWindowLoader(
        series, data, history=12, horizon=12, num_neighbors=[8, 8], batch_size=1024
    ):
        assert batch.x.shape == (NODES, 1, 12, 2)
        assert batch.y.shape == (NODES, 1, 12, 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_equals_series_and_graph_at_its_nodes(workers):
    data, series = DirectionPartition()(roads()), series_of()
    batches = loader(data, series, num_windows=3, time_of_day=True, num_workers=workers)
    assert isinstance(batches, NodeLoader)
    seen = []
    for batch in batches:
        nodes, size = batch.n_id, batch.batch_size
        assert batch.num_nodes == len(nodes) == len(batch.x)
        assert torch.equal(nodes[batch.edge_index], data.edge_index[:, batch.e_id])
        assert torch.equal(batch.edge_type, data.edge_type[batch.e_id])
        assert torch.equal(batch.edge_length, data.edge_length[batch.e_id])
        assert torch.equal(batch.pos, data.pos[nodes])
        assert torch.equal(batch.input_id, nodes[:size])
        for position, start in enumerate(batch.start.tolist()):
            now, end = start + 12, start + 15
            assert torch.equal(batch.x[:, position], series.values[nodes, start:now])
            assert torch.equal(batch.mask[:, position], series.mask[nodes, start:now])
            assert torch.equal(batch.y[:, position], series.values[nodes[:size], now:end])
            assert torch.equal(batch.y_mask[:, position], series.mask[nodes[:size], now:end])
            day = torch.from_numpy(tgst.data.time_of_day(series.timestamps[start:end]))
            assert torch.equal(batch.covariates[0, position], day.double())
            moments = batches.timestamps_of(batch)[position]
            assert (moments == series.timestamps[now:end]).all()
        assert batch.covariates.shape == (1, 3, 15, 2)
        seen += nodes[:size].tolist()
    assert seen == list(range(NODES))


@pytest.mark.parametrize("importance", [False, True])
@pytest.mark.parametrize("kernel", ["cheb", "first_order", "partition"])
def test_full_neighborhood_gives_the_full_graph_output(kernel, importance):
    torch.manual_seed(0)
    data, series = graph_for(kernel), series_of()
    model = TrafficSTGCN(
        2, 2, horizon=3, kernel=kernel, num_partitions=3, channels=[(5, 3, 4), (4, 3, 5)],
        edge_importance=importance, num_edges=data.num_edges,
    ).double()  # fmt: skip
    assert model.num_hops == (4 if kernel == "cheb" else 2)
    if importance:
        torch.nn.init.uniform_(model.edge_importance.weight, 0.5, 1.5)
    sampled = loader(data, series, num_neighbors=[-1] * model.num_hops, batch_size=3, num_windows=2)
    whole = WindowLoader(series, 12, 3)
    smallest = NODES
    for batch in sampled:
        smallest = min(smallest, batch.num_nodes)
        windows = whole.dataset.windows(batch.start)  # part=None: window 0 starts in row 0
        seeds = batch.n_id[: batch.batch_size]
        full = model(windows.x, data.edge_index, data.get("edge_type"), data.edge_weight, data.e_id)
        out = call(model, batch)[: batch.batch_size]
        torch.testing.assert_close(out, full[seeds], rtol=1e-12, atol=1e-12)
        grads = [
            torch.autograd.grad(loss, list(model.parameters()))
            for loss in (
                masked_mae(out, batch.y, batch.y_mask),
                masked_mae(full[seeds], windows.y[seeds], windows.y_mask[seeds]),
            )
        ]
        for own, expected in zip(*grads, strict=True):
            torch.testing.assert_close(own, expected, rtol=1e-12, atol=1e-12)
    assert smallest < NODES  # something was sampled away


def test_one_hop_too_few_is_another_output():
    torch.manual_seed(0)
    data, series = graph_for("partition"), series_of()
    model = TrafficSTGCN(2, 2, horizon=3, kernel="partition", num_partitions=3).double()
    batches = [next(iter(loader(data, series, num_neighbors=[-1] * hops))) for hops in (1, 2, 3)]
    one, two, three = (call(model, batch)[:6] for batch in batches)
    assert (one - two).abs().max() > 1e-6
    torch.testing.assert_close(two, three, rtol=1e-12, atol=1e-12)


def test_order_and_samples_follow_from_seed_and_epoch():
    options = {"part": "train", "seed": 3, "num_windows": 2}
    state = torch.get_rng_state()
    first = loader(**options)
    epochs = [list(first) for _ in range(2)]
    assert not same(epochs[0][0], epochs[1][0])
    second = loader(num_workers=1, **options)
    second.set_epoch(1)
    for ours, theirs in zip(second, epochs[1], strict=True):
        assert same(ours, theirs)
    seeds = [batch.n_id[: batch.batch_size] for batch in epochs[0]]
    assert sorted(torch.cat(seeds).tolist()) == list(range(NODES))
    assert not same(next(iter(loader(part="train", seed=4, num_windows=2))), epochs[0][0])
    assert torch.equal(torch.get_rng_state(), state)
    still = loader(part="val", split=(0.4, 0.3, 0.3))
    assert all(same(a, b) for a, b in zip(still, still, strict=True))


@pytest.mark.slow
def test_spawned_persistent_workers_give_the_same_batches():
    options = {"part": "train", "num_windows": 2}
    plain = loader(**options)
    spawned = loader(
        num_workers=1, multiprocessing_context="spawn", persistent_workers=True, **options
    )
    for _ in range(2):
        assert all(same(a, b) for a, b in zip(spawned, plain, strict=True))


def test_all_pairs_for_evaluation():
    batches = loader(
        pairing="all", part="test", split=(0.4, 0.3, 0.3), num_windows=4, stride=3,
        input_nodes=torch.tensor([3, 9, 1, 30, 31, 32, 33]),
    )  # fmt: skip
    assert batches.starts.tolist() == list(range(51, 76, 3))
    assert len(batches) == 2 * 3
    pairs = [
        (node, start)
        for batch in batches
        for node in batch.n_id[: batch.batch_size].tolist()
        for start in batch.start.tolist()
    ]
    nodes = [3, 9, 1, 30, 31, 32, 33]
    assert sorted(pairs) == sorted((n, s) for n in nodes for s in batches.starts.tolist())


def test_input_nodes_as_a_mask():
    wanted = torch.zeros(NODES, dtype=torch.bool)
    wanted[[4, 8, 15]] = True
    batch = next(iter(loader(input_nodes=wanted)))
    assert batch.n_id[: batch.batch_size].tolist() == [4, 8, 15]
    assert batch.input_id.tolist() == [0, 1, 2]


def test_cost_does_not_depend_on_the_size_of_the_graph():
    small, series = roads(), series_of(NODES, 30)
    copies = 50
    offsets = NODES * torch.arange(copies).repeat_interleave(small.num_edges)
    large = Data(edge_index=small.edge_index.repeat(1, copies) + offsets)
    large.num_nodes = NODES * copies
    large.edge_weight = small.edge_weight.repeat(copies)
    large.pos = small.pos.repeat(copies, 1)
    repeated = Series(
        series.values.repeat(copies, 1, 1), series.timestamps, series.mask.repeat(copies, 1)
    )
    del small.edge_length
    sizes = []
    for data, readings in ((small, series), (large, repeated)):
        batches, seen = loader(data, readings, input_nodes=torch.arange(12)), []
        step = next(iter(batches.plan))
        with Sizes(seen):
            batches.collate_fn(step)
        sizes.append(seen)
    assert sizes[0] == sizes[1]
    assert len(sizes[0]) > 50


@pytest.mark.parametrize(
    ("nodes", "came"),
    [
        ([40], r"in 0\.\.39, got 40"),
        ([-1], r"in 0\.\.39, got -1"),
        ([1, 7, 7], "every node at most once, got 7 2 times"),
        ([0.5], r"got torch\.float32 of shape \[1\]"),
        ([[1]], r"got torch\.int64 of shape \[1, 1\]"),
        ([True, False], r"got torch\.bool of shape \[2\]"),
        (["depot"], "got list: "),
        ({1, 2}, "got set: "),
    ],
)
def test_refuses_input_nodes(nodes, came):
    with pytest.raises(ValueError, match=f"`input_nodes` must .*{came}"):
        loader(input_nodes=nodes)


def test_refuses_what_belongs_to_the_plan():
    with pytest.raises(ValueError, match=r"`sampler` is not taken.*got list"):
        loader(sampler=[1])
    with pytest.raises(NotImplementedError, match="iterate over it"):
        loader()([1])
    data = roads()
    data.edge_type = torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"data.edge_type: expected one entry for each of the"):
        loader(data)


def test_memory_mapped_readings(tmp_path):
    series = series_of()
    np.save(tmp_path / "values.npy", series.values.numpy())
    values = np.load(tmp_path / "values.npy", mmap_mode="r")
    mapped = Series(values, series.timestamps, series.mask, channels=series.channels)
    for one, other in zip(loader(), loader(series=mapped), strict=True):
        assert same(one, other)


def test_transform_and_repr():
    def double(batch):
        batch.x = batch.x * 2
        return batch

    plain, doubled = loader(), loader(transform=double)
    assert torch.equal(next(iter(doubled)).x, 2 * next(iter(plain)).x)
    assert len(plain.dataset) == NODES
    assert len(loader(input_nodes=[4, 2]).dataset) == 2
    assert repr(plain).startswith("NeighborWindowLoader(Series(nodes=40")
    assert repr(plain).endswith("NeighborSampler([2, 2], method='uniform'), steps=7)")


def test_batches_may_be_joined_in_the_main_process():
    apart = loader(filter_per_worker=False, num_workers=1, num_windows=2)
    for one, other in zip(apart, loader(num_windows=2), strict=True):
        assert same(one, other)


def test_copy_after_a_pass_with_persistent_workers():
    first = loader(num_workers=1, persistent_workers=True)
    batches = list(first)
    again = copy.deepcopy(first)
    for one, other in zip(again, batches, strict=True):
        assert same(one, other)


class _Module(lightning.LightningModule):
    """Keeps what a trainer gives it."""

    def __init__(self):
        super().__init__()
        self.weight, self.trained = torch.nn.Parameter(torch.ones(())), []

    def training_step(self, batch, index):
        self.trained.append(batch)
        return self.weight * batch.y.mean()

    def predict_step(self, batch, index):
        return batch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore")
def test_in_a_trainer_of_lightning(tmp_path):
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    module, options = _Module(), {"part": "train", "num_neighbors": [1, 1], "num_windows": 2}
    trainer.fit(module, loader(**options))
    expected = loader(**options)
    for ours, theirs in zip(module.trained, [*expected, *expected], strict=True):
        assert same(ours, theirs)

    def halve(batch):
        batch.x = batch.x / 2
        return batch

    options |= {"part": "val", "split": (0.4, 0.3, 0.3), "pairing": "all", "transform": halve}
    made_in_a_hook = lightning.LightningDataModule()
    made_in_a_hook.predict_dataloader = lambda: loader(**options)
    for given in ({"dataloaders": loader(**options)}, {"datamodule": made_in_a_hook}):
        predicted = trainer.predict(module, **given)
        for ours, theirs in zip(predicted, loader(**options), strict=True):
            assert same(ours, theirs)


def test_sorted_orders_are_forgotten_with_their_batch():
    options = {"kernel": "partition", "num_partitions": 3, "channels": [(4, 4, 4)] * 2}
    model = TrafficSTGCN(2, 2, horizon=3, **options).double()
    gc.collect()
    before = len(_cache)
    for batch in loader():
        call(model, batch).sum().backward()
    assert len(_cache) <= before + 1
    del batch
    gc.collect()
    assert len(_cache) == before


def test_sampled_training_learns():
    """Waves run around rings of roads: the next value is that of the node upstream."""
    torch.manual_seed(0)
    side, steps = 12, 300
    place = torch.arange(side * side).view(side, side)
    east = torch.stack([place, place.roll(-1, 1)]).flatten(1)
    data = DirectionPartition()(Data(edge_index=east, num_nodes=side * side))
    noise = torch.randn(side * side, steps, generator=torch.Generator().manual_seed(1))
    values = torch.zeros(side * side, steps)
    for step in range(1, steps):
        before = values[:, step - 1]
        carried = torch.zeros(side * side).index_add_(0, east[1], before[east[0]])
        values[:, step] = 0.9 * carried + 0.5 * noise[:, step]
    series = Series(values.unsqueeze(-1), stamps(steps))
    model = TrafficSTGCN(
        1, 1, horizon=1, kernel="partition", num_partitions=3, channels=[(8, 8, 8)] * 2
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    options = {"batch_size": 24, "num_windows": 8, "horizon": 1}
    train = loader(data, series, part="train", num_neighbors=[1, 1], **options)  # of two
    val = loader(data, series, part="val", num_neighbors=[-1, -1], **options)

    def error():
        with torch.no_grad():
            errors = [masked_mae(call(model, b)[: b.batch_size], b.y, b.y_mask) for b in val]
        return float(torch.stack(errors).mean())

    start = error()
    for _ in range(30):
        for batch in train:
            optimizer.zero_grad()
            masked_mae(call(model, batch)[: batch.batch_size], batch.y, batch.y_mask).backward()
            optimizer.step()
    last_value = [(b.x[: b.batch_size, :, -1:] - b.y).abs().mean() for b in val]
    assert error() < 0.7 * start
    assert error() < 0.8 * float(torch.stack(last_value).mean())
