from __future__ import annotations

import re

import pytest
import torch

from tgst.ops import Adjacency, choose, explain_choice, spmm
from tgst.ops.backends import BACKENDS
from tgst.ops.choose import (
    DENSE_BYTES,
    DENSE_NUMBERS_PER_EDGE,
    LEFT_OUT,
    choose_backend,
    estimates,
    work,
)
from tgst.ops.dispatch_table import COSTS, MEASURED_ON

from .graphs import GRAPHS, operands, random_graph

CPU = torch.device("cpu")
PRODUCTS = ("spmm", "sddmm")
KINDS = ("float32", "float64", "half")

# Costs made up so that every candidate wins somewhere.
MADE_UP = {
    "spmm": {
        "embedding_bag": {"call": 1000.0, "edge": 1.0, "gathered_byte": 0.1},
        "sparse_csr": {"call": 50_000.0, "edge": 1.0, "gathered_byte": 0.05},
        "dense": {"call": 1000.0, "pair": 1.0, "multiplication": 0.01},
    },
    "sddmm": {"embedding_bag": {"gathered_byte": 1.0}, "dense": {"call": 1e6}},
}


@pytest.fixture
def made_up(monkeypatch):
    clear = choose._choose.cache_clear
    monkeypatch.setattr(choose, "COSTS", {"cpu": {"float32": MADE_UP}})
    clear()
    yield
    clear()


def test_the_table_knows_every_backend():
    assert set(COSTS) >= {"cpu"}
    for device, kinds in COSTS.items():
        assert device in MEASURED_ON
        assert set(kinds) == set(KINDS)
        for kind in KINDS:
            assert set(kinds[kind]) == set(PRODUCTS)
            assert set(kinds[kind]["spmm"]) | (set(LEFT_OUT) - {"triton"}) >= set(BACKENDS) - {
                "triton" if device == "cpu" else ""
            }
            # The dot products of sparse_csr are those of embedding_bag.
            assert set(kinds[kind]["sddmm"]) >= {"embedding_bag", "dense"}
            for product in PRODUCTS:
                assert set(kinds[kind][product]) <= set(BACKENDS)


def test_costs_are_positive_and_of_known_kinds():
    known = set(work(1, 1, 1, 1, 4, "spmm"))
    for kinds in COSTS.values():
        for products in kinds.values():
            for backends in products.values():
                for costs in backends.values():
                    assert costs
                    assert set(costs) <= known
                    assert all(cost > 0 for cost in costs.values())


def test_cuda_is_said_to_be_unmeasured():
    assert ("cuda" in COSTS) is (not MEASURED_ON["cuda"].startswith("not measured"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("product", PRODUCTS)
def test_known_regimes_on_cpu(dtype, product):
    def chosen(*sizes, width):
        return choose_backend(*sizes, CPU, width=width, dtype=dtype, product=product)

    # A wide product of all pairs is what a matrix product is for.
    assert chosen(64, 64, 4096, width=12_288) == "dense"
    # Networks of roads are not.
    assert chosen(200_000, 200_000, 600_000, width=64) in ("embedding_bag", "sparse_csr")
    assert chosen(2_000, 2_000, 16_000, width=768) in ("embedding_bag", "sparse_csr")


def test_the_least_estimate_is_chosen(made_up):
    # A few edges: the smallest fixed cost. Many: the smallest cost per byte. All pairs: the matrix.
    assert choose_backend(100, 100, 300, CPU, width=4) == "embedding_bag"
    assert choose_backend(9000, 9000, 90_000, CPU, width=64) == "sparse_csr"
    assert choose_backend(100, 100, 10_000, CPU, width=64) == "dense"
    assert choose_backend(100, 100, 10_000, CPU, width=64, product="sddmm") == "dense"
    assert choose_backend(100, 100, 10_000, CPU, width=1, product="sddmm") == "embedding_bag"
    for edges in (300, 3000, 10_000):
        for width in (1, 16, 300):
            times = estimates(100, 100, edges, CPU, width=width)
            chosen = choose_backend(100, 100, edges, CPU, width=width)
            assert times[chosen] == min(times.values())
            bag = 1000 + edges + 0.1 * edges * width * 4
            assert times["embedding_bag"] == pytest.approx(bag / 1e6)


def test_work_of_blocks_of_columns():
    # 4,096 rows of 4 bytes: blocks of 128 columns, which are 2 MiB.
    found = work(4_096, 4_096, 50_000, 300, 4, "spmm", "column_blocks")
    assert found["call"] == 3
    assert found["edge"] == 3 * 50_000
    assert found["gathered_byte"] == 50_000 * 300 * 4
    share = 1 / (1 + (56 / 2) ** 2)
    assert found["far_byte"] == pytest.approx(found["gathered_byte"] * share)
    assert found["copied_byte"] == 2 * 4_096 * 300 * 4
    dots = work(4_096, 4_096, 50_000, 300, 4, "sddmm", "column_blocks")
    assert dots["gathered_byte"] == 2 * found["gathered_byte"]
    assert dots["far_byte"] == pytest.approx(dots["gathered_byte"] / (1 + (56 / 4) ** 2))
    assert dots["copied_byte"] == 2 * 4_096 * 300 * 4
    whole = work(4_096, 4_096, 50_000, 300, 4, "spmm", "embedding_bag")
    assert (whole["call"], whole["edge"], whole["copied_byte"]) == (1, 50_000, 0)
    features = 4_096 * 300 * 4 / 2**20
    assert whole["far_byte"] == pytest.approx(whole["gathered_byte"] / (1 + (56 / features) ** 2))


def test_features_beyond_the_cache_go_in_blocks_if_they_are_read_often():
    def chosen(degree, width, product):
        sizes = (2_000, 2_000, 2_000 * degree, CPU)
        return choose_backend(*sizes, width=width, product=product)

    for product in PRODUCTS:
        assert chosen(24, 12_288, product) == "column_blocks"
        assert chosen(3, 12_288, product) == "embedding_bag"
        assert chosen(24, 768, product) == "embedding_bag"


def test_what_costs_more_is_estimated_to_take_longer():
    for product in PRODUCTS:
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            at = {"width": 64, "dtype": dtype, "product": product}
            few, many = (estimates(50, 50, edges, CPU, **at) for edges in (800, 2000))
            wide = estimates(50, 50, 800, CPU, **{**at, "width": 640})
            assert few
            assert all(few[name] < many[name] for name in few if name != "dense")
            assert all(few[name] < wide[name] for name in few)


def test_a_large_matrix_is_never_chosen(monkeypatch):
    free = {"call": 1.0, "edge": 1000.0}, {"call": 1.0}
    costs = {
        product: dict(zip(("embedding_bag", "dense"), free, strict=True)) for product in PRODUCTS
    }
    monkeypatch.setattr(choose, "COSTS", {"cpu": {"float32": costs}})
    choose._choose.cache_clear()
    few = 100 * 100 // DENSE_NUMBERS_PER_EDGE
    assert choose_backend(100, 100, few, CPU) == "dense"
    assert choose_backend(100, 100, few - 1, CPU) == "embedding_bag"
    rows = int((DENSE_BYTES / 4) ** 0.5)
    assert choose_backend(rows, rows, rows * rows, CPU) == "dense"
    assert choose_backend(rows + 1, rows, rows * (rows + 1), CPU) == "embedding_bag"
    choose._choose.cache_clear()


def test_other_devices(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(choose, "_usable", lambda name: True)
    choose._choose.cache_clear()
    assert choose_backend(10, 10, 100, cuda) == "triton"
    monkeypatch.setattr(choose, "_usable", lambda name: name != "triton")
    choose._choose.cache_clear()
    assert choose_backend(10, 10, 100, cuda) == "embedding_bag"
    choose._choose.cache_clear()
    assert choose_backend(10, 10, 100, torch.device("mps")) == "reference"


def test_an_old_gpu_is_not_for_triton(monkeypatch):
    pytest.importorskip("triton")
    choose._choose.cache_clear()
    for is_new, expected in ((True, "triton"), (False, "embedding_bag")):
        choose._usable.cache_clear()
        monkeypatch.setattr(choose.triton, "is_new_enough", lambda is_new=is_new: is_new)
        assert choose_backend(10, 10, 100, torch.device("cuda")) == expected
        choose._choose.cache_clear()
    choose._usable.cache_clear()


def test_what_cannot_be_imported_is_not_chosen(made_up, monkeypatch):
    monkeypatch.setattr(choose, "_usable", lambda name: name != "sparse_csr")
    choose._choose.cache_clear()
    assert choose_backend(9000, 9000, 90_000, CPU, width=64) == "embedding_bag"


def test_all_devices_of_a_table_have_one_for_every_dtype():
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        assert estimates(10, 10, 20, CPU, dtype=dtype)
    assert choose_backend(10, 10, 20, CPU, dtype=torch.float8_e4m3fn) == "embedding_bag"


def test_compiled_code_chooses_at_each_run_and_compiles_once(made_up, monkeypatch):
    asked = []
    known = choose._choose

    def watched(*arguments):
        asked.append(known(*arguments))
        return asked[-1]

    monkeypatch.setattr(choose, "_choose", watched)
    compilations = []

    def count(graph, _):
        compilations.append(1)
        return graph.forward

    compiled = torch.compile(spmm, fullgraph=True, dynamic=True, backend=count)
    for num_nodes, num_edges in ((12, 30), (13, 13 * 13), (14, 40)):
        graph = random_graph(num_nodes, num_edges, num_partitions=1)
        x, weight, _ = operands(graph, None, (16,), torch.float32)
        expected = spmm(graph.adjacency(), x, weight, backend="reference")
        torch.testing.assert_close(compiled(graph.adjacency(), x, weight), expected)
    assert len(compilations) == 1
    assert asked == ["embedding_bag", "dense", "embedding_bag"]
    torch._dynamo.reset()


def test_each_gradient_is_chosen_for_itself(made_up, monkeypatch):
    asked = []
    known = choose._choose

    def watched(*arguments):
        asked.append((arguments[:2], arguments[-1], known(*arguments)))
        return asked[-1][-1]

    monkeypatch.setattr(choose, "_choose", watched)
    graph = random_graph(5, 20, num_partitions=3)
    x, weight, g = operands(graph, "target", (4,), torch.float32)
    out = spmm(graph.adjacency(), x.requires_grad_(), weight.requires_grad_(), fold="target")
    out.backward(g)
    assert [(rows, product) for rows, product, _ in asked] == [
        ((15, 5), "spmm"),
        ((5, 15), "spmm"),
        ((15, 5), "sddmm"),
    ]


def test_explanation_names_the_choice_and_all_estimates(made_up):
    graph = random_graph(40, 200, num_partitions=1)
    text = explain_choice(graph.adjacency(), torch.zeros(40, 2, 3))
    first, *lines = text.splitlines()
    assert first == (
        "embedding_bag: 200 edges among 40 x 40 pairs of rows (12.50%), 6 features, float32 on cpu"
    )
    # 1000 + 200 + 0.1 * 200 * 24 = 1680 ns, and so on; the dense matrix has 8 numbers per edge.
    assert lines[0] == "  sum: embedding_bag 0.00168 ms, sparse_csr 0.0504 ms"
    assert lines[1] == lines[0].replace("sum", "gradient of x")
    assert lines[2].startswith("  gradient of weight: embedding_bag ")
    assert "  not a candidate: triton (runs on CUDA)" in lines
    assert "  not a candidate: torch_scatter, reference (holds a row per edge)" in lines
    assert any(line.startswith("  not a candidate: dense (more than 4 numbers") for line in lines)
    assert any(line.startswith("  not a candidate: column_blocks (one block") for line in lines)
    assert lines[-1] == f"  estimated from costs measured on {MEASURED_ON['cpu']}"
    forward = explain_choice(graph.adjacency(), torch.zeros(40, 6), requires_grad=False)
    assert "gradient" not in forward


@pytest.mark.parametrize(
    ("graph", "fold", "expected"),
    [
        (random_graph(4, 8), None, ".*: 8 edges among 4 x 4 pairs of rows \\(50.00%\\)"),
        (random_graph(4, 8), "target", ".*: 8 edges among 12 x 4 .* \\(16.67%\\)"),
        (random_graph(4, 8), "source", ".*: 8 edges among 4 x 12 .* \\(16.67%\\)"),
        (GRAPHS["no_nodes"], None, ".*: 0 edges"),
    ],
)
def test_explanation_of_folded_rows(graph, fold, expected):
    x, _, _ = operands(graph, fold)
    text = explain_choice(graph.adjacency(), x, fold=fold)
    assert re.match(expected, text)
    assert text.split(":")[0] in BACKENDS


def test_explanation_says_of_what_there_are_blocks():
    # Features of 500 rows, sums of 1,500: the columns fit into one block of the former alone.
    graph = random_graph(500, 4_000)
    text = explain_choice(graph.adjacency(), torch.empty(500, 300), fold="target")
    whole = "not a candidate: column_blocks for the sum (one block has all columns"
    assert whole in text
    first, second, third = text.splitlines()[1:4]
    assert "column_blocks" not in first
    assert "column_blocks" in second
    assert "column_blocks" in third


def test_explanation_of_an_unknown_fold():
    with pytest.raises(ValueError, match="fold: expected None, 'source' or 'target', got 'both'"):
        explain_choice(random_graph(4, 8).adjacency(), torch.zeros(4, 2), fold="both")


def test_explanation_of_what_is_no_graph_or_has_other_rows():
    graph = random_graph(4, 8).adjacency()
    with pytest.raises(TypeError, match=r"adjacency: expected an Adjacency .*, got Tensor"):
        explain_choice(torch.zeros(2, 3), torch.zeros(4, 2))
    for x in (torch.zeros(5, 2), torch.zeros(())):
        with pytest.raises(ValueError, match=r"x: expected shape \[4, \*\], got "):
            explain_choice(graph, x)
    with pytest.raises(ValueError, match=r"x: expected shape \[12, \*\], got \[4, 2\]"):
        explain_choice(graph, torch.zeros(4, 2), fold="source")
    with pytest.raises(TypeError, match="x: expected a Tensor, got list"):
        explain_choice(graph, [1.0])
    assert ", 1 features, " in explain_choice(graph, torch.zeros(4))
    assert ", 0 features, " in explain_choice(graph, torch.zeros(4, 2, 0))


def test_explanation_does_not_look_at_values():
    graph = random_graph(9, 30, num_partitions=1)
    other = Adjacency.build(graph.edge_index.flip(0).contiguous(), None, 9)
    x = torch.zeros(9, 5)
    assert explain_choice(graph.adjacency(), x) == explain_choice(other, x * float("nan"))


def test_explanation_on_other_devices(monkeypatch):
    adjacency = random_graph(4, 8).adjacency()
    text = explain_choice(adjacency, torch.zeros(4, 1, device="meta"))
    assert text.startswith("reference: 8 edges")
    assert text.endswith("; the only choice for meta")
    assert "not measured there: the first of triton, embedding_bag" in choose._rule_unmeasured(
        "cuda"
    )
