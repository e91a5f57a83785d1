r"""Reads many files of clips once and keeps what they hold in a fast form."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np
from tqdm import tqdm

from tgst.data.check_clip import check_clip
from tgst.data.clip_store import FORMAT, HEADER, ClipStore, read_json
from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

OnError = Literal["raise", "skip"]
Read = Callable[[Path], SkeletonClip]


def build_clip_store(
    folder: str | Path,
    sources: Mapping[str, Path],
    read: Read,
    arguments: Mapping[str, Any],
    skeleton: Skeleton,
    num_classes: int | None = None,
    on_error: OnError = "raise",
    half: bool = False,
    shard_size: int = 1000,
    num_workers: int = 0,
    progress: bool = True,
) -> ClipStore:
    r"""Reads clips into a :class:`tgst.data.ClipStore`, once.

    A call that was interrupted is simply made again: it goes on with the files that are in no shard
    yet, and loses at most the shard that was being filled. Files of a shard get their names when
    they are complete, and the shard counts when its last one has. A complete store is opened
    without reading a source. Of several processes that make the same call, as those of distributed
    training do, one reads and the others wait for it (where files can be locked, not on Windows).

    Args:
        folder (str or Path): Where the store is; made if it does not exist.
        sources (mapping): The files to read, and what the store calls each.
        read (callable): Reads one file; picklable if :obj:`num_workers` is not 0.
        arguments (mapping): What the clips depend on, such as how bodies are selected; numbers,
            strings and lists of them. A store that others made is refused.
        skeleton (Skeleton): Layout that every clip has to have.
        num_classes (int, optional): Number of classes, to check the labels with.
            (default: :obj:`None`)
        on_error (str, optional): What to do about a file that cannot be read or is no clip:
            :obj:`"raise"`, or :obj:`"skip"` it; :obj:`store.failed` names it and says why, and the
            next call tries it again. (default: :obj:`"raise"`)
        half (bool, optional): Store positions in half precision: half the size, errors up to
            :math:`2^{-11}` of a coordinate. (default: :obj:`False`)
        shard_size (int, optional): Files per shard. (default: :obj:`1000`)
        num_workers (int, optional): Processes that read; 0 reads in this one.
            (default: :obj:`0`)
        progress (bool, optional): Show a progress bar. (default: :obj:`True`)

    Raises:
        ValueError: If the store was made with other arguments, or a file is no clip.
    """
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error: expected one of {get_args(OnError)}, got {on_error!r}")
    if shard_size < 1:
        raise ValueError(f"shard_size: expected at least 1, got {shard_size}")
    folder = Path(folder)
    _claim(folder, {**arguments, "skeleton": skeleton.name, "half": half})
    store = ClipStore(folder)
    if store.sources.issuperset(sources):
        return store  # it may be where nobody can write
    task = partial(_read_one, read, skeleton, num_classes, on_error)
    with _alone(folder):
        failed = _fill(folder, sources, task, half, shard_size, num_workers, progress)
    store = ClipStore(folder)
    store.failed = failed
    return store


def _fill(
    folder: Path,
    sources: Mapping[str, Path],
    task: Callable[[Path], SkeletonClip | str],
    half: bool,
    shard_size: int,
    num_workers: int,
    progress: bool,
) -> dict[str, str]:
    r"""Reads what is in no shard yet; returns which files could not be read, and why."""
    done = ClipStore(folder).sources
    missing = [source for source in sources if source not in done]
    failed: dict[str, Any] = {}
    with (
        _mapper(num_workers) as run,
        tqdm(
            total=len(sources),
            initial=len(sources) - len(missing),
            desc=folder.name,
            unit="file",
            disable=not (progress and missing),
        ) as bar,
    ):
        # Shard by shard: worker processes would read on and on ahead of what is written.
        for start in range(0, len(missing), shard_size):
            names = missing[start : start + shard_size]
            came = _counted(run(task, [sources[name] for name in names]), bar)
            clips = dict(zip(names, came, strict=True))
            failed |= {name: clips.pop(name) for name in names if isinstance(clips[name], str)}
            if clips:
                _write_shard(folder, clips, np.float16 if half else np.float32)
    return failed


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    r"""Waits until no other process writes to a folder; ends with the process at the latest."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # file systems that know no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with suppress(OSError):  # processes that read have the handle as well
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _claim(folder: Path, arguments: dict[str, Any]) -> None:
    r"""Writes what makes the store, or compares it with what made it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / HEADER
    asked = json.loads(json.dumps(arguments))
    if not path.is_file():
        with _atomic(path) as stream:
            stream.write(json.dumps({"format": FORMAT, "arguments": asked}).encode())
        return
    made = read_json(path).get("arguments", {})
    if made != asked:
        differ = sorted(key for key in {*made, *asked} if made.get(key) != asked.get(key))
        raise ValueError(
            f"{folder}: expected a store made with "
            f"{', '.join(f'{key}={asked.get(key)!r}' for key in differ)}, got "
            f"{', '.join(f'{key}={made.get(key)!r}' for key in differ)}; take another folder, or "
            "delete this one to make it again"
        )


def _read_one(
    read: Read, skeleton: Skeleton, num_classes: int | None, on_error: OnError, path: Path
) -> SkeletonClip | str:
    r"""The clip in a file, or what is wrong with it."""
    try:
        return check_clip(read(path), skeleton, num_classes=num_classes)
    except (ValueError, OSError) as error:
        if on_error == "raise":
            raise
        return str(error)


@contextmanager
def _mapper(num_workers: int) -> Iterator[Callable[..., Iterable]]:
    if num_workers == 0:
        yield map
        return
    with ProcessPoolExecutor(num_workers) as pool:
        try:
            yield partial(pool.map, chunksize=16)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # not all files after a damaged one
            raise


def _counted(results: Iterable, bar: tqdm) -> Iterator:
    for result in results:
        bar.update()
        yield result


def _write_shard(folder: Path, clips: Mapping[str, SkeletonClip], dtype: type) -> None:
    taken = [int(path.stem) for path in folder.glob("[0-9]*.json")]
    name = f"{max(taken, default=-1) + 1:05d}"
    records, row = [], 0
    for clip in clips.values():
        persons, frames = clip.positions.shape[:2]
        records.append(
            {
                "name": clip.name,
                "label": clip.label,
                "info": dict(clip.info),
                "persons": persons,
                "frames": frames,
                "observed": int(clip.observed.sum()),
                "row": row,
            }
        )
        row += persons * frames
    for part, kind in (("positions", dtype), ("observed", bool)):
        values = [getattr(clip, part) for clip in clips.values()]
        rows = np.concatenate([value.reshape(-1, *value.shape[2:]) for value in values])
        with _atomic(folder / f"{name}.{part}.npy") as stream:
            np.save(stream, rows.astype(kind, copy=False), allow_pickle=False)
    with _atomic(folder / f"{name}.json") as stream:
        stream.write(json.dumps({"sources": list(clips), "clips": records}).encode())


@contextmanager
def _atomic(path: Path) -> Iterator[IO[bytes]]:
    r"""A file that gets its name when it is complete and on the disk."""
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(part, 0o644)  # mkstemp makes private files
        os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)
