r"""Shows figures in the tutorials that were made without pyplot, as those of tgst.visualize are.

Sphinx-Gallery looks for the figures that pyplot keeps. The plots of tgst touch no global state, so
they are found among the variables of the tutorial instead. Animations become GIFs.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from weakref import WeakSet

from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

logging.getLogger("matplotlib.animation").setLevel(logging.WARNING)  # it tells of every GIF

_shown: WeakSet[Figure | FuncAnimation] = WeakSet()


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    r"""Saves the figures that a block of a tutorial left in its variables.

    To be called before Sphinx-Gallery's own scraper, which closes the figures of pyplot: until then
    they have a manager.
    """
    images = []
    for name, value in block_vars["example_globals"].items():
        if not isinstance(value, Figure | FuncAnimation) or value in _shown:
            continue
        _shown.add(value)
        figure = value if isinstance(value, Figure) else value._fig
        if figure.canvas.manager is None:
            path = _saved(value, next(block_vars["image_path_iterator"]))
            images.append(figure_rst([path], gallery_conf["src_dir"], name.replace("_", " ")))
    return "\n\n".join(images)


def _saved(value: Figure | FuncAnimation, path: str) -> str:
    if isinstance(value, Figure):
        value.savefig(path, dpi=100)
        return path
    path = str(Path(path).with_suffix(".gif"))
    value.save(path, writer=PillowWriter(1000 / value._interval), dpi=70)
    return path
