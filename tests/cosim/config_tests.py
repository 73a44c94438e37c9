"""cocotb test of a chip's configuration port: plays what script.json says, and writes differences.json.

Beside it lie the files of a generated project's own test (chip_player.py and others, vectors.npz, expected.npz). The script is a list of
["config", payload], ["control", payload] and ["clip", number], and the words that must be read back.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import cocotb
import numpy as np
from chip_check import mismatches
from chip_player import Hang, Player
from cocotb.triggers import FallingEdge, ReadOnly
from layout import Layout

HERE = Path(os.environ["COSIM_FOLDER"])
PATIENCE = 20_000  # clock cycles for one item


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as data:
        return dict(data)


async def _listen(dut, words: list[int]) -> None:
    """Collects the words that are read back."""
    word, offset = 0, 0
    while True:
        await FallingEdge(dut.clk)
        await ReadOnly()
        if int(dut.readback__valid.value):
            part = int(dut.readback__payload.value)
            word, offset = word | (part & 0xFFFFFFFF) << offset, offset + 32
            if part >> 32:
                words.append(word)
                word, offset = 0, 0


async def _offer(dut, stream: str, payload: int) -> None:
    """Offers a payload from now on until it is taken."""
    getattr(dut, f"{stream}__payload").value = payload
    getattr(dut, f"{stream}__valid").value = 1
    for _ in range(PATIENCE):
        await ReadOnly()
        taken = int(getattr(dut, f"{stream}__ready").value)
        await FallingEdge(dut.clk)
        if taken:
            getattr(dut, f"{stream}__valid").value = 0
            return
    raise Hang


@cocotb.test()
async def chip_becomes_what_is_written(dut):
    """Plays the script, then compares; what it finds is in the file, for whoever started it to judge."""
    layout, script = Layout.read(HERE / "manifest.json"), json.loads((HERE / "script.json").read_text())
    player, words, lines = Player(dut, layout, _load(HERE / "vectors.npz")), [], []
    dut.readback__ready.value = 1
    await player.power_up()
    cocotb.start_soon(_listen(dut, words))
    try:
        for kind, what in script["items"]:
            if kind == "clip":
                await player.play(what)
            else:
                await _offer(dut, kind, what)
    except Hang:
        lines.append("the chip hangs")
    else:
        for _ in range(50):  # the last word
            await FallingEdge(dut.clk)
        lines = mismatches(layout, _load(HERE / "expected.npz"), player.recording.arrays())
        lines += [f"word {k}: {got}, not {want}" for k, (got, want) in enumerate(zip(words, script["words"])) if got != want]
        lines += [] if len(words) == len(script["words"]) else [f"{len(words)} words, not {len(script['words'])}"]
    (HERE / "differences.json").write_text(json.dumps(lines))

