from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

import tgst.metrics
from tgst.metrics import MaskedMAE, MaskedMAPE, MaskedRMSE

METRICS = [MaskedMAE, MaskedRMSE, MaskedMAPE]
HORIZON = 3


def example(nodes=5, batch=10):
    generator = torch.Generator().manual_seed(1)
    shape = (nodes, batch, HORIZON, 2)
    prediction = 60 + 10 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = 60 + 10 * torch.randn(shape, generator=generator, dtype=torch.float64)
    mask = torch.rand(shape[:-1], generator=generator) > 0.3
    mask[:, :4] &= torch.rand(nodes, 4, HORIZON, generator=generator) > 0.8  # unequal batches
    return prediction, target, mask


def expected(metric, prediction, target, mask, epsilon=1e-3):
    """Per step and overall, entry by entry in numpy."""
    prediction, target, mask = prediction.numpy(), target.numpy(), mask.numpy()

    def score(steps):
        observed = mask[:, :, steps]
        y, y_hat = target[:, :, steps][observed], prediction[:, :, steps][observed]
        if metric is MaskedMAE:
            return np.abs(y_hat - y).mean()
        if metric is MaskedRMSE:
            return np.sqrt(np.square(y_hat - y).mean())
        y, y_hat = y[np.abs(y) >= epsilon], y_hat[np.abs(y) >= epsilon]
        return 100 * (np.abs(y_hat - y) / np.abs(y)).mean()

    return [score(slice(h, h + 1)) for h in range(HORIZON)], score(slice(None))


@pytest.mark.parametrize("metric", METRICS)
def test_values_and_partial_batches(metric):
    prediction, target, mask = example()
    per_step, overall = expected(metric, prediction, target, mask)
    error = metric(HORIZON)
    for start in (0, 4, 8):  # the last batch is smaller, the first one nearly unobserved
        part = slice(start, start + 4)
        error.update(prediction[:, part], target[:, part], mask[:, part])
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)
    assert error.overall().item() == pytest.approx(overall, rel=1e-12)
    batch_means = [
        expected(metric, prediction[:, s : s + 4], target[:, s : s + 4], mask[:, s : s + 4])[1]
        for s in (0, 4, 8)
    ]
    assert np.mean(batch_means) != pytest.approx(overall, rel=1e-3)  # what must not come out


@pytest.mark.parametrize("metric", METRICS)
def test_without_mask_and_without_batch_dimension(metric):
    prediction, target, mask = example()
    per_step, _ = expected(metric, prediction[:, :1], target[:, :1], torch.ones_like(mask[:, :1]))
    error = metric(HORIZON)
    error.update(prediction[:, 0], target[:, 0])
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_masked_nan_is_left_out_and_observed_nan_is_not_hidden(metric):
    prediction, target, mask = example()
    per_step, _ = expected(metric, prediction, target, mask)
    target[~mask] = float("nan")
    error = metric(HORIZON)
    error.update(prediction, target, mask)
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)
    mask[0, 0, 1] = True
    prediction[0, 0, 1] = float("nan")
    target[0, 0, 1] = 1.0
    error.update(prediction, target, mask)
    assert error.compute().isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_observed_gives_nan(metric):
    prediction, target, mask = example()
    mask[..., 2] = False
    error = metric(HORIZON)
    error.update(prediction, target, mask)
    assert error.compute().isnan().tolist() == [False, False, True]
    assert error.overall().isfinite()
    error.reset()
    error.update(prediction, target, torch.zeros_like(mask))
    assert error.compute().isnan().all()
    assert error.overall().isnan()


def test_mape_leaves_small_targets_out():
    target = torch.tensor([0.0, 0.5, -2.0, 10.0]).view(4, 1, 1)
    prediction = torch.tensor([5.0, 1.0, -1.0, 11.0]).view(4, 1, 1)
    error = MaskedMAPE(1, epsilon=0.5)
    error.update(prediction, target)
    assert error.compute().item() == pytest.approx((100 + 50 + 10) / 3)
    error = MaskedMAPE(1, epsilon=1.0)
    error.update(prediction, target)
    assert error.compute().item() == pytest.approx((50 + 10) / 2)


@pytest.mark.parametrize("metric", METRICS)
def test_bfloat16_is_summed_in_double_precision(metric):
    prediction, target, mask = example(nodes=50, batch=200)
    prediction, target = prediction.bfloat16(), target.bfloat16()
    per_step, _ = expected(metric, prediction.double(), target.double(), mask)
    error = metric(HORIZON)
    error.update(prediction, target, mask)
    assert error.compute().dtype == torch.float64
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-6)


def test_single_precision_sum_does_not_saturate():
    error = MaskedMAE(1)
    error.total += 2.0**25  # here float32 has no odd numbers
    error.count += 2**25
    error.update(torch.ones(1, 1, 1), torch.zeros(1, 1, 1))
    assert error.total.item() == 2**25 + 1


@pytest.mark.parametrize("metric", METRICS)
def test_merging_equals_one_pass(metric):
    prediction, target, mask = example()
    per_step, overall = expected(metric, prediction, target, mask)
    first, second = metric(HORIZON), metric(HORIZON)
    first.update(prediction[:, :3], target[:, :3], mask[:, :3])
    second.update(prediction[:, 3:], target[:, 3:], mask[:, 3:])
    first.merge_state(second)
    np.testing.assert_allclose(first.compute().numpy(), per_step, rtol=1e-12)
    assert first.overall().item() == pytest.approx(overall, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_forward_returns_the_batch_and_keeps_the_epoch(metric):
    prediction, target, mask = example()
    error = metric(HORIZON)
    for part in (slice(0, 6), slice(6, 10)):
        batch = error(prediction[:, part], target[:, part], mask[:, part])
        per_step, _ = expected(metric, prediction[:, part], target[:, part], mask[:, part])
        np.testing.assert_allclose(batch.numpy(), per_step, rtol=1e-12)
    per_step, _ = expected(metric, prediction, target, mask)
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_reset_in_inference_mode_and_used_outside(metric):
    prediction, target, mask = example()
    error = metric(HORIZON)
    with torch.inference_mode():
        error.reset()
        error.update(prediction[:, :3], target[:, :3], mask[:, :3])
    error.update(prediction[:, 3:], target[:, 3:], mask[:, 3:])
    per_step, _ = expected(metric, prediction, target, mask)
    np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_pickle_keeps_the_state(metric):
    prediction, target, mask = example()
    error = metric(HORIZON)
    error.update(prediction, target, mask)
    copy = pickle.loads(pickle.dumps(error))
    assert torch.equal(copy.compute(), error.compute())


def _score_on_rank(rank, address, names):
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    prediction, target, mask = example()
    part = (slice(0, 7), slice(7, 10))[rank]
    for name in names:
        metric = getattr(tgst.metrics, name)
        per_step, overall = expected(metric, prediction, target, mask)
        error = metric(HORIZON)
        error.update(prediction[:, part], target[:, part], mask[:, part])
        local = error.total.clone()
        assert error.overall().item() == pytest.approx(overall, rel=1e-12)
        assert torch.equal(error.total, local)  # taken apart again after the sum
        np.testing.assert_allclose(error.compute().numpy(), per_step, rtol=1e-12)
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_give_the_whole_data_set(tmp_path):
    address = f"file://{tmp_path / 'store'}"
    mp.spawn(_score_on_rank, args=(address, [m.__name__ for m in METRICS]), nprocs=2)


@pytest.mark.parametrize("metric", METRICS)
def test_bad_arguments(metric):
    with pytest.raises(ValueError, match="horizon: expected at least one step, got 0"):
        metric(0)
    error = metric(HORIZON)
    x = torch.zeros(4, 2, HORIZON, 1)
    with pytest.raises(ValueError, match=r"target: expected .* \[4, 2, 3, 1\], got \[4, 2, 3\]"):
        error.update(x, x[..., 0])
    with pytest.raises(ValueError, match=r"mask: expected .* \[4, 2, 3\], got \[4, 2\]"):
        error.update(x, x, torch.ones(4, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"mask: expected torch.bool .* got torch.int64"):
        error.update(x, x, torch.ones(4, 2, HORIZON, dtype=torch.long))
    with pytest.raises(ValueError, match=r"expected 3 horizon steps .* \[4, 2, 2, 1\]"):
        error.update(x[:, :, :2], x[:, :, :2])
    with pytest.raises(ValueError, match=r"prediction: expected \[num_nodes, \*, horizon, chan"):
        error.update(x[0, 0], x[0, 0])


def test_bad_epsilon():
    with pytest.raises(ValueError, match="epsilon: expected a value above zero, got 0"):
        MaskedMAPE(HORIZON, epsilon=0)


@pytest.mark.parametrize("metric", [MaskedMAE, MaskedRMSE, MaskedMAPE])
def test_one_step_gives_one_entry(metric):
    error = metric(1)
    error.update(torch.full((2, 3, 1, 1), 3.0), torch.full((2, 3, 1, 1), 2.0))
    expected = [50.0] if metric is MaskedMAPE else [1.0]
    for each in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
        assert each.compute().tolist() == pytest.approx(expected)
    assert error(torch.ones(1, 1, 1), torch.ones(1, 1, 1)).tolist() == [0.0]
