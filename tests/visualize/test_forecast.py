from __future__ import annotations

import subprocess
import sys

import matplotlib.dates as mdates
import numpy as np
import pytest
import torch

from tgst.visualize import plot_forecast

NODES, ROWS, HORIZON, WINDOWS = 4, 60, 6, 20
FIRST_ROW = 30


def example():
    generator = torch.Generator().manual_seed(0)
    stamps = np.datetime64("2024-03-04T06:00", "s") + np.arange(ROWS) * np.timedelta64(300, "s")
    truth = 50 + torch.randn(NODES, ROWS, generator=generator)
    prediction = 50 + torch.randn(NODES, WINDOWS, HORIZON, generator=generator)
    rows = torch.arange(FIRST_ROW, FIRST_ROW + WINDOWS)
    steps = torch.arange(1.0, HORIZON + 1)
    return stamps, truth, prediction, rows, {"ours": steps, "last value": 2 * steps}


def panels(figure):
    """The panels of the nodes and the panel of the errors."""
    *nodes, errors = figure.axes
    return nodes, errors


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def drawn(line):
    """Times and values of a line as they lie on the axes."""
    return line.get_xdata(orig=True), line.get_ydata(orig=True)


def test_forecast_stands_at_the_time_it_is_for():
    stamps, truth, prediction, rows, errors = example()
    figure = plot_forecast(stamps, truth, prediction, rows, errors, nodes=(2, 0), steps=(1, 4))
    axes, _ = panels(figure)
    assert len(axes) == 2
    for panel, node in zip(axes, (2, 0), strict=True):
        curves = lines(panel)
        assert list(curves) == ["observed", "5 min ahead", "20 min ahead"]
        for label, step in (("5 min ahead", 1), ("20 min ahead", 4)):
            times, values = drawn(curves[label])
            np.testing.assert_array_equal(values, prediction[node, :, step - 1])
            np.testing.assert_array_equal(times, stamps[rows.numpy() + step - 1])
        times, values = drawn(curves["observed"])  # from the first forecast to the last one
        span = slice(FIRST_ROW, FIRST_ROW + WINDOWS - 1 + 4)
        np.testing.assert_array_equal(times, stamps[span])
        np.testing.assert_allclose(values, truth[node, span], rtol=1e-6)


def test_default_steps_are_a_quarter_and_all_of_the_horizon():
    stamps, truth, prediction, rows, errors = example()
    figure = plot_forecast(stamps, truth, prediction, rows, errors, step_minutes=15)
    labels = list(lines(panels(figure)[0][0]))
    assert labels == ["observed", "30 min ahead", "90 min ahead"]


def test_masked_readings_break_the_line():
    stamps, truth, prediction, rows, errors = example()
    mask = torch.ones(NODES, ROWS, dtype=torch.bool)
    mask[1, 35:38] = False
    figure = plot_forecast(
        stamps, truth, prediction, rows, errors, mask=mask, nodes=(1,), steps=(1,)
    )
    _, values = drawn(lines(panels(figure)[0][0])["observed"])
    assert np.flatnonzero(np.isnan(values)).tolist() == [5, 6, 7]  # counted from FIRST_ROW


def test_time_gap_breaks_every_line():
    stamps, truth, prediction, rows, errors = example()
    stamps[40:] += np.timedelta64(6, "h")
    figure = plot_forecast(stamps, truth, prediction, rows, errors, nodes=(1,), steps=(3,))
    curves = lines(panels(figure)[0][0])
    for label, first in (("observed", FIRST_ROW + 2), ("15 min ahead", FIRST_ROW + 2)):
        times, values = drawn(curves[label])
        (broken,) = np.flatnonzero(np.isnan(values))
        assert broken == 40 - first
        assert stamps[39] < times[broken] < stamps[40]


def test_windows_in_any_order_and_with_a_stride():
    stamps, truth, prediction, rows, errors = example()
    order = torch.randperm(WINDOWS, generator=torch.Generator().manual_seed(1))[::2]
    figure = plot_forecast(
        stamps, truth, prediction[:, order], rows[order], errors, nodes=(3,), steps=(2,)
    )
    kept = order.sort().values
    _, values = drawn(lines(panels(figure)[0][0])["10 min ahead"])
    np.testing.assert_array_equal(values[~np.isnan(values)], prediction[3, kept, 1])


def test_errors_by_horizon():
    stamps, truth, prediction, rows, errors = example()
    figure = plot_forecast(
        stamps, truth, prediction, rows, errors, step_minutes=15, unit="km/h", metric="RMSE"
    )
    _, axes = panels(figure)
    curves = lines(axes)
    assert list(curves) == ["ours", "last value"]
    for name, line in curves.items():
        np.testing.assert_array_equal(line.get_xdata(), 15 * np.arange(1, HORIZON + 1))
        np.testing.assert_array_equal(line.get_ydata(), errors[name])
    assert curves["ours"].get_linewidth() > curves["last value"].get_linewidth()
    assert curves["ours"].get_color() != curves["last value"].get_color()
    assert axes.get_ylabel() == "RMSE [km/h]"
    assert axes.get_xlabel() == "horizon [min]"
    assert axes.get_ylim()[0] == 0


def test_labels_name_node_quantity_and_unit():
    stamps, truth, prediction, rows, errors = example()
    names = ["a", "b", "c", "d"]
    figure = plot_forecast(
        stamps, truth, prediction, rows, errors, nodes=(1, 3), node_id=names, quantity="flow",
        unit="veh/h",
    )  # fmt: skip
    axes, _ = panels(figure)
    assert [panel.get_ylabel() for panel in axes] == [
        "node b\nflow [veh/h]",
        "node d\nflow [veh/h]",
    ]
    assert axes[-1].get_xlabel() == "time"
    limits = mdates.num2date(axes[-1].get_xlim())
    assert limits[0].hour == 8  # row 30 of five minutes after six


def test_legends_lie_outside_of_the_data():
    stamps, truth, prediction, rows, errors = example()
    figure = plot_forecast(stamps, truth, prediction, rows, errors)
    figure.draw_without_rendering()
    with_legend = [axes for axes in figure.axes if axes.get_legend() is not None]
    assert len(with_legend) == 2
    for axes in with_legend:
        assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
        assert axes.get_legend().get_window_extent().x1 <= figure.bbox.x1


def test_bfloat16_on_the_way_in():
    stamps, truth, prediction, rows, errors = example()
    low = prediction.bfloat16().requires_grad_()
    figure = plot_forecast(stamps, truth, low, rows, errors, nodes=(0,), steps=(1,))
    _, values = drawn(lines(panels(figure)[0][0])["5 min ahead"])
    np.testing.assert_array_equal(values, low[0, :, 0].detach().float())


def test_saves_without_pyplot(tmp_path):
    code = f"""
import sys
import numpy as np
from tgst.visualize import plot_forecast
stamps = np.datetime64("2024-03-04", "s") + np.arange(9) * np.timedelta64(300, "s")
figure = plot_forecast(stamps, np.ones((1, 9)), np.ones((1, 3, 2)), np.arange(5, 8),
                       {{"ours": np.ones(2)}}, nodes=(0,))
figure.savefig({str(tmp_path / "plot.png")!r})
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truth": torch.zeros(NODES, ROWS - 1)}, r"truth: expected shape \[\*, 60\], got \[4, 59"),
        ({"prediction": torch.zeros(NODES, WINDOWS)}, r"prediction: expected shape \[4, \*, \*\]"),
        ({"rows": torch.zeros(3)}, r"rows: expected shape \[20\], got \[3\]"),
        ({"rows": torch.arange(40, 60)}, "rows: .* within 0 to 54, got 40 to 59"),
        ({"errors": {"ours": torch.zeros(5)}}, r"errors\['ours'\]: expected shape \[6\], got \[5"),
        ({"mask": torch.ones(NODES, 3)}, r"mask: expected shape \[4, 60\], got \[4, 3\]"),
        ({"nodes": (0, 4)}, "nodes: .* within 0 to 3, got 0 to 4"),
        ({"nodes": ()}, "nodes: expected at least one, .* got none"),
        ({"steps": (0, 3)}, "steps: .* within 1 to 6, got 0 to 3"),
        ({"steps": (1, 2, 3, 4, 5)}, "steps: expected 4 at most, got 5"),
    ],
)
def test_bad_arguments(change, message):
    names = ("timestamps", "truth", "prediction", "rows", "errors")
    arguments = dict(zip(names, example(), strict=True)) | change
    with pytest.raises(ValueError, match=message):
        plot_forecast(**arguments)
