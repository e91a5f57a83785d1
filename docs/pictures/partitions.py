"""Draws the labels of the spatial partition on the skeleton of NTU RGB+D, exact and truncated.

``python docs/pictures/partitions.py`` writes ``partition_exact.png`` and
``partition_truncated.png`` beside this file.
"""

from __future__ import annotations

from pathlib import Path

import tgst
from tgst.visualize import plot_partition

NAMES = ("0 the joint itself", "1 from farther out, or tied", "2 from nearer to the centre")


def draw(hop_distance: str) -> None:
    skeleton = tgst.utils.Skeleton.named("ntu-25")
    partition = tgst.transforms.SpatialPartition(skeleton.center, hop_distance=hop_distance)
    data = partition(skeleton.data())
    figure = plot_partition(data, skeleton=skeleton, center=skeleton.center, names=NAMES)
    figure.savefig(Path(__file__).with_name(f"partition_{hop_distance}.png"), dpi=75)


if __name__ == "__main__":
    for kind in ("exact", "truncated"):
        draw(kind)
