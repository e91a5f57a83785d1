import hashlib
import http.server
import io
import random
import re
import threading
import zipfile

import pytest

from tgst.datasets.download import RemoteFile, fetch, local_files

CONTENT = b"1,2\n3,4\n" * 1000


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("inside/a.csv", b"a\n")
        packed.writestr("inside/b.csv", b"b\n")
    return buffer.getvalue()


def damaged_archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inside/a.csv", random.Random(0).randbytes(200) + CONTENT)
    content = bytearray(buffer.getvalue())
    content[42] ^= 0xFF  # the first packed byte, behind 30 bytes of header and 12 of the name
    return bytes(content)


class Publisher(http.server.BaseHTTPRequestHandler):
    r"""Serves a few files and writes down what was asked for."""

    def do_GET(self):
        self.server.asked.append(self.path)
        files = {"/good.csv": CONTENT, "/cut.csv": CONTENT, "/all.zip": archive()}
        files["/damaged.zip"] = damaged_archive()
        if self.path not in files:
            self.send_error(404)
            return
        content = files[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:100] if self.path == "/cut.csv" else content)

    def log_message(self, *_):
        pass


@pytest.fixture
def publisher(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.asked = []
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("sha256", [None, hashlib.sha256(CONTENT).hexdigest()])
def test_good_file(tmp_path, publisher, sha256):
    file = RemoteFile("table.csv", f"{publisher.address}/good.csv", sha256)
    root = tmp_path / "new" / "folder"
    assert local_files(root, [file], "on a page", download=True) == [root / "table.csv"]
    assert (root / "table.csv").read_bytes() == CONTENT
    assert names(root) == ["table.csv"]
    assert (root / "table.csv").stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_there_is_not_fetched(tmp_path, publisher):
    file = RemoteFile("table.csv", f"{publisher.address}/good.csv", other_names=("other.csv",))
    (tmp_path / "other.csv").write_text("mine")
    assert local_files(tmp_path, [file], "on a page", download=True) == [tmp_path / "other.csv"]
    (tmp_path / "table.csv").write_text("mine, too")
    assert local_files(tmp_path, [file], "on a page", download=True) == [tmp_path / "table.csv"]
    assert publisher.asked == []
    assert (tmp_path / "table.csv").read_text() == "mine, too"


def test_nothing_is_fetched_unasked(tmp_path, publisher):
    file = RemoteFile("table.csv", f"{publisher.address}/good.csv")
    message = (
        rf"`root` must hold table.csv, got no table.csv in {re.escape(str(tmp_path))}; "
        rf"on a page; download=True fetches it from {publisher.address}/good.csv"
    )
    with pytest.raises(FileNotFoundError, match=message):
        local_files(tmp_path, [file], "on a page")
    assert publisher.asked == []


def test_wrong_checksum(tmp_path, publisher):
    file = RemoteFile("table.csv", f"{publisher.address}/good.csv", "0" * 64)
    came = hashlib.sha256(CONTENT).hexdigest()
    message = rf"give table.csv with the SHA-256 checksum 0{{64}}, got {came} \(8000 bytes\)"
    with pytest.raises(ValueError, match=message):
        local_files(tmp_path, [file], "on a page", download=True)
    assert names(tmp_path) == []


def test_no_such_file_there(tmp_path, publisher):
    file = RemoteFile("table.csv", f"{publisher.address}/moved.csv")
    with pytest.raises(ConnectionError, match=r"/moved.csv must answer with the file, got .*404"):
        local_files(tmp_path, [file], "on a page", download=True)
    assert names(tmp_path) == []


def test_cut_transfer(tmp_path, publisher):
    file = RemoteFile("table.csv", f"{publisher.address}/cut.csv")
    with pytest.raises(ConnectionError, match=r"/cut.csv must send 8000 bytes, got 100 before"):
        local_files(tmp_path, [file], "on a page", download=True)
    assert names(tmp_path) == []


def test_nobody_answers(tmp_path, publisher):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher) as closed:
        port = closed.server_port
    file = RemoteFile("table.csv", f"http://127.0.0.1:{port}/good.csv")
    with pytest.raises(ConnectionError, match=r"/good.csv cannot be fetched: .*; nothing was kept"):
        local_files(tmp_path, [file], "on a page", download=True)
    assert names(tmp_path) == []


def test_archive_is_fetched_once(tmp_path, publisher):
    url = f"{publisher.address}/all.zip"
    checksum = hashlib.sha256(b"b\n").hexdigest()
    files = [
        RemoteFile("a.csv", url, member="inside/a.csv"),
        RemoteFile("mine.csv", url, checksum, member="inside/b.csv"),
    ]
    paths = local_files(tmp_path, files, "on a page", download=True)
    assert [path.read_text() for path in paths] == ["a\n", "b\n"]
    assert publisher.asked == ["/all.zip"]
    assert names(tmp_path) == ["a.csv", "mine.csv"]


def test_archive_without_the_file(tmp_path, publisher):
    file = RemoteFile("c.csv", f"{publisher.address}/all.zip", member="inside/c.csv")
    with pytest.raises(ValueError, match=r"/all.zip must be a ZIP archive with inside/c.csv, got"):
        local_files(tmp_path, [file], "on a page", download=True)
    file = RemoteFile("c.csv", f"{publisher.address}/good.csv", member="inside/c.csv")
    with pytest.raises(ValueError, match=r"/good.csv must be a ZIP archive with inside/c.csv, got"):
        local_files(tmp_path, [file], "on a page", download=True)
    assert names(tmp_path) == []


def test_damaged_archive(tmp_path, publisher):
    file = RemoteFile("a.csv", f"{publisher.address}/damaged.zip", member="inside/a.csv")
    with pytest.raises(ValueError, match=r"/damaged.zip must be a ZIP archive .* was not kept"):
        local_files(tmp_path, [file], "source", download=True)
    assert names(tmp_path) == []


def test_message_of_a_file_without_address(tmp_path, publisher):
    files = [
        RemoteFile("a.csv", f"{publisher.address}/good.csv"),
        RemoteFile("b.csv", other_names=("B.csv", "b.txt")),
        RemoteFile("c.csv"),
    ]
    message = (
        r"`root` must hold a.csv, b.csv and c.csv, got no b.csv \(or B.csv or b.txt\) in .*; "
        r"on a page; no address is known to fetch it from, put it there"
    )
    with pytest.raises(FileNotFoundError, match=message):
        local_files(tmp_path, files, "on a page", download=True)
    assert names(tmp_path) == ["a.csv"]  # what could be fetched stays


@pytest.mark.parametrize("urls", [(None,), ("http://a", "http://b")])
def test_fetch_from_one_address(tmp_path, urls):
    files = [RemoteFile(f"{number}.csv", url) for number, url in enumerate(urls)]
    message = re.escape(f"`files` must have one address, got {[*urls]}")
    with pytest.raises(ValueError, match=message):
        fetch(files, tmp_path)
