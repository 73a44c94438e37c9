# amaranth: UnusedElaboratable=no
"""Answer: the best readout and its lead, cycle by cycle, beside readouts that come at any pace."""

from __future__ import annotations

import random

import pytest

from spikeloom.hdl.answer import Answer, answer_fields, answering

from .harness import simulate
from .output_port import ALL, SIZES, make


def expected(values, smallest=False):
    """(index, confidence) by sorting."""
    order = sorted(range(len(values)), key=lambda k: (values[k] if smallest else -values[k], k))
    return order[0], abs(values[order[0]] - values[order[1]]) if len(values) > 1 else 0


def run(chip, reads, seed=0, wait=0):
    """Show the words of each READ, all outputs one after the other, with up to ``wait`` cycles before each.

    Returns (valid, index, confidence) of every cycle, and the cycles in which the last words were taken, and in which ``renew`` was high.
    """
    dut, rng, shown, lasts, renewed = Answer(chip), random.Random(seed), [], [], []

    async def tick(ctx, taken=0, renew=0, word=None):
        ctx.set(dut.taken, taken)
        ctx.set(dut.renew, renew)
        ctx.set(dut.word, word or {"population": rng.randrange(len(chip.outputs)), "neuron": 0, "value": -1, "last": rng.randrange(2)})
        shown.append((ctx.get(dut.valid), ctx.get(dut.index), ctx.get(dut.confidence)))
        await ctx.tick()

    async def bench(ctx):
        for words in reads:
            await tick(ctx, renew=1)
            renewed.append(len(shown) - 1)
            numbered = [(output, neuron, value) for output, values in words for neuron, value in enumerate(values)]
            for k, (output, neuron, value) in enumerate(numbered):
                for _ in range(rng.randint(0, wait)):
                    await tick(ctx)
                await tick(ctx, 1, 0, {"population": output, "neuron": neuron, "value": value, "last": k == len(numbered) - 1})
            lasts.append(len(shown) - 1)
            for _ in range(rng.randint(0, 3)):
                await tick(ctx)
        await tick(ctx)

    simulate(dut, bench)
    return shown, lasts, renewed


def valid_cycles(shown):
    return [cycle for cycle, (valid, *_) in enumerate(shown) if valid]


def answers(shown, lasts):
    """What is shown in the cycle after the last word of each READ."""
    return [shown[cycle + 1] for cycle in lasts]


def random_words(chip, rng):
    """Readouts of all outputs, often equal ones."""
    words = []
    for number, o in enumerate(chip.outputs):
        low, high = (-(1 << o.readout_bits - 1), (1 << o.readout_bits - 1) - 1) if o.values else (0, 65535)
        some = [low, high, 3, rng.randint(low, high)]
        words += [(number, [rng.choice(some[: rng.randint(1, 4)]) for _ in range(o.n_values)])] if o.n_values else []
    return words


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("none", "poll", "wide")])
@pytest.mark.parametrize("wait", [0, 3])
def test_the_answer_is_the_best_of_the_last_population_with_readouts(name, wait):
    chip = make("poll" if name == "vote" else "vote", "wide" if name == "sum" else "sum", name, "none")
    rng = random.Random(len(name))
    reads = [random_words(chip, rng) for _ in range(40)]
    shown, lasts, renewed = run(chip, reads, wait=wait)
    assert answering(chip) == len(chip.outputs) - 2
    assert answers(shown, lasts) == [(1, *expected(words[-1][1], name == "first")) for words in reads]
    # Valid from the cycle after the last word through that of renew, and what is shown then stays.
    spans = [range(last + 1, end + 1) for last, end in zip(lasts, [*renewed[1:], len(shown) - 1])]
    assert valid_cycles(shown) == [cycle for span in spans for cycle in span]
    assert all(len({shown[cycle] for cycle in span}) == 1 for span in spans)


@pytest.mark.parametrize("name, values, index, confidence", [
    ("count", (3, 7, 7, 1), 1, 0), ("count", (7, 3, 1, 7), 0, 0), ("count", (0, 0, 0, 0), 0, 0), ("count", (0, 65535, 0, 0), 1, 65535),
    ("count", (9, 5, 8, 7), 0, 1), ("first", (65535,) * 5, 0, 0), ("first", (7, 65535, 65535, 4, 9), 3, 3), ("first", (4, 9, 4, 9, 9), 0, 0),
    ("first", (65535, 65535, 0, 65535, 65535), 2, 65535), ("vote", (1, 2, 3, 4, 6), 4, 2), ("max", (-128, 127, -128), 1, 255),
    ("max", (-5, -9, -7), 0, 2), ("sum", (-(1 << 21), (1 << 21) - 1, 0, 0, 0, 0), 1, (1 << 21) - 1), ("last", (-256, -256, -256), 0, 0)])
def test_ties_go_to_the_lowest_index_with_no_confidence(name, values, index, confidence):
    assert (index, confidence) == expected(values, name == "first")
    shown, lasts, _ = run(make(name), [[(0, values)]])
    assert answers(shown, lasts) == [(1, index, confidence)]


@pytest.mark.parametrize("name, value", [("count", 99), ("first", 3), ("max", -128)])
def test_a_single_value_wins_without_confidence(name, value):
    chip = make("sum", name, sizes={**SIZES, name: 1})
    shown, lasts, _ = run(chip, [[(0, (1, 2, 3, 4, 5, 6)), (1, (value,))]] * 2)
    assert answers(shown, lasts) == [(1, 0, 0)] * 2


def test_a_chip_without_readouts_has_no_answer():
    assert answering(make("none")) is None and answer_fields(make("none")) == {}
    with pytest.raises(ValueError, match="Chip 'chip' must have a population with readouts for an answer"):
        Answer(make("none"))


def test_the_confidence_is_as_wide_as_the_difference_of_two_readouts():
    assert answer_fields(make("count")) == {"valid": 1, "index": 2, "confidence": 16}
    assert answer_fields(make("vote", "sum")) == {"valid": 1, "index": 3, "confidence": 22}
    assert answer_fields(make("max", "vote", "none")) == {"valid": 1, "index": 3, "confidence": 16}


def test_the_check_refutes_another_order_of_the_words():
    chip = make("count")
    shown, lasts, _ = run(chip, [[(0, (5, 9, 2, 1))]])
    assert answers(shown, lasts) != [(1, *expected((9, 5, 2, 1)))]
    assert answers(shown, lasts) != [(1, *expected((5, 8, 2, 1)))]

