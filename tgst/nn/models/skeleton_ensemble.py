r"""Several streams of one clip, each with a network of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch_geometric.nn.inits import reset

from tgst.utils.skeleton import Skeleton, as_skeleton
from tgst.utils.streams import Motion, bone_mask, bones, motion, motion_mask

STREAMS = ("joint", "bone", "joint_motion", "bone_motion", "motion")


class SkeletonEnsemble(torch.nn.Module):
    r"""Weighted sum of the scores of networks that see different streams of one clip: the
    two-stream form of the `released ST-GCN code <https://github.com/yysijie/st-gcn>`_ (joints and
    central motion) and the four-stream form of `"Skeleton-Based Action Recognition with
    Multi-Stream Adaptive Graph Convolutional Networks" <https://arxiv.org/abs/1912.06971>`_ (Shi
    et al., 2020).

    .. math::
        \mathbf{s} = \sum_i w_i \, f_i(\mathrm{stream}_i(\mathbf{X}))

    ==================== =====================================================================
    stream               value at joint :math:`v` and frame :math:`t`
    ==================== =====================================================================
    :obj:`joint`         :math:`\mathbf{x}_{v,t}`
    :obj:`bone`          :math:`\mathbf{b}_{v,t} = \mathbf{x}_{v,t} - \mathbf{x}_{p(v),t}`, zero
                         at a root
    :obj:`joint_motion`  :math:`\mathbf{x}_{v,t+1} - \mathbf{x}_{v,t}`, zero at the last frame
    :obj:`bone_motion`   :math:`\mathbf{b}_{v,t+1} - \mathbf{b}_{v,t}`, zero at the last frame
    :obj:`motion`        :math:`\mathbf{x}_{v,t} - \frac{1}{2} (\mathbf{x}_{v,t-1} +
                         \mathbf{x}_{v,t+1})`, zero at the first and the last frame
    ==================== =====================================================================

    Convention:
        With a :obj:`mask`, a value counts as observed where everything that it is computed from
        is observed, and is zero elsewhere: a bone needs both of its ends, a motion the neighbour
        frames too. So a motion is unobserved at the edge of every unobserved stretch and at the
        ends of the clip, and a padded clip equals the clip alone (with a mask). Without a mask
        every value counts, as published. The bone streams break the equivariance to a permutation
        of the nodes, by design: :obj:`parent` names joints by their number.

    Args:
        models (dict): Name of a stream to its network, usually a
            :class:`~tgst.nn.models.SkeletonSTGCN`.
        parent (Tensor or Skeleton or str, optional): :math:`(V)`, the parent of each joint (a
            root is its own), or a skeleton or its name. Needed for the bone streams.
            (default: :obj:`None`)
        weights (dict, optional): Name of a stream to its factor; one where left out.
            (default: :obj:`None`)
        fuse (str, optional): What is summed: :obj:`"logits"`, or :obj:`"probability"` for the
            softmax of each stream's logits. (default: :obj:`"logits"`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`, where :math:`N` is :math:`V` or, for persons and clips in
          one disjoint union, a multiple of it
        - **mask**: :math:`(N, *, T)`, bool, :obj:`True` where observed
        - **output**: that of the networks, :math:`(G, \text{num\_classes})` or :math:`(*,
          \text{num\_classes})`

    Raises:
        ValueError: If a stream is unknown, a weight belongs to none, or the parents are missing
            or do not fit the joints.
    """

    parent: Tensor | None

    def __init__(
        self,
        models: Mapping[str, torch.nn.Module],
        parent: Tensor | Skeleton | str | None = None,
        weights: Mapping[str, float] | None = None,
        fuse: str = "logits",
    ):
        super().__init__()
        _check_streams(models, weights or {}, parent)
        if fuse not in ("logits", "probability"):
            raise ValueError(f"fuse: expected 'logits' or 'probability', got {fuse!r}")
        self.models = torch.nn.ModuleDict(models)
        self.weights = {name: float((weights or {}).get(name, 1.0)) for name in models}
        self.fuse = fuse
        if parent is not None and not isinstance(parent, Tensor):
            parent = as_skeleton(parent).parent
        self.register_buffer("parent", _checked_parent(parent), persistent=False)

    @classmethod
    def two_stream(cls, joint: torch.nn.Module, motion: torch.nn.Module) -> SkeletonEnsemble:
        r"""Sums the logits of joints and central motion, as the released ST-GCN code does.

        Args:
            joint (torch.nn.Module): Network of the joints.
            motion (torch.nn.Module): Network of their motion.
        """
        return cls({"joint": joint, "motion": motion})

    @classmethod
    def four_stream(
        cls,
        joint: torch.nn.Module,
        bone: torch.nn.Module,
        joint_motion: torch.nn.Module,
        bone_motion: torch.nn.Module,
        parent: Tensor | Skeleton | str,
        weights: Sequence[float] = (2.0, 2.0, 1.0, 1.0),
        fuse: str = "logits",
    ) -> SkeletonEnsemble:
        r"""Sums joints, bones and the motion of both.

        Args:
            joint (torch.nn.Module): Network of the joints.
            bone (torch.nn.Module): Network of the bones.
            joint_motion (torch.nn.Module): Network of the joints' motion.
            bone_motion (torch.nn.Module): Network of the bones' motion.
            parent (Tensor or Skeleton or str): The parent of each joint.
            weights (sequence, optional): Factors in this order; PYSKL publishes 2, 2, 1, 1 (of
                probabilities) beside equal ones. (default: :obj:`(2.0, 2.0, 1.0, 1.0)`)
            fuse (str, optional): See the class. (default: :obj:`"logits"`)
        """
        models = {
            "joint": joint,
            "bone": bone,
            "joint_motion": joint_motion,
            "bone_motion": bone_motion,
        }
        return cls(models, parent, dict(zip(models, weights, strict=True)), fuse)

    def reset_parameters(self):
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
        **kwargs,
    ) -> Tensor:
        r"""Returns the weighted sum of all streams' scores; see the class for shapes, and
        :meth:`scores` for the arguments.
        """
        graph = (edge_index, edge_type, edge_weight)
        scores = self.scores(x, *graph, batch, mask, e_id, batch_size, **kwargs)
        return sum(self.weights[name] * score for name, score in scores.items())  # type: ignore

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
        **kwargs,
    ) -> dict[str, Tensor]:
        r"""Returns the score of each stream, before the weights.

        Args:
            x (Tensor): The clips.
            edge_index (Tensor): The edges.
            edge_type (Tensor, optional): Their labels. (default: :obj:`None`)
            edge_weight (Tensor, optional): Their weights. (default: :obj:`None`)
            batch (Tensor, optional): The clip of each node. (default: :obj:`None`)
            mask (Tensor, optional): What is observed. (default: :obj:`None`)
            e_id (Tensor, optional): Their number in the importance. (default: :obj:`None`)
            batch_size (int, optional): Number of clips. (default: :obj:`None`)
            **kwargs (optional): Further arguments of the networks, such as :obj:`person`.

        Returns:
            dict: Stream to logits, or to probabilities for :obj:`fuse="probability"`.
        """
        scores = {}
        for name, model in self.models.items():
            seen, observed = self.stream(name, x, mask)
            score = model(
                seen,
                edge_index,
                edge_type,
                edge_weight,
                batch=batch,
                mask=observed,
                e_id=e_id,
                batch_size=batch_size,
                **kwargs,
            )
            scores[name] = score.softmax(-1) if self.fuse == "probability" else score
        return scores

    def stream(
        self, name: str, x: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        r"""Computes one stream of a clip.

        Args:
            name (str): The stream.
            x (Tensor): :math:`(N, *, T, C)`.
            mask (Tensor, optional): :math:`(N, *, T)`. (default: :obj:`None`)

        Returns:
            tuple: The stream and its mask.
        """
        if mask is not None and mask.shape != x.shape[:-1]:
            raise ValueError(f"mask: expected shape {list(x.shape[:-1])}, got {list(mask.shape)}")
        if name.startswith("bone"):
            if self.parent is None:
                raise ValueError("parent: needed for the bone streams, got None")
            x = bones(x, self.parent)
            mask = None if mask is None else bone_mask(mask, self.parent)
        if name.endswith("motion"):
            kind: Motion = "central" if name == "motion" else "forward"
            x = motion(x, kind)
            mask = None if mask is None else motion_mask(mask, kind)
        return (x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0)), mask

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={weight:g}" for name, weight in self.weights.items())
        return f"{self.__class__.__name__}({parts}, fuse={self.fuse!r})"


def _check_streams(models: Mapping, weights: Mapping, parent: object) -> None:
    unknown = [name for name in models if name not in STREAMS]
    if unknown or not models:
        raise ValueError(f"models: expected some of the streams {STREAMS}, got {list(models)}")
    strange = [name for name in weights if name not in models]
    if strange:
        raise ValueError(f"weights: expected some of {list(models)}, got {strange}")
    if parent is None and any(name.startswith("bone") for name in models):
        raise ValueError("parent: needed for the bone streams, got None")


def _checked_parent(parent: Tensor | None) -> Tensor | None:
    if parent is None:
        return None
    if parent.dim() != 1 or parent.dtype != torch.long or parent.numel() == 0:
        raise ValueError(
            "parent: expected a long tensor with the parent of each joint, got "
            f"{parent.dtype} {list(parent.shape)}"
        )
    first, last = int(parent.min()), int(parent.max())
    if first < 0 or last >= parent.numel():
        raise ValueError(
            f"parent: expected joints in 0..{parent.numel() - 1} (a root is its own), got "
            f"{first}..{last}"
        )
    return parent.clone()
