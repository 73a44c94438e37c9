"""Files from their publishers: resumed, bounded, and checked before they take their name."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from ...spec.errors import FileFormatError, ToolError
from .checksum import check

__all__ = ["download"]

_CHUNK = 1 << 18
_TIMEOUT_S = 30
_TRIES = 5  # of a connection that breaks and had brought something


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only: a server must not make this machine read its own files, or speak ftp."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _refuse_scheme(newurl, f"{req.full_url} redirects to")
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(self, req, fp, code, msg, headers):
        # urllib's own error for another scheme does not say where it led from.
        target = headers.get("location") or headers.get("uri") or ""
        if urlsplit(target).scheme:
            _refuse_scheme(target, f"{req.full_url} redirects to")
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _refuse_scheme(url: str, what: str) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ToolError(f"{what} {url[:200]!r}, which is neither http nor https, and is not followed. Download the file by hand.")


def download(url: str, path: Path, *, max_bytes: int, sha256: str | None = None, progress: Callable[[int, int], None] | None = None) -> str:
    """Fetch a file, or finish one that was begun; returns how far its content is assured, in words, see :func:`.checksum.check`.

    The bytes go to ``path`` + ``.part``, which stays when the connection breaks: the next call continues it. A file that is there is checked only.

    Parameters
    ----------
    url : http or https.
    path : where to.
    max_bytes : a longer file is refused, whatever its server says of its length.
    sha256 : in hexadecimal, as published; None: the one that was recorded beside the file, or none yet.
    progress : called with (bytes there, bytes in all).

    Raises ToolError (no connection, an answer that is none, too long) or FileFormatError (another checksum: the file is removed).
    """
    _refuse_scheme(url, "The address is")
    path = Path(path)
    if path.exists():
        return check(path, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    opener = urllib.request.build_opener(_Redirects)
    for attempt in range(_TRIES):
        before = part.stat().st_size if part.exists() else 0
        try:
            if _fetch(opener, url, part, max_bytes, progress):
                break
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            brought = part.stat().st_size if part.exists() else 0
            if isinstance(error, urllib.error.HTTPError) or brought == before or attempt == _TRIES - 1:
                kept = f" {brought:,} bytes are in {part}; the same command continues there." if brought else ""
                raise ToolError(f"{url} cannot be downloaded: {str(reason)[:200] or type(reason).__name__}.{kept} Without a connection, copy the "
                                f"file to {path} by other means.") from None
    else:
        raise ToolError(f"{url} cannot be downloaded: the connection ended early {_TRIES} times. {part} is kept; the same command continues there.")
    words = check(part, sha256, named=path)
    os.replace(part, path)
    return words


def _fetch(opener: urllib.request.OpenerDirector, url: str, part: Path, max_bytes: int, progress: Callable[[int, int], None] | None) -> bool:
    """Append what is missing to ``part``; whether the file is complete."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "spikeloom", "Accept-Encoding": "identity",
                                                   **({"Range": f"bytes={have}-"} if have else {})})
    try:
        answer = opener.open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing behind what is there: complete, or of another file; the checksum tells
            if error.headers.get("Content-Range", "") == f"bytes */{have}":
                return True
            part.unlink()
            return False
        raise
    with answer:
        start = re.match(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", "")) if answer.status == 206 else None
        if answer.status == 206 and (start is None or int(start[1]) != have):
            raise ToolError(f"{url}: the server continues at another byte than {have}; remove {part} and begin again")
        length = answer.headers.get("Content-Length", "")
        total = int(start[2]) if start else int(length) if length.isdigit() else None
        if total is not None and total > max_bytes:
            raise ToolError(f"{url} has {total:,} bytes; at most {max_bytes:,} are taken. It is not the file it should be.")
        done = have if start else 0
        with open(part, "ab" if start else "wb") as file:
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > max_bytes:
                    file.close()
                    part.unlink()
                    raise ToolError(f"{url} goes on beyond {max_bytes:,} bytes. It is not the file it should be.")
                file.write(chunk)
                if progress is not None:
                    progress(done, total or done)
    if total is not None and done > total:
        part.unlink()
        raise FileFormatError(f"{url} sent {done:,} bytes and promised {total:,}")
    return total is None or done == total
