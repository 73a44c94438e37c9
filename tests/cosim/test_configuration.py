"""The configuration port in co-simulation: a chip in Verilog becomes the network that is written into it, and a mutant of the port is caught."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.state import state_words
from spikeloom.hdl.config_port import config_layout
from spikeloom.hdl.sequencer import control_layout
from spikeloom.sim import golden
from spikeloom.sim.scenario import build_scenario
from spikeloom.sim.testbench import write_testbench
from spikeloom.spec.clips import Clips

from ..end_to_end.host_items import FLUSH, RESET, config_image, config_state, read_states, step
from ..end_to_end.host_programs import random_clip
from ..hdl.test_config_port import network

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

FIRST, SECOND = network(1), network(2)


def script(chip, items):
    """Items as the cocotb test plays them."""
    def payload(kind, what):
        if kind == "config":
            return config_layout(chip).const(what).as_value().value
        if kind == "control":
            return control_layout().const({"command": what[0], "count": what[1]}).as_value().value
        return what
    return [[kind, payload(kind, what)] for kind, what in items]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A chip with the first network in its memories; and a script that writes the second one, plays clips, and writes and reads states."""
    folder = tmp_path_factory.mktemp("configured")
    chip = plan(FIRST, lanes=[4, 3], update_lanes=[4, 1], tiles=2, export=True)  # words of 1 to 3 parts
    emit(folder, chip, FIRST, pack(chip, FIRST))
    rng = np.random.default_rng(7)
    clips = np.stack([random_clip(SECOND, 8, rng, 0.5) for _ in range(2)])
    scenario = build_scenario(replace(chip, network_digest=SECOND.digest), SECOND, Clips.from_dense(clips))
    write_testbench(folder, scenario)

    ended = golden.run(SECOND, clips[1:]).state
    other = golden.State.with_potentials(SECOND, {"h": rng.integers(-200, 200, 9), "y": rng.integers(-900, 900, 3)})
    following = golden.run(SECOND, np.zeros((1, 1, 6), dtype=np.int64), state=other).state
    written = state_words(chip, SECOND, other)
    # Nothing is waited for: the port itself does, for the end of power-up, RESET and FLUSH.
    items = [*config_image(chip, pack(chip, SECOND)), RESET, ("clip", 0), ("clip", 1), *read_states(chip),
             RESET, *config_state(chip, written), *read_states(chip), step(), FLUSH, *read_states(chip)]
    words = [word for held in (state_words(chip, SECOND, ended), written, state_words(chip, SECOND, following)) for tile in held for word in tile]
    (folder / "script.json").write_text(json.dumps({"items": script(chip, items), "words": words}))
    return folder


def differences(folder: Path, monkeypatch) -> list[str]:
    """What the co-simulation of a folder finds; a test that breaks off (at an X, say) has found something, too."""
    from cocotb_tools.runner import get_runner

    monkeypatch.syspath_prepend(str(folder))  # cocotb hands Python's path on
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    runner = get_runner("icarus")
    runner.log.setLevel(logging.CRITICAL)
    model, found = folder / "model", folder / "differences.json"
    runner.build(sources=[folder / "chip.v"], hdl_toplevel="chip", build_dir=model, timescale=("1ns", "1ps"), log_file=folder / "build.log")
    try:
        runner.test(hdl_toplevel="chip", test_module="config_tests", build_dir=model, test_dir=folder, log_file=folder / "simulation.log",
                    results_xml=str(folder / "results.xml"), extra_env={"COSIM_FOLDER": str(folder), "COCOTB_RANDOM_SEED": "1"})
    except (SystemExit, RuntimeError):
        return [(folder / "simulation.log").read_text()[-3000:]]
    return json.loads(found.read_text())


def copy_of(project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project, tmp_path / "project", ignore=shutil.ignore_patterns("model", "differences.json")))


def test_a_chip_that_is_given_another_network_and_other_states_is_what_the_golden_model_says(project, tmp_path, monkeypatch):
    assert differences(copy_of(project, tmp_path), monkeypatch) == []


def module(text: str, name: str) -> tuple[int, int]:
    """Where a module of the Verilog begins and ends."""
    begin = text.index(f"module \\{name} ")
    return begin, text.index("endmodule", begin)


# Module, pattern, what it becomes, and which of how many places.
MUTATIONS = {
    "the count of parts, to place them": ("chip.config", r"\+ 1'h1", "- 1'h1", 0, 2),
    "the count of parts, to check it": ("chip.config", r"\+ 1'h1", "- 1'h1", 1, 2),
    "the address": ("chip.config", r"( = )config__payload\[30:11\](?= ?;\n    end)", r"\1config__payload[29:10]", 0, 1),
    "waiting": ("chip.config", r"quiet & ", "1'h1 & ", 0, 1), "the part that is read": ("chip.readback", r"\+ 1'h1", "- 1'h1", 0, 1),
    "the tile that is read": ("chip.readback", r"r_tile = read \|", "r_tile = read &", 0, 1),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_a_mutant_of_the_port_is_caught(what, project, tmp_path, monkeypatch):
    name, pattern, other, number, count = MUTATIONS[what]
    folder = copy_of(project, tmp_path)
    text = (folder / "chip.v").read_text()
    begin, end = module(text, name)
    places = list(re.finditer(pattern, text[begin:end]))
    assert len(places) == count
    at = places[number]
    (folder / "chip.v").write_text(text[:begin + at.start()] + at.expand(other) + text[begin + at.end():])
    assert differences(folder, monkeypatch)
