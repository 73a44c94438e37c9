"""Faults of weight memories: their statistics are those of the formulas, and a faulty network is the same in model and hardware."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil

import numpy as np
import pytest

from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim import golden
from spikeloom.sim.engines import run as cosimulate
from spikeloom.sim.fault_headroom import headroom
from spikeloom.sim.fault_runs import FaultReport, answers_under_faults, drawn, simulate_faults
from spikeloom.sim.faults import Fault, faulty
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import CapacityError, NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset


def network(weights: np.ndarray, **fields) -> Network:
    post, pre = weights.shape
    return Network(name="n", populations=(Population(name="x", size=pre, model=Model.INPUT),
                                          Population(name="y", size=post, model=Model.IF, theta=5, readout=Readout.COUNT)),
                   projections=(Projection(source="x", target="y", weights=weights, **fields),))


def read(weights: np.ndarray, fault: str, seed: int = 0, **fields) -> np.ndarray:
    faults = faulty(network(weights, **fields), Fault.parse(fault), np.random.default_rng(seed))
    return faults.projections[0].weights.astype(int)


def recurrent(seed: int = 0, **fields) -> Network:
    """Input, recurrent hidden layer, and words; ``fields`` of all projections."""
    rng = np.random.default_rng(seed)
    bits = fields.get("weight_bits", 4)

    def weights(post: int, pre: int) -> np.ndarray:
        return rng.choice([-1, 1], (post, pre)) if bits == 1 else rng.integers(-(1 << bits - 1), 1 << bits - 1, (post, pre))
    lif = {"model": Model.LIF, "decay": Decay(factor=13, fraction_bits=4), "reset": Reset.SUBTRACT, "v_bits": 16}
    return Network(name="rec", populations=(
        Population(name="x", size=10, model=Model.INPUT, payload_min=-3, payload_max=3), Population(name="h", size=12, theta=9, **lif),
        Population(name="y", size=4, theta=11, readout=Readout.COUNT, **lif)), projections=(
            Projection(source="x", target="h", weights=weights(12, 10), weight_bits=bits),
            Projection(source="h", target="h", weights=weights(12, 12), weight_bits=bits, delay=1),
            Projection(source="h", target="y", weights=weights(4, 12), weight_bits=bits)))


def clips(n: int = 6, steps: int = 15, seed: int = 1) -> Clips:
    rng = np.random.default_rng(seed)
    return Clips.from_dense(rng.integers(-3, 4, (n, steps, 10)) * (rng.random((n, steps, 10)) < 0.6), labels=np.arange(n) % 4)


# What is read

@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_bits_flip_as_often_as_the_rate_says_and_each_alike(bits: int) -> None:
    weights = np.random.default_rng(0).integers(-(1 << bits - 1), 1 << bits - 1, (200, 300))
    got = read(weights, "ber=0.05", weight_bits=bits)
    wrong = (got ^ weights) & ((1 << bits) - 1)
    for k in range(bits):
        assert abs((wrong >> k & 1).mean() - 0.05) < 5 * math.sqrt(0.05 * 0.95 / weights.size)
    assert got.min() >= -(1 << bits - 1) and got.max() < 1 << bits - 1
    both = (wrong & 1) * (wrong >> 1 & 1)
    assert abs(both.mean() - 0.05**2) < 5 * math.sqrt(0.0025 / weights.size)  # independent


def test_all_bits_wrong_is_the_complement_and_none_is_the_same() -> None:
    weights = np.arange(-8, 8).reshape(4, 4)
    assert (read(weights, "ber=1", weight_bits=4) == ~weights).all() and (read(weights, "ber=0", weight_bits=4) == weights).all()
    assert (read(np.array([[1, -1]]), "ber=1", weight_bits=1) == [[-1, 1]]).all()


def test_flipped_indices_stay_in_the_codebook() -> None:
    book = (-7, -1, 2, 5, 9)
    weights = np.array(book)[np.arange(50) % 5].reshape(5, 10)
    # Index k reads as 7 - k, of which 5, 6 and 7 are past the end: the last entry, as hdl/synapse_lanes.py has it.
    expected = {-7: 9, -1: 9, 2: 9, 5: 9, 9: 5}
    assert read(weights, "ber=1", codebook=book).ravel().tolist() == [expected[w] for w in weights.ravel()]


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.3])
def test_levels_are_confused_as_gaussian_areas_between_thresholds(sigma: float) -> None:
    def phi(x: float) -> float:
        return 0.5 * (1 + math.erf(x / math.sqrt(2)))
    n = 40_000
    got = read(np.repeat(np.arange(-4, 4), n).reshape(8, n), f"levels=8,sigma={sigma}", weight_bits=3)
    for k, row in zip(range(-4, 4), got):
        for j in range(-4, 4):
            low = -math.inf if j == -4 else (j - k - 0.5) / sigma
            high = math.inf if j == 3 else (j - k + 0.5) / sigma
            p = phi(high) - phi(low)
            assert abs((row == j).mean() - p) < 5 * math.sqrt(p * (1 - p) / n) + 1e-9, (k, j)


def test_edge_levels_are_read_right_more_often() -> None:
    got = read(np.repeat(np.arange(-4, 4), 5000).reshape(8, -1), "levels=8,sigma=0.5", weight_bits=3)
    right = [(row == k).mean() for k, row in zip(range(-4, 4), got)]
    assert min(right[0], right[-1]) > 0.8 > 0.75 > max(right[1:-1])


def test_wide_weights_take_several_cells() -> None:
    weights = np.repeat(np.arange(-32, 32), 2000).reshape(64, -1)
    error = read(weights, "levels=8,sigma=0.3", weight_bits=6) - weights
    # Two cells of 8 levels: errors of one level of the lower cell are 1, of the upper 8.
    assert {-9, -8, -7, -1, 0, 1, 7, 8, 9} >= set(np.unique(error)) >= {-8, -1, 0, 1, 8}
    assert read(weights, "levels=64,sigma=0.3", weight_bits=6).tolist() != weights.tolist()
    assert set(np.unique(read(weights, "levels=64,sigma=0.3", weight_bits=6) - weights)) == {-1, 0, 1}
    # A weight of 4 bits in cells of 8 levels: the upper has 2 levels.
    error = read(weights % 16 - 8, "levels=8,sigma=0.3", weight_bits=4) - (weights % 16 - 8)
    assert set(np.unique(error)) >= {-8, -1, 0, 1, 8}
    assert (read(weights, "levels=8,sigma=0", weight_bits=6) == weights).all()


def test_codebooks_and_signs_are_levels_too() -> None:
    book = (-100, 0, 1, 100)
    got = read(np.full((50, 50), -100), "levels=4,sigma=0.6", codebook=book)
    assert set(np.unique(got)) == {-100, 0, 1} and (got == -100).mean() > 0.7
    signs = read(np.ones((100, 100), int), "levels=2,sigma=0.5", weight_bits=1)
    assert abs((signs == -1).mean() - 0.1587) < 0.02


def test_absent_synapses_stay_absent_and_one_matrix_has_one_fault() -> None:
    weights = np.random.default_rng(0).integers(-8, 8, (30, 30)) * (np.arange(30) % 3 == 0)
    assert not read(weights, "ber=0.5", weight_bits=4, kind=Kind.SPARSE)[weights == 0].any()
    two = Network(name="two", populations=(Population(name="x", size=5, model=Model.INPUT),
                                           Population(name="y", size=5, model=Model.IF, readout=Readout.COUNT)),
                  projections=tuple(Projection(source="x", target="y", weights=np.eye(5, dtype=int), matrix="w", delay=d) for d in (0, 3)))
    first, second = faulty(two, Fault(ber=0.3), np.random.default_rng(0)).projections
    assert np.array_equal(first.weights, second.weights) and first.matrix == "w"
    first, second = faulty(two, Fault(ber=0.3), np.random.default_rng(0), shared=False).projections
    assert not np.array_equal(first.weights, second.weights)


@pytest.mark.parametrize("text", ["", "ber", "ber=2", "ber=-1", "ber=x", "ber=.", "ber=nan", "levels=8", "sigma=1", "levels=6,sigma=1",
                                  "levels=8,sigma=-1", "levels=8,sigma=1,ber=0.1", "ber=0.1,ber=0.2", "levels=512,sigma=1", "levels=8.5,sigma=1",
                                  "levels=8,sigma=1e9", "x=1"])
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(NetworkError):
        Fault.parse(text)


def test_a_fault_is_written_as_it_is_read() -> None:
    for text in ("ber=0.01", "levels=8,sigma=0.4"):
        assert str(Fault.parse(text)) == text


# Runs

def test_static_faults_are_those_of_their_network_clip_by_clip() -> None:
    net, many, fault = recurrent(), clips(), Fault(ber=0.1)
    got = answers_under_faults(net, many, fault, mode="static", seed=5)
    want = [int(golden.run(drawn(net, fault, 5, k), many.dense(k, k + 1)).answers[0]) for k in range(6)]
    assert got.tolist() == want
    assert len({drawn(net, fault, 5, k).digest for k in range(6)}) == 6 and drawn(net, fault, 5).digest != drawn(net, fault, 6).digest
    got = answers_under_faults(net, many, fault, mode="static", per="run", seed=5)
    assert got.tolist() == golden.simulate(drawn(net, fault, 5), many).answers.tolist()


def dynamic_by_hand(net: Network, x: np.ndarray, fault: Fault, seed: int) -> list[int]:
    """Spikes of ``y`` under dynamic faults, neuron by neuron, from the drawn weights alone."""
    rng = np.random.default_rng(seed)
    v, n, count = {k: np.zeros(s, int) for k, s in (("h", 12), ("y", 4))}, {"h": np.zeros(12, int), "y": np.zeros(4, int)}, np.zeros(4, int)
    for row in x:
        w_in, w_rec, w_out = (p.weights.astype(int) for p in faulty(net, fault, rng, shared=False).projections)
        sums = w_in @ row + w_rec @ n["h"]
        for name in ("h", "y"):
            theta = int(net.population(name).theta[0])
            sums = sums if name == "h" else w_out @ n["h"]
            v[name] = ((v[name] * 13 + 8) >> 4) + sums - theta * n[name]
            n[name] = (v[name] >= theta).astype(int)
        count += n["y"]
    return count.tolist()


def test_dynamic_faults_are_drawn_at_every_timestep_and_states_go_on() -> None:
    net, many, fault = recurrent(), clips(), Fault(ber=0.1)
    want = [dynamic_by_hand(net, x, fault, [3, k]) for k, x in enumerate(many.dense())]
    assert sum(map(sum, want)) > 20
    assert answers_under_faults(net, many, fault, mode="dynamic", seed=3).tolist() == [int(np.argmax(c)) for c in want]
    from spikeloom.sim import fault_runs

    got = [fault_runs._dynamic(net, many.dense(k, k + 1), fault, np.random.default_rng([3, k])).readouts["y"][0].tolist() for k in range(6)]
    assert got == want


def test_no_fault_changes_nothing_whatever_the_mode() -> None:
    net, many = recurrent(), clips()
    right = golden.simulate(net, many).answers.tolist()
    for mode, per in (("static", "clip"), ("static", "run"), ("dynamic", "clip")):
        assert answers_under_faults(net, many, Fault(ber=0.0), mode=mode, per=per).tolist() == right


def test_a_seed_gives_the_same_again_and_another_seed_another() -> None:
    net, many, fault = recurrent(), clips(n=30), Fault(levels=8, sigma=1.0)
    for mode in ("static", "dynamic"):
        first, again, other = (answers_under_faults(net, many, fault, mode=mode, seed=s).tolist() for s in (1, 1, 2))
        assert first == again != other
        assert answers_under_faults(net, many.take(7), fault, mode=mode, seed=1).tolist() == first[:7]


def test_the_report_has_mean_and_spread_over_seeds() -> None:
    net, many = recurrent(), clips(n=20)
    seen: list[tuple[int, int]] = []
    report = simulate_faults(net, many, Fault(ber=0.2), mode="static", seed=4, n_seeds=3, limit=10, progress=lambda *a: seen.append(a))
    assert report.seeds == (4, 5, 6) and report.clips == 10 and len(report.accuracies) == 3 and seen[-1] == (30, 30)
    assert report.mean == pytest.approx(np.mean(report.accuracies)) and report.spread == pytest.approx(np.std(report.accuracies, ddof=1))
    answers = answers_under_faults(net, many.take(10), Fault(ber=0.2), mode="static", seed=5)
    assert report.accuracies[1] == np.mean(answers == many.labels[:10])
    assert report.changed[1] == np.mean(answers != golden.simulate(net, many.take(10)).answers)
    assert report.accuracy == golden.simulate(net, many, limit=10).accuracy
    assert isinstance(report, FaultReport) and json.dumps(report.accuracies)


def test_a_network_without_a_readout_cannot_be_scored() -> None:
    net = network(np.ones((2, 10), int))
    silent = Network(name="n", populations=(net.populations[0], Population(name="y", size=2, model=Model.IF, output=True)),
                     projections=net.projections)
    with pytest.raises(NetworkError, match="no readout"):
        simulate_faults(silent, Clips.from_dense(np.ones((2, 3, 10), int)), Fault(ber=0.1), mode="static")
    with pytest.raises(NetworkError, match="static or dynamic"):
        simulate_faults(recurrent(), clips(), Fault(ber=0.1), mode="sometimes")


# In hardware

@pytest.mark.parametrize("bits", [1, 4])
def test_headroom_holds_the_sums_of_any_faults(bits: int) -> None:
    net = recurrent(weight_bits=bits)
    chip = plan(headroom(net), tiles=1, lanes=4)
    own = plan(net, tiles=1, lanes=4).tiles[0].accumulator_bits
    assert chip.tiles[0].accumulator_bits > own - (bits == 1)  # sums of signs are as wide whatever the signs, if payloads have both
    for seed in range(20):
        pack(chip, drawn(net, Fault(ber=0.5), seed))
    if bits == 4:
        with pytest.raises(CapacityError, match="sums"):
            pack(plan(net, tiles=1, lanes=4), headroom(net))


def mixed(payload: tuple[int, int], *formats: tuple[int, ...] | int, matrix: str = "") -> Network:
    """Inputs and a neuron, a projection of each format: a codebook, or bits."""
    fields = [{"weight_bits": f} if isinstance(f, int) else {"codebook": f} for f in formats]
    return Network(name="mixed", populations=(
        Population(name="x", size=4, model=Model.INPUT, payload_min=payload[0], payload_max=payload[1]),
        Population(name="y", size=3, model=Model.IF, readout=Readout.COUNT)),
        projections=tuple(Projection(source="x", target="y", weights=np.full((3, 4), f[0] if isinstance(f, tuple) else 1), delay=k,
                                     matrix=matrix, **more) for k, (f, more) in enumerate(zip(formats, fields))))


@pytest.mark.parametrize("payload, formats, fill", [
    ((1, 1), [4], [-8]), ((1, 1), [(-1, 1)], [1]), ((1, 1), [(-3, 2)], [-3]), ((1, 1), [(-3, 100)], [100]), ((1, 1), [4, (-1, 1)], [-8, -1]),
    ((1, 1), [2, (-1, 0, 90)], [1, 90]), ((-3, 1), [4], [-8]), ((1, 7), [3, 6], [-4, -32])])
def test_headroom_takes_the_end_of_the_formats_that_needs_more_bits(payload, formats, fill) -> None:
    net = mixed(payload, *formats)
    full = headroom(net)
    assert [np.unique(p.weights).tolist() for p in full.projections] == [[f] for f in fill]
    chip = plan(full, tiles=1, lanes=4)
    rng = np.random.default_rng(0)
    for _ in range(30):  # among them weights at all ends
        ends = [np.array(p.codebook or (-(1 << p.weight_bits - 1), (1 << p.weight_bits - 1) - 1)) for p in net.projections]
        rows = [e[rng.integers(len(e), size=(3, 1))] + np.zeros((3, 4), int) for e in ends]
        pack(chip, dataclasses.replace(net, projections=tuple(dataclasses.replace(p, weights=r) for p, r in zip(net.projections, rows))))


def test_headroom_of_a_shared_matrix_is_shared_and_absent_synapses_stay_absent() -> None:
    assert {p.matrix for p in headroom(mixed((1, 1), 4, 4, matrix="w")).projections} == {"w"}
    weights = np.eye(4, dtype=int)
    assert np.array_equal(headroom(network(weights, weight_bits=3, kind=Kind.SPARSE)).projections[0].weights, -4 * weights)


def test_headroom_that_neither_end_gives_is_refused() -> None:
    # Payloads of both signs: all lowest or all highest give 4 * 126, lowest here and highest there 4 * 240, which needs a bit more.
    with pytest.raises(NetworkError, match="no weights of one kind"):
        headroom(mixed((-6, 6), (-20, 1), (-1, 20)))


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
@pytest.mark.parametrize("bits, fault", [(4, "levels=8,sigma=0.7"), (1, "ber=0.1")])
def test_a_chip_with_the_faulty_image_does_what_the_golden_model_does(tmp_path, bits: int, fault: str) -> None:
    net, many = recurrent(weight_bits=bits), clips()
    broken = drawn(net, Fault.parse(fault), seed=2)
    chip = plan(headroom(net), tiles=1, lanes=4)  # one chip, and two contents of its memories
    right, wrong = pack(chip, net), pack(chip, broken)
    assert any((a.weights != b.weights).any() for a, b in zip(right.tiles, wrong.tiles))
    assert all(np.array_equal(a.table, b.table) and np.array_equal(a.theta, b.theta) for a, b in zip(right.tiles, wrong.tiles))
    of_broken = dataclasses.replace(chip, network_digest=broken.digest)
    emit(tmp_path, of_broken, broken, wrong)
    other = tmp_path / "right"
    other.mkdir()
    emit(other, chip, net, right)
    lines = [(folder / "chip.v").read_text().splitlines() for folder in (tmp_path, other)]
    changed = [a for a, b in zip(*lines, strict=True) if a != b and not a.startswith("// network")]
    assert changed and all(re.fullmatch(r" *\\?\w+ ?\[\d+\] = \d+'h[0-9a-f]+;", line) for line in changed)  # contents of memories, no logic
    report = cosimulate("compiled", tmp_path, of_broken, broken, many)
    assert report.equal, report.first_divergence
    assert list(report.answers) == answers_under_faults(net, many, Fault.parse(fault), mode="static", per="run", seed=2).tolist()
    # The same hardware against the network as it should be: the fault is seen.
    assert not cosimulate("compiled", tmp_path, dataclasses.replace(chip, network_digest=net.digest), net, many).equal
