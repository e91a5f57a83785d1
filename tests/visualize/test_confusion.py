from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.visualize import plot_confusion

MATRIX = torch.tensor([[6, 2, 0], [0, 3, 1], [0, 0, 0]])


def parts(figure):
    axes = figure.axes[0]
    return axes, axes.images[0].get_array()


def test_rows_are_classes_and_shades_their_shares():
    figure = plot_confusion(MATRIX, ["walk", "run", "fly"])
    axes, shade = parts(figure)
    np.testing.assert_allclose(shade, [[0.75, 0.25, 0], [0, 0.75, 0.25], [0, 0, 0]])
    assert {text.get_position(): text.get_text() for text in axes.texts} == {
        (0, 0): "6",
        (1, 0): "2",
        (1, 1): "3",
        (2, 1): "1",
    }
    assert [label.get_text() for label in axes.get_xticklabels()] == ["walk", "run", "fly"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["walk", "run", "fly"]
    assert axes.get_title() == "75.0% of 12 clips right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("class", "recognised as")


def test_counts_as_shades():
    axes, shade = parts(plot_confusion(MATRIX.tolist(), normalize=False))
    assert shade.tolist() == MATRIX.tolist()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "1", "2"]


def test_what_was_classified_is_named():
    figure = plot_confusion(MATRIX, items="images", normalize=False)
    assert figure.axes[0].get_title() == "75.0% of 12 images right"
    assert figure.axes[1].get_ylabel() == "images"


def test_many_classes_have_no_numbers_in_the_cells(tmp_path):
    figure = plot_confusion(np.eye(100, dtype=int))
    assert len(parts(figure)[0].texts) == 0
    figure.savefig(tmp_path / "many.png")
    assert (tmp_path / "many.png").stat().st_size > 0


def test_names_of_sixty_classes_can_be_read():
    figure = plot_confusion(np.eye(60, dtype=int), [f"class {number}" for number in range(60)])
    label = figure.axes[0].get_yticklabels()[0]
    assert label.get_fontsize() == 8
    height = figure.get_figheight() * 72 / 60  # points that a row has at most
    assert label.get_fontsize() < 0.8 * height


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"matrix: expected counts of shape \(K, K\), got \(2, 3\)"
    ):
        plot_confusion(np.ones((2, 3)))
    with pytest.raises(ValueError, match="matrix: expected counts"):
        plot_confusion(np.zeros((0, 0)))
    with pytest.raises(ValueError, match="matrix: expected counts"):
        plot_confusion(-np.eye(2))
    with pytest.raises(ValueError, match="class_names: expected 3 names, got 2"):
        plot_confusion(MATRIX, ["walk", "run"])
