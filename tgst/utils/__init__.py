r"""Graph building and conversion: networkx, space-time graphs, grids, skeletons, the layouts of
other codes.
"""

from tgst.utils.from_networkx import from_networkx
from tgst.utils.grid_graph import grid_graph
from tgst.utils.layouts import (
    from_bctn,
    from_btnc,
    from_nctvm,
    grid_to_nodes,
    nodes_to_grid,
    to_bctn,
    to_btnc,
    to_nctvm,
)
from tgst.utils.line_graph import line_graph
from tgst.utils.repeat_graph import repeat_graph
from tgst.utils.skeleton import Skeleton, as_skeleton
from tgst.utils.spacetime_graph import spacetime_graph
from tgst.utils.streams import bone_mask, bones, motion, motion_mask
from tgst.utils.to_networkx import to_networkx

__all__ = [
    "Skeleton",
    "as_skeleton",
    "bone_mask",
    "bones",
    "from_bctn",
    "from_btnc",
    "from_nctvm",
    "from_networkx",
    "grid_graph",
    "grid_to_nodes",
    "line_graph",
    "motion",
    "motion_mask",
    "nodes_to_grid",
    "repeat_graph",
    "spacetime_graph",
    "to_bctn",
    "to_btnc",
    "to_nctvm",
    "to_networkx",
]
