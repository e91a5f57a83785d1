"""Parity of ST-ResNet with an independent implementation, in float64, and published counts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tgst.nn.models import STResNet

FOLDER = Path(__file__).parents[1] / "golden" / "grid"
NAMES = {"c": "closeness", "p": "period", "t": "trend"}


class Golden:
    """One golden file: arrays as tensors."""

    def __init__(self, name):
        self.arrays = np.load(FOLDER / f"stresnet_{name}.npz", allow_pickle=False)

    def __getitem__(self, key):
        return torch.from_numpy(self.arrays[key])

    def __contains__(self, key):
        return key in self.arrays.files

    def model(self):
        sizes = {name: int(self.arrays[f"len_{name}"]) for name in NAMES.values()}
        return STResNet(
            int(self.arrays["height"]),
            int(self.arrays["width"]),
            int(self.arrays["flows"]),
            **sizes,
            num_units=int(self.arrays["num_units"]),
            hidden_channels=int(self.arrays["num_filters"]),
            external_channels=int(self.arrays["external_dim"]),
            external_hidden=int(self.arrays["external_hidden"]),
            batch_norm=bool(self.arrays["batch_norm"]),
        ).double()

    def published(self, model, kind):
        """Our name -> array under the published name, for all that the file holds."""
        branches = {name: short for short, name in NAMES.items()}
        found = {}
        for name in model.state_dict():
            if name.endswith("num_batches_tracked"):
                continue
            parts = name.split(".")
            if parts[0] == "branches":
                layer = {"conv_in": "conv1", "conv_out": "conv2"}.get(parts[2])
                if layer is None:
                    inner = f"{parts[4].removesuffix('s').replace('norm', 'bn')}{int(parts[5]) + 1}"
                    layer = f"unit{parts[3]}.{inner}"
                key = f"{branches[parts[1]]}.{layer}.{parts[-1]}"
            elif parts[0] == "external":
                key = f"ext.{ {'hidden': 'fc1', 'out': 'fc2'}[parts[1]] }.{parts[2]}"
            else:
                each = [self[f"{kind}.fusion.{branches[branch]}"] for branch in model.branches]
                found[name] = torch.stack(each)
                continue
            if f"{kind}.{key}" in self:
                found[name] = self[f"{kind}.{key}"]
        return found

    def inputs(self):
        keys = ("x_c", "x_p", "x_t", "ext")
        return [self[key].requires_grad_() if key in self else None for key in keys]


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def loaded(golden):
    model = golden.model()
    published = golden.published(model, "sd")
    missing, unexpected = model.load_state_dict(published, strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    return model.eval()


FILES = ["c3p1t1_ext", "c3p1t1_bn", "c2p2t2_noext", "closeness_only"]


@pytest.mark.parametrize("name", FILES)
def test_forward_and_gradients(name):
    golden = Golden(name)
    model = loaded(golden)
    inputs = golden.inputs()
    out = model(*inputs)
    assert_same(out, golden["out"])
    out.backward(golden["grad_out"])
    for x, key in zip(inputs, ("x_c", "x_p", "x_t", "ext"), strict=True):
        if x is not None:
            assert_same(x.grad, golden[f"grad_{key}"])
    expected = golden.published(model, "grad")
    own = dict(model.named_parameters())
    assert set(expected) == set(own)
    for key, grad in expected.items():
        assert_same(own[key].grad, grad)
    assert sum(p.numel() for p in own.values()) == int(golden.arrays["num_parameters"])


@pytest.mark.parametrize("name", FILES)
def test_parts(name):
    golden = Golden(name)
    model = loaded(golden)
    *frames, external = golden.inputs()
    given = dict(zip(NAMES.values(), frames, strict=True))
    outs = [branch(given[key]) for key, branch in model.branches.items()]
    for out, key in zip(outs, NAMES, strict=False):
        assert_same(out, golden[f"branch_{key}"])
    fused = outs[0] if model.fusion is None else model.fusion(outs)
    assert_same(fused, golden["fused"])
    if external is not None:
        assert_same(model.external(external), golden["external"])
    model.output_activation = None
    assert_same(model(*golden.inputs()), golden["pre_tanh"])


def test_float32():
    golden = Golden("c3p1t1_ext")
    model = loaded(golden).float()
    out = model(*[None if x is None else x.float() for x in golden.inputs()])
    torch.testing.assert_close(out, golden["out"].float(), rtol=1e-4, atol=1e-5)


def counts():
    golden = Golden("parameter_counts").arrays
    fields = [str(field) for field in golden["config_fields"]]
    rows = zip(golden["names"], golden["config"], golden["num_parameters"], strict=True)
    for name, row, count in rows:
        yield pytest.param(dict(zip(fields, map(int, row), strict=True)), int(count), id=str(name))


@pytest.mark.parametrize(("config", "count"), list(counts()))
def test_parameter_counts(config, count):
    model = STResNet(
        config["height"],
        config["width"],
        config["flows"],
        config["len_closeness"],
        config["len_period"],
        config["len_trend"],
        config["num_units"],
        config["num_filters"],
        config["external_dim"],
        config["external_hidden"],
        batch_norm=bool(config["batch_norm"]),
    )
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"external_channels": 28, "num_units": 2}, 481_512),
        ({"external_channels": 28, "num_units": 4}, 924_648),
        ({"external_channels": 28}, 2_697_192),
        ({"external_channels": 28, "batch_norm": True}, 2_706_408),
        ({}, 2_674_374),
        # L12-single-E: one of the two 3x3 convolutions of the 36 units is missing
        ({"external_channels": 28, "convs_per_unit": 1}, 2_697_192 - 36 * (64 * 64 * 9 + 64)),
        # L12-E-noFusion: three weights per cell and flow are missing
        ({"external_channels": 28, "fusion": "sum"}, 2_697_192 - 3 * 2 * 32 * 32),
    ],
)
def test_the_seven_rows_of_the_paper(options, count):
    model = STResNet(32, 32, **options)
    assert sum(p.numel() for p in model.parameters()) == count
