from __future__ import annotations

import pytest
import torch

from tgst.ops import edge_dot as module
from tgst.ops.edge_dot import edge_dot
from tgst.ops.measure import peak_extra_bytes

from .graphs import dense_sddmm, operands, random_graph


@pytest.mark.parametrize("elements", [1, 7, 64, 10**6])
def test_chunks_of_any_size(elements, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", elements)
    graph = random_graph(6, 17)
    x, _, g = operands(graph, None, (5,))
    source, target = graph.edge_index
    torch.testing.assert_close(edge_dot(g, x, source, target), dense_sddmm(graph, g, x, None))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_in_single_precision(dtype):
    g = torch.ones(1, 3000, dtype=dtype)
    zero = torch.zeros(1, dtype=torch.long)
    out = edge_dot(g, g, zero, zero)
    assert out.dtype == dtype
    assert torch.equal(out, torch.tensor([3000.0]).to(dtype))


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK_ELEMENTS", 1 << 12)
    graph = random_graph(20, 2000)
    x, _, g = operands(graph, None, (64,), torch.float32)
    source, target = graph.edge_index
    peak = peak_extra_bytes(lambda: edge_dot(g, x, source, target), torch.device("cpu"))
    assert peak < 2000 * 64 * 4 / 4
