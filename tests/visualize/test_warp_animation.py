"""The animation of a warp: what is drawn in which frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.nn.warp import Affine, ThinPlateSpline

pytest.importorskip("matplotlib")
from PIL import Image

from tgst.visualize import animate_warp
from tgst.visualize.warp_lines import warped_lines

# looked at frame by frame, not rendered
pytestmark = pytest.mark.filterwarnings("ignore:Animation was deleted:UserWarning")


def images(batch=2):
    return torch.rand(batch, 1, 8, 10, generator=torch.Generator().manual_seed(0))


def theta(warp, frames=3, batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return warp.identity() + 0.1 * torch.randn(frames, batch, warp.num_params, generator=generator)


@pytest.mark.parametrize("warp", [Affine(), ThinPlateSpline(3)])
def test_outlines_and_outputs_follow_the_training(warp):
    x, given = images(), theta(warp)
    animation = animate_warp(x, given.numpy(), warp, 5, titles=["a", "b", "c"])
    for step in (2, 0, 1):
        *artists, heading = animation._func(step)
        assert heading.get_text() == "abc"[step]
        expected = warped_lines(warp, given[step], (8, 10))
        grid = warp.grid(given[step], (5, 5))
        output = torch.nn.functional.grid_sample(x, grid, align_corners=False)
        for image in range(2):
            lines, dot, picture = artists[3 * image : 3 * image + 3]
            np.testing.assert_allclose(lines.get_segments(), expected[image], rtol=1e-5)
            np.testing.assert_allclose(np.ravel(dot.get_data()), expected[image, 0, 0], rtol=1e-5)
            np.testing.assert_allclose(picture.get_array(), output[image, 0], atol=1e-6)


def test_several_transforms_of_an_image():
    x, warp = images(), Affine()
    given = [theta(warp, seed=seed) for seed in (1, 2)]
    artists = animate_warp(x, given, warp)._func(1)
    for number in range(2):
        expected = warped_lines(warp, given[number][1], (8, 10))
        for image in range(2):
            lines = artists[3 * (2 * number + image)]
            np.testing.assert_allclose(lines.get_segments(), expected[image], rtol=1e-5)


def test_inputs_stand_above_outputs():
    x, warp = images(), Affine()
    animation = animate_warp(x, theta(warp), warp)
    above, below = np.array(animation._fig.axes).reshape(2, 2)
    for image in range(2):
        np.testing.assert_array_equal(above[image].images[0].get_array(), x[image, 0])
        assert len(above[image].collections) == 1
        assert not below[image].collections
    assert len({axes.get_xlim() for axes in above}) == 1


def test_gif_has_the_frames_and_the_rate(tmp_path):
    path = tmp_path / "warp.gif"
    animate_warp(images(1), theta(Affine(), batch=1), Affine(), frames_per_second=5, path=path)
    with Image.open(path) as image:
        assert image.n_frames == 3
        assert image.info["duration"] == 200


def test_other_files_are_left_to_the_writers_of_matplotlib(monkeypatch):
    given = {}
    monkeypatch.setattr(
        "matplotlib.animation.FuncAnimation.save",
        lambda self, path, **kwargs: given.update(path=path, **kwargs),
    )
    animate_warp(images(), theta(Affine()), Affine(), frames_per_second=5, path="warp.mp4")
    assert (str(given["path"]), given["fps"]) == ("warp.mp4", 5)
    assert "writer" not in given


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(2, 8, 10)}, r"x: expected images \[B, 1 or 3, H, W\], got \[2, 8, 10\]"),
        ({"theta": torch.zeros(2, 6)}, r"theta: expected \[T, 2, P\], one row for each image, got"),
        ({"theta": torch.zeros(3, 4, 6)}, r"theta: expected \[T, 2, P\], one row for each image, "),
        ({"theta": torch.zeros(0, 2, 6)}, r"theta: expected one or more frames, .* got \[0\]"),
        (
            {"theta": [torch.zeros(1, 2, 6), torch.zeros(2, 2, 6)]},
            r"theta: expected one or more frames, as many of each transform, got \[1, 2\]",
        ),
        ({"titles": ["a"]}, "titles: expected one for each of the 3 frames, got 1"),
        ({"frames_per_second": 0}, "frames_per_second: expected a number > 0, got 0"),
    ],
)
def test_mistakes_are_named(arguments, message):
    given = {"x": images(), "theta": theta(Affine()), "warp": Affine()} | arguments
    with pytest.raises(ValueError, match=message):
        animate_warp(**given)
