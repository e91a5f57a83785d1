r"""The property suite: what every spatio-temporal layer, block and model must satisfy.

Describe a layer once as a :class:`LayerCase` and run :func:`check_properties`, or parametrise a
test over :data:`PROPERTIES`. A layer that breaks a property by design says so in its docstring and
is exempt by name.
"""

from tgst.testing.case import Graph, LayerCase, random_graph
from tgst.testing.suite import PROPERTIES, check_properties, check_property

__all__ = [
    "PROPERTIES",
    "Graph",
    "LayerCase",
    "check_properties",
    "check_property",
    "random_graph",
]
