r"""Networks that look at different channels of a clip and vote."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.nn.inits import reset

from tgst.nn.folding import fuse


class LateFusion(torch.nn.Module):
    r"""The mean of the class probabilities of networks that each see some of the channels, as
    streams of skeletons are fused.

    .. math::
        f(\mathbf{X}) = \log \frac{1}{S} \sum_{s=1}^{S} \mathrm{softmax} \,
        f_s(\mathbf{X}_{\cdot, c_s})

    The channels are those that :class:`tgst.transforms.Streams` puts side by side, so that
    all networks see the same augmented clip, and one network may see several streams. For a stream
    that is computed here, and for published weights of the streams, see
    :class:`~tgst.nn.models.SkeletonEnsemble`.

    Args:
        models (list of torch.nn.Module): The networks, usually
            :class:`~tgst.nn.models.SkeletonSTGCN`.
        channels (list of list of int): For each network the channels that it sees.

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, bool
        - **output**: that of the networks, logarithms of probabilities

    Raises:
        ValueError: If there are not as many lists of channels as networks, a channel is negative,
            or a network has another number of input channels or of classes.
    """

    def __init__(self, models: list[torch.nn.Module], channels: list[list[int]]) -> None:
        super().__init__()
        if not models or len(models) != len(channels):
            raise ValueError(
                f"channels: expected a list for each of the {len(models)} networks (at least one), "
                f"got {channels}"
            )
        for number, (model, seen) in enumerate(zip(models, channels, strict=True)):
            _check(number, model, seen, models[0])
        self.models = torch.nn.ModuleList(models)
        self.channels = [list(seen) for seen in channels]
        self.in_channels = 1 + max(channel for seen in channels for channel in seen)
        for name in ("num_classes", "num_partitions", "num_edges", "num_joints"):
            setattr(self, name, getattr(models[0], name, None))

    def reset_parameters(self) -> None:
        r"""Draws new weights in all networks."""
        reset(self.models)

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
    ) -> Tensor:
        r"""Returns the logarithm of the mean probability of each class; arguments as in
        :meth:`tgst.nn.models.SkeletonSTGCN.forward`.
        """
        graph = (edge_index, edge_type, edge_weight)
        scores = self.scores(x, *graph, batch, mask, e_id, batch_size, person)
        each = torch.stack([score.log_softmax(-1) for score in scores.values()])
        # not the logarithm of a sum of probabilities, which may be zero
        return each.logsumexp(0) - math.log(len(each))

    def scores(
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
    ) -> dict[str, Tensor]:
        r"""Returns the logits of each network by its number; arguments as in :meth:`forward`."""
        graph = (edge_index, edge_type, edge_weight)
        rest = (batch, mask, e_id, batch_size, person)
        pairs = zip(self.models, self.channels, strict=True)
        return {
            str(number): model(x[..., seen], *graph, *rest)
            for number, (model, seen) in enumerate(pairs)
        }

    def fuse(self) -> LateFusion:
        r"""Returns a copy for inference of all networks, see :func:`tgst.nn.fuse`."""
        return fuse(self)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self.models)}, channels={self.channels})"


def _check(
    number: int, model: torch.nn.Module, seen: Sequence[int], first: torch.nn.Module
) -> None:
    if not seen or min(seen) < 0:
        raise ValueError(f"channels: expected numbers >= 0 for network {number}, got {seen}")
    width = getattr(model, "in_channels", len(seen))
    if width != len(seen):
        raise ValueError(
            f"channels: network {number} has {width} input channels, got {len(seen)} ({seen})"
        )
    classes, expected = (getattr(each, "num_classes", None) for each in (model, first))
    if classes != expected:
        raise ValueError(
            f"models: expected the {expected} classes of the first network, got {classes} of "
            f"network {number}"
        )
