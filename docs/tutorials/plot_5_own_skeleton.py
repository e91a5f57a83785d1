r"""
Your own skeleton
=================

Published networks for skeletons know the two or three layouts that they were written for. Here a
skeleton is any graph of joints. This page makes one of its own, a dog, simulates clips of five
things that dogs do, and teaches :class:`tgst.nn.models.SkeletonSTGCN` to tell them apart, in an
ordinary PyTorch loop with PyG's transforms.
"""

# %%
# The skeleton
# ------------
#
# :meth:`tgst.utils.Skeleton.from_edges` takes the bones, by number or by name. The other facts are
# optional, and each has one use: ``center`` is where the spatial partition counts from, ``pairs``
# says which joints change places in a mirror, ``pose`` is for drawings. The parents, which make the
# bone stream, are a breadth-first tree from the centre unless they are given.

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch_geometric.transforms as T
from torch.utils.data import DataLoader
from torch_geometric.data import Batch

import tgst

LEGS = {  # where a leg hangs: joint of the trunk, metres forward, metres to the right
    "left_front": ("withers", 0.3, -0.08),
    "right_front": ("withers", 0.3, 0.08),
    "left_hind": ("croup", -0.3, -0.08),
    "right_hind": ("croup", -0.3, 0.08),
}
REST = {  # x forward, y up, z to the right, in metres
    "back": (0.0, 0.5, 0.0),
    "withers": (0.3, 0.52, 0.0),
    "croup": (-0.3, 0.52, 0.0),
    "neck": (0.42, 0.66, 0.0),
    "nose": (0.6, 0.68, 0.0),
    "tail": (-0.55, 0.6, 0.0),
}
bones = [("back", "withers"), ("back", "croup"), ("withers", "neck"), ("neck", "nose")]
bones.append(("croup", "tail"))
for leg, (trunk, forward, right) in LEGS.items():
    bones += [(trunk, f"{leg}_hip"), (f"{leg}_hip", f"{leg}_knee")]
    bones.append((f"{leg}_knee", f"{leg}_paw"))
    for part, height in (("hip", 0.44), ("knee", 0.24), ("paw", 0.04)):
        REST[f"{leg}_{part}"] = (forward, height, right)

joints = list(REST)
dog = tgst.utils.Skeleton.from_edges(
    bones,
    joints=joints,
    center="back",
    pairs=[(joint, joint.replace("left", "right")) for joint in joints if "left" in joint],
    name="dog",
    pose=[(x + 0.8 * z, y - 0.5 * z) for x, y, z in REST.values()],  # from the right, from above
)
print(f"{dog.num_joints} joints, {len(dog.edges)} bones")
parents = [dog.joints[parent] for parent in dog.parent.tolist()]
print("parents:", dict(zip(dog.joints[:9], parents, strict=False)), "...")

# %%
# :class:`tgst.transforms.SpatialPartition` labels the edges by where they come from: the joint
# itself (0), farther from the centre (1) or nearer to it (2). Any graph will do, and any joint may
# be the centre.

partition = tgst.transforms.SpatialPartition(center=dog.center)
graph = partition(dog.data())
print(graph)
labels = tgst.visualize.plot_partition(
    graph,
    skeleton=dog,
    center=dog.center,
    names=["the joint itself", "from farther out", "from nearer to the centre"],
)

# %%
# The clips
# ---------
#
# A clip shows one action: trotting on the spot, sitting down, bowing with the elbows on the ground,
# giving a paw (either one), or wagging the tail. Every dog has its own size and tempo, every clip
# its own length, heading and place, with a noise of 2 cm; one joint in twenty is not seen. Dogs 0
# to 11 train, dogs 12 to 19 test.

ACTIONS = ["trot", "sit down", "bow", "give a paw", "wag"]
FRAMES_PER_SECOND = 20


def swing_leg(place: np.ndarray, leg: str, upper: np.ndarray, lower: np.ndarray) -> None:
    r"""Turn a leg at hip and knee by angles [frames] to the front."""
    hip, knee, paw = (joints.index(f"{leg}_{part}") for part in ("hip", "knee", "paw"))
    for joint, above, angle in ((knee, hip, upper), (paw, knee, lower)):
        down = np.stack([np.sin(angle), -np.cos(angle), 0 * angle], axis=1)
        place[:, joint] = place[:, above] + 0.2 * down


def moving_dog(action: str, subject: int, clip: int) -> np.ndarray:
    r"""Return the places of the joints [frames, joints, 3] in metres."""
    size, tempo = np.random.default_rng([0, subject]).uniform([0.7, 1.4], [1.3, 2.2])
    rng = np.random.default_rng([1, subject, clip, ACTIONS.index(action)])
    seconds = np.arange(rng.integers(30, 50)) / FRAMES_PER_SECOND
    place = np.tile(np.array(list(REST.values())), (len(seconds), 1, 1))
    wave = 2 * np.pi * (tempo * seconds + rng.random())
    done = np.clip(2 * seconds - rng.uniform(0, 1), 0, 1)  # from 0 to 1 while the action begins
    if action == "trot":
        for leg, late in zip(LEGS, (0, np.pi, np.pi, 0), strict=True):
            bend = 0.8 * np.clip(np.cos(wave - late), 0, None)
            swing_leg(place, leg, 0.5 * np.sin(wave - late), 0.5 * np.sin(wave - late) - bend)
    elif action == "give a paw":
        leg = f"{rng.choice(['left', 'right'])}_front"
        swing_leg(place, leg, 1.2 * done, done * (1.4 + 0.3 * np.sin(wave)))
    elif action == "wag":
        place[:, joints.index("tail"), 2] += 0.25 * np.sin(2 * wave)
    else:
        low = ("croup", "tail", "hind_hip") if action == "sit down" else ("withers", "neck", "nose")
        low += () if action == "sit down" else ("front_hip",)
        for joint, name in enumerate(joints):
            if name.endswith(low):
                place[:, joint, 1] -= 0.28 * done
    heading = rng.uniform(-0.8, 0.8)
    cos, sin = np.cos(heading), np.sin(heading)
    place = size * place @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T
    return place + rng.normal(0, 0.02, place.shape) + rng.uniform(-1, 1, 3)


def dataset(subjects: range, transform: T.BaseTransform) -> tgst.datasets.SkeletonArrays:
    kinds = [(kind, subject, clip) for kind in ACTIONS for subject in subjects for clip in range(3)]
    clips = [moving_dog(*kind) for kind in kinds]
    unseen = np.random.default_rng(subjects.start)
    return tgst.datasets.SkeletonArrays(
        clips,
        [ACTIONS.index(action) for action, _, _ in kinds],
        skeleton=dog,
        class_names=ACTIONS,
        subjects=[subject for _, subject, _ in kinds],
        observed=[unseen.random(clip.shape[:2]) > 0.05 for clip in clips],
        partition=partition,
        transform=transform,
    )


# %%
# Transforms
# ----------
#
# Centred on its back, the dog stays in place; the network sees joints and their motion. In training
# it is also turned and scaled at random: published augmentations, from
# :mod:`tgst.transforms`, composed by PyG.

center = tgst.transforms.CenterRoot(dog)
streams = tgst.transforms.Streams(["joint", "joint_motion"], skeleton=dog)
augment = [
    tgst.transforms.RandomRotation(theta=0.8, axis="y"),  # about the vertical
    tgst.transforms.RandomScale(0.2, isotropic=True),
]
train = dataset(range(12), T.Compose([center, *augment, streams]))
test = dataset(range(12, 20), T.Compose([center, streams]))
print(train, test)
print(train[0])

# %%
# A clip is a :class:`~torch_geometric.data.Data`. ``x`` is ``[V, T, C]``: joints, frames, and three
# coordinates with their motion; ``mask`` says what was observed. The clips differ in length, so
# :class:`tgst.loader.PadTime` joins them to a batch: the frames that it adds count as not observed.
#
# Training
# --------
#
# Three blocks instead of the ten of the published network, and narrower ones. ``num_edges`` gives
# every edge a learnt importance in every block. The readout is masked (the default), so neither
# padding nor unseen joints count.

torch.manual_seed(0)
model = tgst.nn.models.SkeletonSTGCN(
    in_channels=6,
    num_classes=len(ACTIONS),
    num_partitions=partition.num_partitions,
    num_edges=train.num_edges,
    channels=(16, 16, 32),
    strides=(1, 2, 2),
    data_norm="channel",
)
print(sum(parameter.numel() for parameter in model.parameters()), "parameters")


def logits(batch: Batch) -> torch.Tensor:
    return model(
        batch.x,
        batch.edge_index,
        batch.edge_type,
        batch.edge_weight,
        batch=batch.batch,
        mask=batch.mask,
        e_id=batch.e_id,
    )


@torch.no_grad()
def predictions(clips: tgst.datasets.SkeletonArrays) -> torch.Tensor:
    model.eval()
    loader = DataLoader(clips, batch_size=60, collate_fn=tgst.loader.PadTime())
    return torch.cat([logits(batch).argmax(dim=1) for batch in loader])


EPOCHS = 6
loader = DataLoader(train, batch_size=16, shuffle=True, collate_fn=tgst.loader.PadTime())
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for epoch in range(EPOCHS):
    model.train()
    total = 0.0
    for batch in loader:
        loss = torch.nn.functional.cross_entropy(logits(batch), batch.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(batch.y)
    schedule.step()
    print(f"epoch {epoch + 1}: loss {total / len(train):.3f}")

# %%
# On eight dogs that it has never seen
# ------------------------------------

predicted = predictions(test)
accuracy = float((predicted == test.y).float().mean())
print(f"test accuracy {accuracy:.3f}, {len(test)} clips; guessing gives 0.2")
confusion = torch.zeros(len(ACTIONS), len(ACTIONS), dtype=torch.long)
confusion.index_put_((test.y, predicted), torch.tensor(1), accumulate=True)
confusion_matrix = tgst.visualize.plot_confusion(confusion, test.class_names)

# %%
# What it looks at
# ----------------
#
# :meth:`~tgst.nn.models.SkeletonSTGCN.extract_feature` gives the score of every class at every
# joint and frame; their mean over what was observed is the logits. Here the score of the class
# that was recognised sets the size of the joints; a joint that was not seen is not drawn. Left
# legs are blue, right legs orange. ``dog_that_gives_a_paw.save("paw.gif")`` keeps the animation.

number = int((test.y == ACTIONS.index("give a paw")).nonzero()[0])
clip = test[number]
with torch.no_grad():
    response, feature = model.extract_feature(
        clip.x, clip.edge_index, clip.edge_type, clip.edge_weight, mask=clip.mask, e_id=clip.e_id
    )
    whole = logits(Batch.from_data_list([clip]))
observed = clip.mask[:, model.frames(clip.x.size(1))]
torch.testing.assert_close(response[observed].mean(dim=0), whole[0])
print("response", list(response.shape), "feature", list(feature.shape))
label = int(whole.argmax())
dog_that_gives_a_paw = tgst.visualize.animate_skeleton(
    clip.x[..., :3],
    dog,
    mask=clip.mask,
    response=response[..., label].relu(),
    frames_per_second=10,
    title=f"recognised as {test.class_names[label]}",
)

# %%
# The learnt importance of the edges, as a mean over the three blocks, less the 1 that it began
# with. A training as short as this one does not move it far.

importance = torch.stack([block.importance.weight.detach() for block in model.blocks]).mean(dim=0)
source, target = graph.edge_index.tolist()
figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
COLOURS = ("#0072B2", "#E69F00", "#009E73")
order = importance.argsort(descending=True)[:24].tolist()
axes.bar(
    range(len(order)),
    importance[order] - 1,
    color=[COLOURS[int(graph.edge_type[edge])] for edge in order],
)
names_of_edges = [f"{joints[source[edge]]} > {joints[target[edge]]}" for edge in order]
axes.set_xticks(range(len(order)), names_of_edges, rotation=90, fontsize=7)
axes.set(ylabel="importance - 1", title="the 24 edges with the largest importance, by label")
plt.show()

# %%
# Readings of one's own come in by the same way: ``SkeletonArrays(clips, labels, skeleton=...)``
# with arrays ``[persons, frames, joints, channels]`` or ``[frames, joints, channels]``. Files of
# NTU RGB+D, Kinetics, OpenPose, PYSKL and others have readers: see :doc:`/clips`.
