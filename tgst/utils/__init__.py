r"""Graph building and conversion: networkx graphs, and the layouts of other codes."""

from tgst.utils.from_networkx import from_networkx
from tgst.utils.layouts import (
    from_bctn,
    from_btnc,
    from_nctvm,
    to_bctn,
    to_btnc,
    to_nctvm,
)

__all__ = [
    "from_bctn",
    "from_btnc",
    "from_nctvm",
    "from_networkx",
    "to_bctn",
    "to_btnc",
    "to_nctvm",
]
