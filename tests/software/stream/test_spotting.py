"""From a source to words: on the golden model, on a simulated device, from a recording; and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.encoders.stream_front_end import StreamFrontEnd
from spikeloom.software.stream.players import Beside, GoldenPlayer
from spikeloom.spec.archive import save_network
from spikeloom.spec.errors import FileFormatError, MismatchError, NetworkError, SpikeLoomError

from ...linked import needs_compiler, network, project, shared_folder
from .test_sound import fake, write

FRONT_END = {"kind": "graded", "bits": 3, "steps": 1, "offset": -14, "positive": True,
             "features": {"kind": "mel", "sample_rate_hz": 8000, "frames": 50, "bands": 8, "hop": 160, "window": 256, "low_hz": 60, "high_hz": 3900}}
STREAM = {"window_s": 0.4, "every_s": 0.1, "smooth_s": 0.2, "refractory_s": 0.0, "threshold": 0.55, "temperature": 6000}
NET = replace(network(), metadata={"front_end": FRONT_END, "stream": STREAM})


def sound(seconds: float) -> np.ndarray:
    """Bursts of 0.3 s, one a second."""
    rng = np.random.default_rng(4)
    n = int(8000 * seconds)
    return rng.normal(0, 3000, n) * (np.arange(n) % 8000 < 2400)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    return write(tmp_path / "sound.wav", 8000, sound(3.3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(shared_folder(tmp_path_factory, "linked"), network())


def test_the_posteriors_of_a_stream_are_those_of_its_windows(wav: Path) -> None:
    spotting = api.spot(NET, wav, trace=True, smooth_s=0.1)
    words = list(spotting)
    stream = StreamFrontEnd(FRONT_END)
    payloads = np.concatenate([*(stream.push(part) for part in np.array_split(sound(3.3).astype(np.int16), 9)), stream.finish()])
    assert np.concatenate(spotting.trace.payloads).tolist() == payloads.tolist() and payloads.max() == 3
    assert [step for step, _ in spotting.trace.moments] == list(range(5, 166, 5))
    for step, posterior in spotting.trace.moments:
        before = golden.run(NET, payloads[None, :max(step - 20, 0)]).readouts["y"][0]
        scores = (golden.run(NET, payloads[None, :step]).readouts["y"][0] - before).astype(float)
        e = np.exp((scores - scores.max()) / 6000)
        assert posterior == pytest.approx(e / e.sum())
    assert [w.word for w in words] == ["b"] * 4 and spotting.steps == 165 and spotting.seconds == pytest.approx(3.3)
    assert spotting.trace.words == words and words[0].time_s == pytest.approx(words[0].step * 0.02)
    assert [len(np.concatenate(spotting.trace.spikes[name])) for name in spotting.trace.spikes] == [165]


def test_slid_windows_are_the_clips_of_simulate(tmp_path: Path) -> None:
    samples = sound(2.0).astype(np.int16)
    spotting = api.spot(NET, write(tmp_path / "s.wav", 8000, samples), slide=True, smooth_s=0.1, trace=True)
    list(spotting)
    assert [step for step, _ in spotting.trace.moments] == list(range(5, 101, 5))
    for step, posterior in spotting.trace.moments[9::10]:
        clip = api.simulate(NET, write(tmp_path / "clip.wav", 8000, samples[160 * step - 8000:160 * step]))
        assert clip.answers is not None and clip.answers[0] == posterior.argmax()


@pytest.mark.parametrize("slide", [False, True])
def test_the_end_of_a_stream_is_read_and_counted(slide: bool, tmp_path: Path) -> None:
    spotting = api.spot(NET, write(tmp_path / "s.wav", 8000, sound(1.26)), slide=slide, trace=True)
    list(spotting)
    assert [step for step, _ in spotting.trace.moments] == [*range(5, 61, 5), 63] and spotting.steps == 63
    assert spotting.seconds == pytest.approx(1.26)


def test_sound_that_is_shorter_than_half_a_timestep_is_not_read_again(tmp_path: Path) -> None:
    spotting = api.spot(NET, write(tmp_path / "s.wav", 8000, sound(1.2)[:9600 - 160 * 3 + 50]), slide=True, trace=True)
    list(spotting)
    assert spotting.steps == 57
    spotting = api.spot(NET, write(tmp_path / "t.wav", 8000, sound(0.5)[:3 * 800 + 50]), slide=True, trace=True)
    list(spotting)
    assert [step for step, _ in spotting.trace.moments] == [5, 10, 15]


def test_events_are_a_stream_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 4, (3, 30, 8)).astype(np.int16)
    np.save(tmp_path / "x.npy", x)
    whole, parts = api.spot(NET, tmp_path / "x.npy", trace=True), golden.run(NET, x.reshape(1, 90, 8))
    list(whole)
    assert whole.steps == 90 and whole.total_s == pytest.approx(1.8)
    assert np.concatenate(whole.trace.payloads).tolist() == x.reshape(90, 8).tolist()
    assert np.concatenate(whole.trace.spikes["h"]).sum() == parts.spike_counts["h"].sum()
    bare = replace(NET, metadata={})
    with pytest.raises(NetworkError, match="does not say how long a timestep is.*--step-ms"):
        api.spot(bare, tmp_path / "x.npy")
    assert api.spot(bare, tmp_path / "x.npy", step_s=0.01).step_s == 0.01
    assert api.spot(replace(NET, metadata={"step_ms": 5}), tmp_path / "x.npy").step_s == 0.005


@needs_compiler
def test_a_device_and_its_recording_spot_the_same_words(folder: Path, wav: Path, tmp_path: Path, capsys) -> None:
    save_network(NET, tmp_path / "net.npz")
    want = list(api.spot(NET, wav))
    assert len(want) > 2
    spotting = api.spot(NET, wav, device=f"sim:{folder}", record=tmp_path / "traffic.jsonl")
    assert list(spotting) == want
    assert (spotting.refused, spotting.repeated, spotting.lost) == (0, 0, 0) and 0 < spotting.device_s < 1
    argv = ["run", str(tmp_path / "net.npz"), "--wav", str(wav), "--device"]
    assert main([*argv, f"replay:{tmp_path / 'traffic.jsonl'}", "--json"]) == 0
    *lines, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [tuple(line.values()) for line in lines] == want and list(lines[0]) == ["word", "step", "time_s", "posterior"]
    assert last == {"words": len(want), "steps": 165, "seconds": 3.3, "errors": 0, "lost": 0, "repeated": 0, "device_seconds": 0.0}
    assert list(api.spot(NET, wav, device=f"sim:{folder}", trace=True)) == want  # with the golden model beside it


def test_a_device_that_differs_from_the_model_beside_it_is_found() -> None:
    class Wrong(GoldenPlayer):
        def play(self, payloads: np.ndarray, again: bool = False) -> np.ndarray:
            values = super().play(payloads, again)
            return values + (self._state.n_steps > 6) * np.array([0, 0, 1, 0])

    beside = Beside(Wrong(NET), GoldenPlayer(NET))
    beside.reset()
    x = np.ones((5, 8), np.int16)
    assert beside.play(x).tolist() == golden.run(NET, x[None]).readouts["y"][0].tolist()
    with pytest.raises(MismatchError, match="Behind timestep 10 the device's readout 2 is .*the golden model's"):
        beside.play(x)


def test_the_command_line_prints_words_with_their_times(wav: Path, tmp_path: Path, capsys) -> None:
    save_network(NET, tmp_path / "net.npz")
    argv = ["run", str(tmp_path / "net.npz"), "--device", "golden"]
    assert main([*argv, "--wav", str(wav)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    word = next(iter(api.spot(NET, wav)))
    assert first == f"{word.time_s:9.2f} s  {word.word}  ({word.posterior:.2f})" and lines[-2] == "seconds heard   3.30, 165 timesteps"
    assert main([*argv, "--wav", str(wav), "--threshold", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == 0


def test_a_microphone_is_heard_until_ctrl_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    save_network(NET, tmp_path / "net.npz")
    fake(monkeypatch, interrupt=12)
    assert main(["run", str(tmp_path / "net.npz"), "--device", "golden", "--mic"]) == 130
    out = capsys.readouterr().out
    assert "seconds heard         1.20, 60 timesteps" in out and "pieces of sound lost  1" in out
    fake(monkeypatch)
    assert main(["run", str(tmp_path / "net.npz"), "--device", "golden", "--mic", "--seconds", "0.5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["steps"] == 25


@pytest.mark.parametrize(("argv", "text"), [
    (["--wav", "a.wav", "--limit", "3"], "--limit is for --input"),
    (["--wav", "a.wav", "--seconds", "3"], "--seconds is for --mic"),
    (["--input", "a.wav", "--slide", "--plot", "x.png"], "--slide, --plot: of a stream"),
    (["--input", "a.wav"], "spikeloom simulate NET.npz --input CLIPS"),
    (["--wav", "a.wav", "--events", "b.npy"], "not allowed with argument"),
    ([], "one of the arguments --input --wav --events --mic is required"),
    (["--wav", "a.wav", "--threshold", "-1"], "argument --threshold: must be a number of 0 to 1, not '-1'"),
    (["--wav", "a.wav", "--threshold", "two"], "argument --threshold: must be a number of 0 to 1, not 'two'"),
    (["--wav", "a.wav", "--window", "0"], "argument --window: must be a number of 0.01 to 60, not '0'"),
    (["--wav", "a.wav", "--every", "0"], "argument --every: must be a number of 0.001 to 10, not '0'"),
    (["--wav", "a.wav", "--smooth", "nan"], "argument --smooth: must be a number of 0.001 to 60, not 'nan'"),
    (["--wav", "a.wav", "--refractory", "61"], "argument --refractory: must be a number of 0 to 60, not '61'"),
    (["--wav", "a.wav", "--temperature", "0"], "argument --temperature: must be a number of 0.001 to 1e+12, not '0'"),
    (["--mic", "--seconds", "0"], "argument --seconds: must be a number of 0.001 to 1e+09, not '0'"),
    (["--wav", "a.wav", "--running-mean"], "this one is not: leave it out"),
    (["--wav", "a.wav", "--running-mean", "--slide"], "leave one out"),
    (["--wav", "a.wav", "--step-ms", "5"], "--step-ms is for --events"),
    (["--wav", "none.wav"], "none.wav cannot be read: No such file"),
    (["--wav", "a.wav", "--baud", "9600"], "--record and --baud are for a device"),
    (["--events", "a.wav"], "--events takes .npz and .npy"),
    (["--wav", "a.npy"], "--wav takes .wav"),
    (["--events", "b.npy", "--step-ms", "0"], "argument --step-ms: must be a number of 0.001 to 100,000, not '0'"),
])
def test_what_has_no_meaning_is_one_line_and_status_2(argv: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    save_network(NET, tmp_path / "net.npz")
    write(tmp_path / "a.wav", 8000, sound(0.5))
    np.save(tmp_path / "b.npy", np.zeros((1, 5, NET.inputs[0].size), np.int64))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "net.npz", "--device", "golden", *argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("spikeloom: error: ") and err.count("\n") == 1 and text in err


def test_networks_that_cannot_hear_are_refused(wav: Path) -> None:
    with pytest.raises(NetworkError, match="names no audio front end .*give --events"):
        api.spot(replace(NET, metadata={}), wav)
    other = {**FRONT_END, "features": {**FRONT_END["features"], "bands": 9}}
    with pytest.raises(NetworkError, match="has 9 channels, and its inputs 8"):
        api.spot(replace(NET, metadata={"front_end": other}), wav)
    with pytest.raises(FileFormatError, match="the clips have 40 channels"):
        np.save(wav.with_suffix(".npy"), np.zeros((5, 40), int))
        api.spot(NET, wav.with_suffix(".npy"))
    with pytest.raises(SpikeLoomError, match="payloads already"):
        api.spot(NET, wav.with_suffix(".npy"), running_mean=True)

