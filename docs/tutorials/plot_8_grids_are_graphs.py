r"""
Grids are graphs
================

A convolution of an image is a sum over neighbours with one matrix per direction: what
:class:`tgst.nn.PartitionConv` does on any graph. This page makes a grid a graph, labels its edges
by their offsets, and compares the result with :class:`torch.nn.Conv2d`, with and without holes in
the grid. Then it forecasts a field that a wind carries over a grid with
:class:`tgst.nn.models.ResidualGridNet`.
"""

# %%
# The graph
# ---------
#
# :func:`tgst.utils.grid_graph` numbers the cells as :obj:`image.flatten(-2)` does: row 0 is at the
# top, and the cell in row :math:`r` and column :math:`c` is node :math:`r W + c`. Neighbours are 4
# or 8; ``wrap`` joins opposite borders, all or those of one direction, as longitudes need it.
# ``pos`` has its second coordinate upwards, so that the graph is drawn as the image stands.

import matplotlib.pyplot as plt
import torch

import tgst

HEIGHT, WIDTH = 5, 6
graph = tgst.utils.grid_graph(HEIGHT, WIDTH, connectivity=8)
print(graph)
print("nodes of the first row:", graph.node_id[:WIDTH])

# %%
# :class:`tgst.transforms.OffsetPartition` labels every edge by where its source is relative to its
# target, in rows and columns. Label 0 is the cell itself, as in every partition of this package.

partition = tgst.transforms.OffsetPartition()
data = partition(graph)
for label, (row, column) in enumerate(partition.offsets):
    print(f"label {label}: row {row:+d}, column {column:+d}")

names = [f"row {row:+d}, column {column:+d}" for row, column in partition.offsets]
labels_of_one_cell = tgst.visualize.plot_partition(data, root=2 * WIDTH + 2, names=names)

# %%
# The same numbers as Conv2d
# --------------------------
#
# The weight of a :class:`~tgst.nn.PartitionConv` is a matrix per label;
# :meth:`~tgst.transforms.OffsetPartition.weight_from_kernel` takes them out of a kernel:
# ``weight[k] = kernel[:, :, 1 + row, 1 + column].T`` for ``row, column = offsets[k]``. Images go in
# and out through :func:`~tgst.utils.grid_to_nodes` and :func:`~tgst.utils.nodes_to_grid`, which
# are views.

torch.manual_seed(0)
conv2d = torch.nn.Conv2d(2, 4, kernel_size=3, padding=1)
conv = tgst.nn.PartitionConv(2, 4, partition.num_partitions)
with torch.no_grad():
    conv.weight.copy_(partition.weight_from_kernel(conv2d.weight))
    conv.bias.copy_(conv2d.bias)

images = torch.randn(8, 2, HEIGHT, WIDTH)  # [B, C, H, W]
nodes = tgst.utils.grid_to_nodes(images)  # [N, B, C]
ours = tgst.utils.nodes_to_grid(conv(nodes, data.edge_index, data.edge_type), HEIGHT, WIDTH)


def largest_difference(a: torch.Tensor, b: torch.Tensor) -> str:
    r"""Return the largest difference relative to the largest number."""
    return f"{float((a - b).detach().abs().max() / b.detach().abs().max()):.1e}"


print("largest difference from Conv2d:", largest_difference(ours, conv2d(images)))

factor = torch.randn_like(ours)
(ours * factor).sum().backward()
(conv2d(images) * factor).sum().backward()
kernel_gradient = partition.kernel_from_weight(conv.weight.grad)
print("and of the gradients:", largest_difference(kernel_gradient, conv2d.weight.grad))

# %%
# A wrapped graph is circular padding.

torus = partition(tgst.utils.grid_graph(HEIGHT, WIDTH, connectivity=8, wrap=True))
ours = tgst.utils.nodes_to_grid(conv(nodes, torus.edge_index, torus.edge_type), HEIGHT, WIDTH)
around = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="circular")
expected = torch.nn.functional.conv2d(around, conv2d.weight, conv2d.bias)
print("largest difference, circular:", largest_difference(ours, expected))

# %%
# Holes
# -----
#
# A map of a city has cells without a road, a weather field has land and sea. With ``mask`` these
# cells are no nodes at all. The graph convolution then is the convolution of an image that is zero
# there, read at the cells that are left. ``data.cell`` remembers where they are.

mask = torch.rand(HEIGHT, WIDTH) < 0.6
holed = partition(tgst.utils.grid_graph(HEIGHT, WIDTH, connectivity=8, mask=mask))
nodes = tgst.utils.grid_to_nodes(images, holed.cell)
ours = conv(nodes, holed.edge_index, holed.edge_type)
expected = tgst.utils.grid_to_nodes(conv2d(images * mask), holed.cell)
print(f"{holed.num_nodes} of {HEIGHT * WIDTH} cells, {holed.num_edges} of {data.num_edges} edges")
print("largest difference from the masked convolution:", largest_difference(ours, expected))

# %%
# Work and memory of the graph form grow with the number of cells that are there, those of
# ``Conv2d`` with the size of the whole grid. On a full grid ``Conv2d`` is several times faster;
# with one cell in ten, as on a map of roads, the graph is. ``python -m benchmarks.grid_conv``
# measures where they cross: at about a quarter of the cells on one core.
#
# A field in the wind
# -------------------
#
# :class:`tgst.datasets.MovingFields` simulates smoke in a wind: sources that go up and down once a
# day, a steady wind with an eddy, diffusion, open borders. It is a data set like those of roads, a
# graph and a series of readings on its nodes, and ``dataset.frames`` is the same memory as images.

dataset = tgst.datasets.MovingFields(32, 32, num_steps=720, seed=9, periodic=False, swirl=0.5)
print(dataset[0])
print(dataset.series)
print("frames:", list(dataset.frames.shape))

# %%
# So the windows come from the :class:`~tgst.loader.WindowLoader` of the road networks, and turn
# into stacked frames, the most recent first, at the door of the network. Nobody tells it of the
# wind: it learns from four frames what the next one is.

HISTORY, HORIZON, EPOCHS = 4, 6, 6
loaders = {
    part: tgst.loader.WindowLoader(dataset.series, HISTORY, steps, part, batch_size=16)
    for part, steps in (("train", 1), ("test", HORIZON))
}
scale = float(dataset.frames[: int(0.7 * len(dataset.frames))].std())


def frames_of(nodes: torch.Tensor) -> torch.Tensor:
    r"""Return windows [N, B, T, C] as frames [B, T * C, H, W], the most recent first."""
    return tgst.utils.nodes_to_grid(nodes.flip(2), 32, 32, stacked=True) / scale


torch.manual_seed(0)
model = tgst.nn.models.ResidualGridNet(HISTORY, 1, num_blocks=2, hidden_channels=16)
print(sum(parameter.numel() for parameter in model.parameters()), "parameters")
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for epoch in range(EPOCHS):
    total = 0.0
    for batch in loaders["train"]:
        loss = (model(frames_of(batch.x)) - frames_of(batch.y)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) / len(loaders["train"])
    schedule.step()
    print(f"epoch {epoch + 1}: root mean squared error of the next frame {scale * total**0.5:.4f}")

# %%
# On the last fifth of the time the network forecasts six frames, each from its own last ones.
# Persistence says that nothing moves.


@torch.no_grad()
def forecast(frames: torch.Tensor) -> torch.Tensor:
    r"""Return the next frames [B, HORIZON, H, W], the first one first."""
    steps = []
    for _ in range(HORIZON):
        steps.append(model(frames))
        frames = torch.cat([steps[-1], frames[:, :-1]], dim=1)
    return torch.cat(steps, dim=1)


truth, ours, still = [], [], []
for batch in loaders["test"]:
    given = frames_of(batch.x)
    truth.append(frames_of(batch.y).flip(1))
    ours.append(forecast(given))
    still.append(given[:, :1].expand(-1, HORIZON, -1, -1))
truth, ours, still = (scale * torch.cat(parts) for parts in (truth, ours, still))

errors = {
    name: (frames - truth).square().mean((0, 2, 3)).sqrt()
    for name, frames in (("ResidualGridNet", ours), ("persistence", still))
}
print(f"{'steps ahead':16}" + "".join(f"{step:8}" for step in range(1, HORIZON + 1)))
for name, error in errors.items():
    print(f"{name:16}" + "".join(f"{value:8.4f}" for value in error.tolist()))

# %%
# One window of the test part: what happened, what was forecast, and what stood still.

window = int(truth.diff(dim=1).square().sum((1, 2, 3)).argmax())  # the one that moves most
figure, axes = plt.subplots(3, 3, figsize=(8, 8.2), layout="constrained")
shown = ("truth", truth), ("ResidualGridNet", ours), ("persistence", still)
top = float(truth[window].max())
for line, (name, frames) in zip(axes, shown, strict=True):
    for axis, step in zip(line, (1, 3, 6), strict=True):
        picture = axis.imshow(frames[window, step - 1], vmin=0, vmax=top, cmap="magma")
        axis.set(xticks=[], yticks=[], title=f"{name}, {step} ahead")
figure.colorbar(picture, ax=axes, shrink=0.6, label="density")
plt.show()

# %%
# With periods and trends beside the last frames, and with weather and holidays,
# :class:`tgst.nn.models.STResNet` is the network for the crowds of a city.
