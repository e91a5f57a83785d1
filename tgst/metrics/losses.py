r"""Training losses over observed entries."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.metrics.arguments import masked_difference


def masked_mae(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Mean absolute error over the observed entries.

    .. math::
        \ell = \frac{\sum_i m_i \, |\hat{y}_i - y_i|}{\max(1, \sum_i m_i)}

    Where nothing is observed the loss is zero, and so is its gradient. A NaN at a masked target
    reaches neither. The loss is computed in single precision at least.

    Args:
        prediction (torch.Tensor): The forecast :math:`\hat{y}`.
        target (torch.Tensor): The readings :math:`y`, in the unit of the forecast.
        mask (torch.Tensor, optional): :math:`m`, boolean; :obj:`True` where a reading was
            observed. If left out, all are. (default: :obj:`None`)

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, shared by the channels
        - **output**: a scalar

    Raises:
        ValueError: On a shape or dtype that does not fit.
    """
    difference, mask = masked_difference(prediction, target, mask)
    return _mean(difference.abs(), mask)


def masked_mse(prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Mean squared error over the observed entries.

    .. math::
        \ell = \frac{\sum_i m_i \, (\hat{y}_i - y_i)^2}{\max(1, \sum_i m_i)}

    Where nothing is observed the loss is zero, and so is its gradient. A NaN at a masked target
    reaches neither. The loss is computed in single precision at least.

    Args:
        prediction (torch.Tensor): The forecast :math:`\hat{y}`.
        target (torch.Tensor): The readings :math:`y`, in the unit of the forecast.
        mask (torch.Tensor, optional): :math:`m`, boolean; :obj:`True` where a reading was
            observed. If left out, all are. (default: :obj:`None`)

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, shared by the channels
        - **output**: a scalar, in the squared unit

    Raises:
        ValueError: On a shape or dtype that does not fit.
    """
    difference, mask = masked_difference(prediction, target, mask)
    return _mean(difference.square(), mask)


def masked_huber(
    prediction: Tensor, target: Tensor, mask: Tensor | None = None, delta: float = 1.0
) -> Tensor:
    r"""Mean Huber error over the observed entries, from `"Robust Estimation of a Location
    Parameter" <https://doi.org/10.1214/aoms/1177703732>`_ (Huber, 1964).

    .. math::
        \ell = \frac{\sum_i m_i \, h(\hat{y}_i - y_i)}{\max(1, \sum_i m_i)}, \quad
        h(e) = \begin{cases}
            \tfrac{1}{2} e^2 & |e| \le \delta \\
            \delta \, (|e| - \tfrac{1}{2} \delta) & \text{otherwise}
        \end{cases}

    Where nothing is observed the loss is zero, and so is its gradient. A NaN at a masked target
    reaches neither. The loss is computed in single precision at least.

    Args:
        prediction (torch.Tensor): The forecast :math:`\hat{y}`.
        target (torch.Tensor): The readings :math:`y`, in the unit of the forecast.
        mask (torch.Tensor, optional): :math:`m`, boolean; :obj:`True` where a reading was
            observed. If left out, all are. (default: :obj:`None`)
        delta (float, optional): The error at which the loss turns from quadratic to linear, in
            the unit of the target. (default: :obj:`1.0`)

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, shared by the channels
        - **output**: a scalar

    Raises:
        ValueError: On a shape or dtype that does not fit, or :obj:`delta` not above zero.
    """
    if not delta > 0:
        raise ValueError(f"delta: expected a value above zero, got {delta}")
    difference, mask = masked_difference(prediction, target, mask)
    zero = torch.zeros_like(difference)
    error = F.huber_loss(difference, zero, reduction="none", delta=delta)
    return _mean(error, mask)


def _mean(error: Tensor, mask: Tensor) -> Tensor:
    r"""Sum of :obj:`error` (zero where masked) over the number of observed entries."""
    observed = mask.sum() * error.size(-1)
    return error.sum() / observed.clamp(min=1)
