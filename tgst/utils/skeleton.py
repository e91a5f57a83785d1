"""One record per skeleton: its joints, bones, centre, sides and a pose to draw it in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.utils.repeat_graph import repeat_graph
from tgst.utils.skeleton_checks import breadth_first_parents, check_skeleton, joint_number

if TYPE_CHECKING:
    import networkx

Pair = tuple[int, int]


@dataclass(frozen=True)
class Skeleton:
    r"""The layout of a skeleton: one source for its graph, its bone stream and its drawing.

    :meth:`named` gives the published layouts, :meth:`from_edges` and :meth:`from_networkx` make
    one of your own.

    Convention: joints are numbered from 0. Left and right are those of the person. :obj:`pose` has
    x to the right and y up, and shows the person from the front, so that its left is on the right.

    The parents make the bone stream :math:`x_i - x_{\mathrm{parent}(i)}`
    (:func:`~tgst.utils.bones`). They are a forest, where the graph may have cycles, and they need
    not follow the edges: published bone streams measure the hips of COCO from the nose.

    Args:
        name (str): The name of the layout.
        joints (tuple[str]): The names of the joints, in the order of the data.
        edges (tuple[tuple[int, int]]): The bones, each in one direction, in the order in which
            they are drawn.
        parents (tuple[int]): The parent of every joint; -1 for a root.
        center (int, optional): The joint from which the spatial partition counts hops; :obj:`None`
            where none is published. (default: :obj:`None`)
        pairs (tuple[tuple[int, int]], optional): Left joints with their right ones.
            (default: :obj:`()`)
        pose (tuple[tuple[float, float]], optional): A place for every joint, for drawings; empty if
            there is none. (default: :obj:`()`)

    Raises:
        ValueError: If a name occurs twice, an edge, parent, centre or pair names a joint that does
            not exist, an edge is a self loop or occurs twice, the parents form a cycle, or a joint
            is in two pairs.
    """

    name: str
    joints: tuple[str, ...]
    edges: tuple[Pair, ...]
    parents: tuple[int, ...]
    center: int | None = None
    pairs: tuple[Pair, ...] = ()
    pose: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        check_skeleton(self.joints, self.edges, self.parents, self.center, self.pairs, self.pose)

    @staticmethod
    def names() -> tuple[str, ...]:
        r"""Returns the names of the layouts that :meth:`named` knows."""
        from tgst.utils.skeletons import SKELETONS  # which imports this file

        return tuple(SKELETONS)

    @staticmethod
    def named(name: str) -> Skeleton:
        r"""Returns a published layout.

        Args:
            name (str): Its name, such as :obj:`"ntu-25"`.

        Raises:
            ValueError: If there is none of this name; the message lists those that there are.
        """
        from tgst.utils.skeletons import SKELETONS

        if name not in SKELETONS:
            known = ", ".join(SKELETONS)
            raise ValueError(f"skeleton: expected one of {known}, got {name!r}")
        return SKELETONS[name]

    @staticmethod
    def from_edges(
        edges: Iterable[Sequence[int | str]] | Tensor,
        *,
        joints: Sequence[str] | None = None,
        num_joints: int | None = None,
        parents: Sequence[int | str] | None = None,
        center: int | str | None = None,
        pairs: Iterable[Sequence[int | str]] = (),
        name: str = "custom",
        pose: Iterable[Sequence[float]] | None = None,
    ) -> Skeleton:
        r"""Makes a skeleton of your own. Joints are given by number or, if they are named, by name.

        Args:
            edges (iterable of pairs or torch.Tensor): The bones, each once; or an
                :obj:`edge_index`, :math:`(2, |\mathcal{E}|)`, with one direction or both.
            joints (list of str, optional): The names of the joints.
                (default: :obj:`"joint_0"`, ...)
            num_joints (int, optional): Their number, if they have no names. (default: the largest
                number in :obj:`edges` plus one)
            parents (list, optional): The parent of every joint, -1 for a root. (default: a
                breadth-first tree from :obj:`center`, and in other components, or without
                centre, from the first joint)
            center (int or str, optional): The centre joint. (default: :obj:`None`)
            pairs (iterable of pairs, optional): Left joints with their right ones.
                (default: :obj:`()`)
            name (str, optional): The name of the layout. (default: :obj:`"custom"`)
            pose (iterable of pairs, optional): A place for every joint. (default: :obj:`None`)

        Raises:
            ValueError: If the parts do not fit together (see :class:`Skeleton`).
        """
        listed = _bones(edges) if isinstance(edges, Tensor) else [tuple(e) for e in edges]
        if joints is None:
            named = [joint for edge in listed for joint in edge if isinstance(joint, str)]
            if named:
                raise ValueError(
                    f"joints: expected the names that edges uses, got None ({named[0]!r})"
                )
            numbers = [int(joint) for edge in listed for joint in edge]
            count = max(numbers, default=-1) + 1 if num_joints is None else num_joints
            joints = [f"joint_{number}" for number in range(count)]
        if num_joints is not None and num_joints != len(joints):
            raise ValueError(f"num_joints: expected {len(joints)} as in joints, got {num_joints}")
        middle = None if center is None else joint_number("center", center, joints)
        bones = _numbered("edges", listed, joints)
        if parents is None:
            tree = breadth_first_parents(bones, len(joints), middle)
        else:
            tree = tuple(joint_number("parents", parent, joints) for parent in parents)
        places = tuple((float(x), float(y)) for x, y in (() if pose is None else pose))
        sides = _numbered("pairs", [tuple(pair) for pair in pairs], joints)
        return Skeleton(name, tuple(joints), bones, tree, middle, sides, places)

    @staticmethod
    def from_networkx(
        G: networkx.Graph,
        *,
        parents: Sequence[Any] | None = None,
        center: Any = None,
        pairs: Iterable[Sequence[Any]] = (),
        name: str | None = None,
    ) -> Skeleton:
        r"""Makes a skeleton from a networkx graph, whose nodes are joints in the order of
        :obj:`G.nodes()`, named by :obj:`str(node)`.

        Directions and parallel edges are joined to one bone. If every node has a :obj:`"pos"`, its
        first two numbers are the pose.

        Args:
            G (networkx.Graph): The graph.
            parents (list, optional): The parent **node** of every joint, :obj:`None` for a root.
                (default: a breadth-first tree)
            center (node, optional): The centre. (default: :obj:`None`)
            pairs (iterable of pairs, optional): Left nodes with their right ones.
                (default: :obj:`()`)
            name (str, optional): The name of the layout. (default: that of the graph, or
                :obj:`"custom"`)

        Raises:
            ValueError: If the parts do not fit together (see :class:`Skeleton`).
        """
        joints = [str(node) for node in G.nodes()]
        bones = _each_once((str(source), str(target)) for source, target in G.edges())
        places = [attributes.get("pos") for _, attributes in G.nodes(data=True)]
        return Skeleton.from_edges(
            bones,
            joints=joints,
            parents=None if parents is None else [-1 if p is None else str(p) for p in parents],
            center=None if center is None else str(center),
            pairs=[(str(left), str(right)) for left, right in pairs],
            name=name or G.name or "custom",
            pose=None if any(place is None for place in places) else [p[:2] for p in places if p],
        )

    def to_networkx(self) -> networkx.Graph:
        r"""Returns an undirected graph of the joint names, with the pose, if any, as
        :obj:`"pos"`.
        """
        import networkx

        G = networkx.Graph(name=self.name)
        G.add_nodes_from(self.joints)
        G.add_edges_from((self.joints[a], self.joints[b]) for a, b in self.edges)
        networkx.set_node_attributes(G, dict(zip(self.joints, self.pose, strict=False)), "pos")
        return G

    @property
    def num_joints(self) -> int:
        r"""The number of joints :math:`V`."""
        return len(self.joints)

    @property
    def edge_index(self) -> Tensor:
        r"""All bones as listed, then all of them in the other direction, :math:`(2, 2 B)`."""
        bones = torch.tensor(self.edges, dtype=torch.long).view(-1, 2).T
        return torch.cat([bones, bones.flip(0)], dim=1)

    @property
    def parent(self) -> Tensor:
        r"""The parent of every joint, a root its own, :math:`(V)`."""
        parents = torch.tensor(self.parents, dtype=torch.long)
        return torch.where(parents < 0, torch.arange(self.num_joints), parents)

    @property
    def swap(self) -> Tensor:
        r"""The permutation that exchanges left and right: :obj:`x[skeleton.swap]`, :math:`(V)`."""
        swap = torch.arange(self.num_joints)
        for left, right in self.pairs:
            swap[left], swap[right] = right, left
        return swap

    def data(self, persons: int = 1) -> Data:
        r"""Returns the graph, or the disjoint union of one per person
        (:func:`~tgst.utils.repeat_graph`): label the edges of one person first.

        Args:
            persons (int, optional): The number of persons. (default: :obj:`1`)
        """
        data = Data(edge_index=self.edge_index, num_nodes=self.num_joints)
        return data if persons == 1 else repeat_graph(data, persons)

    def check(self, num_joints: int, argument: str = "x") -> None:
        r"""Refuses data of another number of joints.

        Args:
            num_joints (int): The number of joints in the data.
            argument (str, optional): What the message calls the data. (default: :obj:`"x"`)

        Raises:
            ValueError: Unless it is that of the skeleton.
        """
        if num_joints != self.num_joints:
            others = [each for each in self.names() if self.named(each).num_joints == num_joints]
            hint = f" ({' and '.join(others)} would fit)" if others else ""
            raise ValueError(
                f"{argument}: expected the {self.num_joints} joints of skeleton {self.name!r}, got "
                f"{num_joints}{hint}"
            )


def as_skeleton(skeleton: str | Skeleton) -> Skeleton:
    r"""Returns a skeleton as it is, or the published one of that name.

    Raises:
        TypeError: If it is neither a name nor a skeleton.
        ValueError: If there is none of this name.
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    if not isinstance(skeleton, str):
        raise TypeError(f"skeleton: expected a name or a Skeleton, got {type(skeleton).__name__}")
    return Skeleton.named(skeleton)


def _bones(edge_index: Tensor) -> list[Any]:
    if edge_index.dim() != 2 or edge_index.size(0) != 2:
        raise ValueError(f"edges: expected shape [2, E], got {list(edge_index.shape)}")
    return _each_once(tuple(pair) for pair in edge_index.T.tolist())


def _each_once(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    found: dict[frozenset[Any], tuple[Any, Any]] = {}
    for pair in pairs:
        found.setdefault(frozenset(pair), pair)
    return list(found.values())


def _numbered(argument: str, pairs: list[Any], joints: Sequence[str]) -> tuple[Pair, ...]:
    wrong = [pair for pair in pairs if len(pair) != 2]
    if wrong:
        raise ValueError(f"{argument}: expected pairs of joints, got {wrong[0]}")
    return tuple(
        (joint_number(argument, a, joints), joint_number(argument, b, joints)) for a, b in pairs
    )
