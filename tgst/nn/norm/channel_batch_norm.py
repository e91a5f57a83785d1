r"""Batch normalisation of channels that come last, over the entries that are there."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.nn.conv.arguments import check_features


class ChannelBatchNorm(torch.nn.BatchNorm1d):
    r"""Batch normalisation from `"Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift" <https://arxiv.org/abs/1502.03167>`_ (Ioffe and Szegedy,
    2015) of features whose channels come last.

    .. math::
        \mathbf{x}' = \frac{\mathbf{x} - \boldsymbol{\mu}}{\sqrt{\boldsymbol{\sigma}^2 + \epsilon}}
        \odot \boldsymbol{\gamma} + \boldsymbol{\beta}

    Parameters, buffers and arguments are those of :class:`torch.nn.BatchNorm1d`. In training mode
    the entries of a batch are normalised together, so that the layer is exempt from batch
    equivalence and the union property there. With :obj:`present`, absent entries are left out of
    the statistics; they must be finite, and what is returned at their places has no meaning.

    Args:
        num_features (int): Number of channels :math:`C`.
        **kwargs (optional): Additional arguments of :class:`torch.nn.BatchNorm1d`.

    Shapes:
        - **x**: :math:`(*, C)`
        - **present**: boolean, broadcastable to **x**, :math:`(*, 1)` or :math:`(*, C)`;
          :obj:`True` = counts
        - **output**: :math:`(*, C)`

    Raises:
        ValueError: If the channels do not fit, or there is one single entry to train on.
    """

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        r"""Normalises; see the class for shapes."""
        check_features(x, self.num_features)
        # Flat rows: a three-dimensional view with permuted channels is up to 15 times slower.
        rows = x.reshape(-1, self.num_features)
        if present is None or not self.training:
            out = super().forward(rows)
        else:
            last = present.size(-1)
            out = self._of_present(rows, present.expand(*x.shape[:-1], last).reshape(-1, last))
        # Not as a view where there is no need for one: the caller may go on in place.
        return out if x.dim() == 2 else out.view(x.shape)

    def _of_present(self, x: Tensor, present: Tensor) -> Tensor:
        # At least in single precision, whatever autocast says: in half of it, a mean far from zero
        # would be off by a good part of the deviation. Like torch's own kernel, this keeps one
        # tensor of the size of x for the backward pass.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        with torch.autocast(x.device.type, enabled=False):
            counted = present.to(wide.dtype)
            count = counted.sum(0)
            mean = _total(wide, counted) / count.clamp(min=1)
            centred = wide - mean
            var = _total(centred.square(), counted) / count.clamp(min=1)
        self._update(mean.detach(), var.detach(), count)
        scale = (var + self.eps).rsqrt()
        if self.weight is None:
            return (centred * scale).to(x.dtype)
        return torch.addcmul(self.bias, centred, self.weight * scale).to(x.dtype)

    def _update(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        if self.running_mean is None or self.running_var is None:
            return
        momentum: float | Tensor = self.momentum or 0.0
        if self.momentum is None:  # a cumulative average
            momentum = 1.0 / self.num_batches_tracked.to(mean.dtype)  # type: ignore[union-attr]
        unbiased = var * (count / (count - 1).clamp(min=1))
        share = momentum * (count > 1).to(mean.dtype)  # no entry, no news
        for running, news in ((self.running_mean, mean), (self.running_var, unbiased)):
            running.copy_(torch.lerp(running.to(news.dtype), news, share))


def _total(x: Tensor, counted: Tensor) -> Tensor:
    # One number per row: a matrix product, which is several times faster than to select.
    return (counted.t() @ x).squeeze(0) if counted.size(1) == 1 else (counted * x).sum(0)
