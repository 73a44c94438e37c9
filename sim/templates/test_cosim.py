"""Runs chip_tests.py on the Verilog of this project: ``pytest`` in this folder, or ``make``.

SIM names the simulator (icarus, or verilator 5.036 or newer); WAVES=1 writes a waveform.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cocotb_tools.runner import get_runner

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent


def test_chip_equals_its_models(monkeypatch):
    """Every output event, readout, answer, membrane potential, phase length and counter, on all clips of vectors.npz."""
    simulator = os.environ.get("SIM", "icarus")
    manifest = json.loads((PROJECT / "manifest.json").read_text(encoding="utf-8"))
    build = HERE / "build" / simulator
    monkeypatch.syspath_prepend(HERE)  # cocotb hands Python's path on to the simulation
    runner = get_runner(simulator)
    runner.build(sources=[PROJECT / manifest["top"]], hdl_toplevel=manifest["name"], build_dir=build, timescale=("1ns", "1ps"), always=True,
                 build_args=["-Wno-fatal"] if simulator == "verilator" else [])
    runner.test(hdl_toplevel=manifest["name"], test_module="chip_tests", build_dir=build, test_dir=build,
                results_xml=str(build / "results.xml"))
