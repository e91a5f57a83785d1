"""What holds for every transform of clips."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform

import tgst.transforms
from tests.transforms.clips.made import JOINTS, make_clip
from tgst.loader import PadTime
from tgst.transforms import clips

NAME = "kinect-20"
# Those that keep the number of frames, then those that change it.
SAME_LENGTH: dict[str, BaseTransform] = {
    "BodyFrame": clips.BodyFrame(NAME),
    "BoneLength": clips.BoneLength(NAME, [0.3] * JOINTS),
    "CenterRoot": clips.CenterRoot(NAME),
    "CenterRoot of first frame": clips.CenterRoot(NAME, per="first_frame"),
    "CenterRoot of each": clips.CenterRoot(NAME, per="clip", person="each"),
    "ConfidenceMask": clips.ConfidenceMask(1.0),
    "FrameDropout": clips.FrameDropout(0.3),
    "Interpolate": clips.Interpolate(),
    "JointDropout": clips.JointDropout(0.3),
    "JointDropout per frame": clips.JointDropout(0.3, per="frame"),
    "JointNoise": clips.JointNoise(),
    "JointNoise shared": clips.JointNoise(size="clip", shared=True),
    "NormalizeImage": clips.NormalizeImage(),
    "NormalizeImage to box": clips.NormalizeImage(None, None),
    "RandomFlip": clips.RandomFlip(NAME, p=1.0),
    "RandomFlip about mean": clips.RandomFlip(NAME, p=1.0, about="mean"),
    "RandomMove": clips.RandomMove(),
    "RandomRotation": clips.RandomRotation(),
    "RandomScale": clips.RandomScale(),
    "RandomShear": clips.RandomShear(),
    "RandomShift": clips.RandomShift(),
    "SmoothTime": clips.SmoothTime(),
    "Streams": clips.Streams(["joint", "bone", "joint_motion", "bone_motion"], NAME),
}
OTHER_LENGTH: dict[str, BaseTransform] = {
    "AutoPadding": clips.AutoPadding(20, random_position=True),
    "DropEmptyFrames": clips.DropEmptyFrames(),
    "RandomChoose": clips.RandomChoose(7),
    "ResampleTime": clips.ResampleTime(20),
    "ResampleTime nearest": clips.ResampleTime(5, mode="nearest"),
    "TemporalCrop": clips.TemporalCrop(9, min_length=2),
    "UniformSample": clips.UniformSample(5),
    "UniformSample for tests": clips.UniformSample(8, num_clips=3),
}
ALL = {**SAME_LENGTH, **OTHER_LENGTH}


@pytest.fixture(params=list(ALL))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def _same(one: Data, other: Data) -> bool:
    return torch.equal(one.x, other.x) and torch.equal(one.mask, other.mask)


def test_every_transform_is_listed() -> None:
    listed = {type(transform).__name__ for transform in ALL.values()}
    assert listed == set(clips.__all__) - {"bone_lengths"}
    assert set(clips.__all__) < set(tgst.transforms.__all__)


def test_input_is_left_alone(name: str) -> None:
    data = make_clip()
    before = copy.deepcopy(data)
    out = ALL[name](data)
    assert out is not data
    assert sorted(data.keys()) == sorted(before.keys())
    for key, value in before.to_dict().items():
        same = torch.equal(data[key], value) if torch.is_tensor(value) else data[key] == value
        assert same, key


def test_only_joints_and_mask_change(name: str) -> None:
    data = make_clip()
    out = ALL[name](data)
    for key in data.keys():  # noqa: SIM118
        assert key in ("x", "mask") or out[key] is data[key]
    assert sorted(out.keys()) == sorted(data.keys())


def test_mask_fits_and_what_is_not_observed_is_zero(name: str) -> None:
    for seed in range(3):
        out = ALL[name](make_clip(missing=0.4, seed=seed))
        assert out.mask.shape == out.x.shape[:-1]
        assert out.mask.dtype == torch.bool
        assert out.mask.any()
        assert bool((out.x[~out.mask] == 0).all())
        assert out.x.dtype == torch.float32


@pytest.mark.parametrize("name", SAME_LENGTH)
def test_number_of_frames_stays(name: str) -> None:
    assert ALL[name](make_clip(frames=11)).x.size(-2) == 11


def test_same_seed_same_clip(name: str) -> None:
    data = make_clip()
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        drawn.append(ALL[name](data))
    assert _same(*drawn)


def test_random_ones_differ_and_take_the_global_generator(name: str) -> None:
    data = make_clip(frames=16)
    data.mask[:, :4] = False
    data.x[:, :4] = 0
    state = torch.get_rng_state()
    first = ALL[name](data)
    drawn = not torch.equal(state, torch.get_rng_state())
    is_random = name.startswith(("Random", "Joint", "Frame", "AutoPadding", "TemporalCrop"))
    assert drawn == (is_random or name == "UniformSample")
    if drawn and not name.startswith("RandomFlip"):  # with probability 1
        assert any(not _same(first, ALL[name](data)) for _ in range(10))


def test_one_frame(name: str) -> None:
    data = make_clip(frames=1, missing=0.0)
    out = ALL[name](data)
    assert out.mask.any()
    assert bool(out.x.isfinite().all())


def test_clip_without_observations_stays_zero(name: str) -> None:
    data = make_clip(frames=6)
    data.x, data.mask = torch.zeros_like(data.x), torch.zeros_like(data.mask)
    out = ALL[name](data)
    assert not out.mask.any()
    assert bool((out.x == 0).all())
    if name in SAME_LENGTH and name != "Streams":
        assert torch.equal(out.x, data.x)


def test_what_is_not_observed_has_no_influence(name: str) -> None:
    data = make_clip(missing=0.3, dtype=torch.float64)
    other = copy.deepcopy(data)
    other.x[~other.mask] = torch.nan
    outs = []
    for each in (data, other):
        torch.manual_seed(1)
        outs.append(ALL[name](each))
    assert torch.equal(outs[0].mask, outs[1].mask)
    seen = outs[0].mask
    assert torch.equal(outs[0].x[seen], outs[1].x[seen])


def test_without_mask_everything_is_observed(name: str) -> None:
    data = make_clip(missing=0.0)
    bare = Data(x=data.x, edge_index=data.edge_index)
    outs = []
    for each in (data, bare):
        torch.manual_seed(2)
        outs.append(ALL[name](each))
    # The noise needs to know the persons, whom only the one with a skeleton can count.
    if not name.startswith("JointNoise"):
        assert torch.equal(outs[0].x, outs[1].x)
    mask = outs[1].get("mask")
    assert mask is None or torch.equal(mask, outs[0].mask)


# Those that neither draw for each entry on its own nor measure all of them together.
ENTRY_BY_ENTRY = set(ALL) - {
    "BodyFrame",
    "BoneLength",
    "JointDropout",
    "JointDropout per frame",
    "JointNoise",
    "JointNoise shared",
    "NormalizeImage to box",
    "RandomFlip about mean",
}


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
@pytest.mark.parametrize("name", sorted(ENTRY_BY_ENTRY))
def test_batch_dimensions_share_the_draw(name: str, shape: tuple[int, ...]) -> None:
    data = make_clip(missing=0.0, batch=shape)
    torch.manual_seed(3)
    out = ALL[name](data)
    entry = (slice(None), *(size - 1 for size in shape))
    one = data.clone()
    one.x, one.mask = data.x[entry], data.mask[entry]
    torch.manual_seed(3)
    alone = ALL[name](one)
    torch.testing.assert_close(out.x[entry], alone.x)
    assert torch.equal(out.mask[entry], alone.mask)


@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_batch_dimensions_are_accepted(name: str, shape: tuple[int, ...]) -> None:
    data = make_clip(batch=shape)
    out = ALL[name](data)
    assert out.x.shape[: 1 + len(shape)] == data.x.shape[: 1 + len(shape)]
    assert out.mask.shape == out.x.shape[:-1]


def test_nobody(name: str) -> None:
    assert ALL[name](make_clip(persons=0)).x.size(0) == 0


def test_pickle_and_repr(name: str) -> None:
    transform = ALL[name]
    copied = pickle.loads(pickle.dumps(transform))
    assert repr(copied) == repr(transform)
    assert repr(transform).startswith(type(transform).__name__ + "(")
    data, outs = make_clip(), []
    for each in (transform, copied):
        torch.manual_seed(4)
        outs.append(each(data))
    assert _same(*outs)


def test_batch_of_clips_and_other_inputs_are_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"data: expected one clip .* got .*Batch"):
        ALL[name](Batch.from_data_list([make_clip(), make_clip()]))
    with pytest.raises(ValueError, match=r"data\.x: expected floating point .* got NoneType"):
        ALL[name](Data(edge_index=torch.zeros(2, 0, dtype=torch.long), num_nodes=20))
    data = make_clip(frames=1)
    data.x, data.mask = data.x[:, :0], data.mask[:, :0]
    with pytest.raises(ValueError, match=r"data\.x: expected at least one frame"):
        ALL[name](data)


@pytest.mark.parametrize("name", [name for name in ALL if hasattr(ALL[name], "skeleton")])
def test_joints_of_another_skeleton_are_refused(name: str) -> None:
    message = r"data\.x: expected the 20 joints of skeleton 'kinect-20', got 25"
    with pytest.raises(ValueError, match=message):
        ALL[name](make_clip(skeleton="ntu-25"))
    bare = make_clip(skeleton="ntu-25", persons=1)
    del bare.person
    with pytest.raises(ValueError, match=message):
        ALL[name](bare)


def test_skeletons_are_known_by_name() -> None:
    with pytest.raises(ValueError, match=r"skeleton: expected one of openpose-18, .* got 'ntu'"):
        clips.CenterRoot("ntu")
    with pytest.raises(TypeError, match="skeleton: expected a name or a Skeleton, got int"):
        clips.Streams(["bone"], 25)  # type: ignore[arg-type]


def _chain() -> T.Compose:
    return T.Compose(
        [
            clips.DropEmptyFrames(),
            clips.SmoothTime(7, sigma=1.0),
            clips.CenterRoot(NAME, per="first_frame"),
            clips.TemporalCrop(8, (0.6, 1.0), min_length=4),
            clips.RandomRotation((0.2, 0.5, 0.2)),
            clips.RandomShear(0.1),
            clips.RandomScale(0.15, isotropic=True),
            clips.RandomFlip(NAME),
            clips.JointDropout(),
            clips.Streams(["bone", "joint_motion"], NAME),
        ]
    )


def test_composition() -> None:
    data, chain = make_clip(frames=20), _chain()
    torch.manual_seed(5)
    out = chain(data)
    torch.manual_seed(5)
    step = data
    for transform in chain.transforms:
        step = transform(step)
    assert _same(out, step)
    assert out.x.shape == (40, 8, 6)


class _Clips(torch.utils.data.Dataset):
    def __init__(self, transform: T.Compose) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Data:
        return self.transform(make_clip(frames=20, persons=1 + index % 2))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_data_loader(num_workers: int) -> None:
    passes = []
    for _ in range(2):
        torch.manual_seed(6)
        loader = DataLoader(_Clips(_chain()), batch_size=4, num_workers=num_workers)
        passes.append(next(iter(loader)))
    assert _same(*passes)
    batch = passes[0]
    assert batch.x.shape == (120, 8, 6)
    assert batch.mask.shape == (120, 8)
    assert batch.edge_index.max() == 119
    first, third = batch.get_example(0), batch.get_example(2)
    assert not torch.equal(first.x, third.x)  # the same clip, drawn anew


def test_clips_of_different_lengths_are_padded() -> None:
    crop = clips.TemporalCrop(None, (0.2, 1.0), min_length=1)
    torch.manual_seed(0)
    several = [crop(make_clip(frames=20, seed=seed)) for seed in range(4)]
    lengths = [clip.x.size(1) for clip in several]
    assert len(set(lengths)) > 1
    batch = PadTime()(several)
    assert batch.x.size(1) == max(lengths)
