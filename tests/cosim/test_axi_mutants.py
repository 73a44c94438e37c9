"""Broken wrappers: each is found by the co-simulation, and breaches of the protocol by their checker."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from spikeloom.gen.plan import plan
from spikeloom.hdl.axi import event_output, lite, registers, wrapper

from ..end_to_end.host_programs import random_clip
from ..hdl.mutant import mutant
from .axi_case import differences, make_case, play
from .test_generated_project import recurrent_network

pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is in the extra dev")
pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

NETWORK = recurrent_network()
WHERE = {"Lite": (lite, wrapper), "Registers": (registers, wrapper), "EventOutput": (event_output, wrapper)}

# What is broken: class, text of its source, what it becomes, and words of which one must be found. More mutants are in tests/hdl/axi.
MUTATIONS = {
    "an answer to a write is withdrawn": ("Lite", "with m.If(self.bready):", "with m.If(1):", "b, clock"),
    "an answer changes while it waits": ("Lite", "held & ~fetching & (self.rready | ~self.rvalid)", "held & ~fetching", "r, clock"),
    "an answer comes before the data": ("Lite", "begins.eq(address_held & data_held &", "begins.eq(address_held &", "writes: response"),
    "an unaligned address is taken for an aligned one": ("Lite", "aligned & ~self.w_error", "~self.w_error", "bad write"),
    "a word nowhere reads as 0": ("Registers", "self.r_error.eq(~found)", "self.r_error.eq(0)", "bad read"),
    "readouts are complete too early": ("Registers", "with m.If(self.readouts.payload.last):", "with m.If(number == 1):", "readouts"),
    "an output event is offered when there is no room": ("EventOutput", "self.spikes.ready.eq(queue.i.ready & ~self.frames.valid)",
                                                         "self.spikes.ready.eq(~self.frames.valid)", "frame"),
}


def case(folder):
    chip = plan(NETWORK, lanes=4, tiles=3)
    rng = np.random.default_rng(8)
    clips = np.stack([random_clip(NETWORK, 5, rng, density) for density in (0.5, 0.1)])
    make_case(folder, chip, NETWORK, clips, pause=0.75, seed=4, patience=25_000)
    return chip, clips


def test_the_case_itself_is_right(tmp_path, monkeypatch):
    chip, clips = case(tmp_path)
    assert differences(chip, NETWORK, clips, play(tmp_path, monkeypatch)) == []


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_broken_wrapper_is_found(what, tmp_path, monkeypatch):
    name, old, new, words = MUTATIONS[what]
    home, user = WHERE[name]
    monkeypatch.setattr(user, name, mutant(home, name, old, new))
    chip, clips = case(tmp_path)
    found = differences(chip, NETWORK, clips, play(tmp_path, monkeypatch))
    assert any(words in line for line in found), found[:5]
