r"""Spatial transformers: families of coordinate maps, sampler and layers; the layer itself is
:class:`tgst.nn.SpatialTransformer`.
"""

from tgst.nn.warp.affine import Affine
from tgst.nn.warp.affine_3d import Affine3d
from tgst.nn.warp.attention import Attention
from tgst.nn.warp.conv_localization import ConvLocalization
from tgst.nn.warp.coordinates import target_points, to_pixels
from tgst.nn.warp.matrix_warp import MatrixWarp
from tgst.nn.warp.parallel_transformers import ParallelTransformers
from tgst.nn.warp.param_groups import param_groups
from tgst.nn.warp.projective import Projective
from tgst.nn.warp.resample import Resample
from tgst.nn.warp.sampler import sample
from tgst.nn.warp.scale_translation import ScaleTranslation
from tgst.nn.warp.serial_transformers import SerialTransformers
from tgst.nn.warp.similarity import Similarity
from tgst.nn.warp.spatial_transformer import SpatialTransformer as SpatialTransformer
from tgst.nn.warp.thin_plate_spline import ThinPlateSpline
from tgst.nn.warp.translation import Translation
from tgst.nn.warp.warp import Warp

__all__ = [
    "Affine",
    "Affine3d",
    "Attention",
    "ConvLocalization",
    "MatrixWarp",
    "ParallelTransformers",
    "Projective",
    "Resample",
    "ScaleTranslation",
    "SerialTransformers",
    "Similarity",
    "ThinPlateSpline",
    "Translation",
    "Warp",
    "param_groups",
    "sample",
    "target_points",
    "to_pixels",
]
