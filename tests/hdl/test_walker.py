"""Walker: one event per cycle, every row once, no gaps between rows and groups; a second list per row, and sparse lists before the rows."""

import random

import pytest

from spikeloom.hdl.walker import Walker
from spikeloom.spec.tile import MAIN, SIDE, SPARSE, SparseSpec

from .harness import simulate
from .small_tiles import group, small_tile

TILES = {
    "one group": small_tile([group(9, 6)]),
    "one neuron": small_tile([group(1, 1)], lanes=1),
    "three groups": small_tile([group(9, 6), group(4, 3), group(13, 11)]),
    "all beats at once": small_tile([group(9, 6), group(7, 1)], update_lanes=4),
    "wide": small_tile([group(40, 5), group(1, 8)], lanes=16, update_lanes=2),
    "fewer axons than beats": small_tile([group(20, 3), group(17, 2)], lanes=16, update_lanes=2),
}


def sparse(*words):
    """Sparse axons of so many words."""
    return SparseSpec(words=words, synapses=words, weight_bits=4)


MIXED = {
    "sides": small_tile([group(9, 6, side_axons=2), group(4, 3), group(13, 1, side_axons=11)]),
    "sides, all beats at once": small_tile([group(5, 2, side_axons=3), group(9, 4, side_axons=1)], update_lanes=4),
    "sparse": small_tile([group(9, 6, sparse=sparse(1, 0, 2)), group(4, 3), group(1, 2, sparse=sparse(*[1] * 12))]),
    "sparse, all beats at once": small_tile([group(3, 1, sparse=sparse(1)), group(2, 2, sparse=sparse(2, 1)), group(1, 1)], update_lanes=4),
    "only sparse": small_tile([group(9, 0, sparse=sparse(1, 0, 2))]),
    "sides and sparse": small_tile([group(9, 6, side_axons=2), group(4, 3, sparse=sparse(1, 1, 4)), group(6, 2, side_axons=5, sparse=sparse(0, 3)),
                                    group(13, 7)]),
    "sides and sparse, wide": small_tile([group(33, 0, side_axons=9, sparse=sparse(*range(20))), group(7, 3)], lanes=16, update_lanes=4),
    "shared": small_tile([group(9, 6, side_axons=2), group(9, 6), group(9, 6, sparse=sparse(1)), group(4, 3)], shared=(0, 1, 0, 0, 4, 5)),
}


class Expected:
    """What each cycle from 1 on must show, and for walked cycles the base of the weight row, which comes one cycle later.

    A sparse list lasts as long as its Scatter lets it: ``room`` and ``scattered`` of each such cycle are drawn here.
    """

    def __init__(self, tile, active, counts, clear, rng):
        self._tile, self._rng, self.cycles, self.bases, self.room, self.scattered = tile, rng, [], {}, {}, {}
        counts = [0] * len(counts) if clear else counts
        # Weight words lie list after list, those of a shared list where the first has them.
        at, bases = 0, {}
        for k, (g, port) in enumerate(tile.lists):
            owner = tile.shared[k] if tile.shared else k
            if owner == k and port != SPARSE:
                bases[k], at = at, at + tile.rows(g) * tile.list_axons(k)
            else:
                bases[k] = bases.get(owner)
        for g in range(len(tile.groups)):
            if active >> g & 1 or clear:
                listed = {port: k for k, (owner, port) in enumerate(tile.lists) if owner == g}
                if SPARSE in listed:
                    self._scatter(g, listed[SPARSE], counts[listed[SPARSE]])
                for row in range(tile.rows(g)):
                    for port in [port for port in (SIDE, MAIN) if port in listed]:
                        number = listed[port]
                        self._row(g, number, counts[number], row, bases[number] + row * tile.list_axons(number))

    def _row(self, g, number, count, row, base):
        main, last_row = self._tile.lists[number][1] == MAIN, row == self._tile.rows(g) - 1
        length = max(count, self._tile.beats)
        for k in reversed(range(length)):
            last = k == 0
            self.add(g, number, walking=1, index=k % (1 << self._tile.axon_bits), valid=k < count, last=last, side=not main,
                     done=last and last_row and main, first_row=row == 0, last_row=last_row, list_done=last and last_row,
                     begins=main and k == length - 1, row=row)
            self.bases[len(self.cycles)] = base

    def _scatter(self, g, number, count):
        left, wait, last = count, self._rng.choice((3, 4, 9)), False
        while not last:
            cycle = len(self.cycles) + 1
            self.room[cycle] = self._rng.random() < 0.7
            fetch = self.room[cycle] and left > 0
            wait -= left == 0
            self.scattered[cycle] = count > 0 and wait == 0
            last = count == 0 or self.scattered[cycle]
            self.add(g, number, scattering=1, fetch=fetch, list_done=last, **({"index": left - 1} if fetch else {}))
            left -= fetch

    def add(self, g, number, **shown):
        self.cycles.append({"group": g, "list": number, **shown})


SHOWN = ("scattering", "fetch", "walking", "valid", "last", "done", "side", "list_done")
ROW = ("first_row", "last_row", "begins", "row")


def walk(dut, tile, phases, seed=0):
    """Play phases (active, counts per list, clear) and compare every cycle with :class:`Expected`; returns how many cycles each took."""
    rng, lengths = random.Random(seed), []

    async def bench(ctx):
        for active, counts, clear in phases:
            expected = Expected(tile, active, counts, clear, rng)
            for cycle in range(len(expected.cycles) + 2):
                now = expected.cycles[cycle - 1] if 0 < cycle <= len(expected.cycles) else {}
                where = f"active {active:b}, counts {counts}, clear {clear}, cycle {cycle}"
                ctx.set(dut.start, cycle == 0)
                ctx.set(dut.active, active if cycle == 0 else rng.randrange(1 << len(tile.groups)))
                ctx.set(dut.clear, clear if cycle == 0 else rng.randrange(2))
                ctx.set(dut.room, expected.room.get(cycle, rng.randrange(2)))
                ctx.set(dut.scattered, expected.scattered.get(cycle, False))
                ctx.set(dut.count, counts[ctx.get(dut.next_list)])
                if cycle:
                    assert {name: ctx.get(getattr(dut, name)) for name in SHOWN} == {name: int(now.get(name, 0)) for name in SHOWN}, where
                    if now:
                        assert (ctx.get(dut.group), ctx.get(dut.list)) == (now["group"], now["list"]), where
                    if "index" in now:
                        assert ctx.get(dut.index) == now["index"], where
                    names = ROW if tile.has_sparse else ROW[:2]
                    if now.get("walking"):
                        assert {name: ctx.get(getattr(dut, name)) for name in names} == {name: int(now[name]) for name in names}, where
                    else:
                        assert not ctx.get(dut.begins), where
                if cycle - 1 in expected.bases:
                    assert ctx.get(dut.row_address) == expected.bases[cycle - 1], where
                following = expected.cycles[cycle] if cycle < len(expected.cycles) else {}
                begins = following.get("scattering", 0) and not (now.get("scattering") and not now.get("list_done"))
                assert ctx.get(dut.begin_scatter) == bool(begins), where
                if following and following["list"] != now.get("list"):
                    assert (ctx.get(dut.next_group), ctx.get(dut.next_list)) == (following["group"], following["list"]), where
                await ctx.tick()
            lengths.append(len(expected.cycles))
            for _ in range(rng.randrange(3)):
                await ctx.tick()

    simulate(dut, bench, max_cycles=30_000)
    return lengths


def random_phases(tile, count, rng):
    """Random groups with random numbers of events in their lists, none and all of them often."""
    axons = [tile.list_axons(k) for k in range(len(tile.lists))]
    return [(rng.randrange(1 << len(tile.groups)), [rng.choice((0, min(1, n), n, rng.randint(0, n))) for n in axons], rng.random() < 0.15)
            for _ in range(count)]


@pytest.mark.parametrize("name", [*TILES, *MIXED])
def test_every_active_group_is_walked_list_by_list_and_row_by_row(name):
    tile = {**TILES, **MIXED}[name]
    walk(Walker(tile), tile, random_phases(tile, 40, random.Random(2)))


def test_a_phase_takes_the_sum_of_the_longer_of_events_and_beats_over_all_rows():
    tile = TILES["three groups"]
    assert walk(Walker(tile), tile, [(0b111, [6, 3, 11], False)]) == [3 * 6 + 1 * 4 + 4 * 11]  # 4 beats per row: three events do not suffice


def test_a_second_list_is_walked_once_per_row_too_and_an_empty_sparse_list_takes_one_cycle():
    tile = MIXED["sides and sparse"]  # 3, 1, 2 and 4 rows
    assert [port for _, port in tile.lists] == [MAIN, SIDE, MAIN, SPARSE, MAIN, SIDE, SPARSE, MAIN]
    phases = [(0b1111, [0] * 8, False), (0b1111, [6, 2, 3, 0, 1, 5, 0, 7], False)]
    assert walk(Walker(tile), tile, phases) == [3 * (4 + 4) + 1 + 4 + 1 + 2 * (4 + 4) + 4 * 4, 3 * (4 + 6) + 1 + 4 + 1 + 2 * (5 + 4) + 4 * 7]


def test_with_clear_all_groups_are_walked_without_events():
    tile = TILES["three groups"]
    assert walk(Walker(tile), tile, [(0, [6, 3, 11], True)]) == [(3 + 1 + 4) * 4]


@pytest.mark.parametrize("change", ["index", "list_done", "row", "list"])
def test_the_check_refutes_another_walk(change, monkeypatch):
    tile, add = MIXED["sides and sparse"], Expected.add

    def other(self, g, number, **shown):
        if len(self.cycles) == 30 and shown.get("walking"):
            number += change == "list"
            shown[change] = shown.get(change, 0) ^ 1
        add(self, g, number, **shown)

    phases = random_phases(tile, 5, random.Random(2))
    walk(Walker(tile), tile, phases)
    monkeypatch.setattr(Expected, "add", other)
    with pytest.raises(AssertionError, match="cycle 3[01]"):
        walk(Walker(tile), tile, phases)
