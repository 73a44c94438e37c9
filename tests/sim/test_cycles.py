"""The cycle model against phases counted by hand from docs/architecture.md, and properties that any chip must have."""

from __future__ import annotations

import cycles_chip
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.sim import cycles as cycles_module
from spikeloom.sim import golden
from spikeloom.sim.cycle_bounds import bounds
from spikeloom.sim.cycles import HOST, NETWORK, cycles_of, predict
from spikeloom.sim.fabric_cycles import FabricCycles
from spikeloom.sim.tile_cycles import Flits
from spikeloom.spec.errors import MismatchError, NetworkError


def one_tile(size=16, lanes=(4, 1), signs=(1, 1), **options):
    """in (40) -> out (size), one tile on a star, spikes leave the chip."""
    network = cycles_chip.make_network({"in": 40, "out": size}, [("in", "out")], outputs=("out",), signs=signs, **options)
    return cycles_chip.make_chip(network, [[("out", 0, size)]], lanes=[lanes]), network


def stimulus(network, events, spikes, n_clips=1):
    """One clip: ``events`` = number of input events per timestep; ``spikes`` = {population: {timestep: [neurons]}}."""
    channels = sum(p.size for p in network.inputs)
    x = np.zeros((n_clips, len(events), channels), dtype=np.int64)
    for t, n in enumerate(events):
        x[:, t, :n] = 1
    record = {p.name: np.zeros((n_clips, len(events), p.size), dtype=bool) for p in network.populations if p.spikes}
    for name, steps in spikes.items():
        for t, neurons in steps.items():
            record[name][:, t, neurons] = True
    return record, x


def lengths(chip, network, events, spikes=None, n_clips=1):
    report = predict(chip, network, *stimulus(network, events, spikes or {}, n_clips))
    slow = predict(chip, network, *stimulus(network, events, spikes or {}, n_clips), stepwise=True)
    for name in cycles_module.CycleReport.__dataclass_fields__:
        if name != "contended":
            assert np.array_equal(getattr(report, name), getattr(slow, name)), name
    return report.cycles.tolist() if n_clips > 1 else report.cycles[0].tolist()


@pytest.mark.parametrize("size,p,u", [(16, 4, 1), (16, 4, 4), (13, 8, 2), (3, 4, 1), (1, 1, 1)])
@pytest.mark.parametrize("e", [0, 1, 3, 9])
def test_a_tile_without_spikes_takes_its_rows_and_one_update_and_eight_cycles(size, p, u, e):
    rows, n = -(-size // p), max(e, p // u)
    chip, network = one_tile(size, (p, u))
    # Phase 0: e events are taken by the host's register in cycles 0 .. e - 1, by the tile's in 1 .. e, and are written to its
    # queue in 2 .. e + 1; idle in e + 2.
    # Phase 1: the first idle cycle is F + e_last + P/U - 1 + 3 with F = 5; the phase ends with it, and began with cycle 0.
    assert lengths(chip, network, [e]) == [e + 3 if e else 2, rows * n + p // u + 8]


@pytest.mark.parametrize("e", [0, 7])
def test_a_spike_in_the_last_beat_costs_its_way_to_the_output_register(e):
    chip, network = one_tile(16, (4, 1))
    # Mask in the FIFO at the end of F + e_last + 3 + 2, flit taken in the next cycle, output register busy in the one after that.
    assert lengths(chip, network, [e], {"out": {0: [15]}})[1] == 4 * max(e, 4) + 4 + 10


def test_spikes_of_one_beat_leave_one_per_cycle():
    chip, network = one_tile(16, (4, 4))
    for n_spikes, extra in enumerate((0, 2, 3, 4, 5)):
        assert lengths(chip, network, [0], {"out": {0: list(range(12, 12 + n_spikes))}})[1] == 4 + 1 + 8 + extra


def test_an_early_spike_costs_nothing():
    chip, network = one_tile(16, (4, 1))
    assert lengths(chip, network, [7], {"out": {0: [0, 1, 5]}})[1] == 4 * 7 + 4 + 8


def test_graded_payloads_take_one_cycle_more():
    chip, network = one_tile(16, (4, 1), (0, 5))
    assert lengths(chip, network, [7])[1] == 4 * 7 + 4 + 8 + 1
    chip, network = one_tile(16, (4, 1), (-1, 1))
    assert lengths(chip, network, [7])[1] == 4 * 7 + 4 + 8


def test_the_host_bounds_a_phase_with_many_events():
    chip, network = one_tile(4, (4, 4))
    report = predict(chip, network, *stimulus(network, [0, 30, 0], {}))
    # Phase 1 works on timestep 0 (no events) and takes 30; phase 2 walks one row of 30.
    assert report.cycles.tolist() == [[2, 33, 30 + 1 + 8, 1 + 1 + 8]]
    assert report.bound.tolist() == [[HOST, HOST, 0, 0]]


def test_a_leaky_integrator_sends_every_value_in_every_timestep():
    network = cycles_chip.make_network({"in": 40, "out": 6}, [("in", "out")], values="out")
    chip = cycles_chip.make_chip(network, [[("out", 0, 6)]], lanes=[(4, 4)])
    # Rows end at 1 and 2: masks of 4 and 2 neurons at the encoder from 5 + 1 + 3 = 9 and 10 on; six flits in 9 .. 14, idle in 16.
    assert lengths(chip, network, [0]) == [2, 17]


def test_groups_of_a_tile_follow_each_other_and_only_the_active_ones():
    network = cycles_chip.make_network({"in": 40, "a": 8, "b": 4}, [("in", "a"), ("a", "b")], outputs=("b",))
    chip = cycles_chip.make_chip(network, [[("a", 0, 8), ("b", 0, 4)]], lanes=[(4, 1)])
    # Timestep 0: a walks 2 rows of 5 events. Timestep 1: a walks 2 rows of 4 (masked) while b walks 1 row of a's 6 spikes.
    spikes = {"a": {0: [0, 1, 2, 3, 4, 5]}}
    assert lengths(chip, network, [5, 0], spikes) == [8, 2 * 5 + 4 + 8, 2 * 4 + 6 + 4 + 8, 4 + 4 + 8]


def test_a_flit_with_three_axon_entries_holds_the_input_register_for_three_cycles():
    network = cycles_chip.make_network({"in": 40, "out": 4}, [("in", "out"), ("in", "out", 1), ("in", "out", 2)], outputs=("out",))
    chip = cycles_chip.make_chip(network, [[("out", 0, 4)]], lanes=[(4, 4)])
    # Taken in cycles 1, 4 and 7; the last one's entries are written in 8, 9 and 10. Later the events come back with their delays.
    assert lengths(chip, network, [3, 0, 0, 0]) == [12, 3 + 1 + 8, 3 + 1 + 8, 3 + 1 + 8, 1 + 1 + 8]


def test_a_period_of_two_leaves_every_second_phase_to_the_loop():
    network = cycles_chip.make_network({"in": 10, "a": 4, "b": 4}, [("in", "a"), ("a", "b"), ("b", "a", 1)], outputs=("b",))
    chip = cycles_chip.make_chip(network, [[("a", 0, 4)], [("b", 0, 4)]], lanes=[(4, 4), (4, 4)])
    assert (chip.period, chip.levels) == (2, 2)
    # a works in phases 1 and 3, b in 2 and 4; b's four events of timestep 0 come to a with the host's ten of timestep 1.
    quiet = 1 + 1 + 8
    assert lengths(chip, network, [0, 0]) == [2, quiet, quiet, quiet, quiet]
    busy = lengths(chip, network, [10, 10], {"b": {0: [0, 1, 2, 3]}})
    report = predict(chip, network, *stimulus(network, [10, 10], {"b": {0: [0, 1, 2, 3]}}))
    assert report.contended.tolist() == [[False, False, True, False, False]]
    # Phase 2: the host's events of timestep 1 pass in 1, 2, ... 8 until b, which fires all four neurons, asks for the same output
    # in 5 + 1 + 3 = 9: the host was served last, so b has 9 and the host its ninth event in 10, ...
    assert busy[0] == 13 and busy[1] == 10 + 1 + 8 and busy[3] == 14 + 1 + 8
    # ... b 11, host 12, then b 13 and 14: the tile's register is busy until 15, the first idle cycle is 16.
    assert busy[2] == 17


def test_arbiters_remember_across_phases_and_clips():
    network = cycles_chip.make_network({"in": 2, "a": 1, "b": 1, "c": 1}, [("in", "a"), ("in", "b"), ("a", "c"), ("b", "c")],
                                       outputs=("c",))
    chip = cycles_chip.make_chip(network, [[(n, 0, 1)] for n in "abc"], lanes=[(1, 1)] * 3)
    fabric = FabricCycles(chip)
    none = Flits(segment=np.zeros(0, int), ready=np.zeros(0, int), key=np.zeros(0, int))

    def both(n):  # one flit of each of a and b, both offered in cycle 4, in n segments
        key = {k.population: i for i, k in enumerate(chip.keys)}
        flits = [Flits(segment=np.arange(n), ready=np.full(n, 4), key=np.full(n, key[p])) for p in "ab"]
        return fabric.deliver([none, *flits, none], n).left[1:3].tolist()

    # The arbiter starts with the lowest, then b was served last, so a is first again: every time.
    assert both(3) == [[5, 5, 5], [6, 6, 6]]
    one = Flits(segment=np.array([0]), ready=np.array([9]), key=np.array([[k.population for k in chip.keys].index("a")]))
    assert fabric.deliver([none, one, none, none], 1).left[1, 0] == 10  # alone: a is served last now
    assert both(2) == [[6, 6], [5, 5]]  # b first; then a was last, so b first again


def test_a_mesh_costs_one_cycle_per_router():
    network = cycles_chip.make_network({"in": 4, "out": 4}, [("in", "out")], outputs=("out",))
    near, far = (cycles_chip.make_chip(network, [[("out", 0, 2)], [("out", 2, 2)]], lanes=[(2, 2)] * 2, mesh=(2, 1)),
                 cycles_chip.make_chip(network, [[("out", 2, 2)], [("out", 0, 2)]], lanes=[(2, 2)] * 2, mesh=(2, 1)))
    # One event reaches both tiles: two routers to the far one. Star: 4; each router adds a cycle.
    assert lengths(near, network, [1])[0] == 4 + 2
    # A spike of neuron 0: at the encoder in 5 + 1 + 3 = 9, out of one router (two) in 10 (11), in the output register one cycle
    # later, idle in the next.
    assert lengths(near, network, [1], {"out": {0: [0]}})[1] == 10 + 3
    assert lengths(far, network, [1], {"out": {0: [0]}})[1] == 11 + 3


def test_a_fork_with_single_sources_never_waits():
    network = cycles_chip.make_network({"in": 9, "a": 4, "b": 4}, [("in", "a"), ("in", "b")], outputs=("a",))
    chip = cycles_chip.make_chip(network, [[("a", 0, 4)], [("b", 0, 4)]], lanes=[(4, 1), (4, 4)])
    report = predict(chip, network, *stimulus(network, [9, 4], {"a": {0: [0]}}))
    assert not report.contended.any()
    assert report.hops.tolist() == [13 * 2 + 1]
    assert report.cycles[0, 0] == 12


def test_the_network_is_named_where_it_holds_a_phase_up():
    chip, network = one_tile(16, (16, 16))
    report = predict(chip, network, *stimulus(network, [0, 0], {"out": {0: list(range(16)), 1: [3]}}))
    assert report.bound.tolist() == [[HOST, NETWORK, 0]]
    assert (report.cycles - report.floor).tolist() == [[0, 17, 2]]


def test_busy_and_idle_share_out_all_cycles():
    chip, network = one_tile(16, (4, 1))
    report = predict(chip, network, *stimulus(network, [3, 0], {}))
    # Phase 0: input register full in cycles 2 .. 4. Phases 1 and 2: busy from 1 to the cycle before finish.
    assert report.busy.tolist() == [[3 + 2 * (4 * 4 + 4 + 6)]]
    assert (report.busy + report.idle).tolist() == [report.total.tolist()]


@st.composite
def lines(draw):
    """A line of one to three tiles without contention, and its activity."""
    sizes = {"in": draw(st.integers(1, 8))}
    names = [f"h{i}" for i in range(draw(st.integers(1, 3)))]
    sizes |= {n: draw(st.integers(1, 12)) for n in names}
    network = cycles_chip.make_network(sizes, list(zip(["in", *names], names)), outputs=(names[-1],))
    lanes = [draw(st.sampled_from([(1, 1), (4, 1), (4, 2), (8, 8)])) for _ in names]
    chip = cycles_chip.make_chip(network, [[(n, 0, sizes[n])] for n in names], lanes=lanes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (2, draw(st.integers(1, 5)))
    rate = draw(st.sampled_from([0.0, 0.2, 0.9]))
    spikes = {n: rng.random((*shape, sizes[n])) < rate for n in names}
    return chip, network, spikes, (rng.random((*shape, sizes["in"])) < rate).astype(int), rng


@settings(max_examples=60, deadline=None, derandomize=True)
@given(lines())
def test_a_line_needs_no_stepping_and_agrees_with_it(case):
    chip, network, spikes, x, rng = case
    report, stepped = predict(chip, network, spikes, x), predict(chip, network, spikes, x, stepwise=True)
    assert not report.contended.any()
    for name in cycles_module.CycleReport.__dataclass_fields__:
        if name != "contended":
            assert np.array_equal(getattr(report, name), getattr(stepped, name)), name
    assert (report.cycles >= report.floor).all()
    assert (report.total >= report.walk.max(axis=1)).all()
    more = predict(chip, network, {n: s | (rng.random(s.shape) < 0.3) for n, s in spikes.items()}, x | (rng.random(x.shape) < 0.3))
    assert (more.cycles >= report.cycles).all()


def recurrent():
    network = cycles_chip.make_network({"in": 12, "h": 20, "out": 5}, [("in", "h"), ("h", "h", 1), ("h", "out")], values="out")
    chip = cycles_chip.make_chip(network, [[("h", 0, 10)], [("h", 10, 10)], [("out", 0, 5)]], lanes=[(4, 2), (4, 2), (4, 1)])
    return chip, network, (np.random.default_rng(1).random((5, 8, 12)) < 0.3).astype(np.int64)


def test_cycles_of_takes_the_spikes_of_the_golden_model_and_counts_its_operations():
    chip, network, x = recurrent()
    result = golden.run(network, x, record=True)
    report = cycles_of(chip, network, x)
    assert np.array_equal(report.cycles, predict(chip, network, result.spikes, x).cycles)
    spiking = int(sum(s.sum() for s in result.spikes.values()))
    assert report.contended.any() and spiking > 0
    assert report.sent.sum() == spiking + 5 * x.shape[0] * x.shape[1]
    summary = bounds(chip, report)
    assert sum(summary.waited.values()) == summary.cycles == report.cycles.sum()
    assert sum(summary.phases.values()) == report.cycles.size
    assert summary.sops_per_cycle_and_lane == pytest.approx(summary.sops / summary.cycles / 12)
    assert summary.least_cycles <= summary.cycles - summary.overhead
    # Operations: events that have arrived by the last timestep, times the neurons that they reach.
    h = result.spikes["h"].sum(axis=2)
    assert report.sops.sum() == 20 * (x != 0).sum() + 20 * h[:, :-1].sum() + 5 * h.sum()
    assert report.sops.sum() == sum(int(c.sops.sum()) for c in result.counters.values())


def test_working_in_chunks_of_clips_changes_nothing(monkeypatch):
    chip, network, x = recurrent()
    whole = cycles_of(chip, network, x)
    monkeypatch.setattr(cycles_module, "_CHUNK", 1)
    assert np.array_equal(cycles_of(chip, network, x).cycles, whole.cycles)


def test_no_clips_give_an_empty_report():
    chip, network, x = recurrent()
    assert cycles_of(chip, network, x[:0]).cycles.shape == (0, 10)


def test_a_chip_of_another_network_is_refused():
    chip, _ = one_tile(16)
    _, other = one_tile(12)
    with pytest.raises(MismatchError, match="was planned for network"):
        cycles_of(chip, other, np.zeros((1, 1, 40), dtype=int))


def test_arrays_of_the_wrong_shape_are_refused():
    chip, network = one_tile(16)
    spikes, x = stimulus(network, [0], {})
    with pytest.raises(NetworkError, match="inputs must have shape"):
        predict(chip, network, spikes, x[:, :, :3])
    with pytest.raises(NetworkError, match="recorded spikes must have shape"):
        predict(chip, network, {}, x)
