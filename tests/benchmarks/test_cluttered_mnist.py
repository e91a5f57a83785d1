"""The benchmarks of cluttered MNIST: sizes, families, tables."""

from __future__ import annotations

import pytest
import torch
from jsonargparse import ArgumentParser

from benchmarks import cluttered_mnist, warp_families
from tests.benchmarks.test_actions import run
from tests.benchmarks.test_losloop import ABOUT
from tgst.nn import warp


def built(settings):
    parser = ArgumentParser()
    parser.add_argument("--model", type=torch.nn.Module)
    return parser.instantiate(parser.parse_object({"model": settings})).model.eval()


@pytest.mark.parametrize("name", warp_families.FAMILIES)
def test_every_family_runs_in_the_network(name):
    model = built(warp_families.model_settings(name))
    images = torch.rand(2, 1, 40, 40)
    assert model(images).shape == (2, 10)
    family = warp_families.FAMILIES[name][0]
    if not family:
        assert model.transformer is None
        return
    assert type(model.transformer.warp) is getattr(warp, family)
    assert model.transformer.warp.num_params == warp_families.num_params(name)
    theta = model.transform(images)
    assert theta.shape == (2, warp_families.num_params(name))


def test_families_are_those_for_images():
    used = {family for family, _, _ in warp_families.FAMILIES.values()}
    given = {
        name
        for name in warp.__all__
        if isinstance(getattr(warp, name), type) and issubclass(getattr(warp, name), warp.Warp)
    }
    assert used - {""} == given - {"Warp", "MatrixWarp", "Affine3d"}


def test_table_of_errors():
    runs = [run(0, 0.98), run(1, 0.99)]
    result = {"parameters": 1234, "summary": cluttered_mnist.summary(runs), "runs": runs}
    lines = cluttered_mnist.table(ABOUT, {"cluttered_mnist_cnn": result}).splitlines()
    assert "| network | parameters | seed 0 | seed 1 | mean |" in lines
    assert "| plain CNN | 1,234 | 2.00 | 1.00 | 1.50 ± 0.71 |" in lines


def test_table_of_families():
    about = {**ABOUT, "epochs": 2, "seed": 0}
    results = {"affine": {"accuracy": 0.975, "minutes": 1.25, "numbers_in_checkpoint": 9}}
    lines = warp_families.table(about, results).splitlines()
    assert "| affine | 6 | shift, scales, turn and shear | 2.50 | 1.2 |" in lines
    assert any("at the last of 2 epochs" in line for line in lines)
