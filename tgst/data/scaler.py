r"""Standardisation of readings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tgst.data.series import NODES_PER_CHECK, Series


class StandardScaler(torch.nn.Module):
    r"""Standardises every channel by the mean and standard deviation of observed readings.

    .. math::
        z = \frac{x - \mu_c}{\sigma_c}

    with :math:`\mu_c`, :math:`\sigma_c` over all observed readings of channel :math:`c` (all nodes
    together) in the rows given to :meth:`fit`: give it the training rows only. A channel that is
    constant, that is whose deviation is below the float32 resolution of its mean, gets
    :math:`\sigma_c = 1`. Both are buffers: they follow the module to a device and into a
    checkpoint.

    Args:
        num_channels (int, optional): Number of channels before :meth:`fit`, which sets it from
            the series; mean 0 and standard deviation 1 until then. (default: :obj:`1`)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, num_channels: int = 1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_channels))
        self.register_buffer("std", torch.ones(num_channels))

    def fit(self, series: Series, start: int = 0, stop: int | None = None) -> StandardScaler:
        r"""Take mean and standard deviation from the observed readings of some rows.

        Args:
            series (Series): The readings.
            start (int, optional): First row. (default: :obj:`0`)
            stop (int, optional): Row after the last one, for training rows
                :obj:`split_rows(series.num_steps)["train"].stop`; :obj:`None` takes all rows.
                (default: :obj:`None`)

        Raises:
            ValueError: If the rows are outside of the series or hold no observed reading.
        """
        part = series.slice(start, series.num_steps if stop is None else stop)
        count = part.num_nodes * part.num_steps if part.mask is None else int(part.mask.sum())
        if count == 0:
            raise ValueError(
                f"`series` must hold an observed reading in rows {start}..{start + part.num_steps} "
                "to fit a scaler, got none (the mask is False everywhere)"
            )
        mean = _observed_sum(part, torch.zeros(part.num_channels).double(), power=1) / count
        std = (_observed_sum(part, mean, power=2) / count).sqrt()
        std[std <= torch.finfo(torch.float32).eps * mean.abs()] = 1.0
        self.mean = mean.to(self.mean)
        self.std = std.to(self.std)
        return self

    def transform(self, x: Tensor, channels: Sequence[int] | None = None) -> Tensor:
        r"""Readings to standardised values.

        Args:
            x (torch.Tensor): Readings.
            channels (sequence of int, optional): Channels of the series that the last dimension
                of :obj:`x` holds; :obj:`None` means all. (default: :obj:`None`)

        Shapes:
            - **x:** :math:`(*, C)`
            - **output:** :math:`(*, C)`, dtype of :obj:`x`
        """
        mean, std = self._statistics(x, channels)
        return (x - mean) / std

    def inverse_transform(self, x: Tensor, channels: Sequence[int] | None = None) -> Tensor:
        r"""Standardised values to readings; arguments and shapes as in :meth:`transform`."""
        mean, std = self._statistics(x, channels)
        return x * std + mean

    def extra_repr(self) -> str:
        r"""The number of channels."""
        return str(self.mean.numel())

    def _statistics(self, x: Tensor, channels: Sequence[int] | None) -> tuple[Tensor, Tensor]:
        mean, std = self.mean, self.std
        if channels is not None:
            mean, std = mean[list(channels)], std[list(channels)]
        if x.size(-1) != mean.numel():  # one channel would broadcast in silence
            raise ValueError(
                f"`x` must have {mean.numel()} channels in its last dimension, as the scaler "
                f"(channels={channels}), got shape {tuple(x.shape)}"
            )
        return mean.to(x.dtype), std.to(x.dtype)


def _observed_sum(series: Series, center: Tensor, power: int) -> Tensor:
    r"""Sum of :obj:`(value - center) ** power` over the observed readings, in float64."""
    total = torch.zeros(series.num_channels, dtype=torch.float64)
    for start in range(0, series.num_nodes, NODES_PER_CHECK):
        nodes = slice(start, start + NODES_PER_CHECK)
        terms = (series.values[nodes].double() - center) ** power
        if series.mask is not None:
            terms *= series.mask[nodes].unsqueeze(-1)
        total += terms.sum(dim=(0, 1))
    return total
