r"""STGCN for traffic forecasting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tgst import ops
from tgst.nn.blocks import TrafficBlock
from tgst.nn.checkpointing import run_block
from tgst.nn.conv import ChebConv, EdgeImportance, PartitionConv
from tgst.nn.folding import fuse
from tgst.nn.models.traffic_head import TrafficHead

# What differs between the paper, the authors' released code and the widely used PyTorch
# re-implementation; docs/traffic.rst states where each comes from.
_VARIANTS: dict[str, dict] = {
    "paper": {
        "channels": ((64, 16, 64), (64, 16, 64)),
        "second_gate": "same",
        "align": "before",
        "eps": 1e-6,
        "head": {"hidden": None, "width": "last"},
    },
    "authors": {
        "channels": ((32, 32, 64), (32, 32, 128)),
        "second_gate": None,
        "align": "beside",
        "eps": 1e-6,
        "head": {"hidden": "sigmoid", "width": "last"},
    },
    "pytorch": {
        "channels": ((64, 16, 64), (64, 16, 64)),
        "second_gate": "same",
        "align": "before",
        "eps": 1e-12,
        "head": {"hidden": "relu", "width": 128},
    },
}


class TrafficSTGCN(torch.nn.Module):
    r"""Traffic forecasting on a graph of sensors or roads, from `"Spatio-Temporal Graph
    Convolutional Networks: A Deep Learning Framework for Traffic Forecasting"
    <https://arxiv.org/abs/1709.04875>`_ (Yu, Yin and Zhu, IJCAI 2018).

    .. math::
        \hat{\mathbf{Y}} = \mathrm{Head}(\mathrm{Block}_2(\mathrm{Block}_1(\mathbf{X})))

    with blocks :class:`tgst.nn.TrafficBlock` and the head
    :class:`~tgst.nn.models.traffic_head.TrafficHead`. The model predicts all :obj:`horizon` steps
    at once; with :obj:`horizon=1` (the published training) :meth:`rollout` feeds its own
    predictions back.

    Convention:
        The graph arrives ready to multiply: the scaled Laplacian of
        :class:`tgst.transforms.ScaledLaplacian` for :obj:`kernel="cheb"`, the renormalised
        adjacency of :class:`tgst.transforms.FirstOrderKernel` (with or without its extra identity)
        for :obj:`"first_order"`, a partition transform's labels and weights for
        :obj:`"partition"`.

    Args:
        in_channels (int): Channels per reading, covariates included.
        out_channels (int): Channels to predict; for :meth:`rollout` and :obj:`residual` they are
            the first of the input channels.
        history (int, optional): Number of input steps. (default: :obj:`12`)
        horizon (int, optional): Number of predicted steps. (default: :obj:`12`)
        kernel (str, optional): Graph convolution :obj:`"cheb"`, :obj:`"first_order"` or
            :obj:`"partition"`. The first two have one weight matrix per order and refuse labels
            other than zero. (default: :obj:`"cheb"`)
        K (int, optional): Number of Chebyshev polynomials. (default: :obj:`3`)
        num_partitions (int, optional): Number of labels for :obj:`kernel="partition"`.
            (default: :obj:`1`)
        edge_importance (bool, optional): Whether each block learns a factor for every edge
            (:class:`tgst.nn.EdgeImportance`; needs :obj:`num_edges`). (default: :obj:`False`)
        norm (str, optional): :obj:`"channel"` is independent of the number of nodes, so that a
            trained model runs on another graph; :obj:`"node"` is the published one (needs
            :obj:`num_nodes`). (default: :obj:`"channel"`)
        variant (str, optional): :obj:`"paper"`: widths 64-16-64, two gated temporal
            convolutions, linear head. :obj:`"authors"`: their released code, widths 32-32-64 and
            32-32-128, second temporal convolution with ReLU, sigmoid head, epsilon 1e-6.
            :obj:`"pytorch"`: the widely used PyTorch re-implementation, widths 64-16-64, a hidden
            layer of 128 with ReLU, epsilon 1e-12. (default: :obj:`"paper"`)
        num_nodes (int, optional): Number of nodes, for :obj:`norm="node"`.
        num_edges (int, optional): Number of edges of the full graph, for
            :obj:`edge_importance=True`.
        channels (sequence, optional): Widths of each block in place of the variant's.
        head_channels (int, optional): Width of the head in place of the variant's.
        kernel_size (int, optional): Taps of the temporal convolutions. (default: :obj:`3`)
        gate (str, optional): :obj:`"glu"` or :obj:`"gtu"`. (default: :obj:`"glu"`)
        dropout (float, optional): Dropout probability in blocks and head. (default: :obj:`0.0`)
        residual (bool, optional): Whether the model predicts the correction of the last reading.
            (default: :obj:`False`)
        skip (bool, optional): Whether the fully connected part of the head is also given the
            history of the first :math:`C_{out}` input channels, whose level the normalisations take
            from the features. (default: :obj:`False`)
        conv (callable, optional): :obj:`conv(in_channels, out_channels)` returns the graph
            convolution of a block in place of :obj:`kernel`, for example
            :obj:`lambda i, o: PerStep(GATConv(i, o))`. (default: :obj:`None`)
        backend (str, optional): The sparse kernel, see :func:`tgst.ops.spmm`.
            (default: :obj:`"auto"`)
        activation_checkpointing (bool, optional): Whether the backward pass of training computes
            the activations within a block again instead of keeping them: less memory for the
            time of another forward pass, and the same gradients. (default: :obj:`False`)

    Shapes:
        - **x**: :math:`(N, *, \text{history}, C_{in})`
        - **edge_index**: :math:`(2, E)`, an :class:`~torch_geometric.EdgeIndex` or a
          :class:`tgst.ops.Adjacency`
        - **edge_type**, **edge_weight**, **e_id**: :math:`(E)`
        - **output**: :math:`(N, *, \text{horizon}, C_{out})`

    Raises:
        ValueError: If an option is unknown, a required number is missing, or the history is too
            short for the blocks.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        history: int = 12,
        horizon: int = 12,
        kernel: str = "cheb",
        K: int = 3,
        num_partitions: int = 1,
        edge_importance: bool = False,
        norm: str = "channel",
        variant: str = "paper",
        num_nodes: int | None = None,
        num_edges: int | None = None,
        channels: Sequence[Sequence[int]] | None = None,
        head_channels: int | None = None,
        kernel_size: int = 3,
        gate: str = "glu",
        dropout: float = 0.0,
        residual: bool = False,
        skip: bool = False,
        conv: Callable[[int, int], torch.nn.Module] | None = None,
        backend: str = "auto",
        activation_checkpointing: bool = False,
    ):
        super().__init__()
        plan = _plan(variant, channels)
        if min(horizon, in_channels, out_channels) < 1:
            raise ValueError(
                "horizon, in_channels, out_channels: expected at least 1, got "
                f"{(horizon, in_channels, out_channels)}"
            )
        if (residual or skip) and out_channels > in_channels:
            raise ValueError(
                f"out_channels: residual=True and skip=True take the predicted channels from the "
                f"input, expected at most {in_channels} (in_channels), got {out_channels}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.history, self.horizon = history, horizon
        self.kernel, self.variant = kernel, variant
        self.residual, self.skip = residual, skip
        self.activation_checkpointing = activation_checkpointing
        self.num_partitions = num_partitions if kernel == "partition" else 1
        self._own_kernel, self._norm = conv is None, norm
        if conv is None:
            conv = _kernel(kernel, K, num_partitions, backend)
        shared = {"norm": norm, "num_nodes": num_nodes, "eps": plan["eps"], "dropout": dropout}
        self.blocks = _blocks(in_channels, plan, conv, kernel_size, gate, shared)
        width = plan["channels"][-1][-1]
        hidden_width = width if plan["head"]["width"] == "last" else plan["head"]["width"]
        self.head = TrafficHead(
            width,
            head_channels or hidden_width,
            horizon * out_channels,
            _remaining_steps(history, kernel_size, len(self.blocks)),
            gate,
            plan["head"]["hidden"],
            **shared,
            skip_channels=history * out_channels if skip else 0,
        )
        self.edge_importance = None
        if edge_importance:
            self.edge_importance = _importance(num_edges, self.blocks)

    @property
    def num_hops(self) -> int:
        r"""How many edges away from a node the readings are that its output depends on: one per
        block, :math:`K - 1` with :obj:`kernel="cheb"`.

        So many hops of a sampler (:class:`tgst.loader.NeighborWindowLoader`) with all neighbours
        give the outputs on the full graph, with :obj:`norm="channel"`.

        Raises:
            ValueError: If the model has a :obj:`conv` of its own, whose reach is not known here,
                or :obj:`norm="node"`, in which all nodes meet.
        """
        if not self._own_kernel or self._norm != "channel":
            raise ValueError(
                "num_hops: known for the built-in kernels with norm='channel', got "
                f"{'norm=' + repr(self._norm) if self._own_kernel else 'a conv'}"
            )
        convs = [block.conv for block in self.blocks]
        return sum(conv.K - 1 if isinstance(conv, ChebConv) else 1 for conv in convs)

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in (*self.blocks, self.head, self.edge_importance):
            if module is not None:
                module.reset_parameters()

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
    ) -> Tensor:
        r"""Predicts all steps of the horizon; see the class for shapes."""
        self._check(x)
        graph: Tensor | ops.Adjacency = edge_index
        if self._own_kernel:
            # Sorted once for all blocks, also where a compiled graph would sort for each.
            graph = ops.as_adjacency(edge_index, edge_type, x.size(0), self.num_partitions)
            edge_type = None  # an Adjacency carries the labels
        hidden = x
        for layer, block in enumerate(self.blocks):
            weight = edge_weight
            if self.edge_importance is not None:
                weight = self.edge_importance(edge_weight, e_id, layer)
            given = (hidden, graph, edge_type, weight)
            hidden = run_block(block, *given, recompute=self.activation_checkpointing)
        readings = x[..., : self.out_channels].flatten(-2) if self.skip else None
        out = self.head(hidden, readings).unflatten(-1, (self.horizon, self.out_channels))
        if self.residual:
            out = out + x[..., -1:, : self.out_channels]
        return out

    def rollout(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
        *,
        steps: int,
        covariates: Tensor | None = None,
    ) -> Tensor:
        r"""Predicts :obj:`steps` steps one by one, feeding every prediction back as input (the
        published test protocol of a model trained with :obj:`horizon=1`).

        Args:
            x (Tensor): :math:`(N, *, \text{history}, C_{in})`.
            edge_index (Tensor): See :meth:`forward`.
            edge_type (Tensor, optional): See :meth:`forward`. (default: :obj:`None`)
            edge_weight (Tensor, optional): See :meth:`forward`. (default: :obj:`None`)
            e_id (Tensor, optional): See :meth:`forward`. (default: :obj:`None`)
            steps (int): Number of steps to predict.
            covariates (Tensor, optional): Known future values of the input channels after the
                first :math:`C_{out}`, :math:`(N \text{ or } 1, *, \text{steps}, C_{in} -
                C_{out})`. Required where there are such channels. (default: :obj:`None`)

        Returns:
            Tensor: :math:`(N, *, \text{steps}, C_{out})`.

        Raises:
            ValueError: If the horizon is not one or the covariates do not fit.
        """
        if self.horizon != 1:
            raise ValueError(f"horizon: rollout needs a model with horizon=1, got {self.horizon}")
        self._check(x)
        extra = self.in_channels - self.out_channels
        if extra < 0 or steps < 1:
            raise ValueError(
                f"steps, out_channels: rollout needs steps >= 1 and at most in_channels="
                f"{self.in_channels} predicted channels, got {steps} and {self.out_channels}"
            )
        self._check_covariates(covariates, x, (steps, extra))
        outs = []
        for step in range(steps):
            out = self(x, edge_index, edge_type, edge_weight, e_id)
            outs.append(out)
            if extra and covariates is not None:
                known = covariates[..., step : step + 1, :].expand(*out.shape[:-1], extra)
                out = torch.cat([out, known], dim=-1)
            x = torch.cat([x[..., 1:, :], out], dim=-2)
        return torch.cat(outs, dim=-2)

    def fuse(self) -> TrafficSTGCN:
        r"""Returns a copy for inference, see :func:`tgst.nn.fuse`: the layer normalisations stay,
        residuals and alignments go into the weights.
        """
        return fuse(self)

    def _check_covariates(self, covariates: Tensor | None, x: Tensor, ends: tuple[int, int]):
        steps, extra = ends
        if covariates is None:
            fits = not extra
        else:
            leads = zip(covariates.shape[:-2], x.shape[:-2], strict=False)
            fits = (
                bool(extra)
                and covariates.dim() == x.dim()
                and covariates.shape[-2:] == ends
                and all(own in (1, size) for own, size in leads)
            )
        if not fits:
            given = None if covariates is None else list(covariates.shape)
            wanted = [*x.shape[:-2], steps, extra] if extra else None
            raise ValueError(
                f"covariates: expected {steps} future steps of {extra} input channels beyond "
                f"the predicted ones, {wanted} (1 where they are shared), got {given}"
            )

    def _check(self, x: Tensor) -> None:
        if x.dim() < 3 or x.shape[-2:] != (self.history, self.in_channels):
            raise ValueError(
                f"x: expected [num_nodes, *, {self.history}, {self.in_channels}] (history, "
                f"in_channels), got {list(x.shape)}"
            )


def _plan(variant: str, channels: Sequence[Sequence[int]] | None) -> dict:
    if variant not in _VARIANTS:
        raise ValueError(f"variant: expected one of {sorted(_VARIANTS)}, got {variant!r}")
    widths = [tuple(block) for block in channels or _VARIANTS[variant]["channels"]]
    if any(len(block) != 3 for block in widths):
        raise ValueError(
            f"channels: expected three widths per block (temporal, spatial, temporal), got {widths}"
        )
    return {**_VARIANTS[variant], "channels": widths}


def _blocks(in_channels: int, plan: dict, conv, kernel_size: int, gate: str, shared: dict):
    gates = (gate, gate if plan["second_gate"] == "same" else plan["second_gate"])
    blocks = torch.nn.ModuleList()
    for first, spatial, second in plan["channels"]:
        convolution = conv(spatial if plan["align"] == "before" else first, spatial)
        widths = (first, spatial, second)
        blocks.append(
            TrafficBlock(
                in_channels, widths, convolution, kernel_size, gates, plan["align"], **shared
            )
        )
        in_channels = second
    return blocks


def _kernel(kernel: str, K: int, num_partitions: int, backend: str):
    kernels = {
        "cheb": lambda i, o: ChebConv(i, o, K, backend=backend),
        "first_order": lambda i, o: PartitionConv(i, o, backend=backend),
        "partition": lambda i, o: PartitionConv(i, o, num_partitions, backend=backend),
    }
    if kernel not in kernels:
        raise ValueError(f"kernel: expected 'cheb', 'first_order' or 'partition', got {kernel!r}")
    return kernels[kernel]


def _importance(num_edges: int | None, blocks: torch.nn.ModuleList) -> EdgeImportance:
    if num_edges is None:
        raise ValueError("num_edges: edge_importance=True needs the number of edges")
    if not all("edge_weight" in block.edge_arguments for block in blocks):  # type: ignore
        raise ValueError("edge_importance: expected a conv that takes edge_weight, got one without")
    return EdgeImportance(num_edges, num_layers=len(blocks))


def _remaining_steps(history: int, kernel_size: int, num_blocks: int) -> int:
    steps = history - 2 * num_blocks * (kernel_size - 1)
    if steps < 1:
        raise ValueError(
            f"history: {num_blocks} blocks with kernel_size={kernel_size} need at least "
            f"{history - steps + 1} steps, got {history}"
        )
    return steps
