from __future__ import annotations

import warnings
from pathlib import Path

import networkx as nx
import pytest
import torch

from tests.data.readers.real import real_file
from tgst.data import read_tntp
from tgst.utils import to_networkx

NET = """<NUMBER OF ZONES> 2\t
<NUMBER OF NODES> 5
<FIRST THRU NODE> 3
<NUMBER OF LINKS> 4
<ORIGINAL HEADER>~ \tfrom \tto\tcapacity (veh/h)\tLength (km)\tfftt (min)
<END OF METADATA>\t

~ \tinit_node\tterm_node\tcapacity\tlength\tfree_flow_time\tlanes\ttype\t;
\t1\t3\t2880.5\t0.904\t2.26\t2\t1\t;
\t3\t1\t1000\t0.5\t2\t1\t1\t
\t3 2  1200 1.5 3 2 7;

\t1\t3\t900\t2\t4\t1\t3\t;
"""
NODE = """Node	X	Y	;
5	5.5	-5	;
1	-122.2476037	37.8262501	;
2	2	0	;
3	3	1
4	4	0	;
"""
FLOW = (
    "From \tTo \tVolume \tCost \n3 \t2 \t7.5 \t1 \n1 \t3 \t10 \t1 \n3 \t1 \t20 \t2 \n1\t3\t30\t2\n"
)
TAGS = (
    "<NUMBER OF ZONES> -1\n<NUMBER OF NODES> -1\n<NUMBER OF LINKS> -1\n"
    "<ORIGINAL HEADER>Tail Head Volume Cost ;\n<END OF METADATA>\n\n"
)


def write(folder: Path, **texts: str) -> dict[str, Path]:
    paths = {}
    for name, text in texts.items():
        paths[name] = folder / f"city_{name}.tntp"
        paths[name].write_text(text)
    return paths


def read(folder: Path, net: str = NET, node: str = NODE, flow: str = FLOW, **arguments: str):
    return read_tntp(**write(folder, net=net, node=node, flow=flow), **arguments)


def test_network(tmp_path: Path) -> None:
    data = read(tmp_path)
    assert data.node_id == ["5", "1", "2", "3", "4"]  # the order of the node file
    assert data.num_nodes == 5
    ends = [(data.node_id[a], data.node_id[b]) for a, b in data.edge_index.T.tolist()]
    assert ends == [("1", "3"), ("3", "1"), ("3", "2"), ("1", "3")]
    assert data.pos.dtype == torch.float64
    assert data.pos[:2].tolist() == [[5.5, -5], [-122.2476037, 37.8262501]]
    assert data.edge_length.tolist() == [904, 500, 1500, 2000]
    assert data.edge_capacity.tolist() == [2880.5, 1000, 1200, 900]
    assert data.edge_free_flow_time.tolist() == pytest.approx([2.26, 2, 3, 4])
    assert data.edge_lanes.tolist() == [2, 1, 2, 1]
    assert data.edge_link_type.tolist() == [1, 1, 7, 3]
    assert data.edge_flow.tolist() == [10, 20, 7.5, 30]  # parallel links in the order of both
    assert data.e_id.tolist() == [0, 1, 2, 3]
    assert (data.num_zones, data.first_thru_node) == (2, 3)
    assert not {"edge_type", "edge_weight"} & set(data.keys())
    assert data.validate()


def test_network_without_coordinates(tmp_path: Path) -> None:
    data = read_tntp(**write(tmp_path, net=NET))
    assert data.node_id == ["1", "2", "3", "4", "5"]
    assert data.edge_index.tolist() == [[0, 2, 2, 0], [2, 0, 1, 2]]
    assert not {"pos", "edge_flow"} & set(data.keys())


@pytest.mark.parametrize(
    "unit", ["Length (ft)", "length (feet)", "LENGTH [ft]", "link length (Ft)"]
)
def test_unit_in_the_file(tmp_path: Path, unit: str) -> None:
    data = read(tmp_path, NET.replace("Length (km)", unit))
    assert data.edge_length.tolist() == pytest.approx([0.2755392, 0.1524, 0.4572, 0.6096])


def test_unit_as_argument(tmp_path: Path) -> None:
    plain = NET.replace("Length (km)", "Length")
    assert read(tmp_path, plain, length_unit="mi").edge_length[1] == pytest.approx(804.672)
    assert read(tmp_path, length_unit="m").edge_length.tolist() == pytest.approx(
        [0.904, 0.5, 1.5, 2]
    )
    with pytest.raises(
        ValueError, match=r"length_unit: .*city_net\.tntp, which states none, got N"
    ):
        read(tmp_path, plain)
    with pytest.raises(ValueError, match=r"length_unit: .*which states 'parsec', got None"):
        read(tmp_path, NET.replace("(km)", "(parsec)"))
    with pytest.raises(ValueError, match=r"length_unit: expected one of \('m', .*, got 'yd'"):
        read(tmp_path, length_unit="yd")


@pytest.mark.parametrize("flow", [TAGS + FLOW, TAGS + FLOW.replace("From", "~ From"), FLOW[24:]])
def test_flow_files_without_counts(tmp_path: Path, flow: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(tmp_path, flow=flow).edge_flow.tolist() == [10, 20, 7.5, 30]


@pytest.mark.parametrize("count", ["<NUMBER OF LINKS> -1", ""])
def test_header_without_counts(tmp_path: Path, count: str) -> None:
    with pytest.warns(UserWarning, match=r"city_net\.tntp: the header has no counts"):
        assert read(tmp_path, NET.replace("<NUMBER OF LINKS> 4", count)).num_edges == 4
    bare = NET[NET.index("~ \tinit") :]
    with pytest.warns(UserWarning, match="the header has no counts"):
        data = read_tntp(**write(tmp_path, net=bare), length_unit="km")
    assert data.node_id == ["1", "2", "3"]  # those of the links
    assert not {"num_zones", "first_thru_node"} & set(data.keys())


def test_columns_without_names(tmp_path: Path) -> None:
    rows = "<NUMBER OF NODES> 2\n<NUMBER OF LINKS> 1\n1 2 10 0.5 3 0.15 4 50 0 9 ;\n"
    data = read_tntp(**write(tmp_path, net=rows), length_unit="km")
    assert (data.edge_length.item(), data.edge_speed.item(), data.edge_link_type.item()) == (
        500,
        50,
        9,
    )
    with pytest.raises(
        ValueError, match=r"city_net\.tntp: expected a line that names its 9 columns"
    ):
        read_tntp(**write(tmp_path, net=rows.replace(" 9 ;", "")), length_unit="km")
    with pytest.raises(
        ValueError, match=r"expected different names of columns, got .*'lanes', 'lan"
    ):
        read(tmp_path, NET.replace("\ttype\t", "\tlanes\t"))


def test_comments_are_no_names(tmp_path: Path) -> None:
    comment = "~ these seven words are not seven names\n"
    data = read(tmp_path, NET.replace("\t3 2  1200", comment + "\t3 2  1200"))
    assert data.edge_capacity.tolist() == [2880.5, 1000, 1200, 900]
    assert data.edge_link_type.tolist() == [1, 1, 7, 3]


def test_files_of_other_systems(tmp_path: Path) -> None:
    expected = read(tmp_path)
    texts = {"net": NET.rstrip(" ;\n"), "node": NODE, "flow": FLOW}
    paths = write(tmp_path, **texts)
    for name, path in paths.items():
        path.write_bytes(("\ufeff" + texts[name].replace("\n", "\r\n")).encode())
    data = read_tntp(**paths)
    assert data.node_id == expected.node_id
    for name in ("edge_index", "edge_length", "edge_link_type", "edge_flow", "pos"):
        assert torch.equal(data[name], expected[name])


def test_large_ids_without_counts(tmp_path: Path) -> None:
    rows = "~ init_node term_node length\n9007199254740992 12 1\n12 7000000000000 2\n"
    with pytest.warns(UserWarning, match="the header has no counts"):
        data = read_tntp(**write(tmp_path, net=rows), length_unit="m")
    assert data.node_id == ["12", "7000000000000", "9007199254740992"]
    assert data.edge_index.tolist() == [[2, 0], [0, 1]]


def test_counts_that_disagree(tmp_path: Path) -> None:
    cut = NET[: NET.index("\t1\t3\t900")]
    message = r"city_net\.tntp: expected 4 lines as <NUMBER OF LINKS> says, got 3; .*line 11\?"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, cut)
    with pytest.raises(ValueError, match=r"city_node\.tntp: expected the 5 nodes .*, got 4; "):
        read(tmp_path, node=NODE.replace("4\t4\t0\t;\n", ""))
    flow = TAGS.replace("LINKS> -1", "LINKS> 5") + FLOW
    with pytest.raises(ValueError, match=r"city_flow\.tntp: expected 5 lines .*, got 4"):
        read(tmp_path, flow=flow)
    with pytest.raises(ValueError, match=r"expected an integer for <NUMBER OF NODES>, got 'five'"):
        read(tmp_path, NET.replace("NODES> 5", "NODES> five"))


def test_ids_that_do_not_match(tmp_path: Path) -> None:
    wrong = NET.replace("\t1\t3\t2880", "\t1\t2\t2880").replace("\t3\t1\t", "\t2\t1\t")
    with pytest.raises(ValueError, match=r"net\.tntp line 11: .*one of the 5 nodes 1\.\.9, got 3"):
        read(tmp_path, wrong, node=NODE.replace("3\t3\t1", "9\t3\t1"))
    with pytest.raises(ValueError, match=r"net\.tntp line 9: .*one of the 5 nodes 1\.\.5, got 6"):
        read_tntp(**write(tmp_path, net=NET.replace("\t1\t3\t2880", "\t1\t6\t2880")))
    with pytest.raises(
        ValueError, match=r"node\.tntp line 3: expected every node once, got 5 again"
    ):
        read(tmp_path, node=NODE.replace("1\t-122", "5\t-122"))
    for text in ("0", "1.5", "-3"):
        with pytest.raises(ValueError, match=rf"net\.tntp line 9: expected an id .*, got {text}"):
            read(tmp_path, NET.replace("\t1\t3\t2880", f"\t{text}\t3\t2880"))


def test_flows_that_do_not_match(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"flow\.tntp: .*none for 3 -> 2 \(line 11 there\)"):
        read(tmp_path, flow=FLOW.replace("3 \t2 \t7.5 \t1 \n", ""))
    with pytest.raises(ValueError, match=r"flow\.tntp line 2: expected a link of .*, got 2 -> 3"):
        read(tmp_path, flow=FLOW.replace("3 \t2 ", "2 \t3 "))
    with pytest.raises(
        ValueError, match=r"flow\.tntp line 6: expected a link of .*once, got 3 -> 2"
    ):
        read(tmp_path, flow=FLOW + "3 2 1 1\n")
    with pytest.raises(
        ValueError, match=r"flow\.tntp line 6: expected a link of .*once, got 5 -> 5"
    ):
        read(tmp_path, flow=FLOW + "5 5 1 1\n")


@pytest.mark.parametrize("cell", ["fast", "nan", "inf", "1_0", "\u0661"])
def test_cells_that_are_no_numbers(tmp_path: Path, cell: str) -> None:
    message = rf"net\.tntp line 10, column 4: expected a finite number, got '{cell}'"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, NET.replace("\t1000\t0.5", f"\t1000\t{cell}"))


def test_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"line 13: expected 7 cells, got 4; is the file cut off"):
        read(tmp_path, NET[: NET.index("\t4\t1\t3\t;")])
    with pytest.raises(
        ValueError, match=r"city_net\.tntp: .*empty file; was it written completely"
    ):
        read(tmp_path, " \n")
    paths = write(tmp_path, net=NET, node=NODE)
    paths["node"].write_bytes(b"node\tX\tY\n\xff\n")
    with pytest.raises(ValueError, match=r"city_node\.tntp line 2: expected UTF-8 .* byte 0xff"):
        read_tntp(**paths)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tntp: expected a file, found none"):
        read_tntp(tmp_path / "nowhere.tntp")


def test_no_links(tmp_path: Path) -> None:
    empty = NET[: NET.index("\t1\t3\t2880")].replace("LINKS> 4", "LINKS> 0")
    data = read_tntp(
        **write(tmp_path, net=empty.replace("\tlanes\ttype", "\tb\tpower\tspeed\ttoll\ttype"))
    )
    assert data.edge_index.shape == (2, 0)
    assert data.num_nodes == 5


def test_sydney() -> None:
    net, node = (real_file(f"roads/Sydney_{kind}.tntp") for kind in ("net", "node"))
    data = read_tntp(net, node)
    assert (data.num_nodes, data.num_edges) == (33_113, 75_379)
    assert data.edge_length[:3].tolist() == pytest.approx([904, 27, 257])
    assert data.pos[0].tolist() == [151.197, -33.852]
    graph = to_networkx(data, node_attrs=(), edge_attrs=())
    assert nx.number_weakly_connected_components(graph) == 12


def test_chicago_and_its_flows() -> None:
    paths = (real_file(f"roads/ChicagoRegional_{kind}.tntp") for kind in ("net", "node", "flow"))
    data = read_tntp(*paths, length_unit="mi")
    assert (data.num_nodes, data.num_edges, data.num_zones) == (12_982, 39_018, 1790)
    assert data.edge_flow[:2].tolist() == pytest.approx([1380.42, 1271.61])
    assert data.edge_length[0] == pytest.approx(0.45 * 1609.344)


def test_anaheim_and_sioux_falls() -> None:
    net, flow = (real_file(f"roads/Anaheim_{kind}.tntp") for kind in ("net", "flow"))
    data = read_tntp(net, flow=flow)
    assert (data.num_nodes, data.num_edges) == (416, 914)
    assert data.edge_length[0] == pytest.approx(1609.344)  # 5,280 feet
    with pytest.raises(ValueError, match="length_unit: "):
        read_tntp(real_file("roads/SiouxFalls_net.tntp"))
    with pytest.raises(
        ValueError, match=r"SiouxFalls_flow\.tntp line 2: expected a link of .*, got 1 -> 2"
    ):
        read_tntp(net, flow=real_file("roads/SiouxFalls_flow.tntp"))
