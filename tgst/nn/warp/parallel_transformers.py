r"""Several spatial transformers side by side."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from tgst.nn.warp.param_groups import param_groups
from tgst.nn.warp.regression_layer import regression_layer, start_at
from tgst.nn.warp.resample import Resample
from tgst.nn.warp.warp import Warp


class ParallelTransformers(torch.nn.Module):
    r"""Several views of the same image, from `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS 2015): one per object or part.

    .. math::
        (\theta_1, \dots, \theta_N) = f_\mathrm{loc}(U), \quad
        V_n(\mathbf{x}_t) = U(\mathcal{T}_{\theta_n}(\mathbf{x}_t))

    One localisation net predicts all maps, as for the birds of the paper, or each map has its own
    net. All are of one family. They need distinct starts, as maps with equal starts stay equal or
    meet in one region; by default they tile the image.

    Args:
        localization (torch.nn.Module or list): A net whose last linear layer returns
            :math:`N \cdot P` numbers, or :math:`N` nets that return :math:`P`.
        num_transformers (int): Number :math:`N` of maps.
        warp (Warp, optional): The family of maps. (default: :obj:`None`: :class:`Affine`)
        output_size (int or tuple, optional): See :class:`Resample`. (default: :obj:`None`)
        sampling (str, optional): See :func:`sample`. (default: :obj:`"bilinear"`)
        padding (str, optional): See :func:`sample`. (default: :obj:`"zeros"`)
        align_corners (bool, optional): See :class:`Warp`. (default: :obj:`False`)
        antialias (bool or int, optional): See :class:`Resample`. (default: :obj:`False`)
        deterministic (str or bool, optional): See :func:`sample`. (default: :obj:`"auto"`)
        starts (list, optional): Parameters to start from, one list per map.
            (default: :obj:`None`: :meth:`Warp.tiles`)
        combine (str, optional): :obj:`"channels"` for views as channels of one image, or
            :obj:`"stack"` for a dimension of views, :obj:`unbind(1)` of which feeds a net per
            view. (default: :obj:`"channels"`)
        warn_outside (bool, optional): See :class:`Resample`. (default: :obj:`True`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **output**: :math:`(B, N C, [D', ] H', W')` or :math:`(B, N, C, [D', ] H', W')`, and
          with :obj:`return_transform` the parameters :math:`(B, N, P)`

    Raises:
        ValueError: If starts are equal, not :math:`N` times :math:`P` or, by default, beyond the
            bounds of the warp, an option is unknown, a localisation net is given twice or returns
            another number of parameters, or a shape does not fit.
    """

    def __init__(
        self,
        localization: torch.nn.Module | list[torch.nn.Module],
        num_transformers: int,
        warp: Warp | None = None,
        output_size: int | tuple[int, ...] | None = None,
        sampling: str = "bilinear",
        padding: str = "zeros",
        align_corners: bool = False,
        antialias: bool | int = False,
        deterministic: Literal["auto"] | bool = "auto",
        starts: list[list[float]] | None = None,
        combine: str = "channels",
        warn_outside: bool = True,
    ):
        super().__init__()
        if combine not in ("channels", "stack"):
            raise ValueError(f"combine: expected 'channels' or 'stack', got {combine!r}")
        if num_transformers < 1:
            raise ValueError(f"num_transformers: expected at least 1, got {num_transformers}")
        shared = isinstance(localization, torch.nn.Module)
        nets = [localization] if isinstance(localization, torch.nn.Module) else [*localization]
        if not shared and len(nets) != num_transformers:
            raise ValueError(
                f"localization: expected one net or {num_transformers}, got {len(nets)}"
            )
        if len({id(net) for net in nets}) < len(nets):
            raise ValueError("localization: expected distinct nets, got one of them twice")
        self.localization = torch.nn.ModuleList(nets)
        self.num_transformers = num_transformers
        self.combine = combine
        self.resample = Resample(
            warp,
            output_size,
            sampling,
            padding,
            align_corners,
            antialias,
            deterministic,
            warn_outside,
        )
        self.starts = self._checked_starts(starts)
        self._start()

    @property
    def warp(self) -> Warp:
        r"""The family of maps."""
        return self.resample.warp

    def _checked_starts(self, starts: list[list[float]] | None) -> list[list[float]]:
        count, width = self.num_transformers, self.warp.num_params
        if starts is None:
            with torch.device("cpu"):  # the layer may be made on the meta device
                return self.warp.tiles(count).tolist()
        starts = [list(start) for start in starts]
        if len(starts) != count or any(len(start) != width for start in starts):
            raise ValueError(f"starts: expected {count} lists of {width} numbers, got {starts}")
        if len({tuple(start) for start in starts}) < count:
            raise ValueError(f"starts: expected distinct ones, got {starts}")
        return starts

    def _start(self) -> None:
        width = self.warp.num_params * self.num_transformers // len(self.localization)
        flat = [number for start in self.starts for number in start]
        for i, net in enumerate(self.localization):
            start_at(regression_layer(net, width), flat[i * width : (i + 1) * width])

    def reset_parameters(self):
        r"""Draws the localisation nets anew and sets their last layers to the starts."""
        for module in self.localization.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]
        self._start()

    def forward(self, x: Tensor, return_transform: bool = False):
        r"""Resamples the images; see the class for shapes."""
        theta = self.parameters_for(x)
        views = [self.resample(x, each) for each in theta.unbind(1)]
        join = torch.cat if self.combine == "channels" else torch.stack
        out = join(views, dim=1)
        return (out, theta) if return_transform else out

    def parameters_for(self, x: Tensor) -> Tensor:
        r"""The parameters :math:`(B, N, P)` that are predicted for images."""
        self.resample.check(x)
        theta = torch.cat([net(x) for net in self.localization], dim=-1)
        count, width = self.num_transformers, self.warp.num_params
        if tuple(theta.shape) != (x.size(0), count * width):
            raise ValueError(
                f"localization: expected {count * width} numbers per image, got {list(theta.shape)}"
            )
        return theta.view(-1, count, width)

    def identity_penalty(self, theta: Tensor) -> Tensor:
        r"""Mean squared distance of parameters from their starts.

        Shapes:
            - **theta**: :math:`(B, N, P)`
            - **output**: a number
        """
        return (theta - theta.new_tensor(self.starts)).square().sum(dim=-1).mean()

    def param_groups(
        self, learning_rate: float, localization_scale: float = 0.1
    ) -> list[dict[str, Any]]:
        r"""Groups for an optimizer, see :func:`tgst.nn.warp.param_groups`."""
        return param_groups(self, learning_rate, localization_scale)

    def extra_repr(self) -> str:
        r"""The options."""
        return f"num_transformers={self.num_transformers}, combine={self.combine!r}"
