from __future__ import annotations

import pytest
import torch

from tgst.nn.products import (
    linear,
    product_per_label,
    sum_of_products,
    sum_over_labels,
)

# N, K, L, C_in, C_out: ordinary ones, one row or few numbers, single entries, and sizes of zero.
SIZES = [
    (5, 3, 40, 4, 6),
    (4, 1, 9, 16, 3),
    (4, 2, 1, 64, 5),
    (5, 3, 7, 4, 6),
    (4, 1, 3, 8, 2),
    (1, 1, 1, 1, 1),
    (3, 2, 1, 1, 5),
    (0, 3, 7, 4, 6),
    (5, 3, 0, 4, 6),
]
TOLERANCES = {
    torch.float64: 1e-12,
    torch.float32: 1e-5,
    torch.bfloat16: 3e-2,
    torch.float16: 5e-3,
}


def operands(size, dtype):
    num_nodes, labels, steps, width_in, width_out = size
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        return x.to(dtype).requires_grad_()

    return {
        "x": random(num_nodes, labels, steps, width_in),
        "weight": random(labels, width_in, width_out),
        "bias": random(width_out),
        "label_bias": random(labels, width_out),
        "node_bias": random(num_nodes, width_out),
    }


FORMS = {
    "linear": (
        lambda o: linear(o["x"][:, 0], o["weight"][0].t(), o["bias"]),
        lambda o: o["x"][:, 0] @ o["weight"][0] + o["bias"],
    ),
    "sum_of_products": (
        lambda o: sum_of_products(o["x"].unbind(1), o["weight"], o["bias"]),
        lambda o: torch.einsum("nkli,kio->nlo", o["x"], o["weight"]) + o["bias"],
    ),
    "without_bias": (
        lambda o: sum_of_products(o["x"].unbind(1), o["weight"]),
        lambda o: torch.einsum("nkli,kio->nlo", o["x"], o["weight"]),
    ),
    "sum_over_labels": (
        lambda o: sum_over_labels(o["x"], o["weight"], o["bias"]),
        lambda o: torch.einsum("nkli,kio->nlo", o["x"], o["weight"]) + o["bias"],
    ),
    "bias_per_node": (
        lambda o: sum_over_labels(o["x"], o["weight"], o["node_bias"]),
        lambda o: torch.einsum("nkli,kio->nlo", o["x"], o["weight"]) + o["node_bias"][:, None],
    ),
    "product_per_label": (
        lambda o: product_per_label(o["x"][:, 0], o["weight"], o["label_bias"]),
        lambda o: (
            torch.einsum("nli,kio->nklo", o["x"][:, 0], o["weight"]) + o["label_bias"][:, None]
        ),
    ),
}


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_values_and_gradients(form, size, dtype):
    ours, formula = FORMS[form]
    given = operands(size, dtype)
    exact = {name: x.detach().double().requires_grad_() for name, x in given.items()}
    out, expected = ours(given), formula(exact)
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(out.double(), expected, rtol=tolerance, atol=tolerance)
    assert out.dtype == dtype
    grad = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    found = torch.autograd.grad(out, list(given.values()), grad, allow_unused=True)
    wanted = torch.autograd.grad(expected, list(exact.values()), grad.double(), allow_unused=True)
    for ours_grad, exact_grad in zip(found, wanted, strict=True):
        assert (ours_grad is None) == (exact_grad is None)
        if ours_grad is not None:
            scale = max(1.0, float(exact_grad.abs().max())) if exact_grad.numel() else 1.0
            torch.testing.assert_close(
                ours_grad.double(), exact_grad, rtol=tolerance, atol=tolerance * scale
            )


@pytest.mark.parametrize("form", FORMS)
def test_both_ways_agree(form, monkeypatch):
    ours, _ = FORMS[form]
    given = operands((5, 3, 7, 4, 6), torch.float32)
    as_convolution = ours(given)
    monkeypatch.setattr("tgst.nn.products._as_convolution", lambda x: False)
    as_product = ours(given)
    torch.testing.assert_close(as_convolution, as_product, rtol=1e-5, atol=1e-5)


def test_autocast():
    given = operands((5, 3, 7, 4, 6), torch.float32)
    for ours, formula in FORMS.values():
        with torch.autocast("cpu", torch.bfloat16):
            out = ours(given)
        assert out.dtype == torch.bfloat16
        torch.testing.assert_close(out.float(), formula(given), rtol=3e-2, atol=5e-2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", FORMS)
def test_mapped_over_one_operand(form, dtype):
    ours, formula = FORMS[form]
    given = operands((5, 3, 7, 4, 6), dtype)
    for name in ("weight", "node_bias"):
        many = torch.stack([given[name].detach(), 2 * given[name].detach()])
        mapped = torch.func.vmap(lambda value, name=name: ours({**given, name: value}))(many)
        for found, value in zip(mapped, many, strict=True):
            torch.testing.assert_close(found, formula({**given, name: value}), rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
@pytest.mark.parametrize(
    ("rows", "channels", "short"),
    [(1, 64, True), (2, 64, False), (4, 31, True), (4, 32, False), (40, 4, False)],
)
def test_one_row_or_few_numbers_are_matrix_products(rows, channels, short):
    x, weight = torch.randn(5, 3, rows, channels), torch.randn(3, channels, 2)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        sum_over_labels(x, weight)
    seen = {event.key for event in profile.key_averages()}
    assert ("aten::conv2d" in seen) is not short
    assert ("aten::linear" in seen) is short
