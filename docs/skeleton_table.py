r"""The table of published skeletons, from the records themselves."""

from __future__ import annotations

import networkx as nx
import torch

from tgst.transforms import SpatialPartition
from tgst.utils import Skeleton

HEADER = ("name", "joints", "bones", "graph", "centre", "exact labels", "truncated labels")


def skeleton_table() -> str:
    r"""Returns a list-table in reStructuredText."""
    rows = [HEADER, *(_row(Skeleton.named(name)) for name in Skeleton.names())]
    cells = [f"   * - {row[0]}\n" + "\n".join(f"     - {cell}" for cell in row[1:]) for row in rows]
    options = "   :header-rows: 1\n   :widths: 21 8 8 18 17 14 14\n"
    return f".. list-table::\n{options}\n" + "\n".join(cells) + "\n"


def _row(skeleton: Skeleton) -> tuple[str, ...]:
    G = skeleton.to_networkx()
    parts = nx.number_connected_components(G)
    kind = "tree" if nx.is_forest(G) else "with cycles"
    kind = kind if parts == 1 else f"{kind}, {parts} parts"
    center = skeleton.center
    joint = "none" if center is None else f"{center}, {skeleton.joints[center]}"
    counts = (_labels(skeleton, hops) for hops in ("exact", "truncated"))
    numbers = (str(skeleton.num_joints), str(len(skeleton.edges)))
    return (f"``{skeleton.name}``", *numbers, kind, joint.replace("_", " "), *counts)


def _labels(skeleton: Skeleton, hop_distance: str) -> str:
    if skeleton.center is None:
        return "--"
    partition = SpatialPartition(skeleton.center, hop_distance=hop_distance)
    label = partition(skeleton.data()).edge_type
    return ", ".join(map(str, torch.bincount(label, minlength=3).tolist()))
