"""The animation of a skeleton: what is drawn in which frame."""

import numpy as np
import pytest
import torch

from tgst.utils import Skeleton

pytest.importorskip("matplotlib")
from matplotlib.colors import to_rgba
from PIL import Image

from tgst.visualize import animate_skeleton
from tgst.visualize.skeleton_animation import LARGEST, LEFT, MIDDLE, RIGHT, WIDEST

# looked at frame by frame, not rendered
pytestmark = pytest.mark.filterwarnings("ignore:Animation was deleted:UserWarning")
BODY = Skeleton.from_edges([(0, 1), (1, 2), (1, 3)], center=1, pairs=[(2, 3)])


def clip(persons=1, frames=4, channels=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4 * persons, frames, channels, generator=generator)


def drawn(animation, frame):
    return animation._func(frame)[:2]


def test_bones_and_joints_follow_the_clip():
    x = clip(persons=2)
    animation = animate_skeleton(x, BODY)
    for frame in (2, 0):
        lines, joints = drawn(animation, frame)
        places = x[:, frame, :2].double().numpy()
        np.testing.assert_allclose(joints.get_offsets(), places)
        bones = [(0, 1), (1, 2), (1, 3), (4, 5), (5, 6), (5, 7)]
        for segment, (a, b) in zip(lines.get_segments(), bones, strict=True):
            np.testing.assert_allclose(segment, places[[a, b]])
        colors = [MIDDLE, LEFT, RIGHT] * 2
        np.testing.assert_allclose(lines.get_color(), [to_rgba(color) for color in colors])


@pytest.mark.parametrize(
    ("up", "turn", "right", "height"),
    [
        ("y", 0, lambda p: p[..., 0], lambda p: p[..., 1]),
        ("-y", 0, lambda p: p[..., 0], lambda p: -p[..., 1]),
        ("z", 90, lambda p: p[..., 1], lambda p: p[..., 2]),
        ("y", 180, lambda p: -p[..., 0], lambda p: p[..., 1]),
    ],
)
def test_directions(up, turn, right, height):
    x = clip().double().numpy()
    _, joints = drawn(animate_skeleton(x, BODY, up=up, turn=turn), 1)
    expected = np.stack([right(x[:, 1]), height(x[:, 1])], axis=-1)
    np.testing.assert_allclose(joints.get_offsets(), expected, atol=1e-12)


def test_unobserved_joints_and_their_bones_are_not_drawn():
    x, mask = clip(), torch.ones(4, 4, dtype=torch.bool)
    mask[2, 1] = False
    x[0, 3] = torch.nan
    animation = animate_skeleton(x, BODY, mask=mask)
    assert [len(drawn(animation, t)[0].get_segments()) for t in range(4)] == [3, 2, 3, 2]
    assert [len(drawn(animation, t)[1].get_offsets()) for t in range(4)] == [4, 3, 4, 3]


def test_response_is_the_area_of_a_joint():
    response = torch.tensor([[1.0, 4.0], [0.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    animation = animate_skeleton(clip(frames=5), BODY, response=response)
    # five frames of two responses: 0, 0, 0, 1, 1
    for frame, column in enumerate([0, 0, 0, 1, 1]):
        expected = 4 + LARGEST * response[:, column] / 4
        np.testing.assert_allclose(drawn(animation, frame)[1].get_sizes(), expected)


def test_importance_is_the_width_of_a_bone():
    edge_index = torch.tensor([[0, 1, 2, 1, 3, 0, 2], [1, 0, 1, 2, 1, 0, 3]])
    importance = torch.tensor([1.0, 3.0, -4.0, 4.0, 1.0, 9.0, 9.0])  # a self loop, and no bone
    animation = animate_skeleton(clip(), BODY, importance=importance, edge_index=edge_index)
    expected = 0.3 + WIDEST * np.array([2.0, 4.0, 1.0]) / 4
    np.testing.assert_allclose(drawn(animation, 0)[0].get_linewidth(), expected)


def test_gif_has_the_frames_and_the_rate(tmp_path):
    path = tmp_path / "clip.gif"
    titles = [f"frame {frame}" for frame in range(4)]
    animation = animate_skeleton(clip(), BODY, frames_per_second=10, title=titles, path=path)
    with Image.open(path) as image:
        assert image.n_frames == 4
        assert image.info["duration"] == 100
    assert animation._func(3)[2].get_text() == "frame 3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(5, 4, 3)}, "x: expected the 4 joints of skeleton 'custom', got 5"),
        ({"x": torch.zeros(4, 0, 3)}, "x: expected at least one frame and two channels, got 0"),
        ({"x": torch.full((4, 2, 3), torch.nan)}, "x: expected an observed joint"),
        ({"mask": torch.ones(4, 3, dtype=torch.bool)}, r"mask: expected shape \[4, 4\]"),
        ({"response": torch.ones(4, 5)}, "response: expected 1 to 4 frames as in x, got 5"),
        ({"response": -torch.ones(4, 4)}, "response: expected finite numbers >= 0"),
        ({"importance": torch.ones(3)}, "edge_index: expected the edges"),
        ({"up": "w"}, "up: expected one of x, y, z"),
        ({"frames_per_second": 0}, "frames_per_second: expected a number > 0, got 0"),
        ({"title": ["a"]}, "title: expected one for each of the 4 frames, got 1"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        animate_skeleton(arguments.pop("x", clip()), BODY, **arguments)
