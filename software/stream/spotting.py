"""A stream from its source to its words: what ``spikeloom run --wav | --mic | --events`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...spec.clips import Clips
from ...spec.errors import NetworkError, SpikeLoomError
from ...spec.network import Network
from ..clips import read_clips
from ..encoders.front_end import front_end
from ..encoders.stream_front_end import StreamFrontEnd
from ..host.device import Device
from .answering import answers
from .players import Beside, DevicePlayer, GoldenPlayer, Player
from .scores import CarriedScores, SlidScores
from .settings import StreamSettings
from .sound import Microphone, WavFile
from .spotter import Spotted, Spotter

__all__ = ["Spotting", "Trace"]

ERRORS = ("rejected_range", "rejected_payload", "rejected_duplicate", "refused_events")  # of a device's status


@dataclass
class Trace:
    """What a picture is drawn from; empty without ``trace``.

    Parameters
    ----------
    sound : pieces of samples; none of a stream of events. sample_rate_hz : of them.
    payloads : pieces ``[k, C]`` as they were played; spikes : population -> pieces ``[k, size]`` (of the golden model, which ran beside a device).
    moments : (timestep, averaged posteriors) behind each READ.
    """

    sample_rate_hz: int = 0
    sound: list[np.ndarray] = field(default_factory=list)
    payloads: list[np.ndarray] = field(default_factory=list)
    spikes: dict[str, list[np.ndarray]] = field(default_factory=dict)
    moments: list[tuple[int, np.ndarray]] = field(default_factory=list)
    words: list[Spotted] = field(default_factory=list)


class Spotting:
    """Spots words in a stream; iterating gives each :class:`~.spotter.Spotted` as soon as it is known.

    Parameters
    ----------
    network : with a readout; for sound with an audio front end.
    source : a path to sound (.wav) or events (.npz, .npy: clips, one after the other), or ``None`` for the microphone.
    device : ``golden`` for the golden model, or as of :func:`spikeloom.software.api.run`.
    settings : default: those of the network.
    slide : each window is a clip of its own, see :class:`~.scores.SlidScores`.
    running_mean : see :class:`~..encoders.stream_front_end.StreamFrontEnd`.
    step_s : seconds of a timestep; default: the front end's, or ``metadata["step_ms"]``.
    seconds : of the microphone; None listens until it is interrupted.
    trace : keep what a picture needs; a device then has the golden model beside it, and a readout that differs raises MismatchError.

    Members
    -------
    steps, seconds : timesteps played, and how long they are, so far.
    refused : events that the device refused; repeated : frames that had to be sent again; device_s : its seconds; lost : pieces of sound that
        the microphone
        lost; renewed : see :class:`~.scores.CarriedScores`.
    """

    def __init__(self, network: Network, source: Path | None, *, device: str = "golden", settings: StreamSettings | None = None, slide: bool = False,
                 running_mean: bool = False, step_s: float | None = None, seconds: float | None = None, trace: bool = False, baud: int | None = None,
                 record: Path | None = None, progress: Callable[[int, int], None] | None = None) -> None:
        self._network, self._target, self._baud, self._record, self._progress = network, device, baud, record, progress
        self.settings = settings or StreamSettings.of(network)
        self.labels = answers(network)
        self._slide, self._trace = slide, trace
        self.trace, self.steps, self.refused, self.repeated, self.device_s, self.lost, self.renewed = Trace(), 0, 0, 0, 0.0, 0, 0
        if slide and running_mean:
            raise SpikeLoomError("Of --slide and --running-mean only one has a meaning: a clip of its own has its own mean; leave one out")
        self._source: WavFile | Microphone | Clips
        if source is not None and source.suffix.lower() != ".wav":
            self._open_events(source, step_s, running_mean)
        else:
            self._open_sound(source, step_s, running_mean, seconds)
        self._every = self._steps("every_s")
        self._window = max(1, round(self.settings.window_s / self.settings.every_s)) * self._every

    def _open_events(self, path: Path, step_s: float | None, running_mean: bool) -> None:
        if running_mean:
            raise SpikeLoomError("--running-mean is about sound, and the events of a file are payloads already: leave it out")
        self._source = clips = read_clips(path, self._network)
        step_ms = self._network.metadata.get("step_ms")
        if step_s is None and isinstance(step_ms, (int, float)) and not isinstance(step_ms, bool) and 0 < step_ms < 1e5:
            step_s = step_ms / 1000
        if step_s is None and "front_end" in self._network.metadata:
            of = front_end(self._network.metadata["front_end"])
            step_s = of.samples / of.sample_rate_hz / of.shape[0]
        if step_s is None:
            raise NetworkError(f"Network {self._network.name!r} does not say how long a timestep is, so words have no times; give --step-ms")
        if not 1e-6 <= step_s < 100:
            raise SpikeLoomError(f"A timestep of {1000 * step_s:g} ms is none of a stream: give --step-ms of 0.001 to 100,000")
        self.step_s = step_s
        self.total_s: float | None = step_s * clips.n_clips * clips.n_steps

    def _open_sound(self, path: Path | None, step_s: float | None, running_mean: bool, seconds: float | None) -> None:
        if step_s is not None:
            raise SpikeLoomError("--step-ms is for --events: the front end of the network says how long a timestep of sound is; leave it out")
        config = self._network.metadata.get("front_end")
        if config is None:
            raise NetworkError(f"Network {self._network.name!r} names no audio front end (metadata 'front_end'), so it cannot hear; give --events")
        self._clip = front_end(config)
        self._stream = None if self._slide else StreamFrontEnd(config, running_mean=running_mean)
        self.step_s = self._clip.samples / self._clip.sample_rate_hz / self._clip.shape[0] if self._stream is None else self._stream.step_s
        channels = sum(p.size for p in self._network.inputs)
        if self._clip.shape[1] != channels:
            raise NetworkError(f"The front end of network {self._network.name!r} has {self._clip.shape[1]} channels, and its inputs {channels}")
        self._source = Microphone(self._clip.sample_rate_hz, seconds) if path is None else WavFile(path, self._clip.sample_rate_hz)
        self.total_s = self._source.seconds
        self.trace.sample_rate_hz = self._clip.sample_rate_hz

    def _steps(self, name: str) -> int:
        return max(1, round(getattr(self.settings, name) / self.step_s))

    @property
    def interrupted(self) -> bool:
        """The user has ended the microphone."""
        return isinstance(self._source, Microphone) and self._source.interrupted

    @property
    def seconds(self) -> float:
        """Of the stream so far."""
        return self.steps * self.step_s

    def __iter__(self) -> Iterator[Spotted]:
        spotter = Spotter(self.labels, self.settings, self.step_s)
        with self._player() as player:
            for step, scores in self._scores(player):
                self.steps = step
                averaged, word = spotter.push(step, scores)
                if self._trace:
                    self.trace.moments.append((step, averaged))
                if self._progress is not None:
                    self._progress(round(self.seconds), 0 if self.total_s is None else max(1, round(self.total_s)))
                if word is not None:
                    self.trace.words.append(word)
                    yield word

    def scores(self) -> Iterator[tuple[int, np.ndarray]]:
        """(timestep, scores ``[classes], int64``) behind each READ, for those who decide by themselves; either this or the words can be had, once."""
        with self._player() as player:
            for step, scores in self._scores(player):
                self.steps = step
                yield step, scores

    @contextmanager
    def _player(self) -> Iterator[Player]:
        model = GoldenPlayer(self._network, record=self._trace and not self._slide)
        if self._trace:
            self.trace.spikes = model.spikes
        if self._target == "golden":
            if self._record is not None or self._baud is not None:
                raise SpikeLoomError("--record and --baud are for a device, and the golden model is none: leave them out")
            yield model
            return
        with Device.open(self._target, baud=self._baud, record=self._record) as device:
            device.load(self._network)
            before, begin = device.status(), device.seconds()
            yield Beside(DevicePlayer(device), model) if self._trace else DevicePlayer(device)
            after = device.status()
            self.refused = sum(after[name] - before[name] for name in ERRORS)
            self.device_s, self.repeated = device.seconds() - begin, device.link.repeated

    def _scores(self, player: Player) -> Iterator[tuple[int, np.ndarray]]:
        if not self._slide:
            scores = CarriedScores(self._network, player, self._window, self._every)
            for payloads in self._payloads():
                if self._trace:
                    self.trace.payloads.append(payloads)
                yield from scores.push(payloads)
                self.renewed = scores.renewed
            yield from scores.finish()
            self.renewed = scores.renewed
        elif isinstance(self._source, Clips):
            yield from self._slid(SlidScores(self._network, player, self._window, self._every, lambda clip: clip), self._payloads(), 1.0)
        else:
            every = max(1, round(self._every * self.step_s * self._clip.sample_rate_hz))
            slid = SlidScores(self._network, player, self._clip.samples, every, self._clip.encode)
            yield from self._slid(slid, self._sound(), every / self._every)

    def _slid(self, scores: SlidScores, pieces: Iterable[np.ndarray], units: float) -> Iterator[tuple[int, np.ndarray]]:
        for piece in pieces:
            for moment, values in scores.push(piece):
                yield round(moment / units), values
        for moment, values in scores.finish():
            if round(moment / units) > self.steps:  # less than half a timestep of sound is none
                yield round(moment / units), values

    def _sound(self) -> Iterator[np.ndarray]:
        assert not isinstance(self._source, Clips)
        for samples in self._source:
            if self._trace:
                self.trace.sound.append(samples)
            if isinstance(self._source, Microphone):
                self.lost = self._source.lost
            yield samples

    def _payloads(self) -> Iterator[np.ndarray]:
        if isinstance(self._source, Clips):
            yield from (self._source.dense(n, n + 1)[0] for n in range(self._source.n_clips))
            return
        assert self._stream is not None
        yield from (self._stream.push(samples) for samples in self._sound())
        yield self._stream.finish()
