"""The training package: its gradient, its export, and its errors. Accuracy is in tests/end_to_end/test_kws_small.py."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra train")

from spikeloom.sim import golden  # noqa: E402
from spikeloom.software.train import __main__ as command  # noqa: E402
from spikeloom.software.train.small.config import TrainConfig, VoiceConfig, load_config  # noqa: E402
from spikeloom.software.train.small.data import Split, TrainingSet  # noqa: E402
from spikeloom.software.train.small.export import to_network  # noqa: E402
from spikeloom.software.train.small.kws import score, train  # noqa: E402
from spikeloom.software.train.small.layer import DAMPING, RecurrentLIF  # noqa: E402
from spikeloom.software.train.small.voices import speak, spoken_clips  # noqa: E402
from spikeloom.spec.errors import FileFormatError, ToolError  # noqa: E402

WORDS = ("_silence_", "_unknown_", "low", "high")


@pytest.fixture
def config(root: Path) -> TrainConfig:
    """The bundled recipe, made small."""
    full = load_config(root / "models" / "kws-small.toml")
    return replace(full, network=replace(full.network, hidden=16),
                   training=replace(full.training, epochs=5, batch=12, learning_rate=1e-2, average_decay=0.9))


def toy_set(config: TrainConfig, n_clips: int, seed: int) -> TrainingSet:
    """Four kinds of clips: nothing, everywhere loud, loud in the low and loud in the high bands."""
    rng = np.random.default_rng(seed)
    y = rng.integers(4, size=n_clips)
    x = rng.integers(0, 60, size=(n_clips, 50, 40))
    for row, kind in enumerate(y):
        if kind:
            x[row, 10:40, {1: slice(0, 40), 2: slice(0, 20), 3: slice(20, 40)}[int(kind)]] += 120
    x = x.astype(np.uint8)
    return TrainingSet(x[None], y, WORDS, x[y == 0], config.augment, config.front_end)


def recorded_gradient(current, recurrent, beta: float, slope: float, weight):
    """The layer as separate recorded operations; returns spikes and both gradients of sum(spikes * weight)."""

    class Spike(torch.autograd.Function):
        @staticmethod
        def forward(ctx, u):
            ctx.save_for_backward(u)
            return (u >= 0).float()

        @staticmethod
        def backward(ctx, grad):
            return DAMPING * grad / (1 + slope * ctx.saved_tensors[0].abs()) ** 2

    current, recurrent = current.clone().requires_grad_(), recurrent.clone().requires_grad_()
    v = spikes = torch.zeros_like(current[0])
    out = []
    for step in current:
        v = beta * v + step + spikes @ recurrent.T - spikes.detach()
        spikes = Spike.apply(v - 1)
        out.append(spikes)
    (torch.stack(out) * weight).sum().backward()
    return torch.stack(out).detach(), current.grad, recurrent.grad


def test_the_layer_and_its_gradient_equal_recorded_operations() -> None:
    torch.manual_seed(1)
    current, recurrent, weight = torch.randn(20, 3, 8) * 0.5, torch.randn(8, 8) * 0.4, torch.randn(20, 3, 8)
    spikes, by_current, by_recurrent = recorded_gradient(current, recurrent, 0.9, 4.0, weight)
    mine, r = current.clone().requires_grad_(), recurrent.clone().requires_grad_()
    got = RecurrentLIF.apply(mine, r, 0.9, 4.0)
    (got * weight).sum().backward()
    assert 0.02 < spikes.mean() < 0.5 and torch.equal(got.detach(), spikes)
    assert torch.allclose(mine.grad, by_current, atol=1e-5) and torch.allclose(r.grad, by_recurrent, atol=1e-4)
    assert not torch.allclose(r.grad, recorded_gradient(current, recurrent, 0.8, 4.0, weight)[2], atol=1e-4)


def test_training_learns_repeats_itself_and_exports_a_network_that_answers_the_same(config: TrainConfig) -> None:
    validation = toy_set(config, 96, seed=5)
    split = Split(validation.versions[0], validation.y, WORDS)
    lines: list[str] = []
    model = train(config, toy_set(config, 144, seed=4), split, lines.append)
    again = train(config, toy_set(config, 144, seed=4), split, lambda line: None)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert len(lines) == config.training.epochs and lines[0].startswith("epoch 1/")
    accuracy, _, _ = score(model, split, config.front_end, quantized=True)
    assert accuracy > 0.6
    network = to_network(model, config, WORDS, {"front_end": config.front_end})
    payloads = torch.from_numpy(validation.payloads().astype(np.float32))
    with torch.no_grad():
        model.eval()
        answers = model(payloads)[0].argmax(1).numpy()
    result = golden.run(network, validation.payloads())
    assert np.mean(result.answers == answers) > 0.9


def test_a_recipe_with_a_missing_or_unknown_entry_is_refused(root: Path, tmp_path: Path) -> None:
    text = (root / "models" / "kws-small.toml").read_text(encoding="utf-8")
    for name, changed, wanted in (("a.toml", text.replace("hidden =", "hiden ="), "hidden, hiden"),
                                  ("b.toml", text + "\nx = [", "readable"),
                                  ("c.toml", text.replace("seed =", "sed ="), "sed, seed")):
        (tmp_path / name).write_text(changed, encoding="utf-8")
        with pytest.raises(FileFormatError, match=wanted):
            load_config(tmp_path / name)
    with pytest.raises(FileFormatError, match=r"absent\.toml"):
        load_config(tmp_path / "absent.toml")


def test_missing_espeak_is_said_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt-get install espeak-ng"):
        speak("yes", "en-us", 150, 50, tmp_path / "a.wav")


def test_a_missing_data_folder_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert command.main(["kws-small", "--data", str(tmp_path / "nowhere"), "-o", str(tmp_path / "net.npz")]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and said.err.count("\n") == 1 and "val_logmel40x50.npz" in said.err
    assert not (tmp_path / "net.npz").exists()


def test_synthetic_voices_say_every_word(root: Path) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("needs espeak-ng")
    voices = VoiceConfig(names=["en-us"], speeds=[150], pitches=[50], other_words=["cat"])
    clips, classes = spoken_clips(("_unknown_", "yes", "no"), voices)
    assert classes.tolist() == [1, 2, 0]
    assert all(1000 < len(clip) < 8000 and np.abs(clip.astype(int)).max() > 3000 for clip in clips)
