r"""Masked forecasting losses and metrics.

The losses need torch only; the metrics need torchmetrics (extra :obj:`[train]`), which is imported
when one of them is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tgst.metrics.losses import masked_huber, masked_mae, masked_mse

if TYPE_CHECKING:
    from tgst.metrics.masked_error import MaskedMAE, MaskedMAPE, MaskedRMSE

__all__ = [
    "MaskedMAE",
    "MaskedMAPE",
    "MaskedRMSE",
    "masked_huber",
    "masked_mae",
    "masked_mse",
]


def __getattr__(name: str) -> Any:
    if name in ("MaskedMAE", "MaskedMAPE", "MaskedRMSE"):
        from tgst.metrics import masked_error

        return getattr(masked_error, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
