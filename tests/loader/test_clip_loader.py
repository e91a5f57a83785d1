from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tgst.loader import ClipLoader, ClipViews
from tgst.loader.clip_loader import stack_clips


class Noise(torch.nn.Module):
    def forward(self, data):
        data.x = data.x + torch.randn(data.x.shape)
        return data


def clips(number=10, nodes=2, frames=3):
    return [
        Data(x=torch.full((nodes, frames, 1), float(i)), y=torch.tensor([i])) for i in range(number)
    ]


def seen(loader):
    return [(batch.clip.tolist(), batch.x) for batch in loader]


def assert_same(one, two):
    assert [numbers for numbers, _ in one] == [numbers for numbers, _ in two]
    for (_, x), (_, other) in zip(one, two, strict=True):
        assert torch.equal(x, other)


def test_clips_are_stacked_behind_the_nodes_and_padded():
    long = Data(x=torch.arange(6.0).view(1, 3, 2), mask=torch.tensor([[True, False, True]]))
    short = Data(x=torch.tensor([[[7.0, 8.0]]]), y=torch.tensor([4]))
    views = ClipViews([long, short])
    batch = stack_clips([views[0], views[1]])
    assert batch.x.tolist() == [[[[0, 1], [2, 3], [4, 5]], [[7, 8], [0, 0], [0, 0]]]]
    assert batch.mask.tolist() == [[[True, False, True], [True, False, False]]]
    assert batch.y.tolist() == [-1, 4]
    assert batch.clip.tolist() == [0, 1]


def test_views_of_a_clip_follow_one_another():
    batch = stack_clips([ClipViews(clips(2), num_views=3)[i] for i in range(2)])
    assert batch.x[0, :, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert batch.y.tolist() == [0, 1]
    noisy = ClipViews(clips(2), Noise(), num_views=2)[1]
    assert not torch.equal(noisy[0].x, noisy[1].x)


def test_clips_of_different_graphs_are_refused():
    with pytest.raises(ValueError, match=r"got x of shapes \(2, 3, 1\) and \(4, 3, 1\)"):
        stack_clips([[clip] for clip in (*_numbered(clips(1)), *_numbered(clips(1, nodes=4)))])


def _numbered(given):
    return ClipViews(given)[0]


def test_no_clips_or_views_are_refused():
    with pytest.raises(ValueError, match="clips: expected at least one clip, got none"):
        ClipViews([])
    with pytest.raises(ValueError, match="num_views must be at least 1, got 0"):
        ClipViews(clips(), num_views=0)


def test_workers_that_stay_are_refused():
    with pytest.raises(ValueError, match=r"persistent_workers: expected False, .*, got True"):
        ClipLoader(ClipViews(clips()), num_workers=1, persistent_workers=True)


@pytest.mark.parametrize("workers", [0, 2])
def test_order_and_views_depend_on_seed_and_epoch_only(workers):
    def loader(seed=3, workers=0):
        views = ClipViews(clips(), Noise(), seed=seed)
        return ClipLoader(views, batch_size=4, shuffle=True, seed=seed, num_workers=workers)

    first = loader()
    epochs = [seen(first), seen(first)]
    assert sorted(number for numbers, _ in epochs[0] for number in numbers) == list(range(10))
    assert [n for n, _ in epochs[0]] != [n for n, _ in epochs[1]]
    torch.rand(7)
    second = loader(workers=workers)
    second.load_state_dict({"epoch": 1, "position": 0})
    assert_same(seen(second), epochs[1])
    other = seen(loader(seed=4))
    assert [n for n, _ in other] != [n for n, _ in epochs[0]]


def test_a_clip_looks_different_in_every_epoch_whatever_its_place():
    views = ClipViews(clips(), Noise())
    here = views[5][0].x
    views[1], torch.rand(3)
    assert torch.equal(views[5][0].x, here)
    views.epoch = 1
    assert not torch.equal(views[5][0].x, here)
    assert torch.equal(views.clips[5].x, clips()[5].x)


def test_the_global_random_state_is_put_back():
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    ClipViews(clips(), Noise())[2]
    assert torch.equal(torch.rand(1), expected)


def test_resumes_within_an_epoch():
    def loader():
        return ClipLoader(ClipViews(clips(), Noise()), batch_size=3, shuffle=True, seed=1)

    whole = seen(loader())
    stopped = loader()
    batches = iter(stopped)
    next(batches), next(batches)
    state = stopped.state_dict()
    assert state == {"epoch": 0, "position": 2}
    resumed = loader()
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state
    assert_same(seen(resumed), whole[2:])
    assert resumed.state_dict() == {"epoch": 1, "position": 0}
