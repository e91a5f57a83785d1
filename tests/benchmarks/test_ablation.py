from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks.ablation import VARIANTS, best_validation, markdown, variants
from tests.benchmarks.test_losloop import ABOUT
from tgst.train.forecast_cli import ForecastCLI

EVERY = variants(Path("W_metrla.csv"))


@pytest.mark.parametrize("name", EVERY)
def test_every_variant_is_a_configuration_that_the_command_line_accepts(name, capsys):
    arguments = ["fit", "--config", "losloop", "--root", "somewhere", *EVERY[name]]
    with pytest.raises(SystemExit) as end:
        ForecastCLI([*arguments, "--print_config"])
    assert end.value.code == 0
    settings = yaml.safe_load(capsys.readouterr().out)
    recipe = _printed(["fit", "--config", "losloop", "--root", "somewhere"], capsys)
    assert (settings == recipe) == (name == "the recipe")


def _printed(arguments, capsys):
    with pytest.raises(SystemExit):
        ForecastCLI([*arguments, "--print_config"])
    return yaml.safe_load(capsys.readouterr().out)


def test_variants_on_the_distances_need_their_file():
    assert variants(None) == VARIANTS
    added = EVERY.keys() - VARIANTS.keys()
    assert added
    assert all(EVERY[name][0].endswith('W_metrla.csv"}') for name in added)


def test_best_validation_is_the_smallest_over_the_epochs(tmp_path):
    log = tmp_path / "metrics.csv"
    log.write_text("epoch,train/loss,val/mae\n0,1.0,\n0,,3.5\n1,0.9,\n1,,3.25\n2,,3.3\n")
    assert best_validation(log) == (3.25, 1)


def test_markdown_shows_the_difference_to_the_recipe():
    results = {"the recipe": {"mean": 3.0, "std": 0.0}, "less": {"mean": 3.25, "std": 0.5}}
    lines = markdown({**ABOUT, "seeds": [0, 1], "epochs": 40}, results).splitlines()
    assert "| the recipe | 3.00 |  |" in lines
    assert "| less | 3.25 ± 0.50 | +0.25 |" in lines
