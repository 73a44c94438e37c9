"""A whole chip, one clock at a time, with every register of docs/architecture.md spelled out: slow, and nothing like sim/cycles.

What the neurons do is given (spikes); everything else is state that changes at the clock's edge: slots of the event queues, spike
FIFOs, encoders, arbiters, switch queues, the host's register, the sequencer's bits, commands and the testbench's order of events.
"""

from __future__ import annotations

import numpy as np


class Arbiter:
    """Round robin over the inputs that can lead to an output; an offer stays until it is taken."""

    def __init__(self, sources):
        self.sources, self.served, self.held = sources, None, None

    def choose(self, asking):
        if self.held is not None:
            return self.held
        order = self.sources
        if self.served is not None:
            at = order.index(self.served) + 1
            order = order[at:] + order[:at]
        return next((s for s in order if s in asking), None)


class SlowChip:
    def __init__(self, chip, network):
        self.chip, self.network = chip, network
        self.arbiters = {(i, o): Arbiter(list(s.sources(o)))
                         for i, s in enumerate(chip.fabric.switches) for o in range(len(s.outputs))}

    def clip(self, spikes, inputs):
        """Run one clip (dict of [T, size], and [T, C]); returns the lengths of its phases and the busy cycles of each tile."""
        chip, n_steps = self.chip, len(inputs)
        self.spikes = spikes
        self.slots = [[[0] * t.slots for _ in t.groups] for t in chip.tiles]
        self.fifo = [[] for _ in chip.tiles]
        self.register = [None for _ in chip.tiles]  # [key, time, entry index]
        self.host, self.output = None, False
        self.queues = {(i, p): [] for i, s in enumerate(chip.fabric.switches) if s.buffered for p in range(len(s.inputs))}
        self.served = {}  # (switch, input) -> outputs that have taken its head
        active, accepted, in_period, step = [False] * (chip.levels + 1), False, 0, 0
        step_pending, read_pending, n_done = False, False, 0
        lengths, busy_cycles = [], [0] * len(chip.tiles)
        phase = 0
        todo = self.events(inputs[0])
        self.group_step = {}
        while True:
            self.begin(active, phase)
            cycle, command_wait = 0, None
            while True:
                # What is there at the start of the cycle.
                busy = [self.tile_busy(k, cycle) for k in range(len(chip.tiles))]
                for k, b in enumerate(busy):
                    busy_cycles[k] += b
                idle = not any(busy) and self.host is None and not self.output and not any(self.queues.values())
                draining = read_pending and not step_pending
                left = accepted or any(active[1:chip.levels])
                finish = cycle > 0 and idle and ((step_pending and in_period == 0) or in_period != 0 or draining)
                if finish:
                    break
                # The testbench.
                window = in_period == 0 and not step_pending and not read_pending and step < n_steps
                offering = todo[0] if window and todo else None
                give_step = window and not todo and not step_pending and (command_wait is None or cycle >= command_wait)
                give_read = step == n_steps and not read_pending
                # The clock's edge.
                emptied = self.move(cycle, step)
                if offering is not None and (self.host is None or emptied):
                    self.host = offering
                    todo.pop(0)
                    command_wait = cycle + 1
                elif emptied:
                    self.host = None
                if give_step:
                    step_pending = True
                if give_read:
                    read_pending = True
                cycle += 1
            lengths.append(cycle + 1)
            for k, tile in enumerate(chip.tiles):
                for g in range(len(tile.groups)):
                    if (k, g) in self.group_step:
                        self.slots[k][g][self.group_step[k, g] % tile.slots] = 0
            n_done += 1
            left = step_pending or any(active[1:chip.levels])
            if read_pending and not step_pending and not left:
                break
            accepted = step_pending and in_period == 0
            if accepted:
                step_pending = False
                step += 1
                if step < n_steps:
                    todo = self.events(inputs[step])
            active = [False, accepted, *active[1:chip.levels]]
            in_period = (in_period + 1) % chip.period
            phase += 1
        return lengths, busy_cycles

    def events(self, row):
        """Keys of a timestep's events, in the order of the channels; -1 where nobody listens."""
        first, found = 0, []
        for population, spec in zip(self.network.inputs, self.chip.inputs):
            assert population.name == spec.population
            found += [-1 if spec.key is None else spec.key] * int(np.count_nonzero(row[first : first + population.size]))
            first += population.size
        return found

    def begin(self, active, phase):
        """Cycle 0 of a phase: lists every FIFO write of the phase by its cycle."""
        self.group_step, self.writes, self.last_write = {}, [{} for _ in self.chip.tiles], [0] * len(self.chip.tiles)
        for k, tile in enumerate(self.chip.tiles):
            end, beats = 0, tile.lanes // tile.update_lanes
            for g, group in enumerate(tile.groups):
                if not active[group.level]:
                    continue
                step = (phase - group.level) // self.chip.period
                assert (phase - group.level) % self.chip.period == 0
                self.group_step[k, g] = step
                for row in range(tile.rows(g)):
                    end += max(self.slots[k][g][step % tile.slots], beats)
                    for beat in range(beats):
                        first = row * tile.lanes + beat * tile.update_lanes
                        neurons = range(first, min(first + tile.update_lanes, group.size))
                        if not group.update.values:
                            neurons = [n for n in neurons if self.spikes[group.population][step][group.first + n]]
                        cycle = tile.front_latency + end + beat + 2
                        self.last_write[k] = cycle
                        if len(neurons) and group.key is not None:
                            self.writes[k][cycle] = [(group.key, step)] * len(neurons)

    def tile_busy(self, k, cycle):
        return self.register[k] is not None or (self.last_write[k] > 0 and 1 <= cycle <= self.last_write[k]) or bool(self.fifo[k])

    def head(self, end, step):
        """What a source offers: (key, timestep) or None."""
        if end.kind == "host":
            return None if self.host in (None, -1) else (self.host, step)
        return self.fifo[end.index][0] if end.kind == "tile" and self.fifo[end.index] else None

    def move(self, cycle, step):
        """One edge of everything but the sequencer; returns whether the host's register is emptied."""
        chip = self.chip
        pushes, pops, arrivals, emptied = [], [], [], self.host == -1
        self_output = False
        for i, switch in enumerate(chip.fabric.switches):
            heads = {}
            for p, end in enumerate(switch.inputs):
                if switch.buffered:
                    heads[p] = self.queues[i, p][0] if self.queues[i, p] else None
                    offered = self.head(end, step)
                    if offered is not None and len(self.queues[i, p]) < 2:
                        pushes.append(((i, p), offered))
                        pops.append(end)
                else:
                    heads[p] = self.head(end, step)
            taken = {p: set() for p in heads}
            for o, end in enumerate(switch.outputs):
                asking = {p for p, flit in heads.items() if flit is not None and switch.routes[p][flit[0]] >> o & 1
                          and o not in self.served.get((i, p), set())}
                arbiter = self.arbiters[i, o]
                chosen = arbiter.choose(asking)
                if chosen is None:
                    continue
                flit = heads[chosen]
                if end.kind == "host":
                    ready, self_output = True, True
                elif end.kind == "tile":
                    held = self.register[end.index]
                    ready = held is None or held[2] == len(chip.tiles[end.index].entries[held[0]]) - 1
                    if ready:
                        arrivals.append((end.index, flit))
                else:
                    ready = len(self.queues[end.index, end.port]) < 2
                    if ready:
                        pushes.append(((end.index, end.port), flit))
                arbiter.held = None if ready else chosen
                if ready:
                    arbiter.served = chosen
                    taken[chosen].add(o)
            for p, outputs in taken.items():
                if outputs:
                    done = self.served.setdefault((i, p), set()) | outputs
                    self.served[i, p] = done
                    if sum(1 << o for o in done) == switch.routes[p][heads[p][0]]:
                        self.served[i, p] = set()
                        pops.append((i, p) if switch.buffered else switch.inputs[p])
        # Edge.
        for k, tile in enumerate(chip.tiles):
            if self.register[k] is not None:
                key, time, index = self.register[k]
                entry = tile.entries[key][index]
                self.slots[k][entry.group][(time + entry.delay) % tile.slots] += 1
                self.register[k] = [key, time, index + 1] if index + 1 < len(tile.entries[key]) else None
        for k, (key, time) in arrivals:
            assert self.register[k] is None
            self.register[k] = [key, time, 0]
        for what in pops:
            if isinstance(what[0], str):
                if what.kind == "host":
                    emptied = True
                else:
                    self.fifo[what.index].pop(0)
            else:
                self.queues[what].pop(0)
        for place, flit in pushes:
            self.queues[place].append(flit)
            assert len(self.queues[place]) <= 2
        for k in range(len(chip.tiles)):
            self.fifo[k] += self.writes[k].get(cycle, [])
        self.output = self_output
        return emptied
