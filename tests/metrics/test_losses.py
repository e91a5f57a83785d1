from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from tgst.metrics import masked_huber, masked_mae, masked_mse

LOSSES = [masked_mae, masked_mse, masked_huber]


def huber(error, delta=1.0):
    size = np.abs(error)
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


EXPECTED = {masked_mae: np.abs, masked_mse: np.square, masked_huber: huber}


def example(dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    prediction = 3 * torch.randn(5, 4, 3, 2, generator=generator, dtype=torch.float64)
    target = 3 * torch.randn(5, 4, 3, 2, generator=generator, dtype=torch.float64)
    mask = torch.rand(5, 4, 3, generator=generator) > 0.4
    return prediction.to(dtype), target.to(dtype), mask


@pytest.mark.parametrize("loss", LOSSES)
def test_value_is_the_mean_over_observed_entries(loss):
    prediction, target, mask = example()
    error = (prediction - target).numpy()
    observed = EXPECTED[loss](error)[mask.numpy()]  # [observed, C]
    assert loss(prediction, target, mask).item() == pytest.approx(observed.mean(), rel=1e-12)
    everything = EXPECTED[loss](error).mean()
    assert loss(prediction, target).item() == pytest.approx(everything, rel=1e-12)


def test_huber_delta_moves_the_bend():
    target = torch.zeros(1, 1, 2, 1)
    prediction = torch.tensor([0.5, 3.0]).view(1, 1, 2, 1)
    expected = (0.5 * 0.5**2 + 2.0 * (3.0 - 1.0)) / 2
    assert masked_huber(prediction, target, delta=2.0).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_masked_target_reaches_neither_value_nor_gradient(loss, poison):
    prediction, target, mask = example()
    prediction.requires_grad_()
    clean = loss(prediction, target, mask)
    (clean_gradient,) = torch.autograd.grad(clean, prediction)
    poisoned = target.masked_fill(~mask.unsqueeze(-1), poison)
    value = loss(prediction, poisoned, mask)
    (gradient,) = torch.autograd.grad(value, prediction)
    assert torch.equal(value, clean)
    assert torch.equal(gradient, clean_gradient)
    assert gradient[~mask].eq(0).all()
    assert gradient[mask].ne(0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_observed_nan_is_not_hidden(loss):
    prediction, target, mask = example()
    prediction[0, 0] = float("nan")
    mask[0, 0] = True
    assert loss(prediction, target, mask).isnan()


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_observed_gives_zero_with_gradient(loss):
    prediction, target, mask = example()
    prediction.requires_grad_()
    value = loss(prediction, target * float("nan"), torch.zeros_like(mask))
    value.backward()
    assert value.item() == 0
    assert torch.equal(prediction.grad, torch.zeros_like(prediction))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss):
    prediction, target, mask = example()
    prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda value: loss(value, target, mask), prediction)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_is_summed_in_single_precision(dtype):
    prediction = torch.full((1000, 4, 12, 1), 300.0, dtype=dtype, requires_grad=True)
    value = masked_mse(prediction, torch.zeros_like(prediction))
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == prediction[0, 0, 0].item() ** 2  # 90,000 is beyond float16
    assert prediction.grad.dtype == dtype


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    ("prediction", "target", "mask", "message"),
    [
        ((4, 3), (4, 3), None, r"prediction: expected \[num_nodes, \*, horizon, channels\]"),
        ((4, 3, 2), (4, 3, 1), None, r"target: expected the prediction's shape \[4, 3, 2\], got "),
        ((4, 3, 2), (4, 3, 2), (4, 3, 2), r"mask: expected .* without channels \[4, 3\], got "),
    ],
)
def test_bad_shapes(loss, prediction, target, mask, message):
    mask = None if mask is None else torch.ones(mask, dtype=torch.bool)
    with pytest.raises(ValueError, match=message):
        loss(torch.zeros(prediction), torch.zeros(target), mask)


def test_bad_mask_dtype_and_delta():
    x = torch.zeros(4, 3, 2)
    with pytest.raises(ValueError, match=r"mask: expected torch.bool .* got torch.float32"):
        masked_mae(x, x, torch.ones(4, 3))
    with pytest.raises(ValueError, match="delta: expected a value above zero, got 0"):
        masked_huber(x, x, delta=0)


def test_losses_do_not_import_torchmetrics():
    code = (
        "import sys; from tgst.metrics import masked_mae; "
        "assert 'torchmetrics' not in sys.modules; "
        "from tgst.metrics import MaskedMAE; assert 'torchmetrics' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
