"""Scatter: sums of sparse synapses, the cycle of every word, no event lost, and empty rows for the next group."""

import random

import pytest

from spikeloom.hdl.scatter import Scatter, sparse_word_layout
from spikeloom.spec.arithmetic import bits_signed
from spikeloom.spec.tile import SPARSE

from .harness import simulate
from .small_tiles import group, small_tile, sparse_memories, sparse_of, sparse_words

PAYLOADS = {"unit": (1, 1), "sign": (-1, 1), "negative": (-1, -1), "graded": (-6, 5), "wide": (-256, 255)}
WEIGHT_BITS = 5
AHEAD = 8  # events under way at most


class Case:
    """A tile of groups (neurons, fan-outs of the sparse axons), with random synapses: ``synapses[group][axon]`` is {neuron: weight}."""

    def __init__(self, kind, groups, lanes=4, seed=0):
        rng, low = random.Random(seed), -(1 << WEIGHT_BITS - 1)
        self.synapses = [[{n: rng.choice((low, -1, 1, -low - 1)) for n in rng.sample(range(size), fan_out)} for fan_out in fan_outs]
                         for size, fan_outs in groups]
        specs = [sparse_of(listed, lanes, WEIGHT_BITS) for listed in self.synapses]
        largest = max(abs(p) for p in PAYLOADS[kind]) * -low * max(len(listed) for listed in self.synapses)
        self.tile = small_tile([group(size, 2, sparse=spec if spec.words else None) for (size, _), spec in zip(groups, specs)], lanes=lanes,
                               payload_min=PAYLOADS[kind][0], payload_max=PAYLOADS[kind][1], weight_bits=WEIGHT_BITS,
                               accumulator_bits=bits_signed(-largest, largest))
        self.payloads = [p for p in range(PAYLOADS[kind][0], PAYLOADS[kind][1] + 1) if p]

    @property
    def words(self):
        """Per group and axon its words."""
        return [[sparse_words(axon, self.tile.lanes) for axon in listed] for listed in self.synapses]

    def memories(self):
        """Contents of both memories."""
        return sparse_memories(self.tile, [axon for listed in self.synapses for axon in listed])

    def sums(self, g, events):
        """``[row][lane]``: what a list of events of a group leaves."""
        tile = self.tile
        rows = [[0] * tile.lanes for _ in range(tile.rows(g))]
        for axon, payload in events:
            for neuron, weight in self.synapses[g][axon].items():
                rows[neuron // tile.lanes][neuron % tile.lanes] += payload * weight
        return rows


def play(case, lists, gaps=0.0, seed=1, memories=None, write=False, late=0):
    """Lists (group, events) one after the other as the walker does: each asked for, scattered, its rows taken in as many cycles.

    Checks room, the cycle of ``scattered`` and all sums; ``late`` is added to what is expected of ``scattered``. Returns what the counters'
    outputs showed per list, (words, synapses, multiplied), and the cycle of each list's last word from its first cycle on.
    """
    tile, rng, axon_words = case.tile, random.Random(seed), case.words
    sparse, pointers = memories or case.memories()
    dut = Scatter(tile, *(([], []) if write else (sparse, pointers)))
    counted, lengths = [[0, 0, 0] for _ in lists], []
    # From a row's first cycle to the cycle in which it is taken: as many as an event takes from the walk to the accumulators.
    to_take = tile.front_latency - 1
    number = {g: k for k, (g, port) in enumerate(tile.lists) if port == SPARSE}

    async def bench(ctx):
        cycle = 0
        taking, observed = {}, {}  # cycle: (list, row); cycle: list whose word is known to the counters then

        async def clock():
            nonlocal cycle
            ctx.set(dut.take, cycle in taking)
            if cycle in taking:
                where, row = taking.pop(cycle)
                ctx.set(dut.row, row)
                got = [ctx.get(dut.sums[lane]) for lane in range(tile.lanes)]
                assert got == case.sums(*lists[where])[row], f"list {where}, row {row}"
            assert ctx.get(dut.worked) == (cycle in observed), f"cycle {cycle}"
            if cycle in observed:
                totals = counted[observed.pop(cycle)]
                totals[0] += 1
                totals[1] += ctx.get(dut.synapses)
                totals[2] += ctx.get(dut.multiplied) * ctx.get(dut.synapses)
            await ctx.tick()
            cycle += 1

        for memory, words in ((dut.w_sparse, sparse), (dut.w_pointers, pointers)) if write else ():
            ctx.set(memory, 1)
            for address, word in enumerate(words):
                ctx.set(dut.w_address, address)
                ctx.set(dut.w_data, word)
                await clock()
            ctx.set(memory, 0)
        for where, (g, events) in enumerate(lists):
            ctx.set(dut.begin, 1)
            ctx.set(dut.count, len(events))
            await clock()
            ctx.set(dut.begin, 0)
            ctx.set(dut.count, rng.randrange(len(case.synapses[g]) + 1))  # that of another list: must not matter
            ctx.set(dut.list, number[g])
            began, asked, ends, free, event = cycle, 0, [], cycle, None
            while len(ends) < len(events) or cycle <= (ends or [began])[-1]:
                # One event is under way from the cycle after it was asked for, through its last word's.
                room = asked - sum(end < cycle for end in ends) < AHEAD
                assert ctx.get(dut.room) == room, f"list {where}, cycle {cycle - began}: {asked} asked for, words until {ends}"
                if event is not None:  # the queue delivers it one cycle after it was asked for
                    ctx.set(dut.event.axon, event[0])
                    if tile.payload_bits:
                        ctx.set(dut.event.payload, event[1] if tile.payload_kind == "graded" else int(event[1] < 0))
                fetch = room and asked < len(events) and rng.random() >= gaps
                ctx.set(dut.fetch, fetch)
                event = events[asked] if fetch else None
                if fetch:
                    words = len(axon_words[g][event[0]])
                    first = max(free, cycle + 3)
                    free = first + max(words, 1)
                    ends.append(free - 1)
                    observed.update((at + 2, where) for at in range(first, first + words))
                    asked += 1
                last = bool(events) and asked == len(events) and cycle == ends[-1] + late
                assert ctx.get(dut.scattered) == last, f"list {where}, cycle {cycle - began}: words until {ends}"
                await clock()
            lengths.append(cycle - began)
            # The rows begin in this cycle, each of one: the next list begins in the last of them.
            rows = range(tile.rows(g))
            taking.update((cycle + row + to_take, (where, row)) for row in rows)
            for _ in rows[1:]:
                await clock()
        while taking or observed:
            await clock()
        for row in range(max(tile.rows(g) for g, _ in lists)):
            ctx.set(dut.row, row)
            assert not any(ctx.get(dut.sums[lane]) for lane in range(tile.lanes)), "a row that was taken must be empty"

    simulate(dut, bench)
    return counted, lengths


def random_lists(case, count, rng):
    """Groups in any order, lists of any length, without an event too."""
    lists = []
    for _ in range(count):
        g = rng.choice([g for g, listed in enumerate(case.synapses) if listed])
        axons = rng.sample(range(len(case.synapses[g])), rng.choice((0, 1, rng.randint(0, len(case.synapses[g])), len(case.synapses[g]))))
        lists.append((g, [(axon, rng.choice(case.payloads)) for axon in axons]))
    return lists


def work(case, g, events):
    """(words, synapses, multiplied synapses) of a list."""
    synapses = [len(case.synapses[g][axon]) for axon, _ in events]
    return [sum(len(case.words[g][axon]) for axon, _ in events), sum(synapses),
            sum(n for n, (_, payload) in zip(synapses, events) if abs(payload) != 1)]


GROUPS = [(13, (0, 1, 13, 5, 3, 9, 0, 2, 4, 1, 6, 7)), (3, (1, 0, 2, 3)), (5, ()), (1, (1,)), (9, (9, 9, 1, 8, 0))]


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("gaps", [0.0, 0.4])
def test_sums_are_exact_and_words_come_when_they_should_whatever_the_gaps_and_groups(kind, gaps):
    case = Case(kind, GROUPS, seed=len(kind))
    lists = random_lists(case, 30, random.Random(3))
    counted, _ = play(case, lists, gaps)
    assert counted == [work(case, *what) for what in lists]
    assert len({g for g, _ in lists}) == 4 and any(not events for _, events in lists)


@pytest.mark.parametrize("lanes", [1, 3, 16])
def test_any_number_of_lanes(lanes):
    case = Case("graded", GROUPS, lanes=lanes)
    play(case, random_lists(case, 20, random.Random(4)), 0.2)


@pytest.mark.parametrize("fan_outs, cycles", [((4,), 3 + 1), ((0,), 3 + 1), ((12,), 3 + 3), ((0, 0, 0), 3 + 3), ((12, 12, 12, 12), 3 + 12),
                                              ((4,) * 20, 3 + 20), ((0, 12, 4, 0, 12), 3 + 9), ((12,) * 9, 3 + 27)])
def test_a_list_takes_three_cycles_and_those_of_its_words_and_an_axon_without_any_takes_one(fan_outs, cycles):
    case = Case("unit", [(12, fan_outs)])  # 4 lanes: neurons 0..3 are in row 0, so 4 synapses can take a word or more
    for axon, fan_out in enumerate(fan_outs):
        case.synapses[0][axon] = {n: 3 for n in range(fan_out)}
    case.tile = small_tile([group(12, 2, sparse=sparse_of(case.synapses[0], 4, WEIGHT_BITS))])
    _, lengths = play(case, [(0, [(axon, 1) for axon in range(len(fan_outs))])] * 2)
    assert lengths == [cycles] * 2


@pytest.mark.parametrize("kind, latency", [("unit", 3), ("sign", 3), ("graded", 4)])
def test_a_word_is_in_the_accumulators_three_or_four_cycles_after_its_own(kind, latency):
    case = Case(kind, [(3, (3,))])
    tile, dut = case.tile, Scatter(case.tile, *case.memories())
    payload = case.payloads[0]

    async def bench(ctx):
        ctx.set(dut.count, 1)
        ctx.set(dut.begin, 1)
        await ctx.tick()
        ctx.set(dut.begin, 0)
        ctx.set(dut.list, tile.list_of(0, SPARSE))
        ctx.set(dut.fetch, 1)
        await ctx.tick()
        ctx.set(dut.fetch, 0)
        if tile.payload_bits:
            ctx.set(dut.event.payload, payload if kind == "graded" else int(payload < 0))
        await ctx.tick()
        await ctx.tick()
        assert ctx.get(dut.scattered)
        want = case.sums(0, [(0, payload)])[0]
        assert 0 not in want[:3]
        for cycle in range(latency + 1):
            got = [ctx.get(dut.sums[lane]) for lane in range(tile.lanes)]
            assert got == (want if cycle == latency else [0] * tile.lanes), f"{cycle} cycles after the word's"
            await ctx.tick()

    simulate(dut, bench)


def test_a_list_of_the_most_events_and_words_fills_what_is_under_way_and_loses_none():
    case = Case("graded", [(40, (40,) * 30)], seed=5)  # 10 words each: eight events are under way all the time
    lists = [(0, [(axon, case.payloads[axon % 9]) for axon in range(30)])] * 2
    counted, lengths = play(case, lists)
    assert counted == [work(case, *what) for what in lists] and lengths == [3 + 300] * 2


def test_written_memories_are_used():
    case = Case("sign", GROUPS, seed=9)
    play(case, random_lists(case, 12, random.Random(5)), write=True)


def test_the_check_refutes_a_wrong_weight_a_wrong_pointer_and_another_cycle():
    case = Case("unit", GROUPS, seed=2)
    lists = [(0, [(axon, 1) for axon in range(12)]), (1, [(axon, 1) for axon in range(4)])]
    sparse, pointers = case.memories()
    play(case, lists)
    for memory, address, bit in ((sparse, 2, case.tile.row_bits), (sparse, 7, 0), (pointers, 2, 0), (pointers, 3, case.tile.pointer_bits[0])):
        wrong = [list(sparse), list(pointers)]
        wrong[memory is pointers][address] ^= 1 << bit
        with pytest.raises(AssertionError):
            play(case, lists, memories=wrong)
    with pytest.raises(AssertionError, match="words until"):
        play(case, lists, late=1)


def test_the_layout_of_a_word_is_row_below_weight_lane_by_lane():
    case = Case("unit", GROUPS)
    layout = sparse_word_layout(case.tile)
    word = case.words[0][2][1]
    values = [{"row": row, "weight": weight} for row, weight in word]
    assert layout.const(values).as_bits() == case.memories()[0][len(case.words[0][1]) + 1]
