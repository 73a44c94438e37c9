"""SelfTest: the signature of a right chip passes, and that of any other does not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from amaranth import *

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.readout import spike_port_layout
from spikeloom.hdl.self_test import SelfTest, _mix, _spike_word, program_words
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout
from spikeloom.spec.signature import mix, readout_words, signature, spike_words

from ..end_to_end.host_programs import random_clip
from .harness import simulate
from .output_port import make


def network(payloads=(1, 1), words=4, readout=Readout.SUM, most=1):
    """Inputs, a hidden population that is an output, and one with this readout; ``most`` is how often both may spike in a timestep."""
    values = {"model": Model.LI} if readout in (Readout.SUM, Readout.MAX) else {"model": Model.LIF, "theta": 70, "max_spikes": most}
    rng = np.random.default_rng(5)
    return Network(name="net", populations=(
        Population(name="x", size=8, model=Model.INPUT, payload_min=payloads[0], payload_max=payloads[1]),
        Population(name="h", size=10, model=Model.LIF, decay=Decay(shift_a=3), theta=25, v_bits=11, output=True, max_spikes=most),
        Population(name="y", size=words, decay=Decay(shift_a=2), v_bits=12, readout=readout, **values)),
        projections=(Projection(source="x", target="h", weights=rng.integers(-16, 32, (10, 8)), weight_bits=6),
                     Projection(source="h", target="y", weights=rng.integers(-16, 16, (words, 10)), weight_bits=5)))


def expected_signature(chip, net, x):
    result, words = golden.run(net, x[None], record=True), []
    for number, output in enumerate(chip.outputs):
        if output.population in result.spikes:
            spikes = result.spikes[output.population][0]
            t, n = np.nonzero(spikes)
            words.append(spike_words(np.full_like(n, number), n, t, spikes[t, n]))
        if output.readout is not Readout.NONE:
            values = result.readouts[output.population][0]
            words.append(readout_words(np.full_like(values, number), np.arange(len(values)), values))
    return signature(*words), result


def run(net, x, *, flip=False, expected=None, runs=2):
    """Play the clip ``runs`` times; returns (passed, failed, winner) after each."""
    chip = plan(net, lanes=4, tiles=2)
    image = pack(chip, net)
    right, result = expected_signature(chip, net, x)
    steps = [[(0, int(c), int(row[c])) for c in np.flatnonzero(row)] for row in x]
    if flip:  # the lowest bit of the weight from the busiest hidden neuron to the first output
        number, tile, group = next((k, tile, g) for k, tile in enumerate(chip.tiles) for g, spec in enumerate(tile.groups) if spec.population == "y")
        weights = image.tiles[number].weights.copy()
        weights[tile.weight_base(group) + int(result.spike_counts["h"][0].argmax()), 0] ^= 1
        tiles = list(image.tiles)
        tiles[number] = dataclasses.replace(tiles[number], weights=weights)
        image = dataclasses.replace(image, tiles=tuple(tiles))
    dut, verdicts = SelfTest(chip, image, program_words(chip, steps), right if expected is None else expected(right)), []

    async def bench(ctx):
        toggle = 0
        while len(verdicts) < runs:
            await ctx.tick()
            if ctx.get(dut.toggle) != toggle:
                toggle ^= 1
                verdicts.append((ctx.get(dut.passed), ctx.get(dut.failed), ctx.get(dut.winner)))

    simulate(dut, bench, max_cycles=20_000)
    return verdicts


@pytest.mark.parametrize("payloads", [(1, 1), (-3, 5)])
def test_a_right_chip_passes_again_and_again_and_names_the_winner(payloads):
    net = network(payloads)
    x = random_clip(net, 6, np.random.default_rng(1), 0.4)
    winner = int(golden.run(net, x[None]).answers[0])
    assert run(net, x) == [(1, 0, winner)] * 2


@pytest.mark.parametrize("readout", [Readout.COUNT, Readout.FIRST])
def test_the_winner_of_several_spikes_is_the_chip_s_answer_and_every_payload_counts(readout):
    net = network(readout=readout, most=3)
    x = random_clip(net, 6, np.random.default_rng(1), 0.5)
    result = golden.run(net, x[None], record=True)
    assert result.spikes["h"].max() == 3 and result.answers[0] > 0
    assert run(net, x) == [(1, 0, int(result.answers[0]))] * 2
    t, n = np.argwhere(result.spikes["h"][0] == 3)[0]
    once, thrice = (signature(spike_words(0, [n], [t], payload)) for payload in (1, 3))
    assert [v[:2] for v in run(net, x, expected=lambda right: (right - thrice + once) % (1 << 32))] == [(0, 1)] * 2


def test_another_signature_fails_in_every_run():
    net = network()
    x = random_clip(net, 6, np.random.default_rng(1), 0.4)
    assert [v[:2] for v in run(net, x, expected=lambda right: right ^ 1 << 31)] == [(0, 1)] * 2


def test_a_chip_without_readouts_has_the_winner_0():
    whole = network()
    net = Network(name="net", populations=whole.populations[:2], projections=whole.projections[:1])
    assert run(net, random_clip(net, 6, np.random.default_rng(1), 0.4)) == [(1, 0, 0)] * 2


def test_one_flipped_weight_fails():
    net = network()
    x = random_clip(net, 6, np.random.default_rng(1), 0.6)
    (verdict,) = run(net, x, flip=True, runs=1)
    assert verdict[:2] == (0, 1)


def test_more_than_sixteen_readouts_have_one_winner():
    net = network(words=21, readout=Readout.MAX)
    x = random_clip(net, 6, np.random.default_rng(2), 0.5)
    winner = int(golden.run(net, x[None]).answers[0])
    assert [v[2] for v in run(net, x)] == [winner % 16] * 2


@pytest.mark.parametrize("most", [1, 2, 200, 255])
def test_the_word_of_a_spike_in_gates_is_that_of_the_signature(most):
    layout = spike_port_layout(make("none", "count", count=most))
    m, spike, out = Module(), Signal(layout), Signal(32)
    m.d.comb += out.eq(_spike_word(spike))
    m.d.sync += Signal().eq(0)
    rng = np.random.default_rng(most)
    spikes = [(int(rng.integers(2)), int(rng.integers(5)), int(rng.integers(1 << 16)), int(rng.integers(1, most + 1))) for _ in range(100)]

    async def bench(ctx):
        got = []
        for values in spikes:
            ctx.set(spike, dict(zip(layout.members, values)))
            got.append(ctx.get(out))
        assert got == spike_words(*np.array(spikes).T).tolist()

    simulate(m, bench)
    assert len({int(spike_words(1, 4, 9, p)[()]) for p in range(1, 256)}) == 255
    assert spike_words(1, 4, 9) == spike_words(1, 4, 9, 1) == 9 << 16 ^ 1 << 12 ^ 4


def test_the_hash_in_gates_is_that_of_the_signature():
    m, word, out = Module(), Signal(32), Signal(32)
    m.d.comb += out.eq(_mix(m, word, "word"))
    m.d.sync += Signal().eq(0)
    words = np.concatenate([np.random.default_rng(3).integers(0, 1 << 32, 200, dtype=np.uint64), 1 << np.arange(32, dtype=np.uint64)])

    async def bench(ctx):
        got = []
        for value in words:
            ctx.set(word, int(value))
            got.append(ctx.get(out))
        assert got == mix(words).tolist()

    simulate(m, bench)
