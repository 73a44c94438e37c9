"""A folder of sound: one folder per word, .wav files in it."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from ...spec.errors import FileFormatError
from ..features import read_wav
from .recordings import SPLITS, Recording, Recordings
from .split import speaker_of, split_of

__all__ = ["folder_recordings", "word_folders"]

MAX_FILES = 500_000
MAX_WORDS = 4096


def word_folders(folder: Path) -> dict[str, list[str]]:
    """Names of the .wav files of each word, both sorted; FileFormatError where there are none. Links and hidden names are left alone."""
    words: dict[str, list[str]] = {}
    n = 0
    try:
        for entry in sorted(os.scandir(folder), key=lambda e: e.name):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                files = sorted(e.name for e in os.scandir(entry.path)
                               if e.name.lower().endswith(".wav") and not e.name.startswith(".") and e.is_file(follow_symlinks=False))
                if files:
                    words[entry.name] = files
                    n += len(files)
                if n > MAX_FILES or len(words) > MAX_WORDS:
                    raise FileFormatError(f"{folder}: more than {MAX_FILES:,} files or {MAX_WORDS:,} words; split the folder")
    except OSError as error:
        raise FileFormatError(f"{folder}: cannot be read: {error.strerror}. Name a folder that holds one folder of .wav files per word.") from None
    if not words:
        raise FileFormatError(f"{folder}: no .wav files are in folders of it; it takes WORD/NAME.wav")
    return words


def folder_recordings(folder: Path, *, val_percent: float = 10.0, test_percent: float = 10.0) -> Recordings:
    """``WORD/NAME.wav``, or ``SPLIT/WORD/NAME.wav`` with splits train, val and test.

    The speaker is what NAME begins with (:func:`.split.speaker_of`); without folders of splits, a stable hash of it decides on the split.

    Raises FileFormatError if there are no such files.
    """
    folder = Path(folder)
    fixed = [s for s in SPLITS if (folder / s).is_dir() and not any((folder / s).glob("*.wav"))]
    items = [Recording(word=word, speaker=(speaker := speaker_of(name)), source=str(root / word / name),
                       split=split or split_of(speaker, val_percent, test_percent), read=partial(read_wav, root / word / name))
             for root, split in ([(folder / s, s) for s in fixed] or [(folder, "")]) for word, names in word_folders(root).items() for name in names]
    return Recordings(tuple(items), tuple(sorted({item.word for item in items})))
