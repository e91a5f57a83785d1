"""The released ST-GCN as a dense float64 formula on its state dict, and random state dicts."""

from collections import OrderedDict

import torch
import torch.nn.functional as F

WIDTHS = (4, 4, 6, 6, 8)


def norm(state, prefix, x):
    """Evaluation mode, channels in dimension 1."""
    names = ("running_mean", "running_var", "weight", "bias")
    return F.batch_norm(x, *(state[f"{prefix}.{name}"] for name in names))


def graph_conv(weight, bias, x, adjacency):
    """The released order (convolution, then graph) or the other one, told by the weight's width."""
    if weight.size(1) == x.size(1):
        messages = F.conv2d(x, weight, bias).unflatten(1, (adjacency.size(0), -1))
        return torch.einsum("nkctv,kvw->nctw", messages, adjacency)
    return F.conv2d(torch.einsum("nctv,kvw->nkctw", x, adjacency).flatten(1, 2), weight, bias)


def block(state, prefix, x, adjacency, stride):
    names = (f"{prefix}.gcn.conv.weight", f"{prefix}.gcn.conv.bias")
    hidden = graph_conv(*(state[name] for name in names), x, adjacency)
    hidden = norm(state, f"{prefix}.tcn.0", hidden).relu()
    weight = state[f"{prefix}.tcn.2.weight"]
    padding = (weight.size(2) // 2, 0)
    hidden = F.conv2d(hidden, weight, state[f"{prefix}.tcn.2.bias"], (stride, 1), padding)
    hidden = norm(state, f"{prefix}.tcn.3", hidden)
    if f"{prefix}.residual.0.weight" in state:
        names = (f"{prefix}.residual.0.weight", f"{prefix}.residual.0.bias")
        side = F.conv2d(x, *(state[name] for name in names), (stride, 1))
        hidden = hidden + norm(state, f"{prefix}.residual.1", side)
    elif not prefix.endswith("networks.0"):
        hidden = hidden + x
    return hidden.relu()


def locations(state, x, strides):
    """Features (N, C', T', V, M) of clips (N, C, T, V, M)."""
    clips, channels, steps, joints, persons = x.shape
    flat = x.permute(0, 4, 3, 1, 2).reshape(clips * persons, joints * channels, steps)
    flat = norm(state, "data_bn", flat).view(clips * persons, joints, channels, steps)
    hidden = flat.permute(0, 2, 3, 1)
    for i, stride in enumerate(strides):
        importance = state.get(f"edge_importance.{i}", torch.ones_like(state["A"]))
        hidden = block(state, f"st_gcn_networks.{i}", hidden, state["A"] * importance, stride)
    return hidden.unflatten(0, (clips, persons)).permute(0, 2, 3, 4, 1)


def partitions(skeleton, strategy, max_hop, dilation, exact=False):
    """Matrices (K, V, V), rows are sources; distances to the centre up to max_hop unless exact."""
    hops = hops_within(skeleton, max_hop)
    valid = range(0, max_hop + 1, dilation)
    used = sum((hops == hop).double() for hop in valid)
    share = used / used.sum(0)
    if strategy == "uniform":
        return share.unsqueeze(0)
    parts = [share * (hops == hop) for hop in valid]
    if strategy == "distance":
        return torch.stack(parts)
    reach = hops_within(skeleton, skeleton.num_joints) if exact else hops
    distance = reach[:, skeleton.center]
    nearer = distance.unsqueeze(1) < distance
    return torch.stack(
        parts[:1] + [part * side for part in parts[1:] for side in (~nearer, nearer)]
    )


def hops_within(skeleton, limit):
    """Powers of the adjacency matrix; inf beyond the limit."""
    step = torch.eye(skeleton.num_joints, dtype=torch.float64)
    for one, other in skeleton.edges:
        step[one, other] = step[other, one] = 1
    hops = torch.full_like(step, torch.inf)
    for hop in reversed(range(limit + 1)):
        hops[torch.linalg.matrix_power(step, hop) > 0] = hop
    return hops


def logits(state, x, strides=(1, 1, 2, 1, 2)):
    pooled = locations(state, x, strides).mean((2, 3, 4))
    return pooled @ state["fcn.weight"].flatten(1).t() + state["fcn.bias"]


def random_norm(name, size, generator):
    draw = torch.rand(4, size, generator=generator, dtype=torch.float64)
    yield f"{name}.weight", draw[0] + 0.5
    yield f"{name}.bias", draw[1] - 0.5
    yield f"{name}.running_mean", draw[2] - 0.5
    yield f"{name}.running_var", draw[3] + 0.5
    yield f"{name}.num_batches_tracked", torch.tensor(7)


def random_conv(name, out_channels, in_channels, taps, generator):
    shape = (out_channels, in_channels, taps, 1)
    scale = (in_channels * taps) ** -0.5
    yield f"{name}.weight", torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    yield f"{name}.bias", torch.randn(out_channels, generator=generator, dtype=torch.float64)


def random_adjacency(partitions, joints, generator):
    """One label per edge, directed, signed, and joint 0 without a self loop."""
    label = torch.randint(-1, partitions, (joints, joints), generator=generator)
    label[0, 0], label[0, 1], label[1, 0] = -1, 0, -1
    value = torch.randn(joints, joints, generator=generator, dtype=torch.float64)
    return torch.stack([value * (label == k) for k in range(partitions)])


def random_state(
    seed=0, partitions=3, joints=5, channels=3, widths=WIDTHS, classes=4, taps=3, importance=True
):
    generator = torch.Generator().manual_seed(seed)
    state = OrderedDict(A=random_adjacency(partitions, joints, generator))
    state.update(random_norm("data_bn", joints * channels, generator))
    before = channels
    for i, width in enumerate(widths):
        prefix = f"st_gcn_networks.{i}"
        rows = partitions * width
        state.update(random_conv(f"{prefix}.gcn.conv", rows, before, 1, generator))
        state.update(random_norm(f"{prefix}.tcn.0", width, generator))
        state.update(random_conv(f"{prefix}.tcn.2", width, width, taps, generator))
        state.update(random_norm(f"{prefix}.tcn.3", width, generator))
        if i and width != before:
            state.update(random_conv(f"{prefix}.residual.0", width, before, 1, generator))
            state.update(random_norm(f"{prefix}.residual.1", width, generator))
        before = width
    if importance:
        for i in range(len(widths)):
            # the entries off the edges are random too: they must not matter
            value = torch.randn(state["A"].shape, generator=generator, dtype=torch.float64)
            state[f"edge_importance.{i}"] = value
    state.update(random_conv("fcn", classes, before, 1, generator))
    return state
