"""Recipes, recordings and their variation; a whole training on recordings that are made here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim.golden import simulate
from spikeloom.spec.archive import load_network
from spikeloom.spec.errors import FileFormatError

from .nets import torch

from spikeloom.software.train import __main__ as command  # isort: skip
from spikeloom.software.train.make import Maker, clips_of  # isort: skip
from spikeloom.software.train.recipe import load_recipe  # isort: skip
from spikeloom.software.train.words import Augment, load_words  # isort: skip

NOTHING = Augment(shift=0, stretch=0, warp=0, gain=0, tilt=0, noise=0, masks=0, mask_bands=0, mask_frames=0)
RECIPES = ("kws-spikgru", "kws-spikgru-graded", "kws-lif", "kws-lif-4bit", "kws-spikgru-12", "kws-scnn", "kws-icebreaker")


def record(folder: Path, seed: int = 0) -> None:
    """Three splits of three words: loud in the low, the middle or the high bands, at some time."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for split, n in (("train", 60), ("val", 12), ("test", 12)):
        y = np.arange(n) % 3
        x = rng.integers(20, 60, (n, 50, 40))
        for k, word in enumerate(y):
            first = rng.integers(10, 25)
            x[k, first:first + 15, 13 * word:13 * word + 13] += 100
        np.savez(folder / f"{split}_logmel40x50.npz", x=x.astype(np.uint8), y=y.astype(np.uint8), labels=np.array(["low", "mid", "high"]),
                 speaker=np.array([f"s{k % 2}" for k in range(n)]))


SMALL = (("sizes = [256, 256]", "sizes = [12, 12]"), ("epochs = 50", "epochs = 8"), ("epochs = 40", "epochs = 3"), ("batch = 50", "batch = 12"),
         ("batch = 100", "batch = 12"), ("epochs = 3\nbatch = 12", "epochs = 1\nbatch = 12"), ("clips = 300", "clips = 20"))


@pytest.fixture
def models(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recipes: the bundled kws-spikgru made small, and one that starts from it."""
    folder = tmp_path / "models"
    folder.mkdir()
    text = (root / "models" / "kws-spikgru.toml").read_text()
    for old, new in SMALL:
        assert old in text
        text = text.replace(old, new)
    (folder / "kws-spikgru.toml").write_text(text)
    text = text.replace('name = "kws_spikgru"', 'name = "second"\nstart = "kws-spikgru"').replace("count = 2", 'count = 2\nstart = "kws-spikgru"')
    (folder / "second.toml").write_text(text)
    monkeypatch.setattr(command, "MODELS", folder)
    return folder


def test_a_training_from_end_to_end(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "data" / "asc")
    arguments = ["kws-spikgru", "--data", str(tmp_path / "data"), "--work", str(tmp_path / "work")]
    assert command.main(arguments) == 0
    text = capsys.readouterr().out
    assert "teacher 2 of 2" in text and "quantized to 8 bits" in text and "test: integer" in text and "speakers: s0" in text
    network = load_network(models / "kws-spikgru.npz")
    recipe = load_recipe(models / "kws-spikgru.toml")
    report = simulate(network, clips_of(load_words(tmp_path / "data" / "asc", "test"), recipe.front_end))
    assert report.accuracy == pytest.approx(network.metadata["accuracy"]["test_integer"], abs=1e-4)
    assert report.accuracy > 0.8  # three words that nobody could confuse
    # From the checkpoints, the same bytes; and a second recipe starts from the first.
    before = (models / "kws-spikgru.npz").read_bytes()
    assert command.main(arguments) == 0
    assert "going on from" in capsys.readouterr().out
    assert (models / "kws-spikgru.npz").read_bytes() == before
    assert command.main(["second", *arguments[1:], "-o", str(tmp_path / "second.npz")]) == 0
    assert load_network(tmp_path / "second.npz").digest != network.digest


def small_maps(root: Path, folder: Path) -> Path:
    """The bundled kws-scnn, made small, in ``folder``."""
    text = (root / "models" / "kws-scnn.toml").read_text()
    text = re.sub(r"(?<=epochs = )(?!0)\d+", "4", text)
    for old, new in (("sizes = [16, 32, 64]", "sizes = [4, 4]"), ("steps = 10", "steps = 4"), ("batch = 50", "batch = 12"),
                     ("clips = 300", "clips = 20")):
        assert old in text
        text = text.replace(old, new)
    (folder / "kws-scnn.toml").write_text(text)
    return folder / "kws-scnn.toml"


def test_a_training_of_pictures(models: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_maps(root, models)
    record(tmp_path / "data" / "asc")
    arguments = ["kws-scnn", "--data", str(tmp_path / "data"), "--work", str(tmp_path / "work")]
    assert command.main(arguments) == 0
    text = capsys.readouterr().out
    assert "in floating point, rates, 60 clips" in text and "in floating point, spikes, 60 clips" in text and "test: integer" in text
    network = load_network(models / "kws-scnn.npz")
    assert network.population("map0").held and network.inputs[0].size == 2000 and network.metadata["front_end"]["picture"] == 4
    clips = clips_of(load_words(tmp_path / "data" / "asc", "test"), network.metadata["front_end"])
    assert clips.n_steps == 4 and set(clips.step.tolist()) == {0}
    accuracy = network.metadata["accuracy"]
    assert simulate(network, clips).accuracy == pytest.approx(accuracy["test_integer"], abs=1e-4)
    assert accuracy["test_float"] > 0.8 and accuracy["test_integer"] > 0.8  # three words that nobody could confuse
    before = (models / "kws-scnn.npz").read_bytes()
    assert command.main(arguments) == 0 and (models / "kws-scnn.npz").read_bytes() == before  # from the checkpoints


def test_a_recipe_of_pictures_says_what_it_cannot_have(models: Path, root: Path) -> None:
    path = small_maps(root, models)
    text = path.read_text()
    for old, new, said in (('model = "lif"', 'model = "spikgru"', "has the model lif"),
                           ("[network.picture]", "input_delays = [0, 1]\n\n[network.picture]", "no input_delays"),
                           ("seed = 1", 'seed = 1\nstart = "kws-lif"', "starts from no other"),
                           ("kernel = [6, 4]", "kernels = [6, 4]", "kernel, kernels missing"),
                           ("stride = [2, 2]", "stride = [2]", "stride is two whole numbers"), ("steps = 4", "steps = 0", "steps are 1 to"),
                           ("steps = 4", "steps = 1001", "less than 1 ms each; at most 1000"),
                           ("kernel = [6, 4]", "kernel = [600, 4]", "map 0: a kernel of .600, 4. with padding .2, 2. does not fit in 50 x 40"),
                           ("layer = {", "layer = { normalize = true,", "of a layer only beta"),
                           ('readout = "sum"', 'readout = "count"', "read as last, max or sum")):
        assert old in text
        path.write_text(text.replace(old, new, 1))
        with pytest.raises(FileFormatError, match=said):
            load_recipe(path)


def test_training_with_errors_of_the_weights(models: Path, tmp_path: Path) -> None:
    record(tmp_path / "data" / "asc")
    recipe = load_recipe(models / "kws-spikgru.toml")
    recipe = replace(recipe, teachers=replace(recipe.teachers, count=0), quantize=replace(recipe.quantize, weight_bits=3))
    lines: list[str] = []
    networks = []
    for errors in ("", "levels=8,sigma=0.5"):
        maker = Maker(replace(recipe, errors=errors), tmp_path / "data" / "asc", None, lines.append)
        networks.append(maker.make().network)
    assert any((a.weights != b.weights).any() for a, b in zip(*(n.projections for n in networks), strict=True))


def test_variations_that_are_made_once(models: Path, tmp_path: Path) -> None:
    record(tmp_path / "data" / "asc")
    recipe = replace(load_recipe(models / "kws-spikgru.toml"), variations=3)
    lines: list[str] = []
    maker = Maker(recipe, tmp_path / "data" / "asc", None, lines.append)
    anns = maker.anns()

    def draws() -> list:
        return [batch for _ in range(4) for batch in maker.batches(np.random.default_rng(0), 12, anns)]

    first = draws()
    assert sum("variation" in line for line in lines) == 3
    for (x, y, taught), (x2, y2, taught2) in zip(first, draws(), strict=True):
        assert np.array_equal(x, x2) and np.array_equal(y, y2) and np.array_equal(taught, taught2)
        np.testing.assert_allclose(taught.sum(axis=1), 1.0, atol=1e-5)
    assert sum("variation" in line for line in lines) == 3  # not made again
    bare = replace(recipe, augment=NOTHING)
    x, y, taught = next(Maker(bare, tmp_path / "data" / "asc", None, lines.append).batches(np.random.default_rng(0), 12, anns))
    wanted = np.mean([ann(torch.from_numpy(x))[0].softmax(dim=1).detach().numpy() for ann in anns], axis=0)
    np.testing.assert_allclose(taught, wanted, atol=1e-5)  # the answers are those of the clips they come with


def test_errors_are_told(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["kws-spikgru", "--data", str(tmp_path / "nothing")]) == 2
    assert "train_logmel40x50.npz" in capsys.readouterr().err
    path = models / "kws-spikgru.toml"
    text = path.read_text()
    for old, new, said in (("seed = 1", "seeds = 1", "seed, seeds missing or unknown"), ('model = "spikgru"', 'model = "gru"', "model is input"),
                           ("rate = 5e-3", "speed = 5e-3", "speed missing or unknown"),
                           ('kind = "triangle"', 'kind = "box"', "surrogate gradient is"),
                           ("seed = 1", "seed 1", "not a readable recipe")):
        path.write_text(text.replace(old, new))
        with pytest.raises(FileFormatError, match=said):
            load_recipe(path)


def test_bad_recordings_are_refused(tmp_path: Path) -> None:
    good = {"x": np.zeros((3, 50, 40), np.uint8), "y": np.zeros(3, np.uint8), "labels": np.array(["a"]), "speaker": np.array(["s"] * 3)}
    for change in ({"x": np.zeros((3, 49, 40), np.uint8)}, {"y": np.full(3, 4, np.uint8)}, {"speaker": np.array(["s"])},
                   {"x": np.zeros((3, 50, 40))}):
        np.savez(tmp_path / "val_logmel40x50.npz", **{**good, **change})
        with pytest.raises(FileFormatError, match="val_logmel40x50.npz: "):
            load_words(tmp_path, "val")


def test_variation() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (6, 50, 40)).astype(np.uint8)
    one_band = replace(NOTHING, shift=4)
    still = NOTHING.vary(x, np.random.default_rng(1))
    assert still.dtype == np.uint8 and still.shape == x.shape
    # With nothing else to do, bands still move up or down by less than one: every value lies between its neighbours.
    low, high = np.minimum(x, np.minimum(np.roll(x, 1, 2), np.roll(x, -1, 2))), np.maximum(x, np.maximum(np.roll(x, 1, 2), np.roll(x, -1, 2)))
    assert ((still >= low) & (still <= high))[:, :, 1:-1].all()
    assert np.array_equal(one_band.vary(x, np.random.default_rng(2)), one_band.vary(x, np.random.default_rng(2)))
    assert not np.array_equal(one_band.vary(x, np.random.default_rng(2)), one_band.vary(x, np.random.default_rng(3)))
    loud = replace(NOTHING, noise=1.0).vary(np.zeros_like(x), np.random.default_rng(4))
    assert loud.mean() > 15
    masked = replace(NOTHING, masks=1, mask_bands=6, mask_frames=8).mask(np.ones((200, 50, 40)), np.random.default_rng(5))
    assert set(np.unique(masked)) == {0.0, 1.0} and 0.05 < (masked == 0).mean() < 0.25


def test_the_bundled_recipes_are_read(root: Path) -> None:
    for name in RECIPES:
        recipe = load_recipe(root / "models" / f"{name}.toml")
        assert recipe.name == name.replace("-", "_")
        assert isinstance(torch.tensor(recipe.network.sizes).sum().item(), int)
