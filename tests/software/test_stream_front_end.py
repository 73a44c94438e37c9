"""A front end that follows a stream gives what the front end of a clip gives, whatever pieces the samples come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.software.encoders.framer import Framer
from spikeloom.software.encoders.front_end import front_end
from spikeloom.software.encoders.presets import NEUROBENCH
from spikeloom.software.encoders.stream_front_end import StreamFrontEnd
from spikeloom.software.features import read_wav
from spikeloom.spec.errors import NetworkError

SMALL = {"kind": "log_mel", "offset": 96, "shift": 3, "max": 15}
CENTRED = {"kind": "log_mel", "centred": True, "shift": 2, "max": 31}
MEL = {"kind": "mel", "sample_rate_hz": 16000, "frames": 100, "bands": 40, "hop": 160, "window": 400, "low_hz": 20, "high_hz": 7600}
SET = {"per": "set", "mean": -12.5, "deviation": 3.0}
GRADED = {"kind": "graded", "bits": 5, "steps": 2, "features": MEL, "normalise": SET}
STREAMED = [
    SMALL, GRADED, NEUROBENCH,
    {**GRADED, "features": {**MEL, "centred": True, "frames": 101}},
    {**GRADED, "features": {**MEL, "centred": True, "frames": 101, "window": 100, "fft": 1024}},
    {**GRADED, "features": {**MEL, "hop": 1600, "window": 400, "frames": 10}},
    {"kind": "graded", "bits": 5, "steps": 1, "features": {"kind": "log_mel"}, "normalise": SET},
    {"kind": "thermometer", "levels": [-1.0, 0.0, 1.5], "features": MEL, "normalise": SET},
    {"kind": "delta", "threshold": 0.5, "features": {"kind": "log_mel"}},
    {"kind": "direct", "bits": 4, "steps": 1, "repeat": 3, "image": False, "features": MEL, "normalise": SET},
]


def sound(n: int, seed: int = 0) -> np.ndarray:
    """Noise under an envelope that takes it through full scale and silence."""
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(0, 9000, n) * np.sin(np.arange(n) / 1500.0) ** 3, -32768, 32767).astype(np.int16)


def streamed(config: dict, samples: np.ndarray, cuts: list[int], **options: bool) -> np.ndarray:
    stream = StreamFrontEnd(config, **options)
    parts = [stream.push(part) for part in np.split(samples, cuts)]
    return np.concatenate([*parts, stream.finish()])


@pytest.mark.parametrize("config", STREAMED, ids=lambda c: c["kind"])
def test_a_stream_of_a_clip_gives_the_payloads_of_the_clip(config: dict) -> None:
    clip = front_end(config)
    features = config.get("features", {})
    samples = sound({"mel": features.get("hop", 0) * (features.get("frames", 0) - features.get("centred", False))}.get(features.get("kind"), 8000))
    want = clip.encode(samples)
    assert np.count_nonzero(want)
    rng = np.random.default_rng(1)
    for pieces in ([], [1, 2, 3, 999], sorted(rng.integers(0, len(samples), 200).tolist())):
        got = streamed(config, samples, pieces)
        assert got.dtype == want.dtype and got.tolist() == want.tolist()


def test_a_stream_of_the_spoken_clips_gives_their_payloads(root) -> None:
    for path in sorted((root / "examples/clips").glob("*.wav")):
        samples = read_wav(path)[:8000]
        samples = np.pad(samples, (0, 8000 - len(samples)))
        assert streamed(SMALL, samples, [700, 4001]).tolist() == front_end(SMALL).encode(samples).tolist()


def test_a_longer_stream_is_its_parts_and_nothing_else() -> None:
    # Timestep k of a long stream is timestep 0 of the stream that begins at its samples: no state is kept but what a window needs.
    samples = sound(40_000)
    whole = streamed(SMALL, samples, [12_345])
    assert len(whole) == 250
    for k in (0, 7, 249):
        assert whole[k].tolist() == streamed(SMALL, samples[160 * k:], [])[0].tolist()


@given(hop=st.integers(1, 40), window=st.integers(16, 60), more=st.integers(0, 40), centred=st.booleans(), n=st.integers(1, 300), data=st.data())
def test_cuts_do_not_depend_on_the_pieces(hop: int, window: int, more: int, centred: bool, n: int, data: st.DataObject) -> None:
    fft = window + more if centred else 0
    samples = np.arange(1, n + 1)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    framer = Framer(hop, window, fft)
    got = np.concatenate([*(framer.push(part) for part in np.split(samples, cuts)), framer.finish()])
    x = np.pad(samples, fft // 2, mode="reflect" if fft // 2 < n and fft else "constant")[(fft - window) // 2 if fft else 0:]
    frames = n // hop + 1 if fft else -(-n // hop)
    x = np.pad(x, (0, max(0, (frames - 1) * hop + window - len(x))))
    assert got.tolist() == [x[k * hop:k * hop + window].tolist() for k in range(frames)]


def test_a_timestep_comes_with_the_last_sample_of_its_window() -> None:
    stream = StreamFrontEnd(SMALL)
    assert [len(stream.push(np.zeros(n, np.int16))) for n in (255, 1, 159, 1, 320)] == [0, 1, 0, 1, 2]
    assert (stream.sample_rate_hz, stream.channels, stream.step_s) == (8000, 40, 0.02)
    assert len(stream.finish()) == 1  # 736 samples are begun by frames at 0, 160, ... 640
    assert StreamFrontEnd(SMALL).finish().shape == (0, 40)


def test_the_running_mean_is_the_mean_of_the_last_second() -> None:
    clip, samples = front_end(CENTRED), sound(8000)
    got, want = streamed(CENTRED, samples, [77], running_mean=True), clip.encode(samples)
    assert got[-1].tolist() == want[-1].tolist() and got.tolist() != want.tolist()
    # In a long stream it is the mean of the 50 frames that end here, whatever came before.
    long = np.concatenate([sound(16_000, 3), samples])
    assert streamed(CENTRED, long, [], running_mean=True)[-1].tolist() == want[-1].tolist()


@pytest.mark.parametrize(("config", "text"), [
    (CENTRED, "the mean of each band over the whole clip, which a stream does not know in time"),
    ({**GRADED, "normalise": {"per": "band"}}, "normalises per band"),
    ({**GRADED, "normalise": {"per": "clip"}}, "normalises per clip"),
    ({"kind": "poisson", "rate": 0.5, "features": MEL}, "seeds that are made of all values of a clip"),
    ({"kind": "direct", "bits": 4, "steps": 1, "features": MEL}, "shows the whole clip at once"),
    (CENTRED | {"picture": 10}, "shows the whole clip at once"),
    ({"kind": "bins"}, "SpikeLoom knows log_mel, graded"),
])
def test_what_needs_the_whole_clip_is_refused_with_what_to_do(config: dict, text: str) -> None:
    with pytest.raises(NetworkError, match=text) as caught:
        StreamFrontEnd(config)
    assert config["kind"] == "bins" or "(--slide)" in str(caught.value)


def test_a_running_mean_of_what_has_no_mean_and_floats_are_refused() -> None:
    with pytest.raises(NetworkError, match="leave it out"):
        StreamFrontEnd(SMALL, running_mean=True)
    with pytest.raises(NetworkError, match="sound must be integers of one dimension, not float64"):
        StreamFrontEnd(SMALL).push(np.zeros(4))
