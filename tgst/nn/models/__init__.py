r"""Complete models."""

from tgst.nn.models.traffic_stgcn import TrafficSTGCN

__all__ = classes = ["TrafficSTGCN"]
