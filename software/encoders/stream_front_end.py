"""A front end that follows a stream: sound as it comes, timesteps as soon as their samples are there.

The same description as of :mod:`~spikeloom.software.encoders.front_end`, and the same payloads: of the samples of a clip, whatever pieces they
come in, a
stream gives what the clip's front end gives. What needs the whole clip before its first timestep cannot do that, and is refused: the mean of a
``centred`` front
end, normalisation per clip or band, ``poisson`` (its seeds are made of all values), and a clip that is one picture (``direct``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...spec.errors import NetworkError
from ..features import FRAMES, HOP, SAMPLE_RATE, WINDOW, apply_front_end, centred_at, log_mel_of_cuts
from .delta import Delta
from .direct import Direct
from .framer import Framer
from .front_end import front_end, octaves_of, parts_of
from .poisson import Poisson

__all__ = ["StreamFrontEnd"]

_SLIDE = "let each window be a clip of its own (--slide)"


class StreamFrontEnd:
    """Samples in, payloads out; latency: a timestep comes with the last sample below its window.

    Parameters
    ----------
    config : ``network.metadata["front_end"]``.
    running_mean : of a ``centred`` front end: take the mean of the last 50 frames, this one included (of fewer at the beginning), in place of
        the clip's, which
        is not known yet. NOT what the network was trained with, and not the clip's payloads, but for the 50th frame, where both means are the same.

    Raises NetworkError for a front end that is wrong, or that needs the whole clip.
    """

    def __init__(self, config: Any, *, running_mean: bool = False) -> None:
        clip = front_end(config)
        self.sample_rate_hz, self.channels = clip.sample_rate_hz, clip.shape[1]
        self._config: Mapping = config
        self._repeat, mel = 1, None
        if config["kind"] == "log_mel" and "picture" in config:
            raise NetworkError(f"A front end of kind log_mel with a picture shows the whole clip at once, which a stream does not know; {_SLIDE}.")
        centred = config["kind"] == "log_mel" and config.get("centred", False)
        if centred and not running_mean:
            raise NetworkError("The network's audio front end is 'centred': it takes off the mean of each band over the whole clip, which a "
                               "stream does not know in time. Use the mean of the last second instead, which is not what the network was "
                               f"trained with (--running-mean), or {_SLIDE}.")
        if running_mean and not centred:
            raise NetworkError("A running mean (--running-mean) is for front ends of kind log_mel that are 'centred', and this one is not: leave "
                               "it out.")
        self._last = np.zeros((0, self.channels), np.int32) if centred else None  # frames that the running mean is made of
        if config["kind"] != "log_mel":
            self._encoder, self._normalise, mel = parts_of(config)
            _refuse_whole_clips(config["kind"], self._encoder, self._normalise.per)
            self._repeat = getattr(self._encoder, "repeat", 1)
        self._mel = mel
        self._reference: np.ndarray | None = None  # of delta
        self._framer = Framer(HOP, WINDOW) if mel is None else Framer(mel.hop, mel.window, mel.fft if mel.centred else 0)
        self.steps_per_frame = self._repeat
        self.step_s = self._framer.hop / self.sample_rate_hz / self._repeat

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Further samples ``[n]`` of 16 bits; the timesteps that they complete, ``[k, channels], int16``."""
        return self._encode(self._framer.push(samples))

    def finish(self) -> np.ndarray:
        """The timesteps whose windows reach past the last sample, as of a clip that ends there; nothing may follow."""
        return self._encode(self._framer.finish())

    def _encode(self, cuts: np.ndarray) -> np.ndarray:
        if not len(cuts):
            return np.zeros((0, self.channels), np.int16)
        if self._mel is not None:
            return self._events(self._mel.of_cuts(cuts))
        # Frame by frame: so the floats, and with them every bit, do not depend on how many frames came together.
        q = np.concatenate([log_mel_of_cuts(cut[None]) for cut in cuts])
        if self._config["kind"] != "log_mel":
            return self._events(octaves_of(q))
        return apply_front_end(q, self._config) if self._last is None else self._centred(q)

    def _centred(self, q: np.ndarray) -> np.ndarray:
        out = []
        for frame in q:
            self._last = np.concatenate([self._last, frame[None].astype(np.int32)])[-FRAMES:]
            out.append(centred_at(frame, self._last.sum(axis=0), len(self._last), self._config))
        return np.stack(out)

    def _events(self, values: np.ndarray) -> np.ndarray:
        values = self._normalise.apply(values)
        if not isinstance(self._encoder, Delta):
            return self._encoder.encode(values)
        if self._reference is None:  # the first frame sends nothing, and is no timestep
            self._reference, values = self._encoder.reference(values[0]), values[1:]
        events, self._reference = self._encoder.move(values, self._reference)
        return events


def _refuse_whole_clips(kind: str, encoder: Any, per: str) -> None:
    if isinstance(encoder, Poisson):
        raise NetworkError(f"A front end of kind poisson draws its spikes from seeds that are made of all values of a clip, which a stream does "
                           f"not know; {_SLIDE}.")
    if isinstance(encoder, Direct) and encoder.image:
        raise NetworkError(f"A front end of kind direct with image: true shows the whole clip at once, which a stream does not know; {_SLIDE}.")
    if per in ("clip", "band"):
        raise NetworkError(f"The front end of kind {kind} normalises per {per}, by mean and deviation of the whole clip, which a stream does not "
                           f"know. Train with normalise per set, whose numbers are fixed, or {_SLIDE}.")


assert SAMPLE_RATE * FRAMES == 8000 * 50  # the running mean is that of a second
