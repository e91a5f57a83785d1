r"""Temporal layers."""

from tgst.nn.temporal.temporal_conv import TemporalConv

__all__ = classes = ["TemporalConv"]
