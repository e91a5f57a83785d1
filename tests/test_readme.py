"""The README's code runs as printed, and gives what the README says."""

from __future__ import annotations

import math
import re
import subprocess
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def names():
    r"""What the blocks leave behind, run one after another as a reader does."""
    torch.manual_seed(0)
    left: dict = {}
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), left)
    return left


def test_all_blocks_are_found():
    uses = (
        "DistancePartition",
        "from_networkx",
        "NeighborWindowLoader",
        "SkeletonSTGCN",
        "STResNet",
        "SpatialTransformer",
        "ops.benchmark",
        "FixedGraph",
    )
    assert [use in block for use, block in zip(uses, BLOCKS, strict=True)] == [True] * 8


def test_served(names):
    torch.testing.assert_close(names["again"], names["forecast"], rtol=1e-5, atol=1e-5)
    assert not any(part.training for part in names["served"].modules())


def test_pipeline(names):
    data = names["dataset"][0]
    assert data.edge_type.tolist() == [1] * 6 + [0] * 4
    into = torch.zeros(4).index_add_(0, data.edge_index[1], data.edge_weight)
    torch.testing.assert_close(into, torch.ones(4))
    assert names["batch"].x.shape == (32, 24, 3)
    assert names["h"].shape == (32, 24, 64)
    # A batch is a disjoint union: its last graph alone gives the same.
    data, conv, attention = names["dataset"][-1], names["conv"], names["attention"]
    alone = conv(data.x, data.edge_index, data.edge_type, data.edge_weight)
    alone = attention(alone.relu(), data.edge_index)
    torch.testing.assert_close(names["h"][-4:], alone)


def test_grid(names):
    assert names["flows"].shape == (8, 2, 32, 32)
    conv2d = torch.nn.Conv2d(2, 16, 3, padding=1)
    kernel = names["offsets"].kernel_from_weight(names["local"].weight)
    conv2d.weight.data, conv2d.bias.data = kernel.detach(), names["local"].bias.detach()
    expected = conv2d(names["flows"]).flatten(2).permute(2, 0, 1).unsqueeze(2)
    torch.testing.assert_close(names["near"], expected)


def test_spatial_transformer(names):
    assert names["view"].shape == (8, 1, 24, 24)
    identity = names["warp"].Affine().identity()
    torch.testing.assert_close(names["theta"], identity.expand(8, -1))


def test_road_network(names):
    data = names["data"]
    assert data.node_id == ["a", "b", "c", "d"]
    assert data.edge_index.tolist() == [
        [0, 1, 2, 1, 2, 0, 0, 1, 2, 3],
        [1, 2, 0, 0, 1, 2, 0, 1, 2, 3],
    ]
    assert data.edge_type.tolist() == [1, 1, 1, 2, 2, 2, 0, 0, 0, 0]
    assert data.edge_length.tolist() == [400, 900, 650, 400, 900, 650, 0, 0, 0, 0]
    # Into b: itself, from a along the road of 400 m, from c against the road of 900 m.
    strength = [math.exp(-0.16), math.exp(-0.81), 1.0]
    expected = [value / sum(strength) for value in strength]
    assert data.edge_weight[[0, 4, 7]].tolist() == pytest.approx(expected, rel=1e-6)
    assert (
        names["model"].num_partitions
        == names["tgst"].transforms.DirectionPartition().num_partitions
    )
    assert names["forecast"].shape == (4, 32, 12, 1)
    # Each upstream detector is heard: its readings change the forecast, the lonely one's do not.
    model, readings = names["model"], names["readings"]
    for node, heard in ((0, True), (3, False)):
        other = readings.clone()
        other[node] += 1.0
        change = model(other, data.edge_index, data.edge_type, data.edge_weight)[1]
        assert torch.equal(change, names["forecast"][1]) is not heard


def test_another_network(names):
    model, readings = names["model"], names["readings"][:2]
    edge_index, label = torch.tensor([[0, 0, 1], [1, 0, 1]]), torch.tensor([1, 0, 0])
    assert model(readings, edge_index, label).shape == (2, 32, 12, 1)


def test_sampled_neighbourhoods(names):
    part, series, data = names["part"], names["traffic"].series, names["traffic"][0]
    assert (names["torch"].bincount(data.edge_index[1]) - 1).max() <= 8  # none is left out
    rows = part.start[0] + torch.arange(12)
    everywhere = names["both"](
        series.values[:, rows].unsqueeze(1), data.edge_index, data.edge_type, data.edge_weight
    )
    seeds = part.n_id[: part.batch_size]
    expected = everywhere[seeds, 0] - series.values[seeds][:, rows + 12]
    torch.testing.assert_close(names["error"][:, 0], expected.abs(), rtol=1e-3, atol=1e-3)


def test_skeleton(names):
    clip, model = names["clip"], names["recognise"].eval()
    assert names["logits"].shape == (3, 2)
    assert clip.x.shape == (150, 60, 3)
    assert names["labels"].num_partitions == 3
    # The released network has 3,098,832 parameters for 60 classes: 58 classes of 257 more, and an
    # importance for 18,750 entries in place of ten times 73 edges.
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == 3_098_832 - 58 * 257 - (18_750 - 730)
    # What is padded and masked changes nothing: the shortest clip alone gives the same.
    first = names["actions"][0]
    assert first.x.shape == (50, 40, 3)
    graph = (first.edge_index, first.edge_type, first.edge_weight)
    with torch.no_grad():
        alone = model(first.x, *graph, mask=first.mask, e_id=first.e_id)
        graph = (clip.edge_index, clip.edge_type, clip.edge_weight)
        together = model(clip.x, *graph, batch=clip.batch, mask=clip.mask, e_id=clip.e_id)
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


def test_benchmark(names):
    rows = {row["backend"]: row for row in names["table"].rows}
    assert {"embedding_bag", "dense", "torch_scatter", "reference"} <= set(rows)
    assert sum(row["auto"] for row in rows.values()) == 1
    assert all(row["training_ms"] > 0 for row in rows.values() if row["reason"] is None)
    assert str(names["table"]).count(" *") == 1


@pytest.mark.parametrize(("name", "last"), [("demo", "tgst demo"), ("tests", "pytest")])
def test_commands(name, last):
    # How .ci/run finds the second one.
    find = f"/<!-- command: {name} -->/,/^ *```$/s/^ *python3 /python3 /p"
    found = subprocess.run(
        ["sed", "-n", find, "README.md"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    steps = found.stdout.rstrip("\n").split(" && ")
    assert steps[:2] == ["python3 -m venv .venv", ". .venv/bin/activate"]
    assert steps[2] == "pip install -c constraints.txt torch"
    assert steps[3].startswith('pip install -c constraints.txt -e ".[')
    assert steps[4:] == [last]


def test_links():
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    local = [target for target in targets if "://" not in target]
    assert local
    assert [target for target in local if not (REPOSITORY / target).exists()] == []
