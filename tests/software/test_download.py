"""Downloads, from a server on this machine: continued, bounded, checked, and led nowhere."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spikeloom.software.data.download import download
from spikeloom.spec.errors import FileFormatError, ToolError

CONTENT = np.random.default_rng(0).bytes(700_000)
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT; its attributes say how badly."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks_after: list[int] = []  # bytes of the body until the connection breaks, per request
        self.ranges, self.lies, self.seen = True, None, []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server, start = self.server, 0
        server.seen.append(self.headers.get("Range"))
        if self.path.startswith("/to/"):
            self.send_response(int(self.headers.get("X-Code", "302")))
            self.send_header("Location", {"file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/x", "here": "/data", "round": "/to/round"}
                             [self.path[4:]])
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        if self.headers.get("Range") and server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        length = len(CONTENT) - start if server.lies is None else server.lies
        if length:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        stop = server.breaks_after.pop(0) if server.breaks_after else len(CONTENT)
        self.wfile.write(CONTENT[start:start + stop])
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(server: Server, path: Path, where: str = "/data", **options) -> str:
    return download(server.url + where, path, **{"max_bytes": 1 << 20, "sha256": SUM, **options})


def test_a_file_comes_whole_with_progress_and_is_not_fetched_again(server, tmp_path) -> None:
    seen = []
    path = tmp_path / "new" / "a.bin"
    assert "given" in fetch(server, path, progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT and seen[-1] == (len(CONTENT), len(CONTENT)) and len(seen) > 1
    assert [p.name for p in path.parent.iterdir()] == ["a.bin"]
    fetch(server, path)
    assert server.seen == [None]


def test_a_connection_that_breaks_is_continued(server, tmp_path) -> None:
    server.breaks_after = [300_000, 200_000]
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and server.seen == [None, "bytes=300000-", "bytes=500000-"]


def test_a_later_call_continues_the_part_that_is_there(server, tmp_path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:123_456])
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT and server.seen == ["bytes=123456-"]


def test_a_part_that_is_complete_is_taken(server, tmp_path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_without_ranges_begins_again(server, tmp_path) -> None:
    server.ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"other bytes")
    fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_part_of_another_file_is_found_by_the_checksum_and_removed(server, tmp_path) -> None:
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(FileFormatError, match="removed"):
        fetch(server, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(server, tmp_path) -> None:
    with pytest.raises(FileFormatError, match=SUM):
        fetch(server, tmp_path / "a.bin", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_checksum_that_is_none_is_refused(server, tmp_path) -> None:
    with pytest.raises(FileFormatError, match="64 hexadecimal"):
        fetch(server, tmp_path / "a.bin", sha256="md5?")


def test_a_file_that_ends_early_again_and_again_keeps_its_part(server, tmp_path) -> None:
    server.breaks_after = [1000] * 20
    with pytest.raises(ToolError, match="continues"):
        fetch(server, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").stat().st_size == 5000 and not (tmp_path / "a.bin").exists()


def test_a_server_that_sends_nothing_is_not_asked_for_ever(server, tmp_path) -> None:
    server.breaks_after = [0] * 50
    with pytest.raises(ToolError):
        fetch(server, tmp_path / "a.bin")
    assert len(server.seen) <= 5


@pytest.mark.parametrize("where", ["/to/file", "/to/ftp"])
def test_a_redirect_to_a_file_is_not_followed(server, tmp_path, where) -> None:
    with pytest.raises(ToolError, match="neither http nor https"):
        fetch(server, tmp_path / "a.bin", where)
    assert list(tmp_path.iterdir()) == []


def test_a_redirect_to_http_is_followed_but_not_in_circles(server, tmp_path) -> None:
    fetch(server, tmp_path / "a.bin", "/to/here")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    with pytest.raises(ToolError):
        fetch(server, tmp_path / "b.bin", "/to/round")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,a", "/etc/passwd"])
def test_an_address_of_another_kind_is_refused(tmp_path, url) -> None:
    with pytest.raises(ToolError, match="neither http nor https"):
        download(url, tmp_path / "a.bin", max_bytes=1000)


def test_a_longer_file_is_refused_whatever_is_promised(server, tmp_path) -> None:
    with pytest.raises(ToolError, match="at most 1,000"):
        fetch(server, tmp_path / "a.bin", max_bytes=1000)
    server.lies = 0  # no length at all
    with pytest.raises(ToolError, match="beyond 1,000"):
        fetch(server, tmp_path / "b.bin", max_bytes=1000)
    assert list(tmp_path.iterdir()) == []


def test_no_connection_and_no_such_file_say_what_to_do(server, tmp_path) -> None:
    with pytest.raises(ToolError, match="Not Found.*other means"):
        fetch(server, tmp_path / "a.bin", "/missing")
    with pytest.raises(ToolError, match="refused.*other means"):
        download("http://127.0.0.1:9/a", tmp_path / "a.bin", max_bytes=1000)


def test_the_first_use_is_trusted_plainly_and_recorded(server, tmp_path) -> None:
    path = tmp_path / "a.bin"
    assert "no published SHA-256" in fetch(server, path, sha256=None)
    assert (tmp_path / "a.bin.sha256").read_text() == f"{SUM}  a.bin\n"
    assert "recorded in" in fetch(server, path, sha256=None)
    path.write_bytes(CONTENT[1:])
    with pytest.raises(FileFormatError, match="recorded in"):
        fetch(server, path, sha256=None)
    assert path.exists()  # a file that had its name already may be someone's work
