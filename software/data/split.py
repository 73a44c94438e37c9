"""Splits that do not change when recordings are added: by a hash of who speaks."""

from __future__ import annotations

import hashlib
import re

__all__ = ["speaker_of", "split_of"]

_MOST_WAVS = (1 << 27) - 1


def speaker_of(name: str) -> str:
    """What names the speaker in a file's name: all before ``_nohash_`` (Speech Commands), or else before the last ``_``, or else all of it."""
    stem = name.rpartition(".")[0] or name
    if "_nohash_" in stem:
        return stem.split("_nohash_")[0]
    return re.sub(r"_[^_]*$", "", stem) or stem


def split_of(speaker: str, val_percent: float = 10.0, test_percent: float = 10.0) -> str:
    """``train``, ``val`` or ``test``: SHA-1 of the speaker's name, as Speech Commands' own ``which_set`` has it.

    All recordings of a speaker are in one split, and stay there whatever is added.
    """
    number = int(hashlib.sha1(speaker.encode("utf-8"), usedforsecurity=False).hexdigest(), 16) % (_MOST_WAVS + 1)
    percent = number * (100.0 / _MOST_WAVS)
    return "val" if percent < val_percent else "test" if percent < val_percent + test_percent else "train"
