import io

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.nn import GATConv

from tgst.nn import PerStep
from tgst.nn.models import SkeletonSTGCN
from tgst.nn.models.skeleton_stream import SkeletonStream

EDGE_INDEX = torch.tensor([[0, 1, 2, 3, 0, 1, 1, 2, 1], [0, 1, 2, 3, 1, 0, 2, 1, 3]])
EDGE_TYPE = torch.tensor([0, 0, 0, 0, 1, 2, 1, 2, 1])
EDGE_WEIGHT = torch.tensor([0.5, 0.3, 0.7, 1.0, 0.4, 0.9, 0.2, 0.8, 0.6], dtype=torch.float64)
E_ID = torch.tensor([3, 1, 8, 0, 2, 6, 4, 7, 5])


def causal_model(seed=0, **options):
    torch.manual_seed(seed)
    chosen = {"channels": (4, 4, 6), "strides": (1, 1, 2), "kernel_size": 3, "num_joints": 4}
    model = SkeletonSTGCN(2, 5, 3, **{"causal": True, **chosen, **options}).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return model.eval()


def graph():
    return EDGE_INDEX, EDGE_TYPE, EDGE_WEIGHT


def clip(*lead, steps=13, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, *lead, steps, 2, generator=generator, dtype=torch.float64)


def assert_same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def assert_streams(model, x, mask=None, tensors=None, e_id=None, **bodies):
    """Every step's answer is the whole model's on the frames so far."""
    tensors = tensors or graph()
    shared = {k: v for k, v in bodies.items() if k != "response"}
    stream = SkeletonStream(model, *tensors, e_id=e_id, **bodies)
    for t in range(x.size(-2)):
        out = stream.step(x[..., t, :], None if mask is None else mask[..., t])
        seen = None if mask is None else mask[..., : t + 1]
        expected = model(x[..., : t + 1, :], *tensors, mask=seen, e_id=e_id, **shared)
        assert_same(out.logits, expected)
        assert out.frame == t // model.stride * model.stride == int(model.frames(t + 1)[-1])
        assert stream.frames == t + 1


@pytest.mark.parametrize("options", [
    {},
    {"strides": (1, 1, 1)},
    {"strides": (1, 2, 2)},
    {"strides": (2, 1, 3)},
    {"kernel_size": 1},
    {"kernel_size": 2},
    {"kernel_size": 9},
    {"residual": None},
    {"residual": "conv"},
    {"channels": (4, 4, 4), "strides": (1, 1, 1), "residual": "identity"},
    {"channels": (4,), "strides": (1,)},
    {"num_edges": 9},
    {"data_norm": "channel"},
    {"data_norm": None},
    {"readout": "mean"},
    {"dropout": 0.5},
])  # fmt: skip
@torch.no_grad()
def test_every_step_equals_the_whole_model(options):
    model = causal_model(**options)
    e_id = E_ID if "num_edges" in options else None
    assert_streams(model, clip(), e_id=e_id)


@pytest.mark.parametrize("lead", [(3,), (2, 3)])
@torch.no_grad()
def test_batch_dimensions(lead):
    assert_streams(causal_model(), clip(*lead))


@pytest.mark.parametrize("dim", [1, 2, -2, -3])
@torch.no_grad()
def test_persons_as_a_dimension(dim):
    model, x = causal_model(), clip(2, 3)
    mask = torch.rand(x.shape[:-1], generator=torch.Generator().manual_seed(5)) > 0.3
    stream = SkeletonStream(model, *graph(), person_dim=dim)
    inner = dim if dim > 0 else dim - 1  # clips have one dimension more, frames before channels
    for t in range(x.size(-2)):
        out = stream.step(x[..., t, :], mask[..., t])
        seen, known = x[..., : t + 1, :], mask[..., : t + 1]
        assert_same(out.logits, model(seen, *graph(), mask=known, person_dim=inner))


def union(clips):
    count = len(clips)
    shift = 4 * torch.arange(count).repeat_interleave(EDGE_TYPE.numel())
    edges = EDGE_INDEX.repeat(1, count) + shift
    tensors = (edges, EDGE_TYPE.repeat(count), EDGE_WEIGHT.repeat(count))
    return torch.cat(clips), tensors, E_ID.repeat(count)


@torch.no_grad()
def test_persons_and_clips_in_one_union():
    model = causal_model(num_edges=9)
    x, tensors, e_id = union([clip(seed=seed) for seed in range(3)])
    batch = torch.tensor([0, 0, 1]).repeat_interleave(4)
    assert_streams(model, x, tensors=tensors, e_id=e_id, batch=batch)
    assert_streams(model, x, tensors=tensors, e_id=e_id, batch=batch, batch_size=3)


def gaps(x):
    """Joints that come and go, whole frames without one, and a clip that begins unseen."""
    mask = torch.rand(x.shape[:-1], generator=torch.Generator().manual_seed(7)) > 0.25
    mask[..., 0] = mask[..., 5:8] = False
    return mask


@pytest.mark.parametrize("options", [
    {},
    {"strides": (1, 2, 2), "num_edges": 9},
    {"residual": "conv", "data_norm": "channel"},
    {"readout": "mean"},
])  # fmt: skip
@pytest.mark.parametrize("lead", [(), (3,)])
@torch.no_grad()
def test_masks(options, lead):
    model, x = causal_model(**options), clip(*lead)
    mask = gaps(x)
    if model.readout == "masked":
        x = x.masked_fill(~mask.unsqueeze(-1), float("nan"))
    assert_streams(model, x, mask, e_id=E_ID if "num_edges" in options else None)


@torch.no_grad()
def test_masks_in_a_union():
    model = causal_model()
    x, tensors, _ = union([clip(seed=seed) for seed in range(3)])
    mask = gaps(x)
    mask[:4, 9:11] = mask[8:, 2:4] = False  # one person of a clip of two, and a whole clip
    batch = torch.tensor([0, 0, 1]).repeat_interleave(4)
    assert_streams(model, x, mask, tensors, batch=batch)
    person = torch.tensor([0, 1, 0]).repeat_interleave(4)
    assert_streams(model, x, mask, tensors, batch=batch, person=person)


@torch.no_grad()
def test_a_frame_without_mask_counts_as_observed():
    model, x = causal_model(), clip(steps=6)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[1, 2] = False
    stream = SkeletonStream(model, *graph())
    for t in range(6):
        out = stream.step(x[:, t], mask[:, t] if t == 2 else None)
    assert_same(out.logits, model(x, *graph(), mask=mask))


@torch.no_grad()
def test_other_convolutions():
    torch.manual_seed(0)
    model = causal_model(conv=lambda i, o: PerStep(GATConv(i, o)))
    assert_streams(model, clip())


@torch.no_grad()
def test_single_precision():
    model = causal_model().float()
    tensors = (EDGE_INDEX, EDGE_TYPE, EDGE_WEIGHT.float())
    x = clip(steps=24).float()
    stream = SkeletonStream(model, *tensors)
    for t in range(24):
        out = stream.step(x[:, t])
        expected = model(x[:, : t + 1], *tensors)
        torch.testing.assert_close(out.logits, expected, rtol=1e-5, atol=1e-5)
        assert out.logits.dtype == torch.float32


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("window", [1, 3])
@torch.no_grad()
def test_window(window, masked):
    model, x = causal_model(strides=(1, 1, 2)), clip(3, steps=15)
    mask = gaps(x) if masked else None
    stream = SkeletonStream(model, *graph(), window=window)
    for t in range(15):
        out = stream.step(x[..., t, :], None if mask is None else mask[..., t])
        seen = None if mask is None else mask[..., : t + 1]
        feature = model.features(x[..., : t + 1, :], *graph(), mask=seen)[..., -window:, :]
        weight = torch.ones(feature.shape[:-1]) if mask is None else seen[..., ::2][..., -window:]
        weight = weight.double().unsqueeze(-1)
        pooled = (feature * weight).sum((0, -2)) / weight.sum((0, -2)).clamp(min=1)
        assert_same(out.logits, model.head(pooled))


@torch.no_grad()
def test_response():
    model, x = causal_model(strides=(1, 1, 2)), clip(3)
    stream = SkeletonStream(model, *graph(), response=True)
    for t in range(x.size(-2)):
        out = stream.step(x[..., t, :])
        expected, _ = model.extract_feature(x[..., : t + 1, :], *graph())
        assert_same(out.response, expected[..., -1, :])
    assert SkeletonStream(model, *graph()).step(x[..., 0, :]).response is None


@pytest.mark.parametrize("residual", ["auto", "conv", None])
@torch.no_grad()
def test_response_where_nothing_is_observed(residual):
    model, x = causal_model(strides=(1, 1, 2), residual=residual), clip(3)
    mask = gaps(x)
    stream = SkeletonStream(model, *graph(), response=True)
    for t in range(x.size(-2)):
        out = stream.step(x[..., t, :], mask[..., t])
        seen = mask[..., : t + 1]
        expected, _ = model.extract_feature(x[..., : t + 1, :], *graph(), mask=seen)
        assert_same(out.response, expected[..., -1, :])


@torch.no_grad()
def test_the_readout_still_moves_after_days():
    """A sum in single precision would take no frame in any more."""
    model, x = causal_model().float(), clip(steps=2).float()
    stream = SkeletonStream(model, EDGE_INDEX, EDGE_TYPE, EDGE_WEIGHT.float())
    stream.step(x[:, 0])
    state = stream.state()
    state["total"], state["count"] = state["total"] * 2**26, state["count"] * 2**26
    stream.load_state({**state, "frames": torch.tensor(2**26)})
    assert stream.step(x[:, 1]).frame == 2**26
    assert int(stream.state()["count"]) == 4 * 2**26 + 4


class Work(TorchDispatchMode):
    """Counts the calls and the numbers that they write."""

    def __init__(self):
        super().__init__()
        self.calls = self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.calls += 1
        self.numbers += sum(
            t.numel()
            for t in (out if isinstance(out, tuple | list) else [out])
            if isinstance(t, torch.Tensor)
        )
        return out


@pytest.mark.parametrize("window", [None, 4])
def test_cost_and_memory_do_not_grow(window):
    model, x = causal_model(strides=(1, 2, 2)), clip(steps=40)
    stream = SkeletonStream(model, *graph(), window=window)
    work, sizes = [], []
    for t in range(40):
        with Work() as counter:
            stream.step(x[:, t])
        work.append((counter.calls, counter.numbers))
        sizes.append(sum(value.numel() for value in stream.state().values()))
    assert min(numbers for _, numbers in work) > 0
    # four frames are a cycle of the strides; the first one makes the state
    for t in range(8, 40):
        assert work[t] == work[t - 4]
    assert max(work[t][1] for t in range(4, 40)) == work[4][1]
    assert set(sizes) == {sizes[0]}
    # a frame costs what a clip as long as the kernels costs, at most
    with torch.no_grad(), Work() as whole:
        model(x, *graph())
    assert work[8][1] < whole.numbers / 4


def test_no_gradients_are_kept():
    stream = SkeletonStream(causal_model(num_edges=9), *graph())
    out = stream.step(clip()[:, 0].requires_grad_())
    assert not out.logits.requires_grad
    assert not any(value.requires_grad for value in stream.state().values())


@torch.no_grad()
def test_reset():
    model, x = causal_model(), clip()
    stream = SkeletonStream(model, *graph())
    first = [stream.step(x[:, t]).logits for t in range(5)]
    stream.reset()
    assert stream.frames == 0
    again = [stream.step(x[:, t]).logits for t in range(5)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    # a new shape and new weights are read at reset
    model.blocks[0].temporal.weight.add_(0.1)
    stream.reset()
    batch = clip(2, steps=3)
    for t in range(3):
        out = stream.step(batch[..., t, :])
    assert_same(out.logits, model(batch, *graph()))


@pytest.mark.parametrize("options", [{}, {"window": 3, "response": True}])
@torch.no_grad()
def test_a_stream_can_be_moved(options):
    model, x = causal_model(strides=(1, 2, 2)), clip()
    stream = SkeletonStream(model, *graph(), **options)
    for t in range(6):
        stream.step(x[:, t])
    file = io.BytesIO()
    torch.save(stream.state(), file)
    file.seek(0)
    other = SkeletonStream(model, *graph(), **options)
    other.load_state(torch.load(file, weights_only=True))
    assert other.frames == 6
    kept = stream.state()
    for t in range(6, 13):
        here, there = stream.step(x[:, t]), other.step(x[:, t])
        assert torch.equal(here.logits, there.logits)
        assert here.frame == there.frame
        assert here.response is None or torch.equal(here.response, there.response)
    # what was taken out is a copy
    stream.load_state(kept)
    assert stream.frames == 6
    replay = [stream.step(x[:, t]).logits for t in range(6, 13)]
    assert torch.equal(replay[-1], here.logits)


@torch.no_grad()
def test_what_is_given_away_is_a_copy():
    model, x = causal_model(), clip()
    stream = SkeletonStream(model, *graph())
    out, state = stream.step(x[:, 0]), stream.state()
    expected = out.logits.clone()
    out.logits.zero_()
    assert torch.equal(stream.step(x[:, 1]).logits, expected)  # no new output: stride 2
    other = SkeletonStream(model, *graph())
    other.load_state(state)
    for value in state.values():
        value.zero_()
    assert torch.equal(other.step(x[:, 1]).logits, expected)
    assert_same(other.step(x[:, 2]).logits, model(x[:, :3], *graph()))
    for value in stream.state().values():
        value.zero_()
    assert_same(stream.step(x[:, 2]).logits, model(x[:, :3], *graph()))


def test_a_fresh_state():
    model = causal_model()
    stream = SkeletonStream(model, *graph())
    stream.step(clip()[:, 0])
    stream.load_state(SkeletonStream(model, *graph()).state())
    assert stream.frames == 0
    assert stream.step(clip()[:, 0]).frame == 0


def test_method_of_the_model():
    model, x = causal_model(), clip()
    stream = model.stream(*graph(), window=2)
    assert isinstance(stream, SkeletonStream)
    assert repr(stream) == "SkeletonStream(frames=0, stride=2, window=2)"
    assert stream.step(x[:, 0]).frame == 0


def test_models_that_cannot_stream():
    with pytest.raises(ValueError, match="model: expected causal=True"):
        SkeletonStream(causal_model(causal=False), *graph())
    with pytest.raises(ValueError, match="model: expected evaluation mode"):
        SkeletonStream(causal_model().train(), *graph())
    with pytest.raises(ValueError, match="model: expected a SkeletonSTGCN, got Linear"):
        SkeletonStream(torch.nn.Linear(2, 2).eval(), *graph())
    model = causal_model()
    stream = SkeletonStream(model, *graph())
    model.train()
    with pytest.raises(ValueError, match="model: expected evaluation mode"):
        stream.step(clip()[:, 0])


def test_frames_that_do_not_fit():
    model = causal_model()
    stream = SkeletonStream(model, *graph())
    with pytest.raises(ValueError, match=r"frame: expected \[num_nodes, \*, 2\], got \[4, 3\]"):
        stream.step(torch.zeros(4, 3).double())
    with pytest.raises(ValueError, match=r"x: expected a multiple of num_joints=4 nodes"):
        stream.step(torch.zeros(5, 2).double())
    with pytest.raises(ValueError, match="mask: expected shape"):
        stream.step(clip()[:, 0], torch.ones(3, dtype=torch.bool))
    stream.step(clip()[:, 0])
    with pytest.raises(ValueError, match=r"frame: expected \[4, 2\] as before, got \[4, 3, 2\]"):
        stream.step(clip(3)[..., 0, :])
    assert stream.frames == 1
    with pytest.raises(ValueError, match="window: expected at least 1 output"):
        SkeletonStream(model, *graph(), window=0)
    with pytest.raises(ValueError, match="batch: expected a long tensor"):
        SkeletonStream(model, *graph(), batch=torch.zeros(3).long()).step(clip()[:, 0])
    with pytest.raises(ValueError, match=r"person_dim: expected .* got 1 for frames of shape"):
        SkeletonStream(model, *graph(), person_dim=1).step(clip()[:, 0])


def test_states_that_do_not_fit():
    x = clip()
    stream = SkeletonStream(causal_model(), *graph())
    stream.step(x[:, 0])
    state = stream.state()
    with pytest.raises(ValueError, match="state: expected 'frames' among"):
        stream.load_state({})
    with pytest.raises(ValueError, match="state: expected the entries"):
        SkeletonStream(causal_model(), *graph(), response=True).load_state(state)
    other = SkeletonStream(causal_model(kernel_size=5), *graph())
    with pytest.raises(ValueError, match=r"window\.0 of shape \[\*, 4, 4\], got \[4, 2, 4\]"):
        other.load_state(state)
