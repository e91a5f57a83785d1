r"""Masked forecasting errors per horizon step, as sums and counts."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from tgst.metrics.arguments import masked_difference


class _MaskedError(Metric):
    r"""Sum and number of the observed errors of each horizon step.

    The states are sums, so batches of unequal size and unequal masks, several processes and
    :meth:`merge_state` all give what one pass over the whole data set gives.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self, horizon: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if horizon < 1:
            raise ValueError(f"horizon: expected at least one step, got {horizon}")
        self.horizon = horizon
        # Double precision: a single-precision sum stops growing after some 10^7 errors.
        self.add_state("total", torch.zeros(horizon, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(horizon, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor, mask: Tensor | None = None) -> None:
        r"""Adds the errors of one batch.

        Args:
            prediction (torch.Tensor): The forecast.
            target (torch.Tensor): The readings, in the unit of the forecast.
            mask (torch.Tensor, optional): Boolean, :obj:`True` where a reading was observed.
                If left out, all are. (default: :obj:`None`)

        Shapes:
            - **prediction**, **target**: :math:`(N, *, H, C)`
            - **mask**: :math:`(N, *, H)`, shared by the channels

        Raises:
            ValueError: On a shape or dtype that does not fit.
        """
        difference, mask = masked_difference(prediction.detach(), target.detach(), mask)
        if difference.size(-2) != self.horizon:
            raise ValueError(
                f"prediction: expected {self.horizon} horizon steps in dimension -2, "
                f"got shape {list(prediction.shape)}"
            )
        error, counted = self._error(difference, target, mask.expand_as(difference))
        # Not in place: a state that was reset in inference mode may be updated outside of it.
        self.total = self.total + _per_step(error).sum(dim=(0, 2), dtype=torch.float64)
        self.count = self.count + _per_step(counted).sum(dim=(0, 2))

    @abstractmethod
    def _error(self, difference: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        r"""The error of each entry (zero where it does not count) and which entries count."""

    def _mean(self, total: Tensor, count: Tensor) -> Tensor:
        return total / count

    def compute(self) -> Tensor:
        r"""The error of each horizon step, over all batches and processes.

        Shapes:
            - **output**: :math:`(H)`, double precision; NaN where nothing was observed
        """
        return self._mean(self.total, self.count)

    def _wrap_compute(self, compute: Callable[..., Tensor]) -> Callable[..., Tensor]:
        # torchmetrics makes a scalar of a result with one entry, as that of a single step.
        wrapped = super()._wrap_compute(compute)

        @functools.wraps(compute)
        def per_step(*args: Any, **kwargs: Any) -> Tensor:
            return wrapped(*args, **kwargs).reshape(self.horizon)

        return per_step

    def overall(self) -> Tensor:
        r"""The error over all horizon steps together, over all batches and processes (each
        process has to call this).

        Shapes:
            - **output**: a scalar, double precision; NaN if nothing was observed
        """
        with self.sync_context(
            dist_sync_fn=self.dist_sync_fn,
            should_sync=self._to_sync,
            should_unsync=self._should_unsync,
        ):
            return self._mean(self.total.sum(), self.count.sum())


class MaskedMAE(_MaskedError):
    r"""Mean absolute error of each horizon step over the observed entries.

    .. math::
        \mathrm{MAE}_h = \frac{\sum_{i} m_{ih} \, |\hat{y}_{ih} - y_{ih}|}{\sum_{i} m_{ih}}

    Sum and count are kept apart, so that the last, smaller batch and unequal masks weigh what
    they should. A horizon step without any observed target gives NaN.

    Args:
        horizon (int): Number of horizon steps :math:`H`.
        **kwargs (optional): Additional arguments of :class:`torchmetrics.Metric`.

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, :obj:`True` where observed
        - **output**: :math:`(H)`, in the unit of the target

    Raises:
        ValueError: If :obj:`horizon` is below one; from :meth:`update` on a shape or dtype that
            does not fit.
    """

    def _error(self, difference: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return difference.abs(), mask


class MaskedRMSE(_MaskedError):
    r"""Root mean squared error of each horizon step over the observed entries.

    .. math::
        \mathrm{RMSE}_h = \sqrt{\frac{\sum_{i} m_{ih} \, (\hat{y}_{ih} - y_{ih})^2}
                                     {\sum_{i} m_{ih}}}

    Sum and count are kept apart and the root is taken last, so that the result is the one of the
    whole data set. A horizon step without any observed target gives NaN.

    Args:
        horizon (int): Number of horizon steps :math:`H`.
        **kwargs (optional): Additional arguments of :class:`torchmetrics.Metric`.

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, :obj:`True` where observed
        - **output**: :math:`(H)`, in the unit of the target

    Raises:
        ValueError: If :obj:`horizon` is below one; from :meth:`update` on a shape or dtype that
            does not fit.
    """

    def _error(self, difference: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return difference.square(), mask

    def _mean(self, total: Tensor, count: Tensor) -> Tensor:
        return (total / count).sqrt()


class MaskedMAPE(_MaskedError):
    r"""Mean absolute percentage error of each horizon step over the observed entries.

    .. math::
        \mathrm{MAPE}_h = 100 \cdot \frac{\sum_{i} m'_{ih} \, |\hat{y}_{ih} - y_{ih}| / |y_{ih}|}
                                         {\sum_{i} m'_{ih}}, \quad
        m'_{ih} = m_{ih} \, [\, |y_{ih}| \ge \epsilon \,]

    Targets below :math:`\epsilon` are left out of both sums, as their percentage means nothing.
    A horizon step without any target left gives NaN.

    Args:
        horizon (int): Number of horizon steps :math:`H`.
        epsilon (float, optional): The smallest size of a target that counts, in its unit; above
            zero. (default: :obj:`1e-3`)
        **kwargs (optional): Additional arguments of :class:`torchmetrics.Metric`.

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`, :obj:`True` where observed
        - **output**: :math:`(H)`, in percent

    Raises:
        ValueError: If :obj:`horizon` is below one or :obj:`epsilon` not above zero; from
            :meth:`update` on a shape or dtype that does not fit.
    """

    def __init__(self, horizon: int, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(horizon, **kwargs)
        if not epsilon > 0:
            raise ValueError(f"epsilon: expected a value above zero, got {epsilon}")
        self.epsilon = epsilon

    def _error(self, difference: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        size = target.detach().to(difference.dtype).abs()
        counted = mask & (size >= self.epsilon)
        percentage = 100 * difference.abs() / size
        return torch.where(counted, percentage, torch.zeros_like(percentage)), counted


def _per_step(entries: Tensor) -> Tensor:
    r"""View :math:`(N, *, H, C)` as :math:`(N \cdot *, H, C)`."""
    return entries.reshape(-1, *entries.shape[-2:])
