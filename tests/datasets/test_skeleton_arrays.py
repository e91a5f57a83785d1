import numpy as np
import pytest
import torch

from tests.datasets.test_skeleton_clips import CHAIN, STAR, positions
from tgst.datasets import SkeletonArrays
from tgst.transforms import UniformPartition


def test_arrays_and_tensors():
    clips = [positions(2, 4), torch.from_numpy(positions(1, 5))[0]]
    dataset = SkeletonArrays(clips, [1, 0], skeleton=CHAIN, partition=UniformPartition())
    assert dataset[0].x.shape == (6, 4, 2)
    assert dataset[0].x[4, 2].tolist() == [1211, 1212]
    assert dataset[1].x.shape == (3, 5, 2)
    assert dataset[1].x[2, 3].tolist() == [321, 322]
    assert dataset.y.tolist() == [1, 0]
    assert dataset.names == ["0", "1"]
    assert dataset.subjects == [None, None]
    assert dataset[0].mask.all()


def test_what_is_known_of_the_clips():
    dataset = SkeletonArrays(
        [positions(1, 4), positions(1, 6)],
        torch.tensor([1, 0]),
        skeleton=CHAIN,
        class_names=["sit", "run"],
        names=["k", "l"],
        subjects=np.array([4, 9]),
    )
    assert dataset.names == ["k", "l"]
    assert dataset.subjects == [4, 9]
    assert dataset[1].subject == 9
    assert dataset.class_names == ["sit", "run"]


def test_labels_one_by_one():
    clips = [positions(1, 4)] * 4
    dataset = SkeletonArrays(
        clips, [1, np.int8(0), torch.tensor(2), np.array(1)[()]], skeleton=CHAIN
    )
    assert dataset.y.tolist() == [1, 0, 2, 1]


def test_a_tensor_with_gradients():
    clip = torch.from_numpy(positions(1, 4)).requires_grad_()
    dataset = SkeletonArrays([clip], skeleton=CHAIN)
    assert torch.equal(dataset[0].x, clip[0].transpose(0, 1))
    assert not dataset[0].x.requires_grad


def test_whole_numbers_and_no_labels():
    dataset = SkeletonArrays([np.arange(24).reshape(1, 4, 3, 2)], skeleton=CHAIN)
    assert dataset[0].x.dtype == torch.float32
    assert dataset[0].x[0, 1].tolist() == [6, 7]
    assert dataset.y is None


def zeros():
    values = positions(2, 3)
    values[0, 1] = 0  # a frame
    values[0, 2, 0] = 0  # a joint
    values[1] = 0  # a person
    return values


@pytest.mark.parametrize(
    ("kind", "mask"),
    [
        ("frames", [[True, False, True]] * 3),
        ("joints", [[True, False, False], [True, False, True], [True, False, True]]),
        (None, [[True] * 3] * 6),
    ],
)
def test_zeros(kind, mask):
    data = SkeletonArrays([zeros()], [0], skeleton=CHAIN, zeros=kind)[0]
    assert data.mask.tolist() == mask


def test_masks():
    mask = np.ones((1, 3, 3), dtype=bool)
    mask[0, 1, 2] = False
    for observed in (mask, torch.from_numpy(mask[0])):
        data = SkeletonArrays([positions(1, 3)], [0], skeleton=CHAIN, observed=[observed])[0]
        assert data.mask.tolist() == [[True] * 3, [True] * 3, [True, False, True]]
        assert data.x[2].tolist() == [[21, 22], [0, 0], [221, 222]]


def test_joints_that_are_no_numbers():
    values = positions(2, 3)
    values[1, 2, 0, 1] = np.nan
    message = r"clip 'k': expected finite positions, got .*nan.* person 1, frame 2, joint 0"
    with pytest.raises(ValueError, match=message):
        SkeletonArrays([values], [0], skeleton=CHAIN, names=["k"])
    data = SkeletonArrays([values], [0], skeleton=CHAIN, nan="unobserved")[0]
    assert data.mask[3].tolist() == [True, True, False]
    assert data.mask.sum() == 17
    assert data.x[3, 2].tolist() == [0, 0]
    values[0, 1] = np.nan
    data = SkeletonArrays([values], [0], skeleton=CHAIN, nan="unobserved")[0]
    assert not data.mask[:3, 1].any()
    assert data.x.isfinite().all()


def test_joints_without_a_number_that_the_mask_leaves_out():
    values = positions(1, 2)
    values[0, 1, 2] = np.inf
    seen = np.isfinite(values).all(-1)
    data = SkeletonArrays([values], [0], skeleton=CHAIN, observed=[seen])[0]
    assert data.x[2].tolist() == [[21, 22], [0, 0]]


def test_clips_of_zeros():
    clips = [np.zeros((1, 4, 3, 2)), positions(1, 4)]
    dataset = SkeletonArrays(clips, [0, 1], skeleton=CHAIN)
    assert dataset.names == ["1"]
    assert dataset.dropped == ["0"]
    kept = SkeletonArrays(clips, [0, 1], skeleton=CHAIN, empty="keep")
    assert not kept[0].mask.any()


def test_several_layouts():
    dataset = SkeletonArrays([positions(1, 4), positions(1, 4, 4)], [0, 1], skeleton=[CHAIN, STAR])
    assert [data.num_nodes for data in dataset] == [3, 4]
    assert dataset[1].e_id.tolist() == [4, 5, 6, 7, 8, 9]


ONE = [np.ones((1, 4, 3, 2))]


@pytest.mark.parametrize(
    ("clips", "arguments", "message"),
    [
        (
            [np.ones((1, 4, 5, 2))],
            {},
            "clip '0': expected the 3 joints of skeleton 'chain-3', got 5",
        ),
        ([np.ones((1, 0, 3, 2))], {}, "clip '0': expected at least one frame, got none"),
        ([np.ones((4, 3))], {}, r"clip '0': expected numbers .* got float64 of \(4, 3\)"),
        ([np.full((4, 3, 2), "a")], {}, r"clip '0': expected numbers .* got <U1 of \(4, 3, 2\)"),
        (ONE, {"labels": [0, 1]}, "labels: expected one for each of the 1 clips, got 2"),
        (ONE, {"labels": [0.5]}, r"labels\[0\]: expected an integer, got 0.5"),
        (ONE, {"labels": [True]}, r"labels\[0\]: expected an integer, got True"),
        (ONE, {"labels": ["wave"]}, r"labels\[0\]: expected an integer, got 'wave'"),
        (ONE, {"labels": np.array([np.nan])}, r"labels\[0\]: expected an integer, got nan"),
        (ONE, {"labels": torch.eye(1)}, r"labels\[0\]: expected an integer, got \[1.0\]"),
        (ONE, {"subjects": [1.5]}, r"subjects\[0\]: expected an integer, got 1.5"),
        (ONE, {"labels": [-1]}, "clip '0': expected a label >= 0, got -1"),
        (ONE, {"labels": [2], "num_classes": 2}, "clip '0': expected a label in 0..1, got 2"),
        (ONE, {"names": []}, "names: expected one for each of the 1 clips, got 0"),
        (
            ONE,
            {"observed": [np.ones((4, 3))]},
            r"observed: .* \(1, 4, 3\) .* got float64 of \(4, 3\)",
        ),
        (ONE, {"zeros": "all"}, "zeros: expected one of .* got 'all'"),
        (ONE, {"nan": "zero"}, "nan: expected one of .* got 'zero'"),
    ],
)
def test_errors(clips, arguments, message):
    with pytest.raises(ValueError, match=message):
        SkeletonArrays(clips, skeleton=CHAIN, **arguments)
