from __future__ import annotations

import json

import pytest
import torch

from benchmarks.threads import counts, main, on_threads, summed
from tgst.ops import Adjacency, sddmm, spmm


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_numbers_of_threads():
    assert counts(1) == [1]
    assert counts(2) == [1, 2]
    assert counts(6) == [1, 2, 4, 6]
    assert counts(8) == [1, 2, 4, 8]


def test_a_function_runs_on_its_threads(threads):
    calls = [on_threads(torch.get_num_threads, count) for count in (1, 2)]
    assert [call() for call in (*calls, *calls)] == [1, 2, 1, 2]


@pytest.mark.parametrize("index", [torch.int64, torch.int32])
def test_the_sum_is_that_of_the_graph(index):
    edge_index = torch.tensor([[0, 1, 2, 2], [1, 0, 0, 1]])
    out, grad_x, grad_weight = summed(edge_index, 3, 4, torch.float64, index, 7)()
    generator = torch.Generator().manual_seed(7)
    x, weight, g = (
        torch.randn(*size, generator=generator, dtype=torch.float64)
        for size in ((3, 4), (4,), (3, 4))
    )
    adjacency = Adjacency.build(edge_index, None, 3)
    torch.testing.assert_close(out, spmm(adjacency, x, weight, backend="reference"))
    torch.testing.assert_close(grad_weight, sddmm(adjacency, g, x, backend="reference"))
    back = Adjacency.build(edge_index.flip(0), None, 3)
    torch.testing.assert_close(grad_x, spmm(back, g, weight, backend="reference"))


def test_it_knows_no_other_device(tmp_path):
    with pytest.raises(SystemExit, match="--device: expected cpu, got meta"):
        main(["--quick", "--out", str(tmp_path), "--device", "meta"])


def test_quick_run(tmp_path, threads):
    torch.set_num_threads(2)
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "threads.json").read_text())
    assert [row["threads"] for row in record["rows"]] == [1, 2] * 5
    one, two = record["rows"][:2]
    assert one["speedup"] == 1
    assert two["speedup"] == pytest.approx(one["ms"] / two["ms"])
    types = {(row["dtype"], row["index"]) for row in record["types"]}
    assert len(types) == 8
    assert all(row["ms"] > 0 for row in record["types"])
    text = (tmp_path / "threads.md").read_text()
    assert "| bfloat16 | int32 |" in text
    assert "The sum with 50 nodes, 4 edges each and 16 features:" in text
    assert torch.get_num_threads() == 2
