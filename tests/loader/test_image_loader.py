from __future__ import annotations

import pytest
import torch

from tgst.loader import ImageLoader

IMAGES = torch.arange(10.0).view(10, 1, 1, 1).expand(10, 1, 2, 3).contiguous()
LABELS = torch.arange(10) % 3


def test_batches_in_order():
    batches = list(ImageLoader(IMAGES, LABELS, batch_size=4))
    assert [batch.image.tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    for batch in batches:
        assert torch.equal(batch.x, IMAGES[batch.image])
        assert torch.equal(batch.y, LABELS[batch.image])


def test_the_order_follows_from_seed_and_epoch():
    def orders(seed, epochs=2):
        loader = ImageLoader(IMAGES, LABELS, batch_size=4, shuffle=True, seed=seed)
        return [torch.cat([batch.image for batch in loader]).tolist() for _ in range(epochs)]

    first, second = orders(0)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert orders(0) == [first, second]
    assert orders(1)[0] != first


def test_it_continues_where_it_was_stopped():
    loader = ImageLoader(IMAGES, LABELS, batch_size=3, shuffle=True)
    expected = [batch.image.tolist() for batch in loader]
    loader = ImageLoader(IMAGES, LABELS, batch_size=3, shuffle=True)
    iterator = iter(loader)
    next(iterator)
    state = loader.state_dict()
    again = ImageLoader(IMAGES, LABELS, batch_size=3, shuffle=True)
    again.load_state_dict(state)
    assert [batch.image.tolist() for batch in again] == expected[1:]


def test_images_without_labels_and_volumes():
    volumes = torch.rand(3, 1, 2, 2, 2)
    (batch,) = ImageLoader(volumes)
    assert batch.y.tolist() == [-1, -1, -1]
    assert torch.equal(batch.x, volumes)


def test_trainers_can_build_it_again_with_another_sampler():
    loader = ImageLoader(IMAGES, LABELS, batch_size=2, drop_last=True)
    given = {"dataset": loader.dataset, "sampler": [7, 2, 5], "batch_size": 2, "drop_last": True}
    (batch,) = ImageLoader(loader.images, loader.labels, shuffle=loader.shuffle, **given)
    assert batch.image.tolist() == [7, 2]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(3, 4), None, r"images: expected shape \[N, C, H, W\] or \[N, C, D, H, W\], "),
        (IMAGES, LABELS[:9], r"labels: expected torch.int64 of shape \[10\], got torch.int64 of s"),
        (IMAGES, LABELS.float(), "labels: expected torch.int64 .* got torch.float32 of shape"),
    ],
)
def test_mistakes_are_named(images, labels, message):
    with pytest.raises(ValueError, match=message):
        ImageLoader(images, labels)
