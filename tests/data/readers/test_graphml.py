from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
import torch

from tests.data.readers.real import real_file
from tgst.data import read_graphml
from tgst.utils import from_networkx


def save(path: Path) -> Path:
    graph = nx.MultiDiGraph(crs="epsg:4326")
    graph.add_node(53, x="-122.25", y="37.5")
    graph.add_node(54, x="-122.5", y="37.75")
    graph.add_edge(53, 54, length="20.5", lanes="2", oneway="True")
    graph.add_edge(53, 54, length="10.25", oneway="False")
    nx.write_graphml(graph, path)
    return path


def test_file_of_texts(tmp_path: Path) -> None:
    path = save(tmp_path / "roads.graphml")
    data = read_graphml(
        path, length="length", edge_attrs=["lanes", "oneway"], defaults={"lanes": 1}
    )
    assert data.node_id == ["53", "54"]
    assert data.pos.tolist() == [[-122.25, 37.5], [-122.5, 37.75]]
    assert data.edge_length.tolist() == [20.5, 10.25]
    assert data.edge_lanes.tolist() == [2, 1]
    assert data.edge_oneway.tolist() == [True, False]
    assert "x" not in data
    assert read_graphml(str(path), length="length", parallel="min").edge_length.tolist() == [10.25]
    with pytest.raises(ValueError, match=r"edge \('53', '54', 1\), attribute 'lanes': .*got none"):
        read_graphml(path, edge_attrs=["lanes"])


@pytest.mark.parametrize("text", ["", "from,to\n1,2\n", "<graphml><graph", "<other/>"])
def test_no_graphml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "roads.graphml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"roads\.graphml: expected GraphML, got a file with"):
        read_graphml(path)
    with pytest.raises(FileNotFoundError, match=r"none\.graphml: expected a file"):
        read_graphml(tmp_path / "none.graphml")


@pytest.mark.parametrize(("kind", "text"), [("double", "far"), ("boolean", "yes"), ("int", "1.5")])
def test_texts_that_are_not_of_their_type(tmp_path: Path, kind: str, text: str) -> None:
    path = save(tmp_path / "roads.graphml")
    key = '<key id="z" for="edge" attr.name="toll" attr.type="KIND"/>'.replace("KIND", kind)
    content = path.read_text().replace("<graph ", key + "<graph ")
    path.write_text(content.replace("</edge>", f'<data key="z">{text}</data></edge>'))
    with pytest.raises(ValueError, match=rf"roads\.graphml: expected GraphML, .*{text}"):
        read_graphml(path)


def test_broken_archive(tmp_path: Path) -> None:
    path = tmp_path / "roads.graphml.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00" + b"\x00" * 6 + b"\xff" * 40)
    with pytest.raises(ValueError, match=r"roads\.graphml\.gz: expected GraphML, got a file with"):
        read_graphml(path)


def test_piedmont() -> None:
    path = real_file("roads/piedmont.graphml")
    data = read_graphml(path, length="length", edge_attrs=["oneway"])
    assert (data.num_nodes, data.num_edges) == (353, 948)
    assert data.pos[0].tolist() == [-122.2476037, 37.8262501]
    assert data.edge_oneway.sum() == 46
    graph = nx.read_graphml(path)
    lengths = [float(length) for *_, length in graph.edges(data="length")]
    assert torch.equal(data.edge_length, torch.tensor(lengths))
    assert read_graphml(path, length="length", parallel="min").num_edges == 939
    with pytest.raises(ValueError, match=r"attribute 'lanes': .*got none"):
        read_graphml(path, edge_attrs=["lanes"])
    with pytest.raises(ValueError, match=r"attribute 'lanes': .*got \"\['3', '2'\]\""):
        read_graphml(path, edge_attrs=["lanes"], defaults={"lanes": 1})
    for *_, row in graph.edges(data=True):
        if row.get("lanes", "").startswith("["):
            row["lanes"] = 2
    data = from_networkx(graph, edge_attrs=["lanes"], defaults={"lanes": 1})
    assert data.edge_lanes.bincount().tolist() == [0, 803, 127, 10, 8]
