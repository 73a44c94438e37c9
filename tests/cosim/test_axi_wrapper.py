"""Wrapped chips in co-simulation with cocotbext-axi: whole networks equal to the golden model, protocol checkers, and mutants."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from spikeloom.gen.plan import plan

from ..end_to_end.host_programs import random_clip
from ..gen.test_axi_files import wide
from ..hdl.test_config_port import network
from .axi_case import differences, make_case, play
from .test_generated_project import recurrent_network

pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is in the extra dev")
pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

FIRST, SECOND, RECURRENT = network(1), network(2), recurrent_network()


def two_clips(net, steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.stack([random_clip(net, steps, rng, density) for density in (0.5, 0.1)])


@pytest.mark.parametrize("pause", [0.0, 0.3, 0.7])
def test_a_network_loaded_over_the_bus_is_what_the_golden_model_says(pause, tmp_path, monkeypatch):
    chip = plan(FIRST, lanes=[4, 3], update_lanes=[4, 1], tiles=2, export=True, counters=True)
    clips = two_clips(SECOND, 6, 3)
    make_case(tmp_path, chip, SECOND, clips, pause=pause, seed=11 + round(10 * pause), first=FIRST)
    assert differences(chip, SECOND, clips, play(tmp_path, monkeypatch)) == []


@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_several_inputs_and_outputs_on_other_levels_are_framed(pause, tmp_path, monkeypatch):
    chip = plan(RECURRENT, lanes=4, tiles=3, counters=True)
    assert chip.period > 1 and len({o.level for o in chip.outputs if not o.values}) > 1
    clips = two_clips(RECURRENT, 9, 5)
    make_case(tmp_path, chip, RECURRENT, clips, pause=pause, seed=21, loads=False)
    assert differences(chip, RECURRENT, clips, play(tmp_path, monkeypatch)) == []


def test_readouts_wider_than_a_word_are_read_in_two(tmp_path, monkeypatch):
    net = wide()
    chip, clips = plan(net), two_clips(net, 12, 6)
    make_case(tmp_path, chip, net, clips, pause=0.2, seed=31, loads=False)
    assert differences(chip, net, clips, play(tmp_path, monkeypatch)) == []
