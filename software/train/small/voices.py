"""Synthetic speakers: words spoken by espeak-ng."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ....spec.errors import ToolError
from ...features import read_wav
from .config import VoiceConfig

__all__ = ["speak", "spoken_clips"]


def speak(word: str, voice: str, speed: int, pitch: int, path: Path) -> None:
    """Write ``word``, spoken by espeak-ng, as WAV (22.05 kHz, PCM16, mono). Raises ToolError if espeak-ng is missing or fails."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise ToolError("espeak-ng was not found. Training adds synthetic voices to the recorded ones so that the demo clips are "
                        "recognised; install it (apt-get install espeak-ng) and start again.")
    done = subprocess.run([program, "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", str(path), word],
                          capture_output=True, text=True, timeout=60)
    if done.returncode or not path.exists():
        raise ToolError(f"espeak-ng could not speak {word!r} as {voice!r} (status {done.returncode}): {done.stderr.strip()[:200]}")


def spoken_clips(words: tuple[str, ...], voices: VoiceConfig) -> tuple[list[np.ndarray], np.ndarray]:
    """Every voice says every class word once per speed, with the pitches in turn, and some other words.

    Returns clips ``[n], int16`` at 8 kHz (with espeak's own leading and trailing silence cut) and classes ``[clips], int64``.
    """
    clips, classes = [], []
    unknown = words.index("_unknown_")
    said = [(w, c) for c, w in enumerate(words) if not w.startswith("_")]
    pitches = itertools.cycle(voices.pitches)
    others = itertools.cycle(voices.other_words)
    with tempfile.TemporaryDirectory(prefix="spikeloom-voices-") as folder:
        path = Path(folder) / "word.wav"
        for voice, speed in itertools.product(voices.names, voices.speeds):
            for word, label in [*said, (next(others), unknown)]:
                speak(word, voice, speed, next(pitches), path)
                samples = read_wav(path)
                loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 200)
                clips.append(samples[loud[0]:loud[-1] + 1])
                classes.append(label)
    return clips, np.array(classes, dtype=np.int64)
