import numpy as np
import pytest
import torch

from tests.data.flow_files import slot_stamps, write_flow
from tgst.data import LagWindows, external_features
from tgst.datasets import BikeNYC
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph

NAME = "NYC14_M16x8_T60_NewEnd.h5"


@pytest.mark.parametrize("first_slot", [0, 1])
def test_published_layout(tmp_path, first_slot):
    stamps = slot_stamps("2014-04-01", "2014-09-30", 24, first_slot)
    assert len(stamps) == 4392
    write_flow(tmp_path / NAME, stamps)
    dataset = BikeNYC(tmp_path)
    series = dataset.series
    assert series.channels == ("new_flow", "end_flow")
    assert (dataset.height, dataset.width, dataset.slots_per_day) == (3, 2, 24)
    assert (dataset.holidays, dataset.meteorology) == (None, None)
    assert str(series.timestamps[0]) == "2014-04-01T00:00:00"
    assert str(series.timestamps[-1]) == "2014-09-30T23:00:00"
    assert series.values[5, 1234].tolist() == [123_400 + 17, 123_400 + 67]
    assert len(LagWindows(series.timestamps, 3, 4, 4)) == 3720
    features, _ = external_features(series.timestamps, dataset.holidays)
    assert features.shape == (4392, 8)


def test_connectivity_and_transform(tmp_path):
    write_flow(tmp_path / NAME, slot_stamps("2014-04-01", "2014-04-01", 24, 0))
    offsets = OffsetPartition()
    data = BikeNYC(tmp_path, connectivity=8, transform=offsets)[0]
    assert torch.equal(data.edge_type, offsets(grid_graph(3, 2, 8)).edge_type)


def test_incomplete_days(tmp_path):
    stamps = slot_stamps("2014-04-01", "2014-04-03", 24, 0)
    write_flow(tmp_path / NAME, [*stamps[:30], *stamps[31:]])
    assert BikeNYC(tmp_path, whole_days=False).series.num_steps == 71
    days = BikeNYC(tmp_path).series.timestamps.astype("M8[D]")
    assert np.unique(days).astype(str).tolist() == ["2014-04-01", "2014-04-03"]


def test_missing_file(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=rf"`root` must hold {NAME}, got no {NAME} in .*Deep"
    ):
        BikeNYC(tmp_path)
