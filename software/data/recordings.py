"""Sets of recordings: what each says, who says it, and to which split it belongs. Sound is read when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...spec.errors import FileFormatError

__all__ = ["SPLITS", "Recording", "Recordings"]

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Recording:
    """One clip.

    Parameters
    ----------
    word : what is said, or ``_unknown_`` or ``_silence_``.
    speaker : who says it, or empty.
    split : one of :data:`SPLITS`.
    source : its file, and its place in it.
    read : gives the samples at a rate in Hz, ``[n], int16``; raises FileFormatError.
    """

    word: str
    speaker: str
    split: str
    source: str
    read: Callable[[int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Recordings:
    """Recordings, and the names of their classes in the order of the labels."""

    items: tuple[Recording, ...]
    words: tuple[str, ...]

    @property
    def labels(self) -> np.ndarray:
        """Class of each, ``[N], int64``."""
        place = {word: k for k, word in enumerate(self.words)}
        return np.array([place[item.word] for item in self.items], dtype=np.int64)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Speaker of each."""
        return tuple(item.speaker for item in self.items)

    def of(self, split: str | None = None, limit: int | None = None) -> Recordings:
        """Those of a split (all, if None), at most ``limit``: evenly from the whole, so that the words stay in proportion."""
        items = [item for item in self.items if split in (None, item.split)]
        if not items:
            there = sorted({item.split for item in self.items})
            raise FileFormatError(f"No recording is in the split {split!r}; there are {', '.join(there) or 'none at all'}")
        if limit is not None and limit < len(items):
            items = [items[k * len(items) // limit] for k in range(limit)]
        return replace(self, items=tuple(items))

    def only(self, words: tuple[str, ...], unknown: bool = False) -> Recordings:
        """Those that say one of ``words``, in that order of classes; with ``unknown`` the others too, as the last class, ``_unknown_``."""
        strange = [w for w in words if w not in self.words]
        if strange:
            raise FileFormatError(f"No recording says {', '.join(strange[:5])}; there are {', '.join(self.words)}")
        kept = [item if item.word in words else replace(item, word="_unknown_") for item in self.items if unknown or item.word in words]
        return Recordings(tuple(kept), (*words, "_unknown_") if unknown else words)
