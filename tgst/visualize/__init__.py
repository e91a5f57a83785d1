r"""Plots of forecasts, networks and skeletons (needs matplotlib, extra :obj:`[plot]`)."""

from tgst.visualize.confusion import plot_confusion
from tgst.visualize.forecast import plot_forecast
from tgst.visualize.network import plot_network
from tgst.visualize.partition import plot_partition
from tgst.visualize.skeleton_animation import animate_skeleton

__all__ = [
    "animate_skeleton",
    "plot_confusion",
    "plot_forecast",
    "plot_network",
    "plot_partition",
]
