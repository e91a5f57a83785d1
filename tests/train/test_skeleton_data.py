from __future__ import annotations

import pytest
import torch

from tests.datasets.ntu_files import write_sample
from tests.train.tiny_skeleton import Noise, clips, skeleton_data
from tgst.train import SkeletonData
from tgst.transforms.clips import ResampleTime, Streams
from tgst.utils.skeleton import Skeleton


class Counted(torch.nn.Module):
    r"""Counts how often it is asked."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, data):
        self.calls += 1
        return data


def names(part):
    return {clip.name for clip in part}


def test_subjects_that_are_held_out_validate():
    data = skeleton_data()
    data.setup("fit")
    data.setup("test")
    assert (len(data._parts["train"]), len(data._parts["val"]), len(data._parts["test"])) == (
        32,
        8,
        40,
    )
    assert {clip.subject for clip in data._parts["val"]} == {9}
    assert {clip.subject for clip in data._parts["train"]} == {1, 3, 5, 7}
    assert {clip.subject for clip in data._parts["test"]} == {2, 4, 6, 8, 10}
    assert data.trained_on == "32 clips of the subjects 1, 3, 5, 7"
    assert (data.num_partitions, data.num_channels, data.graph.num_edges) == (3, 3, 58)
    assert torch.equal(data.graph.e_id, torch.arange(58))


def test_without_validation_all_training_clips_are_trained_on():
    data = skeleton_data(validation_subjects=None)
    data.setup("fit")
    assert len(data._parts["train"]) == 40
    assert data.val_dataloader() == []


def test_a_share_is_held_out_whatever_the_seed():
    parts = []
    for seed in (0, 1):
        data = skeleton_data(validation_subjects=None, validation_share=0.25, seed=seed)
        data.setup("fit")
        parts.append({part: names(data._parts[part]) for part in ("train", "val")})
    assert parts[0] == parts[1]
    assert (len(parts[0]["train"]), len(parts[0]["val"])) == (30, 10)
    assert not parts[0]["train"] & parts[0]["val"]


def test_where_each_transform_is_applied():
    once, evaluated = Counted(), Counted()
    data = skeleton_data(
        pre_transform=[once, ResampleTime(24)],
        transform=[Noise()],
        eval_transform=[evaluated, Streams(["joint", "bone"], "kinect-20")],
        num_test_clips=3,
    )
    for stage in ("fit", "test"):
        data.setup(stage)
    assert once.calls == 80
    evaluated.calls = 0
    train = next(iter(data.train_dataloader()))
    assert train.x.shape == (20, 8, 24, 3)
    assert not torch.equal(train.x[:, 0], data._parts["train"][train.clip[0]].x)
    (val,) = data.val_dataloader()
    assert val.x.shape == (20, 8, 24, 6)
    test = next(iter(data.test_dataloader()))
    assert (test.x.shape, test.y.shape) == ((20, 8 * 3, 24, 6), (8,))
    assert evaluated.calls == 8 + 8 * 3
    assert (once.calls, data.num_channels) == (80, 6)


def test_random_views_of_a_test_are_the_same_each_time():
    data = skeleton_data(eval_transform=[Noise()], num_test_clips=2)
    data.setup("test")
    one, two = (next(iter(data.test_dataloader())).x for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one[:, 0], one[:, 1])


def test_clips_that_are_not_kept_are_the_same():
    kept, read = skeleton_data(pre_transform=[ResampleTime(24)]), Counted()
    fresh = skeleton_data(pre_transform=[read, ResampleTime(24)], in_memory=False)
    batches = []
    for data in (kept, fresh):
        data.setup("fit")
        batches.append(next(iter(data.train_dataloader())))
    assert torch.equal(batches[0].x, batches[1].x)
    assert read.calls < 40


def test_own_clips():
    data = SkeletonData.from_clips(clips(), clips("test"), batch_size=8)
    data.setup()
    assert data.class_names[3] == "clap hands"
    assert data.num_partitions == 1
    assert next(iter(data.test_dataloader())).x.size(1) == 8


def test_parts_must_have_the_same_classes():
    test = clips("test")
    test.class_names = [f"class {number}" for number in range(8)]
    data = SkeletonData.from_clips(clips(), test)
    with pytest.raises(ValueError, match="class_names: expected those of the other part"):
        data.setup()


def test_other_input_needs_no_data_set(tmp_path):
    write_sample(tmp_path, "alone", frames=4)
    data = SkeletonData("msr_action3d", input=str(tmp_path), num_persons=2)
    data.describe(clips().skeleton, ["a", "b"])
    with pytest.raises(ValueError, match="has 25 joints, but the model knows the 20 of kinect-20"):
        data.setup("predict")


def test_other_input_is_read_as_the_data_set_was(tmp_path):
    write_sample(tmp_path, "pair", frames=4, persons=2)
    given = {"dataset_args": {"bodies": "file_order", "test_num_bodies": 1}, "num_persons": 2}
    first = []
    for arguments in ({}, {"bodies": "energy", "num_bodies": 2}):
        data = SkeletonData("ntu_rgbd", input=str(tmp_path), input_args=arguments, **given)
        data.describe(Skeleton.named("ntu-25"), ["a", "b"])
        data.setup("predict")
        clip = data.items.clips[0]
        first.append((len(clip.positions), float(clip.positions[0, 0, 0, 0])))
    assert first == [(1, 1.0), (2, 2.0)]
    data.describe(Skeleton.named("ntu-25"), ["a", "b"], extent=0.1)
    with pytest.raises(ValueError, match=r"trained on clips of up to 0.1, in another unit"):
        data.setup("predict")


def test_the_extent_of_the_training_clips():
    data = skeleton_data()
    data.setup("fit")
    largest = max(clip.x[..., :2].abs().max().item() for clip in data._parts["train"])
    assert data.extent == largest


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dataset": "ucf"}, "dataset must be one of kinetics, .*, utkinect, got 'ucf'"),
        ({"validation_share": 1.0}, r"validation_share must be in \[0, 1\), got 1.0"),
        ({"validation_share": 0.1}, "validation_share must be 0 beside validation_subjects"),
    ],
)
def test_arguments_that_are_not_possible(kwargs, message):
    with pytest.raises(ValueError, match=message):
        skeleton_data(**kwargs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"validation_subjects": [2]}, r"training subjects \[1, 3, 5, 7, 9\], got \[2\]"),
        ({"validation_subjects": [1, 3, 5, 7, 9]}, "leave clips on both sides, got 40 of 40"),
        ({"dataset": "msr_action3d", "dataset_args": {}}, "read from a folder: root .* missing"),
        ({"dataset_args": {"days": 3}}, "'simulated' takes split, repetitions, .*, got days"),
    ],
)
def test_data_that_do_not_fit(kwargs, message):
    with pytest.raises(ValueError, match=message):
        skeleton_data(**kwargs).setup("fit")


def test_arguments_for_one_part():
    data = skeleton_data(dataset_args={"train_repetitions": 1, "test_repetitions": 2})
    data.setup()
    assert (len(data._parts["train"]), len(data._parts["test"])) == (32, 80)
