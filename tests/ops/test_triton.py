"""Triton kernels: natively on CUDA, elsewhere in Triton's interpreter (see tests/conftest.py)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tgst.ops import Adjacency, sddmm, spmm
from tgst.ops import triton as module

from .graphs import Graph, dense_sddmm, dense_spmm, operands, random_graph

pytest.importorskip("triton")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if not module.is_available(DEVICE):
    pytest.skip("needs a CUDA device or TRITON_INTERPRET=1", allow_module_level=True)

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
# Relative error of the whole result. The interpreter cuts bfloat16 off instead of rounding.
TOLERANCE = {
    torch.float64: 1e-14,
    torch.float32: 1e-6,
    torch.bfloat16: 8e-3,
    torch.float16: 1e-3,
}


def hub_graph(num_edges: int = 900, num_nodes: int = 9) -> Graph:
    """Node 2 takes five of six edges and node 5 gives half; nodes 3 and 8 take none."""
    graph = random_graph(num_nodes, num_edges, num_partitions=2, seed=3)
    source, target = graph.edge_index
    target[(target == 3) | (target == 8)] = 1
    target[: num_edges * 5 // 6] = 2
    source[::2] = 5
    shuffled = torch.randperm(num_edges, generator=torch.Generator().manual_seed(4))
    return graph._replace(edge_index=graph.edge_index[:, shuffled])


def on_device(graph: Graph, index_dtype: torch.dtype = torch.int64) -> Adjacency:
    edge_index = graph.edge_index.to(DEVICE, index_dtype)
    return Adjacency.build(edge_index, graph.edge_type.to(DEVICE), *graph[2:])


def assert_near(found, wanted, dtype, rounds=1):
    error = (found.cpu().double() - wanted).norm() / wanted.norm().clamp(min=1e-30)
    assert error < rounds * TOLERANCE[dtype]


@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("width", [1, 3, 64, 100, 257])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_products_equal_float64(dtype, width, index_dtype):
    graph = random_graph(7, 40)
    adjacency = on_device(graph, index_dtype)
    x, weight, g = (t.to(DEVICE) for t in operands(graph, "target", (width,), dtype))
    exact = x.cpu().double(), weight.cpu().double(), g.cpu().double()
    out = spmm(adjacency, x, weight, fold="target", backend="triton")
    assert out.dtype == dtype
    assert_near(out, dense_spmm(graph, *exact[:2], "target"), dtype)
    dots = sddmm(adjacency, g, x, fold="target", backend="triton")
    assert dots.dtype == dtype
    assert_near(dots, dense_sddmm(graph, exact[2], exact[0], "target"), dtype)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fold", [None, "source"])
def test_gradients(fold, weighted):
    graph = random_graph(7, 40)
    adjacency = on_device(graph)
    x, weight, g = operands(graph, fold, (5,))
    leaves = (x.requires_grad_(), weight.requires_grad_())[: 1 + weighted]
    factors = weight if weighted else torch.ones_like(weight)
    wanted = torch.autograd.grad(dense_spmm(graph, x, factors, fold), leaves, g)
    moved = [leaf.detach().to(DEVICE).requires_grad_() for leaf in leaves]
    out = spmm(adjacency, *moved, fold=fold, backend="triton")
    for found, expected in zip(torch.autograd.grad(out, moved, g.to(DEVICE)), wanted, strict=True):
        assert_near(found, expected, torch.float64)


def test_gradcheck_and_gradgradcheck():
    graph = random_graph(3, 6, num_partitions=1)
    adjacency = on_device(graph)
    x, weight, g = (t.to(DEVICE).requires_grad_() for t in operands(graph, None, (2,)))
    for function, inputs in ((spmm, (x, weight)), (sddmm, (g, x))):

        def product(*inputs, function=function):
            return function(adjacency, *inputs, backend="triton")

        assert torch.autograd.gradcheck(product, inputs)
        assert torch.autograd.gradgradcheck(product, inputs)


def test_a_hub_beside_nodes_of_degree_one():
    # The interpreter takes a minute for a hub of a hundred thousand edges.
    hub, nodes = 100_000 if DEVICE == "cuda" else 4_000, 40
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(nodes, (hub + nodes - 1,), generator=generator)
    target = torch.cat([torch.zeros(hub, dtype=torch.long), torch.arange(1, nodes)])  # degree 1
    shuffled = torch.randperm(target.numel(), generator=generator)
    edge_index = torch.stack([source, target])[:, shuffled]
    adjacency = Adjacency.build(edge_index.to(DEVICE), num_nodes=nodes)
    x = torch.randn(nodes, 4, generator=generator).to(DEVICE)
    weight = torch.randn(target.numel(), generator=generator).to(DEVICE)
    out = spmm(adjacency, x, weight, backend="triton")
    wanted = torch.zeros(nodes, 4, dtype=torch.float64)
    messages = x.cpu().double()[edge_index[0]] * weight.cpu().double().unsqueeze(1)
    assert_near(out, wanted.index_add(0, edge_index[1], messages), torch.float32, rounds=4)
    assert torch.equal(out, spmm(adjacency, x, weight, backend="triton"))


@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("segment", [1, 7, 64, 256])
def test_hubs_and_empty_rows(segment, index_dtype, monkeypatch):
    # Wherever the segments begin and end, within the hub, at its borders or outside of it.
    monkeypatch.setattr(module, "_SEGMENT", segment)
    graph = hub_graph(900 if segment > 7 else 60)
    adjacency = on_device(graph, index_dtype)
    x, weight, g = (t.to(DEVICE) for t in operands(graph, None, (3,), torch.float32))
    out = spmm(adjacency, x, weight, backend="triton")
    exact = x.cpu().double(), weight.cpu().double()
    assert_near(out, dense_spmm(graph, *exact, None), torch.float32)
    assert torch.equal(out[[3, 8]], torch.zeros_like(out[:2]))
    leaf = x.clone().requires_grad_()
    spmm(adjacency, leaf, weight, backend="triton").backward(g)
    transposed = graph._replace(edge_index=graph.edge_index.flip(0))
    wanted = dense_spmm(transposed, g.cpu().double(), exact[1], None)
    assert_near(leaf.grad, wanted, torch.float32)


def test_only_long_rows_are_split(monkeypatch):
    monkeypatch.setattr(module, "_SEGMENT", 64)
    taken = _partial_sums(monkeypatch, hub_graph())
    # Node 2 has 750 edges in a row, hence 10 or 11 whole segments; no other node has 128.
    assert 10 <= int(taken.sum()) <= 11
    assert int(taken.int().diff().abs().sum()) <= 2  # side by side


def _partial_sums(monkeypatch, graph):
    """Which rows of the workspace were written."""
    workspaces = []
    kernels = module._kernels()
    original = kernels.sum_rows

    class Spy:
        def __getitem__(self, grid):
            def launch(out, partial, *rest, **options):
                workspaces.append(partial)
                return original[grid](out, partial, *rest, **options)

            return launch

    real_empty = torch.Tensor.new_empty

    def marked(self, size, dtype=None, **options):
        tensor = real_empty(self, size, dtype=dtype, **options)
        return tensor if dtype is None else tensor.fill_(torch.nan)  # the workspace names one

    monkeypatch.setattr(kernels, "sum_rows", Spy())
    monkeypatch.setattr(torch.Tensor, "new_empty", marked)
    x = torch.ones(graph.num_nodes, 4, device=DEVICE)
    out = spmm(on_device(graph), x, backend="triton")
    degree = torch.bincount(graph.edge_index[1], minlength=graph.num_nodes)
    assert sorted(degree.tolist())[-2] < 128
    assert torch.equal(out.cpu(), degree.float()[:, None].expand(-1, 4))
    return ~workspaces[0].isnan().any(1).cpu()


def test_equal_bits_in_every_run():
    graph = hub_graph(1200)
    adjacency = on_device(graph)
    for dtype in (torch.float32, torch.bfloat16):
        x, weight, g = (t.to(DEVICE) for t in operands(graph, None, (33,), dtype))
        first, second = (spmm(adjacency, x, weight, backend="triton") for _ in range(2))
        assert torch.equal(first, second)
        first, second = (sddmm(adjacency, g, x, backend="triton") for _ in range(2))
        assert torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_in_single_precision(dtype):
    # 4,096 equal addends: a running sum would stop at 256 in bfloat16, at 2,048 in float16.
    graph = random_graph(1, 4096, num_partitions=1)
    x = torch.ones(1, 2, dtype=dtype, device=DEVICE)
    out = spmm(on_device(graph), x, x.new_ones(4096), backend="triton")
    assert torch.equal(out, torch.full_like(out, 4096))
    wide = torch.ones(1, 4096, dtype=dtype, device=DEVICE)
    adjacency = on_device(random_graph(1, 2, num_partitions=1))
    dots = sddmm(adjacency, wide, wide, backend="triton")
    assert torch.equal(dots, torch.full_like(dots, 4096))


def test_any_strides():
    graph = random_graph(6, 17)
    adjacency = on_device(graph)
    x, weight, g = (t.to(DEVICE) for t in operands(graph, None, (6,)))
    wanted = dense_spmm(graph, x.cpu(), weight.cpu(), None)
    strided = torch.stack([weight, weight], 1)[:, 0]
    for view in (torch.cat([x, x], 1)[:, :6], x.t().contiguous().t()):
        assert_near(spmm(adjacency, view, strided, backend="triton"), wanted, torch.float64)
    row = x[:1].expand_as(x)
    dots = sddmm(adjacency, g, row, backend="triton")
    assert_near(dots, dense_sddmm(graph, g.cpu(), row.cpu(), None), torch.float64)


@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
def test_addresses_beyond_two_to_the_31(index_dtype):
    if DEVICE == "cuda":
        pytest.skip("the strided memory lies on CPU; see the test at full size")
    # Three rows, 2^30 numbers apart: 4 GB of address space, of which three pages are touched.
    rows, width = 3, 2
    try:
        memory = torch.empty((rows - 1) * 2**30 + width + 2**10, dtype=torch.float16)
    except RuntimeError:
        pytest.skip("needs 4 GB of address space")
    x = memory.as_strided((rows, width), (2**30 + 2**9, 1))
    x.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    edge_index = torch.tensor([[2, 1, 2], [0, 0, 2]], dtype=index_dtype)
    adjacency = Adjacency.build(edge_index, num_nodes=rows)
    out = spmm(adjacency, x, backend="triton")
    assert out.tolist() == [[8.0, 10.0], [0.0, 0.0], [5.0, 6.0]]
    dots = sddmm(adjacency, x, x, backend="triton")
    assert dots.tolist() == [17.0, 11.0, 61.0]


@needs_cuda
@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
def test_more_than_two_to_the_31_elements(index_dtype):
    rows, width = 2**22 + 5, 520  # 2.18e9 elements, 4.4 GB each in half precision
    if torch.cuda.mem_get_info()[0] < 20 * 2**30:
        pytest.skip("needs 20 GB of device memory")
    x = torch.empty(rows, width, dtype=torch.float16, device="cuda")
    x.copy_(torch.arange(rows, device="cuda").remainder(64)[:, None].half())
    node = torch.arange(rows, device="cuda", dtype=index_dtype)
    adjacency = Adjacency.build(torch.stack([node.flip(0), node]), num_nodes=rows)
    out = spmm(adjacency, x, backend="triton")
    assert torch.equal(out, x.flip(0))
    dots = sddmm(adjacency, out, x, backend="triton")
    assert torch.equal(dots, (x[:, 0].float().flip(0).square() * width).half())


@needs_cuda
def test_cuda_graph():
    graph = hub_graph(2000)
    adjacency = on_device(graph)
    x, weight, _ = (t.cuda() for t in operands(graph, None, (64,), torch.float32))
    spmm(adjacency, x, weight, backend="triton")  # compiles
    capture = torch.cuda.CUDAGraph()
    with torch.cuda.graph(capture):
        out = spmm(adjacency, x, weight, backend="triton")
    x.mul_(2)
    capture.replay()
    assert torch.equal(out, spmm(adjacency, x, weight, backend="triton"))


@st.composite
def cases(draw):
    nodes, width = draw(st.integers(1, 6)), draw(st.sampled_from([1, 2, 17, 33]))
    graph = random_graph(nodes, draw(st.integers(0, 60)), 2, seed=draw(st.integers(0, 99)))
    return graph, width, draw(st.sampled_from([None, "source", "target"]))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    case=cases(),
    dtype=st.sampled_from(list(TOLERANCE)),
    index_dtype=st.sampled_from([torch.int32, torch.int64]),
    segment=st.sampled_from([2, 5, 256]),
)
def test_random_graphs(case, dtype, index_dtype, segment):
    graph, width, fold = case
    adjacency = on_device(graph, index_dtype)
    x, weight, g = (t.to(DEVICE) for t in operands(graph, fold, (width,), dtype))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SEGMENT", segment)
        out = spmm(adjacency, x, weight, fold=fold, backend="triton")
    dots = sddmm(adjacency, g, x, fold=fold, backend="triton")
    x, weight, g = (t.cpu().double() for t in (x, weight, g))
    scale = dense_spmm(graph, x.abs(), weight.abs(), fold)  # cancellation is no error
    error = (out.cpu().double() - dense_spmm(graph, x, weight, fold)).abs()
    assert bool((error <= TOLERANCE[dtype] * scale).all())
    scale = dense_sddmm(graph, g.abs(), x.abs(), fold)
    error = (dots.cpu().double() - dense_sddmm(graph, g, x, fold)).abs()
    assert bool((error <= TOLERANCE[dtype] * scale).all())


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiles(backend):
    torch._dynamo.reset()
    graph = random_graph(5, 12)
    adjacency = on_device(graph)
    x, weight, _ = (t.to(DEVICE) for t in operands(graph, "target", (4,)))

    @torch.compile(fullgraph=True, backend=backend)
    def product(x, weight):
        return 2 * spmm(adjacency, x, weight, fold="target", backend="triton")

    wanted = 2 * dense_spmm(graph, x.cpu(), weight.cpu(), "target")
    assert_near(product(x, weight), wanted, torch.float64)


NATIVE = """
import re
import torch
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tgst.ops import triton as module, triton_kernels as kernels

def ptx(kernel, dtypes, constants, num_warps):
    names = [name for name in kernel.arg_names if name not in constants]
    signature = dict(zip(names, dtypes, strict=True)) | dict.fromkeys(constants, "constexpr")
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    target = GPUTarget("cuda", 90, 32)
    return triton.compile(source, target=target, options={"num_warps": num_warps}).asm["ptx"]

for name in ("fp32", "bf16", "fp16", "fp64"):
    dtype = getattr(torch, name.replace("fp", "float").replace("bf", "bfloat"))
    for index in ("*i32", "*i64"):
        x, wide = "*" + name, "*fp64" if name == "fp64" else "*fp32"
        total = module._triton_dtype(module._total_dtype(dtype))
        rows, dots = module._row_blocks(768, dtype), module._dot_blocks(768)
        warps, rows["WEIGHTED"], rows["SEGMENT"] = rows.pop("num_warps"), True, 256
        texts = [
            ptx(kernels.sum_segments, [wide, x, "i64", x, *[index] * 4, "i32", "i32"], rows, warps),
            ptx(kernels.sum_rows, [x, wide, x, "i64", x, *[index] * 3, "i32", "i32"],
                rows | {"SPLIT": True, "TOTAL": total}, warps),
        ]
        warps = dots.pop("num_warps")
        texts.append(ptx(kernels.dot_edges, [x, x, "i64", x, "i64", *[index] * 3, "i32", "i32"],
                         dots | {"TOTAL": total}, warps))
        for text in texts:
            assert ".target sm_90" in text
            assert not re.search(r"\\b(atom|red)\\.", text)
"""


def test_native_code_has_no_atomics(tmp_path):
    """Triton compiles for a GPU that is not there; one process, free of the interpreter."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    script = tmp_path / "native.py"
    script.write_text(NATIVE)
    subprocess.run([sys.executable, str(script)], check=True, env=environment)


REFUSED = """
import torch
from tgst.ops import Adjacency, spmm
try:
    spmm(Adjacency.build(torch.tensor([[0], [1]])), torch.ones(2, 1), backend="triton")
except ValueError as error:
    print(error)
"""


def test_a_cpu_tensor_is_refused_without_the_interpreter():
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    result = subprocess.run(
        [sys.executable, "-c", REFUSED], check=True, env=environment, capture_output=True, text=True
    )
    assert result.stdout.startswith("backend: 'triton' expected tensors on a CUDA device")
    assert "got cpu" in result.stdout
    assert "TRITON_INTERPRET=1" in result.stdout
