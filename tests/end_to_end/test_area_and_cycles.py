"""The 40-128-10 chip of docs/performance.md keeps its promises: at most 4,000 cycles, 1,500 LUTs, 6e6 cycles x LUTs, no latch."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim.cycle_bounds import bounds
from spikeloom.sim.cycles import predict

BENCH = Path(__file__).resolve().parents[2] / "bench"
MOST_CYCLES, MOST_LUTS, LARGEST_PRODUCT = 4000, 1500, 6e6


@pytest.fixture(scope="module")
def bench():
    """The scripts of bench/, as the module that prints the tables."""
    sys.path.insert(0, str(BENCH))
    try:
        import fpga

        yield fpga
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture(scope="module")
def case(bench):
    """Network and clip of the bench."""
    return bench.small()


def total(case, chip) -> int:
    """Predicted cycles of the bench's clip."""
    return int(predict(chip, case.network, case.spikes, case.x).total.sum())


def test_the_bench_clip_has_the_published_amount_of_work(case):
    assert (case.events, case.count("layer0"), case.x.shape) == (292, 934, (1, 73, 40))
    assert 292 * 128 + 934 * 10 == 46_716
    first, second = case.network.populations[1:]
    assert len(np.unique(first.theta)) > 16 and len(np.unique(first.bias)) > 8  # parameters of each neuron, not constants
    assert [p.weight_bits for p in case.network.projections] == [6, 6]
    assert [p.size for p in (first, second)] == [128, 10]


def test_the_small_chip_takes_at_most_4000_cycles(bench, case):
    chip = bench.chosen(case)
    assert total(case, chip) <= MOST_CYCLES
    summary = bounds(chip, predict(chip, case.network, case.spikes, case.x))
    assert (summary.sops, summary.least_cycles, sum(summary.waited.values())) == (46_716, 292 * 128 // 16, summary.cycles)


def test_the_cycle_limit_would_catch_a_narrower_chip(case):
    """The limit is no formality: half the lanes, or a quarter of the update lanes, exceed it."""
    for lanes, update_lanes in (([8, 5], [2, 1]), ([16, 5], [1, 1])):
        assert total(case, plan(case.network, lanes=lanes, update_lanes=update_lanes, writable=False)) > MOST_CYCLES


def test_writes_counters_and_host_side_cost_no_cycle(bench, case):
    plain = total(case, bench.chosen(case))
    assert [total(case, bench.chosen(case, **options)) for options in ({"writable": True}, {"counters": True})] == [plain, plain]


@pytest.mark.slow
def test_the_core_takes_at_most_1500_luts_and_no_latch(bench, case):
    from spikeloom.hdl.core import Core

    chip = bench.chosen(case)
    area = bench.xc7_area(bench.Bare(Core(chip, pack(chip, case.network))))
    assert area.luts <= MOST_LUTS and area.latches == 0 and area.dsps == 0
    assert area.luts * total(case, chip) <= LARGEST_PRODUCT


@pytest.mark.slow
def test_a_gated_tile_takes_at_most_2_2_plain_ones_and_shifts_take_no_multiplier(bench):
    import models

    area = {v.name: bench.xc7_area(models.tile_of(v)) for v in models.variants() if v.lanes == 16 and "shift" in v.name}
    assert area["SpikGRU, alpha by a shift"].luts <= 2.2 * area["LIF, decay by a shift"].luts
    for name, found in area.items():
        # The product of a gate is the only one; a quarter of the lanes update.
        assert (found.dsps, found.latches) == (4 if "SpikGRU" in name else 0, 0), name


@pytest.mark.slow
def test_a_tile_of_activations_and_held_currents_takes_at_most_2_5_plain_ones_and_no_latch(bench):
    import models

    area = {v.name: bench.xc7_area(models.tile_of(v)) for v in models.hybrids() if v.name != "64 LIF to 64 LIF, held"}
    assert area["64 relu to 64 LIF, held"].luts <= 2.5 * area["64 LIF to 64 LIF"].luts
    assert all((found.latches, found.dsps) == (0, 16) for found in area.values())  # a product per lane, of graded events; none in the update


def test_the_count_of_latches_sees_one():
    sys.path.insert(0, str(BENCH))
    try:
        from synthesis import latches
    finally:
        sys.path.remove(str(BENCH))
    assert latches(Counter({"LDCE": 2, "LDPE": 1, "FDRE": 7})) == 3
