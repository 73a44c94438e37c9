"""Where the sound of a stream comes from: a WAV file of any length, or a microphone. Both give pieces of 16 bit samples of the rate
that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import DeviceError, FileFormatError
from ..features import mono, to_samples
from ..resampler import Resampler
from ..wav_header import WavHeader

__all__ = ["Microphone", "WavFile"]

_PIECE_S = 0.1  # of sound, at most, between two looks


class WavFile:
    """The samples of a PCM WAV file (8 or 16 bits, one or two channels, 4 to 192 kHz), read as they are taken.

    Iterating gives pieces ``[n], int16`` at ``rate_hz``. Raises FileFormatError for another file, or one that is cut short.

    Members
    -------
    seconds : how long it lasts.
    """

    def __init__(self, path: Path, rate_hz: int) -> None:
        self._path, self._to = path, rate_hz
        try:
            with path.open("rb") as file:
                self._header = WavHeader.read(path, file)
        except OSError as error:
            raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
        if not self._header.promised:
            raise FileFormatError(f"{path} has no sound in it: its header promises none. Record or save it again.")
        self._header.check_whole(path)
        self.seconds = self._header.seconds

    def __iter__(self) -> Iterator[np.ndarray]:
        header = self._header
        resampler, left = Resampler(header.rate_hz, self._to), header.promised
        piece = header.frame * max(1, int(_PIECE_S * header.rate_hz))
        with self._path.open("rb") as file:
            file.seek(header.begin)
            while left:
                n = min(left, piece)
                data = file.read(n)
                if len(data) != n:
                    raise FileFormatError(f"{self._path} has become shorter while it was read: {(left - len(data)) // header.frame} samples are "
                                          "missing at its end. Save or copy it again.")
                left -= n
                yield to_samples(resampler.push(mono(data, header.channels, header.width)))
        yield to_samples(resampler.finish())


class Microphone:
    """The sound of the default microphone, by the package sounddevice; taken at its own rate where it does not know ``rate_hz``.

    Iterating gives pieces ``[n], int16`` as they come, for ``seconds`` (None: without end). Raises DeviceError where the package or a microphone
    is absent.

    Members
    -------
    lost : how often sound was lost because nobody took it in time.
    interrupted : Ctrl-C ended it.
    """

    def __init__(self, rate_hz: int, seconds: float | None = None) -> None:
        try:
            import sounddevice
        except ImportError:
            raise DeviceError("A microphone needs the package sounddevice; install it with pip install 'spikeloom[host]' (or sounddevice)") from None
        except OSError as error:  # it is there, and the library below it is not
            raise DeviceError(f"The package sounddevice does not find PortAudio ({error}); install that (Debian, Ubuntu: apt install "
                              "libportaudio2)") from None
        self.seconds, self.lost, self.interrupted, self._to = seconds, 0, False, rate_hz
        try:
            own = int(sounddevice.query_devices(kind="input")["default_samplerate"])
            try:
                sounddevice.check_input_settings(channels=1, dtype="int16", samplerate=rate_hz)
                own = rate_hz
            except (sounddevice.PortAudioError, ValueError):
                pass  # it is resampled
            self._rate = own
            self._stream: Any = sounddevice.RawInputStream(samplerate=own, channels=1, dtype="int16", blocksize=0)
        except (sounddevice.PortAudioError, ValueError, OSError) as error:
            raise DeviceError(f"No microphone can be opened ({error}); plug one in, allow its use, or give --wav FILE") from None
        self._errors = (sounddevice.PortAudioError, OSError)

    def __iter__(self) -> Iterator[np.ndarray]:
        resampler, piece = Resampler(self._rate, self._to), max(1, int(_PIECE_S * self._rate))
        left = math.inf if self.seconds is None else round(self.seconds * self._rate)
        try:
            with self._stream:
                while left > 0:
                    n = int(min(left, piece))
                    try:
                        data, overflowed = self._stream.read(n)
                    except KeyboardInterrupt:  # how one ends what has no end: what was heard is worked on, and told
                        self.interrupted = True
                        break
                    self.lost += bool(overflowed)
                    left -= n
                    yield to_samples(resampler.push(mono(bytes(data), 1, 2)))
        except self._errors as error:
            raise DeviceError(f"The microphone has gone ({error}); plug it in again") from None
        yield to_samples(resampler.finish())
