from __future__ import annotations

import json

import pytest
import torch
from jsonargparse import ArgumentParser
from torch_geometric.transforms import BaseTransform

from benchmarks.skeleton_ablation import GROUPS, VARIANTS, markdown, pooled, settings
from tests.benchmarks.test_losloop import ABOUT
from tgst.utils import Skeleton


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_runs_on_its_graph(name):
    model_option, partition_option, epochs = settings(name, epochs=3)
    assert epochs == "--trainer.max_epochs=3"
    parser = ArgumentParser()
    parser.add_argument("--model.model", type=torch.nn.Module)
    parser.add_argument("--data.partition", type=BaseTransform)
    given = parser.instantiate(parser.parse_args([model_option, partition_option]))
    graph = given.data.partition(Skeleton.named("msr-20").data())
    assert given.data.partition.num_partitions == VARIANTS[name][1]
    model = given.model.model.eval()
    importance = [n for n, _ in model.named_parameters() if "importance" in n]
    assert bool(importance) == name.endswith("importance")
    assert model.in_channels == 6  # bones and their motion, all that the recipe's streams give
    out = model(torch.randn(20, 2, 8, 6), graph.edge_index, graph.edge_type, graph.edge_weight)
    assert out.shape == (2, 20)


def test_variants_differ_in_one_part():
    spatial, truncated = (
        json.loads(settings(name, 1)[1].partition("=")[2])["init_args"]
        for name in ("spatial", "spatial, truncated distance")
    )
    assert truncated == {**spatial, "hop_distance": "truncated"}
    assert settings("spatial", 1)[0] == settings("spatial, truncated distance", 1)[0]


def test_pooled_counts_clips():
    runs = [{"held_out": "1 3", "accuracy": 0.5}, {"held_out": "9", "accuracy": 1.0}]
    assert pooled(runs, {"1 3": 30, "5 7": 5, "9": 10}) == 0.625


def test_markdown_has_a_row_per_variant():
    about = {**ABOUT, "epochs": 2, "seed": 0, "clips": dict.fromkeys(GROUPS, 10)}
    runs = [{"held_out": group, "accuracy": 0.75} for group in GROUPS]
    lines = markdown(about, {"uniform": {"accuracy": 0.75, "runs": runs}}).splitlines()
    assert "| variant | 1 3 | 5 7 | 9 | all clips |" in lines
    assert "| uniform | 0.750 | 0.750 | 0.750 | 0.750 |" in lines
    assert any("30 clips" in line for line in lines)
