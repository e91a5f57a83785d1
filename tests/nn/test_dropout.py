from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tgst.nn.dropout import dropout


@pytest.mark.parametrize(("p", "tolerance"), [(0.5, 1e-12), (0.25, 1e-12), (0.1, 1e-12)])
def test_zeros_with_the_probability_and_scales_the_others(p, tolerance):
    torch.manual_seed(0)
    x = torch.rand(1_000_003, dtype=torch.float64) + 1  # not a multiple of a word
    out = dropout(x, p)
    kept = out != 0
    assert abs(1 - kept.double().mean() - p) < 4 * (p * (1 - p) / x.numel()) ** 0.5
    ratio = out[kept] / x[kept]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 1 / (1 - p)), rtol=tolerance, atol=0)


@pytest.mark.parametrize("p", [0.5, 0.1])
def test_places_are_independent(p):
    torch.manual_seed(1)
    dropped = (dropout(torch.ones(40_000, 16), p) == 0).double()
    # Every place within a word (8 or 4 masks) has the rate, and no two are correlated.
    rate_error = (dropped.mean(0) - p).abs().max()
    assert rate_error < 5 * (p * (1 - p) / 40_000) ** 0.5
    correlation = torch.corrcoef(dropped.t()) - torch.eye(16, dtype=torch.float64)
    assert correlation.abs().max() < 5 / 40_000**0.5
    lag = torch.corrcoef(torch.stack([dropped.flatten()[:-16], dropped.flatten()[16:]]))[0, 1]
    assert abs(lag) < 5 / 640_000**0.5


def test_follows_the_seed_and_not_the_threads():
    x = torch.ones(300_000)
    threads = torch.get_num_threads()
    outs = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(7)
            outs.append((dropout(x, 0.5), dropout(x, 0.5)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(outs[0][0], outs[1][0])
    assert torch.equal(outs[0][1], outs[1][1])
    assert not torch.equal(outs[0][0], outs[0][1])


@pytest.mark.parametrize("p", [0.5, 0.3])
def test_gradients_of_both_orders(p):
    def seeded(x):
        torch.manual_seed(3)
        return dropout(x, p) ** 2

    x = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(seeded, x)
    assert torch.autograd.gradgradcheck(seeded, x)
    torch.manual_seed(3)
    out = dropout(x, p)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad * x, out)


def test_a_byte_per_entry_is_kept():
    kept = []

    def keep(tensor):
        kept.append(tensor.numel() * tensor.element_size())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        dropout(torch.ones(1000, requires_grad=True), 0.5)
    assert kept == [1000]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_keeps_dtype_and_shape(dtype):
    x = torch.ones(4, 6, 5, dtype=dtype).transpose(0, 2)
    torch.manual_seed(0)
    out = dropout(x, 0.5)
    assert out.dtype == dtype
    assert out.shape == x.shape
    assert set(out.unique().tolist()) == {0.0, 2.0}


def test_nothing_happens_without_training_or_probability():
    x = torch.randn(3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x
    assert torch.equal(dropout(x, 1.0), torch.zeros(3))
    assert dropout(torch.ones(0, 3), 0.5).shape == (0, 3)


def test_refuses_what_is_no_probability():
    for p in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"p: expected a probability in \[0, 1\], got {p}"):
            dropout(torch.ones(2), p)


def test_torchs_own_where_the_mask_of_bytes_cannot_go():
    x = torch.randn(64)
    torch.manual_seed(2)
    expected = F.dropout(x, 0.5)

    def under_func(x):
        torch.manual_seed(2)
        return dropout(x, 0.5).sum()

    grad = torch.func.grad(under_func)(x)
    torch.testing.assert_close(grad * x, expected)
    torch.manual_seed(2)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones(64))
        tangent = torch.autograd.forward_ad.unpack_dual(dropout(dual, 0.5)).tangent
    torch.testing.assert_close(tangent * x, expected)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.1])
def test_compiled(p):
    def twice(x):
        return dropout(x, p), dropout(x, p)

    torch._dynamo.reset()
    compiled = torch.compile(twice, fullgraph=True, backend="aot_eager")
    torch.manual_seed(0)
    x = torch.ones(40_000, requires_grad=True)
    one, other = compiled(x)
    (grad,) = torch.autograd.grad(one.sum(), x)
    torch.testing.assert_close(grad, one.detach())
    dropped = torch.stack([one == 0, other == 0]).double()
    assert (dropped.mean(1) - p).abs().max() < 4 * (p * (1 - p) / 40_000) ** 0.5
    assert torch.corrcoef(dropped)[0, 1].abs() < 5 / 40_000**0.5  # two masks, not one twice
    assert not torch.equal(compiled(x)[0], one)  # new ones for each call
    torch.manual_seed(0)
    assert torch.equal(compiled(x)[0], one)


@pytest.mark.slow
def test_inductor():
    torch._dynamo.reset()
    compiled = torch.compile(lambda x: dropout(x, 0.5) + dropout(x, 0.5), fullgraph=True)
    torch.manual_seed(0)
    x = torch.ones(20_000, requires_grad=True)
    out = compiled(x)
    assert set(out.unique().tolist()) == {0.0, 2.0, 4.0}
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad, out.detach())


def test_exported():
    class Layer(torch.nn.Module):
        def forward(self, x):
            return dropout(x, 0.5, self.training)

    program = torch.export.export(Layer(), (torch.ones(1000),))
    assert "tgst" not in str(program.graph)
    assert set(program.module()(torch.ones(1000)).unique().tolist()) == {0.0, 2.0}
