r"""Finds the files of a data set in a folder and fetches those that are missing."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TIMEOUT = 60  # seconds without an answer
CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class RemoteFile:
    r"""A file of a data set, and where its publisher keeps it.

    Args:
        name (str): Name of the file in the folder of the data set.
        url (str, optional): Address of the file; without one it cannot be fetched.
            (default: :obj:`None`)
        sha256 (str, optional): Checksum of the published file; without one a fetched file is
            taken as it comes. (default: :obj:`None`)
        member (str, optional): Name of the file inside of the ZIP archive at :obj:`url`;
            :obj:`None` if the file itself is there. (default: :obj:`None`)
        other_names (tuple of str, optional): Names under which the file goes around as well.
            (default: :obj:`()`)
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    member: str | None = None
    other_names: tuple[str, ...] = ()

    def path_in(self, folder: Path) -> Path | None:
        r"""Where the file is in a folder; :obj:`None` if it is not there.

        Args:
            folder (Path): The folder.
        """
        paths = (folder / name for name in (self.name, *self.other_names))
        return next((path for path in paths if path.is_file()), None)


def local_files(
    root: str | Path, files: Sequence[RemoteFile], source: str, download: bool = False
) -> list[Path]:
    r"""Paths of the files of a data set, in their order.

    Args:
        root (str or Path): Folder of the files.
        files (sequence of RemoteFile): What the folder must hold.
        source (str): Where the files are published, for the error message.
        download (bool, optional): Fetch missing files whose address is known; a file that is
            there is never fetched again. (default: :obj:`False`)

    Raises:
        FileNotFoundError: If a file is missing and is not to be fetched or has no address.
        ConnectionError: If a file cannot be fetched completely.
        ValueError: If a fetched file is not the published one.
    """
    folder = Path(root)
    if download:
        missing = [file for file in files if file.path_in(folder) is None]
        for url in dict.fromkeys(file.url for file in missing if file.url is not None):
            fetch([file for file in missing if file.url == url], folder)
    paths = [file.path_in(folder) for file in files]
    for file, path in zip(files, paths, strict=True):
        if path is None:
            raise FileNotFoundError(_missing(folder, file, files, source, download))
    return [path for path in paths if path is not None]


def fetch(files: Sequence[RemoteFile], folder: str | Path) -> None:
    r"""Fetches what is at one address: a file, or the members of an archive. A file gets its name
    only when it is complete and its checksum is right: a transfer that fails leaves nothing.

    Args:
        files (sequence of RemoteFile): Files of one and the same :obj:`url`.
        folder (str or Path): Where to put them; made if it does not exist.

    Raises:
        ConnectionError: If the address does not answer or the transfer is cut off.
        ValueError: If the files have no or several addresses, or something else came.
    """
    urls = {file.url for file in files}
    url = urls.pop() if len(urls) == 1 else None
    if url is None:
        raise ValueError(f"`files` must have one address, got {[file.url for file in files]}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _part(folder) as came:
        _transfer(url, came)
        for file in files:
            with _part(folder) as part:
                _take(file, came, part)
                os.replace(part, folder / file.name)


@contextmanager
def _part(folder: Path) -> Iterator[Path]:
    r"""A file that is gone afterwards unless it was given another name. It is in the same folder,
    where renaming cannot stop halfway.
    """
    handle, name = tempfile.mkstemp(prefix=".tgst.", suffix=".part", dir=folder)
    os.close(handle)
    os.chmod(name, 0o644)  # mkstemp makes private files
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _transfer(url: str, path: Path) -> None:
    r"""Writes what is at an address into a file."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as stream:
            promised = answer.headers.get("Content-Length")
            shutil.copyfileobj(answer, stream, CHUNK)
    except urllib.error.HTTPError as error:
        raise ConnectionError(f"{url} must answer with the file, got {error}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionError(f"{url} cannot be fetched: {error}; nothing was kept") from error
    received = path.stat().st_size
    if promised is not None and received != int(promised):
        raise ConnectionError(
            f"{url} must send {promised} bytes, got {received} before the connection ended; "
            "nothing was kept"
        )


def _take(file: RemoteFile, came: Path, part: Path) -> None:
    r"""Writes one file out of what came, if it is the published one."""
    if file.member is None:
        shutil.copyfile(came, part)
    else:
        try:
            with (
                zipfile.ZipFile(came) as archive,
                archive.open(file.member) as packed,
                part.open("wb") as stream,
            ):
                shutil.copyfileobj(packed, stream, CHUNK)
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
            raise ValueError(
                f"{file.url} must be a ZIP archive with {file.member}, got {error}; {file.name} "
                "was not kept"
            ) from error
    if file.sha256 is None:
        return
    with part.open("rb") as stream:
        checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    if checksum != file.sha256:
        raise ValueError(
            f"{file.url} must give {file.name} with the SHA-256 checksum {file.sha256}, got "
            f"{checksum} ({part.stat().st_size} bytes); nothing was kept: the publisher may have "
            "changed the file, or an error page came instead"
        )


def _missing(
    folder: Path, file: RemoteFile, files: Sequence[RemoteFile], source: str, download: bool
) -> str:
    *names, last = [each.name for each in files]
    wanted = f"{', '.join(names)} and {last}" if names else last
    others = f" (or {' or '.join(file.other_names)})" if file.other_names else ""
    if file.url is not None:
        way = f"; download=True fetches it from {file.url}"
    else:
        way = "; no address is known to fetch it from, put it there" if download else ""
    return f"`root` must hold {wanted}, got no {file.name}{others} in {folder}; {source}{way}"
