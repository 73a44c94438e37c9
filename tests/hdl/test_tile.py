"""A tile on its own, clock by clock: "Exact timing of a tile" in docs/architecture.md."""

from __future__ import annotations

import random

import pytest

from spikeloom.hdl.tile import Tile
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.image import TileWords
from spikeloom.spec.network import Reset

from .harness import simulate
from .small_tiles import group, membrane_steps, profile, small_flit, small_tile

SPIKING = profile(reset=Reset.SUBTRACT, decay=Decay(shift_a=2), v_bits=10)
SIZES, AXONS, KEYS = (9, 5), (6, 11), (0, 1)


def make(**changes):
    """Two groups on levels 1 and 2; key 2 drives the first, key 3 both, an axon further and a timestep later in the second."""
    groups = [group(n, a, SPIKING, key=k, level=k + 1) for n, a, k in zip(SIZES, AXONS, KEYS)]
    entries = {2: (AxonEntry(0, 0, 0),), 3: (AxonEntry(0, 3, 0), AxonEntry(1, 1, 1))}
    return small_tile(groups, **{"entries": entries, "slots": 4, "theta_bits": 5, "bias_bits": 3, "weight_bits": 5, **changes})


class Model:
    """Weights, thresholds and biases, and what each phase must show."""

    def __init__(self, tile, seed):
        rng = random.Random(seed)
        self.tile = tile
        self.weights = [[[rng.randint(-6, 15) for _ in range(a)] for _ in range(n)] for n, a in zip(SIZES, AXONS)]
        self.theta = [[rng.randint(4, 31) for _ in range(n)] for n in SIZES]
        self.bias = [[rng.randint(-4, 3) for _ in range(n)] for n in SIZES]
        self.sums = [[[] for _ in range(n)] for n in SIZES]

    def words(self):
        """Contents of the memories, packed by hand."""
        tile, weights, parameters = self.tile, [], []
        for g, size in enumerate(SIZES):
            for row in range(tile.rows(g)):
                neurons = [row * tile.lanes + lane for lane in range(tile.lanes)]
                for axon in range(AXONS[g]):
                    weights.append(sum((self.weights[g][n][axon] & 31) << 5 * lane for lane, n in enumerate(neurons) if n < size))
                for beat in range(tile.beats):
                    pairs = [(self.theta[g][n] | (self.bias[g][n] & 7) << 5) if n < size else 31
                             for n in neurons[beat * tile.update_lanes:(beat + 1) * tile.update_lanes]]
                    parameters.append(sum(pair << 8 * lane for lane, pair in enumerate(pairs)))
        # Two words per key: {group 1 bit, base 4 bits, delay 2 bits, last 1 bit}.
        axons = [0] * 4 + [0 | 1 << 7, 0] + [0 | 3 << 1, 1 | 1 << 1 | 1 << 5 | 1 << 7]
        return TileWords(weights, parameters, axons)

    def phase(self, events):
        """``events[g]``: (axon, payload) of a working group, or None. Returns (cycle, index, v) of the trace, flits, first idle cycle."""
        tile, end, trace, flits, free = self.tile, 0, [], [], 0
        for g, listed in enumerate(events):
            if listed is None:
                continue
            for n in range(SIZES[g]):
                self.sums[g][n].append(sum(p * self.weights[g][n][a] for a, p in listed))
            for row in range(tile.rows(g)):
                end += max(len(listed), tile.beats)
                for beat in range(tile.beats):
                    first = row * tile.lanes + beat * tile.update_lanes
                    steps = [membrane_steps(SPIKING, self.theta[g][n], self.bias[g][n], self.sums[g][n])[-1]
                             for n in range(first, min(first + tile.update_lanes, SIZES[g]))]
                    done = tile.front_latency + end + beat + 2
                    trace.append((done, tile.update_base(g) + row * tile.beats + beat, [v for v, _ in steps]))
                    for lane, (_, fires) in enumerate(steps):
                        if fires:
                            free = max(free, done + 1)
                            flits.append((free, KEYS[g], first + lane))
                            free += 1
        idle = tile.front_latency + end + tile.beats - 1 + 3 if end else 1
        return trace, flits, max(idle, free)


def run(tile, seed, phases=14, late=0):
    """RESET, then phases with random events given while the phase before is at work; every cycle is compared with the model.

    ``late`` is added to what the model says of every trace (to see the comparison fail). Returns how many flits there were.
    """
    model, rng = Model(tile, seed), random.Random(seed)
    dut = Tile(tile, small_flit(key_bits=2, time_bits=2), 4, model.words(), writable=True, counters=True)
    queue = {(g, t): [] for g in range(2) for t in range(phases + 5)}
    choices = [p for p in range(tile.payload_min, tile.payload_max + 1) if p]
    total = 0

    async def bench(ctx):
        nonlocal total
        ctx.set(dut.start, 1)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.clear, 0)
        ctx.set(dut.o.ready, 1)
        while ctx.get(dut.busy):
            assert not ctx.get(dut.trace.valid) and not ctx.get(dut.o.valid)
            await ctx.tick()
        for phase in range(phases):
            # The source's timestep is the phase; group g works at timestep phase - 1 - g.
            sent = [(key, neuron, rng.choice(choices)) for key in (2, 3) for neuron in range(3) if rng.random() < 0.6]
            rng.shuffle(sent)
            events = [queue[g, phase - 1 - g] if phase - 1 - g >= 0 else None for g in range(2)]
            trace, flits, idle = model.phase(events)
            register_free, place = 0, 0
            for cycle in range(idle + 40):
                ctx.set(dut.start, cycle == 0)
                ctx.set(dut.active, sum((e is not None) << g for g, e in enumerate(events)) if cycle == 0 else 0)
                ctx.set(dut.i.valid, place < len(sent))
                if place < len(sent):
                    key, neuron, payload = sent[place]
                    ctx.set(dut.i.payload, {"key": key, "neuron": neuron, "time": phase % 4, "payload": payload})
                # A flit with one entry is in the register for one cycle, one with two for two; the next is taken in the last of them.
                held = cycle < register_free
                ready = cycle >= register_free - 1
                assert ctx.get(dut.i.ready) == ready, f"phase {phase}, cycle {cycle}"
                if cycle:
                    assert ctx.get(dut.busy) == (cycle < idle or held), f"phase {phase}, cycle {cycle}: idle from {idle} on"
                if ready and place < len(sent):
                    for entry in tile.entries[key]:
                        queue[entry.group, phase + entry.delay].append((entry.base + neuron, payload))
                    register_free, place = cycle + 1 + len(tile.entries[key]), place + 1
                want = next((what for what in trace if what[0] + late == cycle), None)
                assert ctx.get(dut.trace.valid) == (want is not None), f"phase {phase}, cycle {cycle}"
                if want is not None:
                    v = ctx.get(dut.trace.v)
                    assert (ctx.get(dut.trace.index), [v[lane] for lane in range(len(want[2]))]) == want[1:]
                flit = next((what for what in flits if what[0] == cycle), None)
                assert ctx.get(dut.o.valid) == (flit is not None), f"phase {phase}, cycle {cycle}"
                if flit is not None:
                    p = ctx.get(dut.o.payload)
                    assert (int(p.key), int(p.neuron), int(p.time)) == (*flit[1:], (phase - 1 - flit[1]) % 4)
                    total += 1
                await ctx.tick()
                if cycle >= max(idle, register_free) and place == len(sent):  # the sequencer starts in the cycle after an idle one
                    break
        # What the counters say since RESET.
        worked = [sum(len(queue[g, t]) for t in range(phases - 1 - g)) for g in range(2)]
        for g, size in enumerate(SIZES):
            counters = dut.counters[g]
            payloads = [p for t in range(phases - 1 - g) for _, p in queue[g, t]]
            assert ctx.get(counters.events) == worked[g] == len(payloads)
            assert ctx.get(counters.sops) == worked[g] * size
            assert ctx.get(counters.multiplied) == sum(abs(p) != 1 for p in payloads) * size
            assert ctx.get(counters.updates) == size * (phases - 1 - g)
        assert sum(ctx.get(dut.counters[g].spikes) for g in range(2)) == total

    simulate(dut, bench, max_cycles=6000)
    return total


@pytest.mark.parametrize("lanes, update_lanes", [(4, 1), (4, 4), (6, 2), (1, 1), (16, 4)])
@pytest.mark.parametrize("payloads", [(1, 1), (-1, 1), (-3, 3)])
def test_every_cycle_is_as_documented(lanes, update_lanes, payloads):
    tile = make(lanes=lanes, update_lanes=update_lanes, payload_min=payloads[0], payload_max=payloads[1])
    assert tile.front_latency == (6 if payloads == (-3, 3) else 5)
    assert run(tile, seed=lanes) > 5


def test_the_comparison_refutes_a_trace_one_cycle_later():
    with pytest.raises(AssertionError, match="phase 1, cycle"):
        run(make(), seed=1, late=1)
