r"""Warps that look at a part of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp


class Attention(MatrixWarp):
    r"""Isotropic scale and translation :math:`\theta = (s, t_x, t_y)`, equation 2 of `"Spatial
    Transformer Networks" <https://arxiv.org/abs/1506.02025>`_.

    .. math::
        \begin{bmatrix} s & 0 & t_x \\ 0 & s & t_y \end{bmatrix}

    With :math:`s < 1` the output is a part of the input, enlarged.

    Args:
        scale (float, optional): If given, the scale is this constant and :math:`\theta = (t_x,
            t_y)`: 0.5 in the paper's experiment on birds. (default: :obj:`None`)
        log_scale (bool, optional): Predict :math:`\log s` in place of :math:`s`, which can then
            be neither zero nor negative (a mirror image). (default: :obj:`False`)
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"scale"`, :obj:`"x"`, :obj:`"y"`.
            (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 3)` or :math:`(B, 2, 3)`
    """

    def __init__(
        self,
        scale: float | None = None,
        log_scale: bool = False,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        fixed = dict(fixed or {})
        if scale is not None:
            fixed["scale"] = scale
        identity = {"scale": 1.0, "x": 0.0, "y": 0.0}
        super().__init__(identity, bound, fixed, ["scale"] if log_scale else [])

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        scale, x, y = values
        zero = torch.zeros_like(x)
        return torch.stack([scale, zero, x, zero, scale, y], dim=1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        return [matrix[:, 0, 0], matrix[:, 0, 2], matrix[:, 1, 2]]
