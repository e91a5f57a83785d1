r"""ST-ResNet for crowd flows on a city grid."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tgst.nn.blocks.cell_linear import CellLinear
from tgst.nn.blocks.external_component import ExternalComponent
from tgst.nn.blocks.parametric_fusion import ParametricFusion
from tgst.nn.folding import fuse
from tgst.nn.models.residual_grid_net import ResidualGridNet

_BRANCHES = ("closeness", "period", "trend")
POSITION_DEVIATION = 0.1  # of learnt planes at the start, where frames have a deviation of one


class STResNet(torch.nn.Module):
    r"""Flows of all cells of a city grid from recent, daily and weekly history, from `"Deep
    Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction"
    <https://arxiv.org/abs/1610.00081>`_ (Zhang, Zheng and Qi, AAAI 2017).

    .. math::
        \hat{\mathbf{X}}_t = \tanh\bigl(\mathbf{W}_c \odot f_c(\mathbf{X}_{t-1}, \ldots,
        \mathbf{X}_{t-l_c}) + \mathbf{W}_p \odot f_p(\mathbf{X}_{t-p}, \ldots,
        \mathbf{X}_{t-l_p p}) + \mathbf{W}_q \odot f_q(\mathbf{X}_{t-q}, \ldots,
        \mathbf{X}_{t-l_q q}) + g(\mathbf{e}_t)\bigr)

    with one :class:`~tgst.nn.models.ResidualGridNet` (without its skip) per branch, the fusion
    :class:`tgst.nn.ParametricFusion`, and :class:`tgst.nn.ExternalComponent` :math:`g`. A model
    of one branch has no fusion weights. The defaults are the published L12 for the TaxiBJ data
    (:obj:`height=32, width=32`); with :obj:`external_channels=28` it is L12-E. The paper's other
    rows are :obj:`num_units=2` or :obj:`4`, :obj:`batch_norm=True` (L12-E-BN),
    :obj:`convs_per_unit=1` (L12-single-E) and :obj:`fusion="sum"` (L12-E-noFusion).

    Convention:
        Frames lie in the channel dimension, **the most recent first** (the order of the authors'
        code; the paper writes the oldest first), the channels of a frame together: frame
        :math:`i` has the channels :math:`iC, \ldots, iC + C - 1`. Predicted steps leave in the
        same way, the next step first.

    Args:
        height (int): Rows of the grid.
        width (int): Columns of the grid.
        channels (int, optional): Flows to predict. (default: :obj:`2`)
        closeness (int, optional): Number of most recent frames :math:`l_c`, zero for no such
            branch. (default: :obj:`3`)
        period (int, optional): Number of frames of the days before, in total over all predicted
            steps, zero for no such branch. (default: :obj:`1`)
        trend (int, optional): Number of frames of the weeks before, likewise.
            (default: :obj:`1`)
        num_units (int, optional): Residual units per branch. (default: :obj:`12`)
        hidden_channels (int, optional): Width of the units. (default: :obj:`64`)
        external_channels (int, optional): Length of the vector of external features of a step,
            zero for none. (default: :obj:`0`)
        external_hidden (int, optional): Hidden width of the external component.
            (default: :obj:`10`)
        external_activation (str, optional): :obj:`"both"` (the authors' code) or :obj:`"first"`
            (the paper), see :class:`tgst.nn.ExternalComponent`. (default: :obj:`"both"`)
        batch_norm (bool, optional): Whether units use batch normalisation. (default: :obj:`False`)
        fusion (str, optional): :obj:`"parametric"`, or :obj:`"sum"` to add the branches up.
            (default: :obj:`"parametric"`)
        residual (bool, optional): Whether each unit adds its input; without, the branches are
            plain stacks of convolutions. (default: :obj:`True`)
        horizon (int, optional): Number of steps predicted at once. (default: :obj:`1`)
        output_activation (str, optional): :obj:`"tanh"`, for data scaled to :math:`[-1, 1]`, or
            :obj:`None`. (default: :obj:`"tanh"`)
        in_channels (int, optional): Channels of an input frame: the predicted ones, then planes
            of covariates. (default: :obj:`channels`)
        convs_per_unit (int, optional): Convolutions of a unit. (default: :obj:`2`)
        kernel_size (int, optional): Side of all convolutions, odd. (default: :obj:`3`)
        dropout (float, optional): Dropout probability in the units. (default: :obj:`0.0`)
        position_channels (int, optional): Number of learnt planes, the same for every sample, that
            each branch reads beside its frames: convolutions alone treat all cells alike, which a
            city does not. Not in the paper. (default: :obj:`0`)
        zero_start (bool, optional): Whether the last convolution of each branch starts at zero, so
            that a network which says changes starts near none. (default: :obj:`False`)
        cell_linear (bool, optional): Whether a linear map of the frames of each cell is added
            before the output activation (:class:`tgst.nn.CellLinear`). Not in the paper.
            (default: :obj:`False`)
        activation_checkpointing (bool, optional): Whether the backward pass of training computes
            the activations within a unit again instead of keeping them: less memory for the
            time of another forward pass, and the same gradients. (default: :obj:`False`)

    Shapes:
        - **closeness**: :math:`(B, l_c C_{in}, H, W)`
        - **period**: :math:`(B, l_p C_{in}, H, W)`
        - **trend**: :math:`(B, l_q C_{in}, H, W)`
        - **external**: :math:`(B, \text{horizon} \cdot E)`, the vectors of the predicted steps,
          the next step first; each acts on its own step, through the same weights
        - **output**: :math:`(B, \text{horizon} \cdot C, H, W)`

    Raises:
        ValueError: If an option is unknown, a number is out of range, there is no branch, or an
            input does not fit.
    """

    def __init__(
        self,
        height: int,
        width: int,
        channels: int = 2,
        closeness: int = 3,
        period: int = 1,
        trend: int = 1,
        num_units: int = 12,
        hidden_channels: int = 64,
        external_channels: int = 0,
        external_hidden: int = 10,
        external_activation: str = "both",
        batch_norm: bool = False,
        fusion: str = "parametric",
        residual: bool = True,
        horizon: int = 1,
        output_activation: str | None = "tanh",
        in_channels: int | None = None,
        convs_per_unit: int = 2,
        kernel_size: int = 3,
        dropout: float = 0.0,
        position_channels: int = 0,
        zero_start: bool = False,
        cell_linear: bool = False,
        activation_checkpointing: bool = False,
    ):
        super().__init__()
        in_channels = channels if in_channels is None else in_channels
        frames = dict(zip(_BRANCHES, (closeness, period, trend), strict=True))
        sizes = (height, width, channels, horizon, num_units)
        _check_sizes(sizes, frames, in_channels, (external_channels, position_channels))
        _check_names(fusion, output_activation)
        self.height, self.width, self.channels = height, width, channels
        self.in_channels, self.horizon, self.frames = in_channels, horizon, frames
        self.external_channels, self.output_activation = external_channels, output_activation
        self.branches = torch.nn.ModuleDict(
            {
                name: ResidualGridNet(
                    count * in_channels + position_channels,
                    horizon * channels,
                    num_units,
                    hidden_channels,
                    kernel_size,
                    batch_norm,
                    dropout,
                    convs_per_unit,
                    residual,
                    skip=False,
                    activation_checkpointing=activation_checkpointing,
                )
                for name, count in frames.items()
                if count
            }
        )
        self.position = None
        if position_channels:
            self.position = torch.nn.Parameter(torch.empty(position_channels, height, width))
        self.fusion = None
        if fusion == "parametric" and len(self.branches) > 1:
            self.fusion = ParametricFusion(len(self.branches), horizon * channels, height, width)
        self.external = None
        if external_channels:
            self.external = ExternalComponent(
                external_channels, external_hidden, channels, height, width, external_activation
            )
        self.linear = None
        if cell_linear:
            planes = sum(frames.values()) * in_channels
            self.linear = CellLinear(planes, horizon * channels, height, width)
        self.zero_start = zero_start
        self._reset_start()

    def reset_parameters(self) -> None:
        r"""Draws new weights."""
        for module in (*self.branches.values(), self.fusion, self.external, self.linear):
            if module is not None:
                module.reset_parameters()  # type: ignore[operator]
        self._reset_start()

    def _reset_start(self) -> None:
        if self.position is not None:
            torch.nn.init.normal_(self.position, std=POSITION_DEVIATION)
        if self.zero_start:
            for branch in self.branches.values():
                torch.nn.init.zeros_(branch.conv_out.weight)  # type: ignore[union-attr,arg-type]

    def forward(
        self,
        closeness: Tensor | None = None,
        period: Tensor | None = None,
        trend: Tensor | None = None,
        external: Tensor | None = None,
    ) -> Tensor:
        r"""Predicts all steps of the horizon; see the class for shapes. Inputs of branches that the
        model does not have are :obj:`None` (or have no channel).
        """
        given = dict(zip(_BRANCHES, (closeness, period, trend), strict=True))
        self._check(given, external)
        outs = [branch(self._placed(given[name])) for name, branch in self.branches.items()]
        if self.fusion is not None:
            out = self.fusion(outs)
        else:
            out = outs[0]
            for other in outs[1:]:
                out = out + other
        if self.external is not None and external is not None:
            # one vector per row: the steps go through the same weights
            vectors = external.reshape(-1, self.external_channels)
            out = out + self.external(vectors).reshape(out.shape)
        if self.linear is not None:
            frames = [x for name, x in given.items() if name in self.branches and x is not None]
            out = out + self.linear(torch.cat(frames, dim=1))
        return torch.tanh(out) if self.output_activation == "tanh" else out

    def _placed(self, x: Tensor | None) -> Tensor | None:
        # Beside the frames of a branch the planes that say where a cell is.
        if self.position is None or x is None:
            return x
        planes = self.position.to(x.dtype).expand(x.size(0), -1, -1, -1)
        return torch.cat([x, planes], dim=1)

    def rollout(
        self,
        closeness: Tensor | None = None,
        period: Tensor | None = None,
        trend: Tensor | None = None,
        external: Tensor | None = None,
        *,
        steps: int,
        covariates: Tensor | None = None,
        feedback: Callable[[Tensor, int], Tensor] | None = None,
    ) -> Tensor:
        r"""Predicts :obj:`steps` steps one by one, each prediction entering the closeness branch of
        the next step as the most recent frame.

        What lies outside of the model's own predictions is given for every step, so that nothing
        is taken from the steps to be predicted unless the caller puts it there: the frames of days
        and weeks before a step are history as long as they lie before the first predicted step.

        Args:
            closeness (Tensor, optional): The frames before the first step, :math:`(B, l_c C_{in},
                H, W)`.
            period (Tensor, optional): The frames of the days before each step, :math:`(B,
                \text{steps}, l_p C_{in}, H, W)`.
            trend (Tensor, optional): The frames of the weeks before each step, likewise.
            external (Tensor, optional): The vector of each step, :math:`(B, \text{steps}, E)`.
            steps (int): Number of steps to predict.
            covariates (Tensor, optional): Known future planes of the input channels after the
                first :math:`C`, :math:`(B, \text{steps}, C_{in} - C, H, W)`; those of the last
                step are not used. Required where there are such channels and a closeness branch.
                (default: :obj:`None`)
            feedback (callable, optional): :obj:`feedback(out, step)` returns the :math:`C`
                channels to feed back for the output of step 0, 1, ..., where the output is not in
                the units of the input (a change against the week before, another scaling).
                (default: :obj:`None`)

        Returns:
            Tensor: :math:`(B, \text{steps} \cdot C, H, W)`, as of a model with
            :obj:`horizon=steps`.

        Raises:
            ValueError: If the horizon is not one or an input does not fit.
        """
        if self.horizon != 1 or steps < 1:
            raise ValueError(
                "horizon, steps: rollout needs a model with horizon=1 and steps >= 1, got "
                f"{self.horizon} and {steps}"
            )
        grid = (self.height, self.width)
        extra = (self.in_channels - self.channels) if self.frames["closeness"] else 0
        planes = _per_step("covariates", covariates, (steps, extra, *grid))
        if extra and covariates is None:
            raise ValueError(
                f"covariates: expected [B, {steps}, {extra}, {self.height}, {self.width}], the "
                f"future of the input channels beyond the {self.channels} predicted ones, got None"
            )
        known = [
            _per_step(name, x, (steps, self.frames[name] * self.in_channels, *grid))
            for name, x in (("period", period), ("trend", trend))
        ]
        known.append(_per_step("external", external, (steps, self.external_channels)))
        recent, outs = closeness, []
        for step in range(steps):
            out = self(recent, *(each[step] for each in known))
            outs.append(out)
            if recent is not None and self.frames["closeness"]:
                newest = out if feedback is None else feedback(out, step)
                recent = self._next(recent, newest, planes[step])
        return torch.cat(outs, dim=1)

    def fuse(self) -> STResNet:
        r"""Returns a copy for inference, see :func:`tgst.nn.fuse`: without the normalisations that
        directly follow a convolution.
        """
        return fuse(self)

    def _next(self, recent: Tensor, newest: Tensor, planes: Tensor | None) -> Tensor:
        # The closeness frames one step later.
        wanted = (recent.size(0), self.channels, self.height, self.width)
        if newest.shape != wanted:
            raise ValueError(f"feedback: expected {list(wanted)}, got {list(newest.shape)}")
        parts = [newest, recent[:, : -self.in_channels]]
        if planes is not None:
            if planes.size(0) != recent.size(0):
                raise ValueError(
                    f"covariates: expected the batch size {recent.size(0)} of closeness, got "
                    f"{planes.size(0)}"
                )
            parts.insert(1, planes)
        return torch.cat(parts, dim=1)

    def _check(self, given: dict[str, Tensor | None], external: Tensor | None) -> None:
        grid = (self.height, self.width)
        for name, x in given.items():
            wanted = (self.frames[name] * self.in_channels, *grid)
            if (x is None and wanted[0]) or (
                x is not None and (x.dim() != 4 or x.shape[1:] != wanted)
            ):
                raise ValueError(
                    f"{name}: expected [B, {', '.join(map(str, wanted))}] (batch, "
                    f"{self.frames[name]} frames of {self.in_channels} channels with the most "
                    f"recent first, height, width), got {None if x is None else list(x.shape)}"
                )
        length = self.horizon * self.external_channels
        if (external is None and length) or (
            external is not None and (external.dim() != 2 or external.size(1) != length)
        ):
            raise ValueError(
                f"external: expected [B, {length}] (batch, {self.horizon} steps of "
                f"{self.external_channels} features), got "
                f"{None if external is None else list(external.shape)}"
            )
        inputs = [x for x in (*given.values(), external) if x is not None]
        if any(x.size(0) != inputs[0].size(0) for x in inputs):
            raise ValueError(
                "closeness, period, trend, external: expected one batch size, got "
                f"{[x.size(0) for x in inputs]}"
            )


def _check_sizes(
    sizes: tuple[int, ...], frames: dict[str, int], in_channels: int, more: tuple[int, int]
) -> None:
    if min(sizes) < 1:
        raise ValueError(
            f"height, width, channels, horizon, num_units: expected at least 1, got {sizes}"
        )
    if min(frames.values()) < 0 or not any(frames.values()):
        raise ValueError(
            "closeness, period, trend: expected numbers of frames, at least one of them above "
            f"zero, got {tuple(frames.values())}"
        )
    if in_channels < sizes[2]:
        raise ValueError(
            f"in_channels: expected the {sizes[2]} predicted channels and any more, got "
            f"{in_channels}"
        )
    for name, number in zip(("external_channels", "position_channels"), more, strict=True):
        if number < 0:
            raise ValueError(f"{name}: expected 0 or more, got {number}")


def _check_names(fusion: str, output_activation: str | None) -> None:
    if fusion not in ("parametric", "sum"):
        raise ValueError(f"fusion: expected 'parametric' or 'sum', got {fusion!r}")
    if output_activation not in ("tanh", None):
        raise ValueError(f"output_activation: expected 'tanh' or None, got {output_activation!r}")


def _per_step(name: str, x: Tensor | None, wanted: tuple[int, ...]) -> list[Tensor | None]:
    # What each step is given; forward says what is missing.
    if x is None:
        return [None] * wanted[0]
    if x.dim() != len(wanted) + 1 or x.shape[1:] != wanted:
        names = ("steps", "channels", "height", "width")[: len(wanted)]
        raise ValueError(
            f"{name}: expected [B, {', '.join(map(str, wanted))}] (batch, {', '.join(names)}) to "
            f"roll out, got {list(x.shape)}"
        )
    return list(x.unbind(1))
