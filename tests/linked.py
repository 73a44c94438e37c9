"""A small chip behind its host link, as a project that ``sim:`` opens, and the compiled device of it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.emit_device import DEPTH, PLACES, device_name, device_verilog
from spikeloom.gen.identity import architecture_digest, identity
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.link.timing import LinkTiming
from spikeloom.sim.engines.device import CompiledDevice
from spikeloom.spec.archive import save_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

__all__ = ["CLOCK", "chip_of", "compiled", "needs_compiler", "network", "project", "shared_folder"]

CLOCK = 25_000_000
OPTIONS = {"lanes": 4, "tiles": 2, "fabric": "auto", "storage": "dense", "export": False, "counters": False, "readable": True,
           "memories": "distributed"}
TIMING = LinkTiming(clock_hz=CLOCK, baud=CLOCK // 5, silence_bits=300)
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def network(seed: int = 5, hidden: int = 10) -> Network:
    """Eight inputs, a hidden population whose spikes come out, four leaky integrators that are read. Each seed has other weights and thresholds."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-16, 32, (hidden, 8)), rng.integers(-16, 16, (4, hidden))]
    weights[0][0], weights[0][1] = -32, 31  # the same widths whatever the seed
    weights[1][0], weights[1][1] = -16, 15
    return Network(name=f"linked{seed}", populations=(
        Population(name="x", size=8, model=Model.INPUT, payload_min=1, payload_max=3),
        Population(name="h", size=hidden, model=Model.LIF, decay=Decay(shift_a=3), theta=np.concatenate([[60], rng.integers(20, 60, hidden - 1)]),
                   bias=np.array([-3, 3] + [0] * (hidden - 2)), v_bits=11, output=True),
        Population(name="y", size=4, decay=Decay(shift_a=2), model=Model.LI, v_bits=12, readout=Readout.SUM, labels=("a", "b", "c", "d"))),
        projections=(Projection(source="x", target="h", weights=weights[0], weight_bits=6),
                     Projection(source="h", target="y", weights=weights[1], weight_bits=5)))


def chip_of(net: Network, counters: bool = False):
    """The plan of a network as all of these chips are planned, but for counters."""
    return plan(net, lanes=OPTIONS["lanes"], tiles=OPTIONS["tiles"], readable=True, counters=counters)


def shared_folder(factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder that all workers of a test run share, so that a chip is compiled once, or at most twice where two begin together."""
    base = factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / name
    folder.mkdir(exist_ok=True)
    return folder


def project(folder: Path, net: Network, edits: tuple[tuple[str, str], ...] = (), counters: bool = False) -> Path:
    """Writes what ``sim:`` and ``deploy`` need; the Verilog changed by ``edits`` (text, new text), each of which must occur once."""
    if (folder / "manifest.json").exists():
        return folder
    chip = chip_of(net, counters)
    numbers = {"clock_hz": CLOCK, "baud": TIMING.baud, "depth": DEPTH, "places": PLACES}
    verilog = device_verilog(chip, pack(chip, net), TIMING, identity(chip, {**OPTIONS, "counters": counters}, numbers))
    for old, new in edits:
        assert verilog.count(old) == 1, f"{old!r} occurs {verilog.count(old)} times"
        verilog = verilog.replace(old, new)
    save_network(net, folder / "network.npz")
    _whole(folder / "device.v", verilog)
    _whole(folder / "manifest.json", json.dumps({"link": {
        "top": "device.v", "name": device_name(chip), "clocks_per_bit": TIMING.clocks_per_bit,
        "architecture": architecture_digest(chip), **numbers}}))
    return folder


def _whole(path: Path, text: str) -> None:
    """Write a file that another process may be looking for."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    new.write_text(text)
    new.replace(path)


def compiled(folder: Path, net: Network, edits: tuple[tuple[str, str], ...] = ()) -> CompiledDevice:
    """The device of a project, switched on."""
    return CompiledDevice(project(folder, net, edits) / "device.v", device_name(chip_of(net)), TIMING.clocks_per_bit)
