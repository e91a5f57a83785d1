r"""A linear layer on rows of nodes."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.nn.conv.arguments import flat_rows
from tgst.nn.products import linear


class RowLinear(torch.nn.Linear):
    r""":class:`torch.nn.Linear` on :math:`(N, *, C_{in})`, by :func:`tgst.nn.products.linear`."""

    def forward(self, x: Tensor) -> Tensor:
        r"""Runs the layer."""
        out = linear(flat_rows(x), self.weight, self.bias)
        return out.view(*x.shape[:-1], self.out_features)
