"""cocotb test of a generated chip: every output event, readout, answer, membrane potential, phase length and counter must be
as expected.

Files, each with an environment variable that names another: COSIM_MANIFEST ../manifest.json, COSIM_VECTORS vectors.npz,
COSIM_EXPECTED expected.npz. With COSIM_OBSERVED set, what was seen is written to that file and not checked here.
"""

from __future__ import annotations

import os
from pathlib import Path

import cocotb
import numpy as np
from chip_check import mismatches
from chip_player import Hang, Player
from layout import Layout

HERE = Path(__file__).resolve().parent


def _path(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or HERE / default)


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


@cocotb.test()
async def chip_does_what_its_models_say(dut):
    """Plays every clip of the vectors, then compares."""
    layout = Layout.read(_path("COSIM_MANIFEST", "../manifest.json"))
    vectors = _load(_path("COSIM_VECTORS", "vectors.npz"))
    n_clips = (len(vectors["event_offset"]) - 1) // int(vectors["n_steps"])
    player = Player(dut, layout, vectors)
    await player.power_up()
    for clip in range(n_clips):
        try:
            await player.play(clip)
        except Hang:
            break
        dut._log.info("clip %d of %d: %d clock cycles", clip + 1, n_clips, player.recording.phase_cycles[clip].sum())
    observed = player.recording.arrays()
    if os.environ.get("COSIM_OBSERVED"):
        np.savez(os.environ["COSIM_OBSERVED"], **observed)
        return
    lines = mismatches(layout, _load(_path("COSIM_EXPECTED", "expected.npz")), observed)
    for line in lines[:20]:
        dut._log.error("%s", line)
    assert not lines, f"{len(lines)} differences; the first: {lines[0]}"
