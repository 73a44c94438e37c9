"""Mutants of the link's hardware: each is found by the test of abuse."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from spikeloom.hdl.link import linked_chip, request, responder

from ..linked import compiled, needs_compiler, network
from .link_abuse import abuse

pytestmark = [needs_compiler, pytest.mark.slow]

MUTANTS = {
    "a repetition is executed again": (responder, (
        ("with m.Elif(self.sequence == last):", "with m.Elif(Const(0)):"),
        ("with m.Elif(self.sequence != (last + 1)[:8]):", "with m.Elif((self.sequence != (last + 1)[:8]) & (self.sequence != last)):"))),
    "an old frame is executed": (responder, (("with m.Elif(self.sequence != (last + 1)[:8]):", "with m.Elif(Const(0)):"),)),
    "half a body is executed": (responder, (("with m.If(~self.whole):", "with m.If(Const(0)):"),)),
    "a repetition brings no records": (responder, (("m.d.sync += reply.eq(stored)", "m.d.sync += [reply.eq(stored), reply.records.eq(0)]"),)),
    "the CRC is not looked at": (request, (("ended_good & check.match_detected", "ended_good"),)),
    "damage is not counted": (request, (("self.damaged.eq(~over_cut)", "self.damaged.eq(0)"),)),
}


def mutated(module: ModuleType, edits: tuple[tuple[str, str], ...]) -> ModuleType:
    """A module of other text."""
    text = inspect.getsource(module)
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        text = text.replace(old, new)
    changed = ModuleType(module.__name__)
    changed.__package__ = module.__package__
    exec(compile(text, module.__name__, "exec"), changed.__dict__)
    return changed


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found(name, monkeypatch, tmp_path):
    module, edits = MUTANTS[name]
    component = "Responder" if module is responder else "RequestReader"
    monkeypatch.setattr(linked_chip, component, getattr(mutated(module, edits), component))
    with pytest.raises(AssertionError):
        abuse(compiled(tmp_path, network()), network(), 200, seed=3)
