from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from tgst.transforms import clips

NAME = "kinect-20"
BAD: list[tuple[type, dict[str, Any], str]] = [
    (clips.AutoPadding, {"length": 0}, "length: expected at least 1, got 0"),
    (clips.BodyFrame, {"skeleton": NAME, "spine": [0]}, r"spine: expected its two ends, got \[0\]"),
    (
        clips.BodyFrame,
        {"skeleton": "mediapipe-hand-21"},
        "spine: expected joints, since skeleton 'mediapipe-hand-21' has none of the names",
    ),
    (
        clips.BoneLength,
        {"skeleton": NAME, "lengths": [1.0]},
        r"lengths: expected one .* 20 .* \[1\]",
    ),
    (
        clips.BoneLength,
        {"skeleton": NAME, "lengths": [-1.0] * 20},
        "lengths: expected numbers >= 0",
    ),
    (
        clips.BoneLength,
        {"skeleton": NAME, "lengths": [math.nan] * 20},
        "lengths: expected numbers >= 0",
    ),
    (
        clips.BoneLength,
        {"skeleton": NAME, "lengths": [1.0] * 20, "limits": (2.0, 0.5)},
        r"limits: expected \(at most 1, at least 1\), got \(2\.0, 0\.5\)",
    ),
    (clips.CenterRoot, {"skeleton": NAME, "per": "second"}, "per: expected one of .*'second'"),
    (clips.CenterRoot, {"skeleton": NAME, "person": "last"}, "person: expected one of .*'last'"),
    (
        clips.CenterRoot,
        {"skeleton": "mediapipe-pose-33"},
        "joint: expected the root of skeleton 'mediapipe-pose-33', which has no centre, got None",
    ),
    (clips.ConfidenceMask, {"threshold": -0.1}, r"threshold: expected a number >= 0, got -0\.1"),
    (clips.FrameDropout, {"p": 1.5}, r"p: expected a probability in 0\.\.1, got 1\.5"),
    (clips.Interpolate, {"max_gap": 0}, "max_gap: expected at least 1, got 0"),
    (clips.JointDropout, {"p": "all"}, "p: expected a number >= 0, got 'all'"),
    (clips.JointDropout, {"per": "person"}, "per: expected one of .*, got 'person'"),
    (clips.JointNoise, {"sigma": -1.0}, r"sigma: expected a number >= 0, got -1\.0"),
    (clips.JointNoise, {"size": "person"}, "size: expected one of .*, got 'person'"),
    (clips.NormalizeImage, {"width": None}, "height: expected both .* width=None and height=1080"),
    (clips.NormalizeImage, {"extent": 0.0}, r"extent: expected a number > 0, got 0\.0"),
    (clips.NormalizeImage, {"width": "full"}, "width: expected a number > 0, got 'full'"),
    (clips.RandomChoose, {"length": -1}, "length: expected at least 1, got -1"),
    (clips.RandomFlip, {"skeleton": NAME, "p": 2}, r"p: expected a probability in 0\.\.1, got 2"),
    (clips.RandomFlip, {"skeleton": NAME, "axis": -1}, "axis: expected at least 0, got -1"),
    (
        clips.RandomFlip,
        {"skeleton": NAME, "about": "middle"},
        "about: expected a number or \"mean\", got 'middle'",
    ),
    (
        clips.RandomFlip,
        {"skeleton": "mediapipe-hand-21"},
        "skeleton: expected pairs of left and right joints, got none in 'mediapipe-hand-21'",
    ),
    (clips.RandomMove, {"angle": ()}, r"angle: expected a list of numbers to draw from, got \(\)"),
    (clips.RandomMove, {"scale": "big"}, "scale: expected a list of numbers .*, got 'big'"),
    (clips.RandomMove, {"shift": [None]}, "shift: expected numbers to draw from, got None"),
    (clips.RandomMove, {"scale": [math.nan]}, "scale: expected numbers to draw from, got nan"),
    (clips.RandomMove, {"move_time": [0]}, "move_time: expected at least 1, got 0"),
    (clips.RandomRotation, {"theta": -0.1}, r"theta: expected a number >= 0, got -0\.1"),
    (clips.RandomRotation, {"theta": math.inf}, "theta: expected a number >= 0, got inf"),
    (clips.RandomRotation, {"theta": []}, r"theta: .* or one per axis, got \[\]"),
    (clips.RandomRotation, {"theta": [0.1, 0.2]}, "theta: expected one number per each of 3 axes"),
    (clips.RandomRotation, {"axis": "up"}, "axis: expected one of .*, got 'up'"),
    (clips.RandomRotation, {"num_coordinates": 0}, "num_coordinates: expected at least 1, got 0"),
    (clips.RandomScale, {"scale": None}, "scale: expected a number >= 0, got None"),
    (clips.RandomShear, {"amplitude": math.nan}, "amplitude: expected a number >= 0, got nan"),
    (clips.ResampleTime, {"length": 0}, "length: expected at least 1, got 0"),
    (clips.ResampleTime, {"length": 4, "mode": "cubic"}, "mode: expected one of .*, got 'cubic'"),
    (clips.SmoothTime, {"window": 4}, "window: expected an odd number of frames, got 4"),
    (clips.SmoothTime, {"sigma": 0.0}, r"sigma: expected a number > 0, got 0\.0"),
    (clips.SmoothTime, {"sigma": "wide"}, "sigma: expected a number > 0, got 'wide'"),
    (clips.Streams, {"streams": "bone", "skeleton": NAME}, "streams: .* different streams, got 'b"),
    (clips.Streams, {"streams": [], "skeleton": NAME}, r"streams: .* different streams, got \[\]"),
    (
        clips.Streams,
        {"streams": ["bone"] * 2, "skeleton": NAME},
        "streams: expected a list of diff",
    ),
    (clips.Streams, {"streams": ["speed"], "skeleton": NAME}, "streams: expected one of .*'speed'"),
    (
        clips.Streams,
        {"streams": ["bone"], "skeleton": NAME, "motion": "past"},
        "motion: expected one of .*, got 'past'",
    ),
    (clips.TemporalCrop, {"ratio": 0.0}, r"ratio: expected a share in 0\.\.1, .* got 0\.0"),
    (clips.TemporalCrop, {"ratio": (0.9, 0.5)}, r"ratio: expected a share .* got \(0\.9, 0\.5\)"),
    (clips.TemporalCrop, {"ratio": None}, r"ratio: expected a share in 0\.\.1, .* got None"),
    (clips.TemporalCrop, {"ratio": (0.5, "1")}, r"ratio: expected a share .* got \(0\.5, '1'\)"),
    (clips.TemporalCrop, {"min_length": 0}, "min_length: expected at least 1, got 0"),
    (clips.UniformSample, {"length": 5, "num_clips": 0}, "num_clips: expected at least 1, got 0"),
    (clips.UniformSample, {"length": 5, "seed": -1}, "seed: expected at least 0, got -1"),
]


@pytest.mark.parametrize(("kind", "arguments", "message"), BAD)
def test_bad_arguments(kind: type, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**arguments)


@pytest.mark.parametrize(
    ("kind", "arguments", "name"),
    [
        (clips.AutoPadding, {"length": 1.5}, "length"),
        (clips.ConfidenceMask, {"channel": None}, "channel"),
        (clips.RandomMove, {"move_time": [1.5]}, "move_time"),
        (clips.RandomFlip, {"skeleton": NAME, "axis": None}, "axis"),
        (clips.UniformSample, {"length": "5"}, "length"),
        (clips.RandomScale, {"num_coordinates": 2.0}, "num_coordinates"),
    ],
)
def test_numbers_that_are_no_integers(kind: type, arguments: dict[str, Any], name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: expected an int, got"):
        kind(**arguments)


# Those of the published codes, and ours where there are none.
DEFAULTS: dict[type, dict[str, Any]] = {
    clips.CenterRoot: {"per": "frame", "person": "first"},
    clips.ConfidenceMask: {"threshold": 0.0, "channel": -1},
    clips.FrameDropout: {"p": 0.1},
    clips.JointDropout: {"p": 0.1, "per": "clip"},
    clips.JointNoise: {"sigma": 0.01, "size": "frame", "shared": False},
    clips.NormalizeImage: {"width": 1920, "height": 1080, "extent": 2.0},
    clips.RandomFlip: {"axis": 0, "p": 0.5, "about": 0.0},
    clips.RandomMove: {
        "angle": (-10, -5, 0, 5, 10),
        "scale": (0.9, 1.0, 1.1),
        "shift": (-0.2, -0.1, 0.0, 0.1, 0.2),
        "move_time": (1,),
    },
    clips.RandomRotation: {"theta": 0.3, "axis": None},
    clips.RandomScale: {"scale": 0.2, "isotropic": False},
    clips.RandomShear: {"amplitude": 0.5},
    clips.SmoothTime: {"window": 5, "sigma": None},
    clips.Streams: {"motion": "forward"},
    clips.TemporalCrop: {"length": 64, "ratio": (0.5, 1.0), "min_length": 64},
    clips.UniformSample: {"num_clips": None, "seed": 255},
}


@pytest.mark.parametrize("kind", DEFAULTS)
def test_defaults(kind: type) -> None:
    parameters = inspect.signature(kind).parameters
    expected = DEFAULTS[kind]
    assert {name: parameters[name].default for name in expected} == expected
