r"""
Dense or sparse?
================

A graph convolution sums over neighbours. That sum is a product with the adjacency matrix, which a
computer can do in two ways: go through the edges (sparse), or fill a matrix of all pairs of nodes
and multiply (dense). Which one is quicker depends on the graph, on the width of the features and
on the machine. :func:`tgst.ops.benchmark` measures it on your machine, and
:func:`tgst.ops.explain_choice` says what ``backend="auto"`` takes, and why.

All times on this page were measured when it was built, on one thread of the machine that built it.
"""

# %%
# Three graphs
# ------------
#
# A small graph in which every pair of nodes is joined, as a learnt adjacency gives; a network of
# sensors, each joined with its 8 nearest ones; and a large grid of roads. All have self loops.

import matplotlib.pyplot as plt
import torch
from torch_geometric.utils import grid

import tgst

torch.set_num_threads(1)


def nearest_neighbors(num_nodes: int, k: int = 8) -> torch.Tensor:
    place = torch.rand(num_nodes, 2, generator=torch.Generator().manual_seed(0))
    nearest = torch.cdist(place, place).topk(min(k + 1, num_nodes), largest=False).indices
    target = torch.arange(num_nodes).repeat_interleave(nearest.size(1))
    return torch.stack([nearest.flatten(), target])  # nearest to itself is the node: the self loop


everyone = torch.ones(24, 24).nonzero().T.contiguous()
roads = grid(80, 80)[0]  # of PyG; with self loops and diagonals
graphs = {
    "small, full": (everyone, 24),
    "sensors": (nearest_neighbors(207), 207),
    "large grid": (roads, 6400),
}
for name, (edge_index, num_nodes) in graphs.items():
    share = edge_index.size(1) / num_nodes**2
    print(f"{name:12} {num_nodes:6} nodes, {edge_index.size(1):6} edges: {share:8.3%} of all pairs")

# %%
# The measurement
# ---------------
#
# The features have the shape ``[N, 2, 12, 16]``: nodes, windows in a batch, time steps, channels;
# ``shape`` is what comes after the nodes. Every backend runs the sum alone (forward) and with the
# gradients of features and edge weights (forward and backward), in turns, so that a busy machine
# disturbs all of them alike; the table has medians in milliseconds, the peak of the memory beyond
# inputs, outputs and gradients, and the speed of the forward pass as a share of what a plain copy
# reaches on this machine: the first number counts the features once, the second one once per edge.
# Below the table stands what ``backend="auto"`` takes, and why.
#
# ``gather_scatter`` is the way of a PyG layer with learnt weights: write a message for each edge,
# then add them up at the targets. ``torch_sparse`` multiplies by a sparse CSR tensor of torch and
# leaves the gradients to autograd, whose gradient of the weights forms all pairs of nodes.
# ``torch_scatter`` takes part where it is installed, ``triton`` on a GPU. Whatever would need a
# tensor larger than ``memory_limit`` bytes is left out, or runs forward only: here the matrix of
# all pairs, on the large grid.

tables = {}
for name, (edge_index, num_nodes) in graphs.items():
    tables[name] = tgst.ops.benchmark(
        edge_index,
        num_nodes,
        shape=(2, 12, 16),
        repetitions=3 if num_nodes > 1000 else 15,
        memory_limit=2**27,
    )
    print(tables[name], end="\n\n")

# %%
# The same as a figure; the star marks the automatic choice.

COLOURS = {
    "embedding_bag": "#0072B2",
    "column_blocks": "#F0E442",
    "triton": "#000000",
    "sparse_csr": "#009E73",
    "dense": "#D55E00",
    "torch_scatter": "#56B4E9",
    "reference": "#999999",
    "gather_scatter": "#E69F00",
    "torch_sparse": "#CC79A7",
}
figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
for axes, (name, table) in zip(panels, tables.items(), strict=True):
    rows = [row for row in table.rows if row["training_ms"] is not None]
    labels = [row["backend"] + (" *" if row["auto"] else "") for row in rows]
    times = [row["training_ms"] for row in rows]
    bars = axes.barh(labels, times, color=[COLOURS[row["backend"]] for row in rows])
    axes.bar_label(bars, fmt="%.3g", padding=3)
    axes.set(title=name, xlabel="forward and backward [ms]")
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The automatic choice
# --------------------
#
# ``PartitionConv(..., backend="auto")``, the default, estimates the time of each backend from the
# numbers of nodes, edges and features, with costs that were measured once and are part of the
# package. It measures nothing while a program runs, so that a program always takes the same way.
# The sum and its two gradients are chosen each for itself. :func:`tgst.ops.explain_choice` lists
# the estimates, as above; here for the same graphs with features in double precision, whose costs
# are others.

for name, (edge_index, num_nodes) in graphs.items():
    adjacency = tgst.ops.Adjacency.build(edge_index, num_nodes=num_nodes)
    x = torch.randn(num_nodes, 2, 12, 16, dtype=torch.float64)
    print(f"{name}: {tgst.ops.explain_choice(adjacency, x)}", end="\n\n")

# %%
# All backends give the same numbers up to rounding. To settle it for a layer, name the backend:

edge_index, num_nodes = graphs["sensors"]
x = torch.randn(num_nodes, 2, 12, 16)
torch.manual_seed(0)
sparse = tgst.nn.PartitionConv(16, 16, backend="embedding_bag")
dense = tgst.nn.PartitionConv(16, 16, backend="dense")
dense.load_state_dict(sparse.state_dict())
difference = (sparse(x, edge_index) - dense(x, edge_index)).abs().max()
print(f"largest difference between dense and sparse: {float(difference.detach()):.1e}")

# %%
# Where they cross
# ----------------
#
# With 8 neighbours per node the work of the sparse sum grows with the number of nodes, that of the
# dense one with its square. On the other hand a small graph is nearly full anyway, and a matrix
# product does more arithmetic per second than a sum over edges. So there is a size at which the
# lines cross. Below it the two are close, and which one is ahead may change from run to run; above
# it the dense product falls behind more and more.

sizes = [8, 12, 16, 24, 32, 64, 128, 256]
curves: dict[str, list[float]] = {name: [] for name in ("embedding_bag", "dense", "gather_scatter")}
choices = []
for size in sizes:
    table = tgst.ops.benchmark(nearest_neighbors(size), size, shape=(16, 12, 16), repetitions=9)
    for row in table.rows:
        if row["backend"] in curves:
            curves[row["backend"]].append(row["training_ms"])
        if row["auto"]:
            choices.append(row["backend"])
for index, size in enumerate(sizes):
    times = "  ".join(f"{name} {curve[index]:8.3f} ms" for name, curve in curves.items())
    print(f"{size:5} nodes: {times}; automatic: {choices[index]}")
pairs = zip(sizes, curves["dense"], curves["embedding_bag"], strict=True)
print("dense was quicker with", [size for size, dense, sparse in pairs if dense < sparse], "nodes")

figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
for (name, curve), marker in zip(curves.items(), "osD", strict=True):
    axes.plot(sizes, curve, f"-{marker}", color=COLOURS[name], label=name)
chosen = [curves[choice][index] for index, choice in enumerate(choices)]
axes.plot(sizes, chosen, "o", ms=13, mfc="none", mec="0.3", label="automatic choice")
axes.set(xlabel="nodes, 8 neighbours each", ylabel="forward and backward [ms]")
axes.set_title("time of one weighted sum over neighbours")
axes.set_xscale("log", base=2)
axes.set_yscale("log")
axes.set_xticks(sizes, [str(size) for size in sizes])
axes.grid(alpha=0.3)
axes.legend(frameon=False)
plt.show()

# %%
# On a graph of your own, pass its ``edge_index`` and the shape of your features, with
# ``edge_type`` and ``num_partitions`` if its edges have labels and ``device="cuda"`` for a GPU, and
# compare on the machine that will train. :doc:`/performance` has what was measured over a grid of
# sizes, against other packages too.
