"""The CI example: the command of its workflow, in a stranger's repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikeloom.spec.archive import save_network

from ..linked import network


@pytest.fixture
def stranger(root: Path, tmp_path: Path) -> Path:
    """A repository with the two files of the example, a network, and clips."""
    for name, to in (("check.sh", "ci"), ("spikeloom.yml", ".github/workflows")):
        (tmp_path / to).mkdir(parents=True)
        shutil.copy(root / "examples/ci" / name, tmp_path / to / name)
    (tmp_path / "model").mkdir()
    save_network(network(), tmp_path / "model/net.npz")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "model/clips.npz", x=rng.integers(1, 4, (3, 8, 8)) * (rng.random((3, 8, 8)) < 0.4), y=np.array([0, 1, 2]))
    return tmp_path


def run(stranger: Path, first: Path | None = None) -> tuple[subprocess.CompletedProcess[str], str]:
    """Runs what the workflow runs; ``first`` comes first in PATH. Returns the summary as well."""
    (command,) = re.findall(r"^ +- run: (sh .*)$", (stranger / ".github/workflows/spikeloom.yml").read_text(), re.MULTILINE)
    path = os.pathsep.join([*([str(first)] if first else []), str(Path(sys.executable).parent), os.environ["PATH"]])
    summary = stranger / "summary.md"
    done = subprocess.run(command, shell=True, cwd=stranger, capture_output=True, text=True, timeout=500,
                          env={**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary)})
    return done, summary.read_text() if summary.exists() else ""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_the_workflow_builds_proves_and_publishes(stranger: Path) -> None:
    done, summary = run(stranger)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("The Verilog equals the golden model.\n")
    published = re.findall(r"path: (\S+)", (stranger / ".github/workflows/spikeloom.yml").read_text())
    out = stranger / published[0]
    told = json.loads((out / "cosim.json").read_text())
    assert told["clips"] == 2 and told["states_compared"] > 0 and told["spikes_wrong"] == told["states_wrong"] == 0
    assert (out / "chip/chip.v").is_file() and (out / "chip/cosim/Makefile").is_file()
    assert summary == (out / "report.md").read_text() and summary.startswith("# Co-simulation of model/net.npz\n\nThe Verilog equals")


@pytest.mark.parametrize(("status", "text"), [(1, "**The Verilog DIFFERS from the golden model.**"),
                                              (2, "no comparison: spikeloom cosim ended with status 2")])
def test_a_difference_and_an_error_fail_and_are_published(stranger: Path, status: int, text: str) -> None:
    fake = stranger / "bin/spikeloom"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\nif [ "$1" = build ]; then mkdir -p "$6"; echo report > "$6/report.md"; else echo "{{}}"; exit {status}; fi\n')
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    done, summary = run(stranger, fake.parent)
    assert done.returncode == status and text in done.stdout and text in summary and summary.endswith("report\n"), done


def test_a_build_that_fails_fails_the_workflow(stranger: Path) -> None:
    (stranger / "model/net.npz").write_bytes(b"no network")
    done, summary = run(stranger)
    assert done.returncode == 2 and "spikeloom: error:" in done.stderr and summary == ""
