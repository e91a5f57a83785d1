r"""Complete models."""

from tgst.nn.models import convert
from tgst.nn.models.image_classifier import ImageClassifier
from tgst.nn.models.late_fusion import LateFusion
from tgst.nn.models.residual_grid_net import ResidualGridNet
from tgst.nn.models.skeleton_ensemble import SkeletonEnsemble
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN
from tgst.nn.models.skeleton_stream import SkeletonStream, StreamOutput
from tgst.nn.models.st_resnet import STResNet
from tgst.nn.models.traffic_stgcn import TrafficSTGCN

__all__ = [
    "ImageClassifier",
    "LateFusion",
    "ResidualGridNet",
    "STResNet",
    "SkeletonEnsemble",
    "SkeletonSTGCN",
    "SkeletonStream",
    "StreamOutput",
    "TrafficSTGCN",
    "convert",
]
classes = [name for name in __all__ if name != "convert"]  # what the reference page lists
