r"""The layer of a localisation net that returns the parameters of a warp."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def regression_layer(localization: torch.nn.Module, num_params: int) -> torch.nn.Linear:
    r"""The last linear layer of a net.

    Raises:
        TypeError: If the net is not a module.
        ValueError: If there is none, it has no bias, or it has not :obj:`num_params` outputs.
    """
    if not isinstance(localization, torch.nn.Module):
        raise TypeError(f"localization: expected a Module, got {type(localization).__name__}")
    layers = [m for m in localization.modules() if isinstance(m, torch.nn.Linear)]
    if not layers or layers[-1].bias is None:
        raise ValueError(
            "localization: expected a net that ends in a torch.nn.Linear with a bias, got "
            f"{'none' if not layers else layers[-1]} (initialize=False takes any net)"
        )
    if layers[-1].out_features != num_params:
        raise ValueError(
            f"localization: expected a last torch.nn.Linear with {num_params} outputs, one for "
            f"each parameter of the warp, got {layers[-1].out_features}"
        )
    return layers[-1]


def start_at(layer: torch.nn.Linear, start: Sequence[float]) -> None:
    r"""Makes a layer return the same numbers for any input."""
    torch.nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor(start))
