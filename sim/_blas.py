"""One thread per matrix product while several products run at the same time.

NumPy's OpenBLAS splits every product over all cores. That is worth little for the small products of the golden model, and ruinous
when the caller already keeps all cores busy: the keyword network ran at 50 to 95 clips/s so, at 800 with one thread each.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

__all__ = ["single_threaded"]

_lock = threading.Lock()
_users = 0
_threads_before = 1


@contextmanager
def single_threaded() -> Iterator[bool]:
    """Keep OpenBLAS to one thread inside the block; may be nested and entered from several threads.

    Yields False where the library was not found (another BLAS, another system): then its threads stay as they are.
    """
    global _users, _threads_before
    found = _controls()
    if found is None:
        yield False
        return
    get, put = found
    with _lock:
        if _users == 0:
            _threads_before = get()
            put(1)
        _users += 1
    try:
        yield True
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                put(_threads_before)


@cache
def _controls() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Getter and setter of the thread number of the OpenBLAS that this process has loaded with NumPy, or None."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    paths = dict.fromkeys(line.split(maxsplit=5)[5] for line in lines if "openblas" in line and line.count("/"))
    for path in sorted(paths, key=lambda p: "numpy" not in p):  # SciPy brings its own copy
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for name in ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_",
                     "openblas_{}_num_threads"):
            try:
                get, put = library[name.format("get")], library[name.format("set")]
            except AttributeError:
                continue
            get.restype, get.argtypes = ctypes.c_int, []
            put.restype, put.argtypes = None, [ctypes.c_int]
            return get, put
    return None
