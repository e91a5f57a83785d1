r"""Warps that keep shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp


class Similarity(MatrixWarp):
    r"""Rotation, isotropic scale and translation :math:`\theta = (\alpha, s, t_x, t_y)`.

    .. math::
        \begin{bmatrix} s \cos \alpha & -s \sin \alpha & t_x \\
        s \sin \alpha & s \cos \alpha & t_y \end{bmatrix}

    Convention:
        The matrix is :math:`[s \mathbf{R}(\alpha), \mathbf{t}]`: the translation is in the input's
        coordinates and neither rotated nor scaled (Torch's stnbhwd multiplies it by both). The
        angle is in radians and turns x towards y, clockwise on the screen; the image then turns
        the other way, as the map goes backward. In an image that is not square a rotation in
        normalised coordinates shears.

    Args:
        log_scale (bool, optional): Predict :math:`\log s` in place of :math:`s`, which can then
            be neither zero nor negative. (default: :obj:`False`)
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"angle"`, :obj:`"scale"`, :obj:`"x"`,
            :obj:`"y"`. (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 4)` or :math:`(B, 2, 3)`
    """

    def __init__(
        self,
        log_scale: bool = False,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        identity = {"angle": 0.0, "scale": 1.0, "x": 0.0, "y": 0.0}
        super().__init__(identity, bound, fixed, ["scale"] if log_scale else [])

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        angle, scale, x, y = values
        cosine, sine = scale * angle.cos(), scale * angle.sin()
        return torch.stack([cosine, -sine, x, sine, cosine, y], dim=1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        cosine, sine = matrix[:, 0, 0], matrix[:, 1, 0]
        angle, scale = torch.atan2(sine, cosine), torch.hypot(sine, cosine)
        return [angle, scale, matrix[:, 0, 2], matrix[:, 1, 2]]
