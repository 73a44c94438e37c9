"""Arrays from files that are not trusted: .npz and .npy, without pickle, nothing unpacked before its size is known to be bearable."""

from __future__ import annotations

import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..spec.errors import FileFormatError

__all__ = ["MAX_BYTES", "read_npy", "read_npz"]

MAX_BYTES = 1 << 30  # unpacked, of all arrays that are read from one file
MAX_MEMBERS = 4096
_PREAMBLE = 1 << 14  # of an .npy: more than NumPy accepts itself
_KINDS = "biufU"  # bool, integers, floats, text: what can be read without pickle
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError, RuntimeError, SyntaxError, TypeError, KeyError,
           IndexError, OverflowError, MemoryError)


def read_npz(path: str | os.PathLike, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of an .npz, those of ``names`` only where given (the others are not unpacked).

    Raises FileFormatError for a file that cannot be read, is no .npz, is damaged, holds objects, or unpacks to more than 1 GiB.
    """
    path = Path(path)
    wanted = None if names is None else set(names)
    try:
        with open(path, "rb") as file:
            start = file.read(4)
            if start[:2] != b"PK":
                raise FileFormatError(f"{path}: not an .npz file: it starts with the bytes {start!r}, a .npz (zip) with b'PK'")
            file.seek(0)
            return _members(path, file, wanted)
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_npy(path: str | os.PathLike) -> np.ndarray:
    """The array of an .npy; FileFormatError as :func:`read_npz`."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES + _PREAMBLE:
                raise FileFormatError(f"{path}: {size} bytes; at most {MAX_BYTES} are read")
            start = file.read(6)
            if start != b"\x93NUMPY":
                raise FileFormatError(f"{path}: not an .npy file: it starts with the bytes {start!r}")
            file.seek(0)
            content = file.read(MAX_BYTES + _PREAMBLE)
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _array(str(path), content)


def _members(path: Path, file, wanted: set[str] | None) -> dict[str, np.ndarray]:
    try:
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
    except _DAMAGE as error:
        raise FileFormatError(f"{path}: damaged or truncated: its zip directory cannot be read ({error})") from error
    if len(entries) > MAX_MEMBERS:
        raise FileFormatError(f"{path}: {len(entries)} members; at most {MAX_MEMBERS} are read")
    chosen = {}
    for entry in entries:
        name = entry.filename.removesuffix(".npy")
        if name in chosen:
            raise FileFormatError(f"{path}: its member {name[:60]!r} occurs twice")
        if wanted is None or name in wanted:
            chosen[name] = entry
    total = sum(entry.file_size for entry in chosen.values())
    if total > MAX_BYTES:
        raise FileFormatError(f"{path}: its arrays unpack to {total} bytes; at most {MAX_BYTES} are read. Split the file.")
    arrays = {}
    for name, entry in chosen.items():
        where = f"{path}: member {name[:60]!r}"
        try:
            with archive.open(entry) as member:
                content = member.read(entry.file_size + 1)
        except (*_DAMAGE, OSError) as error:
            raise FileFormatError(f"{where} is damaged ({error or type(error).__name__})") from error
        if len(content) != entry.file_size:
            raise FileFormatError(f"{where} unpacks to another size than the {entry.file_size} bytes that its directory says")
        arrays[name] = _array(where, content)
    return arrays


def _array(where: str, content: bytes) -> np.ndarray:
    file = io.BytesIO(content[:_PREAMBLE])
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"npy version {version} is unknown")
    except _DAMAGE as error:
        raise FileFormatError(f"{where} is damaged or no .npy array ({str(error)[:200] or type(error).__name__})") from error
    if dtype.kind not in _KINDS or dtype.hasobject:
        raise FileFormatError(f"{where} holds {str(dtype)[:60]}; only numbers and text are read, never pickled objects")
    data = memoryview(content)[file.tell():]
    if any(n < 0 for n in shape) or len(data) != math.prod(shape) * dtype.itemsize:
        raise FileFormatError(f"{where} is damaged or truncated: {len(data)} bytes of data for {dtype} of shape {list(shape)}"[:600])
    if dtype.itemsize == 0:  # text of no characters, which frombuffer does not take
        return np.zeros(shape, dtype)
    array = np.frombuffer(data, dtype=dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
