r"""Videos as OpenPose writes them, a folder each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tgst.data.build_clip_store import OnError, build_clip_store
from tgst.data.readers.openpose_folder import Persons, read_openpose_folder
from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton, as_skeleton

FILES = "*_keypoints.json"


class OpenPoseFolders(SkeletonClips):
    r"""Videos of one's own, as `OpenPose <https://arxiv.org/abs/1812.08008>`_ writes them with
    :obj:`--write_json`: a folder per video with a JSON file per frame. A video is a clip.

    The folders say what the classes are::

        root/jump/first_video/*_keypoints.json      classes "jump", "run", ... in alphabetical order
        root/first_video/*_keypoints.json           no classes, unless `labels` gives them
        root/*_keypoints.json                       a single video without a class

    See :class:`tgst.datasets.SkeletonClips` for what the dataset gives; its graphs hold
    :obj:`first_frame`, the number of the first frame in the files, as well.

    Args:
        root (str or Path): The folder.
        labels (mapping, optional): Class of each video by the name of its folder, of all or none;
            only for the second arrangement. (default: :obj:`None`)
        class_names (sequence of str, optional): Name of each class. Of the first arrangement, it
            gives the order of the classes, as predictions need that a model was trained with.
            (default: :obj:`None`)
        frame_size (tuple of int, optional): Width and height of the videos in pixels, which x and
            y are divided by. (default: :obj:`None`)
        num_bodies (int, optional): Most persons that are kept of a clip. (default: :obj:`2`)
        persons (str, optional): Who they are, see :func:`tgst.data.read_openpose_folder`.
            (default: :obj:`"track"`)
        skeleton (str or Skeleton, optional): Layout: the 18 joints that those of BODY_25 are
            mapped to as well, or a layout of your own for the 25 joints. (default:
            :obj:`"openpose-18"`)
        processed (str or Path, optional): Folder of a :class:`tgst.data.ClipStore` that the videos
            are read into once; :obj:`None` reads them anew and keeps them in memory.
            (default: :obj:`None`)
        on_error (str, optional): With :obj:`processed`, :obj:`"raise"` on a damaged video, or
            :obj:`"skip"` it; :obj:`dataset.failed` names those that were skipped and says why.
            (default: :obj:`"raise"`)
        num_workers (int, optional): With :obj:`processed`, processes that read. (default: :obj:`0`)
        progress (bool, optional): Show a progress bar. (default: :obj:`True`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If there is no such file in the folder.
        ValueError: If the folders have no such arrangement, labels or class names do not fit them,
            or a file is damaged; the message names it.
    """

    def __init__(
        self,
        root: str | Path,
        labels: Mapping[str, int] | None = None,
        class_names: Sequence[str] | None = None,
        frame_size: tuple[int, int] | None = None,
        num_bodies: int = 2,
        persons: Persons = "track",
        skeleton: str | Skeleton = "openpose-18",
        processed: str | Path | None = None,
        on_error: OnError = "raise",
        num_workers: int = 0,
        progress: bool = True,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        folder, layout = Path(root).expanduser().resolve(), as_skeleton(skeleton)
        videos, classes = _videos(folder)
        known, class_names = _labels(folder, videos, classes, labels, class_names)
        reading: dict[str, Any] = {
            "frame_size": None if frame_size is None else list(frame_size),
            "num_persons": num_bodies,
            "persons": persons,
            "layout": "openpose-18" if layout.num_joints == 18 else "body-25",
        }
        read = partial(_read, folder, reading)
        failed: dict[str, str] = {}
        if processed is None:
            bar = tqdm(videos.values(), folder.name, unit="video", disable=not progress)
            clips: Sequence[SkeletonClip] = [
                replace(clip, label=known.get(clip.name)) for clip in map(read, bar)
            ]
            rows = None
        else:
            store = build_clip_store(
                processed,
                videos,
                read,
                reading,
                layout,
                on_error=on_error,
                num_workers=num_workers,
                progress=progress,
            )
            names = [record.name for record in store.records]
            rows = sorted(
                (row for row, name in enumerate(names) if name in videos), key=names.__getitem__
            )
            clips, failed = store.labelled(known), store.failed
        super().__init__(
            clips,
            layout,
            class_names=class_names,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
            root=str(root),
            only=rows,
        )
        self.failed = failed


def _read(root: Path, reading: Mapping[str, Any], folder: Path) -> SkeletonClip:
    return replace(read_openpose_folder(folder, **reading), name=_name(root, folder))


def _name(root: Path, folder: Path) -> str:
    return root.name if folder == root else folder.relative_to(root).as_posix()


def _videos(root: Path) -> tuple[dict[str, Path], list[str] | None]:
    r"""The folders of the videos, and the classes if the folders are sorted by them."""
    if _holds_frames(root):
        return {root.name: root}, None
    folders = _folders(root)
    flat = [folder for folder in folders if _holds_frames(folder)]
    deep = [video for folder in folders for video in _folders(folder) if _holds_frames(video)]
    if flat and deep:
        raise ValueError(
            f"{root}: expected either folders of videos or folders of classes, got the video "
            f"{flat[0].name} beside the class {deep[0].parent.name}"
        )
    if not flat and not deep:
        raise FileNotFoundError(
            f"`root` must hold files {FILES}, folders of such, or folders of classes of such "
            f"folders, got none in {root}"
        )
    classes = sorted({video.parent.name for video in deep})
    return {_name(root, folder): folder for folder in flat or deep}, classes or None


def _holds_frames(folder: Path) -> bool:
    return next(folder.glob(FILES), None) is not None


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _labels(
    root: Path,
    videos: Mapping[str, Path],
    classes: list[str] | None,
    labels: Mapping[str, int] | None,
    class_names: Sequence[str] | None,
) -> tuple[dict[str, int], list[str] | None]:
    r"""The label of each video, and the names of the classes."""
    if classes is None:
        unknown = sorted(set(labels or ()) - set(videos))
        missing = sorted(set(videos) - set(labels)) if labels else []
        if unknown or missing:
            raise ValueError(
                f"labels: expected one for each video in {root}, got none for {missing} and some "
                f"for {unknown}"
            )
        return dict(labels or {}), None if class_names is None else list(class_names)
    if labels is not None:
        raise ValueError(f"labels: expected None, for the folders in {root} are classes {classes}")
    names = classes if class_names is None else list(class_names)
    strangers = [name for name in classes if name not in names]
    if strangers:
        raise ValueError(f"class_names: expected those of the folders {strangers}, got {names}")
    return {name: names.index(folder.parent.name) for name, folder in videos.items()}, names
