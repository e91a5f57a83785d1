"""Sphinx configuration."""

from __future__ import annotations

from typing import Any

import tgst

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
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "pictures", "tutorials_built"]
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


def skip_tuple_fields(
    app: Any, what: str, name: str, member: object, skip: bool, options: Any
) -> bool | None:
    """Leave out the fields of named tuples, which the docstring describes."""
    return True if type(member).__name__ == "_tuplegetter" else None


def setup(app: Any) -> None:
    app.connect("autodoc-skip-member", skip_tuple_fields)
