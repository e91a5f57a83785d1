r"""The list of properties and how to run it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from tgst.testing import engineering, values
from tgst.testing.case import LayerCase

#: Name of each property and the function that checks it.
PROPERTIES: dict[str, Callable[[LayerCase], None]] = {
    "dense_reference": values.dense_reference,
    "batch_equivalence": values.batch_equivalence,
    "node_permutation": values.node_permutation,
    "edge_order": values.edge_order,
    "edge_weight_sensitivity": values.edge_weight_sensitivity,
    "edge_label_sensitivity": values.edge_label_sensitivity,
    "parallel_edges": values.parallel_edges,
    "empty": values.empty,
    "isolated_nodes": values.isolated_nodes,
    "time_order": values.time_order,
    "causality": values.causality,
    "disjoint_union": values.disjoint_union,
    "gradients": values.gradients,
    "round_trips": engineering.round_trips,
    "used_parameters": engineering.used_parameters,
    "reset": engineering.reset,
    "compile_static": engineering.compile_static,
    "compile_dynamic": engineering.compile_dynamic,
    "compile_inductor": engineering.compile_inductor,
    "bfloat16": engineering.bfloat16,
    "cuda": engineering.cuda,
}

# These say something about edges.
_SPATIAL = {"edge_order", "edge_weight_sensitivity", "edge_label_sensitivity", "parallel_edges"}


def applies(case: LayerCase, name: str) -> bool:
    r"""Whether a property is claimed by the layer and can be checked on this machine."""
    _known(case.exempt)
    if name in case.exempt or (name in _SPATIAL and not case.spatial):
        return False
    claimed = {
        "causality": case.causal,
        "edge_label_sensitivity": case.num_partitions > 1,
        "cuda": torch.cuda.is_available(),
    }
    return claimed.get(name, True)


def check_property(case: LayerCase, name: str) -> None:
    r"""Checks one property by name.

    Args:
        case (LayerCase): The layer.
        name (str): A key of :data:`PROPERTIES`.

    Raises:
        AssertionError: If the layer does not have the property.
        ValueError: If the name is unknown.
    """
    _known({name})
    PROPERTIES[name](case)


def check_properties(case: LayerCase, skip: Iterable[str] = ()) -> list[str]:
    r"""Checks all properties that the layer claims.

    Args:
        case (LayerCase): The layer.
        skip (iterable of str, optional): Properties to leave out, for example the slow
            :obj:`"compile_inductor"`. (default: :obj:`()`)

    Returns:
        list of str: Names of the properties that were checked.

    Raises:
        AssertionError: If the layer lacks a property.
    """
    left_out = set(skip)
    _known(left_out)
    names = [name for name in PROPERTIES if name not in left_out and applies(case, name)]
    for name in names:
        check_property(case, name)
    return names


def _known(names: Iterable[str]) -> None:
    # A misspelt exemption would exempt nothing, or a property nobody meant.
    unknown = sorted(set(names) - set(PROPERTIES))
    if unknown:
        raise ValueError(f"name: expected properties of {sorted(PROPERTIES)}, got {unknown}")
