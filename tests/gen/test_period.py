"""The loop that demands the period is named, and is one that does."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_networks

from spikeloom.gen.period import period_reason
from spikeloom.gen.schedule import schedule
from spikeloom.spec.network import Model, Network, Population, Projection


def network_of(*edges: tuple[str, str, int]) -> Network:
    names = dict.fromkeys(name for source, target, _ in edges for name in (source, target))
    one = np.ones((1, 1), dtype=int)
    return Network(name="graph", populations=tuple(Population(name=n, size=1, model=Model.INPUT if n == "x" else Model.IF, output=n != "x")
                                                   for n in names),
                   projections=tuple(Projection(source=s, target=d, weights=one, delay=k) for s, d, k in edges))


def test_a_network_of_period_one_has_no_such_loop() -> None:
    reason = period_reason(network_of(("x", "a", 0), ("a", "a", 1), ("a", "b", 0), ("b", "a", 2)))
    assert (reason.period, reason.loop, str(reason)) == (1, (), "1 phase per timestep: no loop demands more")


def test_the_loop_is_named_from_its_first_population_on_with_the_remedy() -> None:
    reason = period_reason(network_of(("x", "a", 0), ("a", "b", 0), ("b", "c", 0), ("c", "a", 1), ("c", "d", 0), ("d", "d", 1), ("d", "a", 9)))
    assert (reason.period, reason.path, reason.delay) == (3, "a -> b -> c -> a", 1)
    assert str(reason) == ("3 phases per timestep: the loop a -> b -> c -> a has 3 projections and a delay of 1 in all, and 3 / 1 is rounded up; "
                           "with a delay of 3 in all it would take 1")
    assert period_reason(network_of(("x", "a", 0), ("a", "b", 0), ("b", "c", 0), ("c", "a", 2))).period == 2


@settings(max_examples=150)
@given(random_networks(max_size=2, max_populations=7, extra_projections=8), st.data())
def test_the_loop_is_closed_and_demands_the_period(network: Network, data) -> None:
    reason = period_reason(network)
    assert reason.period == schedule(network).period
    assert (reason.period > 1) == bool(reason.loop)
    for p, following in zip(reason.loop, (*reason.loop[1:], *reason.loop[:1])):
        assert p.target == following.source and p in network.projections
    if reason.loop:
        assert len({p.source for p in reason.loop}) == len(reason.loop)
        assert -(-len(reason.loop) // reason.delay) == reason.period
