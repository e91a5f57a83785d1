r"""A layer that learns where to look."""

from __future__ import annotations

from typing import Any, Literal, overload

import torch
from torch import Tensor

from tgst.nn.warp.param_groups import param_groups
from tgst.nn.warp.regression_layer import regression_layer, start_at
from tgst.nn.warp.resample import Resample
from tgst.nn.warp.warp import Warp


class SpatialTransformer(torch.nn.Module):
    r"""The layer from `"Spatial Transformer Networks" <https://arxiv.org/abs/1506.02025>`_
    (Jaderberg et al., NeurIPS 2015): resamples each image by a map that it predicts from the
    image itself.

    .. math::
        \theta = f_\mathrm{loc}(U), \quad V(\mathbf{x}_t) = U(\mathcal{T}_\theta(\mathbf{x}_t))

    Localisation net, grid generator (a :class:`~tgst.nn.warp.Warp`) and sampler
    (:func:`~tgst.nn.warp.sample`) can be used alone, the latter two together as
    :class:`~tgst.nn.warp.Resample`. The layer may stand first or anywhere in a network. It starts
    as the identity: the last linear layer of the localisation net gets zero weights and the
    identity's parameters as bias.

    Convention:
        The map goes backward, from output to input, in normalised coordinates; see
        :class:`~tgst.nn.warp.Warp`.

        Training aids: :meth:`param_groups` gives the localisation net a smaller learning rate,
        :meth:`identity_penalty` draws the map to its start, and a :class:`RuntimeWarning` tells
        when the grid of a sample has left the image.

    Args:
        localization (torch.nn.Module): Net that maps images :math:`(B, C, [D, ] H, W)` to
            parameters :math:`(B, P)`, and whose last linear layer returns them; for example
            :class:`~tgst.nn.warp.ConvLocalization`.
        warp (Warp, optional): The family of maps.
            (default: :obj:`None`: :class:`~tgst.nn.warp.Affine`)
        output_size (int or tuple, optional): See :class:`~tgst.nn.warp.Resample`.
            (default: :obj:`None`)
        sampling (str, optional): See :func:`~tgst.nn.warp.sample`. (default: :obj:`"bilinear"`)
        padding (str, optional): See :func:`~tgst.nn.warp.sample`. (default: :obj:`"zeros"`)
        align_corners (bool, optional): See :class:`~tgst.nn.warp.Warp`. (default: :obj:`False`)
        antialias (bool or int, optional): See :class:`~tgst.nn.warp.Resample`.
            (default: :obj:`False`)
        deterministic (str or bool, optional): See :func:`~tgst.nn.warp.sample`.
            (default: :obj:`"auto"`)
        start (list, optional): Parameters to start from. (default: :obj:`None`: the identity)
        initialize (bool, optional): Whether the last linear layer is set to :obj:`start`. With
            :obj:`False` any module may localise. (default: :obj:`True`)
        warn_outside (bool, optional): See :class:`~tgst.nn.warp.Resample`. (default: :obj:`True`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **output**: :math:`(B, C, [D', ] H', W')`, and with :obj:`return_transform` the
          parameters :math:`(B, P)`

    Raises:
        TypeError: If :obj:`warp` is not a warp or the input holds no floats.
        ValueError: If an option is unknown, the localisation net does not end in a linear layer
            with as many outputs as the warp has parameters, or a shape does not fit.
    """

    def __init__(
        self,
        localization: torch.nn.Module,
        warp: Warp | None = None,
        output_size: int | tuple[int, ...] | None = None,
        sampling: str = "bilinear",
        padding: str = "zeros",
        align_corners: bool = False,
        antialias: bool | int = False,
        deterministic: Literal["auto"] | bool = "auto",
        start: list[float] | None = None,
        initialize: bool = True,
        warn_outside: bool = True,
    ):
        super().__init__()
        self.localization = localization
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
        if start is not None and len(start) != self.warp.num_params:
            raise ValueError(
                f"start: expected {self.warp.num_params} numbers for {self.warp}, got {len(start)}"
            )
        # on the CPU, as the layer may be made on the meta device
        identity = self.warp.identity(torch.float64, torch.device("cpu")).tolist()
        self.start: list[float] = identity if start is None else list(start)
        self.initialize = initialize
        if initialize:
            start_at(regression_layer(localization, self.warp.num_params), self.start)

    @property
    def warp(self) -> Warp:
        r"""The family of maps."""
        return self.resample.warp

    def reset_parameters(self):
        r"""Draws the localisation net anew and sets its last layer to the start."""
        for module in self.localization.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()  # type: ignore[operator]
        if self.initialize:
            start_at(regression_layer(self.localization, self.warp.num_params), self.start)

    @overload
    def forward(self, x: Tensor, return_transform: Literal[False] = False) -> Tensor: ...

    @overload
    def forward(self, x: Tensor, return_transform: Literal[True]) -> tuple[Tensor, Tensor]: ...

    def forward(self, x: Tensor, return_transform: bool = False):
        r"""Resamples the images; see the class for shapes."""
        theta = self.parameters_for(x)
        out = self.resample(x, theta)
        return (out, theta) if return_transform else out

    def parameters_for(self, x: Tensor) -> Tensor:
        r"""The parameters :math:`(B, P)` that the localisation net predicts for images."""
        self.resample.check(x)
        theta = self.localization(x)
        expected = (x.size(0), self.warp.num_params)
        if not isinstance(theta, Tensor) or tuple(theta.shape) != expected:
            got = list(theta.shape) if isinstance(theta, Tensor) else type(theta).__name__
            raise ValueError(
                f"localization: expected an output [{expected[0]}, {expected[1]}] for "
                f"{self.warp}, got {got}"
            )
        return theta

    def identity_penalty(self, theta: Tensor) -> Tensor:
        r"""Mean squared distance of parameters from their start, which is the identity unless
        :obj:`start` was given: to be added to the loss with a small factor.

        Shapes:
            - **theta**: :math:`(B, P)`
            - **output**: a number
        """
        return (theta - theta.new_tensor(self.start)).square().sum(dim=1).mean()

    def param_groups(
        self, learning_rate: float, localization_scale: float = 0.1
    ) -> list[dict[str, Any]]:
        r"""Groups for an optimizer, see :func:`tgst.nn.warp.param_groups`."""
        return param_groups(self, learning_rate, localization_scale)
