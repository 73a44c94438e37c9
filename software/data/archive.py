"""Archives from outside: unpacked below one folder, plain files only, within bounds that are known before."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ...spec.errors import FileFormatError
from ..atomic import replace_directory, replace_file

__all__ = ["extract_tar", "gunzip"]

MARKER = "spikeloom-extracted.txt"
_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, ValueError, OverflowError)


def _place(name: str, where: str) -> PurePosixPath:
    """A member's path, if it stays below the folder."""
    parts = [p for p in name.split("/") if p not in ("", ".")]
    if name.startswith("/") or ".." in parts or any("\\" in p or ":" in p or "\0" in p for p in parts):
        raise FileFormatError(f"{where}: member {name[:100]!r} leads out of the folder; this archive is not what it should be")
    return PurePosixPath(*parts)


def extract_tar(path: Path, folder: Path, *, max_files: int = 200_000, max_bytes: int = 8 << 30,
                progress: Callable[[int, int], None] | None = None) -> Path:
    """Unpack a .tar or .tar.gz into ``folder``, which appears complete or not at all (one that was unpacked before is replaced).

    Only folders and plain files are taken; the archive's owners, modes and dates are not. ``progress`` is called with (archive bytes read, all).

    Raises FileFormatError for a damaged archive, one with links, devices, paths that lead elsewhere or names that occur twice, or a larger one.
    """
    total, n_files, n_bytes = path.stat().st_size, 0, 0
    with replace_directory(folder, MARKER) as target, open(path, "rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r|*") as archive:
                for member in archive:
                    place = _place(member.name, str(path))
                    if member.isdir():
                        (target / place).mkdir(parents=True, exist_ok=True)
                        continue
                    if not member.isreg() or not place.parts:
                        kind = "a link" if member.issym() or member.islnk() else "no plain file"
                        raise FileFormatError(f"{path}: member {member.name[:100]!r} is {kind}; only plain files are unpacked")
                    n_files, n_bytes = n_files + 1, n_bytes + member.size
                    if n_files > max_files or n_bytes > max_bytes:
                        raise FileFormatError(f"{path}: unpacks to more than {max_files:,} files or {max_bytes:,} bytes")
                    content = archive.extractfile(member)
                    assert content is not None
                    (target / place).parent.mkdir(parents=True, exist_ok=True)
                    with open(target / place, "xb") as out:
                        shutil.copyfileobj(content, out, _CHUNK)
                    if (target / place).stat().st_size != member.size:
                        raise FileFormatError(f"{path}: is cut short in member {member.name[:100]!r}; download it again")
                    if progress is not None:
                        progress(min(file.tell(), total), total)
        except FileExistsError as error:
            raise FileFormatError(f"{path}: a name occurs twice: {str(error.filename)[-100:]!r}") from None
        except _DAMAGE as error:
            raise FileFormatError(f"{path}: damaged or cut short ({str(error)[:100] or type(error).__name__}); download it again") from None
        (target / MARKER).write_text(f"Unpacked by spikeloom from {path.name}\n", encoding="utf-8")
    return folder


def gunzip(path: Path, out: Path, *, max_bytes: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """Unpack a .gz of one file to ``out``; FileFormatError if it is damaged or larger than ``max_bytes``."""
    total, n = path.stat().st_size, 0
    with replace_file(out) as partial, open(path, "rb") as raw:
        try:
            with gzip.GzipFile(fileobj=raw) as file, open(partial, "wb") as target:
                while chunk := file.read(_CHUNK):
                    n += len(chunk)
                    if n > max_bytes:
                        raise FileFormatError(f"{path}: unpacks to more than {max_bytes:,} bytes")
                    target.write(chunk)
                    if progress is not None:
                        progress(min(raw.tell(), total), total)
        except _DAMAGE as error:
            raise FileFormatError(f"{path}: damaged or cut short ({str(error)[:100] or type(error).__name__}); download it again") from None
    return out
