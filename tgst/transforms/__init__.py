r"""Graph transforms: edge weights from lengths, spectral kernels, partition labels and the order of
the nodes; clip transforms: augmentation, preprocessing and streams of skeletons; and, in
:mod:`tgst.transforms.images`, augmentation of batches of images.

All but the last are :class:`torch_geometric.transforms.BaseTransform`\ s: they take a
:class:`~torch_geometric.data.Data`, leave it as it is and return a new one. All keep every edge
attribute aligned with the edges.
"""

from tgst.transforms import images
from tgst.transforms.clips import (
    AutoPadding,
    BodyFrame,
    BoneLength,
    CenterRoot,
    ConfidenceMask,
    DropEmptyFrames,
    FrameDropout,
    Interpolate,
    JointDropout,
    JointNoise,
    NormalizeImage,
    RandomChoose,
    RandomFlip,
    RandomMove,
    RandomRotation,
    RandomScale,
    RandomShear,
    RandomShift,
    ResampleTime,
    SmoothTime,
    Streams,
    TemporalCrop,
    UniformSample,
    bone_lengths,
)
from tgst.transforms.diffusion_partition import DiffusionPartition
from tgst.transforms.direction_partition import DirectionPartition
from tgst.transforms.distance_partition import DistancePartition
from tgst.transforms.edges import check_edge_ids
from tgst.transforms.first_order_kernel import FirstOrderKernel
from tgst.transforms.gaussian_kernel import GaussianKernel
from tgst.transforms.gravity_distance import gravity_distance
from tgst.transforms.offset_partition import OffsetPartition
from tgst.transforms.partition import Partition
from tgst.transforms.scaled_laplacian import ScaledLaplacian
from tgst.transforms.spatial_order import SpatialOrder
from tgst.transforms.spatial_partition import SpatialPartition
from tgst.transforms.uniform_partition import UniformPartition

__all__ = [
    "AutoPadding",
    "BodyFrame",
    "BoneLength",
    "CenterRoot",
    "ConfidenceMask",
    "DiffusionPartition",
    "DirectionPartition",
    "DistancePartition",
    "DropEmptyFrames",
    "FirstOrderKernel",
    "FrameDropout",
    "GaussianKernel",
    "Interpolate",
    "JointDropout",
    "JointNoise",
    "NormalizeImage",
    "OffsetPartition",
    "Partition",
    "RandomChoose",
    "RandomFlip",
    "RandomMove",
    "RandomRotation",
    "RandomScale",
    "RandomShear",
    "RandomShift",
    "ResampleTime",
    "ScaledLaplacian",
    "SmoothTime",
    "SpatialOrder",
    "SpatialPartition",
    "Streams",
    "TemporalCrop",
    "UniformPartition",
    "UniformSample",
    "bone_lengths",
    "check_edge_ids",
    "gravity_distance",
    "images",
]
