from __future__ import annotations

import numpy as np
import pytest

from tests.datasets.ntu_files import positions, skeleton_text, write_sample
from tests.datasets.openpose_files import write_video
from tgst.data.skeleton_clip import SkeletonClip
from tgst.train.clip_files import largest_coordinate, read_clip_files
from tgst.utils.skeleton import Skeleton

OPENPOSE, NTU = Skeleton.named("openpose-18"), Skeleton.named("ntu-25")


def test_clips_in_order_of_their_names(tmp_path):
    write_video(tmp_path / "b" / "street")
    write_video(tmp_path / "a" / "yard", frames=2)
    (tmp_path / "classes.json").write_text("{}")  # what else lies there is not a video
    (tmp_path / "notes" / "deep").mkdir(parents=True)
    (tmp_path / "notes" / "deep" / "todo.json").write_text("[")
    clips = read_clip_files(tmp_path, OPENPOSE)
    assert [(clip.name, clip.num_frames) for clip in clips] == [("yard", 2), ("street", 3)]
    (alone,) = read_clip_files(tmp_path / "b" / "street", OPENPOSE)
    np.testing.assert_array_equal(alone.positions, clips[1].positions)


def test_clips_of_one_name_are_told_apart(tmp_path):
    for camera in ("left", "right"):
        write_video(tmp_path / camera / "street")
    write_video(tmp_path / "yard")
    names = [clip.name for clip in read_clip_files(tmp_path, OPENPOSE)]
    assert names == ["left/street", "right/street", "yard"]


def test_arguments_of_the_reader(tmp_path):
    write_video(tmp_path / "street")
    (pixels,) = read_clip_files(tmp_path, OPENPOSE)
    (parts,) = read_clip_files(tmp_path, OPENPOSE, {"frame_size": [200, 100]})
    np.testing.assert_allclose(parts.positions, pixels.positions / [200, 100, 1], rtol=1e-6)
    with pytest.raises(ValueError, match=r"input_args: read_openpose_folder takes .*, got bodies"):
        read_clip_files(tmp_path, OPENPOSE, {"bodies": "all"})


def test_skeleton_files_are_read_as_in_training(tmp_path):
    still, moving = positions(4, 1.0, spread=0.1), positions(4, 5.0)
    (tmp_path / "two.skeleton").write_text(skeleton_text({7: still, 8: moving}, 4))
    trained = {"bodies": "file_order", "num_bodies": 1}

    def first(*arguments):
        (clip,) = read_clip_files(tmp_path, NTU, *arguments)
        return len(clip.positions), float(clip.positions[0, 0, 0, 0])

    assert first() == (2, 5.0)  # the one that moves most comes first
    assert first({}, trained) == (1, 1.0)
    assert first({"bodies": "energy"}, trained) == (1, 5.0)


def test_the_largest_coordinate_by_hand():
    values = np.zeros((1, 2, 18, 3), np.float32)
    values[0, 0, 3] = [-4.0, 2.0, 50.0]  # the third is no coordinate of the image
    values[0, 1, 5] = [70.0, 0.0, 0.0]
    observed = np.ones((1, 2, 18), bool)
    observed[0, 1, 5] = False
    assert largest_coordinate(SkeletonClip(values, observed, None, "a")) == 4.0
    assert largest_coordinate(SkeletonClip(values, observed & False, None, "a")) == 0.0


def test_pixels_for_a_model_of_parts_of_the_image_are_refused(tmp_path):
    write_video(tmp_path / "street")
    with pytest.raises(
        ValueError,
        match=r"input: clip 'street' has coordinates of up to 102.5, but the model was trained on "
        r"clips of up to 0.9, in another unit; OpenPose writes pixels: .*frame_size",
    ):
        read_clip_files(tmp_path, OPENPOSE, extent=0.9)
    size = {"frame_size": [200, 200]}
    assert len(read_clip_files(tmp_path, OPENPOSE, size, extent=0.9)) == 1
    assert len(read_clip_files(tmp_path, OPENPOSE, extent=10.3)) == 1  # within ten times
    write_sample(tmp_path / "ntu", "alone")
    with pytest.raises(ValueError, match=r"'alone' has .* those are metres in .skeleton files"):
        read_clip_files(tmp_path / "ntu", NTU, extent=0.01)


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"input: there is no file or folder .*nowhere"):
        read_clip_files(tmp_path / "nowhere", NTU)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "other.json").write_text("{}")
    message = r"empty holds neither .skeleton files nor OpenPose's \*_keypoints.json files"
    with pytest.raises(FileNotFoundError, match=message):
        read_clip_files(tmp_path / "empty", NTU)
    with pytest.raises(
        ValueError, match=r"expected a folder or a .skeleton file, got .*other.json"
    ):
        read_clip_files(tmp_path / "empty" / "other.json", NTU)
    write_sample(tmp_path / "ntu", "alone")
    with pytest.raises(ValueError, match="'alone' has 25 joints, but the model knows the 18 of"):
        read_clip_files(tmp_path / "ntu", OPENPOSE)
    broken = write_video(tmp_path / "street") / "street_000000000001_keypoints.json"
    broken.write_text('{"people": [')
    with pytest.raises(ValueError, match=r"street_000000000001_keypoints.json"):
        read_clip_files(tmp_path / "street", OPENPOSE)
