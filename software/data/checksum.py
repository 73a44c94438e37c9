"""Whether a file is the one that it should be."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ...spec.errors import FileFormatError

__all__ = ["check"]


def check(path: Path, sha256: str | None, *, named: Path | None = None) -> str:
    """Compare a file with a SHA-256; returns in words what is assured by it.

    Without one, the first use is trusted: the sum is recorded beside the file, in ``NAME.sha256``, and compared from then on. That assures that
    the file stays what it was, not that it is what its publisher made.

    Parameters
    ----------
    sha256 : in hexadecimal, or None.
    named : the name that the file will have, if it has not yet got it: a wrong one is then removed.

    Raises FileFormatError if it differs, or if the sum is none.
    """
    name = path if named is None else named
    record = name.with_name(name.name + ".sha256")
    first = False
    if sha256 is None and record.exists():
        with open(record, encoding="ascii", errors="replace") as file:
            sha256 = file.read(64)
        source = f"recorded in {record}"
    elif sha256 is None:
        first = True
    else:
        source = "given"
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise FileFormatError(f"The SHA-256 of {name} must be 64 hexadecimal digits, not {sha256[:80]!r}")
    with open(path, "rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if first:
        record.write_text(f"{found}  {name.name}\n", encoding="ascii", errors="replace")
        return (f"{name.name}: no published SHA-256 is known, so this first copy is trusted; its sum {found} is recorded in {record}. "
                "Compare it with one from elsewhere, or give yours with --sha256.")
    assert sha256 is not None
    if found != sha256.lower():
        if named is not None:
            path.unlink()
        raise FileFormatError(f"{name}: its SHA-256 is {found}, and {sha256.lower()} is {source}. It is damaged or another file"
                              + ("; it was removed, download it again." if named is not None else "; remove it and download it again."))
    return f"{name.name}: SHA-256 as {source}"
