import pytest
import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Batch, Data, HeteroData
from torch_geometric.transforms import Compose

from tests.nn.pipelines.graphs import edges_of, labelled
from tgst.loader import PadTime
from tgst.nn import PartitionConv, TemporalConv
from tgst.transforms import UniformPartition

EDGES = torch.tensor([[0, 1], [1, 0]])


def graph(steps, **attributes):
    x = torch.arange(2.0 * steps).view(2, steps, 1) + 1
    return Data(x=x, edge_index=EDGES, **attributes)


def test_one_graph():
    data = graph(2)
    out = PadTime(length=4, value=-1.0)(data)
    assert out.x[..., 0].tolist() == [[1, 2, -1, -1], [3, 4, -1, -1]]
    assert out.mask.tolist() == [[True, True, False, False]] * 2
    assert out.mask.dtype == torch.bool
    assert out.edge_index is data.edge_index
    assert sorted(data.keys()) == ["edge_index", "x"]  # the input stays as it was
    assert data.x.shape == (2, 2, 1)


def test_no_padding_needed():
    out = PadTime(length=3)(graph(3))
    assert torch.equal(out.x, graph(3).x)
    assert out.mask.all()
    assert out.mask.shape == (2, 3)


def test_a_mask_stays():
    mask = torch.tensor([[True, False], [False, True]])
    data = graph(2, mask=mask)
    assert PadTime(length=3)(data).mask.tolist() == [[True, False, False], [False, True, False]]
    assert data.mask is mask


def test_a_list_becomes_a_batch():
    batch = PadTime()([graph(2), graph(3, y=torch.ones(2, 5)), graph(1)][::2])
    assert isinstance(batch, Batch)
    assert batch.x[..., 0].tolist() == [[1, 2], [3, 4], [1, 0], [2, 0]]
    assert batch.mask.tolist() == [[True, True], [True, True], [True, False], [True, False]]
    assert batch.batch.tolist() == [0, 0, 1, 1]
    assert batch.edge_index.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]
    assert PadTime(length=5)([graph(2), graph(3)]).x.shape == (4, 5, 1)


def test_batch_dimensions_and_dtypes():
    data = Data(x=torch.ones(2, 3, 4, 1, dtype=torch.float64), edge_index=EDGES)
    data.mask = torch.rand(2, 3, 4) > 0.5
    out = PadTime(length=6)(data)
    assert out.x.shape == (2, 3, 6, 1)
    assert out.x.dtype == torch.float64
    assert torch.equal(out.mask[..., :4], data.mask)
    assert not out.mask[..., 4:].any()


def test_targets_are_padded_if_named():
    data = graph(2, y=torch.tensor([[[1], [2]], [[3], [4]]]))
    assert torch.equal(PadTime(length=3)(data).y, data.y)
    out = PadTime(length=3, value=-1.0, keys=["y"])(data)
    assert out.y[..., 0].tolist() == [[1, 2, -1], [3, 4, -1]]
    assert out.y.dtype == torch.long


def test_as_transform_and_as_collate():
    transform = Compose([UniformPartition(), PadTime(length=4)])
    assert transform(graph(3)).x.shape == (2, 4, 1)
    loader = DataLoader([graph(s) for s in (1, 4, 2)], batch_size=2, collate_fn=PadTime())
    assert [batch.x.size(1) for batch in loader] == [4, 2]
    assert [batch.num_graphs for batch in loader] == [2, 1]


def test_layers_on_a_padded_batch_equal_the_graphs_alone():
    torch.manual_seed(0)
    graphs = [labelled(6, 9, 0, steps=7), labelled(4, 3, 1, steps=12), labelled(9, 14, 2, steps=9)]
    spatial = PartitionConv(2, 4, 3).double()
    temporal = TemporalConv(4, 3, 3, padding="causal", gate="glu").double()
    batch = PadTime()(graphs)
    out = temporal(spatial(batch.x, *edges_of(batch)))
    assert out.shape == (19, 12, 3)
    for number, data in enumerate(graphs):
        mine = batch.batch == number
        expected = temporal(spatial(data.x, *edges_of(data)))
        torch.testing.assert_close(out[mine][batch.mask[mine]].view_as(expected), expected)


def test_graphs_come_back_out_of_a_padded_batch():
    graphs = [graph(2), graph(3)]
    for one, out in zip(graphs, PadTime()(graphs).to_data_list(), strict=True):
        assert torch.equal(out.x[out.mask].view(one.x.shape), one.x)
        assert torch.equal(out.edge_index, one.edge_index)


def test_a_batch_is_padded_graph_by_graph():
    """A mask of the batch as a whole would be lost when it is taken apart."""
    batch = PadTime(length=4)(Batch.from_data_list([graph(2), graph(2)]))
    assert batch.batch.tolist() == [0, 0, 1, 1]
    assert batch.mask.tolist() == [[True, True, False, False]] * 4
    for out in batch.to_data_list():
        assert torch.equal(out.mask, PadTime(length=4)(graph(2)).mask)
        assert torch.equal(out.x, PadTime(length=4)(graph(2)).x)


def test_in_the_process_of_a_worker():
    graphs = [graph(2), graph(3)]
    loader = DataLoader(graphs, batch_size=2, collate_fn=PadTime(value=-1.0), num_workers=1)
    (batch,) = loader
    expected = PadTime(value=-1.0)(graphs)
    assert torch.equal(batch.x, expected.x)
    assert torch.equal(batch.mask, expected.mask)


@pytest.mark.parametrize("value", [float("nan"), 0.5])
def test_a_value_that_a_dtype_cannot_hold(value):
    data = graph(2, y=torch.ones(2, 2, 1).long())
    assert PadTime(length=3, value=value)(data).x.dtype == torch.float32
    message = rf"data\.y: expected a floating point dtype for value={value}, got torch\.int64"
    with pytest.raises(ValueError, match=message):
        PadTime(length=3, value=value, keys=["y"])(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HeteroData(), "data: expected Data or a list of Data, got HeteroData"),
        ([graph(2), HeteroData()], "data: expected a list of Data, got HeteroData in it"),
        (torch.ones(2, 3, 1), "data: expected a list of Data, got Tensor in it"),
    ],
)
def test_other_data(data, message):
    with pytest.raises(TypeError, match=message):
        PadTime()(data)


@pytest.mark.parametrize(
    ("transform", "data", "message"),
    [
        (PadTime(), graph(2), "length: expected a number of steps for a single graph, got None"),
        (PadTime(length=2), graph(3), r"length: expected at least the 3 steps of data.x, got 2"),
        (PadTime(length=2), [graph(3)], r"length: expected at least the 3 steps of data.x, got 2"),
        (PadTime(), [], "data: expected at least one graph, got an empty list"),
        (
            PadTime(4),
            Data(x=torch.ones(2, 3)),
            r"data.x: expected .*steps, channels\], got \[2, 3\]",
        ),
        (PadTime(4), Data(num_nodes=2), r"data.x: expected .* got NoneType"),
        (PadTime(4, keys=["y"]), graph(2), r"data.y: expected .*2, channels\].*got NoneType"),
        (
            PadTime(4, keys=["y"]),
            graph(2, y=torch.ones(2, 3, 1)),
            r"data.y: expected \[num_nodes, \*, 2, channels\] \(the steps of x\), got \[2, 3, 1\]",
        ),
        (
            PadTime(4),
            graph(2, mask=torch.ones(2, 3).bool()),
            r"data.mask: expected shape \[2, 2\] and torch.bool, got \[2, 3\] torch.bool",
        ),
        (PadTime(4), graph(2, mask=torch.ones(2, 2)), r"data.mask: .*got \[2, 2\] torch.float32"),
    ],
)
def test_errors(transform, data, message):
    with pytest.raises(ValueError, match=message):
        transform(data)


def test_arguments():
    with pytest.raises(ValueError, match="length: expected at least 1, got 0"):
        PadTime(length=0)
    with pytest.raises(TypeError, match="length: expected an int, got float"):
        PadTime(length=2.5)
    with pytest.raises(ValueError, match="keys: expected a sequence of names, got 'y'"):
        PadTime(keys="y")
    assert repr(PadTime(4, keys=["y"])) == "PadTime(length=4, value=0.0, keys=('y',))"
