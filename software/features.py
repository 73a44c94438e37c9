"""The audio front end: sound to log-mel features to the graded payloads that a network takes.

Two integer steps. :func:`log_mel` gives eight steps per octave of power, ``q`` in 0..255: one second at 8 kHz becomes 50 frames
of 40 mel bands. :func:`apply_front_end` scales ``q`` to the payloads that one network was trained on; its parameters live in
``network.metadata["front_end"]``::

    {"kind": "log_mel", "sample_rate_hz": 8000, "frames": 50, "bands": 40, "offset": 72, "shift": 3, "max": 15}

    payload = min(max(q - offset, 0) >> shift, max)

so that silence gives payload 0, which is no event and costs no cycle. With ``"centred": true`` (and no offset) the payloads are signed, around the
mean of each band over the clip, which takes off what microphone and room add:

    mean = floor(sum of q over the frames / 50 + 1/2)      payload = clip(round_shift(q - mean, shift), -max, max)

With ``"picture": T`` the clip is one picture, channel = frame * 40 + band, that is given in the first of T timesteps; the network's first population
holds the current that it makes (docs/numerics.md, Activations).

Ref: the features of the speech command files
(../shared/data/README.md); mel scale of HTK, 2595 log10(1 + f / 700).
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..spec.arithmetic import Rounding, round_shift
from ..spec.clips import Clips
from ..spec.errors import FileFormatError, NetworkError
from .resampler import Resampler
from .wav_header import WavHeader

__all__ = ["MAX_PICTURE", "apply_front_end", "centred_at", "is_raw_log_mel", "log_mel", "log_mel_of_cuts", "mono", "read_wav", "read_wav_clips",
           "resample", "to_samples"]

SAMPLE_RATE = 8000  # Hz
CLIP_SAMPLES = 8000  # one second
WINDOW, HOP, FFT = 256, 160, 512  # samples: 32 ms, 20 ms, 64 ms
FRAMES, BANDS = 50, 40
LOW_HZ, HIGH_HZ = 60.0, 3900.0
STEPS_PER_OCTAVE, FLOOR_OCTAVES = 8, 12  # of power
MAX_FILE_BYTES = 16 << 20
MAX_SECONDS = 10
MAX_PICTURE = 4096  # timesteps


@lru_cache(maxsize=1)
def _mel_bank() -> np.ndarray:
    """Triangles, evenly spaced and overlapping by half on the HTK mel scale, peak 1, ``[BANDS, FFT // 2 + 1], float64``."""
    def mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(mel(LOW_HZ), mel(HIGH_HZ), BANDS + 2) / 2595.0) - 1.0)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    hz = np.arange(FFT // 2 + 1) * (SAMPLE_RATE / FFT)
    return np.maximum(0.0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))


def centre(samples: np.ndarray) -> np.ndarray:
    """Pad with zeros, or cut, at both ends to ``[..., CLIP_SAMPLES]``; the odd sample goes to, or off, the end."""
    missing = CLIP_SAMPLES - samples.shape[-1]
    if missing >= 0:
        return np.pad(samples, [(0, 0)] * (samples.ndim - 1) + [(missing // 2, missing - missing // 2)])
    first = -missing // 2
    return samples[..., first:first + CLIP_SAMPLES]


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Log-mel features of clips.

    Parameters
    ----------
    samples : ``[..., n]``, 8 kHz, in units of a 16 bit sample; centred to one second if n is not 8000.

    Returns
    -------
    ``[..., 50, 40], uint8``: frame, band; 8 steps per octave of power, 0 at and below 2**12.
    """
    padded = np.asarray(samples, dtype=np.float64)
    padded = centre(padded)
    # The last window reaches past the end of the second by this many samples.
    overhang = (FRAMES - 1) * HOP + WINDOW - CLIP_SAMPLES
    padded = np.pad(padded, [(0, 0)] * (padded.ndim - 1) + [(0, overhang)])
    return log_mel_of_cuts(np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=-1)[..., ::HOP, :])


def log_mel_of_cuts(cuts: np.ndarray) -> np.ndarray:
    """Log-mel features ``[..., 40], uint8`` of the samples below each window, ``[..., 256]``, as :func:`log_mel` cuts them."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    spectrum = np.fft.rfft(cuts * hann, FFT)
    power = np.abs(spectrum) ** 2 @ _mel_bank().T
    octaves = np.log2(power + 1.0) - FLOOR_OCTAVES
    return np.clip(np.round(STEPS_PER_OCTAVE * octaves), 0, 255).astype(np.uint8)


def _parameters(front_end: Mapping) -> dict[str, int]:
    """The integers of a front end, checked: offset (None where the features are centred), shift and max."""
    kind = front_end.get("kind") if isinstance(front_end, Mapping) else None
    if kind != "log_mel":
        raise NetworkError(f"The network's audio front end is {kind!r}, and this scaling is that of 'log_mel'. Change the 'kind' of "
                           "metadata['front_end'], or give the clips as payloads in an .npz or .npy file.")
    for key, fixed in (("sample_rate_hz", SAMPLE_RATE), ("frames", FRAMES), ("bands", BANDS)):
        if front_end.get(key, fixed) != fixed:
            raise NetworkError(f"The network's audio front end has {key} {front_end[key]!r}; log_mel has {fixed}.")
    centred = front_end.get("centred", False)
    if not isinstance(centred, bool) or (centred and "offset" in front_end):
        raise NetworkError("The network's audio front end is 'centred' (true or false) or has an 'offset', not both.")
    values = {}
    for key, low, high in ((() if centred else (("offset", 0, 255),)) + (("shift", 0, 7), ("max", 1, 255))):
        value = front_end.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise NetworkError(f"The network's audio front end needs an integer {key!r} of {low} to {high}, not {value!r}.")
        values[key] = value
    picture = front_end.get("picture", 1)
    if not isinstance(picture, int) or isinstance(picture, bool) or not 1 <= picture <= MAX_PICTURE:
        raise NetworkError(f"The network's audio front end shows its 'picture' for 1 to {MAX_PICTURE} timesteps, not {picture!r}.")
    return values


def is_raw_log_mel(x: np.ndarray, front_end: Mapping | None) -> bool:
    """Whether a dense array is unscaled log-mel that :func:`apply_front_end` must scale.

    The rule: the network names a front end (that works on such features), and x is uint8 of shape ``[N, 50, 40]``. Every other dtype holds
    payloads as they are.
    """
    return front_end is not None and x.dtype == np.uint8 and x.shape[-2:] == (FRAMES, BANDS)


def apply_front_end(q: np.ndarray, front_end: Mapping) -> np.ndarray:
    """Scale log-mel features ``[..., 50, 40], uint8`` to payloads of the same shape, int16, with a network's front end; where that shows them as a
    picture, to ``[..., T, 2000]``.

    Raises NetworkError for a front end that is unknown or has a parameter missing or out of range.
    """
    p = _parameters(front_end)
    q = np.asarray(q, dtype=np.int16)
    if "offset" in p:
        payloads = np.minimum(np.maximum(q - p["offset"], 0) >> p["shift"], p["max"]).astype(np.int16)
    else:
        payloads = _around(q, q.sum(axis=-2, keepdims=True, dtype=np.int32), q.shape[-2], p)
    if "picture" not in front_end:
        return payloads
    shown = np.zeros((*q.shape[:-2], front_end["picture"], q.shape[-2] * q.shape[-1]), np.int16)
    shown[..., 0, :] = payloads.reshape(*q.shape[:-2], -1)
    return shown


def centred_at(q: np.ndarray, total: np.ndarray, frames: int, front_end: Mapping) -> np.ndarray:
    """As :func:`apply_front_end` of a ``centred`` front end, but around a mean that is given: that of ``frames`` frames with the sum ``total``."""
    return _around(np.asarray(q, dtype=np.int16), total, frames, _parameters(front_end))


def _around(q: np.ndarray, total: np.ndarray, frames: int, p: Mapping[str, int]) -> np.ndarray:
    mean = (2 * total + frames) // (2 * frames)
    return np.clip(round_shift(q - mean, p["shift"], Rounding.NEAREST), -p["max"], p["max"]).astype(np.int16)


def resample(samples: np.ndarray, rate: int, to: int = SAMPLE_RATE) -> np.ndarray:
    """Resample ``[n]`` from ``rate`` Hz to ``to`` Hz, float64, ``[ceil(n * to / rate)]``, see :class:`~.resampler.Resampler`."""
    resampler = Resampler(rate, to)
    return np.concatenate([resampler.push(samples), resampler.finish()])


def read_wav(path: str | Path, rate_hz: int = SAMPLE_RATE) -> np.ndarray:
    """Samples of a WAV file as mono of ``rate_hz``, ``[n], int16``.

    Takes PCM of 8 or 16 bits, one or two channels (averaged), 4 to 192 kHz, at most ten seconds. Raises FileFormatError for
    anything else, and for a file that is missing, cut short or not a WAV file.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise FileFormatError(f"{path} has {size} bytes; a clip may have {MAX_FILE_BYTES}. Cut out the word and save it alone.")
        content = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path} cannot be read: {error.strerror}.") from None
    file = io.BytesIO(content)
    header = WavHeader.read(path, file)
    if not 0 < header.seconds <= MAX_SECONDS:
        raise FileFormatError(f"{path} lasts {header.seconds:.1f} s; a clip lasts more than 0 and at most {MAX_SECONDS} s "
                              "(its middle second is used). Cut out the word and save it alone.")
    header.check_whole(path)
    return to_samples(resample(mono(file.read(header.promised), header.channels, header.width), header.rate_hz, rate_hz))


def mono(data: bytes, channels: int, width: int) -> np.ndarray:
    """PCM of 1 (unsigned) or 2 bytes, the mean of its channels, in units of a 16 bit sample, ``[n], float64``."""
    if width == 1:
        samples = (np.frombuffer(data, dtype=np.uint8).astype(np.float64) - 128.0) * 256.0
    else:
        samples = np.frombuffer(data, dtype="<i2").astype(np.float64)
    return samples.reshape(-1, channels).mean(axis=1)


def to_samples(sound: np.ndarray) -> np.ndarray:
    """Rounded and clipped to 16 bits, int16."""
    return np.clip(np.round(sound), -32768, 32767).astype(np.int16)


def read_wav_clips(path: str | Path, front_end: Mapping) -> Clips:
    """One WAV file as one clip of events, for a network with that front end (any of :mod:`spikeloom.software.encoders.front_end`).

    Raises FileFormatError (the file) or NetworkError (the front end).
    """
    from .encoders.front_end import front_end as front_end_of  # which is built on this module

    encoder = front_end_of(front_end)
    return Clips.from_dense(encoder.encode(read_wav(path, encoder.sample_rate_hz))[None])
