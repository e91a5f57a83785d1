from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.train.tiny_images import bands, image_data, write_images
from tgst.datasets import ClutteredMNIST
from tgst.train import ImageData
from tgst.transforms.images import RandomAffine, RandomNoise


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


def numbers(loader):
    return torch.cat([batch.image for batch in loader]).tolist()


def test_parts(root):
    data = image_data(root)
    data.setup()
    assert (data.num_channels, data.image_size, data.validates) == (1, (40, 40), True)
    assert data.class_names == list("0123456789")
    train, val = data.train_dataloader().images, data.val_dataloader().images
    assert (len(train), len(val), len(data.test_dataloader().images)) == (32, 8, 20)
    whole = ClutteredMNIST(root).images
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert torch.equal(val, whole[order[:8].sort().values])
    assert torch.equal(train, whole[order[8:].sort().values])
    other = image_data(root, seed=1)
    other.setup("fit")
    assert torch.equal(other.val_dataloader().images, val)  # the same ones in every run
    test = torch.cat([batch.x for batch in data.test_dataloader()])
    assert torch.equal(test.flatten(1), torch.from_numpy(bands(20, seed=1)[0]))


def test_the_last_images_validate(root):
    data = image_data(root, validation_share=0.25, validation_order="last")
    data.setup("fit")
    whole = ClutteredMNIST(root)
    assert torch.equal(data.val_dataloader().images, whole.images[30:])
    assert torch.equal(data.train_dataloader().labels, whole.labels[:30])
    assert data.trained_on == "30 images (validation_share 0.25, last)"


def test_without_a_share_everything_is_trained_on(root):
    data = image_data(root, validation_share=0.0)
    data.setup("fit")
    assert len(data.train_dataloader().images) == 40
    assert (data.val_dataloader(), data.validates, data.trained_on) == ([], False, "40 images")
    assert torch.equal(data.shown_images(3), ClutteredMNIST(root).images[:3])


def test_the_order_follows_from_seed_and_epoch(root):
    def orders(seed):
        data = image_data(root, seed=seed)
        data.setup("fit")
        loader = data.train_dataloader()
        return numbers(loader), numbers(loader)

    assert orders(0) == orders(0)
    assert orders(0)[0] != orders(0)[1]
    assert orders(0)[0] != orders(1)[0]


def test_the_last_smaller_batch_is_left_out_of_training(root):
    for drop, expected in ((True, [12, 12]), (False, [12, 12, 8])):
        data = image_data(root, batch_size=12, drop_last=drop)
        data.setup("fit")
        assert [len(batch.y) for batch in data.train_dataloader()] == expected
    data = image_data(root, batch_size=50)
    data.setup("fit")
    assert [len(batch.y) for batch in data.train_dataloader()] == [32]  # else there were none


def test_only_training_batches_are_augmented(root):
    data = image_data(root, augment=[RandomAffine(shift=2), RandomNoise(0.1)])
    data.setup("fit")
    batch = next(iter(data.val_dataloader()))
    data.trainer = SimpleNamespace(training=False)
    assert data.on_after_batch_transfer(batch, 0) is batch
    data.trainer = SimpleNamespace(training=True)
    torch.manual_seed(3)
    augmented = data.on_after_batch_transfer(batch, 0)
    torch.manual_seed(3)
    expected = RandomNoise(0.1)(RandomAffine(shift=2)(batch.x))
    assert torch.equal(augmented.x, expected)
    assert torch.equal(augmented.y, batch.y)
    noted = data.augmented(batch._replace(x=batch.x.clone().requires_grad_()))
    assert not noted.x.requires_grad
    data.trainer = None
    assert data.on_after_batch_transfer(batch, 0) is batch


def test_images_to_predict(root, tmp_path):
    data = image_data(root)
    data.setup("predict")
    assert numbers(data.predict_dataloader()) == list(range(20))
    x, _ = bands(3, seed=9)
    np.save(tmp_path / "own.npy", x)
    data = image_data(root, input=str(tmp_path / "own.npy"))
    data.setup("predict")
    (batch,) = data.predict_dataloader()
    assert torch.equal(batch.x.flatten(1), torch.from_numpy(x))
    assert batch.y.tolist() == [-1] * 3


def own(count, classes=("a", "b"), size=6):
    images = torch.rand(count, 3, size, size)
    labels = torch.arange(count) % len(classes)
    return SimpleNamespace(images=images, labels=labels, class_names=classes)


def test_images_that_are_there_already():
    train, test = own(10), own(4)
    data = ImageData.from_images(train, test, validation_share=0.2)
    data.setup()
    assert (data.num_channels, data.image_size, data.class_names) == (3, (6, 6), ["a", "b"])
    assert len(data.train_dataloader().images) == 8
    assert torch.equal(data.test_dataloader().images, test.images)


@pytest.mark.parametrize("test", [own(4, classes=("a", "c")), own(4, size=7)])
def test_both_parts_must_be_alike(test):
    data = ImageData.from_images(own(10), test)
    with pytest.raises(ValueError, match="test: expected the classes, channels and size of the ot"):
        data.setup()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "mnist"}, "dataset must be one of cluttered_mnist, got 'mnist'"),
        ({"validation_share": 1.0}, r"validation_share must be in \[0, 1\), got 1.0"),
        (
            {"validation_order": "first"},
            "validation_order must be one of random, last, got 'first'",
        ),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"eval_batch_size": 0}, "eval_batch_size must be at least 1, got 0"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageData(**arguments)


def test_a_share_must_leave_images_on_both_sides(root):
    data = image_data(root, validation_share=0.01)
    with pytest.raises(ValueError, match="must leave images on both sides, got 0 of 40 for valida"):
        data.setup("fit")


def test_a_root_is_needed():
    with pytest.raises(ValueError, match=r"is read from a folder: root \(--root DIR\) is missing"):
        ImageData().setup("fit")
