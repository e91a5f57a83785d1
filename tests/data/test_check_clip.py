import numpy as np
import pytest

from tests.data.stored import CHAIN
from tgst.data.check_clip import check_clip
from tgst.data.skeleton_clip import SkeletonClip


def clip(joints=3, channels=2, label=1):
    shape = (1, 2, joints)
    return SkeletonClip(np.ones((*shape, channels)), np.ones(shape, bool), label, "walk")


def test_a_clip_that_fits():
    fitting = clip()
    assert check_clip(fitting, CHAIN, 2, 2) is fitting
    assert check_clip(clip(label=None), CHAIN, num_classes=1).label is None
    assert check_clip(clip(channels=3, label=9), CHAIN).num_channels == 3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"joints": 4}, r"clip 'walk': expected the 3 joints of skeleton 'chain-3', got 4"),
        ({"joints": 25}, r"got 25 \(ntu-25 and ntu-25-pyskl would fit\)"),
        ({"channels": 3}, "clip 'walk': expected 2 channels as in the clips before, got 3"),
        ({"label": 2}, "clip 'walk': expected a label in 0..1, got 2"),
    ],
)
def test_errors(changed, message):
    with pytest.raises(ValueError, match=message):
        check_clip(clip(**changed), CHAIN, 2, 2)
