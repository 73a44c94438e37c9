"""A front end from its description: sound to the events that a network takes.

The description is ``network.metadata["front_end"]``. Kind ``log_mel`` is the one of kws-small, see :mod:`spikeloom.software.features`. All
others name an encoder, and say what it encodes::

    {"kind": "graded", "bits": 5, "steps": 2,
     "features": {"kind": "mel", "sample_rate_hz": 16000, "frames": 100, "bands": 40, "hop": 160, "window": 400, "low_hz": 20, "high_hz": 7600},
     "normalise": {"per": "band"}}

``features`` of kind ``log_mel`` are the published 8 bit ones (50 frames of 40 bands of a second at 8 kHz), in octaves below full scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ...spec.errors import NetworkError
from ..features import BANDS, CLIP_SAMPLES, FLOOR_OCTAVES, FRAMES, SAMPLE_RATE, STEPS_PER_OCTAVE, apply_front_end, log_mel
from .delta import Delta
from .direct import Direct
from .graded import Graded
from .mel_spectrum import MelSpectrum
from .normalise import Normalise
from .poisson import Poisson
from .settings import FRACTION, build
from .thermometer import Thermometer

__all__ = ["KINDS", "FrontEnd", "front_end", "octaves_of", "parts_of"]

_ENCODERS: dict[str, type] = {"graded": Graded, "delta": Delta, "thermometer": Thermometer, "poisson": Poisson, "direct": Direct}
KINDS = ("log_mel", *_ENCODERS)


class FrontEnd(Protocol):
    """What turns one clip of sound into events."""

    @property
    def sample_rate_hz(self) -> int:
        """Of the samples that it takes."""

    @property
    def samples(self) -> int:
        """Samples of a clip; others are padded, or cut, at both ends."""

    @property
    def shape(self) -> tuple[int, int]:
        """Timesteps and channels of a clip."""

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload: what the network's input declares."""

    @property
    def takes_log_mel(self) -> bool:
        """Whether it works on the published 8 bit features."""

    def encode(self, sound: np.ndarray) -> np.ndarray:
        """Samples ``[n]`` of 16 bits to payloads ``[T, C], int16``."""

    def encode_log_mel(self, q: np.ndarray) -> np.ndarray:
        """Published features ``[50, 40], uint8`` to payloads; NetworkError if it works on others."""


def front_end(config: Any) -> FrontEnd:
    """The front end of a description; NetworkError says what is wrong in it."""
    kind = config.get("kind") if isinstance(config, Mapping) else None
    if kind not in KINDS:
        raise NetworkError(f"The audio front end is {str(kind)[:40]!r}; SpikeLoom knows {', '.join(KINDS)}. Change its 'kind', or give the clips "
                           "as payloads in an .npz or .npy file.")
    if kind == "log_mel":
        return _KeywordLogMel(config)
    return _Encoded(*parts_of(config))


def parts_of(config: Mapping) -> tuple[Any, Normalise, MelSpectrum | None]:
    """Encoder, normalisation, and features (None: the published 8 bit ones) of a front end of any kind but ``log_mel``; NetworkError as above."""
    kind = config["kind"]
    parts = {k: v for k, v in config.items() if k not in ("features", "normalise")}
    encoder: Any = build(_ENCODERS[kind], parts, f"Front end of kind {kind}")
    normalise = build(Normalise, config.get("normalise", {}), f"Front end of kind {kind}, normalise")
    features = config.get("features")
    of = features.get("kind") if isinstance(features, Mapping) else None
    if of == "mel":
        return encoder, normalise, build(MelSpectrum, features, f"Front end of kind {kind}, features")
    if of == "log_mel":
        return encoder, normalise, None
    raise NetworkError(f"Front end of kind {kind}: features must be an object of kind mel or log_mel, not {str(of)[:40]!r}")


class _KeywordLogMel:
    """Kind ``log_mel``: 8 bit features and their integer scaling, as kws-small was trained on."""

    sample_rate_hz, samples, takes_log_mel = SAMPLE_RATE, CLIP_SAMPLES, True

    def __init__(self, config: Mapping) -> None:
        # Refuses wrong parameters now, not at the first clip.
        self.shape: tuple[int, int] = apply_front_end(np.zeros((FRAMES, BANDS), np.uint8), config).shape
        self._config = config

    @property
    def payload_range(self) -> tuple[int, int]:
        return 1, int(self._config["max"])

    def encode(self, sound: np.ndarray) -> np.ndarray:
        return apply_front_end(log_mel(sound), self._config)

    def encode_log_mel(self, q: np.ndarray) -> np.ndarray:
        return apply_front_end(q, self._config)


class _Encoded:
    """Features, normalised, through an encoder."""

    def __init__(self, encoder: Any, normalise: Normalise, mel: MelSpectrum | None) -> None:
        self._encoder, self._normalise, self._mel = encoder, normalise, mel
        self._frames, self._bands = (FRAMES, BANDS) if mel is None else (mel.frames, mel.bands)
        normalise.apply(np.zeros((1, self._bands), np.int64))
        if encoder.shape(self._frames, self._bands)[0] < 1:
            raise NetworkError("The front end gives no timestep: a clip needs two frames or more")

    @property
    def sample_rate_hz(self) -> int:
        return SAMPLE_RATE if self._mel is None else self._mel.sample_rate_hz

    @property
    def samples(self) -> int:
        return CLIP_SAMPLES if self._mel is None else self._mel.samples

    @property
    def shape(self) -> tuple[int, int]:
        return self._encoder.shape(self._frames, self._bands)

    @property
    def payload_range(self) -> tuple[int, int]:
        return self._encoder.payload_range

    @property
    def takes_log_mel(self) -> bool:
        return self._mel is None

    def encode(self, sound: np.ndarray) -> np.ndarray:
        if self._mel is None:
            return self.encode_log_mel(log_mel(sound))
        return self._encoder.encode(self._normalise.apply(self._mel.features(sound)))

    def encode_log_mel(self, q: np.ndarray) -> np.ndarray:
        if self._mel is not None:
            raise NetworkError("The front end computes its own features from sound; it takes no 8 bit features. Give sound (.wav) or payloads.")
        return self._encoder.encode(self._normalise.apply(octaves_of(q)))


def octaves_of(q: np.ndarray) -> np.ndarray:
    """The published 8 bit features ``[frames, 40], uint8`` in octaves below full scale, int64 in 2**-16."""
    return (q.astype(np.int64) << FRACTION) // STEPS_PER_OCTAVE + ((FLOOR_OCTAVES - 30) << FRACTION)
