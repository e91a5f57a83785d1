r"""Graph transforms: edge weights from lengths, spectral kernels and partition labels.

All are :class:`torch_geometric.transforms.BaseTransform`\ s: they take a
:class:`~torch_geometric.data.Data`, leave it as it is and return a new one. All keep every edge
attribute aligned with the edges.
"""

from tgst.transforms.diffusion_partition import DiffusionPartition
from tgst.transforms.direction_partition import DirectionPartition
from tgst.transforms.distance_partition import DistancePartition
from tgst.transforms.edges import check_edge_ids
from tgst.transforms.first_order_kernel import FirstOrderKernel
from tgst.transforms.gaussian_kernel import GaussianKernel
from tgst.transforms.partition import Partition
from tgst.transforms.scaled_laplacian import ScaledLaplacian
from tgst.transforms.uniform_partition import UniformPartition

__all__ = [
    "DiffusionPartition",
    "DirectionPartition",
    "DistancePartition",
    "FirstOrderKernel",
    "GaussianKernel",
    "Partition",
    "ScaledLaplacian",
    "UniformPartition",
    "check_edge_ids",
]
