"""What a mask does to the model: absent persons, frames and joints, and padding."""

from __future__ import annotations

import copy

import pytest
import torch
from torch_geometric.data import Batch

from tests.nn import skeletons as s
from tests.nn.golden_skeleton import assert_same
from tgst.loader import PadTime
from tgst.nn.models.skeleton_readout import mean_over_clip, present_frames


def test_zero_person_parity():
    """Published: the logits are (f(person) + f(zeros)) / 2."""
    model, one = s.small(readout="mean"), s.clip(7, 9)
    zeros = torch.zeros_like(one.x)
    graph = s.tree(7)
    both = torch.stack([one.x, zeros], dim=1)
    expected = (model(one.x, *graph) + model(zeros, *graph)) / 2
    assert_same(model(both, *graph, person_dim=1), expected)
    pair = s.clip(7, 9, persons=2)
    pair.x[7:], pair.mask[7:] = 0, False
    pair.x[:7] = one.x
    assert_same(s.run(model, pair), expected)  # the mask is ignored


def test_absent_person_does_not_count():
    model, pair = s.small(), s.clip(7, 9, persons=2)
    pair.mask[7:] = False
    pair.x[7:] = float("nan")
    alone = s.clip(7, 9)
    alone.x = pair.x[:7]
    expected = s.run(model, alone)
    assert_same(s.run(model, pair), expected)
    assert_same(s.run(model, pair, person=pair.person), expected)
    x, mask = pair.x.view(2, 7, 9, 3).transpose(0, 1), pair.mask.view(2, 7, 9).transpose(0, 1)
    assert_same(model(x, *s.tree(7), mask=mask, person_dim=1), expected)
    # And it does count where the mask is ignored.
    pair.x[7:] = 0
    mean = copy.deepcopy(model)
    mean.readout = "mean"
    assert (s.run(mean, pair) - expected).abs().max() > 1e-3


def test_clips_of_different_length_in_one_batch():
    model = s.small()
    clips = [
        s.clip(7, frames, persons, seed=frames) for frames, persons in ((9, 1), (5, 2), (1, 1))
    ]
    batch = PadTime()(clips)
    assert batch.x.shape == (28, 9, 3)
    apart = torch.cat([s.run(model, one) for one in clips])
    assert_same(s.run(model, batch), apart)
    assert_same(s.run(model, batch, batch_size=3), apart)
    assert_same(torch.cat([s.run(model, s.without(one)) for one in clips]), apart)
    # What the padding holds does not matter.
    noisy = PadTime(value=7.0)(clips)
    noisy.x[~noisy.mask] = float("nan")
    assert_same(s.run(model, noisy), apart)
    # Nor does it with clips as a batch dimension.
    one, two = clips[0], s.clip(7, 6, seed=3)
    padded = torch.stack([PadTime(length=9)(d).x for d in (one, two)], dim=1)
    mask = torch.stack([PadTime(length=9)(d).mask for d in (one, two)], dim=1)
    out = model(padded, *s.tree(7), mask=mask)
    assert_same(out, torch.cat([s.run(model, one), s.run(model, two)]))


def test_published_readout_counts_padding():
    model = s.small(readout="mean")
    one = s.clip(7, 6)
    padded = PadTime(length=9)(one)
    assert (s.run(model, padded) - s.run(model, one)).abs().max() > 1e-3
    assert_same(s.run(model, padded), s.run(model, s.without(padded)))


def test_persons_who_come_and_go():
    """With `person`, frames are absent for each person, as with a dimension of persons."""
    model, pair = s.small(), s.clip(7, 9, persons=2)
    pair.mask[7:, :4] = False
    pair.mask[3, 2] = False
    x, mask = pair.x.view(2, 7, 9, 3).transpose(0, 1), pair.mask.view(2, 7, 9).transpose(0, 1)
    expected = model(x, *s.tree(7), mask=mask, person_dim=1)
    assert_same(s.run(model, pair, person=pair.person), expected)
    batch = Batch.from_data_list([pair, s.clip(7, 9), pair])
    out = s.run(model, batch, person=batch.person)
    assert_same(out[[0, 2]], expected.expand(2, -1))
    # For the clip as a whole those frames are there.
    assert (s.run(model, pair) - expected).abs().max() > 1e-4


def test_absent_frames_are_zeros_to_the_convolution_over_time():
    """By hand: every block zeroes them, and the mean leaves them and unobserved joints out."""
    model, one = s.small(), s.clip(7, 9)
    one.mask[:, 3:5] = False
    one.mask[2, 8] = False
    seen = one.mask.unsqueeze(-1)
    hidden = model.data_norm((one.x * seen).transpose(0, 1).flatten(1))
    hidden = hidden.view(9, 7, 3).transpose(0, 1) * seen
    present = one.mask.any(0).double().unsqueeze(-1)
    for block in model.blocks:
        weight = one.edge_weight * block.importance.weight
        inner = block.norm1(block.conv(hidden, one.edge_index, one.edge_type, weight)).relu()
        out = block.norm2(block.temporal(inner * present))
        if block.residual == "identity":
            out = out + hidden
        elif block.residual == "conv":
            out = out + block.residual_norm(block.residual_conv(hidden))
        present = present[:: block.stride]
        hidden = out.relu() * present
    counted = one.mask[:, ::4].double().unsqueeze(-1)
    mean = (hidden * counted).sum((0, 1)) / counted.sum()
    assert_same(s.run(model, one)[0], model.head(mean))


def test_all_zero_and_fully_masked_clips_are_finite():
    for readout in ("masked", "mean"):
        model, one = s.small(readout=readout), s.clip(7, 9)
        one.x.zero_()
        assert s.run(model, one).isfinite().all()
        one.mask[:] = False
        assert s.run(model, one).isfinite().all()
        model.train()
        before = copy.deepcopy(model.state_dict())
        assert s.run(model, one).isfinite().all()
        if readout == "masked":  # nothing was seen, nothing was learnt
            for name, buffer in model.named_buffers():
                if "running" in name:
                    assert_same(buffer, before[name], 0.0)


def test_unobserved_joints_are_zero_after_the_normalisation():
    model, one = s.small(), s.clip(7, 9)
    one.mask[2, 3] = False
    one.x[2, 3] = float("nan")
    mean = model.data_norm.running_mean.view(7, 3)[2]
    shift = model.data_norm.bias / model.data_norm.weight
    scale = (model.data_norm.running_var + model.data_norm.eps).sqrt()
    filled = one.x.clone()
    filled[2, 3] = mean - (shift * scale).view(7, 3)[2]  # what becomes zero
    response, _ = model.extract_feature(
        one.x, one.edge_index, one.edge_type, one.edge_weight, mask=one.mask, e_id=one.e_id
    )
    expected, _ = model.extract_feature(
        filled, one.edge_index, one.edge_type, one.edge_weight, e_id=one.e_id
    )
    assert_same(response, expected)


def test_training_statistics_leave_absent_entries_out():
    """After one step on a padded batch the running statistics are those of the clips alone."""
    clips = [s.clip(7, 9, seed=1), s.clip(7, 9, seed=2)]
    padded = PadTime(length=15)(clips)
    one, two = s.small().train(), s.small().train()
    out = s.run(one, s.without(Batch.from_data_list(clips)))
    same = s.run(two, padded)
    assert_same(same, out)
    out.square().sum().backward()
    same.square().sum().backward()
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        assert_same(q.grad, p.grad)
    for p, q in zip(one.buffers(), two.buffers(), strict=True):
        assert_same(q.double(), p.double())


def test_nan_joints_spread_unless_masked():
    model, one = s.small(), s.clip(7, 9)
    one.x[2, 3] = float("nan")
    assert s.run(model, s.without(one)).isnan().all()
    one.mask[2, 3] = False
    assert s.run(model, one).isfinite().all()


def test_loss_with_a_clip_that_nobody_saw():
    """It is finite, and so are all gradients; the other clip learns as if it were alone."""
    clips = [s.clip(7, 9, seed=1), s.clip(7, 9, seed=2)]
    clips[0].mask[:], clips[0].x[:] = False, float("nan")
    one, two = s.small().train(), s.small().train()
    both, alone = s.run(one, Batch.from_data_list(clips)), s.run(two, s.without(clips[1]))
    assert_same(both[1:], alone)
    assert_same(both[0], one.head.bias)
    labels = torch.tensor([1, 2])
    torch.nn.functional.cross_entropy(both, labels).backward()
    torch.nn.functional.cross_entropy(alone, labels[1:]).backward()
    for (name, p), q in zip(one.named_parameters(), two.parameters(), strict=True):
        assert p.grad.isfinite().all()
        if name != "head.bias":
            assert_same(p.grad, q.grad / 2)


def test_bodies_in_any_order_of_the_nodes():
    """Persons whose joints alternate are the same persons."""
    pair = s.clip(7, 9, persons=2)
    pair.mask[7:, :4] = False
    pair.mask[3, 2] = False
    expected = present_frames(pair.mask, None, pair.person)
    order = torch.arange(14).view(2, 7).t().flatten()
    alternating = present_frames(pair.mask[order], None, pair.person[order])
    assert torch.equal(alternating, expected[order])
    # Two clips of two persons, all mixed, of whom little is seen.
    torch.manual_seed(0)
    batch, person = torch.randint(2, (2, 28))
    mask = torch.rand(28, 9) > 0.9
    same = (batch[:, None] == batch) & (person[:, None] == person)
    by_hand = torch.stack([mask[body].any(0) for body in same])
    assert torch.equal(present_frames(mask, batch, person), by_hand)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_mean_of_many_nodes_in_half_precision():
    """There the nodes are added one by one, which in half precision would stop to grow."""
    x = torch.full((1000, 3, 2), 0.75, dtype=torch.bfloat16, device="cuda")
    x[::2] = 0.05
    weight, batch = x.new_ones(1000, 3).bool(), torch.zeros(1000, device="cuda").long()
    mean = mean_over_clip(x, weight, batch, 1, None)
    assert mean.dtype == torch.bfloat16
    assert_same(mean.float(), torch.full_like(mean, 0.4).float(), 5e-3)


def test_derivatives_of_the_masked_readout():
    """Of the mean over what is observed, by clip and person, to the second order."""
    torch.manual_seed(0)
    x = torch.randn(6, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    weight, batch = torch.rand(6, 2, 3) > 0.4, torch.tensor([0, 0, 1, 1, 1, 3])
    for given in ((None, 0, None), (None, 0, 1), (batch, 4, None), (batch, 4, 1)):
        assert torch.autograd.gradcheck(lambda a, g=given: mean_over_clip(a, weight, *g), x)
        assert torch.autograd.gradgradcheck(lambda a, g=given: mean_over_clip(a, weight, *g), x)
