"""The test that ties images, roads and skeletons together: PartitionConv on a grid is Conv2d."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import Conv2d
from torch_geometric.data import Batch

from tgst.nn import PartitionConv
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph, grid_to_nodes, nodes_to_grid

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
HEIGHT, WIDTH, BATCH = 6, 7, 3


class Result(NamedTuple):
    """An output and the gradients of its product with fixed numbers."""

    output: Tensor
    input: Tensor
    weight: Tensor
    bias: Tensor


def convolved(conv, images, factor, mask=None):
    """Conv2d on the images, their holes set to zero, read where no hole is."""
    x = images.clone().requires_grad_()
    out = conv(x if mask is None else x * mask)
    out = out if mask is None else out * mask
    (out * factor).sum().backward()
    return Result(out.detach(), x.grad, conv.weight.grad, conv.bias.grad)


def on_the_graph(conv, images, factor, wrap=False, mask=None, backend="auto"):
    """PartitionConv with the weights of Conv2d, its results in the shapes of an image."""
    radius = conv.kernel_size[0] // 2
    partition = OffsetPartition(radius)
    data = partition(grid_graph(HEIGHT, WIDTH, 8, radius=radius, wrap=wrap, mask=mask))
    widths = conv.in_channels, conv.out_channels
    layer = PartitionConv(*widths, partition.num_partitions, bias=True, backend=backend)
    layer = layer.to(images.dtype)
    with torch.no_grad():
        layer.weight.copy_(partition.weight_from_kernel(conv.weight))
        layer.bias.copy_(conv.bias)
    x = images.clone().requires_grad_()
    weight = data.edge_weight.to(x.dtype)
    nodes = layer(grid_to_nodes(x, data.cell), data.edge_index, data.edge_type, weight)
    out = nodes_to_grid(nodes, HEIGHT, WIDTH, data.cell)
    (out * factor).sum().backward()
    kernel = partition.kernel_from_weight(layer.weight.grad)
    return Result(out.detach(), x.grad, kernel, layer.bias.grad)


def images_and_factor(in_channels, out_channels, dtype, lead=(BATCH,)):
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(*lead, channels, HEIGHT, WIDTH, generator=generator, dtype=dtype)
        for channels in (in_channels, out_channels)
    )


def conv2d(in_channels, out_channels, dtype, size=3, **arguments):
    torch.manual_seed(1)
    return Conv2d(in_channels, out_channels, size, padding=size // 2, **arguments).to(dtype)


def assert_equal(found, expected, dtype):
    for name, ours, theirs in zip(Result._fields, found, expected, strict=True):
        assert theirs.abs().max() > 0.1, name
        difference = (ours - theirs).abs().max() / theirs.abs().max()
        assert difference < TOLERANCE[dtype], name


def hole(share=0.6):
    return torch.rand(HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2)) < share


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("widths", [(2, 5), (5, 2), (1, 1)])  # aggregate first, transform first
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_equals_conv2d(widths, dtype, mode):
    images, factor = images_and_factor(*widths, dtype)
    conv = conv2d(*widths, dtype, padding_mode=mode)
    found = on_the_graph(conv, images, factor, wrap=mode == "circular")
    assert_equal(found, convolved(conv, images, factor), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_equals_the_masked_convolution_where_the_grid_has_holes(dtype, mode):
    images, factor = images_and_factor(2, 5, dtype)
    conv, mask = conv2d(2, 5, dtype, padding_mode=mode), hole()
    found = on_the_graph(conv, images, factor, wrap=mode == "circular", mask=mask)
    assert_equal(found, convolved(conv, images, factor, mask), dtype)
    # and differs from that of the full image
    assert (found.output - convolved(conv, images, factor).output * mask).abs().max() > 0.1


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_equals_a_convolution_of_size_5(mode):
    images, factor = images_and_factor(2, 3, torch.float64)
    conv = conv2d(2, 3, torch.float64, size=5, padding_mode=mode)
    found = on_the_graph(conv, images, factor, wrap=mode == "circular")
    assert_equal(found, convolved(conv, images, factor), torch.float64)


@pytest.mark.parametrize("backend", ["embedding_bag", "dense", "reference"])
def test_with_every_backend(backend):
    images, factor = images_and_factor(2, 5, torch.float64)
    conv = conv2d(2, 5, torch.float64)
    found = on_the_graph(conv, images, factor, backend=backend)
    assert_equal(found, convolved(conv, images, factor), torch.float64)


def test_wrapped_in_the_width_alone():
    # Longitudes: columns go on at the other border, rows end in zeros.
    images, factor = images_and_factor(2, 5, torch.float64)
    conv = conv2d(2, 5, torch.float64)
    around = torch.nn.functional.pad(images, (1, 1, 0, 0), mode="circular")
    found = on_the_graph(conv, images, factor, wrap="width")
    torch.testing.assert_close(found.output, conv(around)[..., 1:-1].detach())


def test_kernel_without_corners_on_4_neighbours():
    images, _ = images_and_factor(2, 5, torch.float64)
    conv = conv2d(2, 5, torch.float64)
    with torch.no_grad():
        conv.weight[..., ::2, ::2] = 0
    partition = OffsetPartition()
    data = partition(grid_graph(HEIGHT, WIDTH, 4))
    layer = PartitionConv(2, 5, 9).double()
    with torch.no_grad():
        layer.weight.copy_(partition.weight_from_kernel(conv.weight))
        layer.bias.copy_(conv.bias)
    nodes = layer(grid_to_nodes(images), data.edge_index, data.edge_type)
    torch.testing.assert_close(nodes_to_grid(nodes, HEIGHT, WIDTH), conv(images))


def test_a_batch_of_different_grids():
    """One column, holes, a cell without neighbours: disjoint in a Batch, as if each were alone."""
    partition, conv = OffsetPartition(), conv2d(2, 5, torch.float64)
    layer = PartitionConv(2, 5, 9).double()
    with torch.no_grad():
        layer.weight.copy_(partition.weight_from_kernel(conv.weight))
        layer.bias.copy_(conv.bias)
    mask = torch.zeros(5, 6, dtype=torch.bool)
    mask[0, :2] = mask[3, 4] = True
    sizes = [(4, 3, None), (6, 1, None), (1, 1, None), (5, 6, mask)]
    graphs = [partition(grid_graph(h, w, 8, mask=holes)) for h, w, holes in sizes]
    generator = torch.Generator().manual_seed(3)
    images = [torch.randn(2, h, w, generator=generator).double() for h, w, _ in sizes]
    images[3] *= mask
    batch = Batch.from_data_list(graphs)
    cells = [graph.cell for graph in graphs]
    nodes = torch.cat([grid_to_nodes(x, at) for x, at in zip(images, cells, strict=True)])
    out = layer(nodes, batch.edge_index, batch.edge_type, batch.edge_weight.double())
    each = [grid_to_nodes(conv(x), at) for x, at in zip(images, cells, strict=True)]
    torch.testing.assert_close(out, torch.cat(each))


def test_every_frame_of_a_batch():
    images, _ = images_and_factor(2, 5, torch.float64, lead=(BATCH, 4))
    conv = conv2d(2, 5, torch.float64)
    partition = OffsetPartition()
    data = partition(grid_graph(HEIGHT, WIDTH, 8))
    layer = PartitionConv(2, 5, 9).double()
    with torch.no_grad():
        layer.weight.copy_(partition.weight_from_kernel(conv.weight))
        layer.bias.copy_(conv.bias)
    nodes = layer(grid_to_nodes(images), data.edge_index, data.edge_type)
    expected = conv(images.flatten(0, 1)).unflatten(0, (BATCH, 4))
    torch.testing.assert_close(nodes_to_grid(nodes, HEIGHT, WIDTH), expected)
