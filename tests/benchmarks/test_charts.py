from __future__ import annotations

import pytest

from benchmarks.charts import times

figures = pytest.importorskip("matplotlib.figure")


def test_a_point_per_name():
    axis = figures.Figure().subplots()
    times(axis, ["ours", "theirs"], [2.0, 8.0], "ours")
    assert axis.collections[0].get_offsets().tolist() == [[2.0, 0.0], [8.0, 1.0]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ours", "theirs"]
    assert axis.get_xlim() == pytest.approx((2.0 / 1.5, 8.0 * 1.5))


def test_nothing_measured():
    axis = figures.Figure().subplots()
    times(axis, [], [], "ours")
    assert [text.get_text() for text in axis.texts] == ["not measured"]
    assert len(axis.collections) == 0
