r"""Plots of forecasts, networks, skeletons and warps (needs matplotlib, extra :obj:`[plot]`)."""

from tgst.visualize.confusion import plot_confusion
from tgst.visualize.forecast import plot_forecast
from tgst.visualize.network import plot_network
from tgst.visualize.partition import plot_partition
from tgst.visualize.skeleton_animation import animate_skeleton
from tgst.visualize.warp import plot_warp
from tgst.visualize.warp_animation import animate_warp

__all__ = [
    "animate_skeleton",
    "animate_warp",
    "plot_confusion",
    "plot_forecast",
    "plot_network",
    "plot_partition",
    "plot_warp",
]
