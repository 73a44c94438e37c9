"""The header of a WAV file: what sound is in it, and where."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..spec.errors import FileFormatError

__all__ = ["WavHeader"]

MIN_RATE, MAX_RATE = 4000, 192_000  # Hz
_PCM, _EXTENSIBLE = 1, 0xFFFE  # format tags; the second one's is in the first two bytes of its GUID, 24 bytes into the chunk
_FORMAT = struct.Struct("<HHIIHH")


@dataclass(frozen=True, kw_only=True)
class WavHeader:
    """PCM sound.

    Parameters
    ----------
    channels, width, rate_hz : 1 or 2; bytes of a sample, 1 (unsigned) or 2; samples per second.
    begin : the byte of the file at which the sound begins.
    promised, there : bytes of sound, of whole samples of all channels: as the header says, and as the file has.
    """

    channels: int
    width: int
    rate_hz: int
    begin: int
    promised: int
    there: int

    @property
    def frame(self) -> int:
        """Bytes of a sample of all channels."""
        return self.channels * self.width

    @property
    def seconds(self) -> float:
        """As promised."""
        return self.promised // self.frame / self.rate_hz

    @classmethod
    def read(cls, path: Path, file: BinaryIO) -> WavHeader:
        """The header of an open file. Raises FileFormatError, naming ``path``, for what is no WAV file, or sound that :func:`~.features.mono` cannot
        read; OSError."""
        form, begin, size = None, 0, 0
        head = file.read(12)
        if len(head) == 12 and head[:4] == b"RIFF" and head[8:] == b"WAVE":
            while len(chunk := file.read(8)) == 8:
                name, size = struct.unpack("<4sI", chunk)
                begin = file.tell()
                if name == b"data" and form is not None:
                    break
                if name == b"fmt " and size >= _FORMAT.size:
                    form = file.read(min(size, 40))
                file.seek(begin + size + size % 2)  # chunks begin at even bytes
            else:
                form = None
        if form is None or len(form) < _FORMAT.size:
            raise FileFormatError(f"{path} is not a PCM WAV file (it has not the parts of one). Save it as PCM, 16 bit, mono.")
        tag, channels, rate, _, _, bits = _FORMAT.unpack_from(form)
        if tag == _EXTENSIBLE and len(form) == 40:
            tag = int.from_bytes(form[24:26], "little")
        if tag != _PCM:
            raise FileFormatError(f"{path} is not a PCM WAV file (its format is number {tag}). Save it as PCM, 16 bit, mono.")
        if bits not in (8, 16) or channels not in (1, 2) or not MIN_RATE <= rate <= MAX_RATE:
            raise FileFormatError(f"{path} has {channels} channels of {bits} bits at {rate} Hz; a clip has 1 or 2 channels of "
                                  f"8 or 16 bits at {MIN_RATE} to {MAX_RATE} Hz. Convert it to PCM, 16 bit, mono, 16000 Hz.")
        frame = channels * bits // 8
        end = file.seek(0, os.SEEK_END)
        file.seek(begin)
        return cls(channels=channels, width=bits // 8, rate_hz=rate, begin=begin, promised=size // frame * frame,
                   there=max(min(size, end - begin), 0) // frame * frame)

    def check_whole(self, path: Path) -> None:
        """Raises FileFormatError where the file has less sound than its header promises."""
        if self.there < self.promised:
            raise FileFormatError(f"{path} is cut short: its header promises {self.promised} bytes of sound, there are {self.there}. Save or copy "
                                  "it again.")
