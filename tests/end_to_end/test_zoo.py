"""The keyword spotters that recipes made: their cards quote what the golden model computes. kws-small and the digits have tests of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.features import apply_front_end
from spikeloom.spec.archive import load_network
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Network

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "models").glob("kws-*.npz") if path.stem != "kws-small")
SET = {"kws-spikgru": "asc", "kws-spikgru-graded": "asc", "kws-lif": "asc", "kws-spikgru-12": "gsc", "kws-lif-4bit": "gsc",
       "kws-scnn": "asc", "kws-icebreaker": "gsc"}


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name: str) -> Network:
    return load_network(ROOT / "models" / f"{name}.npz")


def recordings(name: str) -> tuple[np.ndarray, np.ndarray]:
    path = ROOT.parent / "shared" / "data" / SET[name] / "test_logmel40x50.npz"
    if not path.exists():
        pytest.skip(f"needs the recordings in {path}")
    with np.load(path) as data:
        return data["x"], data["y"].astype(np.int64)


def quoted(card: str, network: Network) -> bool:
    accuracy = network.metadata["accuracy"]
    kinds = ("float", "integer", *(["gru_0"] if "test_gru_0" in accuracy else []))  # some had no teachers
    numbers = [f"{100 * accuracy[f'{split}_{kind}']:.2f} %" for split in ("val", "test") for kind in kinds]
    return all(word in card for word in (*numbers, network.digest[:16], f"{network.metadata['activity']['sops_per_second']:,}"))


def test_the_card_quotes_the_metadata(network: Network, name: str) -> None:
    card = (ROOT / "models" / f"{name}.md").read_text(encoding="utf-8")
    assert quoted(card, network)
    assert not quoted(card.replace(network.digest[:16], "0" * 16), network)
    assert network.metadata["training_data_licence"].startswith("CC BY 4.0")
    assert f"python -m spikeloom.software.train {name} --data" in card


def test_some_test_clips_are_right_about_as_often_as_it_says(network: Network, name: str) -> None:
    x, y = recordings(name)
    rows = np.linspace(0, len(y) - 1, 200).astype(int)
    clips = Clips.from_dense(apply_front_end(x[rows], network.metadata["front_end"]), y[rows])
    # 200 of them: the standard error is 2 to 3 points.
    assert golden.simulate(network, clips).accuracy == pytest.approx(network.metadata["accuracy"]["test_integer"], abs=0.08)


@pytest.mark.slow
def test_the_whole_test_split_scores_what_it_says(network: Network, name: str) -> None:
    x, y = recordings(name)
    clips = Clips.from_dense(apply_front_end(x, network.metadata["front_end"]), y)
    assert golden.simulate(network, clips).accuracy == pytest.approx(network.metadata["accuracy"]["test_integer"], abs=5e-5)
