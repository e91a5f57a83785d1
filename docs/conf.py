"""Sphinx configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

import tgst

sys.path.insert(0, str(Path(__file__).parent))  # for figure_scraper and the tables

from performance_tables import write_tables
from skeleton_table import skeleton_table

project = "tgst"
author = "The tgst developers"
copyright = "2026, The tgst developers"
version = release = tgst.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "pictures", "tutorials"]
html_theme = "furo"
html_title = f"tgst {release}"
html_show_sphinx = False

# One page per package, written by _templates/package.rst from what its __all__ names.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types and shapes are in the docstrings
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Shapes", "Convention"]

# Every tutorial is run, and one that fails fails the build. One that has not changed since the last
# build is not run again: remove tutorials_built to have all of them run.
# Their steps are small: threads on a busy machine would mostly wait for each other.
torch.set_num_threads(1)
sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "tutorials_built",
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ("figure_scraper.scrape", "matplotlib"),
    "capture_repr": (),  # what a page shows is printed or drawn
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 0,
}


def skip_tuple_fields(
    app: Any, what: str, name: str, member: object, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples, which the docstring describes."""
    return True if type(member).__name__ == "_tuplegetter" else None


def write_skeleton_table(app: Any) -> None:
    """Write what skeletons.rst includes."""
    path = Path(app.srcdir, "generated", "skeleton_table.txt")
    path.parent.mkdir(exist_ok=True)
    path.write_text(skeleton_table(), encoding="utf-8")


def write_performance_tables(app: Any) -> None:
    """Write what performance.rst includes."""
    write_tables(Path(app.srcdir, "generated"))


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("builder-inited", write_skeleton_table)
    app.connect("builder-inited", write_performance_tables)
