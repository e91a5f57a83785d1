"""The tutorials: the build of the documentation runs them; here is what can be said without."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

import tgst

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.py"))
TREES = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in TUTORIALS}


def chain(node: ast.expr) -> list[str] | None:
    """The names of a.b.c, or None for what is not such a chain."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [*names, node.id][::-1] if isinstance(node, ast.Name) else None


def test_one_for_each_use():
    assert [path.stem for path in TUTORIALS] == [
        "plot_1_pyg_pipeline",
        "plot_2_custom_road_network",
        "plot_3_large_graph",
        "plot_4_dense_or_sparse",
        "plot_5_own_skeleton",
        "plot_6_published_checkpoint",
        "plot_7_camera_stream",
        "plot_8_grids_are_graphs",
        "plot_9_spatial_transformer",
    ]
    assert (FOLDER / "README.rst").read_text(encoding="utf-8").startswith("Tutorials\n====")


@pytest.mark.parametrize("name", TREES)
def test_title(name):
    title, underline, blank, *text = ast.get_docstring(TREES[name]).split("\n")
    assert underline == "=" * len(title)
    assert not blank
    assert len(text) >= 3


@pytest.mark.parametrize("name", TREES)
def test_names_exist_after_the_imports_that_stand_there(name):
    # Some rooms of the package are loaded when they are first used, others only by an import.
    imported = {*tgst.__all__, *tgst._HEAVY}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names if alias.name.startswith("tgst.")]
            imported |= {module.split(".")[1] for module in modules}
            for module in modules:
                importlib.import_module(module)
    chains = {tuple(names) for node in ast.walk(TREES[name]) if (names := chain(node))}
    used = {names for names in chains if names[0] == "tgst" and len(names) > 2}
    assert used
    for _, room, part, *_ in used:
        assert room in imported
        assert part in importlib.import_module(f"tgst.{room}").__all__


@pytest.mark.parametrize("name", TREES)
def test_draws_a_figure_and_prints(name):
    called = [chain(node.func) for node in ast.walk(TREES[name]) if isinstance(node, ast.Call)]
    assert ["print"] in called
    drawn = (["plt", "show"], ["tgst", "visualize", "plot_forecast"])
    assert any(call in called for call in drawn)


def test_figures_without_pyplot_are_saved_once(tmp_path, monkeypatch):
    pytest.importorskip("sphinx_gallery")
    monkeypatch.syspath_prepend(FOLDER.parent)
    scrape = importlib.import_module("figure_scraper").scrape
    plain, of_pyplot = Figure(), plt.figure()
    figure = Figure(figsize=(1, 1))
    moving = FuncAnimation(figure, lambda frame: figure.suptitle(str(frame)), frames=2)
    paths = [tmp_path / f"{number}.png" for number in (1, 2, 3)]
    block = {
        "example_globals": {
            "map_of_errors": plain,
            "figure": of_pyplot,
            "number": 3,
            "dog": moving,
        },
        "image_path_iterator": map(str, paths),
    }
    text = scrape(None, block, {"src_dir": str(tmp_path)})
    plt.close(of_pyplot)
    assert "map of errors" in text
    assert "1.png" in text
    assert "2.gif" in text
    assert paths[1].with_suffix(".gif").read_bytes()[:6] == b"GIF89a"
    assert [path.exists() for path in paths] == [True, False, False]
    assert scrape(None, block, {"src_dir": str(tmp_path)}) == ""
