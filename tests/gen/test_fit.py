"""The search for lanes and tiles: nothing is left out, the best is the best, and what is refused is told what would do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_networks

from spikeloom.gen import candidates as candidates_module
from spikeloom.gen.budget import estimate
from spikeloom.gen.candidates import Candidate, cycles_if_all_fire, every_candidate, lanes_to_try, longest_timestep, tiles_to_try
from spikeloom.gen.fit import AROUND, FILL, Goal, choose, usable
from spikeloom.gen.plan import plan
from spikeloom.gen.storage import choose_storage
from spikeloom.sim.cycles import cycles_of
from spikeloom.sim.stimulus import random_clips
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

LARGE = {"luts": 1_000_000, "ffs": 1_000_000, "brams": 10_000, "dsps": 10_000, "bram_bits": 18432}


def network(hidden: int = 12, outputs: int = 3, loop: bool = False) -> Network:
    rng = np.random.default_rng(5)
    neuron = {"model": Model.LIF, "decay": Decay(shift_a=3), "reset": Reset.SUBTRACT, "v_bits": 12}
    pairs = [("x", "h", (hidden, 7), 0), ("h", "o", (outputs, hidden), 0)] + [("o", "h", (hidden, outputs), 1)] * loop
    return Network(name="n", populations=(
        Population(name="x", size=7, model=Model.INPUT), Population(name="h", size=hidden, theta=8, **neuron),
        Population(name="o", size=outputs, theta=8, readout=Readout.COUNT, **neuron),
    ), projections=tuple(Projection(source=a, target=b, weights=rng.integers(-4, 8, shape), weight_bits=4, delay=d) for a, b, shape, d in pairs))


def by_force(net: Network, clips, lanes, tiles) -> list[tuple[float, int, dict[str, int]]]:
    """(cycles per timestep, longest timestep, estimate) of every chip, without anything of the search."""
    found = []
    for p in lanes:
        for n in tiles:
            try:
                stored, _ = choose_storage(net, lanes=p, tiles=n)
                chip = plan(stored, lanes=p, tiles=n)
            except CapacityError:
                continue
            report = cycles_of(chip, stored, clips.dense())
            phases = report.cycles.tolist()
            longest = max(sum(row[t:t + chip.period]) for row in phases for t in range(0, len(row) - chip.period + 1, chip.period))
            found.append((int(report.total.sum()) / (clips.n_clips * clips.n_steps), longest, estimate(chip)))
    return found


def area(needed: dict[str, int]) -> tuple[int, int, int]:
    return needed["luts"], needed["brams"], needed["dsps"]


def check_is_best(forced: list[tuple[float, int, dict[str, int]]], rate: float | None, budget: dict[str, int], tried: list[Candidate]) -> None:
    """AssertionError unless the choice of a search is what brute force finds best."""
    room = {name: int(budget[name] * FILL[name]) - AROUND[name] for name in ("luts", "ffs", "brams", "dsps")}
    clock = 1e6
    fitting = [f for f in forced
               if all(f[2][name] <= room[name] for name in room) and (rate is None or f[1] * rate <= clock)]
    if not fitting:
        with pytest.raises(CapacityError):
            choose(tried, Goal(clock_hz=clock, rate=rate), budget, "b")
        return
    chosen = choose(tried, Goal(clock_hz=clock, rate=rate), budget, "b").chosen
    if rate is None:
        fastest = min(f[0] for f in fitting)
        assert chosen.cycles <= 1.01 * fastest
        assert area(chosen.needed) == min(area(f[2]) for f in fitting if f[0] <= 1.01 * fastest)
    else:
        assert area(chosen.needed) == min(area(f[2]) for f in fitting)
        assert chosen.longest * rate <= clock


NET = network(hidden=4, outputs=2, loop=True)
SPACE = (1, 2, 4), (None, 1, 2, 3, 4, 5, 6)


@pytest.fixture(scope="module")
def tried() -> list[Candidate]:
    return list(every_candidate(NET, random_clips(NET, n_clips=2, n_steps=6)))


@pytest.fixture(scope="module")
def forced() -> list[tuple[float, int, dict[str, int]]]:
    return by_force(NET, random_clips(NET, n_clips=2, n_steps=6), *SPACE)


@pytest.mark.parametrize("rate", [None, 1.0, 26_000.0, 30_000.0, 36_000.0, 38_000.0, 1e6])
@pytest.mark.parametrize("luts", [2_000, 2_300, 2_600, 3_200, 3_800, 1_000_000])
def test_the_choice_equals_brute_force_over_all_lanes_and_tiles(forced, tried, rate, luts) -> None:
    check_is_best(forced, rate, {**LARGE, "luts": luts}, tried)


def test_a_search_that_leaves_out_chips_is_found_by_that_check(forced, tried) -> None:
    best = choose(tried, Goal(clock_hz=1e6), LARGE, "b").chosen
    quick = [c for c in tried if c.cycles > 1.01 * best.cycles]
    with pytest.raises(AssertionError):
        check_is_best(forced, None, LARGE, quick)
    small = choose(tried, Goal(clock_hz=1e6, rate=1.0), LARGE, "b").chosen
    with pytest.raises(AssertionError):
        check_is_best(forced, 1.0, LARGE, [c for c in tried if c.needed != small.needed])
    lying = [replace(c, longest=1) for c in tried]
    with pytest.raises(AssertionError):
        check_is_best(forced, 36_000.0, LARGE, lying)


def test_every_number_of_tiles_and_lanes_is_tried_and_each_chip_once(forced, tried, monkeypatch) -> None:
    assert lanes_to_try(NET) == SPACE[0] and tiles_to_try(NET) == SPACE[1]
    assert {len(c.per_tile) for c in tried} == set(range(1, 7)) and len({(c.per_tile, c.cycles, area(c.needed)) for c in tried}) == len(tried)
    assert {(c.cycles, c.longest, area(c.needed)) for c in tried} == {(c, longest, area(needed)) for c, longest, needed in forced}
    steps: list[tuple[int, int]] = []
    few = list(every_candidate(NET, random_clips(NET, n_clips=1, n_steps=2), lanes=(4,), tiles=(2, 3, 99), progress=lambda *s: steps.append(s)))
    assert [(c.lanes, c.tiles) for c in few] == [(4, 2), (4, 3)] and steps == [(1, 3), (2, 3), (3, 3)]
    monkeypatch.setattr(candidates_module, "MOST_TILES", 2)
    assert tiles_to_try(NET) == (None, 1, 2)


def test_if_not_one_chip_can_be_planned_the_reason_is_given() -> None:
    with pytest.raises(CapacityError, match="99 tiles are asked for, and the network has 6 neurons"):
        list(every_candidate(NET, random_clips(NET, n_clips=1, n_steps=2), tiles=(99,)))


@settings(max_examples=8)
@given(st.data())
def test_no_activity_takes_longer_than_if_all_fired(data) -> None:
    net = data.draw(random_networks())
    chip = plan(net)
    x = random_clips(net, n_clips=1, n_steps=6, density=data.draw(st.sampled_from((0.1, 1.0)))).dense()
    assert longest_timestep(chip, cycles_of(chip, net, x).cycles) <= cycles_if_all_fire(chip, net, 6)


def test_a_timestep_of_two_phases_is_as_long_as_both() -> None:
    chip = plan(network(loop=True))
    assert chip.period == 2
    assert longest_timestep(chip, np.array([[3, 5, 4, 4, 9]])) == 8


def test_what_a_chip_may_take_is_the_device_less_what_is_around_it() -> None:
    assert usable({"luts": 10_000, "brams": 30, "bram_bits": 4096}) == {"luts": 7_600, "brams": 28}
    assert usable({}) == {}
    with pytest.raises(ValueError, match="must be above 0"):
        Goal(clock_hz=1e6, rate=0)


def test_the_lowest_clock_is_that_of_the_longest_timestep(tried) -> None:
    fit = choose(tried, Goal(clock_hz=1e6, rate=100.0), LARGE, "b")
    assert fit.lowest_clock_hz == 100 * fit.chosen.longest
    assert fit.steps_per_second == pytest.approx(1e6 / fit.chosen.cycles)
    assert choose(tried, Goal(clock_hz=1e6), LARGE, "b").lowest_clock_hz is None
    # With that clock, and with none below it, the same chip is enough.
    alone = [fit.chosen]
    assert choose(alone, Goal(clock_hz=fit.lowest_clock_hz, rate=100.0), LARGE, "b").chosen is fit.chosen
    with pytest.raises(CapacityError):
        choose(alone, Goal(clock_hz=fit.lowest_clock_hz - 1, rate=100.0), LARGE, "b")


def test_what_does_not_fit_is_told_the_nearest_chip_and_what_would_do(tried) -> None:
    tiny = {"luts": 2_000, "ffs": 4_000, "brams": 30, "dsps": 8, "bram_bits": 4096}
    with pytest.raises(CapacityError) as caught:
        choose(tried, Goal(clock_hz=1e6), tiny, "tiny", {"large": LARGE, "none": {}, "small": tiny})
    text = str(caught.value)
    least = min(c.needed["luts"] for c in tried)
    assert text.startswith(f"No chip of this network fits tiny. Of {len(tried)} that were tried, 1 to 6 tiles of 1 to 4 lanes, the nearest is ")
    assert f": {least} LUTs needed and 800 available (estimated; of the device's 2000 LUTs, 4000 flip-flops, 30 block RAMs, 8 multipliers" in text
    assert text.endswith("It would fit with the board large.")
    with pytest.raises(CapacityError, match="Neither narrower weights nor another board would do: take a smaller network"):
        choose(tried, Goal(clock_hz=1e6), tiny, "tiny")


def test_narrower_weights_are_proposed_where_they_would_do() -> None:
    net = network(hidden=256)
    wide = replace(net, projections=tuple(replace(p, weights=p.weights * 15, weight_bits=8) for p in net.projections))
    tried = list(every_candidate(wide, random_clips(wide, n_clips=1, n_steps=2), lanes=(64,), tiles=(2,), storage="dense"))
    budget = {"luts": 1_000_000, "brams": tried[0].needed["brams"] + 1, "bram_bits": 18432}  # two are for what is around
    nearest = r"the nearest is 1 tile of 64 lanes and 1 tile of 3 lanes: .*with weights of \d bits \(quantize --weight-bits \d\)"
    with pytest.raises(CapacityError, match=nearest):
        choose(tried, Goal(clock_hz=1e6), budget, "b")


def test_what_is_too_slow_is_told_the_rate_the_clock_and_the_boards_that_would_do(tried) -> None:
    fastest = min(c.longest for c in tried)
    fits_one = {**LARGE, "luts": 2_400}
    with pytest.raises(CapacityError) as caught:
        choose(tried, Goal(clock_hz=1e6, rate=1e6 // fastest), fits_one, "slow", {"large": LARGE})
    text = str(caught.value)
    nearest = min(c.longest for c in choose(tried, Goal(clock_hz=1e6), fits_one, "b").fitting)
    assert f"No chip that fits slow keeps {1e6 // fastest:g} timesteps per second at 1 MHz." in text
    assert f"takes {nearest} cycles, and {1e6 // (1e6 // fastest):g} are available" in text
    assert f"a rate of {1e6 // nearest:g}, or a clock of " in text and text.endswith("or the board large (at 1 MHz).")
    with pytest.raises(CapacityError, match="No chip of this network, however large, is fast enough"):
        choose(tried, Goal(clock_hz=1e6, rate=1e6), LARGE, "slow", {"large": LARGE})
