"""kws-small through the whole UART path: every readout, answer and confidence is the golden model's; also of a recording, and by the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

import spikeloom
from spikeloom.sim import golden
from spikeloom.software.cli.main import main
from spikeloom.software.clips import read_clips
from spikeloom.software.host.device import Device
from spikeloom.spec.clips import Clips

from ..linked import needs_compiler, shared_folder

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def spotter(root, tmp_path_factory):
    """The project, built with a link of eight clocks per bit, and its network."""
    folder = shared_folder(tmp_path_factory, "linked-kws") / "chip"
    if not (folder / "device.v").exists():
        assert main(["build", str(root / "models/kws-small.npz"), "--board", "generic", "--link", "3125000", "-o", str(folder)]) == 0
    return folder, spikeloom.load(root / "models/kws-small.npz")


def spoken(root, network) -> Clips:
    """The bundled recordings."""
    words = ("yes", "no", "go", "stop", "left")
    return Clips.from_dense(np.concatenate([read_clips(root / f"examples/clips/{word}.wav", network).dense() for word in words]))


def many(root, network, n: int) -> Clips:
    """``n`` clips: the recordings, and variations of them, each shifted in time and with some events lost and some doubled."""
    rng, given = np.random.default_rng(6), spoken(root, network).dense()
    x = np.stack([np.roll(given[k % len(given)], rng.integers(-12, 13), axis=0) * (rng.random(given.shape[1:]) < 0.9) for k in range(n)])
    x = np.where(rng.random(x.shape) < 0.05, np.minimum(2 * x, 13), x)
    x[:len(given)] = given
    return Clips.from_dense(x)


def assert_golden(folder, network, given: Clips) -> None:
    want = golden.run(network, given.dense())
    assert want.answers is not None and want.confidences is not None
    with Device.open(f"sim:{folder}") as device:
        device.load(network)
        for n, result in enumerate(device.run(given)):
            assert (result.answer, result.confidence) == (want.answers[n], want.confidences[n])
            assert result.readouts["word"].tolist() == want.readouts["word"][n].tolist()
        assert n + 1 == given.n_clips and not any(device.status().values()) and device.link.repeated == 0
    assert len(set(want.answers.tolist())) > 2, "too few answers to tell anything"


@pytest.mark.slow
def test_fifty_clips_are_the_golden_models(spotter, root):
    folder, network = spotter
    assert_golden(folder, network, many(root, network, 50))


def test_two_words_by_the_command_line_in_simulation_and_of_a_recording(spotter, root, tmp_path, capsys):
    folder, network = spotter
    capsys.readouterr()
    path, record = tmp_path / "clips.npz", tmp_path / "traffic.jsonl"
    np.savez(path, x=spoken(root, network).dense()[:2])
    arguments = ["run", str(root / "models/kws-small.npz"), "--input", str(path), "--json"]
    assert main([*arguments, "--device", f"sim:{folder}", "--record", str(record)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answers"] == ["yes", "no"] and found["clips"] == 2 and found["errors"] == 0
    assert main([*arguments, "--device", f"replay:{record}"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == found["answers"]
