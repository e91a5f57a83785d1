r"""Spatial transformers one after the other."""

from __future__ import annotations

from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp, product, square
from tgst.nn.warp.param_groups import param_groups
from tgst.nn.warp.spatial_transformer import SpatialTransformer


class SerialTransformers(torch.nn.Module):
    r"""Spatial transformers in series, each resampling what the one before returned, from
    `"Spatial Transformer Networks" <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS
    2015), with layers in between if wanted.

    .. math::
        V = U \circ \mathcal{T}, \quad
        \mathcal{T} = \mathcal{T}_{\theta_1} \circ \mathcal{T}_{\theta_2} \circ \dots \circ
        \mathcal{T}_{\theta_L}

    Convention:
        The composed map takes the last output to the first input, where the first transformer is
        the outermost map. If all warps are matrices, it is returned as the product of matrices:
        :math:`(B, d, d + 1)`, or :math:`(B, 3, 3)` if one is :class:`Projective`, and can be given
        to a warp of that shape in place of parameters. If one is a :class:`ThinPlateSpline`, whose
        compositions are no splines, the composed sampling grid :math:`(B, H', W', 2)` is
        returned. Layers in between are taken to keep things in their place. What lies outside an
        intermediate image is lost to the next transformer, which the composed map does not show.

    Args:
        transformers (list): :class:`~tgst.nn.SpatialTransformer` layers, the first reads the input.
        layers (list, optional): Modules, one after each transformer, for example convolutions.
            (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **output**: what the last transformer (or layer) returns, and with
          :obj:`return_transform` the composed map

    Raises:
        TypeError: If a transformer is no :class:`~tgst.nn.SpatialTransformer`.
        ValueError: If there is no transformer, numbers of transformers and layers or dimensions
            of warps differ, corners are aligned in some transformers only (their coordinates do
            not mean the same, so that maps cannot be composed), or a shape does not fit.
    """

    def __init__(
        self,
        transformers: list[SpatialTransformer],
        layers: list[torch.nn.Module] | None = None,
    ):
        super().__init__()
        if not transformers:
            raise ValueError("transformers: expected at least one, got none")
        for each in transformers:
            if not isinstance(each, SpatialTransformer):
                raise TypeError(
                    f"transformers: expected SpatialTransformers, got {type(each).__name__}"
                )
        dims = {transformer.warp.dim for transformer in transformers}
        if len(dims) > 1:
            raise ValueError(f"transformers: expected warps of one dimension, got {sorted(dims)}")
        if len({transformer.resample.align_corners for transformer in transformers}) > 1:
            raise ValueError("transformers: expected one align_corners of all, got both")
        if layers is not None and len(layers) != len(transformers):
            raise ValueError(f"layers: expected {len(transformers)}, got {len(layers)}")
        self.transformers = torch.nn.ModuleList(transformers)
        self.layers = torch.nn.ModuleList(layers or [])

    def reset_parameters(self):
        r"""Resets the transformers and the layers that can be reset."""
        for module in (*self.transformers, *self.layers):
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()

    def forward(self, x: Tensor, return_transform: bool = False):
        r"""Resamples the images; see the class for shapes."""
        thetas, size = [], tuple(x.shape[2:])
        for i, transformer in enumerate(self.transformers):
            x, theta = transformer(x, return_transform=True)
            thetas.append(theta)
            size = tuple(x.shape[2:])
            if len(self.layers):
                x = self.layers[i](x)
        return (x, self.composed(thetas, size)) if return_transform else x

    def composed(self, thetas: list[Tensor], size: tuple[int, ...]) -> Tensor:
        r"""The map of all transformers together.

        Args:
            thetas (list): Parameters of each transformer.
            size (tuple): Output size of the last transformer, for a sampling grid.

        Shapes:
            - **thetas**: :math:`(B, P_i)`
            - **output**: a matrix or a sampling grid, see the class
        """
        transformers = cast(list[SpatialTransformer], list(self.transformers))
        pairs = [(each.warp, theta) for each, theta in zip(transformers, thetas, strict=True)]
        matrices = [warp.matrix(theta) for warp, theta in pairs if isinstance(warp, MatrixWarp)]
        if len(matrices) == len(pairs):
            whole = reduce(product, map(square, matrices))
            return whole[:, : max(matrix.size(1) for matrix in matrices)]
        warp, theta = pairs.pop()
        points = warp.grid(theta, size, transformers[-1].resample.align_corners)
        shape, points = points.shape, points.flatten(1, -2)
        for warp, theta in reversed(pairs):
            points = warp.transform(theta, points)
        return points.view(shape)

    def param_groups(
        self, learning_rate: float, localization_scale: float = 0.1
    ) -> list[dict[str, Any]]:
        r"""Groups for an optimizer, see :func:`tgst.nn.warp.param_groups`."""
        return param_groups(self, learning_rate, localization_scale)
