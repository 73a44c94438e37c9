"""Writes the co-simulation that a generated project carries: it runs without SpikeLoom."""

from __future__ import annotations

import shutil
from pathlib import Path

from .scenario import Scenario

__all__ = ["FILES", "write_testbench"]

_TEMPLATES = Path(__file__).parent / "templates"

# What is copied, from where.
FILES = {**{name: _TEMPLATES / name for name in ("README.md", "Makefile", "test_cosim.py", "chip_tests.py", "chip_player.py", "chip_check.py")},
         "layout.py": Path(__file__).parent / "layout.py"}


def write_testbench(folder: Path, scenario: Scenario | None = None) -> None:
    """Write the test into ``folder``, which lies beside manifest.json, and its vectors and expected results if a scenario is given."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in FILES.items():
        shutil.copyfile(source, folder / name)
    if scenario is not None:
        scenario.save_vectors(folder / "vectors.npz")
        scenario.save_expected(folder / "expected.npz")
