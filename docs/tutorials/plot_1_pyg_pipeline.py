r"""
A part of a PyG pipeline
========================

The layers of ``tgst`` are PyG layers, its transforms are PyG transforms, and its tensors keep the
nodes in dimension 0. So they fit into a pipeline of ordinary :class:`~torch_geometric.data.Data`,
ordinary :class:`~torch_geometric.loader.DataLoader` and ordinary PyG layers. This page builds one,
on a task that shows what the labels of edges are good for:

*Waves run through one-way ring roads. Do they run with the traffic, or against it?*

Every sample is a graph of its own, with a time series at each node: a graph classification, where
the answer is in the order of events at neighbouring nodes.
"""

# %%
# The data
# --------
#
# A sample is a ring of 10 to 20 one-way roads with two short cuts. Random events at the nodes
# start waves, which move on by one edge per time step and fade: with the edges (class 0) or
# against them (class 1). The readings ``x`` have the shape ``[N, T, C]``: nodes, 24 time steps,
# one channel, without a unit.
#
# A ring with short cuts looks the same when all its edges are turned round. Whoever does not know
# the direction of the edges can only guess.

import matplotlib.pyplot as plt
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, global_mean_pool

import tgst

NUM_STEPS = 24


def make_sample(label: int, generator: torch.Generator) -> Data:
    num_nodes = int(torch.randint(10, 21, (), generator=generator))
    source = torch.arange(num_nodes)
    start = torch.randperm(num_nodes, generator=generator)[:2]  # of the short cuts
    skipped = torch.randint(3, 6, (2,), generator=generator)
    source, target = torch.stack(
        [torch.cat([source, start]), torch.cat([source + 1, start + skipped]) % num_nodes]
    )
    came_from, goes_to = (source, target) if label == 0 else (target, source)
    share = 1 / torch.bincount(goes_to, minlength=num_nodes)[goes_to]
    level, steps = torch.zeros(num_nodes), []
    for _ in range(NUM_STEPS + 10):  # the first ten steps only fill the ring
        event = torch.rand(num_nodes, generator=generator) < 0.1
        moved = torch.zeros(num_nodes).index_add_(0, goes_to, share * level[came_from])
        level = 0.9 * moved + event
        steps.append(level + 0.1 * torch.randn(num_nodes, generator=generator))
    x = torch.stack(steps[10:], dim=1).unsqueeze(-1)  # [N, T, 1]
    edge_index = torch.stack([source, target])
    return Data(x=x, edge_index=edge_index, y=torch.tensor([label]))


generator = torch.Generator().manual_seed(0)
samples = [make_sample(index % 2, generator) for index in range(600)]
print(samples[0])

# %%
# Two samples as pictures: each row is a node, in the order of the ring. Waves that run with the
# edges go up to the right, those against them down.

figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for axes, sample, title in zip(
    panels, samples[:2], ("with the edges", "against the edges"), strict=True
):
    image = axes.imshow(sample.x[..., 0], origin="lower", aspect="auto", vmin=0, vmax=3)
    axes.set(title=f"class {int(sample.y)}: {title}", xlabel="time [steps]", ylabel="node")
    axes.yaxis.get_major_locator().set_params(integer=True)
figure.colorbar(image, ax=panels, label="reading", extend="max")
plt.show()

# %%
# Labels
# ------
#
# :class:`tgst.transforms.DirectionPartition` joins every edge by its reverse, adds self loops and
# writes three attributes: ``edge_type``, the label (0: the node itself, 1: from upstream, 2: from
# downstream), ``edge_weight``, which sums to 1 over the edges that enter a node, and ``e_id``, the
# number of the edge.
#
# For comparison, a second transform gives the same edges without telling them apart. It is
# composed of a transform of PyG and one of ours.

directed = tgst.transforms.DirectionPartition()
undirected = T.Compose([T.ToUndirected(), tgst.transforms.UniformPartition()])
print(directed(samples[0]))
print("labels:", directed(samples[0]).edge_type.unique().tolist())
print("labels:", undirected(samples[0]).edge_type.unique().tolist())

# %%
# A model out of their parts and ours
# -----------------------------------
#
# :class:`tgst.nn.PartitionConv` is a :class:`~torch_geometric.nn.conv.MessagePassing` with one
# weight matrix per label; it takes ``[N, T, C]`` as it is. :class:`tgst.nn.TemporalConv` compares
# neighbouring time steps. :class:`tgst.nn.PerStep` takes any PyG convolution, here
# :class:`~torch_geometric.nn.conv.GATConv`, and applies it at every time step.
# They are called one after another in an ordinary :class:`torch.nn.Module`.


class WaveClassifier(torch.nn.Module):
    def __init__(self, num_partitions: int) -> None:
        super().__init__()
        self.convolution = tgst.nn.PartitionConv(1, 16, num_partitions)
        self.attention = tgst.nn.PerStep(GATConv(16, 16))
        self.temporal = tgst.nn.TemporalConv(16, 16, kernel_size=3)
        self.linear = torch.nn.Linear(16, 2)

    def forward(self, batch: Data) -> torch.Tensor:
        h = self.convolution(batch.x, batch.edge_index, batch.edge_type, batch.edge_weight)
        h = self.temporal(h).relu()  # [N, T, 16]
        h = self.attention(h, batch.edge_index).relu()  # [N, T, 16]
        h = h.mean(dim=1)  # [N, 16]: mean over time
        h = global_mean_pool(h, batch.batch)  # [graphs, 16]: mean over the nodes of each
        return self.linear(h)  # [graphs, 2]


# %%
# Training
# --------
#
# An ordinary loop. The :class:`~torch_geometric.loader.DataLoader` joins graphs of different size
# to one :class:`~torch_geometric.data.Batch`; ``x`` of a batch is ``[N, T, C]`` again, with the
# nodes of all its graphs one after another.


@torch.no_grad()
def accuracy(model: WaveClassifier, loader: DataLoader) -> float:
    correct = sum((model(batch).argmax(dim=1) == batch.y).sum() for batch in loader)
    return 100 * float(correct) / len(loader.dataset)


def train(transform: T.BaseTransform, num_partitions: int, epochs: int = 8) -> list[float]:
    dataset = [transform(sample) for sample in samples]
    loader = DataLoader(dataset[:400], batch_size=40, shuffle=True)
    held_out = DataLoader(dataset[400:], batch_size=100)
    torch.manual_seed(0)
    model = WaveClassifier(num_partitions)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    curve = [accuracy(model, held_out)]
    for _ in range(epochs):
        for batch in loader:
            loss = torch.nn.functional.cross_entropy(model(batch), batch.y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        curve.append(accuracy(model, held_out))
    return curve


curves = {
    "edges with labels": train(directed, directed.num_partitions),
    "edges without labels": train(undirected, num_partitions=1),
}
for name, curve in curves.items():
    print(f"{name:21} {curve[-1]:5.1f} % of the held-out graphs are right")

# %%
# With labels the model learns which of two neighbours comes first. Without them nothing is left
# but to guess, although graph, readings and layers are the same.

figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
for (name, curve), style in zip(curves.items(), ("-o", "--s"), strict=True):
    axes.plot(curve, style, markersize=4, label=name)
axes.axhline(50, color="0.6", lw=1, label="guessing")
axes.set(xlabel="epoch", ylabel="accuracy on held-out graphs [%]", ylim=(40, 102))
axes.set_title("the same model, with and without labels", pad=28)
axes.grid(alpha=0.3)
axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
plt.show()
