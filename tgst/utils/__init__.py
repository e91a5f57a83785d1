r"""Graph building and conversion: networkx, space-time graphs, the layouts of other codes."""

from tgst.utils.from_networkx import from_networkx
from tgst.utils.layouts import (
    from_bctn,
    from_btnc,
    from_nctvm,
    to_bctn,
    to_btnc,
    to_nctvm,
)
from tgst.utils.line_graph import line_graph
from tgst.utils.spacetime_graph import spacetime_graph
from tgst.utils.to_networkx import to_networkx

__all__ = [
    "from_bctn",
    "from_btnc",
    "from_nctvm",
    "from_networkx",
    "line_graph",
    "spacetime_graph",
    "to_bctn",
    "to_btnc",
    "to_nctvm",
    "to_networkx",
]
