r"""A causal skeleton network, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst import ops
from tgst.nn.blocks.skeleton_block import SkeletonBlock
from tgst.nn.models.skeleton_readout import checked_mask, checked_nodes, present_frames
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN


class StreamOutput(NamedTuple):
    r"""What a stream knows after a frame.

    Args:
        logits (Tensor): Scores of the classes over all frames up to :obj:`frame`, or the newest
            ones of them.
        frame (int): The newest frame that the scores contain, counted from 0. With strides of
            product :math:`s` it is the last multiple of :math:`s`.
        response (Tensor, optional): :math:`(N, *, \text{classes})`, the scores of every joint at
            that frame, if the stream was asked for it.
    """

    logits: Tensor
    frame: int
    response: Tensor | None


class SkeletonStream:
    r"""Runs a causal :class:`~tgst.nn.models.SkeletonSTGCN` on one frame after the other, at the
    same cost for each, with the outputs of the whole clip at once.

    .. code-block:: python

        model = SkeletonSTGCN(..., causal=True).eval()
        stream = SkeletonStream(model, data.edge_index, data.edge_type, data.edge_weight)
        for frame in camera:  # [V, C]
            logits, newest, _ = stream.step(frame)

    After frame :math:`t` the logits are those of :obj:`model(x[..., : t + 1, :])`. Each block keeps
    the last inputs of its convolution over time, one fewer than the kernel has taps; the readout
    keeps a sum and a count. Nothing else of the past is stored, and nothing is computed twice.

    Convention:
        A block with a stride computes an output at every stride-th frame only, so between those
        the answer stays that of the newest output, whose frame it names. Frames without a
        :obj:`mask` count as observed. A NaN that is marked as observed stays in the readout until
        :meth:`reset`, as it does in the model.

    Args:
        model (SkeletonSTGCN): The network, causal and in evaluation mode. Its weights are read
            here and at :meth:`reset`.
        edge_index (Tensor): As the model's :meth:`forward` takes it.
        edge_type (Tensor, optional): The partition labels. (default: :obj:`None`)
        edge_weight (Tensor, optional): The weights. (default: :obj:`None`)
        e_id (Tensor, optional): The number of each edge in the importance.
            (default: :obj:`None`)
        batch (Tensor, optional): :math:`(N)`, the clip of each node; all of a union's clips take
            their frames together. (default: :obj:`None`)
        batch_size (int, optional): Number of clips. (default: :obj:`None`)
        person (Tensor, optional): :math:`(N)`, the person of each node, whose absent frames are
            its own. (default: :obj:`None`)
        person_dim (int, optional): The dimension of the frames that holds the persons of a clip,
            over which the mean runs too. (default: :obj:`None`)
        window (int, optional): Number of newest outputs that the readout is the mean of; all
            since :meth:`reset` when left out. An output comes every stride-th frame.
            (default: :obj:`None`)
        response (bool, optional): Whether :meth:`step` returns the scores of every joint.
            (default: :obj:`False`)

    Raises:
        ValueError: If the model is not causal or in training mode, or an input does not fit.
    """

    def __init__(
        self,
        model: SkeletonSTGCN,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        person: Tensor | None = None,
        person_dim: int | None = None,
        window: int | None = None,
        response: bool = False,
    ):
        self._blocks = _checked_blocks(model)
        if window is not None and window < 1:
            raise ValueError(f"window: expected at least 1 output or None, got {window}")
        self.model, self.window, self.response = model, window, response
        self.edge_index, self.edge_type, self.edge_weight = edge_index, edge_type, edge_weight
        self.e_id, self.batch, self.person, self.person_dim = e_id, batch, person, person_dim
        if batch is not None and batch_size is None:
            batch_size = int(batch.max()) + 1 if batch.numel() else 0
        self.batch_size = batch_size or 0
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        r"""Forgets all frames, and reads the model's weights."""
        self._frames = 0
        self._state: dict[str, Tensor] = {}
        self._graph: Tensor | ops.Adjacency | None = None
        self._edge_weights, self._kernels = [], []
        for block in self._blocks:
            weight = self.edge_weight
            if block.importance is not None:
                weight = block.importance(weight, self.e_id)
            self._edge_weights.append(weight)
            # One matrix product over all taps of a joint, oldest tap first.
            self._kernels.append(block.temporal.weight.transpose(1, 2).flatten(1))

    @property
    def frames(self) -> int:
        r"""Number of frames since :meth:`reset`."""
        return self._frames

    @torch.no_grad()
    def step(self, frame: Tensor, mask: Tensor | None = None) -> StreamOutput:
        r"""Takes the next frame.

        Args:
            frame (Tensor): :math:`(N, *, C)`, the joints.
            mask (Tensor, optional): :math:`(N, *)`, :obj:`True` where observed; of use for
                :obj:`readout="masked"` alone. (default: :obj:`None`)

        Returns:
            StreamOutput: The newest scores and the frame they belong to.

        Raises:
            ValueError: If the model went into training mode, or the shape is another one than
                before.
        """
        _checked_blocks(self.model)
        hidden, mask, present = self._entered(frame, mask)
        if not self._state:
            self._start(hidden)
        stride, done = 1, True
        for number, block in enumerate(self._blocks):
            stride *= block.stride
            done = self._frames % stride == 0
            result = self._block(number, block, hidden, present, done)
            if result is None:
                break
            hidden = result
        self._frames += 1
        if done:
            self._read_out(hidden.squeeze(-2), mask)
        newest = (self._frames - 1) // self.model.stride * self.model.stride
        state = self._state
        return StreamOutput(state["logits"].clone(), newest, state.get("response"))

    def state(self) -> dict[str, Tensor]:
        r"""Returns a copy of all that the stream remembers, as tensors of a fixed size.

        With :meth:`load_state` a stream goes on elsewhere: in another process, or on another
        device.
        """
        copied = {name: value.clone() for name, value in self._state.items()}
        return {"frames": torch.tensor(self._frames), **copied}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        r"""Goes on where another stream of the same model was.

        Args:
            state (mapping): What :meth:`state` returned.

        Raises:
            ValueError: If it comes from a stream of another model or with other options.
        """
        state = dict(state)
        if "frames" not in state:
            raise ValueError(f"state: expected 'frames' among its entries, got {list(state)}")
        frames = int(state.pop("frames"))
        if frames:
            self._check_state(state)
        self.reset()
        self._frames = frames
        device = self.model.head.weight.device
        self._state = {name: value.to(device, copy=True) for name, value in state.items()}

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(frames={self._frames}, stride={self.model.stride}, "
            f"window={self.window})"
        )

    def _entered(self, frame: Tensor, mask: Tensor | None):
        # What comes before the first block, on a clip of one frame.
        model = self.model
        if frame.dim() < 2 or frame.size(-1) != model.in_channels:
            raise ValueError(
                f"frame: expected [num_nodes, *, {model.in_channels}], got {list(frame.shape)}"
            )
        before = self._state.get("window.0")
        if before is not None and frame.shape[:-1] != before.shape[:-2]:
            expected = [*before.shape[:-2], model.in_channels]
            raise ValueError(
                f"frame: expected {expected} as before, got {list(frame.shape)}; a stream takes "
                "another shape after reset()"
            )
        self._checked_dim(frame)
        x = frame.unsqueeze(-2)
        checked_nodes("batch", self.batch, x)
        checked_nodes("person", self.person, x)
        model._check(x)
        if mask is None or model.readout == "mean":
            return model._normalised(x, None), None, None
        mask = checked_mask(mask, frame).unsqueeze(-1)
        present = present_frames(mask, self.batch, self.person).unsqueeze(-1)
        # Selected, not multiplied: NaN times zero is NaN.
        zero, observed = x.new_zeros(()), mask.unsqueeze(-1)
        x = model._normalised(torch.where(observed, x, zero), observed)
        return torch.where(observed, x, zero), mask.squeeze(-1), present

    def _start(self, x: Tensor) -> None:
        # Zeros, as the causal convolution reads before the first frame.
        for number, block in enumerate(self._blocks):
            past = block.temporal.kernel_size - 1
            shape = (*x.shape[:-2], past, block.out_channels)
            self._state[f"window.{number}"] = x.new_zeros(shape)

    def _block(
        self,
        number: int,
        block: SkeletonBlock,
        x: Tensor,
        present: Tensor | None,
        complete: bool,
    ) -> Tensor | None:
        given = {"edge_type": self.edge_type, "edge_weight": self._edge_weights[number]}
        graph: Tensor | ops.Adjacency = self.edge_index
        if self.model._own_kernel:
            graph, given["edge_type"] = self._adjacency(x.size(0)), None
        edges = {name: given[name] for name in block.edge_arguments}
        hidden = _present(F.relu(block.norm1(block.conv(x, graph, **edges))), present)
        taps = torch.cat([self._state[f"window.{number}"], hidden], dim=-2)
        # A copy: a view would keep the oldest frame's memory, and show it in a saved state.
        self._state[f"window.{number}"] = taps[..., 1:, :].clone()
        if not complete:
            return None
        hidden = F.linear(taps.flatten(-2), self._kernels[number], block.temporal.bias)
        hidden = _present(block.norm2(hidden.unsqueeze(-2)), present)
        if block.residual == "identity":
            hidden = hidden + x
        elif block.residual_conv is not None and block.residual_norm is not None:
            # This frame is one that the stride keeps, and the residual has a single tap.
            hidden = hidden + _present(block.residual_norm(block.residual_conv(x)), present)
        return F.relu(hidden)

    def _adjacency(self, num_nodes: int) -> Tensor | ops.Adjacency:
        if self._graph is None:
            partitions = self.model.num_partitions
            self._graph = ops.as_adjacency(self.edge_index, self.edge_type, num_nodes, partitions)
        return self._graph

    def _read_out(self, feature: Tensor, mask: Tensor | None) -> None:
        model, state = self.model, self._state
        weight = feature.new_ones(feature.shape[:-1]) if mask is None else mask.to(feature.dtype)
        person_dim = self._checked_dim(feature)
        total = self._sums(feature * weight.unsqueeze(-1), person_dim)
        count = self._sums(weight, person_dim)
        if self.window is None:
            # Double precision: after hours a sum in single precision no longer takes a frame in.
            total, count = total.double(), count.double()
            if "total" in state:
                total, count = state["total"] + total, state["count"] + count
            state["total"], state["count"] = total, count
        else:
            state["total"] = self._pushed("total", total)
            state["count"] = self._pushed("count", count)
            total, count = state["total"].sum(0), state["count"].sum(0)
        pooled = (total / count.clamp(min=1).unsqueeze(-1)).to(feature.dtype)
        state["logits"] = model.head(pooled.unsqueeze(0) if pooled.dim() == 1 else pooled)
        if self.response:
            state["response"] = model.head(feature)

    def _pushed(self, name: str, value: Tensor) -> Tensor:
        ring = self._state.get(name)
        if ring is None:
            ring = torch.zeros_like(value).expand(self.window or 0, *value.shape)
        return torch.cat([ring[1:], value.unsqueeze(0)])

    def _checked_dim(self, frame: Tensor) -> int | None:
        if self.person_dim is None:
            return None
        dim = self.person_dim + (frame.dim() if self.person_dim < 0 else 0)
        if not 1 <= dim <= frame.dim() - 2:
            raise ValueError(
                f"person_dim: expected a dimension between nodes and channels, got "
                f"{self.person_dim} for frames of shape {list(frame.shape)}"
            )
        return dim

    def _sums(self, x: Tensor, person_dim: int | None) -> Tensor:
        """Sums over the joints and persons of each clip."""
        if person_dim is not None:
            x = x.sum(person_dim)
        if self.batch is None:
            return x.sum(0)
        return x.new_zeros(self.batch_size, *x.shape[1:]).index_add(0, self.batch, x)

    def _check_state(self, state: Mapping[str, Tensor]) -> None:
        names = {f"window.{number}" for number in range(len(self._blocks))}
        names |= {"total", "count", "logits"} | ({"response"} if self.response else set())
        if set(state) != names:
            raise ValueError(
                f"state: expected the entries {sorted(names)} and frames of a stream of the same "
                f"model and options, got {sorted(state)}"
            )
        for number, block in enumerate(self._blocks):
            wanted = (block.temporal.kernel_size - 1, block.out_channels)
            if state[f"window.{number}"].shape[-2:] != wanted:
                raise ValueError(
                    f"state: expected window.{number} of shape [*, {wanted[0]}, {wanted[1]}], got "
                    f"{list(state[f'window.{number}'].shape)}"
                )


def _present(x: Tensor, present: Tensor | None) -> Tensor:
    return x if present is None else x * present


def _checked_blocks(model: SkeletonSTGCN) -> list[SkeletonBlock]:
    if not isinstance(model, SkeletonSTGCN):
        raise ValueError(f"model: expected a SkeletonSTGCN, got {type(model).__name__}")
    if model.training:
        raise ValueError("model: expected evaluation mode, call model.eval() before streaming")
    blocks = cast(list[SkeletonBlock], list(model.blocks))
    if any(block.temporal.padding != "causal" for block in blocks):
        raise ValueError("model: expected causal=True, got a model that looks at later frames")
    return blocks
