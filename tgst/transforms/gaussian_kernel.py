"""Distances to weights."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.edges import checked_edge_values, checked_graph, replace_edges


class _Formula(NamedTuple):
    sigma: float | None
    threshold: float
    scale: float
    self_loops: bool


_FORMULAS = {
    "dcrnn": _Formula(sigma=None, threshold=0.1, scale=1.0, self_loops=True),
    "stgcn": _Formula(sigma=math.sqrt(0.1), threshold=0.5, scale=10_000.0, self_loops=False),
}


@functional_transform("tgst_gaussian_kernel")
class GaussianKernel(BaseTransform):
    r"""Turns the lengths of edges into weights by the thresholded Gaussian kernel of sensor
    networks.

    .. math::
        w_e = \begin{cases}
            \exp \left( - \frac{(d_e / s)^2}{\sigma^2} \right) & \text{if at least the threshold} \\
            0 \text{ (the edge is removed)} & \text{otherwise}
        \end{cases}

    where :math:`d_e` is :obj:`data.edge_length` in metres and :math:`s` its :obj:`scale`.
    :obj:`formula` names the paper whose constants stand where an argument is :obj:`None`:

    * :obj:`"dcrnn"`, `"Diffusion Convolutional Recurrent Neural Network"
      <https://arxiv.org/abs/1707.01926>`_: sigma is the standard deviation of all finite lengths
      (division by their number, not by one less), the threshold 0.1, the scale 1 metre; self loops
      stay;
    * :obj:`"stgcn"`, `"Spatio-Temporal Graph Convolutional Networks"
      <https://arxiv.org/abs/1709.04875>`_: :math:`\sigma^2 = 0.1`, the threshold 0.5, the scale
      10,000 metres; self loops are removed.

    The threshold is on the weight, as in the published codes of both (not on the distance). An
    infinite length is no connection.

    Removed edges leave with all their attributes; the order of the others stays, and
    :obj:`e_id` is written anew. An existing :obj:`edge_weight` is replaced.

    Args:
        sigma (float, optional): Width of the kernel in units of :obj:`scale`.
            (default: that of :obj:`formula`)
        threshold (float, optional): Smallest weight that stays, in 0..1.
            (default: that of :obj:`formula`)
        formula (str, optional): :obj:`"dcrnn"` or :obj:`"stgcn"`. (default: :obj:`"dcrnn"`)
        scale (float, optional): Metres per unit of distance. (default: that of :obj:`formula`)

    Shapes:
        - **input:** :obj:`data.edge_length` :math:`(|\mathcal{E}|)`
        - **output:** :obj:`data.edge_weight` :math:`(|\mathcal{E}'|)` in the dtype of
          :obj:`edge_length`, computed in double precision

    Raises:
        ValueError: If an argument is out of range, :obj:`edge_length` is missing, misshapen,
            negative or NaN, or all lengths are equal where sigma is their standard deviation.
    """

    def __init__(
        self,
        sigma: float | None = None,
        threshold: float | None = None,
        formula: Literal["dcrnn", "stgcn"] = "dcrnn",
        scale: float | None = None,
    ) -> None:
        if formula not in _FORMULAS:
            raise ValueError(f"formula: expected one of {sorted(_FORMULAS)}, got {formula!r}")
        paper = _FORMULAS[formula]
        self.formula = formula
        self.sigma = paper.sigma if sigma is None else sigma
        self.threshold = paper.threshold if threshold is None else threshold
        self.scale = paper.scale if scale is None else scale
        self.self_loops = paper.self_loops
        if self.sigma is not None and not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma: expected a number > 0, got {self.sigma}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold: expected a weight in 0..1, got {self.threshold}")
        if not 0 < self.scale < math.inf:
            raise ValueError(f"scale: expected a number > 0, got {self.scale}")

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`edge_weight` and removes the edges below the threshold."""
        edge_index, _ = checked_graph(data)
        if "edge_length" not in data:
            raise ValueError("data.edge_length: expected the length of every edge, got none")
        length = checked_edge_values(data, "edge_length", edge_index)
        distance = length.double() / self.scale
        weight = torch.exp(-((distance / self._width(distance)) ** 2))
        keep = (weight >= self.threshold) & distance.isfinite()
        if not self.self_loops:
            keep &= edge_index[0] != edge_index[1]
        kept = keep.nonzero().flatten()
        data.edge_weight = None  # replaced below: no need to carry it
        data = replace_edges(data, edge_index[:, kept], kept)
        data.edge_weight = weight[kept].to(length.dtype)
        return data

    def _width(self, distance: Tensor) -> float:
        if self.sigma is not None:
            return self.sigma
        finite = distance[distance.isfinite()]
        if finite.numel() == 0:
            return 1.0  # nothing to weigh
        if float(finite.min()) == float(finite.max()):
            raise ValueError(
                "sigma: expected a number where all lengths are equal (their standard deviation "
                f"is 0), got None with {finite.numel()} edge(s) of length "
                f"{float(finite[0]) * self.scale}"
            )
        return float(finite.std(correction=0))

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(sigma={self.sigma}, threshold={self.threshold}, "
            f"formula={self.formula!r}, scale={self.scale})"
        )
