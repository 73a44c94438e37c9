"""The audio front end: equal to the published features to the bit, and no file can hurt it."""

from __future__ import annotations

import csv
import hashlib
import random
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from spikeloom.software import features
from spikeloom.spec.errors import FileFormatError, NetworkError

FRONT_END = {"kind": "log_mel", "sample_rate_hz": 8000, "frames": 50, "bands": 40, "offset": 96, "shift": 3, "max": 15}
# Of log_mel(synthetic_signal()); no value of it is within 3e-4 steps of a rounding boundary.
SYNTHETIC_DIGEST = "03662d2232736e43a57a9b8fdea4e907f602740e7b1e51761f38489a23287ace"


def synthetic_signal() -> np.ndarray:
    """A rising tone over a repeating pattern, in integers alone, ``[8000], int16``."""
    n = np.arange(8000, dtype=np.int64)
    saw = (n * n // 40 + 37 * n) % 4096 - 2048
    return (saw * (n // 250 % 5) + (n * 7919 % 257) - 128).astype(np.int16)


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000, width: int = 2) -> Path:
    """``samples [n]`` or ``[n, channels]`` as PCM."""
    with wave.open(str(path), "wb") as writer:
        writer.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        writer.setsampwidth(width)
        writer.setframerate(rate)
        writer.writeframes(samples.astype({1: "u1", 2: "<i2", 4: "<i4"}[width]).tobytes())
    return path


@pytest.mark.parametrize(("name", "split"), [("gsc", "val"), ("fsdd", "test"), ("asc", "val")])
def test_features_equal_the_published_files_to_the_bit(shared: Path, name: str, split: str) -> None:
    soundfile = pytest.importorskip("soundfile", reason="reads FLAC: extra train")
    folder = shared / "data" / name
    with open(folder / f"{split}.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["offset"]) >= 0]
    published = np.load(folder / f"{split}_logmel40x50.npz")["x"]
    for row in rows[:: len(rows) // 20]:
        first, length = int(row["offset"]), int(row["length"])
        samples, _ = soundfile.read(folder / f"{split}.flac", start=first, frames=length, dtype="int16")
        assert np.array_equal(features.log_mel(samples), published[int(row["row"])]), row["source"]


def test_features_of_a_synthetic_signal_have_the_recorded_digest() -> None:
    assert hashlib.sha256(features.log_mel(synthetic_signal()).tobytes()).hexdigest() == SYNTHETIC_DIGEST


def test_the_digest_notices_a_hop_that_is_one_sample_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "HOP", 159)
    assert hashlib.sha256(features.log_mel(synthetic_signal()).tobytes()).hexdigest() != SYNTHETIC_DIGEST


def test_silence_gives_no_event_and_a_batch_equals_its_clips() -> None:
    clips = np.stack([synthetic_signal(), synthetic_signal()[::-1], np.zeros(8000, dtype=np.int16)])
    batch = features.log_mel(clips)
    assert batch.shape == (3, 50, 40) and batch.dtype == np.uint8
    assert all(np.array_equal(features.log_mel(clip), q) for clip, q in zip(clips, batch, strict=True))
    assert not features.apply_front_end(batch[2], FRONT_END).any()


def test_payloads_are_offset_shifted_and_clipped() -> None:
    q = np.array([0, 95, 96, 103, 104, 111, 215, 216, 255], dtype=np.uint8)
    assert features.apply_front_end(q, FRONT_END).tolist() == [0, 0, 0, 0, 1, 1, 14, 15, 15]


def test_a_picture_is_given_once() -> None:
    q = np.random.default_rng(0).integers(0, 256, (2, 3, 50, 40)).astype(np.uint8)
    for front_end in (FRONT_END, {"kind": "log_mel", "centred": True, "shift": 2, "max": 31}):
        plain, shown = features.apply_front_end(q, front_end), features.apply_front_end(q, front_end | {"picture": 7})
        assert shown.shape == (2, 3, 7, 2000) and shown.dtype == plain.dtype and not shown[..., 1:, :].any()
        assert np.array_equal(shown[:, :, 0].reshape(plain.shape), plain) and plain.any()


def test_only_unscaled_features_are_taken_as_such() -> None:
    assert features.is_raw_log_mel(np.zeros((2, 50, 40), np.uint8), FRONT_END)
    assert not features.is_raw_log_mel(np.zeros((2, 50, 40), np.int16), FRONT_END)
    assert not features.is_raw_log_mel(np.zeros((2, 49, 40), np.uint8), FRONT_END)
    assert not features.is_raw_log_mel(np.zeros((2, 50, 40), np.uint8), None)


@pytest.mark.parametrize(("change", "text"), [
    ({"kind": "mfcc"}, "'mfcc'"), ({"sample_rate_hz": 16000}, "16000"), ({"offset": 300}, "'offset'"), ({"shift": True}, "'shift'"),
    ({"max": None}, "'max'"), ({"picture": 0}, "'picture'"), ({"picture": True}, "'picture'")], ids=str)
def test_a_front_end_that_is_not_ours_is_refused(change: dict, text: str) -> None:
    with pytest.raises(NetworkError, match=text):
        features.apply_front_end(np.zeros((50, 40), np.uint8), FRONT_END | change)


def test_a_wav_file_at_8_khz_is_read_sample_for_sample(tmp_path: Path) -> None:
    samples = synthetic_signal()
    assert np.array_equal(features.read_wav(write_wav(tmp_path / "a.wav", samples)), samples)
    both = np.stack([samples, samples], axis=1)
    assert np.array_equal(features.read_wav(write_wav(tmp_path / "b.wav", both)), samples)
    small = (samples >> 8) + 128
    assert np.array_equal(features.read_wav(write_wav(tmp_path / "c.wav", small, width=1)), samples >> 8 << 8)


def test_a_wav_file_becomes_one_clip_of_graded_events(tmp_path: Path) -> None:
    for front_end, steps, channels in ((FRONT_END, 50, 40), (FRONT_END | {"picture": 7}, 7, 2000)):
        clips = features.read_wav_clips(write_wav(tmp_path / "a.wav", synthetic_signal()), front_end)
        assert (clips.n_clips, clips.n_steps, clips.n_channels) == (1, steps, channels)
        assert np.array_equal(clips.dense()[0], features.apply_front_end(features.log_mel(synthetic_signal()), front_end))


@pytest.mark.parametrize("rate", [4000, 11025, 16000, 22050, 44100, 48000, 12_001])
def test_a_tone_keeps_its_pitch_and_level_at_every_rate(rate: int) -> None:
    tone = 10_000 * np.sin(2 * np.pi * 440 / rate * np.arange(rate // 2))
    wanted = 10_000 * np.sin(2 * np.pi * 440 / 8000 * np.arange(4000))
    got = features.resample(tone, rate)[:4000]
    assert np.abs(got - wanted[: len(got)])[100:-100].max() < 60


def test_a_tone_above_4_khz_is_removed() -> None:
    got = features.resample(10_000 * np.sin(2 * np.pi * 6000 / 16_000 * np.arange(16_000)), 16_000)
    assert np.abs(got[100:-100]).max() < 20


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 8001])
def test_resampling_equals_scipy(rate: int) -> None:
    signal = pytest.importorskip("scipy.signal", reason="the reference is SciPy: extra train")
    x = np.random.default_rng(3).normal(size=3001)
    common = np.gcd(8000, rate)
    assert np.abs(features.resample(x, rate) - signal.resample_poly(x, 8000 // common, rate // common)).max() < 1e-12


def test_clips_are_centred_and_cut_to_one_second() -> None:
    assert np.array_equal(features.centre(np.arange(1, 8002)), np.arange(1, 8001))
    assert np.array_equal(features.centre(np.arange(1, 8003)), np.arange(2, 8002))
    padded = features.centre(np.ones(7997))
    assert (padded[:1] == 0).all() and (padded[1:-2] == 1).all() and (padded[-2:] == 0).all()


def test_unusable_wav_files_are_refused_with_what_to_change(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", synthetic_signal()).read_bytes()

    def refused(name: str, content: bytes | None, text: str) -> None:
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(FileFormatError, match=text) as caught:
            features.read_wav(path)
        assert name in str(caught.value)

    refused("absent.wav", None, "cannot be read")
    refused("empty.wav", b"", "not a PCM WAV")
    refused("text.wav", b"yes" * 100, "not a PCM WAV")
    refused("header.wav", good[:40], "not a PCM WAV")
    refused("short.wav", good[:-500], f"cut short: its header promises {len(good) - 44} bytes of sound, there are {len(good) - 544}")
    refused("float.wav", good[:20] + struct.pack("<H", 3) + good[22:], "not a PCM WAV")
    refused("rate.wav", good[:24] + struct.pack("<I", 0xFFFFFFFF) + good[28:], "4000 to 192000 Hz")
    refused("claims.wav", good[:40] + struct.pack("<I", 0xFFFFFFF0) + good[44:], "lasts")
    refused("wide.wav", write_wav(tmp_path / "w", np.zeros(100), width=4).read_bytes(), "32 bits")
    refused("twelve.wav", good[:34] + struct.pack("<H", 12) + good[36:], "channels of 12 bits")
    refused("many.wav", write_wav(tmp_path / "m", np.zeros((100, 6))).read_bytes(), "6 channels")
    refused("none.wav", write_wav(tmp_path / "n", np.zeros(0)).read_bytes(), "lasts 0.0 s")
    refused("long.wav", write_wav(tmp_path / "l", np.zeros(80_001)).read_bytes(), "10 s")
    refused("huge.wav", good + bytes(features.MAX_FILE_BYTES), "16777216")


def test_a_damaged_wav_file_is_read_or_refused_but_never_crashes() -> None:
    """Every byte of the header, flipped in some way, and truncation at every length near it."""
    import tempfile

    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        path = write_wav(Path(folder) / "a.wav", synthetic_signal()[:400])
        good = path.read_bytes()
        for case in range(400):
            damaged = bytearray(good[: rng.randrange(60)] if case % 4 == 0 else good)
            for _ in range(rng.randrange(1, 4)):
                if damaged:
                    damaged[rng.randrange(min(len(damaged), 48))] = rng.randrange(256)
            path.write_bytes(damaged)
            try:
                samples = features.read_wav(path)
            except FileFormatError:
                continue
            assert samples.dtype == np.int16 and len(samples) <= 10 * 8000 + 1, f"case {case} of seed 7"
