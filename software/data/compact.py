"""The compact keyword sets (../shared/data): all clips of a split in one 8 kHz FLAC, and a list of where each is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import FileFormatError, ToolError
from ..arrays import read_npz
from ..features import BANDS, FRAMES, resample
from .recordings import SPLITS, Recording, Recordings

__all__ = ["compact_features", "compact_recordings"]

RATE = 8000
MAX_SAMPLES = 1 << 28  # of one FLAC: 9 hours
MAX_ROWS = 1 << 20


class _Sound:
    """One FLAC, decoded when the first clip is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._samples: np.ndarray | None = None

    def cut(self, first: int, count: int, rate_hz: int) -> np.ndarray:
        if self._samples is None:
            self._samples = self._decode()
        x = self._samples[first:first + count]
        if len(x) != count:
            raise FileFormatError(f"{self._path} ends before sample {first + count}, which its list names; the two do not belong together")
        return x if rate_hz == RATE else np.clip(np.round(resample(x, RATE, rate_hz)), -32768, 32767).astype(np.int16)

    def _decode(self) -> np.ndarray:
        try:
            import soundfile
        except ImportError:
            raise ToolError("FLAC is read with soundfile, which is not installed: pip install 'spikeloom[data]'.") from None
        try:
            info: Any = soundfile.info(str(self._path))
            if info.channels != 1 or info.samplerate != RATE or not 0 < info.frames <= MAX_SAMPLES:
                raise FileFormatError(f"{self._path} has {info.channels} channels of {info.frames} samples at {info.samplerate} Hz; needed is one, "
                                      f"{RATE} Hz, at most {MAX_SAMPLES} samples")
            return soundfile.read(str(self._path), dtype="int16")[0]
        except (OSError, RuntimeError) as error:
            raise FileFormatError(f"{self._path} cannot be read: {str(error)[:200]}") from None


def compact_recordings(folder: Path) -> Recordings:
    """The clips of all splits in a folder that have sound (of some there are features only).

    Raises FileFormatError for a list that is missing or damaged; ToolError, at the first clip, without soundfile.
    """
    folder = Path(folder)
    items: list[Recording] = []
    for split in SPLITS:
        if not (folder / f"{split}.csv").is_file():
            continue
        sound = _Sound(folder / f"{split}.flac")
        for row in _rows(folder / f"{split}.csv"):
            first, count = int(row["offset"]), int(row["length"])
            if first >= 0:
                items.append(Recording(word=row["label"], speaker=row["speaker"], split=split, source=f"{split}:{row['row']}",
                                       read=lambda rate, s=sound, f=first, c=count: s.cut(f, c, rate)))  # type: ignore[misc]
    if not items:
        raise FileFormatError(f"{folder}: there is no train.csv, val.csv or test.csv that lists sound; name a folder of ../shared/data")
    return Recordings(tuple(items), tuple(sorted({item.word for item in items})))


def _rows(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if not (-1 <= int(row["offset"]) < MAX_SAMPLES and 0 <= int(row["length"]) <= 10 * RATE) or len(rows) >= MAX_ROWS:
                    raise ValueError(f"line {len(rows) + 2} names a place out of range, or there are too many lines")
                rows.append({k: str(row[k]) for k in ("row", "offset", "length", "label", "speaker")})
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise FileFormatError(f"{path} is not a list of clips (row, offset, length, label, speaker): {str(error)[:200]}") from None
    return rows


def compact_features(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Published features of every clip of a split: ``x [N, 50, 40], uint8``, ``y [N], int64``, names of the classes, speakers ``[N]``."""
    path = Path(folder) / f"{split}_logmel40x50.npz"
    a = read_npz(path, ("x", "y", "labels", "speaker"))
    missing = [k for k in ("x", "y", "labels", "speaker") if k not in a]
    if missing:
        raise FileFormatError(f"{path}: {', '.join(missing)} missing")
    x, y, words, speakers = a["x"], a["y"], a["labels"], a["speaker"]
    if x.dtype != np.uint8 or x.shape[1:] != (FRAMES, BANDS) or y.dtype.kind not in "iu" or y.shape != speakers.shape or y.shape != x.shape[:1] \
            or words.ndim != 1 or (y.size and not 0 <= int(y.min()) <= int(y.max()) < len(words)):
        raise FileFormatError(f"{path}: x {x.dtype} {x.shape}, y {y.dtype} {y.shape} and {len(words)} labels do not belong together")
    return x, y.astype(np.int64), tuple(map(str, words)), tuple(map(str, speakers))
