"""Recordings through a front end to clips, and clips to a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.clips import Clips
from ...spec.errors import FileFormatError
from ..atomic import replace_file
from ..encoders.bins import Bins
from ..encoders.front_end import FrontEnd
from .recordings import Recordings
from .shd import UNITS, SpikeFile

__all__ = ["clips_of_recordings", "clips_of_spikes", "save_clips"]

MAX_EVENTS = 1 << 27
OnProgress = Callable[[int, int], None]


def clips_of_recordings(recordings: Recordings, encoder: FrontEnd, progress: OnProgress | None = None) -> Clips:
    """Every recording as a clip, labels and words with them; FileFormatError names the recording that cannot be read."""
    items = recordings.items
    return _joined((encoder.encode(item.read(encoder.sample_rate_hz)) for item in items), len(items), encoder.shape, recordings.labels,
                   recordings.words, progress)


def clips_of_spikes(file: SpikeFile, encoder: Bins, chosen: np.ndarray, progress: OnProgress | None = None) -> Clips:
    """The recordings ``chosen [n]`` of an SHD file as clips."""
    return _joined((encoder.encode(*file.spikes(int(k)), UNITS) for k in chosen), len(chosen), (encoder.steps, encoder.channels),
                   file.labels[chosen], file.words, progress)


def _joined(dense: Iterable[np.ndarray], n: int, shape: tuple[int, int], labels: np.ndarray, words: tuple[str, ...],
            progress: OnProgress | None) -> Clips:
    """Clip by clip ``[T, C]``, so that a whole data set is held as events only."""
    parts: list[tuple[np.ndarray, ...]] = []
    events = 0
    for k, x in enumerate(dense):
        step, channel = np.nonzero(x)
        events += len(step)
        if events > MAX_EVENTS:
            raise FileFormatError(f"The clips have more than {MAX_EVENTS:,} events after {k + 1} of {n}; take fewer (--limit)")
        parts.append((np.full(len(step), k, np.int32), step.astype(np.int32), channel.astype(np.int32), x[step, channel].astype(np.int16)))
        if progress is not None:
            progress(k + 1, n)
    clip, step, channel, payload = (np.concatenate([p[k] for p in parts]) for k in range(4))
    return Clips(n_clips=n, n_steps=shape[0], n_channels=shape[1], clip=clip, step=step, channel=channel, payload=payload, labels=labels, words=words)


def save_clips(path: Path, clips: Clips, *, speakers: Iterable[str] = (), front_end: Mapping | None = None) -> None:
    """Write a sparse .npz that :func:`spikeloom.software.clips.read_clips` reads; ``speaker [N]`` and ``front_end`` (JSON) are for people."""
    if path.suffix != ".npz":
        raise FileFormatError(f"{path}: clips are written as .npz; name it so")
    more: dict[str, Any] = {"speaker": np.array(list(speakers), dtype=str)} if speakers else {}
    if clips.labels is not None:
        more["label"] = clips.labels.astype(np.int32)
    with replace_file(path) as partial:
        np.savez_compressed(partial, shape=np.array([clips.n_clips, clips.n_steps, clips.n_channels], np.int64), clip=clips.clip, step=clips.step,
                            channel=clips.channel, payload=clips.payload, words=np.array(clips.words, dtype=str),
                            front_end=np.array(json.dumps(front_end, sort_keys=True)), **more)
