import copy
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, Subset, WeightedRandomSampler
from torch.utils.data import DataLoader as PlainLoader
from torch_geometric.loader import DataLoader

from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets import SkeletonClips
from tgst.loader import PadTime
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN
from tgst.transforms import UniformPartition
from tgst.utils import Skeleton

CHAIN = Skeleton.from_edges([(0, 1), (1, 2)], center=1, name="chain-3")
STAR = Skeleton.from_edges([(0, 1), (0, 2), (0, 3)], center=0, name="star-4")


def positions(persons, frames, joints=3, start=0.0):
    r"""Person, frame, joint and channel can be read off every entry."""
    person, frame, joint, channel = np.ogrid[:persons, :frames, :joints, :2]
    values = 1000 * person + 100 * frame + 10 * joint + channel + 1 + start
    return values.astype(np.float32)


def clip(persons=1, frames=4, joints=3, label=0, absent=(), name="clip", **info):
    values = positions(persons, frames, joints)
    observed = np.ones((persons, frames, joints), dtype=bool)
    observed[list(absent)] = False
    return SkeletonClip(values, observed, label, name, info)


def some():
    return [
        clip(1, 4, label=0, name="a", subject=3),
        clip(2, 5, label=2, name="b", subject=1),
        clip(2, 4, label=2, name="c", subject=2),
    ]


def test_a_clip_is_one_graph_with_persons_one_after_the_other():
    data = SkeletonClips(some(), CHAIN)[1]
    assert data.x.shape == (6, 5, 2)
    assert data.x.dtype == torch.float32
    for person in range(2):
        for joint in range(3):
            expected = torch.from_numpy(positions(2, 5)[person, :, joint])
            assert torch.equal(data.x[person * 3 + joint], expected)
    assert data.mask.all()
    assert data.mask.shape == (6, 5)
    assert data.person.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.edge_index.tolist() == [[0, 1, 1, 2, 3, 4, 4, 5], [1, 2, 0, 1, 4, 5, 3, 4]]
    assert data.e_id.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert data.y.tolist() == [2]
    assert (data.name, data.subject, data.num_nodes) == ("b", 1, 6)
    assert "edge_type" not in data


def test_the_partition_labels_the_edges_of_each_person():
    dataset = SkeletonClips(some(), CHAIN, partition=UniformPartition())
    data = dataset[1]
    one = UniformPartition()(CHAIN.data())
    assert dataset.num_edges == one.num_edges == 7
    assert dataset.num_partitions == 1
    for key in ("edge_type", "edge_weight", "e_id"):
        assert torch.equal(data[key], torch.cat([one[key], one[key]])), key
    assert torch.equal(data.edge_index[:, 7:], one.edge_index + 3)


def test_the_partition_is_applied_once():
    calls = []

    def partition(data):
        calls.append(data.num_nodes)
        return UniformPartition()(data)

    dataset = SkeletonClips(some(), CHAIN, partition=partition)
    assert [data.num_edges for data in dataset] == [7, 14, 14]
    assert calls == [3]
    assert dataset.num_partitions == 1


def test_attributes():
    dataset = SkeletonClips(some(), CHAIN, class_names=["sit", "run", "jump"])
    assert len(dataset) == 3
    assert dataset.num_classes == 3
    assert dataset.class_names == ["sit", "run", "jump"]
    assert dataset.skeleton is CHAIN
    assert (dataset.num_joints, dataset.num_edges, dataset.num_partitions) == (3, 4, 1)
    assert dataset.y.tolist() == [0, 2, 2]
    assert dataset.y.dtype == torch.long
    assert dataset.names == ["a", "b", "c"]
    assert dataset.subjects == [3, 1, 2]
    assert dataset.column("camera") == [None] * 3
    assert dataset.clip(2).name == "c"
    assert dataset.dropped == []
    assert repr(dataset) == "SkeletonClips(3)"
    assert SkeletonClips(some(), CHAIN).num_classes == 3  # the largest label plus one
    assert SkeletonClips(some(), CHAIN, num_classes=7).num_classes == 7


def test_subsets():
    dataset = SkeletonClips(some(), CHAIN, num_classes=4)
    subset = dataset[torch.tensor([2, 0])]
    assert [data.name for data in subset] == ["c", "a"]
    assert subset.y.tolist() == [2, 0]
    assert subset.names == ["c", "a"]
    assert subset.subjects == [2, 3]
    assert subset.clip(0).name == "c"
    assert subset.num_classes == 4
    assert subset.class_counts().tolist() == [1, 0, 1, 0]
    assert dataset[1:].names == ["b", "c"]
    assert dataset[dataset.y == 2].names == ["b", "c"]
    assert Subset(dataset, [1])[0].name == "b"
    assert [data.name for data in ConcatDataset([subset, dataset[1:]])] == ["c", "a", "b", "c"]


def test_some_of_the_clips():
    dataset = SkeletonClips(some(), CHAIN, only=[2, 0])
    assert dataset.names == ["c", "a"]
    assert [data.name for data in dataset] == ["c", "a"]
    assert dataset.clip(1).name == "a"
    bad = [*some(), clip(joints=4)]  # not looked at
    assert len(SkeletonClips(bad, [CHAIN, CHAIN, CHAIN, CHAIN], only=range(3))) == 3


def test_weights_balance_the_classes():
    clips = [clip(label=label, name=str(index)) for index, label in enumerate([0, 2, 2, 2])]
    dataset = SkeletonClips(clips, CHAIN, num_classes=4)
    assert dataset.class_counts().tolist() == [1, 0, 3, 0]
    # Four clips, two classes that occur: 4 / (2 * 1) and 4 / (2 * 3).
    assert dataset.class_weights().tolist() == pytest.approx([2, 0, 2 / 3, 0])
    assert dataset.sample_weights().tolist() == pytest.approx([2, 2 / 3, 2 / 3, 2 / 3])
    sampler = WeightedRandomSampler(
        dataset.sample_weights().tolist(), 4000, generator=torch.Generator().manual_seed(0)
    )
    drawn = dataset.y[list(sampler)]
    assert (drawn == 0).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_absent_persons_are_left_out():
    data = SkeletonClips([clip(3, 4, absent=[1])], CHAIN)[0]
    assert data.num_nodes == 6
    assert torch.equal(data.x[3:, :, 0], torch.from_numpy(positions(3, 4)[2, :, :, 0].T))
    assert data.mask.all()


def test_a_fixed_number_of_persons():
    clips = [clip(3, 4, absent=[0], name="a"), clip(1, 4, name="b"), clip(3, 4, name="c")]
    dataset = SkeletonClips(clips, CHAIN, num_persons=2)
    assert [data.num_nodes for data in dataset] == [6, 6, 6]
    # The first two of those that were seen.
    expected = torch.from_numpy(positions(3, 4)[1:].swapaxes(1, 2).reshape(6, 4, 2))
    assert torch.equal(dataset[0].x, expected)
    assert dataset[1].mask.tolist() == [[True] * 4] * 3 + [[False] * 4] * 3
    assert (dataset[1].x[3:] == 0).all()
    assert dataset[1].person.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(dataset[2].x[3:, 0, 0], torch.tensor([1001.0, 1011, 1021]))


def test_batches_of_clips_of_different_lengths():
    dataset = SkeletonClips(some(), CHAIN, partition=UniformPartition())
    (batch,) = PlainLoader(dataset, batch_size=3, collate_fn=PadTime())
    assert batch.x.shape == (15, 5, 2)
    assert batch.y.tolist() == [0, 2, 2]
    assert batch.batch.tolist() == [0] * 3 + [1] * 6 + [2] * 6
    assert batch.person.tolist() == [0, 0, 0, *[0, 0, 0, 1, 1, 1] * 2]
    assert batch.subject.tolist() == [3, 1, 2]
    assert batch.name == ["a", "b", "c"]
    assert batch.mask[:3].tolist() == [[True] * 4 + [False]] * 3
    assert (batch.x[:3, 4] == 0).all()
    assert torch.equal(batch.x[3:9], dataset[1].x)
    assert batch.mask[3:9].all()
    assert batch.e_id.tolist() == list(range(7)) * 5
    assert torch.equal(batch.edge_index[:, 7:21], dataset[1].edge_index + 3)


def test_the_loader_of_pyg():
    dataset = SkeletonClips(some()[::2], CHAIN)
    (batch,) = DataLoader(dataset, batch_size=2)
    assert torch.equal(batch.x, torch.cat([dataset[0].x, dataset[1].x]))
    assert batch.num_graphs == 2


def test_worker_processes_and_copies():
    dataset = SkeletonClips(some(), CHAIN, partition=UniformPartition())
    (batch,) = PlainLoader(dataset, batch_size=3, collate_fn=PadTime(), num_workers=1)
    for other in (pickle.loads(pickle.dumps(dataset)), copy.deepcopy(dataset)):
        assert torch.equal(PadTime()(list(other)).x, batch.x)


def test_transform_and_access():
    def shift(data):
        data.x += 5  # in place
        return data

    clips = some()
    dataset = SkeletonClips(clips, CHAIN, transform=shift)
    assert dataset[0].x[0, 0, 0] == 6
    assert dataset[0].x[0, 0, 0] == 6  # every access starts from the clip
    assert clips[0].positions[0, 0, 0, 0] == 1
    single = SkeletonClips([clip(1, 1)], CHAIN, transform=shift)  # axes of one: no copy is needed
    assert [single[0].x[0, 0, 0].item() for _ in range(2)] == [6, 6]


def test_info_that_batches():
    clips = [
        clip(subject=1, camera=2, label_index=5, batch=7, fps=30.0, place="hall", x=3),
        clip(subject=2, label_index=4, batch=7, fps=25.0, place="yard", x=3),
    ]
    data = SkeletonClips(clips, CHAIN)[0]
    assert sorted(data.keys()) == sorted(
        ["edge_index", "e_id", "person", "x", "mask", "y", "name", "subject"]
    )
    (batch,) = DataLoader(SkeletonClips(clips, CHAIN, info=["fps", "place"]), batch_size=2)
    assert batch.fps.tolist() == [30, 25]
    assert batch.place == ["hall", "yard"]
    assert "subject" not in batch
    message = r"info: expected entries that all clips have, got \['camera'\], which clip 'second'"
    with pytest.raises(ValueError, match=message):
        SkeletonClips([clip(camera=2), clip(name="second")], CHAIN, info=["camera"])


def test_clips_without_labels():
    dataset = SkeletonClips([clip(label=None)], CHAIN, class_names=["sit", "run"])
    assert dataset.y is None
    assert "y" not in dataset[0]
    assert dataset.num_classes == 2
    assert SkeletonClips([clip(label=None)], CHAIN).num_classes == 0
    with pytest.raises(ValueError, match="y: expected clips with labels, got none"):
        dataset.class_counts()


def test_several_layouts():
    clips = [clip(2, 4, joints=4, name="a"), clip(1, 4, label=1, name="b")]
    dataset = SkeletonClips(clips, [STAR, CHAIN], partition=UniformPartition())
    star, chain = UniformPartition()(STAR.data()), UniformPartition()(CHAIN.data())
    assert dataset.num_edges == star.num_edges + chain.num_edges == 10 + 7
    # The ids of the second layout follow those of the first: importance of its own.
    assert dataset[0].e_id.tolist() == list(range(10)) * 2
    assert dataset[1].e_id.tolist() == list(range(10, 17))
    (batch,) = DataLoader(dataset, batch_size=2)
    assert batch.x.shape == (11, 4, 2)
    assert torch.equal(batch.edge_index[:, 20:], chain.edge_index + 8)
    assert dataset.skeletons == (STAR, CHAIN)
    with pytest.raises(ValueError, match=r"clips of one layout, got \['star-4', 'chain-3'\]"):
        _ = dataset.skeleton


class Halves(UniformPartition):
    @property
    def num_partitions(self):
        return 2


def test_a_partition_for_each_layout():
    clips = [clip(joints=4), clip(label=1)]
    partition = {"star-4": UniformPartition(), "chain-3": UniformPartition(normalize=None)}
    dataset = SkeletonClips(clips, [STAR, CHAIN], partition=partition)
    assert dataset[0].edge_weight.max() < 1
    assert dataset[1].edge_weight.tolist() == [1] * 7
    with pytest.raises(ValueError, match=r"entry for 'chain-3', got one for .'star-4'"):
        SkeletonClips(clips, [STAR, CHAIN], partition={"star-4": UniformPartition()})
    unequal = {"star-4": UniformPartition(), "chain-3": Halves()}
    with pytest.raises(ValueError, match=r"as many partitions .*'star-4': 1, 'chain-3': 2"):
        SkeletonClips(clips, [STAR, CHAIN], partition=unequal)
    with pytest.raises(ValueError, match="one for each of the 2 clips, got 1"):
        SkeletonClips(clips, [STAR])


def test_clips_in_which_nothing_was_seen():
    clips = [clip(name="a"), clip(2, absent=[0, 1], name="b")]
    dataset = SkeletonClips(clips, CHAIN)
    assert dataset.names == ["a"]
    assert dataset.dropped == ["b"]
    kept = SkeletonClips(clips, CHAIN, empty="keep")
    assert kept.names == ["a", "b"]
    assert kept.dropped == []
    assert kept[1].x.shape == (3, 4, 2)
    assert not kept[1].x.any()
    assert not kept[1].mask.any()
    with pytest.raises(ValueError, match=r"expected something to see in each, got .*\['b'\]"):
        SkeletonClips(clips, CHAIN, empty="raise")
    with pytest.raises(ValueError, match=r"clips: expected at least one, got none \(1 empty\)"):
        SkeletonClips(clips[1:], CHAIN)


@pytest.mark.parametrize(
    ("clips", "arguments", "message"),
    [
        ([clip(joints=4, name="k")], {}, r"clip 'k': expected the 3 joints of skeleton 'chain-3'"),
        ([clip(label=3)], {"num_classes": 3}, r"clip 'clip': expected a label in 0..2, got 3"),
        ([clip(label=2)], {"class_names": "ab"}, r"clip 'clip': expected a label in 0..1, got 2"),
        ([clip(), clip(label=None, name="u")], {}, r"one for every clip or for none, .*\['u'\]"),
        ([clip()], {"num_persons": 0}, "num_persons: expected at least 1, got 0"),
        ([clip()], {"empty": "no"}, "empty: expected one of .* got 'no'"),
        ([clip()], {"class_names": "ab", "num_classes": 3}, "expected 3 names .* got 2"),
        ([], {}, "clips: expected at least one, got none"),
    ],
)
def test_errors(clips, arguments, message):
    with pytest.raises(ValueError, match=message):
        SkeletonClips(clips, CHAIN, **arguments)


def test_other_channels():
    flat = clip(name="flat")
    deep = SkeletonClip(np.ones((1, 4, 3, 3)), np.ones((1, 4, 3), bool), 0, "deep")
    with pytest.raises(ValueError, match=r"clip 'deep': expected 2 channels .* got 3"):
        SkeletonClips([flat, deep], CHAIN)


def test_an_unknown_layout_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"skeleton: expected one of .*ntu-25.*, got 'ntu-52'"):
        SkeletonClips([clip()], "ntu-52")


@pytest.mark.parametrize("readout", ["masked", "mean"])
def test_training_on_a_clip_in_which_nothing_was_seen(readout):
    clips = [*some(), clip(2, 6, absent=[0, 1], name="blank")]
    dataset = SkeletonClips(clips, CHAIN, partition=UniformPartition(), empty="keep")
    (batch,) = PlainLoader(dataset, batch_size=4, collate_fn=PadTime())
    torch.manual_seed(0)
    model = SkeletonSTGCN(
        2, 3, 1, dataset.num_edges, dataset.num_joints, (4, 4), (1, 2), 3, readout=readout
    )
    edges = (batch.edge_index, batch.edge_type, batch.edge_weight)
    logits = model(batch.x, *edges, batch=batch.batch, mask=batch.mask, e_id=batch.e_id)
    loss = torch.nn.functional.cross_entropy(logits, batch.y)
    loss.backward()
    assert logits.isfinite().all()
    assert all(each.grad.isfinite().all() for each in model.parameters())


def test_what_pyg_asks_a_dataset():
    dataset = SkeletonClips(some(), CHAIN)
    assert dataset.num_features == dataset.num_node_features == 2
    assert dataset.num_edge_features == 0
    assert dataset.get_summary().num_graphs == 3
    shuffled, order = dataset.shuffle(return_perm=True)
    assert shuffled.names == [dataset.names[index] for index in order]
