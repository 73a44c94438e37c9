"""Output that appears complete or not at all.

A file or folder is written beside its final place, under a hidden name, and renamed when it is complete; an exception on the
way, Ctrl-C included, removes it. What was there before stays until the rename.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..spec.errors import SpikeLoomError

__all__ = ["replace_directory", "replace_file"]


def _partial(path: Path) -> Path:
    # The suffix stays last: np.savez and others append their own to a name that lacks it.
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Makes the folders that lead to path, and takes back those it made if the block fails."""
    made = [p for p in path.parents if not p.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # no longer empty: someone else uses it
            for folder in made:
                folder.rmdir()
        raise


@contextmanager
def _named(partial: Path, given: str | os.PathLike[str]) -> Iterator[None]:
    """Errors about the hidden name, of which only this module knows, become errors about the path that the user gave."""
    try:
        yield
    except OSError as error:
        hidden, name = str(partial), str(error.filename)
        if error.filename is None or not name.startswith(hidden):
            raise
        raise type(error)(error.errno, error.strerror, f"{given}{name.removeprefix(hidden)}") from error


@contextmanager
def replace_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to; becomes the file ``path`` at the end of the block, unless an exception leaves it.

    Raises
    ------
    SpikeLoomError : at once, if ``path`` is there and no ordinary file.
    OSError : if the file cannot be written.
    """
    given, path = path, Path(os.path.realpath(path))  # a link stays a link, and what it points to is replaced
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device or pipe"
        raise SpikeLoomError(f"Cannot write the file {path}: there is {what} of that name; name a file.")
    partial = _partial(path)
    with _named(partial, given), _parents(path):
        try:
            yield partial
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def replace_directory(path: str | os.PathLike[str], marker: str) -> Iterator[Path]:
    """An empty folder to fill; becomes the folder ``path`` at the end of the block, unless an exception leaves it.

    Parameters
    ----------
    path : its final place. What is there is deleted, if it is an empty folder or one that holds ``marker``.
    marker : name of a file that only folders written by this function hold; the block writes it.

    Raises
    ------
    SpikeLoomError : at once, if ``path`` is anything else: it is not ours to delete.
    OSError : if the folder cannot be written.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise SpikeLoomError(f"Cannot write the folder {path}: there is a file of that name; name another folder.")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise SpikeLoomError(f"Cannot write the folder {path}: it holds files that SpikeLoom did not write (there is no {marker} "
                             "in it), and they would be lost; name a new or an empty folder.")
    if Path.cwd().is_relative_to(path):
        raise SpikeLoomError(f"Cannot write the folder {path}: it is replaced as a whole, and this command runs in it; "
                             "name another folder, or run the command from outside.")
    partial = _partial(path)
    old = partial.with_name(partial.name + ".old")
    with _named(partial, given), _parents(path):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial
            if path.exists():
                os.rename(path, old)
            try:
                os.rename(partial, path)
            except BaseException:
                if old.exists():
                    os.rename(old, path)
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
