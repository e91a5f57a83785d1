r"""Shows figures in the tutorials that were made without pyplot, as those of tgst.visualize are.

Sphinx-Gallery looks for the figures that pyplot keeps. The plots of tgst touch no global state, so
they are found among the variables of the tutorial instead.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

_shown: WeakSet[Figure] = WeakSet()


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    r"""Saves the figures that a block of a tutorial left in its variables."""
    paths = []
    for value in block_vars["example_globals"].values():
        # Those of pyplot have a manager, and are found by Sphinx-Gallery itself.
        if isinstance(value, Figure) and value.canvas.manager is None and value not in _shown:
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=100)
            _shown.add(value)
    return figure_rst(paths, gallery_conf["src_dir"])
