"""Log-mel features in integers alone: the same on every machine, and what a fixed-point circuit can compute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...spec.errors import NetworkError
from .logarithm import log2
from .settings import whole, within

__all__ = ["MelSpectrum"]

# Fraction bits: of the window, of windowed samples, of cosines, of the spectrum, of the triangles.
_WINDOW, _SAMPLE, _TWIDDLE, _BIN, _WEIGHT = 20, 8, 18, 4, 12
_FULL_SCALE = 30  # log2 of the power of 1.0, where a sample of 16 bits is 2**15 units


@dataclass(frozen=True)
class MelSpectrum:
    """log2 of mel-filtered power of 16 bit sound, in 2**-16 octaves below full scale.

    Window by window: samples times a periodic Hann window, discrete Fourier transform, squared magnitude, triangles of the HTK mel scale
    (2595 log10(1 + f / 700)), log2. Sums of products are exact; what is rounded, and to how many bits, are the constants above. Against a float
    transform of ordinary sound the error is below 0.01 octave (0.03 dB); bands 84 dB below the loudest of their frame are noise of rounding.

    Parameters
    ----------
    sample_rate_hz : of the samples.
    frames, bands : shape of the features.
    hop, window : samples from frame to frame, and of the window.
    low_hz, high_hz : ends of the lowest and highest triangle.
    fft : length of the transform; 0: the smallest power of two that holds the window.
    floor : power that is added before the logarithm, 1.0 being the power of full scale.
    centred : frame k is around sample k * hop, and both ends of the clip are continued by reflection (torchaudio, librosa); otherwise it
        begins there, and behind the end is silence.
    """

    sample_rate_hz: int
    frames: int
    bands: int
    hop: int
    window: int
    low_hz: float
    high_hz: float
    fft: int = 0
    floor: float = 1e-6
    centred: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (("sample_rate_hz", 4000, 48000), ("frames", 1, 4096), ("bands", 1, 256), ("hop", 1, 4096), ("window", 16, 2048)):
            whole(name, getattr(self, name), low, high)
        if self.fft == 0:
            object.__setattr__(self, "fft", 1 << (self.window - 1).bit_length())
        whole("fft", self.fft, self.window, 4096)  # beyond, sums of power leave 63 bits
        within("low_hz", self.low_hz, 0, self.sample_rate_hz / 2)
        within("high_hz", self.high_hz, self.low_hz + 1, self.sample_rate_hz / 2)
        within("floor", self.floor, 2.0**-40, 1)
        if not isinstance(self.centred, bool):
            raise NetworkError("centred must be true or false")
        if self.frames * self.bands > 1 << 18:
            raise NetworkError(f"frames times bands must be at most {1 << 18}, not {self.frames * self.bands}")
        if not 0 < self.samples <= 10 * self.sample_rate_hz:
            raise NetworkError(f"a clip of {self.frames} frames has {self.samples} samples; it must have 1 to {10 * self.sample_rate_hz}, 10 s")
        if self.centred and self.samples <= self.window // 2:
            raise NetworkError(f"a clip of {self.samples} samples is too short to be reflected for a window of {self.window}")

    @property
    def samples(self) -> int:
        """Samples of a clip."""
        return (self.frames - 1 if self.centred else self.frames) * self.hop

    def features(self, sound: np.ndarray) -> np.ndarray:
        """``[n]`` integers of 16 bits, padded or cut at both ends to a clip, as ``[frames, bands], int64``."""
        x = _clip(np.asarray(sound), self.samples)
        if self.centred:
            x = np.pad(x, self.fft // 2, mode="reflect") if self.fft // 2 < len(x) else np.pad(x, self.fft // 2)
            x = x[(self.fft - self.window) // 2:]  # a window shorter than the transform stands in its middle
        x = np.pad(x, (0, max(0, (self.frames - 1) * self.hop + self.window - len(x))))
        return self.of_cuts(np.lib.stride_tricks.sliding_window_view(x, self.window)[::self.hop][:self.frames])

    def of_cuts(self, cuts: np.ndarray) -> np.ndarray:
        """The samples below each window, ``[n, window], int64``, as ``[n, bands], int64``: every frame depends on its own cut alone."""
        hann, waves, bank = _tables(self)
        # Integers in float64, below 2**52: BLAS sums them without rounding, in any order.
        windowed = _shift(cuts * hann, _WINDOW - _SAMPLE).astype(np.float64)
        spectrum = _shift((windowed @ waves).astype(np.int64), _SAMPLE + _TWIDDLE - _BIN)
        half = spectrum.shape[1] // 2
        power = _shift(spectrum[:, :half] ** 2 + spectrum[:, half:] ** 2, 2 * _BIN)
        mel = power @ bank
        floor = max(1, round(self.floor * 2.0 ** (_FULL_SCALE + _WEIGHT)))
        return log2(mel + floor) - ((_FULL_SCALE + _WEIGHT) << 16)


def _clip(sound: np.ndarray, samples: int) -> np.ndarray:
    if sound.dtype.kind not in "iu" or sound.ndim != 1:
        raise NetworkError(f"sound must be integers of one dimension, not {sound.dtype} of shape {list(sound.shape)}")
    x = np.clip(sound.astype(np.int64), -32768, 32767)
    missing = samples - len(x)
    if missing >= 0:
        return np.pad(x, (missing // 2, missing - missing // 2))
    return x[-missing // 2:][:samples]


def _shift(x: np.ndarray, n: int) -> np.ndarray:
    return (x + (1 << (n - 1))) >> n


@lru_cache(maxsize=4)
def _tables(m: MelSpectrum) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Window ``[window]``; cosines, then sines, of the K bins that any triangle holds ``[window, 2 K], float64``; triangles ``[K, bands]``."""
    def mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    edges = 700.0 * (10.0 ** (np.linspace(mel(m.low_hz), mel(m.high_hz), m.bands + 2) / 2595.0) - 1.0)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    hz = np.arange(m.fft // 2 + 1)[:, None] * (m.sample_rate_hz / m.fft)
    bank = np.round(np.maximum(0.0, np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle))) * (1 << _WEIGHT)).astype(np.int64)
    used = np.flatnonzero(bank.any(axis=1))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
    n = np.arange(m.window)
    hann = np.round((0.5 - 0.5 * np.cos(2.0 * np.pi * n / m.window)) * (1 << _WINDOW)).astype(np.int64)
    angle = 2.0 * np.pi / m.fft * (n[:, None] * np.arange(first, last) % m.fft)
    waves = np.round(np.concatenate([np.cos(angle), np.sin(angle)], axis=1) * (1 << _TWIDDLE))
    return hann, waves, bank[first:last]
