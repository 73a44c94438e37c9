"""Sequencer: commands of the host, the phase barrier, and which levels work in a phase."""

from amaranth import *
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Command", "Sequencer", "control_layout"]


class Command(enum.Enum, shape=2):
    """Commands on the control stream."""

    STEP = 0  # end the timestep; count - 1 more timesteps without events
    FLUSH = 1  # until every timestep given has left the last population
    READ = 2  # FLUSH, then the readouts
    RESET = 3  # FLUSH, then clear states, queues, readouts and timesteps


def control_layout() -> data.StructLayout:
    """{command, count}: ``count`` concerns STEP alone, and 0 means 1."""
    return data.StructLayout({"command": Command, "count": 16})


class Sequencer(wiring.Component):
    """Starts a phase when nothing is busy any more and there is a reason to: "Barrier" in docs/architecture.md.

    A command taken in cycle c acts from c + 1 on; the next one is taken after it is over. ``start`` is the cycle after the idle cycle
    that it waited for. Power-up behaves as RESET. Every command but a STEP of several timesteps ends with one ``start``.

    Parameters
    ----------
    levels : the largest level of any group.
    period : phases per timestep.
    loadable : ``levels`` and ``period`` are the most there can be; what there is says ``last_phase`` (phases per timestep, less 1) and ``drain`` (a
        bit for each level but the last).

    Members
    -------
    control : commands.
    idle : nothing is busy in this cycle.
    start, clear, active : a new phase begins; it clears states; bit ``level`` - 1 is set where groups of that level work.
    timestep : a new timestep of the inputs begins (in the cycle of ``start``).
    finish : last cycle of a phase.
    window : input events are accepted.
    read, reading : begin the readout (strobe); it is not over.
    quiet : no timestep is under way and no command waits: memories may be written.
    """

    def __init__(self, *, levels: int, period: int, loadable: bool = False):
        self._levels, self._period, self._loadable = levels, period, loadable
        super().__init__({
            "control": In(stream.Signature(control_layout())), "idle": In(1),
            "start": Out(1), "clear": Out(1), "active": Out(levels), "timestep": Out(1), "finish": Out(1), "window": Out(1),
            "read": Out(1), "reading": In(1), "quiet": Out(1),
            **({"last_phase": In(range(self._period)), "drain": In(levels - 1)} if loadable else {}),
        })

    def elaborate(self, platform):
        m = Module()
        pending, command, steps = Signal(init=1), Signal(Command, init=Command.RESET), Signal(16)
        phase = Signal(range(self._period))  # of the period; inputs are accepted in phase 0
        closing = Signal()  # the command's own work is under way: readout, or the phase that clears
        settled, drained, go = Signal(), Signal(), Signal()
        last_step = Signal()
        m.d.comb += [
            self.control.ready.eq(~pending),
            self.window.eq(~pending & (phase == 0)),
            settled.eq(self.idle & ~self.start & ~self.read & ~self.reading),
            # Timesteps under way are the bits that still have a level to come.
            drained.eq((self.active[:-1] & self.drain if self._loadable else self.active[:-1]) == 0),
            self.quiet.eq(settled & ~pending & drained & (phase == 0)),
            last_step.eq(steps <= 1),
        ]
        with m.If(self.control.valid & self.control.ready):
            m.d.sync += [pending.eq(1), command.eq(self.control.payload.command), steps.eq(self.control.payload.count)]

        m.d.sync += [self.start.eq(0), self.clear.eq(0), self.read.eq(0), self.timestep.eq(0)]
        with m.If(closing):
            with m.If(settled):
                m.d.sync += [closing.eq(0), pending.eq(0), self.start.eq(1)]
        with m.Elif(settled & pending & (command != Command.STEP) & drained):
            m.d.comb += self.finish.eq(1)
            m.d.sync += [self.active.eq(0), phase.eq(0)]
            with m.If(command == Command.FLUSH):
                m.d.sync += [pending.eq(0), self.start.eq(1)]
            with m.Elif(command == Command.READ):
                m.d.sync += [closing.eq(1), self.read.eq(1)]
            with m.Else():
                m.d.sync += [closing.eq(1), self.start.eq(1), self.clear.eq(1)]
        with m.Elif(settled & (pending | (phase != 0))):
            enters = pending & (command == Command.STEP) & (phase == 0)
            m.d.comb += [go.eq(1), self.finish.eq(1)]
            m.d.sync += [self.start.eq(1), self.active.eq(Cat(enters, self.active)), self.timestep.eq(enters)]
            if self._period > 1:
                m.d.sync += phase.eq(Mux(phase == (self.last_phase if self._loadable else self._period - 1), 0, phase + 1))
            with m.If(enters):
                m.d.sync += [steps.eq(steps - 1), pending.eq(~last_step)]
        return m
