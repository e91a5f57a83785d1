r"""The spatio-temporal block of skeleton ST-GCN."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.nn.blocks.graph_conv import checked_conv, edge_arguments
from tgst.nn.conv import EdgeImportance, PartitionConv
from tgst.nn.dropout import dropout
from tgst.nn.folding import fold_norm
from tgst.nn.norm import ChannelBatchNorm
from tgst.nn.rectifier import relu
from tgst.nn.temporal import TemporalConv


class SkeletonBlock(torch.nn.Module):
    r"""The spatio-temporal block from `"Spatial Temporal Graph Convolutional Networks for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan et al., AAAI
    2018), as released: a graph convolution, then a convolution over time, beside a residual.

    .. math::
        \mathbf{H} = \mathrm{ReLU}(\mathrm{Norm}_1(\Theta \star_{\mathcal{G}} \mathbf{X})), \quad
        \mathbf{X}' = \mathrm{ReLU}(\mathrm{Dropout}(\mathrm{Norm}_2(\Gamma \star_t \mathbf{H}))
        + R(\mathbf{X}))

    with a graph convolution :math:`\Theta` whose edges may have a learnable importance, a
    convolution over time :math:`\Gamma`, batch normalisation over channels, and the residual
    :math:`R`: nothing, the input, or a normalised convolution with one tap. The parameters of the
    importance permute with the edges (see :class:`tgst.nn.EdgeImportance`), and batch
    normalisation in training mode mixes the graphs of a batch.

    Args:
        in_channels (int): Size of each input sample.
        out_channels (int): Size of each output sample.
        conv (torch.nn.Module, optional): The graph convolution from :obj:`in_channels` to
            :obj:`out_channels`: ours, or any PyG convolution in :class:`tgst.nn.PerStep`; it
            receives those of :obj:`edge_type` and :obj:`edge_weight` that its :obj:`forward`
            names. If set to :obj:`None`, it is :class:`tgst.nn.PartitionConv` with
            :obj:`bias="message"`, as published. (default: :obj:`None`)
        num_partitions (int, optional): Number of partition labels. (default: :obj:`1`)
        kernel_size (int, optional): Taps in time. (default: :obj:`9`)
        stride (int, optional): Step between output frames. (default: :obj:`1`)
        residual (str, optional): :obj:`"identity"`, :obj:`"conv"`, :obj:`None` for no residual,
            or :obj:`"auto"`: the identity where it fits, else the convolution.
            (default: :obj:`"auto"`)
        num_edges (int, optional): Number of edges of the full graph, each of which then gets a
            learnable importance. (default: :obj:`None`)
        dropout (float, optional): Dropout probability after the second normalisation.
            (default: :obj:`0.0`)
        causal (bool, optional): Whether no output frame sees a later one. (default: :obj:`False`)
        backend (str, optional): The sparse kernel, see :func:`tgst.ops.spmm`.
            (default: :obj:`"auto"`)

    Shapes:
        - **x**: :math:`(N, *, T, C_{in})`
        - **edge_index**: :math:`(2, E)` or a :class:`tgst.ops.Adjacency`
        - **edge_type**, **edge_weight**, **e_id**: :math:`(E)`
        - **present**: boolean, :math:`(N \text{ or } 1, *, T)`; where it is :obj:`False`, the
          convolution over time reads zeros, as beyond the ends, and the statistics of the
          normalisations leave the frame out
        - **output**: :math:`(N, *, \lceil T / \text{stride} \rceil, C_{out})`

    Raises:
        ValueError: If an option is unknown or does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        conv: torch.nn.Module | None = None,
        num_partitions: int = 1,
        kernel_size: int = 9,
        stride: int = 1,
        residual: str | None = "auto",
        num_edges: int | None = None,
        dropout: float = 0.0,
        causal: bool = False,
        backend: str = "auto",
    ):
        super().__init__()
        if conv is None:
            conv = PartitionConv(in_channels, out_channels, num_partitions, "message", backend)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.stride, self.causal = stride, causal
        self.dropout = check_dropout(dropout)
        self.conv = checked_conv(conv)
        self.edge_arguments = edge_arguments(conv)
        self.importance = None
        if num_edges is not None:
            if "edge_weight" not in self.edge_arguments:
                raise ValueError(f"num_edges: expected a conv that takes edge_weight, got {conv}")
            self.importance = EdgeImportance(num_edges)
        self.norm1: torch.nn.Module = ChannelBatchNorm(out_channels)
        padding = "causal" if causal else "same"
        self.temporal = TemporalConv(
            out_channels, out_channels, kernel_size, stride, padding=padding
        )
        self.norm2: torch.nn.Module = ChannelBatchNorm(out_channels)
        self.residual = _residual_form(residual, in_channels == out_channels and stride == 1)
        self.residual_conv: TemporalConv | None = None
        self.residual_norm: torch.nn.Module | None = None
        if self.residual == "conv":
            self.residual_conv = TemporalConv(in_channels, out_channels, 1, stride)
            self.residual_norm = ChannelBatchNorm(out_channels)

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in self.children():
            if not isinstance(module, torch.nn.Identity):  # a folded normalisation
                module.reset_parameters()  # type: ignore[operator]

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
        present: Tensor | None = None,
    ) -> Tensor:
        r"""Runs the block; see the class for shapes."""
        _check_present(present, x)
        later = None if present is None else present[..., :: self.stride]
        hidden = self.conv(x, edge_index, **self._edges(edge_type, edge_weight, e_id))
        rows = self._normalised(self.norm1, hidden, present)
        hidden = self.temporal(relu(rows, inplace=True).view(hidden.shape))
        rows = self._normalised(self.norm2, hidden, later)
        rows = dropout(rows, self.dropout, self.training)
        residual = self._residual(x, later)
        rows = rows if residual is None else rows.add_(residual)
        return relu(rows, inplace=True).view(hidden.shape)

    def _edges(
        self, edge_type: Tensor | None, edge_weight: Tensor | None, e_id: Tensor | None
    ) -> dict[str, Tensor | None]:
        if self.importance is not None:
            edge_weight = self.importance(edge_weight, e_id)
        given = {"edge_type": edge_type, "edge_weight": edge_weight}
        return {name: given[name] for name in self.edge_arguments}

    def fold_(self) -> None:
        r"""Writes the normalisations into the convolutions, see :func:`tgst.nn.fuse`."""
        self.norm1 = fold_norm(self.conv, self.norm1)
        self.norm2 = fold_norm(self.temporal, self.norm2)
        if self.residual_conv is not None and self.residual_norm is not None:
            self.residual_norm = fold_norm(self.residual_conv, self.residual_norm)

    def _normalised(self, norm: torch.nn.Module, x: Tensor, present: Tensor | None) -> Tensor:
        # Flat rows of their own memory, not a view, so that what follows may work in place.
        rows = x.flatten(0, -2)
        if present is None:
            return norm(rows)
        present = present.expand(x.shape[:-1]).reshape(-1, 1)
        folded = isinstance(norm, torch.nn.Identity)
        return (rows if folded else norm(rows, present)).mul_(present)

    def _residual(self, x: Tensor, present: Tensor | None) -> Tensor | None:
        if self.residual == "identity":
            return x.flatten(0, -2)
        if self.residual_conv is None or self.residual_norm is None:
            return None
        return self._normalised(self.residual_norm, self.residual_conv(x), present)


def check_dropout(dropout: float, name: str = "dropout") -> float:
    r"""Returns the probability, or raises if it is none."""
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"{name}: expected a probability in [0, 1), got {dropout}")
    return dropout


def _check_present(present: Tensor | None, x: Tensor) -> None:
    if present is None:
        return
    fits = present.shape[1:] == x.shape[1:-1] and present.size(0) in (1, x.size(0))
    if not fits or present.dtype != torch.bool:
        raise ValueError(
            f"present: expected shape [{x.size(0)} or 1, {', '.join(map(str, x.shape[1:-1]))}] "
            f"and torch.bool, got {present.dtype} {list(present.shape)}"
        )


def _residual_form(residual: str | None, fits: bool) -> str | None:
    if residual == "auto":
        return "identity" if fits else "conv"
    if residual not in (None, "identity", "conv"):
        raise ValueError(f"residual: expected 'auto', 'identity', 'conv' or None, got {residual!r}")
    if residual == "identity" and not fits:
        raise ValueError("residual: 'identity' expects equal channels and stride=1")
    return residual
