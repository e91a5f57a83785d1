r"""Transforms of skeleton clips: augmentation, preprocessing and streams."""

from tgst.transforms.clips.auto_padding import AutoPadding
from tgst.transforms.clips.body_frame import BodyFrame
from tgst.transforms.clips.bone_length import BoneLength, bone_lengths
from tgst.transforms.clips.center_root import CenterRoot
from tgst.transforms.clips.confidence_mask import ConfidenceMask
from tgst.transforms.clips.drop_empty_frames import DropEmptyFrames
from tgst.transforms.clips.frame_dropout import FrameDropout
from tgst.transforms.clips.interpolate import Interpolate
from tgst.transforms.clips.joint_dropout import JointDropout
from tgst.transforms.clips.joint_noise import JointNoise
from tgst.transforms.clips.normalize_image import NormalizeImage
from tgst.transforms.clips.random_choose import RandomChoose
from tgst.transforms.clips.random_flip import RandomFlip
from tgst.transforms.clips.random_move import RandomMove
from tgst.transforms.clips.random_rotation import RandomRotation
from tgst.transforms.clips.random_scale import RandomScale
from tgst.transforms.clips.random_shear import RandomShear
from tgst.transforms.clips.random_shift import RandomShift
from tgst.transforms.clips.resample_time import ResampleTime
from tgst.transforms.clips.smooth_time import SmoothTime
from tgst.transforms.clips.streams import Streams
from tgst.transforms.clips.temporal_crop import TemporalCrop
from tgst.transforms.clips.uniform_sample import UniformSample

__all__ = [
    "AutoPadding",
    "BodyFrame",
    "BoneLength",
    "CenterRoot",
    "ConfidenceMask",
    "DropEmptyFrames",
    "FrameDropout",
    "Interpolate",
    "JointDropout",
    "JointNoise",
    "NormalizeImage",
    "RandomChoose",
    "RandomFlip",
    "RandomMove",
    "RandomRotation",
    "RandomScale",
    "RandomShear",
    "RandomShift",
    "ResampleTime",
    "SmoothTime",
    "Streams",
    "TemporalCrop",
    "UniformSample",
    "bone_lengths",
]
