r"""Warps of volumes that keep parallels."""

from __future__ import annotations

from tgst.nn.warp.affine import Affine


class Affine3d(Affine):
    r"""Affine maps of volumes by twelve numbers, appendix A.3 of `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_.

    .. math::
        \mathbf{x}_s = \mathbf{A} \mathbf{x}_t + \mathbf{t}, \quad
        \mathbf{A} \in \mathbb{R}^{3 \times 3}

    Convention:
        Coordinates are in the order :math:`(x, y, z)`, for the dimensions :math:`(W, H, D)` of a
        volume :math:`(B, C, D, H, W)`.

    Args:
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"a11"` … :obj:`"a34"`.
            (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 12)`, row by row, or :math:`(B, 3, 4)`
    """

    dim = 3
