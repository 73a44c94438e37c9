"""The options of `spikeloom run` that are about streams, and what it prints of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...spec.errors import SpikeLoomError
from ...spec.network import Network
from .. import api
from ..progress import Progress
from ..report import json_line, table
from ..stream.settings import RANGES
from .arguments import number_within

__all__ = ["add_sources", "add_streaming", "refuse_streaming", "spot"]

_OPTIONS = ("window", "every", "smooth", "refractory", "threshold", "temperature", "slide", "running_mean", "step_ms", "seconds", "plot")
_RANGES = {"step-ms": (0.001, 1e5), "seconds": (0.001, 1e9)}  # of what is no setting


def add_sources(group: argparse._MutuallyExclusiveGroup) -> None:
    """Adds ``--wav``, ``--events`` and ``--mic``."""
    group.add_argument("--wav", metavar="FILE", type=Path, help="spot words in sound of any length: PCM of 8 or 16 bits")
    group.add_argument("--events", metavar="FILE", type=Path, help="spot words in events: clips (.npz, .npy), one after the other without a reset")
    group.add_argument("--mic", action="store_true", help="spot words in what the default microphone hears, until Ctrl-C (needs sounddevice)")


def add_streaming(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a stream; all are None or False unless given."""
    group = parser.add_argument_group("streams", "of --wav, --events and --mic; a network's metadata 'stream' has other defaults: docs/streaming.md")
    for name, what in (("window", "seconds that a score is made of (default 1)"), ("every", "seconds from one READ to the next (default 0.1)"),
                       ("smooth", "seconds over which posteriors are averaged (default 0.3)"),
                       ("refractory", "seconds after a word in which none is spotted (default 1)"),
                       ("threshold", "averaged posterior that spots a word, 0 to 1 (default 0.5)"),
                       ("temperature", "of the softmax, in units of a score (default: the scores' deviation)"),
                       ("step-ms", "length of a timestep, for --events of a network that does not say it"),
                       ("seconds", "of --mic: how long it listens")):
        low, high = _RANGES.get(name) or RANGES.get(name) or RANGES[f"{name}_s"]
        group.add_argument(f"--{name}", metavar="N", type=number_within(low, high), help=what)
    group.add_argument("--slide", action="store_true", help="make each window a clip of its own, from cleared states (window / every times the work)")
    group.add_argument("--running-mean", action="store_true", help="of a 'centred' front end: take off the mean of the last second, not of the clip")
    group.add_argument("--plot", metavar="FILE.png", type=Path,
                       help="draw spectrogram, spikes, scores and words (needs matplotlib); compares a device with the golden model, too")


def refuse_streaming(args: argparse.Namespace) -> None:
    """Raises SpikeLoomError where an option of a stream is given with --input."""
    given = [f"--{name.replace('_', '-')}" for name in _OPTIONS if getattr(args, name) not in (None, False)]
    if given:
        raise SpikeLoomError(f"{', '.join(given)}: of a stream (--wav, --events, --mic), and --input plays clips, each from cleared states; leave "
                             "it out")


def spot(args: argparse.Namespace, network: Network) -> int:
    """Prints words as they are spotted; with ``--json`` an object per line, and a last one about the whole stream."""
    if args.limit is not None or (args.seconds is not None and not args.mic):
        raise SpikeLoomError(f"{'--limit is for --input' if args.limit is not None else '--seconds is for --mic'}: leave it out")
    for name, kinds in (("wav", (".wav",)), ("events", (".npz", ".npy"))):
        path = getattr(args, name)
        if path is not None and path.suffix.lower() not in kinds:
            raise SpikeLoomError(f"{path}: --{name} takes {' and '.join(kinds)} files, not {path.suffix or 'a file without a suffix'}")
    if args.plot is not None:
        from ..stream.picture import check_picture, draw

        check_picture(args.plot)
    with Progress("listening, s", quiet=args.json) as progress:
        spotting = api.spot(network, None if args.mic else args.wav or args.events, device=args.device, window_s=args.window, every_s=args.every,
                            smooth_s=args.smooth, refractory_s=args.refractory, threshold=args.threshold, temperature=args.temperature,
                            slide=args.slide,
                            running_mean=args.running_mean, step_s=None if args.step_ms is None else args.step_ms / 1000, seconds=args.seconds,
                            trace=args.plot is not None, baud=args.baud, record=args.record, progress=progress.update)
        n = 0
        for word in spotting:
            n += 1
            progress.clear()
            print(json_line(word, word._fields) if args.json else f"{word.time_s:9.2f} s  {word.word}  ({word.posterior:.2f})", flush=True)
    if args.plot is not None:
        draw(spotting, args.plot)
    told = {"words": n, "steps": spotting.steps, "seconds": round(spotting.seconds, 6), "errors": spotting.refused, "lost": spotting.lost,
            "repeated": spotting.repeated, "device_seconds": round(spotting.device_s, 6)}
    if args.json:
        print(json_line(None, (), **told))
    else:
        rows = [("words", n), ("seconds heard", f"{spotting.seconds:,.2f}, {spotting.steps:,} timesteps"), ("events refused", spotting.refused)]
        rows += [("seconds of the device", f"{spotting.device_s:.3f}"), ("frames sent again", spotting.repeated)] if args.device != "golden" else []
        rows += [("pieces of sound lost", spotting.lost)] if args.mic else []
        print(table(rows))
    if spotting.interrupted:
        raise KeyboardInterrupt
    return 0
