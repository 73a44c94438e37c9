"""The bundled network kws-small: what its card and its metadata say is what the golden model computes."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.features import apply_front_end, read_wav_clips
from spikeloom.spec.archive import load_network
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Network, Readout

WORDS = ("_silence_", "_unknown_", "down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SPOKEN = ("yes", "no", "stop", "go", "left")


@pytest.fixture(scope="module")
def network(root: Path) -> Network:
    return load_network(root / "models" / "kws-small.npz")


def test_it_is_one_recurrent_lif_layer_between_forty_bands_and_twelve_words(network: Network) -> None:
    mel, hidden, word = network.populations
    assert (mel.model, mel.size) == (Model.INPUT, 40)
    assert hidden.model is Model.LIF and 128 <= hidden.size <= 256
    assert (word.model, word.readout, word.labels) == (Model.LI, Readout.SUM, WORDS)
    assert all(p.weight_bits <= 8 for p in network.projections)
    assert any((p.source, p.target, p.delay) == ("hidden", "hidden", 1) for p in network.projections)


@pytest.mark.parametrize("said", SPOKEN)
def test_a_demo_clip_is_recognised(network: Network, root: Path, said: str) -> None:
    path = root / "examples" / "clips" / f"{said}.wav"
    assert path.stat().st_size < 20_000
    clips = read_wav_clips(path, network.metadata["front_end"])
    assert WORDS[int(golden.run(network, clips.dense()).answers[0])] == said


def test_the_card_quotes_the_accuracy_of_the_metadata(network: Network, root: Path) -> None:
    card = (root / "models" / "kws-small.md").read_text(encoding="utf-8")
    assert set(network.metadata["accuracy"]) == {"val_float", "val_integer", "test_float", "test_integer"}
    for value in network.metadata["accuracy"].values():
        assert f"{100 * value:.2f} %" in card
    assert network.digest[:16] in card


def test_a_demo_clip_played_backwards_is_not_its_word(network: Network, root: Path, tmp_path: Path) -> None:
    """Sees the check above fail: the answers depend on what is said, not on which frequencies are loud."""
    kept = 0
    for said in SPOKEN:
        with wave.open(str(root / "examples" / "clips" / f"{said}.wav")) as reader:
            samples = np.frombuffer(reader.readframes(8000), dtype="<i2")
        with wave.open(str(tmp_path / "back.wav"), "wb") as writer:
            writer.setparams((1, 2, 8000, 0, "NONE", "not compressed"))
            writer.writeframes(samples[::-1].tobytes())
        clips = read_wav_clips(tmp_path / "back.wav", network.metadata["front_end"])
        kept += WORDS[int(golden.run(network, clips.dense()).answers[0])] == said
    assert kept <= 2


def test_digital_silence_is_no_event_and_is_called_silence(network: Network) -> None:
    assert WORDS[int(golden.run(network, np.zeros((1, 50, 40), dtype=np.int16)).answers[0])] == "_silence_"


@pytest.mark.parametrize("split", ["val", "test"])
def test_accuracy_on_real_speech_is_what_the_metadata_says(network: Network, shared: Path, split: str) -> None:
    data = np.load(shared / "data" / "gsc" / f"{split}_logmel40x50.npz")
    assert tuple(data["labels"]) == WORDS
    clips = Clips.from_dense(apply_front_end(data["x"], network.metadata["front_end"]), data["y"].astype(np.int64), WORDS)
    report = golden.simulate(network, clips, threads=1)
    assert report.accuracy == pytest.approx(network.metadata["accuracy"][f"{split}_integer"], abs=5e-5)
    assert report.accuracy >= 0.78
