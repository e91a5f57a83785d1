"""Small skeletons and clips for the tests."""

import torch
from torch_geometric.data import Data

from tgst.nn.models import SkeletonSTGCN


def tree(num_joints):
    """A binary tree as a skeleton: self 0, from the child 1, from the parent 2; a mean."""
    child = torch.arange(1, num_joints)
    parent, own = (child - 1) // 2, torch.arange(num_joints)
    edge_index = torch.stack([torch.cat([own, child, parent]), torch.cat([own, parent, child])])
    edge_type = torch.tensor([0, 1, 2]).repeat_interleave(
        torch.tensor([num_joints, num_joints - 1, num_joints - 1])
    )
    degree = torch.bincount(edge_index[1], minlength=num_joints).double()
    return edge_index, edge_type, 1.0 / degree[edge_index[1]]


def copies(graph, num_joints, count):
    """The disjoint union of copies, as keyword arguments of the model."""
    edge_index, edge_type, edge_weight = graph
    return {
        "edge_index": torch.cat([edge_index + num_joints * i for i in range(count)], dim=1),
        "edge_type": edge_type.repeat(count),
        "edge_weight": edge_weight.repeat(count),
        "e_id": torch.arange(edge_type.numel()).repeat(count),
    }


def clip(num_joints, frames, persons=1, seed=0, channels=3):
    """One clip as Data: the persons are copies of the skeleton in one graph."""
    generator = torch.Generator().manual_seed(seed)
    shape = (persons * num_joints, frames, channels)
    return Data(
        x=torch.randn(shape, generator=generator, dtype=torch.float64),
        mask=torch.ones(shape[:-1], dtype=torch.bool),
        person=torch.arange(persons).repeat_interleave(num_joints),
        num_nodes=shape[0],
        **copies(tree(num_joints), num_joints, persons),
    )


def run(model, data, **options):
    """The model on a Data or Batch."""
    given = {"batch": data.batch, "mask": data.get("mask"), "e_id": data.e_id, **options}
    if model.num_edges is None:
        given["e_id"] = None
    return model(data.x, data.edge_index, data.edge_type, data.edge_weight, **given)


def small(joints=7, seed=0, **options):
    """A model of three blocks with random parameters and statistics, in evaluation mode."""
    torch.manual_seed(seed)
    given = {
        "num_edges": 3 * joints - 2,
        "num_joints": joints,
        "channels": (4, 4, 6),
        "strides": (1, 2, 2),
        "kernel_size": 3,
        **options,
    }
    model = SkeletonSTGCN(3, 5, num_partitions=3, **given).double().eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
            tensor.uniform_(0.5, 1.5)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.7, 0.7)
    return model


def without(data, key="mask"):
    """A copy that lacks one attribute."""
    data = data.clone()
    data[key] = None
    return data
