"""STResNet: branches, ablations, horizon, external part, roll-out, arguments."""

import copy

import pytest
import torch

from tgst.nn.models import STResNet

SMALL = {"num_units": 1, "hidden_channels": 4}
GRID = (4, 5)
FRAMES = {"closeness": 3, "period": 2, "trend": 1}


def net(**options):
    torch.manual_seed(0)
    model = STResNet(*GRID, **{**FRAMES, **SMALL, **options}).double()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_().mul_(0.3)
    return model.eval()


def given(model, batch=2, steps=None, seed=1):
    """Random inputs of forward, or with steps those of rollout after the closeness frames."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(batch, *shape, dtype=torch.float64, generator=generator)

    lead = () if steps is None else (steps,)
    inputs = {}
    for name, frames in model.frames.items():
        own = () if name == "closeness" else lead
        inputs[name] = draw(*own, frames * model.in_channels, *GRID) if frames else None
    length = model.external_channels * (model.horizon if steps is None else 1)
    inputs["external"] = draw(*lead, length) if length else None
    return inputs


# -- branches and ablations -----------------------------------------------------------------


@pytest.mark.parametrize("names", [["closeness"], ["period", "trend"], ["closeness", "trend"]])
def test_branches_are_arguments(names):
    off = {name: 0 for name in FRAMES if name not in names}
    model = net(external_channels=3, **off)
    assert list(model.branches) == names
    inputs = given(model)
    outs = [model.branches[name](inputs[name]) for name in names]
    if len(names) == 1:
        assert model.fusion is None
        fused = outs[0]
    else:
        fused = sum(w * x for w, x in zip(model.fusion.weight, outs, strict=True))
    expected = torch.tanh(fused + model.external(inputs["external"]))
    torch.testing.assert_close(model(**inputs), expected)
    # an input without frames is as good as none
    empty = {name: torch.zeros(2, 0, *GRID).double() for name in off}
    torch.testing.assert_close(model(**{**inputs, **empty}), expected)


def test_every_input_counts():
    model = net(external_channels=3)
    inputs = {name: x.requires_grad_() for name, x in given(model).items()}
    model(**inputs).sum().backward()
    for x in inputs.values():
        assert x.grad.abs().sum(dim=tuple(range(2, x.dim()))).min() > 0


def test_sum_is_fusion_by_ones():
    fused, plain = net(), net(fusion="sum")
    assert plain.fusion is None
    weights = fused.state_dict()
    plain.load_state_dict({name: w for name, w in weights.items() if name != "fusion.weight"})
    fused.fusion.weight.data.fill_(1)
    torch.testing.assert_close(plain(**given(plain)), fused(**given(fused)))


def test_external_activation():
    code, paper = (net(external_channels=3, external_activation=e) for e in ("both", "first"))
    inputs = given(code)
    without = dict(inputs, external=None)
    free = net()
    free.load_state_dict({k: w for k, w in code.state_dict().items() if "external" not in k})
    change = code(**inputs).atanh() - free(**without).atanh()
    assert change.min() > -1e-12  # can only raise the flow
    assert change.max() > 0.1
    lowered = paper(**inputs).atanh() - free(**without).atanh()
    torch.testing.assert_close(lowered.clamp(min=0), change)
    assert lowered.min() < -0.1


def test_width_of_the_external_part():
    model = net(external_channels=3, external_hidden=7)
    assert model.external.hidden.weight.shape == (7, 3)
    assert model.external.out.weight.shape == (2 * 4 * 5, 7)


def test_output_activation():
    inputs = given(net())
    torch.testing.assert_close(net(output_activation=None)(**inputs).tanh(), net()(**inputs))


def test_options_reach_the_units():
    model = net(
        num_units=3,
        convs_per_unit=1,
        kernel_size=5,
        dropout=0.5,
        residual=False,
        batch_norm=True,
    )
    for branch in model.branches.values():
        assert branch.skip is False
        assert len(branch.units) == 3
        assert branch.conv_in.kernel_size == branch.conv_out.kernel_size == (5, 5)
        for unit in branch.units:
            assert (len(unit.convs), unit.dropout, unit.residual) == (1, 0.5, False)
            assert unit.convs[0].kernel_size == (5, 5)
            assert isinstance(unit.norms[0], torch.nn.BatchNorm2d)
    inputs = given(model)
    torch.testing.assert_close(model(**inputs), model(**inputs), rtol=0, atol=0)
    model.train()
    assert not torch.equal(model(**inputs), model(**inputs))


def test_the_most_recent_frame_comes_first():
    """A model that copies the first frame of each branch, so that the order is the contract."""
    model = net(fusion="sum", output_activation=None, kernel_size=1, residual=True)
    for branch in model.branches.values():
        for parameter in branch.parameters():
            parameter.data.zero_()
        for c in range(2):
            branch.conv_in.weight.data[c, c] = 1
            branch.conv_out.weight.data[c, c] = 1
    inputs = {name: None if x is None else x.abs() for name, x in given(model).items()}
    expected = sum(inputs[name][:, :2] for name in FRAMES)
    torch.testing.assert_close(model(**inputs), expected)


def test_derivatives():
    torch.manual_seed(0)
    options = {"closeness": 1, "period": 1, "trend": 0, "hidden_channels": 2, "num_units": 1}
    model = STResNet(2, 3, 1, **options, external_channels=2).double()
    inputs = [torch.randn(2, 1, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    external = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)

    def call(closeness, period, external):
        return model(closeness, period, None, external)

    assert torch.autograd.gradcheck(call, (*inputs, external))
    assert torch.autograd.gradgradcheck(call, (*inputs, external))


def test_reset():
    model = net(external_channels=3)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.reset_parameters()
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name
        if name.endswith("bias"):
            assert parameter.abs().max() == 0


# -- horizon --------------------------------------------------------------------------------


def test_direct_horizon():
    """Three steps at once: three one-step models whose last layers lie side by side."""
    model = net(horizon=3, external_channels=2)
    inputs = given(model)
    out = model(**inputs)
    assert out.shape == (2, 6, *GRID)
    single = net(external_channels=2)
    for step in range(3):
        rows = slice(2 * step, 2 * step + 2)
        weights = copy.deepcopy(model.state_dict())
        for name in weights:
            if "conv_out" in name:
                weights[name] = weights[name][rows]
        weights["fusion.weight"] = weights["fusion.weight"][:, rows]
        single.load_state_dict(weights)
        own = dict(inputs, external=inputs["external"][:, rows])
        torch.testing.assert_close(single(**own), out[:, rows])


def test_covariate_planes():
    model = net(in_channels=5)
    inputs = given(model)
    assert inputs["period"].size(1) == 10
    assert model(**inputs).shape == (2, 2, *GRID)
    for name in FRAMES:
        later = dict(inputs)
        later[name] = inputs[name].clone()
        later[name][:, 4] += 1  # the last plane of the most recent frame
        assert (model(**later) - model(**inputs)).abs().max() > 1e-4


def test_learnt_planes_are_channels_of_every_branch():
    model = net(position_channels=2)
    inputs = given(model)
    planes = model.position.detach().expand(2, -1, -1, -1)
    outs = [
        branch(torch.cat([inputs[name], planes], dim=1)) for name, branch in model.branches.items()
    ]
    fused = sum(w * x for w, x in zip(model.fusion.weight, outs, strict=True))
    torch.testing.assert_close(model(**inputs), torch.tanh(fused))
    before = model.position.detach().clone()
    model.reset_parameters()
    assert not torch.equal(model.position, before)
    for start in (before, model.position):
        assert 0.06 < start.std() < 0.14


def test_zero_start_leaves_the_external_part():
    torch.manual_seed(0)
    model = STResNet(*GRID, **FRAMES, **SMALL, external_channels=3, zero_start=True).double()
    inputs = given(model)
    for _ in range(2):
        alone = torch.tanh(model.external(inputs["external"]))
        torch.testing.assert_close(model(**inputs), alone)
        assert alone.abs().max() > 0
        model.branches["trend"].conv_out.weight.data.fill_(1)
        model.reset_parameters()


def test_cell_linear_is_added_before_the_activation():
    model, plain = net(cell_linear=True), net()
    own = model.state_dict()
    weight = own.pop("linear.weight")
    assert not weight.any()
    plain.load_state_dict(own)
    torch.nn.init.normal_(model.linear.weight)
    inputs = given(model)
    frames = torch.cat([inputs[name] for name in FRAMES], dim=1)
    expected = torch.atanh(plain(**inputs)) + model.linear(frames)
    torch.testing.assert_close(model(**inputs), torch.tanh(expected))
    alone = net(period=0, trend=0, cell_linear=True)
    assert alone.linear.weight.shape == (2, 3 * 2, *GRID)


# -- roll-out -------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [0, 2])
def test_rollout_is_the_loop(extra):
    model = net(external_channels=3, in_channels=2 + extra)
    steps, inputs = 4, given(model, steps=4)
    planes = torch.randn(2, steps, extra, *GRID, dtype=torch.float64) if extra else None
    out = model.rollout(**inputs, steps=steps, covariates=planes)
    assert out.shape == (2, 2 * steps, *GRID)
    frames = list(inputs["closeness"].split(2 + extra, dim=1))
    for step in range(steps):
        given_now = [inputs[name][:, step] for name in ("period", "trend", "external")]
        expected = model(torch.cat(frames, dim=1), *given_now)
        torch.testing.assert_close(out[:, 2 * step : 2 * step + 2], expected)
        newest = expected if planes is None else torch.cat([expected, planes[:, step]], dim=1)
        frames = [newest, *frames[:-1]]


@pytest.mark.parametrize("name", ["period", "trend", "external", "covariates"])
def test_rollout_looks_at_no_later_step(name):
    model = net(external_channels=3, in_channels=3)
    inputs = given(model, steps=4)
    inputs["covariates"] = torch.randn(2, 4, 1, *GRID, dtype=torch.float64)
    inputs[name].requires_grad_()
    out = model.rollout(**inputs, steps=4).unflatten(1, (4, 2))
    for step in range(4):
        (grad,) = torch.autograd.grad(out[:, step].sum(), inputs[name], retain_graph=True)
        reached = grad.abs().flatten(2).sum(-1).sum(0) > 0
        # planes of a step are part of its frame, which only later steps see
        last = step - (name == "covariates")
        assert reached.tolist() == [later <= last for later in range(4)]


def test_rollout_without_closeness_is_step_by_step():
    model = net(closeness=0)
    inputs = given(model, steps=3)
    out = model.rollout(**inputs, steps=3)
    for step in range(3):
        expected = model(None, inputs["period"][:, step], inputs["trend"][:, step])
        torch.testing.assert_close(out[:, 2 * step : 2 * step + 2], expected)


def test_rollout_of_other_units():
    """A model of changes: what is fed back is the change plus the frame of the week before."""
    model = net(output_activation=None)
    inputs = given(model, steps=3)
    levels = inputs["trend"]
    out = model.rollout(**inputs, steps=3, feedback=lambda out, step: out + levels[:, step])
    frames = inputs["closeness"]
    for step in range(3):
        change = model(frames, inputs["period"][:, step], levels[:, step])
        torch.testing.assert_close(out[:, 2 * step : 2 * step + 2], change)
        frames = torch.cat([change + levels[:, step], frames[:, :-2]], dim=1)
    with pytest.raises(ValueError, match=r"feedback: expected \[2, 2, 4, 5\], got \[2, 1, 4, 5\]"):
        model.rollout(**inputs, steps=3, feedback=lambda out, step: out[:, :1])


def test_rollout_arguments():
    model = net(external_channels=3, in_channels=3)
    inputs = given(model, steps=4)
    planes = torch.zeros(2, 4, 1, *GRID).double()
    cases = [
        (net(horizon=2), {}, r"horizon=1 and steps >= 1, got 2 and 4"),
        (model, {}, r"covariates: expected \[B, 4, 1, 4, 5\], the future .*got None"),
        (model, {"covariates": planes[:, :3]}, r"covariates: expected \[B, 4, 1, 4, 5\] \(batch, "),
        (model, {"covariates": planes[:1]}, "covariates: expected the batch size 2 .*got 1"),
        (
            model,
            {"covariates": planes, "period": inputs["period"][:, :1]},
            r"period: expected \[B, 4, 6, 4, 5\] \(batch, steps, channels, height, width\)",
        ),
        (model, {"covariates": planes, "period": None}, r"period: expected \[B, 6, 4, 5\].*None"),
        (
            model,
            {"covariates": planes, "external": inputs["external"][:, 0]},
            r"external: expected \[B, 4, 3\] \(batch, steps, channels\) to roll out, got \[2, 3\]",
        ),
        (model, {"covariates": planes, "external": None}, r"external: expected \[B, 3\].*got None"),
    ]
    for made, changes, message in cases:
        with pytest.raises(ValueError, match=message):
            made.rollout(**{**inputs, **changes}, steps=4)
    with pytest.raises(ValueError, match="steps >= 1, got 1 and 0"):
        model.rollout(**inputs, steps=0)


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("closeness", (6, 4, 5)),  # no batch
        ("closeness", (2, 3, 2, 4, 5)),  # frames apart
        ("closeness", (2, 4, 5, 6)),  # channels last
        ("closeness", (2, 6, 5, 4)),  # width before height
        ("closeness", (2, 4, 4, 5)),  # a frame too few
        ("period", (2, 6, 4, 5)),
        ("trend", (2, 2, 8, 10)),
        ("trend", None),
    ],
)
def test_frames(name, shape):
    model = net()
    inputs = given(model)
    inputs[name] = None if shape is None else torch.zeros(shape).double()
    frames = FRAMES[name]
    got = None if shape is None else rf"\[{', '.join(map(str, shape))}\]"
    message = (
        rf"{name}: expected \[B, {2 * frames}, 4, 5\] \(batch, {frames} frames of 2 channels with "
        rf"the most recent first, height, width\), got {got}"
    )
    with pytest.raises(ValueError, match=message):
        model(**inputs)


def test_input_of_a_missing_branch():
    model, full = net(trend=0), given(net())
    with pytest.raises(ValueError, match=r"trend: expected \[B, 0, 4, 5\] \(batch, 0 frames of 2"):
        model(**full)


def test_external_and_batch_size():
    model = net(horizon=2, external_channels=3)
    inputs = given(model)
    message = r"external: expected \[B, 6\] \(batch, 2 steps of 3 features\), got "
    for external, got in (
        (None, "None"),
        (inputs["external"][:, :3], r"\[2, 3\]"),
        (inputs["external"].view(2, 2, 3), r"\[2, 2, 3\]"),
    ):
        with pytest.raises(ValueError, match=message + got):
            model(**{**inputs, "external": external})
    with pytest.raises(ValueError, match=r"external: expected \[B, 0\]"):
        net()(**{**given(net()), "external": inputs["external"]})
    for name in inputs:  # one sample would be spread over the batch without a word
        with pytest.raises(ValueError, match="one batch size, got "):
            model(**{**inputs, name: inputs[name][:1]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "concat"}, "fusion: expected 'parametric' or 'sum', got 'concat'"),
        ({"output_activation": "relu"}, "output_activation: expected 'tanh' or None, got 'relu'"),
        (
            {"external_channels": 1, "external_activation": "none"},
            "external_activation: expected 'both' or 'first', got 'none'",
        ),
        ({"closeness": 0, "period": 0, "trend": 0}, r"at least one of them above zero, got \(0, 0"),
        ({"period": -1}, r"closeness, period, trend: expected numbers .*got \(3, -1, 1\)"),
        ({"in_channels": 1}, "in_channels: expected the 2 predicted channels and any more, got 1"),
        (
            {"height": 0},
            r"height, width, channels, .*: expected at least 1, got \(0, 5, 2, 1, 12\)",
        ),
        ({"horizon": 0}, r"channels, horizon, num_units: .*got \(4, 5, 2, 0, 12\)"),
        ({"num_units": 0}, r"channels, horizon, num_units: .*got \(4, 5, 2, 1, 0\)"),
        ({"convs_per_unit": 0}, r"convs_per_unit: expected at least 1, got \(12, 0\)"),
        ({"external_channels": -1}, "external_channels: expected 0 or more, got -1"),
        ({"position_channels": -1}, "position_channels: expected 0 or more, got -1"),
        ({"kernel_size": 2}, "kernel_size: expected an odd number .*got 2"),
    ],
)
def test_options(options, message):
    sizes = {"height": GRID[0], "width": GRID[1]}
    with pytest.raises(ValueError, match=message):
        STResNet(**{**sizes, **FRAMES, **options})
