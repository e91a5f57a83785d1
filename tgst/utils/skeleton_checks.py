"""What makes a skeleton valid, and the tree that stands in for missing parents."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Sequence
from typing import Any

Pairs = Sequence[tuple[int, int]]


def check_skeleton(
    joints: Sequence[str],
    edges: Pairs,
    parents: Sequence[int],
    center: int | None,
    pairs: Pairs,
    pose: Sequence[tuple[float, float]],
) -> None:
    r"""Refuses parts of a skeleton that do not fit together.

    Raises:
        ValueError: See :class:`~tgst.utils.Skeleton`.
    """
    repeated = [joint for joint in joints if list(joints).count(joint) > 1]
    if repeated:
        raise ValueError(f"joints: expected every name once, got {repeated[0]!r} twice")
    _check_edges(edges, len(joints))
    _check_parents(parents, len(joints))
    if center is not None and not 0 <= center < len(joints):
        raise ValueError(f"center: expected {_range(len(joints))}, got {center}")
    _check_pairs(pairs, len(joints))
    if len(pose) not in (0, len(joints)):
        raise ValueError(f"pose: expected a place for {len(joints)} joints, got {len(pose)}")


def joint_number(argument: str, joint: Any, joints: Sequence[str]) -> int:
    r"""Returns the number of a joint that is given by number or by name.

    Raises:
        TypeError: If it is neither.
        ValueError: If no joint has this name.
    """
    if isinstance(joint, str):
        if joint not in joints:
            raise ValueError(f"{argument}: expected one of {', '.join(joints)}, got {joint!r}")
        return joints.index(joint)
    try:
        return operator.index(joint)
    except TypeError:
        raise TypeError(f"{argument}: expected joints by number or name, got {joint!r}") from None


def breadth_first_parents(edges: Pairs, num_joints: int, center: int | None) -> tuple[int, ...]:
    r"""Returns the parent of every joint in a breadth-first tree, -1 for a root.

    The roots are :obj:`center`, if given, and the first joint of every other component. Neighbours
    are visited in the order of the edges.

    Raises:
        ValueError: If an edge or the centre names a joint that does not exist.
    """
    _check_edges(edges, num_joints)
    neighbors: list[list[int]] = [[] for _ in range(num_joints)]
    for a, b in edges:
        neighbors[a].append(b)
        neighbors[b].append(a)
    parents: dict[int, int] = {}
    first = [] if center is None or not 0 <= center < num_joints else [center]
    for root in [*first, *range(num_joints)]:
        if root in parents:
            continue
        parents[root] = -1
        waiting = deque([root])
        while waiting:
            joint = waiting.popleft()
            for neighbor in neighbors[joint]:
                if neighbor not in parents:
                    parents[neighbor] = joint
                    waiting.append(neighbor)
    return tuple(parents[joint] for joint in range(num_joints))


def _range(num_joints: int) -> str:
    return f"joints in 0..{num_joints - 1}"


def _check_edges(edges: Pairs, num_joints: int) -> None:
    seen = set()
    for number, (a, b) in enumerate(edges):
        if not (0 <= a < num_joints and 0 <= b < num_joints):
            raise ValueError(f"edges: expected {_range(num_joints)}, got edge {number} ({a} - {b})")
        if a == b:
            raise ValueError(
                f"edges: expected bones between two joints (partitions add the self loops), got "
                f"edge {number} ({a} - {b})"
            )
        if frozenset((a, b)) in seen:
            raise ValueError(
                f"edges: expected every bone once, got edge {number} ({a} - {b}) again"
            )
        seen.add(frozenset((a, b)))


def _check_parents(parents: Sequence[int], num_joints: int) -> None:
    if len(parents) != num_joints:
        raise ValueError(
            f"parents: expected one for each of {num_joints} joints, got {len(parents)}"
        )
    for joint, parent in enumerate(parents):
        if not -1 <= parent < num_joints:
            raise ValueError(
                f"parents: expected {_range(num_joints)} or -1 for a root, got {parent} for joint "
                f"{joint}"
            )
    for joint in range(num_joints):
        path = [joint]
        while parents[path[-1]] >= 0:
            path.append(parents[path[-1]])
            if path[-1] == joint:
                names = " -> ".join(map(str, path))
                raise ValueError(f"parents: expected a tree (-1 for a root), got the cycle {names}")
            if len(path) > num_joints:  # a cycle further up, which is reported from its own joints
                break


def _check_pairs(pairs: Pairs, num_joints: int) -> None:
    seen: set[int] = set()
    for left, right in pairs:
        for joint in (left, right):
            if not 0 <= joint < num_joints:
                raise ValueError(f"pairs: expected {_range(num_joints)}, got ({left}, {right})")
            if joint in seen:
                raise ValueError(f"pairs: expected every joint once, got joint {joint} twice")
            seen.add(joint)
