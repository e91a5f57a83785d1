r"""
From a camera
=============

A camera gives one frame after the other, without end. :class:`tgst.nn.models.SkeletonStream` runs a
*causal* :class:`tgst.nn.models.SkeletonSTGCN` on them: each frame goes through the network once, at
the same cost, and the scores are those that the network gives for the whole clip so far. This page
trains a small causal network on simulated actions and runs it on a source that behaves like a
camera with a pose estimator: a generator that yields frames, in some of which joints are missing.
"""

# %%
# A causal network
# ----------------
#
# :class:`tgst.datasets.SimulatedActions` draws eight actions of simulated subjects on the 20 joints
# of the first Kinect. With ``causal=True`` no frame of the network sees a later one, which is all
# that streaming asks for.
#
# Features have to be causal, too: the motion stream of published networks is :math:`x_{t+1} -
# x_t`, a look ahead; ``motion="backward"`` is :math:`x_t - x_{t-1}`. So must everything else that
# a clip goes through: centring on the root of each frame is causal, on the mean of the clip it is
# not.

from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch_geometric.transforms as T
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torch_geometric.data import Data

import tgst

skeleton = tgst.utils.Skeleton.named("kinect-20")
partition = tgst.transforms.SpatialPartition(center=skeleton.center)
prepare = T.Compose(
    [
        tgst.transforms.CenterRoot(skeleton),
        tgst.transforms.Streams(["joint", "joint_motion"], skeleton, motion="backward"),
    ]
)
train = tgst.datasets.SimulatedActions(
    "train", repetitions=3, dropout=0.05, partition=partition, transform=prepare
)
print(train, train[0])

torch.manual_seed(0)
model = tgst.nn.models.SkeletonSTGCN(
    in_channels=6,
    num_classes=train.num_classes,
    num_partitions=partition.num_partitions,
    num_edges=train.num_edges,
    channels=(16, 16, 32),
    strides=(1, 2, 2),
    kernel_size=5,
    data_norm="channel",
    causal=True,
)

EPOCHS = 10
loader = DataLoader(train, batch_size=12, shuffle=True, collate_fn=tgst.loader.PadTime())
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.01)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for epoch in range(EPOCHS):
    total = 0.0
    for batch in loader:
        logits = model(
            batch.x,
            batch.edge_index,
            batch.edge_type,
            batch.edge_weight,
            batch=batch.batch,
            mask=batch.mask,
            e_id=batch.e_id,
        )
        loss = torch.nn.functional.cross_entropy(logits, batch.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(batch.y)
    schedule.step()
    print(f"epoch {epoch + 1}: loss {total / len(train):.3f}")
model.eval()

# %%
# The camera
# ----------
#
# Someone whom the network has not seen (a test subject) does five actions one after another. The
# source yields joints ``[V, 3]`` and which of them were found; one in twenty is not, and for ten
# frames nobody is in sight.

PLAYED = ["wave right hand", "squat", "march", "clap hands", "kick left"]
test = tgst.datasets.SimulatedActions("test", repetitions=1, dropout=0.05, partition=partition)
of_one = [index for index, subject in enumerate(test.subjects) if subject == 4]
clips = [
    test[next(i for i in of_one if int(test.y[i]) == test.class_names.index(name))]
    for name in PLAYED
]
starts = np.cumsum([0, *(clip.x.size(1) for clip in clips)])


def camera() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    number = 0
    for clip in clips:
        for frame in range(clip.x.size(1)):
            found = clip.mask[:, frame]
            if 60 <= number < 70:
                found = torch.zeros_like(found)  # nobody in sight
            yield torch.where(found.unsqueeze(-1), clip.x[:, frame], 0.0), found
            number += 1


# %%
# A frame is prepared with what is known by then. The last five frames go through the transforms of
# the training as one short clip, and the newest one is taken: the motion needs one frame before it,
# and a root that is missing is held from before.


def prepared() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    last: deque[tuple[torch.Tensor, torch.Tensor]] = deque(maxlen=5)
    for frame in camera():
        last.append(frame)
        x, mask = (torch.stack(parts, dim=1) for parts in zip(*last, strict=True))
        data = prepare(Data(x=x, mask=mask, edge_index=skeleton.edge_index))
        yield data.x[:, -1], data.mask[:, -1]


# %%
# The stream
# ----------
#
# ``window`` is the number of newest outputs that the scores are the mean of. The strides of this
# network have the product 4, so it has an output at every fourth frame; in between, the answer
# stays that of the newest one, and ``frame`` says which frame that was. Nine outputs span 36
# frames, about as many as an action has.

graph = partition(skeleton.data())
stream = model.stream(
    graph.edge_index, graph.edge_type, graph.edge_weight, e_id=graph.e_id, window=9
)
scores, newest = [], []
for joints, found in prepared():
    out = stream.step(joints, found)
    scores.append(out.logits.softmax(dim=-1)[0])
    newest.append(out.frame)
print(stream)
print("the answers to frames 0 to 9 belong to frames", newest[:10])

# %%
# Class scores over time. Above, what was played and what came first; the grey stripe is where
# nobody is in sight. A window needs some frames until it is full of the new action.

probability = torch.stack(scores).T.numpy()
figure, (above, below) = plt.subplots(
    2, 1, figsize=(10, 5), sharex=True, height_ratios=[1, 4], layout="constrained"
)
for action, (first, last) in enumerate(pairwise(starts)):
    label = train.class_names.index(PLAYED[action])
    above.axvspan(first, last, 0.55, 1.0, color=f"C{label}")
    below.axvline(first, color="0.7", linewidth=0.8)
for frame, label in enumerate(probability.argmax(axis=0)):
    above.axvspan(frame, frame + 1, 0.0, 0.45, color=f"C{label}", linewidth=0)
above.set_yticks([0.22, 0.78], ["recognised", "played"])
for label, name in enumerate(train.class_names):
    below.plot(probability[label], color=f"C{label}", label=name)
below.axvspan(60, 70, color="0.9")
below.set(xlabel="frame", ylabel="probability", xlim=(0, starts[-1]))
below.legend(frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.15))
plt.show()

at_the_end = [train.class_names[probability[:, last - 1].argmax()] for last in starts[1:]]
print("played:               ", PLAYED)
print("first when it ends:   ", at_the_end)

# %%
# Equal to the whole clip
# -----------------------
#
# Without ``window`` the scores after frame :math:`t` are those of the model on the clip up to
# :math:`t`, missing joints and empty frames included.

frames, masks = zip(*prepared(), strict=True)
x, mask = torch.stack(frames, dim=1), torch.stack(masks, dim=1)  # [V, T, C], [V, T]
edges = (graph.edge_index, graph.edge_type, graph.edge_weight)
stream = model.stream(*edges, e_id=graph.e_id)
largest = 0.0
with torch.no_grad():
    for t, (joints, found) in enumerate(zip(frames, masks, strict=True)):
        out = stream.step(joints, found)
        if t % 20 == 0 or t == len(frames) - 1:
            whole = model(x[:, : t + 1], *edges, mask=mask[:, : t + 1], e_id=graph.e_id)
            largest = max(largest, float((out.logits - whole).abs().max()))
print(f"largest difference in {len(frames)} frames: {largest:.1e}")
assert largest < 1e-4

# %%
# The cost of a frame
# -------------------
#
# Operations are counted by PyTorch, which makes the figure independent of the machine: those of
# matrix products and convolutions. The stream does the same for every frame, up to a period of
# four: blocks behind a stride have nothing to do in between. Whoever runs the network on the last
# 36 frames again and again does the same work many times, and on all frames, more and more.


@torch.no_grad()
def operations(work: Callable, *arguments, **keywords) -> int:
    with FlopCounterMode(display=False) as counter:
        work(*arguments, **keywords)
    return counter.get_total_flops()


stream.reset()
per_frame, state = [], []
for joints, found in zip(frames[:64], masks[:64], strict=True):
    per_frame.append(operations(stream.step, joints, found))
    state.append(sum(tensor.numel() for tensor in stream.state().values()))
again = operations(model, x[:, 28:64], *edges, mask=mask[:, 28:64], e_id=graph.e_id)
print("frames 0 to 7: ", per_frame[:8])
print("frames 56 to 63:", per_frame[-8:])
print(f"mean {np.mean(per_frame):.0f}; the last 36 frames at once: {again}")
print("numbers that the stream remembers:", sorted(set(state)))
assert per_frame[4:8] == per_frame[-4:]
