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
    r"""Saves the figures that a block of a tutorial left in its variables.

    To be called before Sphinx-Gallery's own scraper, which closes the figures of pyplot: until then
    they have a manager.
    """
    images = []
    for name, value in block_vars["example_globals"].items():
        if isinstance(value, Figure) and value not in _shown:
            _shown.add(value)
            if value.canvas.manager is None:
                path = next(block_vars["image_path_iterator"])
                value.savefig(path, dpi=100)
                images.append(figure_rst([path], gallery_conf["src_dir"], name.replace("_", " ")))
    return "\n\n".join(images)
