"""Sound of any length from a file, and from a microphone that is none."""

from __future__ import annotations

import struct
import sys
import wave
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spikeloom.software.features import read_wav, resample
from spikeloom.software.resampler import Resampler
from spikeloom.software.stream.sound import Microphone, WavFile
from spikeloom.spec.errors import DeviceError, FileFormatError


def write(path: Path, rate: int, samples: np.ndarray, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2" if width == 2 else np.uint8).tobytes())
    return path


@pytest.mark.parametrize(("rate", "to"), [(8000, 8000), (16000, 8000), (44100, 16000), (11025, 8000), (8000, 16000), (48000, 8000)])
def test_resampling_in_pieces_gives_the_same_bits(rate: int, to: int) -> None:
    rng = np.random.default_rng(rate)
    x = rng.normal(0, 1000, 3001)
    want = resample(x, rate, to)
    assert len(want) == -(-3001 * to // rate)
    for cuts in ([], [1, 2, 3, 700], sorted(rng.integers(0, 3001, 40))):
        resampler = Resampler(rate, to)
        got = np.concatenate([*(resampler.push(part) for part in np.split(x, cuts)), resampler.finish()])
        assert got.tolist() == want.tolist()


@pytest.mark.parametrize(("rate", "channels", "width"), [(8000, 1, 2), (16000, 2, 2), (22050, 1, 1)])
def test_a_file_in_pieces_is_the_file_at_once(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    rng = np.random.default_rng(0)
    path = write(tmp_path / "a.wav", rate, rng.integers(*((0, 256) if width == 1 else (-9000, 9000)), rate * channels), channels, width)
    sound = WavFile(path, 8000)
    parts = list(sound)
    assert len(parts) > 5 and sound.seconds == 1.0 and all(part.dtype == np.int16 for part in parts)
    assert np.concatenate(parts).tolist() == read_wav(path).tolist()


def test_a_minute_is_no_clip_and_yet_a_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", 8000, np.zeros(60 * 8000))
    with pytest.raises(FileFormatError, match="at most 10 s"):
        read_wav(path)
    assert sum(map(len, WavFile(path, 8000))) == 480_000


def test_unusable_files_are_refused_with_what_to_change(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", 8000, np.zeros(800)).read_bytes()
    (tmp_path / "short.wav").write_bytes(whole[:900])
    (tmp_path / "text.wav").write_text("no sound at all, but long enough to be read")
    write(tmp_path / "empty.wav", 8000, np.zeros(0))
    write(tmp_path / "fast.wav", 400_000, np.zeros(9))
    (tmp_path / "shorter.wav").write_bytes(whole[:-10])
    (tmp_path / "twelve.wav").write_bytes(whole[:34] + b"\x0c\x00" + whole[36:])
    for name, text in (("short.wav", "is cut short: its header promises 1600 bytes of sound, there are 856"),
                       ("shorter.wav", "is cut short: its header promises 1600 bytes of sound, there are 1590"),
                       ("twelve.wav", "has 1 channels of 12 bits at 8000 Hz; a clip has .* 8 or 16 bits"), ("text.wav", "is not a PCM WAV file"),
                       ("empty.wav", "has no sound in it"), ("fast.wav", "at 4000 to 192000 Hz"), ("none.wav", "cannot be read: No such file")):
        with pytest.raises(FileFormatError, match=text):
            WavFile(tmp_path / name, 8000)


def test_a_file_that_shrinks_while_it_is_read_is_told_how_many_samples_are_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 8000, np.zeros((1000, 2)), channels=2)
    sound = WavFile(path, 8000)
    path.write_bytes(path.read_bytes()[:-4 * 30])
    with pytest.raises(FileFormatError, match="shorter while it was read: 30 samples are missing"):
        list(sound)


def test_other_chunks_and_the_extensible_form_are_read(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.wav", 8000, np.arange(100)).read_bytes()
    guid = b"\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    extended = whole[:16] + struct.pack("<IH", 40, 0xFFFE) + whole[22:36] + struct.pack("<HHI", 22, 16, 4) + guid
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    (tmp_path / "b.wav").write_bytes(extended + odd + whole[36:] + odd)
    assert read_wav(tmp_path / "b.wav").tolist() == list(range(100)) == np.concatenate(list(WavFile(tmp_path / "b.wav", 8000))).tolist()
    (tmp_path / "c.wav").write_bytes(extended.replace(guid, b"\x03" + guid[1:]) + whole[36:])
    with pytest.raises(FileFormatError, match="not a PCM WAV file .its format is number 3"):
        read_wav(tmp_path / "c.wav")


class FakeStream:
    """A microphone that hears a ramp; ``interrupt`` reads later somebody presses Ctrl-C."""

    def __init__(self, interrupt: int = -1, fail: bool = False, **options: object) -> None:
        self.options, self.at, self.left, self.fail = options, 0, interrupt, fail

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, n: int) -> tuple[bytes, bool]:
        if self.left == 0:
            raise KeyboardInterrupt
        if self.fail:
            raise OSError("unplugged")
        self.left -= 1
        self.at += n
        return np.arange(self.at - n, self.at, dtype="<i2").tobytes(), self.at == 1600


def fake(monkeypatch: pytest.MonkeyPatch, knows: tuple[int, ...] = (8000,), microphone: bool = True, **stream: object) -> SimpleNamespace:
    class PortAudioError(Exception):
        pass

    def check(samplerate: int, **_: object) -> None:
        if samplerate not in knows:
            raise PortAudioError("Invalid sample rate")

    def query(kind: str) -> dict:
        if not microphone:
            raise ValueError("No input device matching ''")
        return {"default_samplerate": 16000.0}

    module = SimpleNamespace(PortAudioError=PortAudioError, check_input_settings=check, query_devices=query,
                             RawInputStream=lambda **options: FakeStream(**{**stream, **options}))
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def test_a_microphone_gives_the_seconds_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch)
    microphone = Microphone(8000, 0.25)
    parts = list(microphone)
    assert np.concatenate(parts).tolist() == list(range(2000)) and [len(part) for part in parts] == [800, 800, 400, 0]
    assert (microphone.lost, microphone.interrupted) == (1, False)  # the fake says once that it had to throw something away


def test_a_microphone_that_does_not_know_the_rate_is_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, knows=())
    got = np.concatenate(list(Microphone(8000, 0.25)))
    assert got.tolist() == np.round(resample(np.arange(4000), 16000, 8000)).tolist()


def test_ctrl_c_ends_a_microphone_and_keeps_what_was_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, interrupt=3)
    microphone = Microphone(8000)
    assert len(np.concatenate(list(microphone))) == 2400 and microphone.interrupted and microphone.seconds is None


def test_what_is_missing_for_a_microphone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, microphone=False)
    with pytest.raises(DeviceError, match="No microphone can be opened .*plug one in"):
        Microphone(8000)
    fake(monkeypatch, fail=True)
    with pytest.raises(DeviceError, match=r"has gone \(unplugged\)"):
        list(Microphone(8000))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError, match=r"pip install 'spikeloom\[host\]'"):
        Microphone(8000)
