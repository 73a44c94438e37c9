"""Random networks with max pools on random chips whose maps are cut: pools against plain NumPy, all else against the models; and what is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl import firing, next_state, scatter, update, window_walk
from spikeloom.sim.golden import run
from spikeloom.spec.network import Network

from ..hdl.mutant import mutant
from ..pool_strategies import pooled, pooled_networks
from ..strategies import plan_options
from .chip_bench import describe, prove
from .host_programs import random_clip
from .test_random_networks import FAST, LONG

POOLS = ("m", "n")


@st.composite
def cases(draw, longest=4):
    """(network, options of its plan, clip ``[T, C]``)."""
    network = draw(pooled_networks())
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    x = random_clip(network, draw(st.integers(3, longest)), rng, draw(st.sampled_from((0.2, 0.6))))
    return network, draw(plan_options(network, cut=True)), x


def on_a_chip(case):
    network, options, x = case
    chip = plan(network, counters=True, **options)
    check_chip(chip, pack(chip, network), network)
    try:
        prove(network, chip, x)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{describe(network, chip)}") from error


def different(network: Network, x: np.ndarray) -> list[str]:
    """Pools whose spikes in the golden model are not the largest of their windows."""
    spikes = {"x": x[None], **run(network, x[None], record=True).spikes}
    return [q.target for q in network.projections if q.target in POOLS and not np.array_equal(spikes[q.target][0], pooled(q, spikes[q.source][0]))]


@settings(**FAST, max_examples=60)
@given(pooled_networks(), st.integers(0, 2**31))
def test_random_pools_are_the_largest_of_their_windows(network, seed):
    assert not different(network, random_clip(network, 6, np.random.default_rng(seed), 0.3))


def test_the_comparison_of_pools_sees_a_pool_that_needs_two_spikes():
    seen = []

    @settings(**FAST, max_examples=10)
    @given(pooled_networks(), st.integers(0, 2**31))
    def look(network, seed):
        other = replace(network, populations=tuple(replace(p, theta=2) if p.name in POOLS and p.v_max > 1 else p for p in network.populations))
        seen.extend(different(other, random_clip(other, 6, np.random.default_rng(seed), 0.3)))

    look()
    assert seen


@settings(**FAST, max_examples=5)
@given(cases())
def test_networks_with_random_pools_equal_the_models_in_the_simulator(case):
    on_a_chip(case)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=8))
def test_many_networks_with_random_pools_equal_the_models_in_the_simulator(case):
    on_a_chip(case)


def test_random_pools_and_their_sources_are_cut_by_rows_by_channels_and_both():
    found = set()

    def note(network, chip):
        for q in (q for q in network.projections if q.target in POOLS):
            for what, name in (("source", q.source), ("pool", q.target)):
                parts = [g for t in chip.tiles for g in t.groups if g.population == name]
                into = next((p.conv for p in network.incoming(name) if p.conv is not None), None)
                if into is not None and len(parts) > 1:
                    found.add((what, any(g.pitch or g.size < into.positions for g in parts), len({g.first // into.positions for g in parts}) > 1))
            found.update(("overlap", q.conv.stride[k] < q.conv.kernel[k], k) for k in (0, 1))

    @settings(**FAST, max_examples=40)
    @given(pooled_networks(), st.data())
    def draw(network, data):
        note(network, plan(network, **data.draw(plan_options(network, cut=True))))

    draw()
    wanted = {(what, rows, channels) for what in ("source", "pool") for rows, channels in ((True, False), (False, True), (True, True))}
    assert found >= wanted | {("overlap", True, 0), ("overlap", True, 1)}, sorted(wanted - found)


@pytest.mark.parametrize("owner, name, old, new", [
    (scatter.Scatter, "elaborate", "head.part == lane // lanes", "head.part <= lane // lanes"),
    (window_walk.WindowWalk, "elaborate", "last_line.eq(line == pointer.lines)", "last_line.eq(1)"),
    (next_state, "next_state", "Mux(fired, 0, v)", "v"),
    (firing, "check_threshold", "v) >= threshold", "v) > threshold")])
def test_random_pools_find_changed_hardware(owner, name, old, new, monkeypatch):
    monkeypatch.setattr(owner if isinstance(owner, type) else update, name, mutant(owner, name, old, new))

    @settings(**FAST, max_examples=8)
    @given(cases())
    def find(case):
        on_a_chip(case)

    with pytest.raises(AssertionError):
        find()
