"""The code blocks of the documentation run; what they give is asserted in the blocks."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def blocks(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^\.\. code-block:: python\n\n((?:(?: {3}.*)?\n)+)", text, re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


PAGES = {page.name: blocks(page) for page in sorted(DOCS.glob("*.rst")) if blocks(page)}


def test_pages_with_code():
    assert set(PAGES) >= {"data.rst", "one_idea.rst", "tensors.rst", "traffic.rst", "training.rst"}
    count = sum(page.read_text().count(".. code-block:: python") for page in DOCS.glob("*.rst"))
    assert sum(map(len, PAGES.values())) == count


@pytest.mark.parametrize("page", PAGES)
def test_code_of_page(page):
    names: dict = {}
    for block in PAGES[page]:
        assert "assert " in block
        exec(compile(block, page, "exec"), names)
