r"""ST-GCN for skeleton action recognition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst import ops
from tgst.nn.blocks.skeleton_block import SkeletonBlock, check_dropout
from tgst.nn.checkpointing import run_block
from tgst.nn.conv.arguments import check_features
from tgst.nn.folding import fuse
from tgst.nn.models.skeleton_readout import (
    checked_mask,
    checked_nodes,
    mean_over_clip,
    present_frames,
    unless_all,
)
from tgst.nn.norm import ChannelBatchNorm

if TYPE_CHECKING:
    from tgst.nn.models.skeleton_stream import SkeletonStream


class SkeletonSTGCN(torch.nn.Module):
    r"""Skeleton action recognition from `"Spatial Temporal Graph Convolutional Networks for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan, Xiong and Lin,
    AAAI 2018).

    .. math::
        \hat{\mathbf{y}} = \mathbf{W} \, \operatorname{mean}_{i,t} \big( \mathrm{Block}_{10}( \dots
        \mathrm{Block}_1(\mathrm{Norm}(\mathbf{X})))_{i,t} \big) + \mathbf{b}

    with blocks :class:`tgst.nn.SkeletonBlock`; by default the ten of the released code, whose first
    has no residual and no dropout. A skeleton is any graph, and a clip is one graph: its persons
    are copies of the skeleton side by side (:func:`tgst.utils.repeat_graph`), or a dimension of
    their own (:obj:`person_dim`). Clips of a :class:`~torch_geometric.data.Batch` may have
    different numbers of persons, lengths (:class:`tgst.loader.PadTime`) and, with
    :obj:`data_norm="channel"` and no importance or ranges of :obj:`e_id` of their own, skeletons.
    By design, normalisation per joint breaks the equivariance to a permutation of the nodes, the
    importance permutes with :obj:`e_id`, and batch normalisation in training mode mixes clips.

    Convention:
        The graph arrives ready to multiply, labels and weights from
        :class:`tgst.transforms.SpatialPartition` or another partition transform. The persons of
        a clip share the importance of an edge through equal :obj:`e_id`. What is not observed must
        be :obj:`False` in :obj:`mask`; its value, even NaN, then changes nothing. A NaN that is
        marked as observed, or any without a mask, spreads: nothing looks for it here.

    Args:
        in_channels (int): Channels per joint, for example 3.
        num_classes (int): Number of classes.
        num_partitions (int): Number of partition labels, of the transform.
        num_edges (int, optional): Number of edges of the skeleton, each of which then has a
            learnable importance in every block. (default: :obj:`None`)
        num_joints (int, optional): Number of joints, for :obj:`data_norm="joint"`.
            (default: :obj:`None`)
        channels (sequence of int, optional): Width of each block.
            (default: :obj:`(64, 64, 64, 64, 128, 128, 128, 256, 256, 256)`)
        strides (sequence of int, optional): Step in time of each block.
            (default: :obj:`(1, 1, 1, 1, 2, 1, 1, 2, 1, 1)`)
        kernel_size (int, optional): Taps in time. (default: :obj:`9`)
        data_norm (str, optional): Batch normalisation of the input: :obj:`"joint"` for each joint
            and channel, as published (needs :obj:`num_joints`, and ties the model to the order
            of the joints), :obj:`"channel"` for each channel, :obj:`None` for none.
            (default: :obj:`"joint"`)
        readout (str, optional): :obj:`"masked"`: with a :obj:`mask`, unobserved inputs are zero
            after the input normalisation, frames without any observed joint of the body count as
            absent (convolutions over time read zeros there, as beyond the ends, and batch
            statistics leave them out), and the mean runs over observed entries alone, so that a
            padded clip equals the clip. :obj:`"mean"`: the mask is ignored and padding counts, as
            published (needed for published weights). (default: :obj:`"masked"`)
        dropout (float, optional): Dropout probability in all blocks but the first.
            (default: :obj:`0.0`)
        causal (bool, optional): Whether no frame sees a later one. (default: :obj:`False`)
        residual (str, optional): Residual of all blocks but the first, see
            :class:`tgst.nn.SkeletonBlock`. (default: :obj:`"auto"`)
        init (str, optional): :obj:`"default"`, or :obj:`"published"`: normal weights with
            deviation 0.02, around one for the scales of normalisations. (default:
            :obj:`"default"`)
        conv (callable, optional): :obj:`conv(in_channels, out_channels)` returns the graph
            convolution of a block, for example :obj:`lambda i, o: PerStep(GATConv(i, o))`.
            (default: :obj:`None`)
        backend (str, optional): The sparse kernel, see :func:`tgst.ops.spmm`.
            (default: :obj:`"auto"`)
        head_dropout (float, optional): Dropout probability of the mean that the classes are read
            from. (default: :obj:`0.0`)
        activation_checkpointing (bool, optional): Whether the backward pass of training computes
            the activations within a block again instead of keeping them: less memory for the
            time of another forward pass, and the same gradients. (default: :obj:`False`)

    Shapes:
        - **x**: :math:`(N, *, T, C_{in})`; :math:`N` is the number of joints of all persons of all
          clips, or of one skeleton whose clips and persons are batch dimensions
        - **edge_index**: :math:`(2, E)`, an :class:`~torch_geometric.EdgeIndex` or a
          :class:`tgst.ops.Adjacency`
        - **edge_type**, **edge_weight**, **e_id**: :math:`(E)`
        - **batch**, **person**: :math:`(N)`, long; the clip and the person of each node
        - **mask**: :math:`(N, *, T)`, boolean, :obj:`True` = observed
        - **output**: :math:`(G, *, \text{classes})` with :obj:`batch`, else
          :math:`(*, \text{classes})`, and :math:`(1, \text{classes})` for a single clip

    Raises:
        ValueError: If an option is unknown, a required number is missing, or an input does not
            fit; the message names it.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        num_partitions: int,
        num_edges: int | None = None,
        num_joints: int | None = None,
        channels: Sequence[int] = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256),
        strides: Sequence[int] = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
        kernel_size: int = 9,
        data_norm: str | None = "joint",
        readout: str = "masked",
        dropout: float = 0.0,
        causal: bool = False,
        residual: str | None = "auto",
        init: str = "default",
        conv: Callable[[int, int], torch.nn.Module] | None = None,
        backend: str = "auto",
        head_dropout: float = 0.0,
        activation_checkpointing: bool = False,
    ):
        super().__init__()
        _check_options(readout, init, channels, strides)
        self.in_channels, self.num_classes = in_channels, num_classes
        self.num_partitions, self.num_edges = num_partitions, num_edges
        self.num_joints = num_joints
        self.readout, self.init = readout, init
        self.stride = math.prod(strides)
        self.head_dropout = check_dropout(head_dropout, "head_dropout")
        self.activation_checkpointing = activation_checkpointing
        self.data_norm_kind = data_norm
        self.data_norm = _data_norm(data_norm, in_channels, num_joints)
        self._own_kernel = conv is None
        self.blocks = torch.nn.ModuleList()
        check_dropout(dropout)
        for layer, (width, stride) in enumerate(zip(channels, strides, strict=True)):
            self.blocks.append(
                SkeletonBlock(
                    in_channels,
                    width,
                    None if conv is None else conv(in_channels, width),
                    num_partitions,
                    kernel_size,
                    stride,
                    residual if layer else None,
                    num_edges,
                    dropout if layer else 0.0,
                    causal,
                    backend,
                )
            )
            in_channels = width
        self.head = torch.nn.Linear(in_channels, num_classes)
        if init == "published":
            _published(self)

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in (self.data_norm, *self.blocks, self.head):
            if module is not None:
                module.reset_parameters()
        if self.init == "published":
            _published(self)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        batch: Tensor | None = None,
        mask: Tensor | None = None,
        e_id: Tensor | None = None,
        batch_size: int | None = None,
        person: Tensor | None = None,
        person_dim: int | None = None,
    ) -> Tensor:
        r"""Returns the scores (logits) of the classes.

        Args:
            x (Tensor): The clips; see the class for shapes.
            edge_index (Tensor): The skeletons.
            edge_type (Tensor, optional): The partition labels. (default: :obj:`None`)
            edge_weight (Tensor, optional): The weights. (default: :obj:`None`)
            batch (Tensor, optional): The clip of each node. (default: :obj:`None`)
            mask (Tensor, optional): What is observed. (default: :obj:`None`)
            e_id (Tensor, optional): The number of each edge within its skeleton.
                (default: :obj:`None`)
            batch_size (int, optional): Number of clips; the largest of :obj:`batch` plus one if
                not given (compiled code needs it). (default: :obj:`None`)
            person (Tensor, optional): The person of each node: frames are then absent for
                each person on its own instead of for the clip. (default: :obj:`None`)
            person_dim (int, optional): The dimension of :obj:`x` that holds the persons of a
                clip, over which the mean runs too. (default: :obj:`None`)
        """
        hidden = self.features(x, edge_index, edge_type, edge_weight, batch, mask, e_id, person)
        observed = None if self._ignored(mask) else mask[..., :: self.stride]  # type: ignore[index]
        num_clips = _num_clips(batch, batch_size)
        pooled = mean_over_clip(hidden, observed, batch, num_clips, _checked_dim(person_dim, x))
        pooled = F.dropout(pooled, self.head_dropout, self.training)
        return self.head(pooled.unsqueeze(0) if pooled.dim() == 1 else pooled)

    def features(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        batch: Tensor | None = None,
        mask: Tensor | None = None,
        e_id: Tensor | None = None,
        person: Tensor | None = None,
    ) -> Tensor:
        r"""Returns the features of the last block, :math:`(N, *, T', C')`; see :meth:`forward`."""
        self._check(x)
        checked_nodes("batch", batch, x)
        checked_nodes("person", person, x)
        present = None
        if self._ignored(mask):
            hidden = self._normalised(x, None)
        else:
            mask = checked_mask(mask, x)  # type: ignore[arg-type]
            present = unless_all(present_frames(mask, batch, person))
            # Selected, not multiplied: NaN times zero is NaN.
            zero, observed = x.new_zeros(()), mask.unsqueeze(-1)
            hidden = self._normalised(torch.where(observed, x, zero), observed)
            hidden = torch.where(observed, hidden, zero)
        graph: Tensor | ops.Adjacency = edge_index
        if self._own_kernel:
            # Sorted once for all blocks, also where a compiled graph would sort for each.
            graph = ops.as_adjacency(edge_index, edge_type, x.size(0), self.num_partitions)
            edge_type = None  # an Adjacency carries the labels
        for block in self.blocks:
            given = (hidden, graph, edge_type, edge_weight, e_id, present)
            hidden = run_block(block, *given, recompute=self.activation_checkpointing)
            if present is not None:
                present = present[..., :: block.stride]
        return hidden

    def extract_feature(self, x: Tensor, edge_index: Tensor, *args, **kwargs):
        r"""Returns the response of each class at each joint and frame, and the features.

        Takes the arguments of :meth:`features`. The mean of the response over the nodes, frames
        and persons of a clip (with a mask: over the observed ones of :meth:`frames`) is what
        :meth:`forward` returns.

        Returns:
            tuple: :math:`(N, *, T', \text{classes})` and :math:`(N, *, T', C')`.
        """
        feature = self.features(x, edge_index, *args, **kwargs)
        return self.head(feature), feature

    def frames(self, num_frames: int) -> Tensor:
        r"""Returns for each of the :math:`T'` steps of :meth:`features` the input frame that it
        stands for: the centre of what it sees, with :obj:`causal=True` the newest.
        """
        return torch.arange(0, num_frames, self.stride)

    def fuse(self) -> SkeletonSTGCN:
        r"""Returns a copy for inference, see :func:`tgst.nn.fuse`: the blocks lose their norms."""
        return fuse(self)

    def stream(self, edge_index: Tensor, *args, **kwargs) -> SkeletonStream:
        r"""Returns a :class:`~tgst.nn.models.SkeletonStream` that takes one frame after the other.

        Needs :obj:`causal=True` and evaluation mode; takes the further arguments of the stream.
        """
        # It knows the model, so that the model can only know it when it is there.
        from tgst.nn.models.skeleton_stream import SkeletonStream

        return SkeletonStream(self, edge_index, *args, **kwargs)

    def _ignored(self, mask: Tensor | None) -> bool:
        return mask is None or self.readout == "mean"

    def _check(self, x: Tensor) -> None:
        check_features(x, self.in_channels)
        if x.dim() < 3 or x.size(-2) == 0:
            raise ValueError(
                f"x: expected [num_nodes, *, frames, {self.in_channels}] with at least one frame, "
                f"got {list(x.shape)}"
            )
        if self.data_norm_kind == "joint" and x.size(0) % self.num_joints:  # type: ignore
            raise ValueError(
                f"x: expected a multiple of num_joints={self.num_joints} nodes "
                f"(data_norm='joint'), got {x.size(0)}"
            )

    def _normalised(self, x: Tensor, observed: Tensor | None) -> Tensor:
        if self.data_norm is None:
            return x
        if self.data_norm_kind == "channel":
            return self.data_norm(x, observed)
        # Joint and channel become one last dimension, in that order.
        split = x.unflatten(0, (-1, self.num_joints)).movedim(1, -2)
        if observed is not None:
            observed = observed.unflatten(0, (-1, self.num_joints)).movedim(1, -2)
            observed = observed.expand(split.shape).flatten(-2)
        rows = self.data_norm(split.flatten(-2), observed)
        return rows.view(split.shape).movedim(-2, 1).flatten(0, 1)


def _check_options(readout: str, init: str, channels: Sequence[int], strides: Sequence[int]):
    if readout not in ("masked", "mean"):
        raise ValueError(f"readout: expected 'masked' or 'mean', got {readout!r}")
    if init not in ("default", "published"):
        raise ValueError(f"init: expected 'default' or 'published', got {init!r}")
    if not channels or len(channels) != len(strides):
        raise ValueError(
            "channels, strides: expected one of each per block and at least one block, got "
            f"{tuple(channels)} and {tuple(strides)}"
        )


def _data_norm(kind: str | None, channels: int, num_joints: int | None):
    if kind not in ("joint", "channel", None):
        raise ValueError(f"data_norm: expected 'joint', 'channel' or None, got {kind!r}")
    if kind == "joint" and num_joints is None:
        raise ValueError("num_joints: data_norm='joint' needs the number of joints, got None")
    if kind is None:
        return None
    return ChannelBatchNorm(channels * num_joints if kind == "joint" else channels)  # type: ignore


def _published(model: torch.nn.Module) -> None:
    for module in model.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if weight is not None and bias is not None:  # not the importance, which stays one
            mean = 1.0 if isinstance(module, ChannelBatchNorm) else 0.0
            torch.nn.init.normal_(weight, mean, 0.02)
            torch.nn.init.zeros_(bias)


def _num_clips(batch: Tensor | None, batch_size: int | None) -> int:
    if batch is None or batch_size is not None:
        return batch_size or 0
    if torch.compiler.is_compiling():
        raise ValueError("batch_size: expected the number of clips in compiled code, got None")
    return int(batch.max()) + 1 if batch.numel() else 0


def _checked_dim(person_dim: int | None, x: Tensor) -> int | None:
    if person_dim is None:
        return None
    dim = person_dim + x.dim() if person_dim < 0 else person_dim
    if not 1 <= dim <= x.dim() - 3:
        raise ValueError(
            f"person_dim: expected a dimension of x between nodes and frames, got {person_dim} "
            f"for {list(x.shape)}"
        )
    return dim
