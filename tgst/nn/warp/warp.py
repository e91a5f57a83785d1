r"""What all warp families have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tgst.nn.warp.arguments import check_size, full_precision, widened
from tgst.nn.warp.coordinates import target_points, to_pixels


class Warp(torch.nn.Module):
    r"""A family of coordinate maps from `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS 2015): the grid generator.

    .. math::
        (x_s, y_s) = \mathcal{T}_\theta(x_t, y_t)

    The parameters :math:`\theta` are the numbers that a localisation net predicts;
    :meth:`identity` are those of the map that moves nothing. A family has no learnable parameters.

    Convention:
        The map goes backward: it takes a point of the *output* (target) to the place in the
        *input* (source) that the output reads. Coordinates are normalised, -1 to 1, and in the
        order :math:`(x, y[, z])`, x to the right, y down; sizes are :math:`([D, ] H, W)`. Whether
        -1 and 1 are outer edges or centres of the outermost pixels is the argument
        :obj:`align_corners`, which must be the same in the sampler.

        Coordinates are computed in float32 at least, also for half-precision parameters and under
        autocast: a bfloat16 coordinate misses by whole pixels.

    Args:
        identity (list): Parameters of the identity.
        bound (float or list, optional): If given, parameter :math:`\theta` acts as
            :math:`e + b \tanh((\theta - e) / b)` with :math:`e` its value in the identity: it
            stays within :math:`b` of it. One number for all or one per parameter.
            (default: :obj:`None`)

    Raises:
        ValueError: If a bound is not positive and finite, or their number is not that of the
            parameters.
    """

    dim: int = 2
    _center: Tensor | None
    _bound: Tensor | None

    def __init__(self, identity: Sequence[float], bound: float | Sequence[float] | None = None):
        super().__init__()
        self._identity = tuple(map(float, identity))
        self.bound = bound
        self.register_buffer("_center", None)
        self.register_buffer("_bound", None)
        if bound is not None:
            bounds = [bound] * self.num_params if isinstance(bound, (int, float)) else [*bound]
            if len(bounds) != self.num_params or not all(0 < b < math.inf for b in bounds):
                raise ValueError(
                    f"bound: expected a finite positive number or {self.num_params} of them, "
                    f"got {bound}"
                )
            self._bounds = tuple(map(float, bounds))
            self._register_constants()

    @property
    def num_params(self) -> int:
        r"""Number of parameters that are predicted per sample."""
        return len(self._identity)

    def identity(
        self, dtype: torch.dtype | None = None, device: torch.device | None = None
    ) -> Tensor:
        r"""The parameters :math:`(P)` of the map that moves nothing."""
        return torch.tensor(self._identity, dtype=dtype, device=device)

    def forward(self, theta: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
        r"""The same as :meth:`grid`."""
        return self.grid(theta, size, align_corners)

    def grid(
        self,
        theta: Tensor,
        size: Sequence[int],
        align_corners: bool = False,
        oversample: Sequence[int] | None = None,
    ) -> Tensor:
        r"""The place in the input that every output pixel reads.

        Args:
            theta (torch.Tensor): Parameters, or the matrix form that the family names.
            size (tuple): Output size :math:`([D, ] H, W)`.
            align_corners (bool, optional): See :class:`Warp`. (default: :obj:`False`)
            oversample (tuple, optional): Points per output pixel and dimension.
                (default: :obj:`None`: one)

        Shapes:
            - **theta**: :math:`(B, P)`
            - **output**: :math:`(B, [D, ] H, W, d)`, multiples of the sizes with
              :obj:`oversample`

        Raises:
            ValueError: If the shape of :obj:`theta` is not the family's or the size is empty.
        """
        self._check_theta(theta)
        size = check_size(size, self.dim)
        factors = None if oversample is None else check_size(oversample, self.dim, "oversample")
        with full_precision(theta.device.type):
            points = self._grid(widened(theta), size, align_corners, factors)
        sizes = size if factors is None else [n * k for n, k in zip(size, factors, strict=True)]
        return points.view(-1, *sizes, self.dim)

    def transform(self, theta: Tensor, points: Tensor) -> Tensor:
        r"""Maps any points of the output to the input.

        Args:
            theta (torch.Tensor): As in :meth:`grid`.
            points (torch.Tensor): Normalised target points, the same for all samples or per
                sample.

        Shapes:
            - **theta**: :math:`(B, P)`
            - **points**: :math:`(N, d)` or :math:`(B, N, d)`
            - **output**: :math:`(B, N, d)`

        Raises:
            ValueError: If a shape is another.
        """
        self._check_theta(theta)
        if points.dim() not in (2, 3) or points.size(-1) != self.dim:
            raise ValueError(
                f"points: expected [N, {self.dim}] or [B, N, {self.dim}], got {list(points.shape)}"
            )
        theta = widened(theta)
        with full_precision(theta.device.type):
            return self._transform(theta, points.to(theta.dtype))

    def corners(self, theta: Tensor) -> Tensor:
        r"""Where the corners of the output lie in the input.

        Shapes:
            - **theta**: :math:`(B, P)`
            - **output**: :math:`(B, 2^d, d)`; in 2-D left top, right top, right bottom, left
              bottom, so that they can be drawn as a closed line; in 3-D such a face at
              :math:`z = -1` and one at :math:`z = 1`
        """
        face = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        points = face if self.dim == 2 else [(*xy, z) for z in (-1.0, 1.0) for xy in face]
        return self.transform(theta, torch.tensor(points, device=theta.device))

    def compose(self, first: Tensor, second: Tensor) -> Tensor:
        r"""The map of two resamplings one after the other.

        Args:
            first (torch.Tensor): Parameters of the one that reads the image.
            second (torch.Tensor): Parameters of the one that reads the result.
        """
        raise NotImplementedError

    def inverse(self, theta: Tensor) -> Tensor:
        r"""The map that undoes another one."""
        raise NotImplementedError

    def tiles(self, count: int) -> Tensor:
        r"""Parameters :math:`(\text{count}, P)` that tile the image, for transformers side by
        side that would otherwise collapse to one region.

        Raises:
            ValueError: If a bound does not let parameters get there.
        """
        raise NotImplementedError

    @staticmethod
    def to_pixels(points: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
        r"""Normalised coordinates in pixels of an image of that size, see
        :func:`tgst.nn.warp.to_pixels`.
        """
        return to_pixels(points, size, align_corners)

    def extra_repr(self) -> str:
        r"""The options that are set."""
        return "" if self.bound is None else f"bound={self.bound}"

    # -- for families ---------------------------------------------------------------------------

    def _grid(self, theta: Tensor, size, align_corners: bool, oversample) -> Tensor:
        points = target_points(
            size, align_corners, oversample, dtype=theta.dtype, device=theta.device
        )
        return self._transform(theta, points)

    def _transform(self, theta: Tensor, points: Tensor) -> Tensor:
        raise NotImplementedError

    def _check_theta(self, theta: Tensor, *forms: tuple[int, ...]) -> None:
        forms = ((self.num_params,), *forms)
        if not isinstance(theta, Tensor):
            raise TypeError(f"theta: expected a Tensor, got {type(theta).__name__}")
        if theta.dim() < 2 or tuple(theta.shape[1:]) not in forms:
            names = " or ".join(f"[B, {', '.join(map(str, form))}]" for form in forms)
            raise ValueError(f"theta: expected {names} for {self}, got {list(theta.shape)}")

    def _bounded(self, theta: Tensor) -> Tensor:
        if self._bound is None or self._center is None:
            return theta
        center, bound = self._center.to(theta.dtype), self._bound.to(theta.dtype)
        return center + bound * torch.tanh((theta - center) / bound)

    def _before_bound(self, values: Tensor) -> Tensor:
        if self.bound is None:
            return values
        center, bound = values.new_tensor(self._identity), values.new_tensor(self._bounds)
        share = (values - center) / bound
        if bool((share.abs() >= 1).any()):
            raise ValueError(
                f"bound: expected one that lets {self} tile the image, got {self.bound}"
            )
        return center + bound * torch.atanh(share)

    # -- constants ------------------------------------------------------------------------------

    def _constants(self) -> dict[str, Tensor]:
        if self.bound is None:
            return {}
        exact = {"_center": self._identity, "_bound": self._bounds}
        return {name: torch.tensor(v, dtype=torch.float64) for name, v in exact.items()}

    def _register_constants(self) -> None:
        for name, value in self._constants().items():
            self.register_buffer(name, value, persistent=False)

    def _apply(self, fn, recurse=True):
        # Constants follow the device but stay in float64, whatever the dtype of the model:
        # rounded to half precision and back they would move every pixel.
        constants = self._constants()
        for name in constants:
            self._buffers[name] = getattr(self, name).float()  # as some devices take no float64
        super()._apply(fn, recurse)
        for name, exact in constants.items():
            device = getattr(self, name).device
            self._buffers[name] = (
                exact.float().to(device) if device.type == "mps" else exact.to(device)
            )
        return self
