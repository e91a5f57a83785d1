"""The code blocks of the documentation run; what they give is asserted in the blocks."""

from __future__ import annotations

import importlib
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
    assert set(PAGES) >= {"skeletons.rst", "actions.rst", "clips.rst", "recognition.rst"}
    count = sum(page.read_text().count(".. code-block:: python") for page in DOCS.glob("*.rst"))
    assert sum(map(len, PAGES.values())) == count


@pytest.mark.parametrize("page", PAGES)
def test_code_of_page(page):
    names: dict = {}
    for block in PAGES[page]:
        assert "assert " in block
        exec(compile(block, page, "exec"), names)


def test_table_of_skeletons(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    table = importlib.import_module("skeleton_table").skeleton_table()
    rows = [row.split("\n     - ") for row in table.strip().split("\n   * - ")[1:]]
    assert all(len(row) == 7 for row in rows)
    cells = {row[0].strip("`"): row[1:] for row in rows[1:]}
    # The counts of the published code, and those of exact distances.
    assert cells["ntu-25"] == ["25", "24", "tree", "20, spine shoulder", "25, 24, 24", "25, 40, 8"]
    assert cells["coco-17"][2:] == ["with cycles", "0, nose", "17, 22, 16", "17, 34, 4"]
    assert cells["mediapipe-pose-33"][2:] == ["with cycles, 3 parts", "none", "--", "--"]
