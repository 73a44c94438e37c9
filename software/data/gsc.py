"""Google Speech Commands v0.02, as its publisher distributes it: an archive of folders of .wav, and lists of two splits.

P. Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", arXiv:1804.03209; CC BY 4.0. 105,829 recordings of 35 words.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...spec.errors import FileFormatError
from ..features import read_wav
from .folder import word_folders
from .recordings import Recording, Recordings
from .split import speaker_of

__all__ = ["ARCHIVE", "MAX_BYTES", "SHA256", "TWELVE", "URL", "gsc_recordings"]

URL = "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
ARCHIVE = "speech_commands_v0.02.tar.gz"
#: As torchaudio (torchaudio/datasets/speechcommands.py) and TensorFlow Datasets (checksums.tsv: 2,428,923,189 bytes) have it.
SHA256 = "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
MAX_BYTES = 3 << 30
#: The ten commands of the task of twelve classes; the others are ``_unknown_``. (Its ``_silence_`` is cut from noise, and not made here.)
TWELVE = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")

_LISTS = {"val": "validation_list.txt", "test": "testing_list.txt"}
_LIST_BYTES = 16 << 20


def gsc_recordings(folder: Path) -> Recordings:
    """The recordings of an unpacked archive; the lists say which are ``val`` and ``test``, all others are ``train``.

    Raises FileFormatError if a list is missing or names a file that is not there.
    """
    folder = Path(folder)
    listed: dict[str, str] = {}
    for split, name in _LISTS.items():
        try:
            with open(folder / name, encoding="utf-8") as file:
                text = file.read(_LIST_BYTES + 1)
        except (OSError, UnicodeDecodeError) as error:
            raise FileFormatError(f"{folder / name}: cannot be read ({getattr(error, 'strerror', None) or error}). Name the folder of the unpacked "
                                  f"{ARCHIVE}, or the archive itself.") from None
        if len(text) > _LIST_BYTES:
            raise FileFormatError(f"{folder / name}: larger than {_LIST_BYTES} bytes; it is not the list of Speech Commands")
        listed.update(dict.fromkeys(text.split(), split))
    words = {word: files for word, files in word_folders(folder).items() if word != "_background_noise_"}
    there = {f"{word}/{name}" for word, files in words.items() for name in files}
    missing = sorted(listed.keys() - there)
    if missing:
        raise FileFormatError(f"{folder}: {len(missing)} listed recordings are not there, the first {missing[0][:100]!r}; unpack the archive again")
    items = [Recording(word=word, speaker=speaker_of(name), split=listed.get(f"{word}/{name}", "train"), source=f"{word}/{name}",
                       read=partial(read_wav, folder / word / name))
             for word, files in words.items() for name in files]
    return Recordings(tuple(items), tuple(words))
