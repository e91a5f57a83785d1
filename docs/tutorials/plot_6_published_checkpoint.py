r"""
A published checkpoint
======================

The weights of ST-GCN are published as files of the code that trained them. This page loads such a
file into :class:`tgst.nn.models.SkeletonSTGCN` and writes one.

The documentation is built without a download, so the file on this page is made here: **it has the
form of the published file for Kinetics** (the names of its tensors, their shapes, its graph), **and
random weights**. Its labels say nothing; that the network computes what the file says is checked
against the published formula. With a real file, ``st_gcn.kinetics.pt`` say, only the path changes.
"""

# %%
# The form of the file
# --------------------
#
# The state dict of the released code: ``A`` is the graph, :math:`(K, V, V)`, one matrix per label
# whose rows are sources and whose columns are targets; ``edge_importance.i`` has the same shape;
# ``st_gcn_networks.i`` are the ten blocks. A block's graph convolution is an image convolution with
# :math:`K C'` output channels.

from collections import OrderedDict
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import tgst
from tgst.nn.models import convert

folder = TemporaryDirectory()
path = Path(folder.name) / "st_gcn.kinetics.pt"
generator = torch.Generator().manual_seed(0)
CHANNELS = (3, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256)


def small(*shape: int) -> torch.Tensor:
    return 0.05 * torch.randn(shape, generator=generator)


def norm(name: str, size: int) -> dict[str, torch.Tensor]:
    return {
        f"{name}.weight": 1 + small(size),
        f"{name}.bias": small(size),
        f"{name}.running_mean": small(size),
        f"{name}.running_var": 1 + small(size).abs(),
        f"{name}.num_batches_tracked": torch.tensor(1000),
    }


def published_graph() -> torch.Tensor:
    r"""Return A [3, 18, 18] as the released code computes it for OpenPose's joints."""
    partition = tgst.transforms.SpatialPartition(center=1, hop_distance="truncated")
    data = partition(tgst.utils.Skeleton.named("openpose-18").data())
    dense = torch.zeros(3, 18, 18)
    dense[data.edge_type, data.edge_index[0], data.edge_index[1]] = data.edge_weight
    return dense


published = OrderedDict(A=published_graph())
published |= norm("data_bn", 3 * 18)
for i, (narrow, wide) in enumerate(pairwise(CHANNELS)):
    block = f"st_gcn_networks.{i}"
    published[f"{block}.gcn.conv.weight"] = small(3 * wide, narrow, 1, 1)
    published[f"{block}.gcn.conv.bias"] = small(3 * wide)
    published |= norm(f"{block}.tcn.0", wide)
    published[f"{block}.tcn.2.weight"] = small(wide, wide, 9, 1)
    published[f"{block}.tcn.2.bias"] = small(wide)
    published |= norm(f"{block}.tcn.3", wide)
    if i and narrow != wide:
        published[f"{block}.residual.0.weight"] = small(wide, narrow, 1, 1)
        published[f"{block}.residual.0.bias"] = small(wide)
        published |= norm(f"{block}.residual.1", wide)
published |= {f"edge_importance.{i}": 1 + small(3, 18, 18) for i in range(10)}
published |= {"fcn.weight": small(400, 256, 1, 1), "fcn.bias": small(400)}
torch.save(published, path)
print(len(published), "tensors,", f"{path.stat().st_size / 2**20:.1f} MiB")

# %%
# Loading
# -------
#
# :func:`tgst.nn.models.convert.load` tells from the names which code a file comes from (ST-GCN,
# mmskeleton, PYSKL or mmaction2), reads widths and classes off the shapes, and **takes edges,
# labels and weights from the file's own** ``A``. The answer is a
# :class:`~tgst.nn.models.convert.ConvertedCheckpoint`: the model with the graph it belongs to.

converted = convert.load(path)
model = converted.model
print(converted)
print(sum(p.numel() for p in model.parameters()), "parameters")

# %%
# The graph of the file
# ---------------------
#
# Layouts of one name differ between codes, so a name is not enough. If you know which graph it has
# to be, give it: another one is refused. This file fits the layout OpenPose, but not the labels of
# an exact spatial partition. The released code computes distances to the centre up to one hop
# only, so that most joints are at infinity and tie: it gives 25 edges the label 1 and 9 the label
# 2, where exact distances give 17 and 17. Weights that were trained with such labels need them.

exact = tgst.transforms.SpatialPartition(center=1)(tgst.utils.Skeleton.named("openpose-18").data())
print("labels of the file:", torch.bincount(converted.edge_type).tolist())
print("exact labels:      ", torch.bincount(exact.edge_type).tolist())
convert.load(path, graph="openpose-18")  # the same bones
for other in (exact, "ntu-25"):
    try:
        convert.load(path, graph=other)
    except ValueError as error:
        print(str(error).partition(": ")[2], end="\n\n")

# %%
# Logits
# ------
#
# The released code writes the whole network over dense arrays ``(N, C, T, V)``. In a few lines it
# is this, straight from the tensors of the file:


def batch_norm(x: torch.Tensor, name: str) -> torch.Tensor:
    mean, variance = published[f"{name}.running_mean"], published[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, published[f"{name}.weight"], published[f"{name}.bias"])


def dense_logits(x: torch.Tensor) -> torch.Tensor:
    r"""Return logits [N, 400] of clips [N, C, T, V, M]."""
    clips, channels, frames, joints, persons = x.shape
    h = x.permute(0, 4, 3, 1, 2).reshape(clips * persons, joints * channels, frames)
    h = batch_norm(h, "data_bn").view(clips * persons, joints, channels, frames)
    h = h.permute(0, 2, 3, 1)  # [N M, C, T, V]
    for i in range(10):
        block, wide = f"st_gcn_networks.{i}", CHANNELS[i + 1]
        stride = 2 if i in (4, 7) else 1
        residual = h if i else torch.zeros(())
        if f"{block}.residual.0.weight" in published:
            weight, bias = (published[f"{block}.residual.0.{p}"] for p in ("weight", "bias"))
            residual = F.conv2d(h, weight, bias, stride=(stride, 1))
            residual = batch_norm(residual, f"{block}.residual.1")
        graph = published["A"] * published[f"edge_importance.{i}"]
        weight, bias = (published[f"{block}.gcn.conv.{p}"] for p in ("weight", "bias"))
        h = F.conv2d(h, weight, bias).unflatten(1, (3, wide))
        h = torch.einsum("nkctv,kvw->nctw", h, graph)
        h = batch_norm(h, f"{block}.tcn.0").relu()
        weight, bias = (published[f"{block}.tcn.2.{p}"] for p in ("weight", "bias"))
        h = F.conv2d(h, weight, bias, stride=(stride, 1), padding=(4, 0))
        h = (batch_norm(h, f"{block}.tcn.3") + residual).relu()
    h = h.mean(dim=(2, 3)).view(clips, persons, -1).mean(dim=1)
    return F.linear(h, published["fcn.weight"].flatten(1), published["fcn.bias"])


# %%
# Two clips of two persons, in the layout of the released code and in ours:
# :func:`tgst.utils.from_nctvm` makes ``[V, N, M, T, C]`` of it, the joints first. The mean over the
# persons is asked for by ``person_dim``.

x = torch.rand(2, 3, 48, 18, 2, generator=generator)  # (N, C, T, V, M)
graph = converted.graph()  # edge_index, edge_type, edge_weight
with torch.no_grad():
    expected = dense_logits(x)
    logits = model(tgst.utils.from_nctvm(x), *graph, e_id=converted.e_id, person_dim=2)
print("logits", list(logits.shape))
print(f"largest difference {float((logits - expected).abs().max()):.1e}, of logits up to ", end="")
print(f"{float(expected.abs().max()):.2f}")
torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)

# %%
# The same persons as **one graph**, the disjoint union of two skeletons, which is how the data sets
# of ``tgst`` give a clip. The copies share the numbers of their edges (``e_id``), hence the
# importance.

pair = converted.data(persons=2)
nodes = torch.cat([tgst.utils.from_nctvm(x)[:, 0, person] for person in range(2)])  # [2 V, T, C]
with torch.no_grad():
    union = model(nodes, pair.edge_index, pair.edge_type, pair.edge_weight, e_id=pair.e_id)
torch.testing.assert_close(union, expected[:1], rtol=1e-4, atol=1e-4)
print(pair)

# %%
# The published readout counts padding: zeros for a second person who is not there change the
# logits, and weights were trained with that. A converted model keeps it (``readout="mean"``), so
# give it clips padded as its authors did. ``convert.load(path, readout="masked")`` leaves out what
# ``mask`` says was not observed.
#
# The learnt graph
# ----------------
#
# Fixed weight times learnt importance, per label, in the last block. Random here; in a trained file
# it shows which bones matter.

figure, panels = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained", sharey=True)
importance = model.blocks[-1].importance.weight.detach()[converted.e_id]
largest = float((converted.edge_weight * importance).abs().max())
for label, axes in enumerate(panels):
    matrix = torch.zeros(18, 18)
    of_label = converted.edge_type == label
    source, target = converted.edge_index[:, of_label]
    matrix[source, target] = (converted.edge_weight * importance)[of_label]
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest)
    axes.set(title=f"label {label}: {int(of_label.sum())} edges", xlabel="target joint")
panels[0].set_ylabel("source joint")
figure.colorbar(image, ax=panels, label="weight times importance", shrink=0.9)
plt.show()

# %%
# Writing
# -------
#
# :func:`~tgst.nn.models.convert.to_stgcn` writes the released form, for other code to load;
# :func:`~tgst.nn.models.convert.to_pyskl` that of PYSKL and mmaction2. The entries of the
# importance where there is no edge are multiplied by zero in the released code; they are not kept,
# and are written as ones.

written = convert.to_stgcn(model, *graph, e_id=converted.e_id)
assert list(written) == list(published)  # names and their order
on_edges = published["A"] != 0
for name, tensor in published.items():
    mine = written[name]
    if name.startswith("edge_importance"):
        tensor, mine = tensor[on_edges], mine[on_edges]
    torch.testing.assert_close(mine, tensor.to(mine.dtype), rtol=0, atol=0)
print("every tensor comes out as it went in")

# %%
# What is refused
# ---------------
#
# A ``.pt`` file is a pickle, and a pickle can run code. Files are read with ``weights_only=True``:
# tensors and plain containers. One that wants to call something is refused before it does.


class Hostile:
    def __reduce__(self):
        return print, ("this would have run",)


bad = Path(folder.name) / "bad.pt"
torch.save({"state_dict": published, "meta": Hostile()}, bad)
try:
    convert.load(bad)
except ValueError as error:
    print(str(error).replace(folder.name, "..."))

# %%
# So are files of networks that are no ST-GCN, by the names of their tensors: ST-GCN's own first
# release of 2018, ST-GCN++, 2s-AGCN, CTR-GCN and MS-G3D. A file that lacks a tensor, or has one
# that there is no place for, is refused with its name.

faulty = dict(published)
del faulty["st_gcn_networks.3.gcn.conv.bias"]
for tensors in ({"l1.gcn1.conv_a.0.weight": torch.zeros(1)}, faulty):
    try:
        convert.from_stgcn(tensors)
    except ValueError as error:
        print(error, end="\n\n")
folder.cleanup()
