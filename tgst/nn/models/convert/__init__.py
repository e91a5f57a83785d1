r"""Published checkpoints of ST-GCN, in and out.

A checkpoint comes with its own graph, so that a converted network is a
:class:`ConvertedCheckpoint`: the model and the edges, labels and weights that it was trained with.
Files are read without running anything that is in them.
"""

from tgst.nn.models.convert.converted_checkpoint import ConvertedCheckpoint
from tgst.nn.models.convert.loading import load
from tgst.nn.models.convert.pyskl import from_pyskl, to_pyskl
from tgst.nn.models.convert.reading import read_checkpoint
from tgst.nn.models.convert.stgcn import from_stgcn, to_stgcn

__all__ = [
    "ConvertedCheckpoint",
    "from_pyskl",
    "from_stgcn",
    "load",
    "read_checkpoint",
    "to_pyskl",
    "to_stgcn",
]
