r"""Convolution over time, the same for every node."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from tgst.nn.conv.arguments import check_features, flat_rows
from tgst.nn.products import linear


class TemporalConv(torch.nn.Module):
    r"""Gated temporal convolution from `"Spatio-Temporal Graph Convolutional Networks: A Deep
    Learning Framework for Traffic Forecasting" <https://arxiv.org/abs/1709.04875>`_ (Yu et al.,
    IJCAI 2018), shared by all nodes.

    .. math::
        [\mathbf{P}, \mathbf{Q}] = \mathbf{b} + \mathbf{W} \star_t \mathbf{X}, \quad
        \mathbf{X}' = \begin{cases}
        \mathbf{P} + \mathbf{R} & \text{gate None} \\
        (\mathbf{P} + \mathbf{R}) \odot \sigma(\mathbf{Q}) & \text{gate "glu"} \\
        \tanh(\mathbf{P} + \mathbf{R}) \odot \sigma(\mathbf{Q}) & \text{gate "gtu"}
        \end{cases}

    with :math:`\mathbf{R} = 0`, or for :obj:`residual=True` the input itself: as it is for equal
    widths, padded with zero channels for :math:`C_{in} < C_{out}`, through a learnt
    :math:`C_{in} \times C_{out}` matrix for :math:`C_{in} > C_{out}` (without a bias of its own,
    which the bias of :math:`\mathbf{P}` makes redundant).

    Convention:
        The kernel is a cross-correlation, as in :class:`torch.nn.Conv1d`. With
        :obj:`"valid"` and :obj:`"causal"` padding, output step :math:`t` looks back and its
        residual is the newest step it sees; with :obj:`"same"` it looks both ways and its
        residual is the step in the middle. An even kernel with :obj:`"same"` looks one step
        further ahead than back.

    Args:
        in_channels (int): Size of each input sample.
        out_channels (int): Size of each output sample.
        kernel_size (int): Number of taps in time.
        stride (int, optional): Step between outputs. (default: :obj:`1`)
        dilation (int, optional): Step between taps. (default: :obj:`1`)
        padding (str, optional): :obj:`"same"` (zeros on both sides), :obj:`"causal"` (zeros
            before the first step) or :obj:`"valid"` (none, the series gets shorter).
            (default: :obj:`"same"`)
        gate (str, optional): :obj:`None`, :obj:`"glu"` or :obj:`"gtu"`. (default: :obj:`None`)
        residual (bool, optional): Whether the input is added to the value half.
            (default: :obj:`False`)
        bias (bool, optional): If set to :obj:`False`, no bias is learnt. (default: :obj:`True`)

    Shapes:
        - **x**: :math:`(N, *, T, C_{in})`
        - **output**: :math:`(N, *, T', C_{out})` with :math:`T' = \lceil T / \text{stride} \rceil`
          for :obj:`"same"` and :obj:`"causal"`, and :math:`T' = \lfloor (T - d (k - 1) - 1) /
          \text{stride} \rfloor + 1` for :obj:`"valid"` (kernel size :math:`k`, dilation
          :math:`d`)

    Raises:
        ValueError: If an option is unknown, or a series is shorter than the kernel with
            :obj:`"valid"` padding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        dilation: int = 1,
        padding: str = "same",
        gate: str | None = None,
        residual: bool = False,
        bias: bool = True,
    ):
        super().__init__()
        if padding not in ("same", "causal", "valid"):
            raise ValueError(f"padding: expected 'same', 'causal' or 'valid', got {padding!r}")
        if gate not in (None, "glu", "gtu"):
            raise ValueError(f"gate: expected None, 'glu' or 'gtu', got {gate!r}")
        if min(in_channels, out_channels, kernel_size, stride, dilation) < 1:
            raise ValueError(
                "in_channels, out_channels, kernel_size, stride, dilation: expected at least 1, "
                f"got {(in_channels, out_channels, kernel_size, stride, dilation)}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.padding = padding
        self.gate = gate
        self.residual = residual
        width = out_channels if gate is None else 2 * out_channels
        self.weight = Parameter(torch.empty(width, in_channels, kernel_size))
        self.bias = Parameter(torch.empty(width)) if bias else None
        narrows = residual and in_channels > out_channels
        self.align = Parameter(torch.empty(out_channels, in_channels)) if narrows else None
        self.reset_parameters()

    def reset_parameters(self):
        r"""Draws new weights, as :class:`torch.nn.Conv1d` does."""
        torch.nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        if self.bias is not None:
            bound = (self.in_channels * self.kernel_size) ** -0.5
            torch.nn.init.uniform_(self.bias, -bound, bound)
        if self.align is not None:
            torch.nn.init.kaiming_uniform_(self.align, a=5**0.5)

    @property
    def receptive_field(self) -> int:
        r"""Number of input steps that one output step sees."""
        return (self.kernel_size - 1) * self.dilation + 1

    def forward(self, x: Tensor) -> Tensor:
        r"""Runs the convolution; see the class for shapes."""
        check_features(x, self.in_channels)
        if x.dim() < 3:
            raise ValueError(f"x: expected [num_nodes, *, time, channels], got {list(x.shape)}")
        lead, steps = x.shape[:-2], x.size(-2)
        if self.padding == "valid" and steps < self.receptive_field:
            raise ValueError(
                f"x: expected at least {self.receptive_field} time steps (kernel_size="
                f"{self.kernel_size}, dilation={self.dilation}), got {steps}"
            )
        if self.padding == "valid" and steps == self.receptive_field == self.kernel_size:
            out = self._linear(x)
        else:
            out = self._convolve(x)
        return self._gate(out).view(*lead, out.size(1), self.out_channels)

    def _kernel(self) -> Tensor:
        # The residual is one of the convolution's own inputs, so it is folded into that tap of
        # the value half instead of being added afterwards.
        if not self.residual:
            return self.weight
        tap = (self.kernel_size - 1) // 2 if self.padding == "same" else self.kernel_size - 1
        align: Tensor | None = self.align
        if align is None:
            like = {"dtype": self.weight.dtype, "device": self.weight.device}
            align = torch.eye(self.out_channels, self.in_channels, **like)  # type: ignore
        rows = self.weight.size(0) - self.out_channels
        fold = F.pad(align.unsqueeze(-1), (tap, self.kernel_size - 1 - tap, 0, 0, 0, rows))
        return self.weight + fold

    def _linear(self, x: Tensor) -> Tensor:
        # The kernel covers all steps: a matrix product on a free view, 3x faster.
        weight = self._kernel().transpose(1, 2).flatten(1)
        rows = flat_rows(x.flatten(-2))
        return linear(rows, weight, self.bias).flatten(0, 1).unsqueeze(1)

    def _convolve(self, x: Tensor) -> Tensor:
        # Time lies in the W dimension of a channels-last image: no copy in, none out.
        # Not torch.Size.numel(), which fixes a size that torch.export was to keep free.
        rows = x.reshape(math.prod(x.shape[:-2]), x.size(-2), self.in_channels)
        image = rows.unsqueeze(1).permute(0, 3, 1, 2)
        before, after = self._padding()
        if before != after:
            image, before = F.pad(image, (before, after)), 0
        weight = self._kernel().unsqueeze(2).contiguous(memory_format=torch.channels_last)
        # Equal padding is left to the convolution, which makes and keeps no padded copy.
        out = F.conv2d(image, weight, self.bias, (1, self.stride), (0, before), (1, self.dilation))
        return out.permute(0, 2, 3, 1).squeeze(1)

    def _padding(self) -> tuple[int, int]:
        reach = self.receptive_field - 1
        if self.padding == "valid":
            return 0, 0
        before = (
            reach if self.padding == "causal" else self.dilation * ((self.kernel_size - 1) // 2)
        )
        return before, reach - before

    def _gate(self, out: Tensor) -> Tensor:
        if self.gate == "glu":
            return F.glu(out, -1)
        if self.gate == "gtu":
            value, gate = out.chunk(2, dim=-1)
            return torch.tanh(value) * torch.sigmoid(gate)
        return out

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.out_channels}, "
            f"kernel_size={self.kernel_size}, padding={self.padding!r}, gate={self.gate!r})"
        )
