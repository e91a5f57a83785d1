import pytest
import torch
from torch_geometric.data import Data

from tgst.nn.models import SkeletonSTGCN, convert
from tgst.nn.models.skeleton_ensemble import SkeletonEnsemble
from tgst.utils import Skeleton, repeat_graph

from . import released_stgcn

PARENT = [1, 1, 1, 2]  # a root and two branches
NAMES = ("joint", "bone", "joint_motion", "bone_motion", "motion")


class Seen(torch.nn.Module):
    """Keeps what it is given; its logits are the mean position."""

    def forward(self, x, edge_index, edge_type=None, edge_weight=None, **kwargs):
        self.x, self.edges, self.kwargs = x, (edge_index, edge_type, edge_weight), kwargs
        return x.mean(dim=(0, -2)) if x.dim() > 3 else x.mean(dim=(0, 1)).unsqueeze(0)


def clip(*lead, steps=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, *lead, steps, 3, generator=generator, dtype=torch.float64)


def by_hand(name, x, parent):
    """Streams of [V, ..., T, C], one joint and frame after the other."""
    if name.startswith("bone"):
        x = torch.stack([x[v] - x[p] for v, p in enumerate(parent)])
    if not name.endswith("motion"):
        return x
    out, last = torch.zeros_like(x), x.size(-2) - 1
    for t in range(last + 1):
        if name == "motion" and 0 < t < last:
            out[..., t, :] = x[..., t, :] - 0.5 * x[..., t - 1, :] - 0.5 * x[..., t + 1, :]
        if name != "motion" and t < last:
            out[..., t, :] = x[..., t + 1, :] - x[..., t, :]
    return out


def ensemble_of(*names, **kwargs):
    return SkeletonEnsemble({name: Seen() for name in names}, torch.tensor(PARENT), **kwargs)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
@pytest.mark.parametrize("name", NAMES)
def test_streams(name, lead):
    x = clip(*lead)
    ensemble = ensemble_of(name)
    edge_index = torch.tensor([[0], [1]])
    out = ensemble(x, edge_index)
    expected = by_hand(name, x, PARENT)
    torch.testing.assert_close(ensemble.models[name].x, expected)
    torch.testing.assert_close(out, Seen()(expected, edge_index))


@pytest.mark.parametrize("name", NAMES)
def test_streams_of_persons_in_one_graph(name):
    first, second = clip(seed=1), clip(seed=2)
    ensemble = ensemble_of(name)
    seen, mask = ensemble.stream(name, torch.cat([first, second]))
    assert mask is None
    expected = torch.cat([by_hand(name, x, PARENT) for x in (first, second)])
    torch.testing.assert_close(seen, expected)


def test_arguments_reach_every_network():
    ensemble = ensemble_of("joint", "motion")
    edges = tuple(torch.arange(2) for _ in range(3))
    batch, e_id = torch.zeros(4, dtype=torch.long), torch.arange(2)
    mask = torch.ones(4, 5, dtype=torch.bool)
    ensemble(clip(), *edges, batch, mask, e_id, 1, person=batch)
    for model in ensemble.models.values():
        assert all(given is sent for given, sent in zip(model.edges, edges, strict=True))
        assert model.kwargs["batch"] is batch
        assert model.kwargs["e_id"] is e_id
        assert model.kwargs["batch_size"] == 1
        assert model.kwargs["person"] is batch
    assert torch.equal(ensemble.models["joint"].kwargs["mask"], mask)
    assert ensemble.models["motion"].kwargs["mask"].sum(1).tolist() == [3] * 4


def test_weighted_sums():
    x, edge_index = clip(2), torch.tensor([[0], [1]])
    scores = {name: Seen()(by_hand(name, x, PARENT), edge_index) for name in NAMES}
    two = SkeletonEnsemble.two_stream(Seen(), Seen())
    torch.testing.assert_close(two(x, edge_index), scores["joint"] + scores["motion"])
    models = [Seen() for _ in range(4)]
    four = SkeletonEnsemble.four_stream(*models, parent=torch.tensor(PARENT))
    expected = 2 * scores["joint"] + 2 * scores["bone"]
    expected = expected + scores["joint_motion"] + scores["bone_motion"]
    torch.testing.assert_close(four(x, edge_index), expected)
    equal = SkeletonEnsemble.four_stream(*models, torch.tensor(PARENT), weights=(1, 1, 1, 1))
    torch.testing.assert_close(
        equal(x, edge_index), sum(scores[name] for name in NAMES if name != "motion")
    )


def test_sum_of_probabilities():
    x, edge_index = clip(2), torch.tensor([[0], [1]])
    ensemble = ensemble_of("joint", "bone", weights={"bone": 0.5}, fuse="probability")
    joint, bone = (Seen()(by_hand(n, x, PARENT), edge_index) for n in ("joint", "bone"))
    expected = joint.exp() / joint.exp().sum(-1, keepdim=True)
    expected = expected + 0.5 * bone.exp() / bone.exp().sum(-1, keepdim=True)
    torch.testing.assert_close(ensemble(x, edge_index), expected)


def test_parent_of_a_named_skeleton():
    skeleton = Skeleton.named("ntu-25")
    ensemble = SkeletonEnsemble({"bone": Seen()}, "ntu-25")
    x = torch.randn(25, 4, 3)
    torch.testing.assert_close(ensemble.stream("bone", x)[0], x - x[skeleton.parent])


def observed(name, mask):
    """The rule of the docstring, joint by joint."""
    if name.startswith("bone"):
        mask = torch.stack([mask[v] & mask[p] for v, p in enumerate(PARENT)])
    if not name.endswith("motion"):
        return mask
    needed = (-1, 0, 1) if name == "motion" else (0, 1)
    out, steps = torch.zeros_like(mask), mask.size(1)
    for t in range(steps):
        frames = [t + shift for shift in needed]
        if all(0 <= frame < steps for frame in frames):
            out[:, t] = mask[:, frames].all(1)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_masks(name):
    x = clip(steps=8)
    mask = torch.ones(4, 8, dtype=torch.bool)
    mask[2, 3] = mask[0, 6] = False
    mask[:, 5] = False
    x = x.masked_fill(~mask.unsqueeze(-1), float("nan"))
    seen, kept = ensemble_of(name).stream(name, x, mask)
    expected = observed(name, mask)
    assert torch.equal(kept, expected)
    values = by_hand(name, x, PARENT)
    torch.testing.assert_close(seen[kept], values[kept])
    assert (seen[~kept] == 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2])
def test_masks_of_very_short_clips(name, steps):
    mask = torch.ones(4, steps, dtype=torch.bool)
    seen, kept = ensemble_of(name).stream(name, clip(steps=steps), mask)
    assert torch.equal(kept, observed(name, mask))
    assert seen.shape == (4, steps, 3)


def small_ensemble():
    torch.manual_seed(3)
    models = {
        name: SkeletonSTGCN(3, 4, 1, channels=(4, 6), strides=(1, 2), kernel_size=3, data_norm=None)
        for name in NAMES
    }
    return SkeletonEnsemble(models, torch.tensor(PARENT)).double().eval()


def tree():
    edge_index = torch.tensor([[1, 1, 2, 0, 1, 2, 3], [0, 2, 3, 0, 1, 2, 3]])
    weight = torch.rand(7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Data(edge_index=edge_index, edge_weight=weight, num_nodes=4)


def test_padded_clip_equals_the_clip_alone():
    ensemble, graph, x = small_ensemble(), tree(), clip(steps=7)
    mask = torch.ones(4, 7, dtype=torch.bool)
    alone = ensemble(x, graph.edge_index, None, graph.edge_weight, mask=mask)
    padded = torch.nn.functional.pad(x, (0, 0, 0, 4))
    seen = torch.nn.functional.pad(mask, (0, 4))
    out = ensemble(padded, graph.edge_index, None, graph.edge_weight, mask=seen)
    torch.testing.assert_close(out, alone, rtol=1e-12, atol=1e-12)


def test_clips_of_several_persons_in_one_batch():
    ensemble, graph = small_ensemble(), repeat_graph(tree(), 2)
    clips = [torch.cat([clip(seed=i), clip(seed=i + 9)]) for i in range(3)]
    alone = [ensemble(x, graph.edge_index, None, graph.edge_weight) for x in clips]
    index = torch.cat([graph.edge_index + 8 * i for i in range(3)], dim=1)
    batch = torch.arange(3).repeat_interleave(8)
    out = ensemble(torch.cat(clips), index, None, graph.edge_weight.repeat(3), batch=batch)
    torch.testing.assert_close(out, torch.cat(alone), rtol=1e-12, atol=1e-12)


def test_released_two_stream_form():
    streams = {
        "origin_stream": released_stgcn.random_state(seed=1),
        "motion_stream": released_stgcn.random_state(seed=2),
    }
    streams["motion_stream"]["A"] = streams["origin_stream"]["A"]
    state = {f"{s}.{name}": value for s, part in streams.items() for name, value in part.items()}
    x = torch.randn(2, 3, 10, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    motion = torch.zeros_like(x)
    motion[:, :, 1:-1] = x[:, :, 1:-1] - 0.5 * x[:, :, 2:] - 0.5 * x[:, :, :-2]
    expected = released_stgcn.logits(streams["origin_stream"], x)
    expected = expected + released_stgcn.logits(streams["motion_stream"], motion)
    converted = convert.from_stgcn(state, dtype=torch.float64)
    assert isinstance(converted.model, SkeletonEnsemble)
    assert converted.family == "two-stream"
    graph = converted.data(persons=2)
    for i in range(2):
        clip_nodes = x[i].permute(3, 2, 1, 0).flatten(0, 1)  # person-major
        out = converted.model(
            clip_nodes, graph.edge_index, graph.edge_type, graph.edge_weight, e_id=graph.e_id
        )
        torch.testing.assert_close(out[0], expected[i], rtol=1e-9, atol=1e-9)


def test_device_copy_and_reset():
    ensemble = small_ensemble()
    assert not any("parent" in name for name in ensemble.state_dict())
    before = [parameter.clone() for parameter in ensemble.parameters()]
    ensemble.reset_parameters()
    changed = [not torch.equal(a, b) for a, b in zip(before, ensemble.parameters(), strict=True)]
    assert any(changed)
    assert ensemble.half().parent.dtype == torch.long
    assert repr(ensemble_of("joint", "bone", weights={"bone": 2})) == (
        "SkeletonEnsemble(joint=1, bone=2, fuse='logits')"
    )


def test_errors():
    parent = torch.tensor(PARENT)
    with pytest.raises(ValueError, match=r"models: expected some of .* got \['bones'\]"):
        SkeletonEnsemble({"bones": Seen()})
    with pytest.raises(ValueError, match="models: expected some of"):
        SkeletonEnsemble({})
    with pytest.raises(ValueError, match=r"weights: .* got \['bone'\]"):
        SkeletonEnsemble({"joint": Seen()}, weights={"bone": 2.0})
    with pytest.raises(ValueError, match="parent: needed for the bone streams"):
        SkeletonEnsemble({"bone": Seen()})
    with pytest.raises(
        ValueError, match=r"parent: expected joints in 0\.\.3 \(a root is its own\), got 0\.\.4"
    ):
        SkeletonEnsemble({"bone": Seen()}, torch.tensor([0, 4, 1, 2]))
    with pytest.raises(ValueError, match=r"parent: expected joints in 0\.\.3 .* got -1\.\.2"):
        SkeletonEnsemble({"bone": Seen()}, torch.tensor([-1, 0, 1, 2]))
    with pytest.raises(
        ValueError, match=r"parent: expected a long tensor .* got torch.float32 \[4\]"
    ):
        SkeletonEnsemble({"bone": Seen()}, torch.tensor([0.0, 0, 1, 2]))
    with pytest.raises(ValueError, match="fuse: expected"):
        SkeletonEnsemble({"joint": Seen()}, fuse="vote")
    with pytest.raises(ValueError, match="x: expected 4 joints per person"):
        SkeletonEnsemble({"bone": Seen()}, parent)(torch.zeros(6, 5, 3), torch.zeros(2, 0).long())
    with pytest.raises(ValueError, match=r"mask: expected shape \[4, 5\], got \[4, 4\]"):
        SkeletonEnsemble({"joint": Seen()}).stream("joint", clip(), torch.ones(4, 4).bool())
