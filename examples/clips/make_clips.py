"""Make the demo clips again: ``python examples/clips/make_clips.py``; needs espeak-ng (1.51 made the committed ones).

Five words in voices that the training of kws-small did not hear, 8 kHz, mono, PCM16, one second each.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from spikeloom.software.features import centre, read_wav
from spikeloom.software.train.small.voices import speak
from spikeloom.spec.errors import SpikeLoomError

# word: voice, words per minute, pitch
CLIPS = {
    "yes": ("en-us+f3", 140, 55),
    "no": ("en-gb+m2", 135, 40),
    "stop": ("en-us+m5", 145, 45),
    "go": ("en-gb+f3", 130, 60),
    "left": ("en-us+m2", 140, 42),
}


def make(folder: Path) -> None:
    """Write ``WORD.wav`` for every word into ``folder``. Raises ToolError if espeak-ng is missing."""
    with tempfile.TemporaryDirectory(prefix="spikeloom-clips-") as scratch:
        for word, (voice, speed, pitch) in CLIPS.items():
            spoken = Path(scratch) / f"{word}.wav"
            speak(word, voice, speed, pitch, spoken)
            samples = read_wav(spoken)
            loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 200)
            with wave.open(str(folder / f"{word}.wav"), "wb") as writer:
                writer.setnchannels(1)
                writer.setsampwidth(2)
                writer.setframerate(8000)
                writer.writeframes(centre(samples[loud[0]:loud[-1] + 1]).astype("<i2").tobytes())


if __name__ == "__main__":
    try:
        make(Path(__file__).resolve().parent)
    except SpikeLoomError as problem:
        sys.exit(f"error: {problem}")
