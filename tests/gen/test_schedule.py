"""The period and the levels are the smallest there are."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_networks

from spikeloom.gen.schedule import schedule, slots_of
from spikeloom.spec.network import Model, Network, Population, Projection


def network_of(n: int, edges: list[tuple[int, int, int]]) -> Network:
    """Population 0 is the input; edges (source, target, delay)."""
    populations = [Population(name=f"p{k}", size=1, model=Model.INPUT if k == 0 else Model.IF, output=k > 0) for k in range(n)]
    one = np.ones((1, 1), dtype=int)
    return Network(name="graph", populations=tuple(populations),
                   projections=tuple(Projection(source=f"p{s}", target=f"p{d}", weights=one, delay=k) for s, d, k in edges))


@st.composite
def small_graphs(draw):
    n = draw(st.integers(2, 4))
    edges = [(draw(st.integers(0, k - 1)), k, draw(st.integers(0, 2))) for k in range(1, n)]
    for _ in range(draw(st.integers(0, 4))):
        source, target = draw(st.integers(0, n - 1)), draw(st.integers(1, n - 1))
        edges.append((source, target, draw(st.integers(1 if source >= target else 0, 3))))
    return n, edges


@settings(max_examples=150)
@given(small_graphs())
def test_period_and_levels_are_the_smallest_by_exhaustive_search(graph) -> None:
    n, edges = graph
    found = schedule(network_of(n, edges))

    def feasible(period: int):
        for levels in product(range(1, n + 1), repeat=n - 1):  # a longest path has at most n - 1 steps of at most + 1
            level = (0, *levels)
            if all(level[d] - level[s] >= 1 - period * k for s, d, k in edges):
                yield level

    period = next(p for p in range(1, n + 1) if any(True for _ in feasible(p)))
    smallest = tuple(min(column) for column in zip(*feasible(period)))
    assert (found.period, tuple(found.level[f"p{k}"] for k in range(n))) == (period, smallest)


def test_feed_forward_and_self_recurrent_networks_have_period_one() -> None:
    found = schedule(network_of(3, [(0, 1, 0), (1, 1, 1), (1, 2, 0)]))
    assert (found.period, dict(found.level)) == (1, {"p0": 0, "p1": 1, "p2": 2})


def test_a_loop_of_two_populations_and_one_delay_has_period_two() -> None:
    assert schedule(network_of(3, [(0, 1, 0), (1, 2, 0), (2, 1, 1)])).period == 2
    assert schedule(network_of(3, [(0, 1, 0), (1, 2, 0), (2, 1, 2)])).period == 1


@settings(max_examples=100)
@given(random_networks(max_size=2, max_populations=6))
def test_no_event_is_written_to_a_slot_that_is_still_in_use(network: Network) -> None:
    plan = schedule(network)
    for population in network.populations:
        if population.model is Model.INPUT:
            continue
        slots = slots_of(network, plan, [population.name])
        for projection in network.incoming(population.name):
            for t in range(2 * slots):
                written = plan.period * t + plan.level[projection.source]
                due = t + projection.delay
                read = plan.period * due + plan.level[population.name]
                assert written < read
                # The slot's timestep before this one was read, and its list cleared, in an earlier phase.
                assert written > plan.period * (due - slots) + plan.level[population.name]


def test_half_the_slots_would_not_do() -> None:
    network = network_of(2, [(0, 1, 3)])
    assert slots_of(network, schedule(network), ["p1"]) == 8  # 3 timesteps of delay, one being read, one being written
