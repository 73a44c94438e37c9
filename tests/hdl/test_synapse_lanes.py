"""SynapseLanes: exact sums of payload times weight, handed over in the stated cycle."""

import random

import pytest

from spikeloom.hdl.synapse_lanes import SynapseLanes, weight_row_layout
from spikeloom.spec.arithmetic import bits_signed

from .harness import simulate
from .small_tiles import group, small_tile

PAYLOADS = {"unit": (1, 1), "sign": (-1, 1), "negative": (-1, -1), "graded": (-6, 5), "positive": (1, 255), "wide": (-256, 255)}


def make(payloads, *, lanes=3, axons=9, rows=2, weight_bits=5, seed=0, extreme=False):
    """A tile with random weights: its plan, and the weights ``[word][lane]``."""
    rng, low = random.Random(seed), -(1 << weight_bits - 1)
    words = [[rng.choice((low, -low - 1)) if extreme else rng.randint(low, -low - 1) for _ in range(lanes)] for _ in range(axons * rows)]
    largest = max(abs(p) for p in payloads) * -low * axons * rows
    tile = small_tile([group(lanes * rows, axons)], lanes=lanes, payload_min=payloads[0], payload_max=payloads[1],
                      weight_bits=weight_bits, accumulator_bits=bits_signed(-largest, largest))
    return tile, words


def run(dut, tile, rows):
    """Play rows of cycles (address, payload; None where there is no event); returns (cycle, sums) of each hand-over, which ``handing``
    must announce in the cycle before. No gaps."""
    beats = [(k == len(row) - 1, *event) for row in rows for k, event in enumerate(row)]
    handed, announced = [], False

    async def bench(ctx):
        nonlocal announced
        for cycle in range(len(beats) + 6):
            last, address, payload = beats[cycle] if cycle < len(beats) else (False, 0, None)
            ctx.set(dut.last, last)
            ctx.set(dut.valid, payload is not None)
            ctx.set(dut.address, address)
            if payload is not None and tile.payload_bits:
                ctx.set(dut.event.payload, payload if tile.payload_kind == "graded" else int(payload < 0))
            assert ctx.get(dut.handed) == announced, "a hand-over must be announced one cycle before"
            announced = ctx.get(dut.handing)
            if ctx.get(dut.handed):
                handed.append((cycle, [ctx.get(dut.sums[lane]) for lane in range(tile.lanes)]))
            await ctx.tick()

    simulate(dut, bench)
    return handed


def initial(tile, words):
    return [weight_row_layout(tile).const(word).as_bits() for word in words]


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("extreme", [False, True])
def test_sums_are_exact_and_come_three_or_four_cycles_after_the_last_event(kind, extreme):
    payloads = PAYLOADS[kind]
    tile, words = make(payloads, extreme=extreme)
    rng = random.Random(7)
    choices = [p for p in ({*range(payloads[0], payloads[1] + 1)} if not extreme else payloads) if p]
    # Rows of 1 event up to all of them, some without, some with a few cycles without an event first.
    rows = []
    for _ in range(40):
        length = rng.choice((1, 1, 2, 5, len(words)))
        empty = rng.choice((0, 0, rng.randint(0, length), length))
        rows.append([(rng.randrange(len(words)), rng.choice(choices) if k >= empty else None) for k in range(length)])
    cycle, expected = -1, []
    for row in rows:
        cycle += len(row)
        sums = [sum(payload * words[address][lane] for address, payload in row if payload) for lane in range(tile.lanes)]
        expected.append((cycle + (4 if tile.payload_kind == "graded" else 3), sums))
    assert run(SynapseLanes(tile, initial(tile, words)), tile, rows) == expected


def test_a_row_without_events_hands_over_zeros():
    tile, words = make((1, 1))
    handed = run(SynapseLanes(tile, initial(tile, words)), tile, [[(0, 1), (1, 1)], [(2, None), (3, None)]])
    assert [sums for _, sums in handed] == [[a + b for a, b in zip(words[0], words[1])], [0] * tile.lanes]


def test_the_sums_stay_until_the_next_row_ends():
    tile, words = make((1, 1))
    dut, seen = SynapseLanes(tile, initial(tile, words)), []

    async def bench(ctx):
        for cycle in range(10):
            ctx.set(dut.valid, cycle in (0, 3, 4, 5))
            ctx.set(dut.last, cycle in (0, 5))
            ctx.set(dut.address, cycle)
            seen.append((ctx.get(dut.handed), ctx.get(dut.sums[0])))
            await ctx.tick()

    simulate(dut, bench)
    assert not any(handed for handed, _ in seen[:3])
    assert seen[3:8] == [(1, words[0][0]), *[(0, words[0][0])] * 4]
    assert seen[8] == (1, sum(words[k][0] for k in (3, 4, 5)))


def test_a_written_weight_is_used_and_no_other_changes():
    tile, words = make((1, 1))
    dut, replaced = SynapseLanes(tile, initial(tile, words)), [7, -16, 0]

    async def write(ctx):
        ctx.set(dut.w_valid, 1)
        ctx.set(dut.w_address, 4)
        ctx.set(dut.w_data, weight_row_layout(tile).const(replaced))
        await ctx.tick()
        ctx.set(dut.w_valid, 0)
        for address in range(len(words) + 3):
            ctx.set(dut.valid, address < len(words))
            ctx.set(dut.last, address < len(words))
            ctx.set(dut.address, min(address, len(words) - 1))
            if address >= 3:
                expected = replaced if address - 3 == 4 else words[address - 3]
                assert [ctx.get(dut.sums[lane]) for lane in range(tile.lanes)] == expected
            await ctx.tick()

    simulate(dut, write)


def test_the_check_refutes_a_wrong_weight():
    tile, words = make((1, 1))
    rows = [[(address, 1)] for address in range(len(words))]
    wrong = [list(word) for word in words]
    wrong[5][1] ^= 1
    assert run(SynapseLanes(tile, initial(tile, words)), tile, rows) != run(SynapseLanes(tile, initial(tile, wrong)), tile, rows)
