"""The testbench: offers the events of a clip to the chip clock by clock, and records everything that comes of it.

In each clock it looks at the outputs at the falling edge, sets the inputs, lets the logic settle, and sees what is taken at the next rising
edge. Events are offered back to back from the clock of ``start`` on, STEP in the clock after the last event was taken, READ after the
last STEP.
"""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly
from layout import ANSWER_PORTS, COUNTERS, Layout

__all__ = ["Hang", "Player", "Recording"]


class Hang(Exception):
    """The watchdog ended a clip; the text says what the testbench was waiting for."""


class Recording:
    """What was seen of the clips played so far; the arrays are those of SpikeLoom's ``Observed``."""

    def __init__(self, layout: Layout, n_steps: int) -> None:
        self._shape = (n_steps, layout.n_states)
        self._n_phases = layout.n_phases(n_steps)
        self.phase_cycles: list[np.ndarray] = []
        self.potentials: list[np.ndarray] = []
        self.traced: list[np.ndarray] = []
        self.extra_phases: list[int] = []
        self.stray_traces: list[int] = []
        self.errors: list[int] = []
        self.rejected: list[int] = []
        self.spikes: list[tuple[int, ...]] = []
        self.readouts: list[tuple[int, ...]] = []
        self.answers: list[list[int]] = []
        self.counters: list[list[list[int]]] = []
        self._n_counted = len(layout.counted)
        self.hang = ""

    def begin_clip(self) -> None:
        """Another clip follows."""
        self.phase_cycles.append(np.zeros(self._n_phases, dtype=np.int64))
        self.potentials.append(np.zeros(self._shape, dtype=np.int32))
        self.traced.append(np.zeros(self._shape, dtype=np.uint8))
        for counts in (self.extra_phases, self.stray_traces, self.errors, self.rejected):
            counts.append(0)
        self.answers.append([0, 0, 0])
        self.counters.append([[0] * len(COUNTERS)] * self._n_counted)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it, for an .npz file."""
        names = ("phase_cycles", "potentials", "traced", "extra_phases", "stray_traces", "errors", "rejected", "answers")
        return {**{name: np.array(getattr(self, name)) for name in names},
                "counters": np.array(self.counters, dtype=np.int64).reshape(len(self.counters), self._n_counted, len(COUNTERS)),
                "spikes": np.array(self.spikes, dtype=np.int64).reshape(-1, 6),
                "readouts": np.array(self.readouts, dtype=np.int64).reshape(-1, 5),
                "hang": np.frombuffer(self.hang.encode(), dtype=np.uint8)}


class Player:
    """Plays clips on a chip under cocotb.

    Parameters
    ----------
    dut : the top module's handle.
    layout : from manifest.json.
    vectors : arrays of vectors.npz.
    """

    def __init__(self, dut, layout: Layout, vectors: dict[str, np.ndarray]) -> None:
        self._dut, self._layout = dut, layout
        self._n_steps = int(vectors["n_steps"])
        self._watchdog = int(vectors["watchdog_cycles"])
        self._offset = vectors["event_offset"]
        self._words = layout.event_words(vectors["event_population"], vectors["event_neuron"], vectors["event_payload"])
        self._ports = {name: getattr(dut, name, None) if layout.carries(name) else None for name in (
            "events__payload", "spikes__payload", "readouts__valid", "readouts__ready", "readouts__payload", "config__valid",
            "status__errors", "status__rejected", *ANSWER_PORTS, *(f"trace_{k}__index" for k in range(len(layout.traces))),
            *(f"counters_{k}" for k in range(len(layout.counters))))}
        self._traces = [getattr(dut, f"trace_{k}__valid") for k in range(len(layout.traces))]
        self._clocks = self._phase = self._step = 0
        self._doing = "power-up"
        self.recording = Recording(layout, self._n_steps)

    async def power_up(self) -> None:
        """Start the clock and reset the flip-flops."""
        dut = self._dut
        dut.rst.value = 1
        dut.events__valid.value = 0
        dut.control__valid.value = 0
        dut.spikes__ready.value = 1
        for name, value in (("readouts__ready", 1), ("config__valid", 0)):
            if self._ports[name] is not None:
                self._ports[name].value = value
        Clock(dut.clk, 10, unit="ns").start()
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0

    async def play(self, clip: int) -> None:
        """Play one clip; the first follows :meth:`power_up`, each other one begins with RESET. Raises Hang."""
        self.recording.begin_clip()
        self._clocks = self._phase = self._step = 0
        try:
            if clip:
                self._doing = "waiting for RESET to be taken"
                await self._command("RESET")
            self._doing = "waiting for the end of RESET"
            # RESET ends with a start strobe, and the next command may come: that is cycle 0 of phase 0.
            while not (self._high("status__start") and self._high("control__ready")):
                await self._next_clock()
            await self._run(clip)
        except Hang:
            self.recording.hang = (f"no end after {self._clocks} clock cycles: the chip is in phase {self._phase} of "
                                   f"{self._layout.n_phases(self._n_steps)}, the testbench at timestep {self._step}, {self._doing}")
            raise
        self._dut.control__valid.value = 0
        recording = self.recording
        recording.errors[clip] = self._word("status__errors")
        recording.rejected[clip] = int(self._word("status__rejected") != 0)
        recording.answers[clip] = [self._word(port) for port in ANSWER_PORTS]
        recording.counters[clip] = [row for k, table in enumerate(self._layout.counters) for row in table.take(self._word(f"counters_{k}"))]

    async def _run(self, clip: int) -> None:
        """From the clock of the first start (its falling edge has just been) to the end of READ."""
        dut, layout, recording, n_steps = self._dut, self._layout, self.recording, self._n_steps
        offset = self._offset[clip * n_steps : (clip + 1) * n_steps + 1].tolist()
        event, cycle, begin, is_open = offset[0], 0, 0, True
        self._doing = "offering an event" if event < offset[1] else "offering STEP"
        while True:
            start = self._high("status__start")
            if start and self._doing == "waiting for the readouts" and self._high("control__ready"):
                return
            if start and cycle:
                self._phase, begin, is_open = self._phase + 1, cycle, True
                recording.extra_phases[clip] += self._phase >= len(recording.phase_cycles[clip])
                if self._doing == "waiting for the next start":
                    if self._step == n_steps:
                        self._doing = "offering READ"
                    elif self._phase % layout.period == 0:
                        self._doing = "offering an event" if event < offset[self._step + 1] else "offering STEP"
            offers_event, offers_command = self._doing == "offering an event", self._doing in ("offering STEP", "offering READ")
            dut.events__valid.value = int(offers_event)
            if offers_event and self._ports["events__payload"] is not None:
                self._ports["events__payload"].value = int(self._words[event])
            dut.control__valid.value = int(offers_command)
            if offers_command:
                step = self._doing == "offering STEP"
                dut.control__payload.value = layout.command_word("STEP", 1) if step else layout.command_word("READ")

            await ReadOnly()
            if is_open and self._high("status__finish"):
                if self._phase < len(recording.phase_cycles[clip]):
                    recording.phase_cycles[clip][self._phase] = cycle - begin + 1
                is_open = False
            self._record(clip)
            if offers_event and self._high("events__ready"):
                event += 1
                if event == offset[self._step + 1]:
                    self._doing = "offering STEP"
            elif offers_command and self._high("control__ready"):
                if self._doing == "offering STEP":
                    self._step += 1
                    self._doing = "waiting for the next start"
                else:
                    self._doing = "waiting for the readouts"
            await self._next_clock()
            cycle += 1

    def _record(self, clip: int) -> None:
        """Output events, readouts and membrane potentials of this clock."""
        recording, layout = self.recording, self._layout
        if self._high("spikes__valid"):
            fields = self._fields("spikes", ("population", "neuron", "timestep", "payload"))
            recording.spikes.append((clip, self._phase, *fields))
        if self._ports["readouts__valid"] is not None and int(self._ports["readouts__valid"].value):
            recording.readouts.append((clip, *self._fields("readouts", ("population", "neuron", "value", "last"))))
        for k, (valid, table) in enumerate(zip(self._traces, layout.traces)):
            if not int(valid.value):
                continue
            update = self._word(f"trace_{k}__index")
            known = update < len(table.level)
            timestep = layout.timestep(self._phase, int(table.level[update])) if known else None
            if timestep is None or timestep >= self._n_steps:
                recording.stray_traces[clip] += 1
                continue
            word, mask = getattr(self._dut, f"trace_{k}__v").value.to_unsigned(), (1 << table.v_bits) - 1
            for lane, column in enumerate(table.column[update].tolist()):
                if column >= 0:
                    value = word >> lane * table.v_bits & mask
                    recording.potentials[clip][timestep, column] = value - (1 << table.v_bits) * (value >> (table.v_bits - 1))
                    recording.traced[clip][timestep, column] += recording.traced[clip][timestep, column] < 255

    def _fields(self, stream: str, names: tuple[str, ...]) -> list[int]:
        """Fields of an output stream; one that is not there is 0, a payload then 1."""
        word = self._word(f"{stream}__payload")
        fields = self._layout.streams[stream]
        return [fields[name].take(word) if name in fields else int(name == "payload") for name in names]

    def _word(self, port: str) -> int:
        """Value of a port; 0 for one that has no bits and so is not there."""
        handle = self._ports[port]
        return 0 if handle is None else int(handle.value)

    def _high(self, port: str) -> bool:
        return int(getattr(self._dut, port).value) == 1

    async def _command(self, name: str) -> None:
        self._dut.control__payload.value = self._layout.command_word(name)
        self._dut.control__valid.value = 1
        taken = False
        while not taken:
            await ReadOnly()
            taken = self._high("control__ready")
            await self._next_clock()
        self._dut.control__valid.value = 0

    async def _next_clock(self) -> None:
        await FallingEdge(self._dut.clk)
        self._clocks += 1
        if self._clocks > self._watchdog:
            cocotb.log.error("watchdog after %d clock cycles", self._clocks)
            raise Hang
