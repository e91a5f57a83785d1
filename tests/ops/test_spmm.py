from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tgst.ops import sddmm, spmm
from tgst.ops.measure import peak_extra_bytes

from .graphs import BACKENDS, FOLDS, GRAPHS, dense_sddmm, dense_spmm, operands, random_graph

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(params=BACKENDS)
def backend(request):
    if request.param == "torch_scatter":
        pytest.importorskip("torch_scatter")
    return request.param


def gradients(function, inputs, g):
    leaves = [t.detach().clone().requires_grad_() for t in inputs]
    return torch.autograd.grad(function(*leaves), leaves, g)


@pytest.mark.parametrize("shape", [(2, 3), (), (1,)])
@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_spmm_equals_the_dense_product(name, fold, shape, backend):
    graph = GRAPHS[name]
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, fold, shape)

    def product(x, weight):
        return spmm(adjacency, x, weight, fold=fold, backend=backend)

    def expected(x, weight):
        return dense_spmm(graph, x, weight, fold)

    torch.testing.assert_close(product(x, weight), expected(x, weight))
    found, wanted = gradients(product, (x, weight), g), gradients(expected, (x, weight), g)
    torch.testing.assert_close(found, wanted)
    ones = torch.ones_like(weight)
    torch.testing.assert_close(product(x, None), expected(x, ones))
    torch.testing.assert_close(
        gradients(lambda x: product(x, None), (x,), g), gradients(expected, (x, ones), g)[:1]
    )


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_sddmm_equals_the_dense_product(name, fold, backend):
    graph = GRAPHS[name]
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, fold)

    def product(g, x):
        return sddmm(adjacency, g, x, fold=fold, backend=backend)

    def expected(g, x):
        return dense_sddmm(graph, g, x, fold)

    torch.testing.assert_close(product(g, x), expected(g, x))
    found, wanted = gradients(product, (g, x), weight), gradients(expected, (g, x), weight)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("fold", FOLDS)
def test_gradcheck_and_gradgradcheck(fold, backend):
    graph = GRAPHS["unsorted"]
    adjacency = graph.adjacency()
    x, weight, g = (t.requires_grad_() for t in operands(graph, fold, (2,)))

    def product(x, weight):
        return spmm(adjacency, x, weight, fold=fold, backend=backend)

    def dots(g, x):
        return sddmm(adjacency, g, x, fold=fold, backend=backend)

    for function, inputs in ((product, (x, weight)), (dots, (g, x))):
        assert torch.autograd.gradcheck(function, inputs, check_batched_grad=True)
        assert torch.autograd.gradgradcheck(function, inputs)
    assert torch.autograd.gradcheck(lambda x: product(x, None), (x,))


def test_auto_is_one_of_the_backends():
    for graph in (random_graph(4, 30), random_graph(40, 60)):
        x, weight, g = operands(graph, "target")
        adjacency = graph.adjacency()
        torch.testing.assert_close(
            spmm(adjacency, x, weight, fold="target"), dense_spmm(graph, x, weight, "target")
        )
        torch.testing.assert_close(
            sddmm(adjacency, g, x, fold="target"), dense_sddmm(graph, g, x, "target")
        )


def test_features_without_elements(backend):
    graph = GRAPHS["unsorted"]
    for dtype in (torch.float32, torch.float64):
        x, weight, _ = operands(graph, None, (0, 3), dtype)
        x.requires_grad_()
        weight.requires_grad_()
        out = spmm(graph.adjacency(), x, weight, backend=backend)
        assert out.shape == (6, 0, 3)
        out.sum().backward()
        assert torch.equal(weight.grad, torch.zeros(17, dtype=dtype))


def test_any_strides(backend):
    graph = GRAPHS["unsorted"]
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, None, (4, 6))
    expected = dense_spmm(graph, x, weight, None)
    strided_weight = torch.stack([weight, weight], 1)[:, 0]
    for view in (
        x.transpose(1, 2).contiguous().transpose(1, 2),
        x.permute(1, 2, 0).contiguous().permute(2, 0, 1),
        torch.cat([x, x], 2)[:, :, :6],
    ):
        torch.testing.assert_close(spmm(adjacency, view, strided_weight, backend=backend), expected)
    row = x[:1].expand_as(x)
    torch.testing.assert_close(
        sddmm(adjacency, g, row, backend=backend), dense_sddmm(graph, g, row, None)
    )
    leaf = weight.clone().requires_grad_()
    spmm(adjacency, x, leaf, backend=backend).sum().backward()  # a gradient of stride 0
    torch.testing.assert_close(leaf.grad, dense_sddmm(graph, torch.ones_like(x), x, None))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 8e-3), (torch.float16, 1e-3)])
def test_half_precision(dtype, tolerance, backend):
    graph = random_graph(30, 400)
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, "target", (64,), dtype)
    product = spmm(adjacency, x, weight, fold="target", backend=backend)
    dots = sddmm(adjacency, g, x, fold="target", backend=backend)
    assert product.dtype == dots.dtype == dtype
    for found, wanted in (
        (product, dense_spmm(graph, x, weight, "target")),
        (dots, dense_sddmm(graph, g, x, "target")),
    ):
        error = (found.double() - wanted).norm() / wanted.norm()
        assert error < tolerance


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("name", ["auto", *BACKENDS])
def test_sums_in_single_precision(name, index_dtype, dtype, weighted):
    if name == "torch_scatter":
        pytest.importorskip("torch_scatter")
    # 4,096 equal addends: a running sum would stop at 256 in bfloat16, at 2,048 in float16.
    graph = random_graph(1, 4096, num_partitions=1)
    graph = graph._replace(edge_index=graph.edge_index.to(index_dtype))
    x, weight = torch.ones(1, 8, dtype=dtype), torch.ones(4096, dtype=dtype)
    out = spmm(graph.adjacency(), x, weight if weighted else None, backend=name)
    assert torch.equal(out, torch.full_like(out, 4096))


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_autocast_casts_the_weight(kind, backend):
    graph = GRAPHS["unsorted"]
    adjacency = graph.adjacency()
    dtype = getattr(torch, kind)
    x, _, g = operands(graph, None, (4,), dtype)
    weight = operands(graph, None)[1].float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = spmm(adjacency, x, weight, backend=backend)
        dots = sddmm(adjacency, g, x.float(), backend=backend)
    assert out.dtype == dots.dtype == dtype
    out.backward(g)
    assert weight.grad.dtype == torch.float32
    rtol, atol = (2e-2, 5e-2) if kind == "bfloat16" else (1e-5, 1e-5)
    expected = dense_spmm(graph, x, weight.detach(), None)
    torch.testing.assert_close(out.double(), expected, rtol=rtol, atol=atol)
    expected = dense_sddmm(graph, g, x, None)
    for found in (weight.grad, dots):
        torch.testing.assert_close(found.double(), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("fold", FOLDS)
def test_only_the_needed_operand_is_saved(fold, backend):
    graph = random_graph(8, 40)
    adjacency = graph.adjacency()

    def saved(x_grad, weight_grad):
        x, weight, _ = operands(graph, fold, (5,))
        sizes = []

        def pack(tensor):
            if tensor.is_floating_point():
                sizes.append(tuple(tensor.shape))
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            spmm(
                adjacency,
                x.requires_grad_(x_grad),
                weight.requires_grad_(weight_grad),
                fold=fold,
                backend=backend,
            )
        return sorted(sizes)

    rows = graph.rows(fold, "source")
    assert saved(True, True) == sorted([(rows, 5), (40,)])  # nothing of E x F
    assert saved(True, False) == [(40,)]
    assert saved(False, True) == [(rows, 5)]


@pytest.mark.parametrize("backend_name", ["embedding_bag", "reference"])
def test_peak_memory(backend_name):
    graph = random_graph(50, 4000, num_partitions=1)
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, None, (128,), torch.float32)
    x.requires_grad_()
    weight.requires_grad_()

    def step():
        out = spmm(adjacency, x, weight, backend=backend_name)
        return out, *torch.autograd.grad(out, (x, weight), g)

    messages = 4000 * 128 * 4
    peak = peak_extra_bytes(step, torch.device("cpu"))
    if backend_name == "embedding_bag":
        assert peak < messages / 10
    else:
        assert peak > messages  # the measure sees what the formula allocates


@pytest.mark.parametrize("name", ["auto", "embedding_bag", "sparse_csr"])
def test_less_than_a_twentieth_of_the_messages(name):
    graph = random_graph(500, 2000, num_partitions=1)
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, None, (768,), torch.float32)
    x.requires_grad_()
    weight.requires_grad_()

    def step():
        out = spmm(adjacency, x, weight, backend=name)
        return out, *torch.autograd.grad(out, (x, weight), g)

    assert peak_extra_bytes(step, torch.device("cpu")) < 2000 * 768 * 4 / 20


@needs_cuda
@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", ["auto", "triton", *BACKENDS])
def test_cuda_equals_cpu(name, fold, index_dtype):
    if name in ("triton", "torch_scatter"):
        pytest.importorskip(name)
    graph = random_graph(30, 200)
    x, weight, g = operands(graph, fold, (16,), torch.float32)
    adjacency = graph.adjacency()
    on_device = type(adjacency)(*(field.to("cuda", index_dtype) for field in adjacency))

    def run(adjacency, backend, *tensors):
        return gradients(
            lambda x, w: spmm(adjacency, x, w, fold=fold, backend=backend), tensors[:2], tensors[2]
        )

    found = run(on_device, name, x.cuda(), weight.cuda(), g.cuda())
    for left, right in zip(found, run(adjacency, "reference", x, weight, g), strict=True):
        torch.testing.assert_close(left.cpu(), right, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_more_edges_than_pairs_and_hubs(dtype, index_dtype, backend):
    # 500 parallel edges among 4 nodes, most of them into one; node 3 takes none.
    graph = random_graph(4, 500, num_partitions=1)
    graph.edge_index[1, graph.edge_index[1] == 3] = 0
    adjacency = graph._replace(edge_index=graph.edge_index.to(index_dtype)).adjacency()
    x, weight, g = operands(graph, None, (5,), dtype)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 1.6e-2}[dtype]
    out = spmm(adjacency, x, weight, backend=backend)
    wanted = dense_spmm(graph, x, weight, None)
    assert (out.double() - wanted).norm() < tolerance * wanted.norm()
    assert torch.equal(out[3], torch.zeros(5, dtype=dtype))
    dots, wanted = sddmm(adjacency, g, x, backend=backend), dense_sddmm(graph, g, x, None)
    assert (dots.double() - wanted).norm() < tolerance * wanted.norm()


def test_no_warning_of_torch_leaks():
    script = (
        "import torch; from tgst.ops import Adjacency, spmm; "
        "import warnings; warnings.simplefilter('error'); "
        "adjacency = Adjacency.build(torch.tensor([[0, 1, 1], [1, 0, 1]])); "
        "weight = torch.ones(3, requires_grad=True); "
        "[spmm(adjacency, torch.ones(2, 5), weight, backend=name).sum().backward() "
        "for name in ('sparse_csr', 'embedding_bag')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


X, WEIGHT, G = operands(GRAPHS["unsorted"], None)


@pytest.mark.parametrize(
    ("x", "weight", "options", "error", "message"),
    [
        (X.tolist(), None, {}, TypeError, "x: expected a Tensor, got list"),
        (X.to_sparse(), None, {}, ValueError, "x: expected a strided .* torch.sparse_coo"),
        (X.long(), None, {}, TypeError, "x: expected a floating-point dtype, got torch.int64"),
        (X[:5], None, {}, ValueError, r"x: expected shape \[6, \*\] .* got \[5, 2, 3\]"),
        (X[0, 0, 0], None, {}, ValueError, r"x: expected shape \[6, \*\] .* got \[\]"),
        (X, None, {"fold": "source"}, ValueError, r"x: expected shape \[18, \*\] .* 3 partitions"),
        (X.to("meta"), None, {}, ValueError, "x: expected device cpu as the graph, got meta"),
        (X, WEIGHT.tolist(), {}, TypeError, "weight: expected a Tensor or None, got list"),
        (X, WEIGHT.to_sparse(), {}, ValueError, "weight: expected a strided"),
        (X, WEIGHT[:16], {}, ValueError, r"weight: expected shape \[17\] .* got \[16\]"),
        (X, WEIGHT[:, None], {}, ValueError, r"weight: expected shape \[17\] .* got \[17, 1\]"),
        (X, WEIGHT.to("meta"), {}, ValueError, "weight: expected device cpu as x, got meta"),
        (X, WEIGHT.float(), {}, TypeError, "weight: expected dtype torch.float64 as x, got .*32"),
        (X, WEIGHT.long(), {}, TypeError, "weight: expected dtype torch.float64 as x, got .*64"),
        (X, None, {"fold": "both"}, ValueError, "fold: expected None, 'source' or 'target', got"),
        (X, None, {"backend": "csr"}, ValueError, r"backend: expected one of \['auto', .* 'csr'"),
        (X, None, {"backend": None}, ValueError, "backend: expected one of .*, got None"),
    ],
)
def test_spmm_errors(x, weight, options, error, message):
    with pytest.raises(error, match=message):
        spmm(GRAPHS["unsorted"].adjacency(), x, weight, **options)


def test_the_adjacency_must_be_one():
    with pytest.raises(TypeError, match=r"adjacency: expected an Adjacency .* got Tensor"):
        spmm(GRAPHS["unsorted"].edge_index, X)


@pytest.mark.parametrize(
    ("g", "x", "options", "error", "message"),
    [
        (G[:5], X, {}, ValueError, r"g: expected shape \[6, \*\] .* got \[5, 2, 3\]"),
        (G, X, {"fold": "target"}, ValueError, r"g: expected shape \[18, \*\]"),
        (G, X[:5], {}, ValueError, r"x: expected shape \[6, \*\] .* got \[5, 2, 3\]"),
        (G, X.flatten(1), {}, ValueError, r"x: .* g after the first, \[2, 3\], got \[6\]"),
        (G, X.float(), {}, TypeError, "x: expected dtype torch.float64 as g, got torch.float32"),
        (G, X, {"backend": "csr"}, ValueError, "backend: expected one of"),
    ],
)
def test_sddmm_errors(g, x, options, error, message):
    with pytest.raises(error, match=message):
        sddmm(GRAPHS["unsorted"].adjacency(), g, x, **options)
