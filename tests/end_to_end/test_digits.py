"""digits-vgg and digits-backres: their cards quote what was scored, the golden model scores it again, and what issue 6 asks of them holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.train.digits.data import load_digits, shifted
from spikeloom.spec.archive import load_network
from spikeloom.spec.network import Kind, Network

ROOT = Path(__file__).resolve().parents[2]
KEPT = {"digits-vgg": ("DIET-SNN, integers", (5,)), "digits-backres": ("converted, integers", (8, 16))}


@pytest.fixture(scope="module", params=list(KEPT))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str) -> Network:
    return load_network(ROOT / "models" / f"{name}.npz")


def quoted(card: str, network: Network) -> bool:
    accuracy = [v for of in (network.metadata, network.metadata.get("unrolled", {"accuracy": {}})) for v in of["accuracy"].values()]
    counts = [network.metadata["parameters"], *([network.metadata["unrolled"]["parameters"]] if "unrolled" in network.metadata else [])]
    return network.digest[:16] in card and all(f"{100 * v:.2f}" in card for v in accuracy) and all(f"{n:,}" in card for n in counts)


def test_the_card_quotes_every_score(network: Network, name: str) -> None:
    card = (ROOT / "models" / f"{name}.md").read_text(encoding="utf-8")
    assert quoted(card, network) and not quoted(card.replace(network.digest[:16], "0" * 16), network)
    assert network.metadata["training_data_licence"].startswith("CC BY 4.0") and f"python -m spikeloom.software.train {name}" in card


def test_the_recipe_is_that_of_the_network(network: Network, name: str) -> None:
    pytest.importorskip("torch", reason="needs the extra train: make venv-train")
    from spikeloom.software.train.digits.config import load_digits_config

    assert load_digits_config(ROOT / "models" / f"{name}.toml").name == network.name


def test_conversion_and_diet_snn_are_within_a_point_of_the_ann(network: Network) -> None:
    accuracy = network.metadata["accuracy"]
    ann = accuracy["test, ANN, T = 1"]
    assert min(accuracy[f"test, converted, integers, T = {steps}"] for steps in (16, 32, 64)) >= ann - 0.01
    assert accuracy["test, DIET-SNN, integers, T = 5"] >= ann - 0.01


def test_the_passes_of_backres_have_one_matrix_and_thresholds_of_their_own() -> None:
    network = load_network(ROOT / "models" / "digits-backres.npz")
    shared = [q for q in network.projections if q.matrix]
    assert len(shared) == 3 and len({q.matrix for q in shared}) == 1 and all(q.kind is Kind.CONV for q in shared)
    thetas = [network.population(q.target).theta for q in shared]
    assert len({tuple(theta) for theta in thetas}) == 3
    assert network.metadata["parameters"] == sum({q.matrix or q.target: q.weights.size for q in network.projections}.values())
    assert network.metadata["unrolled"]["parameters"] - network.metadata["parameters"] == 2 * shared[0].weights.size


def test_the_golden_model_scores_what_it_says(network: Network, name: str) -> None:
    pytest.importorskip("sklearn", reason="needs the extra train: make venv-train")
    test = load_digits()["test"]
    what, all_steps = KEPT[name]
    for steps in all_steps:
        accuracy = golden.simulate(network, test.clips(steps)).accuracy
        assert accuracy == pytest.approx(network.metadata["accuracy"][f"test, {what}, T = {steps}"], abs=5e-5)


def test_splits_are_fixed_and_disjoint() -> None:
    pytest.importorskip("sklearn", reason="needs the extra train: make venv-train")
    splits, again = load_digits(), load_digits()
    assert {name: len(split.y) for name, split in splits.items()} == {"train": 1000, "val": 197, "test": 600}
    assert all(np.array_equal(splits[name].x, again[name].x) for name in splits)
    pictures = {name: {row.tobytes() for row in split.x} for name, split in splits.items()}
    assert not pictures["train"] & pictures["test"] and not pictures["val"] & pictures["test"] and not pictures["train"] & pictures["val"]
    assert all(set(split.y) == set(range(10)) and split.x.min() == 0 and split.x.max() == 16 for split in splits.values())


def test_shifted_pictures_move_by_at_most_so_much() -> None:
    x = np.zeros((50, 8, 8), np.int16)
    x[:, 3, 4] = 7
    moved = shifted(x.reshape(50, -1), np.random.default_rng(0), 1).reshape(50, 8, 8)
    places = {tuple(np.argwhere(m)[0] - (3, 4)) for m in moved}
    assert places == {(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} and (moved.sum(axis=(1, 2)) == 7).all()
