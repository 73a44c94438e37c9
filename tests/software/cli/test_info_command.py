"""`spikeloom info`: formats, schedule and storage of a network."""

from __future__ import annotations

import json
import re

import numpy as np

from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory


def test_info_shows_formats_and_sizes(replace, network, capsys) -> None:
    assert main(["info", "net.npz"]) == 0
    out = capsys.readouterr().out
    for text in ("tiny", network.digest, "input -> hidden", "payload 1..7", "0.89844", "5..7", "subtract", "front_end", "logmel"):
        assert text in out


def test_info_shows_what_the_other_models_have(replace, monkeypatch, capsys) -> None:
    ones = np.ones((2, 2), dtype=np.int64)
    network = Network(name="all", populations=(
        Population(name="x", size=2, model=Model.INPUT),
        Population(name="c", size=2, model=Model.CUBALIF, decay=Decay(factor=12, fraction_bits=4), beta=[4, 12], current_decay=Decay(shift_a=2),
                   i_bits=9, gain=Gain.COMPLEMENT, max_spikes=4, refractory=3, refractory_mode=Refractory.INTEGRATE, v_floor=-8, v_init=[1, 2]),
        Population(name="g", size=2, model=Model.SPIKGRU, gate_table=[0, 128, 200, 255], gate_shift=3, gate_bias=[-2, 5]),
        Population(name="a", size=2, model=Model.ALIF, jump=7, a_bits=10, adaptation_decay=Decay(shift_a=1), inhibition=2, readout=Readout.VOTE,
                   classes=[1, 0])),
        projections=(Projection(source="x", target="c", weights=ones, codebook=(-3, 0, 1)),
                     Projection(source="c", target="g", weights=ones, kind=Kind.SPARSE),
                     Projection(source="c", target="g", weights=ones, port=Port.GATE), Projection(source="g", target="a", weights=ones)))
    monkeypatch.setattr(api, "load", lambda path: network)
    assert main(["info", "net.npz"]) == 0
    out = re.sub(" +", " ", capsys.readouterr().out)
    for text in ("c cubalif 2 16 0.25..0.75", "c synaptic current 9 bits, decay 0.75, gain complement", "c spikes per timestep up to 4",
                 "c refractory 3 timesteps, mode integrate", "c lower clip of v -8", "c v after a reset 1..2", "g spikgru 2 16 gate",
                 "g synaptic current 16 bits, decay 1\n", "g gate 4 entries of 0..255, shift 3, bias -2..5",
                 "a rise of the threshold 10 bits, decay 0.5, jump 7", "a inhibition 2 timesteps", "a classes of the vote 2",
                 "x -> c i 0 2 bits for -3 0 1", "c -> g i 0 8 bits", "c -> g z 0 8 bits",
                 "c -> g sparse 4 4", "c -> g dense 4 4"):
        assert text in out, out


def looped() -> Network:
    """A loop of two populations with a delay of 1, by a codebook and by a matrix that is used twice."""
    x, a, b = (Population(name="x", size=4, model=Model.INPUT), Population(name="a", size=3, model=Model.LIF),
               Population(name="b", size=3, model=Model.LIF, readout=Readout.COUNT))
    weights = np.eye(3, dtype=int) * 5
    return Network(name="looped", metadata={"n": 1}, populations=(x, a, b), projections=(
        Projection(source="x", target="a", weights=np.full((3, 4), -1), codebook=(-1, 0, 1)),
        Projection(source="a", target="b", weights=weights, matrix="w"),
        Projection(source="b", target="a", weights=weights, delay=1, matrix="w")))


def test_info_shows_the_period_and_why_and_what_is_stored(monkeypatch, capsys) -> None:
    monkeypatch.setattr(api, "load", lambda path: looped())
    assert main(["info", "net.npz"]) == 0
    out = re.sub(" +", " ", capsys.readouterr().out)
    for text in ("period 2 phases per timestep: the loop a -> b -> a has 2 projections and a delay of 1 in all", "x 0 -\n", "a 1 1\n", "b 2 1\n",
                 "x -> a i 0 2 bits for -1 0 1 0 -", "a -> b i 0 8 bits 0 w", "b -> a i 1 8 bits 0 w", "x -> a dense 12 12 96",
                 "weight bits 96", "bits if dense bits if sparse equal at density"):
        assert text in out, out


def test_info_as_json_has_the_same_numbers(monkeypatch, capsys) -> None:
    monkeypatch.setattr(api, "load", lambda path: looped())
    assert main(["info", "net.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["neurons"], found["synapses"], found["weight_bits"], found["period"]) == ("looped", 6, 30, 96, 2)
    assert found["loop"] == {"populations": ["a", "b"], "projections": 2, "delay": 1} and found["metadata"] == {"n": 1}
    assert [(p["name"], p["level"], p["slots"]) for p in found["populations"]] == [("x", 0, None), ("a", 1, 1), ("b", 2, 1)]
    assert [(p["source"], p["format"], p["synapses"], p["existing"], p["dense_bits"]) for p in found["projections"]] == [
        ("x", "2 bits for -1 0 1", 12, 12, 96), ("a", "8 bits", 9, 3, 72), ("b", "8 bits", 9, 3, 72)]
    assert all(0 < p["break_even"] <= 1 for p in found["projections"])
    assert [p["sparse_bits"] > 0 for p in found["projections"]] == [True, False, True]  # one matrix: if sparse, the first of the tile has its words


def test_info_shows_a_network_that_no_tile_holds(monkeypatch, capsys) -> None:
    wide = [Population(name=f"x{k}", size=1 << 15, model=Model.INPUT) for k in range(3)]
    network = Network(name="wide", populations=(*wide, Population(name="a", size=1, model=Model.LIF, output=True)),
                      projections=tuple(Projection(source=p.name, target="a", weights=np.zeros((1, p.size), int)) for p in wide))
    monkeypatch.setattr(api, "load", lambda path: network)
    assert main(["info", "net.npz"]) == 0
    assert "No storage is shown: Population 'a' needs 98304 axons" in capsys.readouterr().out
    assert main(["info", "net.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["projections"][0]["dense_bits"] is None
