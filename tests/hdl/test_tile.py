"""A tile on its own, clock by clock: "Exact timing of a tile" in docs/architecture.md."""

from __future__ import annotations

import random

import pytest

from spikeloom.hdl.tile import Tile
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import AxonEntry
from spikeloom.spec.image import TileWords
from spikeloom.spec.network import Reset
from spikeloom.spec.tile import MAIN, SIDE, SPARSE

from .harness import simulate
from .small_tiles import group, neuron_steps, profile, small_flit, small_tile, sparse_memories, sparse_of

SPIKING = profile(reset=Reset.SUBTRACT, decay=Decay(shift_a=2), v_bits=10)
GATED = profile(gate_table=(5, 60, 130, 180, 220, 240, 250, 255), gate_shift=3, current_decay=Decay(shift_a=1), i_bits=9, v_bits=9,
                reset=Reset.SUBTRACT)
TWICE = profile(reset=Reset.SUBTRACT, decay=Decay(factor=200, fraction_bits=8), v_bits=9, max_spikes=3)
BOOK = (-7, -3, 0, 2, 5, 9, 13)


class Case:
    """A tile with random weights, thresholds and biases, and what each phase must show.

    Group g has level g + 1, and key g. ``weights[list][axon]`` is {neuron: weight}: of all neurons, or of those that a sparse axon reaches.
    """

    def __init__(self, groups, entries, seed, books=None, **changes):
        """``groups``: (neurons, update, axons of each list by its port); ``books``: codebooks by list."""
        self.rng = rng = random.Random(seed)
        lists = [(g, port) for g, (_, _, axons) in enumerate(groups) for port in sorted(axons)]
        books = {lists.index(where): book for where, book in (books or {}).items()}
        self.weights = []
        for k, (g, port) in enumerate(lists):
            size, _, axons = groups[g]
            reached = [rng.sample(range(size), rng.randint(0, size)) if port == SPARSE else range(size) for _ in range(axons[port])]
            self.weights.append([{n: rng.choice(books.get(k) or (*range(-6, 0), *range(1, 16))) for n in listed} for listed in reached])
        lanes = changes.get("lanes", 4)
        specs = []
        for g, (size, update, axons) in enumerate(groups):
            sparse = sparse_of(self.weights[lists.index((g, SPARSE))], lanes, 5) if SPARSE in axons else None
            specs.append(group(size, axons[MAIN], update, side_axons=axons.get(SIDE, 0), sparse=sparse, key=g, level=g + 1))
        changes = {"slots": 8, "theta_bits": 5, "bias_bits": 3, "weight_bits": 5, "entries": entries, **changes}
        codebooks = tuple(books.get(k, ()) for k in range(len(lists))) if books else ()
        self.tile = small_tile(specs, codebooks=codebooks, **changes)
        assert list(self.tile.lists) == lists
        self.own = [[{"theta": rng.randint(4, 31), "bias": rng.randint(-4, 3)} for _ in range(size)] for size, _, _ in groups]
        self.sums = [[([], []) for _ in range(size)] for size, _, _ in groups]  # of each neuron, at port i and at the other

    def words(self):
        """Contents of the memories, packed by hand."""
        tile, weights, parameters = self.tile, [], []
        for k, (g, port) in enumerate(tile.lists):
            book = tile.codebook(k)
            for row in range(tile.rows(g) if port != SPARSE else 0):
                for axon in self.weights[k]:
                    own = [axon.get(row * tile.lanes + lane, 0) for lane in range(tile.lanes)]
                    own = [book.index(w) if w in book else len(book) for w in own] if book else own
                    weights.append(sum((w & 31) << 5 * lane for lane, w in enumerate(own)))
        for g, own in enumerate(self.own):
            padded = own + [{"theta": 31, "bias": 0}] * (tile.rows(g) * tile.lanes - len(own))
            for first in range(0, len(padded), tile.update_lanes):
                pairs = [p["theta"] | (p["bias"] & 7) << 5 for p in padded[first:first + tile.update_lanes]]
                parameters.append(sum(pair << 8 * lane for lane, pair in enumerate(pairs)))
        # As many words per key as the one with the most needs: {list, base, delay, last}, each as wide as its largest value.
        stride = max(map(len, tile.entries.values()))
        axons = [0] * (stride * (max(tile.entries) + 1))
        widths = [(len(tile.lists) - 1).bit_length(), (max(map(len, self.weights)) - 1).bit_length(), 3]
        for key, entries in tile.entries.items():
            for k, e in enumerate(entries):
                word, at = 0, 0
                for value, width in zip((tile.lists.index((e.group, e.port)), e.base, e.delay), widths):
                    word, at = word | value << at, at + width
                axons[key * stride + k] = word | (k == len(entries) - 1) << at
        return TileWords(weights, parameters, axons, *sparse_memories(
            tile, [axon for (_, port), axons in zip(tile.lists, self.weights) if port == SPARSE for axon in axons]))

    def work(self, k, events):
        """(synaptic operations, those that multiply) of events of a list."""
        each = [(len(self.weights[k][axon]), payload) for axon, payload in events]
        return sum(n for n, _ in each), sum(n for n, payload in each if abs(payload) != 1)

    def phase(self, events):
        """``events[list]``: (axon, payload) of the lists of the working groups. Returns (cycle, index, v) of the trace, (cycle, key, neuron,
        payload) of the flits, first idle cycle."""
        tile, end, trace, flits, free = self.tile, 0, [], [], 0
        for g, spec in enumerate(tile.groups):
            listed = {port: events[k] for k, (owner, port) in enumerate(tile.lists) if owner == g and k in events}
            if not listed:
                continue
            self._arrive(g, listed)
            if SPARSE in listed:
                words = [max(spec.sparse.words[axon], 1) for axon, _ in listed[SPARSE]]
                end += 3 + sum(words) if words else 1
            for row in range(tile.rows(g)):
                end += sum(max(len(listed[port]), tile.beats) for port in (SIDE, MAIN) if port in listed)
                for beat in range(tile.beats):
                    first = row * tile.lanes + beat * tile.update_lanes
                    neurons = range(first, min(first + tile.update_lanes, spec.size))
                    steps = [neuron_steps(spec.update, self.own[g][n], *self.sums[g][n])[-1] for n in neurons]
                    done = tile.front_latency + end + beat + tile.update_latency
                    trace.append((done, tile.update_base(g) + row * tile.beats + beat, [v for v, _ in steps]))
                    for lane, (_, n) in enumerate(steps):
                        if n:
                            free = max(free, done + 1)
                            flits.append((free, g, first + lane, n))
                            free += 1
        idle = tile.front_latency + end + tile.beats - 1 + tile.update_latency + 1 if end else 1
        return trace, flits, max(idle, free)

    def _arrive(self, g, listed):
        """Note the sums of a timestep."""
        sums = {port: [0] * self.tile.groups[g].size for port in (MAIN, SIDE)}
        for port, events in listed.items():
            for axon, payload in events:
                for n, weight in self.weights[self.tile.lists.index((g, port))][axon].items():
                    sums[SIDE if port == SIDE else MAIN][n] += payload * weight
        for n, (own, side) in enumerate(self.sums[g]):
            own.append(sums[MAIN][n])
            side.append(sums[SIDE][n])


def plain(seed, **changes):
    """Two groups; key 2 drives the first, key 3 both, an axon further and a timestep later in the second."""
    entries = {2: (AxonEntry(0, 0, 0),), 3: (AxonEntry(0, 3, 0), AxonEntry(1, 1, 1))}
    return Case([(9, SPIKING, {MAIN: 6}), (5, SPIKING, {MAIN: 11})], entries, seed, **changes)


def everything(seed, **changes):
    """Sparse axons beside others, a gate with a list of its own and one without, codebooks beside plain weights, neurons that fire several times."""
    entries = {4: (AxonEntry(0, 0, 0, SPARSE), AxonEntry(1, 0, 0), AxonEntry(1, 1, 1, SIDE)), 5: (AxonEntry(0, 0, 0), AxonEntry(2, 0, 1)),
               6: (AxonEntry(0, 3, 1, SPARSE), AxonEntry(1, 3, 0), AxonEntry(1, 0, 0, SPARSE), AxonEntry(3, 0, 0)),
               7: (AxonEntry(1, 4, 0, SIDE), AxonEntry(2, 3, 0), AxonEntry(2, 6, 1))}
    groups = [(3, SPIKING, {MAIN: 3, SPARSE: 6}), (9, GATED, {MAIN: 6, SIDE: 7, SPARSE: 4}), (5, TWICE, {MAIN: 9}), (2, GATED, {MAIN: 3})]
    return Case(groups, entries, seed, {(2, MAIN): BOOK, (1, SIDE): BOOK[1:]}, **changes)


def run(case, phases=14, late=0):
    """RESET, then phases with random events given while the phase before is at work; every cycle is compared with the model.

    ``late`` is added to what the model says of every trace (to see the comparison fail). Returns how many flits there were.
    """
    tile, rng, groups = case.tile, case.rng, range(len(case.tile.groups))
    dut = Tile(tile, small_flit(time_bits=3), max(tile.entries) + 1, case.words(), writable=True, counters=True)
    queue = {(k, t): [] for k in range(len(tile.lists)) for t in range(phases + 5)}
    choices = [p for p in range(tile.payload_min, tile.payload_max + 1) if p]
    total = 0

    def steps(g):
        """Timesteps that a group works on in all phases."""
        return range(max(phases - 1 - g, 0))

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
            sent = [(key, neuron, rng.choice(choices)) for key in tile.entries for neuron in range(3) if rng.random() < 0.6]
            rng.shuffle(sent)
            active = sum((phase - 1 - g >= 0) << g for g in groups)
            trace, flits, idle = case.phase({k: queue[k, phase - 1 - g] for k, (g, _) in enumerate(tile.lists) if active >> g & 1})
            register_free, place = 0, 0
            for cycle in range(idle + 60):
                ctx.set(dut.start, cycle == 0)
                ctx.set(dut.active, active if cycle == 0 else 0)
                ctx.set(dut.i.valid, place < len(sent))
                if place < len(sent):
                    key, neuron, payload = sent[place]
                    ctx.set(dut.i.payload, {"key": key, "neuron": neuron, "time": phase % 8, "payload": payload})
                # A flit with one entry is in the register for one cycle, one with two for two; the next is taken in the last of them.
                held = cycle < register_free
                ready = cycle >= register_free - 1
                assert ctx.get(dut.i.ready) == ready, f"phase {phase}, cycle {cycle}"
                if cycle:
                    assert ctx.get(dut.busy) == (cycle < idle or held), f"phase {phase}, cycle {cycle}: idle from {idle} on"
                if ready and place < len(sent):
                    for entry in tile.entries[key]:
                        queue[tile.lists.index((entry.group, entry.port)), phase + entry.delay].append((entry.base + neuron, payload))
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
                    assert (int(p.key), int(p.neuron), int(p.payload), int(p.time)) == (*flit[1:], (phase - 1 - flit[1]) % 8)
                    total += 1
                await ctx.tick()
                if cycle >= max(idle, register_free) and place == len(sent):  # the sequencer starts in the cycle after an idle one
                    break
        # What the counters say since RESET.
        for g in groups:
            counters, lists = dut.counters[g], [k for k, (owner, _) in enumerate(tile.lists) if owner == g]
            work = [case.work(k, queue[k, t]) for k in lists for t in steps(g)]
            assert ctx.get(counters.events) == sum(len(queue[k, t]) for k in lists for t in steps(g))
            assert ctx.get(counters.sops) == sum(sops for sops, _ in work), f"group {g}"
            assert ctx.get(counters.multiplied) == sum(multiplied for _, multiplied in work), f"group {g}"
            assert ctx.get(counters.updates) == tile.groups[g].size * len(steps(g))
        assert sum(ctx.get(dut.counters[g].spikes) for g in groups) == total

    simulate(dut, bench, max_cycles=9000)
    return total


@pytest.mark.parametrize("lanes, update_lanes", [(4, 1), (4, 4), (6, 2), (1, 1), (16, 4)])
@pytest.mark.parametrize("payloads", [(1, 1), (-1, 1), (-3, 3)])
def test_every_cycle_is_as_documented(lanes, update_lanes, payloads):
    case = plain(lanes, lanes=lanes, update_lanes=update_lanes, payload_min=payloads[0], payload_max=payloads[1])
    assert case.tile.front_latency == (6 if payloads == (-3, 3) else 5)
    assert run(case) > 3


@pytest.mark.parametrize("lanes, update_lanes, payloads", [(4, 1, (-3, 3)), (4, 4, (1, 1)), (6, 2, (-1, 1)), (1, 1, (1, 1)), (8, 8, (-3, 3))])
def test_every_cycle_with_second_and_sparse_lists_and_codebooks_is_as_documented(lanes, update_lanes, payloads):
    case = everything(lanes + update_lanes, lanes=lanes, update_lanes=update_lanes, payload_min=payloads[0], payload_max=payloads[1])
    assert case.tile.has_sides and case.tile.has_sparse and len(set(case.tile.codebooks)) == 3
    assert case.tile.update_latency == 2 + 5 + 3  # the gate, the number of spikes
    assert run(case) > 5


def test_the_comparison_refutes_a_trace_one_cycle_later():
    with pytest.raises(AssertionError, match="phase 1, cycle"):
        run(plain(1), late=1)


@pytest.mark.parametrize("name", ["weights", "sparse", "pointers"])
def test_the_comparison_refutes_a_changed_word(name, monkeypatch):
    case = everything(5, lanes=4, payload_min=-3, payload_max=3)  # the first of the test above
    words = case.words()
    changed = [word ^ 1 << (case.tile.row_bits if name == "sparse" else 0) for word in getattr(words, name)]
    monkeypatch.setattr(case, "words", lambda: words._replace(**{name: changed}))
    with pytest.raises(AssertionError):
        run(case)
