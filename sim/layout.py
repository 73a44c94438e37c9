"""What the ports of a generated chip mean, from its manifest.json: payloads of events in, events out, readouts and traces.

A generated project carries a copy of this file, so it imports NumPy alone and nothing of SpikeLoom.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

__all__ = ["ANSWER_PORTS", "COUNTERS", "MANIFEST_FORMAT", "CounterTable", "Field", "Layout", "Output", "TraceTable"]

MANIFEST_FORMAT = 1
ANSWER_PORTS = ("answer__valid", "answer__index", "answer__confidence")  # of a chip with readouts
COUNTERS = ("events", "sops", "multiplied", "updates", "spikes")  # of a group, where the tiles count


@dataclass(frozen=True)
class Field:
    """A field of a packed payload; a width of 0 means that it is not there and reads as 0."""

    offset: int
    width: int
    signed: bool

    def take(self, word: int) -> int:
        """Its value in a payload."""
        value = word >> self.offset & ((1 << self.width) - 1)
        return value - (1 << self.width) if self.signed and self.width and value >> (self.width - 1) else value

    def place(self, value: int) -> int:
        """A payload with this field set and all others 0. Raises ValueError if the value does not fit."""
        low, high = (-(1 << self.width >> 1), (1 << self.width >> 1) - 1) if self.signed else (0, (1 << self.width) - 1)
        if self.width and not low <= value <= high:
            raise ValueError(f"Field of {self.width} bits must be {low} to {high}, not {value}")
        return (value & ((1 << self.width) - 1)) << self.offset


class Output(NamedTuple):
    """An output population: ``values`` is how many readouts READ gives of it, one per neuron or, of a vote, per class."""

    population: str
    size: int
    readout: str
    values: int


@dataclass(frozen=True, eq=False)
class TraceTable:
    """What the trace port of a tile shows.

    ``lanes`` values of ``v_bits`` bits a clock; for update index i and lane u, ``column[i, u]`` is the column of the neuron among
    all states (-1: padding, no neuron) and ``level[i]`` the level of its group (-1: there is no such update).
    """

    lanes: int
    v_bits: int
    column: np.ndarray
    level: np.ndarray


class CounterTable(NamedTuple):
    """What the port ``counters_`` of a tile shows: per group, whose populations these are, ``width`` bits with the fields of :data:`COUNTERS`."""

    populations: tuple[str, ...]
    width: int
    fields: tuple[Field, ...]

    def take(self, word: int) -> list[list[int]]:
        """Per group its counters."""
        return [[field.take(word >> k * self.width) for field in self.fields] for k in range(len(self.populations))]


@dataclass(frozen=True, eq=False)
class Layout:
    """A chip as its testbench sees it.

    Parameters
    ----------
    name, verilog : of the top module, and of the file it is in.
    period, levels : PI and the largest level, see docs/architecture.md.
    streams : stream -> field -> :class:`Field`.
    commands : name -> code of the control stream.
    states : names of the populations with a state, in the order of their columns.
    sizes, levels_of : size and level of each of them.
    offsets : first column of each of them.
    inputs : (population, size) in the order of the numbers by which the events stream knows them.
    outputs : in the order of the numbers of the spikes and readouts streams.
    answer : number of the output whose readouts are the chip's answer, or None without any.
    traces : one table per tile.
    counters : the same of what the tiles count; empty where they do not.
    """

    name: str
    verilog: str
    period: int
    levels: int
    streams: dict[str, dict[str, Field]]
    commands: dict[str, int]
    states: tuple[str, ...]
    sizes: dict[str, int]
    levels_of: dict[str, int]
    offsets: dict[str, int]
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[Output, ...]
    answer: int | None
    traces: tuple[TraceTable, ...]
    counters: tuple[CounterTable, ...]

    @classmethod
    def read(cls, path: Path) -> Layout:
        """The layout of a manifest file. Raises ValueError if it is not one of the known format."""
        manifest = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(manifest, dict) or manifest.get("format") != MANIFEST_FORMAT:
            raise ValueError(f"{Path(path).name}: not a manifest of format {MANIFEST_FORMAT}")
        return cls.of(manifest)

    @classmethod
    def of(cls, manifest: dict) -> Layout:
        """The layout of a manifest that was read already."""
        states = [p for p in manifest["populations"] if p["model"] != "input"]
        offsets, column = {}, 0
        for p in states:
            offsets[p["name"]] = column
            column += p["size"]
        return cls(
            name=manifest["name"], verilog=Path(manifest["top"]).name, period=manifest["period"], levels=manifest["levels"],
            streams={stream: {name: Field(int(f[0]), int(f[1]), bool(f[2])) for name, f in description["fields"].items()}
                     for stream, description in manifest["streams"].items()},
            commands=dict(manifest["commands"]), states=tuple(p["name"] for p in states), sizes={p["name"]: p["size"] for p in states},
            levels_of={p["name"]: p["level"] for p in states}, offsets=offsets,
            inputs=tuple((p["population"], p["size"]) for p in sorted(manifest["inputs"], key=lambda p: p["index"])),
            outputs=tuple(Output(p["population"], p["size"], p["readout"], p["values"])
                          for p in sorted(manifest["outputs"], key=lambda p: p["index"])),
            answer=manifest["answer"]["output"] if manifest["answer"] else None,
            traces=tuple(_trace(tile, offsets) for tile in sorted(manifest["tiles"], key=lambda t: t["index"])),
            counters=tuple(_counters(tile) for tile in sorted(manifest["tiles"], key=lambda t: t["index"]) if "counters" in tile))

    @property
    def n_states(self) -> int:
        """Neurons with a membrane potential: columns of every array of states."""
        return sum(self.sizes.values())

    @property
    def n_readouts(self) -> int:
        """Words that READ gives."""
        return sum(output.values for output in self.outputs)

    def indexed(self, output: int) -> str:
        """What the readouts of an output belong to."""
        return "class" if self.outputs[output].readout == "vote" else "neuron"

    @property
    def counted(self) -> tuple[str, ...]:
        """Populations of all groups that are counted, tile after tile."""
        return tuple(name for table in self.counters for name in table.populations)

    def differing_counters(self, group_events: np.ndarray, work: np.ndarray, counters: np.ndarray) -> list[tuple[str, str, int, int]]:
        """Counters of a clip that are not as expected: (population, counter, expected, got).

        ``counters`` is ``[groups, 5]``, what the groups show, modulo 2**32; ``group_events`` ``[groups]`` the events of each, and ``work``
        ``[populations with a state, 4]`` what the others of a population's groups add up to.
        """
        counted, wrong = np.array(self.counted), []
        for name, wanted, got in zip(self.counted, group_events.tolist(), counters[:, 0].tolist()):
            wrong += [(name, COUNTERS[0], wanted, got)] if (wanted - got) % (1 << 32) else []
        for name, row in zip(self.states, work.tolist()):
            sums = counters[counted == name, 1:].sum(axis=0).tolist()
            wrong += [(name, COUNTERS[1 + k], wanted, got) for k, (wanted, got) in enumerate(zip(row, sums)) if (wanted - got) % (1 << 32)]
        return wrong

    def n_phases(self, n_steps: int) -> int:
        """Phases of a clip of ``n_steps`` timesteps, up to the end of draining."""
        return self.period * (n_steps - 1) + 1 + self.levels

    def timestep(self, phase: int, level: int) -> int | None:
        """The timestep that a group of this level handles in a phase, or None."""
        return None if (phase - level) % self.period or phase < level else (phase - level) // self.period

    def column_name(self, column: int) -> tuple[str, int]:
        """(population, neuron) of a column of states."""
        name = [n for n in self.states if self.offsets[n] <= column][-1]
        return name, column - self.offsets[name]

    def carries(self, port: str) -> bool:
        """Whether a port has bits that mean anything: Amaranth writes one of no bits as two undriven ones, ``[-1:0]``."""
        stream, _, member = port.partition("__")
        if member == "payload":
            return any(field.width for field in self.streams.get(stream, {}).values())
        if stream == "answer":
            return self.answer is not None
        return member != "index" or len(self.traces[int(stream.removeprefix("trace_"))].level) > 1

    def event_words(self, population: np.ndarray, neuron: np.ndarray, payload: np.ndarray) -> np.ndarray:
        """Payloads of the events stream, ``[n], uint64``."""
        words = np.zeros(len(population), dtype=np.uint64)
        for name, values in (("population", population), ("neuron", neuron), ("payload", payload)):
            field = self.streams["events"].get(name, Field(0, 0, False))
            masked = values.astype(np.int64) & ((1 << field.width) - 1)
            words |= masked.astype(np.uint64) << np.uint64(field.offset)
        return words

    def command_word(self, name: str, count: int = 0) -> int:
        """Payload of the control stream."""
        fields = self.streams["control"]
        return fields["command"].place(self.commands[name]) | fields["count"].place(count)


def _counters(tile: dict) -> CounterTable:
    fields = tile["counters"]["fields"]
    return CounterTable(tuple(g["population"] for g in tile["groups"]), int(tile["counters"]["width"]),
                        tuple(Field(int(fields[name][0]), int(fields[name][1]), bool(fields[name][2])) for name in COUNTERS))


def _trace(tile: dict, offsets: dict[str, int]) -> TraceTable:
    n_updates = sum(g["updates"] for g in tile["groups"])
    lanes = tile["update_lanes"]
    column = np.full((n_updates, lanes), -1, dtype=np.int32)
    level = np.full(n_updates, -1, dtype=np.int32)
    for group in tile["groups"]:
        first, last = group["update_base"], group["update_base"] + group["updates"]
        row, lane = np.divmod(np.arange(group["updates"] * lanes), tile["lanes"])
        block, place = np.divmod(row, group.get("positions", 1))  # a row is P channels at one place of a map
        channel = block * tile["lanes"] + lane  # beyond the last of the group: no neuron
        neuron = channel * group.get("pitch", group.get("positions", 1)) + place  # of a map cut by rows, each channel has some of its places
        there = channel * group.get("positions", 1) + place < group["size"]
        column[first:last] = np.where(there, offsets[group["population"]] + group["first"] + neuron, -1).reshape(-1, lanes)
        level[first:last] = group["level"]
    return TraceTable(lanes, tile["v_bits"], column, level)
