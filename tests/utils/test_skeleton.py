from __future__ import annotations

import dataclasses
import pickle

import networkx as nx
import numpy as np
import pytest
import torch

from tgst.utils import Skeleton, as_skeleton

EDGES = ((0, 1), (1, 2), (3, 1), (4, 5))  # a cross with a tail, and a pair beside it


def small(**kwargs):
    fields = {
        "name": "small",
        "joints": ("a", "b", "c", "d", "e", "f"),
        "edges": EDGES,
        "parents": (1, -1, 1, 1, -1, 4),
    }
    return Skeleton(**{**fields, **kwargs})


def test_graph_has_both_directions_of_every_bone():
    assert small().edge_index.tolist() == [[0, 1, 3, 4, 1, 2, 1, 5], [1, 2, 1, 5, 0, 1, 3, 4]]
    assert small().num_joints == 6
    lone = Skeleton("lone", ("a",), (), (-1,))
    assert lone.edge_index.shape == (2, 0)
    assert lone.edge_index.dtype == torch.long


def test_parent_of_a_root_is_itself():
    assert small().parent.tolist() == [1, 1, 1, 1, 4, 4]


def test_swap_exchanges_the_sides():
    skeleton = small(pairs=((0, 2), (5, 4)))
    assert skeleton.swap.tolist() == [2, 1, 0, 3, 5, 4]
    x = torch.randn(6, 4, 3)
    assert torch.equal(x[skeleton.swap][skeleton.swap], x)
    assert small().swap.tolist() == list(range(6))


def test_data_of_several_persons():
    one, two = small().data(), small().data(persons=2)
    assert torch.equal(one.edge_index, small().edge_index)
    assert one.num_nodes == 6
    expected = torch.cat([one.edge_index, one.edge_index + 6], dim=1)
    assert torch.equal(two.edge_index, expected)
    assert two.num_nodes == 12
    assert two.e_id.tolist() == [*range(8), *range(8)]


def test_default_parents_are_a_breadth_first_tree_per_component():
    edges = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6)]
    assert Skeleton.from_edges(edges).parents == (-1, 0, 1, 0, -1, 4, 5)
    assert Skeleton.from_edges(edges, center=5).parents == (-1, 0, 1, 0, 5, -1, 5)
    assert Skeleton.from_edges(edges, center=2).parents == (1, 2, -1, 2, -1, 4, 5)
    lone = Skeleton.from_edges([], num_joints=2)
    assert lone.parents == (-1, -1)
    assert lone.joints == ("joint_0", "joint_1")
    assert Skeleton.from_edges([(0, 1)], num_joints=2, parents=[-1, 0]).parents == (-1, 0)


def test_from_edges_by_name_equals_by_number():
    joints = ["hip", "left", "right", "toe"]
    by_name = Skeleton.from_edges(
        [("hip", "left"), ("right", "hip"), ("left", "toe")],
        joints=joints,
        center="hip",
        pairs=[("left", "right")],
        parents=[-1, "hip", "hip", "left"],
        pose=[(0, 1), (1, 0), (-1, 0), (1, -1)],
        name="legs",
    )
    by_number = Skeleton.from_edges(
        np.array([[0, 1], [2, 0], [1, 3]]),
        joints=joints,
        center=np.int64(0),
        pairs=np.array([[1, 2]]),
        pose=np.array([[0, 1], [1, 0], [-1, 0], [1, -1]]),
        name="legs",
    )
    assert by_name == by_number
    assert by_name.edges == ((0, 1), (2, 0), (1, 3))
    assert by_name.pose == ((0, 1), (1, 0), (-1, 0), (1, -1))


def test_from_edge_index_joins_both_directions():
    skeleton = small()
    again = Skeleton.from_edges(skeleton.edge_index, num_joints=6, center=1)
    assert again.edges == EDGES
    assert again.parents == skeleton.parents
    with pytest.raises(ValueError, match=r"edges: expected shape \[2, E\], got \[8, 2\]"):
        Skeleton.from_edges(skeleton.edge_index.T)


def test_networkx_round_trip():
    skeleton = Skeleton.named("openpose-18")
    G = skeleton.to_networkx()
    assert G.nodes["neck"]["pos"] == skeleton.pose[1]
    assert list(G) == list(skeleton.joints)
    names = skeleton.joints
    again = Skeleton.from_networkx(
        G, center="neck", pairs=[(names[left], names[right]) for left, right in skeleton.pairs]
    )
    assert {frozenset(bone) for bone in again.edges} == {frozenset(b) for b in skeleton.edges}
    assert dataclasses.replace(again, edges=skeleton.edges) == skeleton


def test_from_networkx_takes_the_first_two_coordinates():
    G = nx.path_graph(2)
    nx.set_node_attributes(G, {0: (1, 2, 3), 1: (4, 5, 6)}, "pos")
    assert Skeleton.from_networkx(G).pose == ((1, 2), (4, 5))
    del G.nodes[1]["pos"]
    assert Skeleton.from_networkx(G).pose == ()


def test_from_networkx_keeps_node_order_and_joins_directions():
    G = nx.MultiDiGraph([(7, 3), (3, 7), (3, 7), (3, "tip")], name="finger")
    skeleton = Skeleton.from_networkx(G, parents=[3, None, 3], center=3)
    assert skeleton == Skeleton("finger", ("7", "3", "tip"), ((0, 1), (1, 2)), (1, -1, 1), center=1)
    assert Skeleton.from_networkx(nx.path_graph(3), name="path").parents == (-1, 0, 1)


def test_unknown_layout_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"skeleton: expected one of openpose-18, ntu-25, .*") as e:
        Skeleton.named("ntu")
    assert all(name in str(e.value) for name in Skeleton.names())
    assert str(e.value).endswith("got 'ntu'")


def test_as_skeleton():
    assert as_skeleton(small()) == small()
    assert as_skeleton("msr-20") is Skeleton.named("msr-20")
    with pytest.raises(ValueError, match=r"got 'msr-21'"):
        as_skeleton("msr-21")
    with pytest.raises(TypeError, match=r"skeleton: expected a name or a Skeleton, got int"):
        as_skeleton(25)


def test_another_number_of_joints_is_refused():
    Skeleton.named("ntu-25").check(25)
    message = (
        r"clip.x: expected the 25 joints of skeleton 'ntu-25', got 20 \(kinect-20 and msr-20 would "
        r"fit\)"
    )
    with pytest.raises(ValueError, match=message):
        Skeleton.named("ntu-25").check(20, "clip.x")
    with pytest.raises(ValueError, match=r"x: expected the 6 joints of skeleton 'small', got 7$"):
        small().check(7)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"joints": tuple("abcdea")}, r"joints: expected every name once, got 'a' twice"),
        ({"edges": ((0, 1), (1, 6))}, r"edges: expected joints in 0\.\.5, got edge 1 \(1 - 6\)"),
        ({"edges": ((-1, 1),)}, r"edges: expected joints in 0\.\.5, got edge 0 \(-1 - 1\)"),
        ({"edges": ((0, 1), (2, 2))}, r"bones between two joints .* got edge 1 \(2 - 2\)"),
        ({"edges": ((0, 1), (1, 0))}, r"edges: expected every bone once, got edge 1 \(1 - 0\)"),
        ({"parents": (-1, 0)}, r"parents: expected one for each of 6 joints, got 2"),
        ({"parents": (6, -1, 1, 1, -1, 4)}, r"0\.\.5 or -1 for a root, got 6 for joint 0"),
        ({"parents": (1, 2, 0, 1, -1, 4)}, r"got the cycle 0 -> 1 -> 2 -> 0"),
        ({"parents": (1, 1, 0, 1, -1, 4)}, r"parents: expected a tree .* got the cycle 1 -> 1"),
        ({"parents": (5, -1, 1, 5, 5, 4)}, r"got the cycle 4 -> 5 -> 4"),
        ({"center": 6}, r"center: expected joints in 0\.\.5, got 6"),
        ({"pairs": ((0, 1), (2, 1))}, r"pairs: expected every joint once, got joint 1 twice"),
        ({"pairs": ((3, 3),)}, r"pairs: expected every joint once, got joint 3 twice"),
        ({"pairs": ((0, 9),)}, r"pairs: expected joints in 0\.\.5, got \(0, 9\)"),
        ({"pose": ((0.0, 1.0),)}, r"pose: expected a place for 6 joints, got 1"),
    ],
)
def test_parts_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        small(**fields)


def test_bad_edges_of_your_own():
    with pytest.raises(ValueError, match=r"edges: expected one of a, b, got 'c'"):
        Skeleton.from_edges([("a", "c")], joints=["a", "b"])
    with pytest.raises(ValueError, match=r"joints: expected the names that edges uses, .*'hip'"):
        Skeleton.from_edges([("hip", "knee")])
    with pytest.raises(ValueError, match=r"edges: expected pairs of joints, got \(0, 1, 2\)"):
        Skeleton.from_edges([(0, 1, 2)])
    with pytest.raises(ValueError, match=r"edges: expected joints in 0\.\.1, got edge 0 \(0 - 2\)"):
        Skeleton.from_edges([(0, 2)], num_joints=2)
    with pytest.raises(ValueError, match=r"num_joints: expected 2 as in joints, got 3"):
        Skeleton.from_edges([(0, 1)], joints=["a", "b"], num_joints=3)
    with pytest.raises(ValueError, match=r"center: expected joints in 0\.\.1, got 2"):
        Skeleton.from_edges([(0, 1)], center=2)
    with pytest.raises(TypeError, match=r"edges: expected joints by number or name, got 1\.5"):
        Skeleton.from_edges([(0, 1.5)])


def test_records_are_frozen_and_survive_pickling():
    skeleton = Skeleton.named("ntu-25")
    assert pickle.loads(pickle.dumps(skeleton)) == skeleton
    assert hash(skeleton) == hash(Skeleton.named("ntu-25"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        skeleton.center = 0
