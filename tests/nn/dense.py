"""Dense float64 formulas of the spatial layers, written without any of the layers' code."""

import copy

import torch
from torch import nn

from tgst.nn import ChebConv, PartitionConv


def dense_matrix(graph):
    """A[k, target, source]: parallel edges add up."""
    labels = int(graph.edge_type.max()) + 1 if graph.edge_type.numel() else 1
    matrix = torch.zeros(labels, graph.num_nodes, graph.num_nodes, dtype=graph.edge_weight.dtype)
    for (j, i), k, w in zip(
        graph.edge_index.t().tolist(), graph.edge_type.tolist(), graph.edge_weight, strict=True
    ):
        matrix[k, i, j] = matrix[k, i, j] + w
    return matrix


def partition_conv(layer, x, graph):
    out = 0.0
    for k, matrix in enumerate(dense_matrix(graph)):
        message = torch.einsum("n...c,cd->n...d", x, layer.weight[k])
        if layer.bias_mode == "message":
            message = message + layer.bias[k]
        out = out + torch.einsum("ij,j...d->i...d", matrix, message)
    return out + layer.bias if layer.bias_mode is True else out


def cheb_conv(layer, x, graph):
    matrix = dense_matrix(graph._replace(edge_type=torch.zeros_like(graph.edge_type)))[0]
    terms = [torch.eye(graph.num_nodes, dtype=x.dtype), matrix]
    while len(terms) < layer.K:
        terms.append(2 * matrix @ terms[-1] - terms[-2])
    out = sum(
        torch.einsum("ij,j...c,cd->i...d", term, x, weight)
        for term, weight in zip(terms[: layer.K], layer.weight, strict=True)
    )
    return out if layer.bias is None else out + layer.bias


class Dense(nn.Module):
    """Stands in for a graph convolution inside a block and computes it densely."""

    def __init__(self, layer, graph):
        super().__init__()
        self.layer, self.graph = layer, graph

    def forward(self, x, edge_index, edge_type=None, edge_weight=None):
        graph = self.graph._replace(edge_weight=edge_weight)
        if isinstance(self.layer, ChebConv):
            return cheb_conv(self.layer, x, graph)
        return partition_conv(self.layer, x, graph)


def with_dense_convs(module, graph):
    """A copy of a block or model whose graph convolutions are dense."""
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, ChebConv | PartitionConv):
                setattr(parent, name, Dense(child, graph))
    return module


def temporal_conv(layer, x, graph=None):
    """One tap at a time."""
    reach = layer.receptive_field - 1
    before = {
        "valid": 0,
        "causal": reach,
        "same": layer.dilation * ((layer.kernel_size - 1) // 2),
    }[layer.padding]
    after = 0 if layer.padding == "valid" else reach - before
    padded = nn.functional.pad(x, (0, 0, before, after))
    residual = before if layer.padding == "same" else reach
    count = (padded.size(-2) - reach - 1) // layer.stride + 1
    outs = []
    for t in range(count):
        first = t * layer.stride
        out = layer.bias.clone() if layer.bias is not None else 0.0
        for tap in range(layer.kernel_size):
            out = out + padded[..., first + tap * layer.dilation, :] @ layer.weight[..., tap].t()
        value, gate = out[..., : layer.out_channels], out[..., layer.out_channels :]
        if layer.residual:
            own = padded[..., first + residual, :]
            if layer.align is not None:
                own = own @ layer.align.t()
            value = value + nn.functional.pad(own, (0, layer.out_channels - own.size(-1)))
        if layer.gate == "gtu":
            value = torch.tanh(value)
        outs.append(value * torch.sigmoid(gate) if layer.gate else value)
    return torch.stack(outs, dim=-2)


def batch_norm(norm, x):
    """Evaluation mode."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean) * scale + norm.bias


def zeroed(x, present):
    return x if present is None else x * present.unsqueeze(-1)


def skeleton_block(block, x, graph, present=None):
    """Where frames are absent, x has to be zero."""
    if block.importance is not None:
        weight = graph.edge_weight * block.importance.weight[graph.e_id]
        graph = graph._replace(edge_weight=weight)
    hidden = batch_norm(block.norm1, partition_conv(block.conv, x, graph)).relu()
    hidden = batch_norm(block.norm2, temporal_conv(block.temporal, zeroed(hidden, present)))
    if block.residual == "identity":
        hidden = hidden + x
    elif block.residual == "conv":
        hidden = hidden + batch_norm(block.residual_norm, temporal_conv(block.residual_conv, x))
    return zeroed(hidden.relu(), None if present is None else present[..., :: block.stride])


def skeleton_model(model, x, graph):
    """The response of each class at each node and step."""
    hidden = x if model.data_norm is None else batch_norm(model.data_norm, x)
    for block in model.blocks:
        hidden = skeleton_block(block, hidden, graph)
    return hidden @ model.head.weight.t() + model.head.bias


def joint_norm(model, x):
    if model.data_norm_kind != "joint":
        return batch_norm(model.data_norm, x)
    norm, shape = model.data_norm, (x.size(0), *[1] * (x.dim() - 2), x.size(-1))
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (x - norm.running_mean.view(shape)) * scale.view(shape) + norm.bias.view(shape)


def skeleton_logits(model, x, graph, mask=None):
    """Every node is a clip and a body of its own."""
    mask = torch.ones(x.shape[:-1]).bool() if mask is None else mask
    hidden, present = zeroed(joint_norm(model, x), mask), mask
    for block in model.blocks:
        hidden = skeleton_block(block, hidden, graph, present)
        present = present[..., :: block.stride]
    counted = mask[..., :: model.stride]
    mean = zeroed(hidden, counted).sum(-2) / counted.sum(-1, keepdim=True).clamp(min=1)
    return mean @ model.head.weight.t() + model.head.bias


def late_fusion(model, x, graph, mask=None):
    each = [
        skeleton_logits(network, x[..., seen], graph, mask).softmax(-1)
        for network, seen in zip(model.models, model.channels, strict=True)
    ]
    return (sum(each) / len(each)).log()


def stream(name, x, parent):
    if name.startswith("bone"):
        x = torch.stack([x[i] - x[j] for i, j in enumerate(parent.tolist())])
    if not name.endswith("motion"):
        return x
    frames, last = x.unbind(-2), x.size(-2) - 1
    out = [torch.zeros_like(frames[0]) for _ in frames]
    for t in range(last):
        if name != "motion":
            out[t] = frames[t + 1] - frames[t]
        elif t > 0:
            out[t] = frames[t] - (frames[t - 1] + frames[t + 1]) / 2
    return torch.stack(out, dim=-2)


def skeleton_ensemble(model, x, graph):
    total = 0.0
    for name, network in model.models.items():
        score = skeleton_logits(network, stream(name, x, model.parent), graph)
        score = score.softmax(-1) if model.fuse == "probability" else score
        total = total + model.weights[name] * score
    return total
