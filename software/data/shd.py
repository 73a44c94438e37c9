"""Spiking Heidelberg Digits, as their publisher distributes them: HDF5, spikes of 700 channels of a model of the ear.

B. Cramer et al., "The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking Neural Networks", IEEE TNNLS 2022; CC BY 4.0.
8,156 training and 2,264 test recordings of 20 spoken digits (German and English); https://zenkelab.org/datasets/.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import FileFormatError, ToolError

__all__ = ["MAX_BYTES", "UNITS", "URLS", "SpikeFile", "open_shd"]

URLS = {split: f"https://zenkelab.org/datasets/shd_{split}.h5.gz" for split in ("train", "test")}
MAX_BYTES = 2 << 30  # of a file, packed or not
UNITS = 700
MAX_CLIPS, MAX_SPIKES = 1 << 20, 1 << 24  # in a file, and in one clip


class SpikeFile:
    """An open file: ``labels [N], int64``, ``words``, ``speakers [N]`` and, one at a time, the spikes.

    HDF5 can name other files; such links, and data that lie elsewhere, are refused.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self._times, self._units = self._dataset(file, "spikes/times"), self._dataset(file, "spikes/units")
        labels = self._dataset(file, "labels")
        n = len(labels)
        if labels.dtype.kind not in "iu" or not 0 < n <= MAX_CLIPS or self._times.shape != (n,) or self._units.shape != (n,):
            raise FileFormatError(f"{path}: needs labels, spikes/times and spikes/units of as many recordings each, 1 to {MAX_CLIPS}")
        self.labels = labels[:].astype(np.int64)
        self.words = self._words(file)
        if not 0 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.words):
            raise FileFormatError(f"{path}: its labels are {self.labels.min()} to {self.labels.max()}, and {len(self.words)} words are named")
        speakers = self._dataset(file, "extra/speaker") if "extra" in file and "speaker" in file["extra"] else None
        if speakers is not None and (speakers.dtype.kind not in "iu" or speakers.shape != (n,)):
            raise FileFormatError(f"{path}: extra/speaker must be a number for each recording")
        self.speakers = tuple(str(int(s)) for s in speakers[:]) if speakers is not None else ("",) * n

    def _dataset(self, file: Any, name: str) -> Any:
        import h5py

        node = file
        for part in name.split("/"):
            link = node.get(part, getlink=True) if isinstance(node, h5py.Group) and part in node else None
            if type(link) is not h5py.HardLink:
                raise FileFormatError(f"{self.path}: there is no {name} in it (or it is a link elsewhere); it is no SHD file")
            node = node[part]
        if not isinstance(node, h5py.Dataset) or node.is_virtual or node.external or node.ndim != 1:
            raise FileFormatError(f"{self.path}: {name} must be an array of one dimension within this file")
        return node

    def _words(self, file: Any) -> tuple[str, ...]:
        if "extra" not in file or "keys" not in file["extra"]:
            return tuple(str(k) for k in range(int(self.labels.max()) + 1 if int(self.labels.min()) >= 0 else 0))
        keys = self._dataset(file, "extra/keys")
        if not 0 < len(keys) <= 4096 or keys.dtype.kind not in "SO":
            raise FileFormatError(f"{self.path}: extra/keys must be names of at most 4096 classes")
        names = [k if isinstance(k, bytes) else str(k).encode() for k in keys[:]]
        return tuple(k.decode("utf-8", errors="replace")[:64] for k in names)

    def spikes(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Recording k: times in microseconds and channels, each ``[n], int64``; FileFormatError if they are none."""
        time, unit = np.asarray(self._times[k]), np.asarray(self._units[k])
        where = f"{self.path}, recording {k}:"
        if time.dtype.kind not in "fiu" or unit.dtype.kind not in "iu" or time.shape != unit.shape or time.ndim != 1 or len(time) > MAX_SPIKES:
            raise FileFormatError(f"{where} spikes must be numbers, a time and a channel each, at most {MAX_SPIKES}")
        seconds = time.astype(np.float64)
        if not (((seconds >= 0) & (seconds < 1000)).all() and ((unit >= 0) & (unit < UNITS)).all()):  # which NaN is not, either
            raise FileFormatError(f"{where} times must be 0 to 1000 s and channels 0 to {UNITS - 1}")
        return np.round(seconds * 1e6).astype(np.int64), unit.astype(np.int64)


@contextmanager
def open_shd(path: Path) -> Iterator[SpikeFile]:
    """Open an unpacked .h5; raises ToolError without h5py, FileFormatError for a file that is damaged or another."""
    try:
        import h5py
    except ImportError:
        raise ToolError("SHD is HDF5, which is read with h5py, and that is not installed: pip install 'spikeloom[data]'.") from None
    if not path.is_file():
        raise FileFormatError(f"{path}: there is no such file")
    if path.stat().st_size > MAX_BYTES:
        raise FileFormatError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read")
    try:
        with h5py.File(path, "r") as file:
            yield SpikeFile(path, file)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise FileFormatError(f"{path}: cannot be read as HDF5 ({str(error)[:200] or type(error).__name__})") from None
