r"""Plots of forecasts and of networks (needs matplotlib, extra :obj:`[plot]`)."""

from tgst.visualize.forecast import plot_forecast
from tgst.visualize.network import plot_network

__all__ = ["plot_forecast", "plot_network"]
