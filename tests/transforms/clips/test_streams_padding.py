"""A padded clip is the clip alone, whatever streams a network sees."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tgst.nn.models import SkeletonSTGCN
from tgst.transforms import Streams
from tgst.utils import Skeleton

STREAMS = [
    ["joint"],
    ["bone"],
    ["joint_motion"],
    ["bone_motion"],
    ["joint", "joint_motion"],
    ["bone", "bone_motion", "joint_motion"],
]


def clip(before=0, after=0):
    """Seven frames with gaps, two persons of three coordinates and a confidence."""
    generator = torch.Generator().manual_seed(0)
    data = Skeleton.named("kinect-20").data(persons=2)
    mask = torch.rand(40, 7, generator=generator) > 0.1
    x = torch.randn(40, 7, 4, generator=generator, dtype=torch.float64)
    x = torch.where(mask.unsqueeze(-1), x, 0.0)
    data.x = torch.nn.functional.pad(x, (0, 0, before, after))
    data.mask = torch.nn.functional.pad(mask, (before, after))
    return data


def streams_of(data, streams, motion) -> Data:
    return Streams(streams, "kinect-20", motion, num_coordinates=3)(data)


@pytest.mark.parametrize("motion", ["forward", "backward", "central"])
@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize(("before", "after"), [(0, 5), (4, 0), (2, 3)])
def test_streams_of_a_padded_clip(streams, motion, before, after):
    alone = streams_of(clip(), streams, motion)
    padded = streams_of(clip(before, after), streams, motion)
    assert torch.equal(padded.mask, torch.nn.functional.pad(alone.mask, (before, after)))
    assert torch.equal(padded.x, torch.nn.functional.pad(alone.x, (0, 0, before, after)))
    assert alone.mask.any()


@pytest.mark.parametrize("motion", ["forward", "backward", "central"])
@pytest.mark.parametrize("streams", STREAMS)
@torch.no_grad()
def test_masked_readout_of_a_padded_clip(streams, motion):
    torch.manual_seed(0)
    model = SkeletonSTGCN(
        4 * len(streams), 5, 1, channels=(4, 6), strides=(1, 2), kernel_size=3, num_joints=20
    )
    model = model.double().eval()
    alone, padded = (streams_of(clip(after=frames), streams, motion) for frames in (0, 6))
    out = model(padded.x, padded.edge_index, mask=padded.mask)
    expected = model(alone.x, alone.edge_index, mask=alone.mask)
    torch.testing.assert_close(out, expected, rtol=1e-10, atol=1e-10)
