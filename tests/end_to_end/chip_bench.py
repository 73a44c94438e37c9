"""A whole chip in the Amaranth simulator, driven by a list of what the host does, and compared with the models.

It shares nothing with sim/engines: not the player, not the decoding of the trace ports, not the comparison.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from spikeloom.gen.pack import pack
from spikeloom.hdl.answer import answering
from spikeloom.hdl.sequencer import Command
from spikeloom.hdl.top import Chip
from spikeloom.sim import cycles, golden
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Model, Network

from . import plain_readouts
from .host_items import READ, Item, timesteps

__all__ = ["Run", "compare", "counters_differ", "describe", "play", "prove"]


@dataclass
class Run:
    """What a chip did, from one RESET to the next.

    ``phases`` are lengths of phases, ``spikes`` (output, neuron, timestep, payload) in order, ``readouts`` the words of each READ and
    ``answers`` its (index, confidence), ``potentials`` (tile, update index) -> v of all lanes, one entry per timestep. ``spike_phases``
    is parallel to ``spikes``; ``words`` were read back, one after the other.
    """

    phases: list[int] = field(default_factory=list)
    spikes: list[tuple[int, int, int, int]] = field(default_factory=list)
    spike_phases: list[int] = field(default_factory=list)
    readouts: list[list[tuple[int, int, int]]] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    potentials: dict[tuple[int, int], list[list[int]]] = field(default_factory=lambda: defaultdict(list))
    words: list[int] = field(default_factory=list)
    errors: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    counters: list[list[dict[str, int]]] = field(default_factory=list)  # per tile and group


def play(chip: ChipSpec, image: MemoryImage, program: Sequence[Item], *, seed: int | None = None, stall: float = 0.0,
         max_cycles: int = 200_000, dut: Any = None, log: list[str] | None = None) -> list[Run]:
    """Run a program from power-up until its last command is over; one :class:`Run` per RESET in it, and one.

    Parameters
    ----------
    program : items; each is offered until it is taken, then the next.
    seed, stall : probability that the host is not ready for an output event, a readout or a word in a cycle; at random.
    log : one line per taken item is appended, with its cycle.

    Raises AssertionError if it does not end within ``max_cycles``, a stream breaks the rule that an offer stays, or the answer is shown in
    another cycle than it should be, or changes while it is.
    """
    dut = Chip(chip, image) if dut is None else dut
    rng = random.Random(seed)
    runs = [Run()]
    program = list(program)
    has_payload, counted = len(dut.events.payload.payload) > 0, "payload" in dut.spikes.payload.shape().members
    traces = [getattr(dut, f"trace_{k}") for k in range(len(chip.tiles))]
    lanes = [tile.update_lanes for tile in chip.tiles]
    config_ready = dut.config.ready if chip.writable else dut.status.busy
    watched = [dut.status.start, dut.status.finish, dut.status.busy, dut.spikes.valid, dut.readouts.valid, dut.events.ready,
               dut.control.ready, config_ready]

    async def bench(ctx: Any) -> None:
        place, waiting, cycle, began, finished, started = 0, 0, 0, None, False, False
        reading: list[tuple[int, int, int]] = []
        resetting: bool | str = True  # power-up behaves as RESET; "taken" until the RESET itself begins
        outputs = ("spikes", "readouts", "readback")[:2 + chip.reads]
        offered: dict[str, int | None] = dict.fromkeys(outputs)
        ready = dict.fromkeys(outputs, True)
        word, offset = 0, 0
        for name in ready:
            ctx.set(getattr(dut, name).ready, 1)
        answer: tuple[int, int] | None = None  # that must be shown now
        fresh, is_read, works = True, False, False
        while True:
            if fresh:
                kind, what = program[place] if place < len(program) else ("end", None)
                waiting = what if kind == "idle" else 0
                ctx.set(dut.events.valid, kind == "event")
                ctx.set(dut.control.valid, kind == "control")
                if chip.writable:
                    ctx.set(dut.config.valid, kind == "config")
                if kind == "event":
                    population, neuron, payload = what
                    ctx.set(dut.events.payload, {"population": population, "neuron": neuron, **({"payload": payload} if has_payload else {})})
                elif kind == "control":
                    ctx.set(dut.control.payload, {"command": what[0], "count": what[1]})
                elif kind == "config":
                    ctx.set(dut.config.payload, what)
                fresh = False
            if stall:
                for name in ready:
                    ready[name] = rng.random() >= stall
                    ctx.set(getattr(dut, name).ready, ready[name])
            # What the cycle shows, before its clock edge.
            start, finish, busy, spike, readout, events_ready, control_ready, config_free = (ctx.get(s) for s in watched)
            run = runs[-1]
            if chip.n_readouts:
                # From the cycle after the last word until the second one behind the finish that the next READ or RESET waited for.
                shown = ctx.get(dut.answer.valid), ctx.get(dut.answer.index), ctx.get(dut.answer.confidence)
                if is_read:
                    answer, is_read = shown[1:], False
                    run.answers.append(answer)
                if works:
                    answer = None
                assert shown[0] == (answer is not None), f"cycle {cycle}: the answer is {'not ' * (not shown[0])}valid"
                assert answer is None or shown[1:] == answer, f"cycle {cycle}: the answer {answer} became {shown[1:]}"
            works = finished and not start
            if finished and not start and resetting == "taken":
                # After a finish, a cycle without a start: the command's own work. For RESET: what is counted from its end on is new.
                resetting = True
            if start:
                if resetting is True:
                    if began is not None:
                        runs.append(Run())
                        run = runs[-1]
                    resetting = False
                began, started = cycle, True
            if finish:
                if began is not None and started:
                    run.phases.append(cycle - began + 1)
                started = False
            finished = bool(finish)
            if spike and ready["spikes"]:
                p = ctx.get(dut.spikes.payload)
                run.spikes.append((int(p.population), int(p.neuron), int(p.timestep), int(p.payload) if counted else 1))
                run.spike_phases.append(len(run.phases) - int(bool(finish)))
            if readout and ready["readouts"]:
                p = ctx.get(dut.readouts.payload)
                reading.append((int(p.population), int(p.neuron), int(p.value)))
                if p.last:
                    run.readouts.append(reading)
                    reading, is_read = [], True
            if chip.reads and ctx.get(dut.readback.valid) and ready["readback"]:
                word, offset = word | ctx.get(dut.readback.payload.data) << offset, offset + 32
                if ctx.get(dut.readback.payload.last):
                    run.words.append(word)
                    word, offset = 0, 0
            for name in outputs if stall else ():
                port = getattr(dut, name)
                offer = ctx.get(port.payload.as_value()) if ctx.get(port.valid) else None
                if offered[name] is not None:
                    assert offer == offered[name], f"cycle {cycle}: an offer of {name} was withdrawn or changed"
                offered[name] = offer if offer is not None and not ready[name] else None
            for number, trace in enumerate(traces):
                if ctx.get(trace.valid):
                    v = ctx.get(trace.v)
                    run.potentials[number, ctx.get(trace.index)].append([int(v[lane]) for lane in range(lanes[number])])
            taken = {"event": events_ready, "control": control_ready, "config": config_free, "idle": waiting <= 1, "end": False}[kind]
            if kind == "idle":
                waiting -= 1
            if taken:
                if log is not None:
                    log.append(f"cycle {cycle}: {program[place]}")
                if kind == "control" and what[0] is Command.RESET:
                    resetting = "taken"
                place, fresh = place + 1, True
            elif kind == "end" and not busy and not spike and not (chip.reads and ctx.get(dut.readback.valid)):
                break
            assert cycle < max_cycles, f"no end after {max_cycles} cycles: at item {place} of {len(program)}, {program[place:place + 1]}"
            await ctx.tick()
            cycle += 1
        last_run = runs[-1]
        last_run.errors = ctx.get(dut.status.errors.as_value())
        last_run.rejected = {name: ctx.get(dut.status.rejected[name]) for name in ("range", "payload", "duplicate")}
        if chip.counters:
            for k in range(len(chip.tiles)):
                counters = getattr(dut, f"counters_{k}")
                names = ("events", "sops", "multiplied", "updates", "spikes")
                last_run.counters.append([{name: ctx.get(counters[g][name]) for name in names} for g in range(len(chip.tiles[k].groups))])

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return runs


def compare(chip: ChipSpec, network: Network, x: np.ndarray, run: Run, *, result: golden.Result | None = None,
            lengths: bool = True, reads: Sequence[int] | None = None) -> list[str]:
    """Differences between a run and the models for the clip ``x`` ``[T, C]``, in words; empty if there are none.

    ``result`` overrides what the golden model says; phase lengths are those of the cycle model if the clip was played back to back
    and followed by READ, and no output event had to wait (``lengths``). ``reads``: after how many timesteps each READ came; default:
    one, at the end, if there was any.
    """
    result = golden.run(network, x[None], record=True) if result is None else result
    wrong: list[str] = []
    for number, tile in enumerate(chip.tiles):
        for index, group in enumerate(tile.groups):
            want = result.potentials[group.population][0]
            for beat in range(tile.rows(index) * tile.beats):
                got = run.potentials.get((number, tile.update_base(index) + beat), [])
                if len(got) != len(want):
                    wrong.append(f"{group.population}: update {beat} of tile {number} was made {len(got)} times, not {len(want)}")
                    continue
                for lane in range(tile.update_lanes):
                    row, of_row = beat // tile.beats, beat % tile.beats * tile.update_lanes + lane
                    # A row of a map is P channels at one of its places.
                    channel, place = row // group.positions * tile.lanes + of_row, row % group.positions
                    neuron = group.first + channel * (group.pitch or group.positions) + place
                    if channel < group.size // group.positions:
                        wrong += [f"v of {group.population}[{neuron}] at t={t}: {row[lane]}, not {want[t, neuron]}"
                                  for t, row in enumerate(got) if row[lane] != want[t, neuron]]
    expected: list[tuple[int, int, int, int]] = []
    for number, output in enumerate(chip.outputs):
        if network.population(output.population).spikes:
            spikes = result.spikes[output.population][0]
            expected += [(number, int(n), int(t), int(spikes[t, n])) for t, n in np.argwhere(spikes)]
    missing, extra = Counter(expected) - Counter(run.spikes), Counter(run.spikes) - Counter(expected)
    wrong += [f"{count} missing spike(s) (output, neuron, t, payload) {which}" for which, count in sorted(missing.items())]
    wrong += [f"{count} extra spike(s) (output, neuron, t, payload) {which}" for which, count in sorted(extra.items())]
    for (number, neuron, t, _), phase in zip(run.spikes, run.spike_phases) if lengths else ():
        if phase != chip.period * t + chip.outputs[number].level:
            wrong.append(f"spike of output {number}, neuron {neuron}, t={t} in phase {phase}")
    if reads is None:
        reads = [len(x)] * bool(run.readouts)
    if chip.n_readouts and len(run.readouts) != len(reads):
        wrong.append(f"{len(run.readouts)} readouts for {len(reads)} READ")
    fired, potentials = ({name: a[0] for name, a in arrays.items()} for arrays in (result.spikes, result.potentials))
    if len(run.answers) != len(run.readouts):
        wrong.append(f"{len(run.answers)} answers for {len(run.readouts)} readouts")
    for got_words, got_answer, n_steps in zip(run.readouts, run.answers, reads):
        words = plain_readouts.words(chip, network, fired, potentials, n_steps)
        if got_words != words:
            wrong.append(f"readouts after {n_steps} timesteps {got_words}, not {words}")
        if got_answer != plain_readouts.answer(chip, words):
            wrong.append(f"answer after {n_steps} timesteps {got_answer}, not {plain_readouts.answer(chip, words)}")
    if lengths:
        predicted = [int(c) for c in cycles.predict(chip, network, result.spikes, x[None]).cycles[0]]
        if run.phases[:len(predicted)] != predicted:  # what follows READ makes more phases
            differ = [(k, got, want) for k, (got, want) in enumerate(zip(run.phases, predicted)) if got != want]
            wrong.append(f"{len(run.phases)} phases, predicted {len(predicted)}; (phase, clocks, predicted) {differ[:6]}")
    if run.errors:
        wrong.append(f"error flags {run.errors:#x}, rejected {run.rejected}")
    return wrong


def prove(network: Network, chip: ChipSpec, x: np.ndarray, **options: Any) -> Run:
    """Play one clip ``[T, C]`` and READ; assert that all of it equals the models. Returns what was seen."""
    (run,) = play(chip, pack(chip, network), [*timesteps(chip, x), READ], **options)
    wrong = compare(chip, network, x, run, lengths=not options.get("stall"))
    wrong += ["no readouts"] if chip.n_readouts and not run.readouts else []
    wrong += _differs_from_golden(network, chip, x, run) if run.readouts else []
    wrong += counters_differ(network, chip, x, run) if chip.counters else []
    wrong += [] if len(run.phases) == chip.period * (len(x) - 1) + 1 + chip.levels else [f"{len(run.phases)} phases"]
    assert not wrong, f"{len(wrong)} differences: {'; '.join(wrong[:6])}\n{describe(network, chip, x)}"
    return run


def _differs_from_golden(network: Network, chip: ChipSpec, x: np.ndarray, run: Run) -> list[str]:
    """The same readouts and answer by the golden model, which accumulates them on its own."""
    result, number = golden.run(network, x[None]), answering(chip)
    assert number is not None and result.answers is not None and result.confidences is not None
    words = [(k, n, int(v)) for k, o in enumerate(chip.outputs) if o.n_values for n, v in enumerate(result.readouts[o.population][0])]
    answer = int(result.answers[0]), int(result.confidences[0])
    return ([f"readouts {run.readouts[0]}, not {words}"] if run.readouts[0] != words else []) \
        + ([f"answer {run.answers[0]}, not {answer}"] if run.answers[0] != answer else [])


def counters_differ(network: Network, chip: ChipSpec, x: np.ndarray, run: Run) -> list[str]:
    """Counters of a run that differ from the golden model's for the same clip. An event reaches each slice of a population that has an axon for it;
    all else adds up."""
    result = golden.run(network, x[None], record=True)
    wanted, wrong = result.counters, []
    sent = {name: spikes[0] != 0 for name, spikes in result.spikes.items()}
    for p, first in zip(network.inputs, np.cumsum([0, *(p.size for p in network.inputs)])):
        sent[p.name] = x[:, first:first + p.size] != 0
    total: dict[tuple[str, str], int] = Counter()
    for tile, groups in zip(chip.tiles, run.counters, strict=True):
        for index, (group, counted) in enumerate(zip(tile.groups, groups, strict=True)):
            heard = [(chip.keys[key], e.delay) for key, listed in tile.entries.items() for e in listed if e.group == index]
            events = sum(int(sent[key.population][:len(x) - delay if delay < len(x) else 0, key.neurons.neurons].sum()) for key, delay in heard)
            if counted["events"] != events:
                wrong.append(f"{group.population} from {group.first}: {counted['events']} events, not {events}")
            for name in ("sops", "multiplied", "updates", "spikes"):
                total[group.population, name] += counted[name]
    for (population, name), got in total.items():
        sends = name if name != "spikes" or network.population(population).spikes else "updates"  # what is read sends a value in each timestep
        want = int(getattr(wanted[population], sends)[0])
        wrong += [f"{population}: {got} {name}, not {want}"] if got != want else []
    return wrong


def describe(network: Network, chip: ChipSpec | None = None, x: np.ndarray | None = None, extra: Iterable[str] = ()) -> str:
    """A network in words, complete enough to build it again if it is small."""
    lines = [f"network {network.digest[:12]}:"]
    for p in network.populations:
        if p.model is Model.INPUT:
            lines.append(f"  {p.name}: input, {p.size} neurons, payloads {p.payload_min}..{p.payload_max}")
        else:
            lines.append(f"  {p.name}: {p.model.value}, {p.size} neurons, {p.decay}, {p.rounding.value}, {p.reset.value}, v_bits={p.v_bits}, "
                         f"guard={p.guard_bits}, v_init={p.v_init}, readout={p.readout.value}, output={p.output}, "
                         f"theta={np.asarray(p.theta).tolist()}, bias={np.asarray(p.bias).tolist()}")
    for q in network.projections:
        lines.append(f"  {q.source} -> {q.target}: delay={q.delay}, shift={q.shift}, {q.weight_bits} bits, port {q.port.value}, {q.kind.value}, "
                     f"codebook={q.codebook}, matrix={q.matrix!r}, {q.conv}, weights={q.weights.tolist()}")
    if chip is not None:
        lines.append(f"  chip: period={chip.period}, fabric={chip.fabric.kind}, writable={chip.writable}, flit={chip.flit}")
        for number, tile in enumerate(chip.tiles):
            groups = ", ".join(f"{g.population}[{g.first}:{g.first + g.size}] level {g.level}" for g in tile.groups)
            lines.append(f"  tile {number}: P={tile.lanes}, U={tile.update_lanes}, slots={tile.slots}, {tile.payload_kind}, {groups}")
    if x is not None:
        t, c = np.nonzero(x)
        lines.append(f"  clip {list(x.shape)}: (t, channel, payload) {[(int(a), int(b), int(x[a, b])) for a, b in zip(t, c)]}")
    return "\n".join([*lines, *extra])
