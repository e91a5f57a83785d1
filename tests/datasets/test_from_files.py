from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from tests.train.tiny import tiny_model, tiny_trainer
from tgst.datasets import FromFiles
from tgst.train import ForecastData, ForecastTask
from tgst.transforms import GaussianKernel, ScaledLaplacian

IDS = ["c", "a", "b"]


@pytest.fixture
def root(tmp_path):
    r"""A table of three sensors, distances between two pairs of them, and a matrix."""
    moments = pd.date_range("2024-03-01", periods=120, freq="5min")
    speed = np.arange(360, dtype=float).reshape(120, 3)
    speed[5, 1] = -1
    pd.DataFrame(speed, index=moments, columns=IDS).to_csv(tmp_path / "speed.csv")
    (tmp_path / "distances.csv").write_text("from,to,km\na,b,0.5\nb,c,1.5\nb,x,1\n")
    (tmp_path / "matrix.csv").write_text("0,1,0\n0,0,2\n3,0,0\n")
    return tmp_path


def test_distances_are_read_in_the_order_of_the_columns(root):
    dataset = FromFiles(
        root,
        "speed.csv",
        "distances.csv",
        readings_args={"channel": "speed", "missing": (-1,)},
        graph_args={"unit": "km"},
        unit="km/h",
    )
    graph, series = dataset[0], dataset.series
    assert graph.node_id == series.node_id == IDS
    assert graph.edge_index.tolist() == [[1, 2], [2, 0]]
    assert graph.edge_length.tolist() == [500.0, 1500.0]
    assert series.channels == ("speed",)
    assert series.values[:, 4, 0].tolist() == [12.0, 13.0, 14.0]
    assert series.mask[:, 5].tolist() == [True, False, True]


def test_a_matrix_takes_its_names_from_the_columns(root):
    graph = FromFiles(root, "speed.csv", "matrix.csv", "adjacency")[0]
    assert graph.node_id == IDS
    assert graph.edge_index.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert graph.edge_weight.tolist() == [1.0, 2.0, 3.0]


def test_named_nodes_must_be_those_of_the_table(root):
    keyed = '<key id="l" for="edge" attr.name="length" attr.type="double"/>'
    nodes = "".join(f'<node id="{name}"/>' for name in "abd")
    edge = '<edge source="a" target="b"><data key="l">7.5</data></edge>'
    body = f'{keyed}<graph edgedefault="directed">{nodes}{edge}</graph>'
    text = f'<graphml xmlns="http://graphml.graphdrawing.org/xmlns">{body}</graphml>'
    (root / "other.graphml").write_text(text)
    options = {"graph_format": "graphml", "graph_args": {"length": "length"}}
    with pytest.raises(ValueError, match="'d' without readings, 'c' not in the graph"):
        FromFiles(root, "speed.csv", "other.graphml", **options)
    (root / "own.graphml").write_text(text.replace('"d"', '"c"'))
    dataset = FromFiles(root, "speed.csv", "own.graphml", **options)
    assert dataset[0].node_id == dataset.series.node_id == ["a", "b", "c"]
    assert dataset.series.values[:, 4, 0].tolist() == [13.0, 14.0, 12.0]


def test_bad_arguments(root):
    with pytest.raises(ValueError, match=r"`graph_format` must be of .*distances.*, got 'shape'"):
        FromFiles(root, "speed.csv", "distances.csv", "shape")
    with pytest.raises(FileNotFoundError, match=r"absent\.csv"):
        FromFiles(root, "absent.csv", "distances.csv")
    with pytest.raises(ValueError, match=r"`readings_args` must .*read_table: .* 'chanel'"):
        FromFiles(root, "speed.csv", "distances.csv", readings_args={"chanel": "speed"})
    with pytest.raises(ValueError, match=r"`graph_args` must .*read_distances: .* 'units'"):
        FromFiles(root, "speed.csv", "distances.csv", graph_args={"units": "km"})


def test_a_task_trains_on_them(root, tmp_path):
    files = {"readings": "speed.csv", "graph": "distances.csv", "graph_args": {"unit": "km"}}
    data = ForecastData(
        "files",
        str(root),
        {**files, "unit": "km/h"},
        [GaussianKernel(sigma=1000.0), ScaledLaplacian(symmetrize="max")],
        horizon=4,
        time_of_day=True,
    )
    tiny_trainer(tmp_path).fit(ForecastTask(tiny_model()), datamodule=data)
    assert data.unit == "km/h"
    assert torch.isfinite(data.graph.edge_weight).all()
