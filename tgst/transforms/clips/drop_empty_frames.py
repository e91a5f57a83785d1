r"""Clips without the frames in which nobody is seen."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.clip import checked_clip


@functional_transform("tgst_drop_empty_frames")
class DropEmptyFrames(BaseTransform):
    r"""Removes the frames in which nothing is observed; the others move together.

    Depth sensors write zeros while they have lost a person. PYSKL (`PreNormalize3D`) removes such
    frames too (those in which its main person is missing). A clip in which nothing is ever observed
    stays as it is.

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, T', C)`, :obj:`mask` :math:`(N, *, T')`
    """

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        frame = mask.reshape(-1, mask.size(-1)).any(0).nonzero().flatten()
        if 0 < frame.numel() < mask.size(-1):
            x, mask = x.index_select(-2, frame), mask.index_select(-1, frame)
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}()"
