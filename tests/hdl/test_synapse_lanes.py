"""SynapseLanes: exact sums of payload times weight (or codebook entry), of one port or two, handed over in the stated cycle."""

import random
from dataclasses import replace

import pytest

from spikeloom.hdl.synapse_lanes import SynapseLanes, weight_row_layout
from spikeloom.spec.arithmetic import bits_signed
from spikeloom.spec.tile import MAIN, SIDE, SPARSE, SparseSpec

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


def run(dut, tile, rows, lists=None, left=None):
    """Play rows of cycles (address, payload; None where there is no event); returns (cycle, sums) of each hand-over, which ``handing``
    must announce in the cycle before; with side lists (cycle, sums, side_sums). No gaps.

    ``lists`` are the event lists of the rows (default: the first), ``left`` what sparse synapses left to each of port ``i`` to begin with.
    """
    lists = lists or [0] * len(rows)
    beats = [(k == len(row) - 1, *event, number, k == 0 and tile.lists[number][1] == MAIN, where)
             for where, (row, number) in enumerate(zip(rows, lists)) for k, event in enumerate(row)]
    handed, announced, rng = [], False, random.Random(4)
    to_accumulators = 3 if tile.payload_kind == "graded" else 2

    async def bench(ctx):
        nonlocal announced
        for cycle in range(len(beats) + 6):
            last, address, payload, number, begins, where = beats[cycle] if cycle < len(beats) else (False, 0, None, 0, False, 0)
            ctx.set(dut.last, last)
            ctx.set(dut.valid, payload is not None)
            ctx.set(dut.address, address)
            ctx.set(dut.list, number)
            if payload is not None and tile.payload_bits:
                ctx.set(dut.event.payload, payload if tile.payload_kind == "graded" else int(payload < 0))
            if left is not None:
                ctx.set(dut.begins, begins)
                ctx.set(dut.row, where % tile.rows(0))
                at = cycle - to_accumulators  # the event that is added now
                took, row = beats[at][-2:] if 0 <= at < len(beats) else (False, 0)
                assert ctx.get(dut.took) == took, f"cycle {cycle}"
                if took:
                    assert ctx.get(dut.took_row) == row % tile.rows(0)
                for lane in range(tile.lanes):
                    ctx.set(dut.before[lane], left[row][lane] if took else rng.randint(-9, 9))  # looked at in that cycle only
            assert ctx.get(dut.handed) == announced, "a hand-over must be announced one cycle before"
            announced = ctx.get(dut.handing)
            if ctx.get(dut.handed):
                shown = (dut.sums, dut.side_sums)[:1 + tile.has_sides]
                handed.append((cycle, *([ctx.get(sums[lane]) for lane in range(tile.lanes)] for sums in shown)))
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


BOOKS = {1: ((-1, 1), (0, 127)), 2: ((-128, 0, 3), (-7, -2, 5, 90)), 3: ((-50, -3, -1, 0, 1), tuple(range(-4, 4))),
         4: (tuple(range(-128, 128, 17)), (-5, -3, 0, 2, 4, 8, 16, 32, 64))}


def mixed(payloads, groups, weight_bits, books=None, lanes=3, seed=0, extreme=False):
    """A tile of groups (axons, side axons, sparse axons), all of two rows, with random words: its plan, and what is stored, ``[word][lane]``.

    ``books`` are the codebooks of its lists that have one.
    """
    rng = random.Random(seed)
    specs = [group(lanes * 2, axons, side_axons=side, sparse=SparseSpec(words=(1,) * n, synapses=(1,) * n, weight_bits=4) if n else None)
             for axons, side, n in groups]
    tile = small_tile(specs, lanes=lanes, payload_min=payloads[0], payload_max=payloads[1], weight_bits=weight_bits)
    words, codebooks, largest = [], [], 200  # of what sparse synapses leave
    for k, (_, port) in enumerate(tile.lists):
        book = (books or {}).get(k, ()) if port != SPARSE else ()
        codebooks.append(book)
        low = -(1 << weight_bits - 1)
        entries = range(len(book)) if book else range(low, -low)
        entries = (entries[0], entries[-1]) if extreme else entries
        n_words = 2 * tile.list_axons(k) if port != SPARSE else 0
        words += [[rng.choice(entries) for _ in range(lanes)] for _ in range(n_words)]
        largest = max(largest, max(map(abs, book or (low,))) * max(map(abs, payloads)) * max(n_words, 1))
    changes = {"accumulator_bits": bits_signed(-2 * largest, 2 * largest), "codebooks": tuple(codebooks) if any(codebooks) else ()}
    return small_tile(specs, lanes=lanes, payload_min=payloads[0], payload_max=payloads[1], weight_bits=weight_bits, **changes), words


def stored(tile, words):
    """The words of the memory: two's complement or index, lane 0 lowest."""
    mask = (1 << tile.weight_bits) - 1
    return [sum((value & mask) << lane * tile.weight_bits for lane, value in enumerate(word)) for word in words]


def play(tile, words, payloads, count=60, seed=5):
    """Random rows of random groups: of each the side list, then its own. Returns what was handed over, and what had to be."""
    rng, rows, lists, left, expected, cycle, side = random.Random(seed), [], [], [], [], -1, None
    latency = 4 if tile.payload_kind == "graded" else 3
    choices = [p for p in range(payloads[0], payloads[1] + 1) if p]
    for _ in range(count):
        g = rng.randrange(len(tile.groups))
        for number in (k for port in (SIDE, MAIN) for k, where in enumerate(tile.lists) if where == (g, port)):
            first, n_words = tile.weight_base(number), 2 * tile.list_axons(number)
            length = rng.choice((1, 1, 2, 5, 9))
            empty = rng.choice((0, 0, rng.randint(0, length), length)) if n_words else length
            row = [(first + rng.randrange(n_words) if n_words else 0, rng.choice(choices) if k >= empty else None) for k in range(length)]
            book = tile.codebook(number)
            start = [rng.randint(-200, 200) if tile.has_sparse and tile.lists[number][1] == MAIN else 0 for _ in range(tile.lanes)]
            sums = [start[lane] + sum(payload * (book[words[address][lane]] if book else words[address][lane]) for address, payload in row if payload)
                    for lane in range(tile.lanes)]
            cycle += length
            if tile.lists[number][1] == SIDE:
                side = sums
            elif not tile.has_sides:
                expected.append((cycle + latency, sums))
            else:
                expected.append((cycle + latency, sums, side or [0] * tile.lanes))
            rows.append(row)
            lists.append(number)
            left.append(start)
    got = run(SynapseLanes(tile, stored(tile, words)), tile, rows, lists, left if tile.has_sparse else None)
    return got, expected


@pytest.mark.parametrize("kind", PAYLOADS)
def test_sums_of_a_second_port_stay_until_its_next_row_and_are_handed_over_with_those_of_the_first(kind):
    tile, words = mixed(PAYLOADS[kind], [(4, 3, 0), (2, 0, 0), (1, 5, 0)], weight_bits=5)
    got, expected = play(tile, words, PAYLOADS[kind])
    assert got == expected
    assert len(expected) == 60 and len({tuple(side) for _, _, side in expected}) > 10


@pytest.mark.parametrize("bits", BOOKS)
@pytest.mark.parametrize("kind", ["unit", "sign", "wide"])
def test_indices_of_several_codebooks_and_plain_weights_share_a_memory(bits, kind):
    one, other = BOOKS[bits]
    books = {0: one, 1: other, 3: one}  # list 2 holds weights of as many bits; of 1 bit there are none
    if bits == 1:
        books[2] = other
    tile, words = mixed(PAYLOADS[kind], [(4, 3, 0), (5, 0, 0), (6, 0, 0)], bits, books, seed=bits)
    assert tile.lists == ((0, MAIN), (0, SIDE), (1, MAIN), (2, MAIN)) and len(set(tile.codebooks)) == 2 + (bits > 1)
    got, expected = play(tile, words, PAYLOADS[kind])
    assert got == expected


@pytest.mark.parametrize("kind", PAYLOADS)
def test_one_codebook_of_all_lists(kind):
    book = BOOKS[4][0]
    tile, words = mixed(PAYLOADS[kind], [(4, 0, 0), (5, 0, 0)], 4, {0: book, 1: book}, extreme=True)
    got, expected = play(tile, words, PAYLOADS[kind])
    assert got == expected


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("groups, bits, books", [
    ([(4, 0, 3)], 5, {}), ([(0, 0, 1)], 1, {}), ([(4, 2, 1), (3, 0, 0), (0, 4, 2)], 5, {}), ([(4, 2, 1), (3, 0, 0), (2, 0, 2)], 3, {0: BOOKS[3][0]})])
def test_rows_begin_with_the_sums_of_sparse_synapses_in_the_cycle_of_their_first_event(groups, bits, books, kind):
    tile, words = mixed(PAYLOADS[kind], groups, bits, books)
    got, expected = play(tile, words, PAYLOADS[kind])
    assert got == expected


def test_the_check_refutes_another_entry_of_a_codebook_and_another_index():
    tile, words = mixed((-6, 5), [(4, 2, 1), (3, 0, 0), (2, 0, 2)], 3, {0: BOOKS[3][0], 4: BOOKS[3][1]})
    got, expected = play(tile, words, (-6, 5))
    assert got == expected
    first, *others = tile.codebooks
    other = replace(tile, codebooks=((*first[:2], 7, *first[3:]), *others))
    assert play(other, words, (-6, 5))[1] != expected
    wrong = [list(word) for word in words]
    wrong[0][1] = (wrong[0][1] + 1) % 5
    assert play(tile, wrong, (-6, 5))[1] != expected


def test_the_check_refutes_a_wrong_weight():
    tile, words = make((1, 1))
    rows = [[(address, 1)] for address in range(len(words))]
    wrong = [list(word) for word in words]
    wrong[5][1] ^= 1
    assert run(SynapseLanes(tile, initial(tile, words)), tile, rows) != run(SynapseLanes(tile, initial(tile, wrong)), tile, rows)
