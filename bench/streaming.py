"""Words spotted in a long recording: hits, misses and false alarms per hour; see docs/streaming.md.

    python bench/streaming.py [--data DIR] [--clips N] [--slide]

The recordings of a split of gsc (speakers that the network never heard), all of them in an order drawn by a fixed seed, laid end to end with 0.5
to 1.5 s between them, in which is what the split has for silence: noise and hum. A word counts as a hit if it is spotted between the start of its
recording and half a second behind its end, once; any other word that is spotted is a false alarm, those in an ``_unknown_`` or in silence too. The
scores are those of ``spikeloom run --wav``, on the golden model; temperature, smoothing, refractory time and threshold are chosen on val, by the F1
score, and measured once on test.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import wave
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spikeloom.software import api
from spikeloom.software.data.compact import compact_recordings
from spikeloom.software.stream.settings import StreamSettings
from spikeloom.software.stream.spotter import Spotted, Spotter
from spikeloom.software.stream.spotting import Spotting
from spikeloom.spec.network import Network

ROOT = Path(__file__).resolve().parents[1]
RATE = 8000
LATE_S = 0.5  # behind the end of a recording


@dataclass(frozen=True)
class Long:
    """A long recording: samples, and (word, start, end) in seconds of what is said in it, ``_unknown_`` included."""

    samples: np.ndarray
    said: list[tuple[str, float, float]]


@dataclass(frozen=True)
class Count:
    """Hits, misses and false alarms in so many hours."""

    hits: int
    misses: int
    alarms: int
    hours: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the shares of words that were spotted, and of spotted words that were said."""
        return 2 * self.hits / max(2 * self.hits + self.misses + self.alarms, 1)

    def row(self) -> str:
        """Of the table."""
        n = self.hits + self.misses
        return f"{n} | {self.hits} ({self.hits / n:.1%}) | {self.misses} | {self.alarms} | {self.alarms / self.hours:.0f}"


def long_recording(data: Path, split: str, clips: int | None) -> Long:
    """See the top; ``clips`` of the split, all if None."""
    recordings = compact_recordings(data / "gsc").of(split)
    rng = np.random.default_rng(20)
    silence = np.concatenate([item.read(RATE) for item in recordings.items if item.word == "_silence_"])
    words = [item for item in recordings.items if item.word != "_silence_"]
    at, pieces, said, now = 0, [], [], 0
    for k in rng.permutation(len(words))[:clips]:
        gap = int(rng.uniform(0.5, 1.5) * RATE)
        pieces.append(np.take(silence, np.arange(at, at + gap), mode="wrap"))
        samples = words[k].read(RATE)
        said.append((words[k].word, (now + gap) / RATE, (now + gap + len(samples)) / RATE))
        at, now = at + gap, now + gap + len(samples)
        pieces.append(samples)
    pieces.append(np.take(silence, np.arange(at, at + RATE), mode="wrap"))
    return Long(np.concatenate(pieces), said)


def scores_of(network: Network, sound: Long, settings: StreamSettings, **how: bool) -> tuple[Spotting, list[tuple[int, np.ndarray]]]:
    """The scores behind each READ of the stream, as ``spikeloom run --wav`` makes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(sound.samples.astype("<i2").tobytes())
        spotting = Spotting(network, path, settings=settings, **how)
        return spotting, list(spotting.scores())


def spotted(spotting: Spotting, scores: list[tuple[int, np.ndarray]], settings: StreamSettings) -> list[Spotted]:
    """The words that settings find in scores."""
    spotter = Spotter(spotting.labels, settings, spotting.step_s)
    return [word for step, values in scores if (word := spotter.push(step, values)[1]) is not None]


def count(sound: Long, words: list[Spotted], background: tuple[str, ...]) -> Count:
    """Compares what was spotted with what was said."""
    open_, hits, alarms = [s for s in sound.said if s[0] not in background], 0, 0
    total = len(open_)
    for word in words:
        found = next((s for s in open_ if s[0] == word.word and s[1] <= word.time_s <= s[2] + LATE_S), None)
        if found is None:
            alarms += 1
        else:
            hits += 1
            open_.remove(found)
    return Count(hits, total - hits, alarms, len(sound.samples) / RATE / 3600)


def choose(spotting: Spotting, scores: list[tuple[int, np.ndarray]], sound: Long, start: StreamSettings) -> StreamSettings:
    """The settings of the best F1 on a recording; the first of equals."""
    spread = float(np.median([values.std() for _, values in scores]))
    best, chosen = -1.0, start
    for scale, smooth, refractory, threshold in itertools.product((0.3, 0.5, 0.8), (0.1, 0.3, 0.5), (0.5, 0.8), (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)):
        some = replace(start, temperature=float(f"{scale * spread:.2g}"), smooth_s=smooth, refractory_s=refractory, threshold=threshold)
        found = count(sound, spotted(spotting, scores, some), start.background).f1
        if found > best:
            best, chosen = found, some
    return chosen


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--network", type=Path, default=ROOT / "models" / "kws-small.npz")
    parser.add_argument("--clips", type=int, help="of each split (default: all)")
    parser.add_argument("--slide", action="store_true", help="each window a clip of its own")
    parser.add_argument("--running-mean", action="store_true", help="of a network whose front end is centred")
    args = parser.parse_args()
    if not (args.data / "gsc").is_dir():
        print(f"needs the recordings in {args.data / 'gsc'}, which is not there", file=sys.stderr)
        return 2
    network = api.load(args.network)
    start = StreamSettings.of(network)
    chosen = None
    print("| network | states | split | hours | words | hits | misses | false alarms | per hour |\n|---|---|---|---|---|---|---|---|---|")
    for split in ("val", "test"):
        sound = long_recording(args.data, split, args.clips)
        spotting, scores = scores_of(network, sound, start, slide=args.slide, running_mean=args.running_mean)
        chosen = chosen or choose(spotting, scores, sound, start)
        found = count(sound, spotted(spotting, scores, chosen), start.background)
        print(f"| {network.name} | {'each window' if args.slide else 'carried on'} | {split} | {found.hours:.2f} | {found.row()} |", flush=True)
    print(f"chosen on val: {chosen}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
