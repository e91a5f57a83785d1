r"""The distance of a model's spatial transformers from where they start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tgst.nn.warp import ParallelTransformers, SpatialTransformer

__all__ = ["TransformPenalty"]

Transformer = SpatialTransformer | ParallelTransformers


class TransformPenalty:
    r"""Sum of the identity penalties of all spatial transformers in a model, wherever they are; of
    one that is called several times, the mean over all images.

    .. code-block:: python

        penalty = TransformPenalty(model)
        with penalty.recorded():
            logits = model(x)
        loss = loss + weight * penalty()

    Args:
        model: The model.

    Raises:
        ValueError: If there is no transformer in it.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        kinds = (SpatialTransformer, ParallelTransformers)
        self.transformers = [each for each in model.modules() if isinstance(each, kinds)]
        if not self.transformers:
            raise ValueError(
                "identity_penalty needs a model with a SpatialTransformer, got "
                f"{type(model).__name__} without one"
            )
        self._seen: list[list[Tensor]] = []

    @contextmanager
    def recorded(self) -> Iterator[None]:
        r"""Notes the parameters that are predicted in the meantime."""
        self._seen = [[] for _ in self.transformers]
        hooks = [
            each.resample.register_forward_pre_hook(_noting(seen))
            for each, seen in zip(self.transformers, self._seen, strict=True)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def __call__(self) -> Tensor:
        r"""The penalty of what was noted."""
        total = []
        for transformer, thetas in zip(self.transformers, self._seen, strict=True):
            theta = torch.cat(thetas)  # of several calls
            if isinstance(transformer, ParallelTransformers):
                maps = transformer.num_transformers
                calls = [thetas[i : i + maps] for i in range(0, len(thetas), maps)]
                theta = torch.cat([torch.stack(each, dim=1) for each in calls])
            total.append(transformer.identity_penalty(theta))
        self._seen = []
        return torch.stack(total).sum()


def _noting(seen: list[Tensor]):
    def note(module: torch.nn.Module, arguments: tuple[Tensor, Tensor]) -> None:
        seen.append(arguments[1])

    return note
