"""A small chip behind its host link, as Verilog, and the compiled device of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.emit_device import device_name, device_verilog
from spikeloom.gen.identity import identity
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.link.timing import LinkTiming
from spikeloom.sim.engines.device import CompiledDevice
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

__all__ = ["CLOCK", "compiled", "needs_compiler", "network"]

CLOCK = 25_000_000
OPTIONS = {"lanes": 4, "tiles": 2, "fabric": "auto", "storage": "dense"}
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


def network(seed: int = 5, payloads: tuple[int, int] = (1, 3), hidden: int = 10) -> Network:
    """Eight inputs, a hidden population whose spikes come out, four leaky integrators that are read. Each seed has other weights and thresholds."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-16, 32, (hidden, 8)), rng.integers(-16, 16, (4, hidden))]
    weights[0][0], weights[0][1] = -32, 31  # the same widths whatever the seed
    weights[1][0], weights[1][1] = -16, 15
    return Network(name=f"linked{seed}", populations=(
        Population(name="x", size=8, model=Model.INPUT, payload_min=payloads[0], payload_max=payloads[1]),
        Population(name="h", size=hidden, model=Model.LIF, decay=Decay(shift_a=3), theta=np.concatenate([[60], rng.integers(20, 60, hidden - 1)]),
                   bias=np.array([-3, 3] + [0] * (hidden - 2)), v_bits=11, output=True),
        Population(name="y", size=4, decay=Decay(shift_a=2), model=Model.LI, v_bits=12, readout=Readout.SUM)),
        projections=(Projection(source="x", target="h", weights=weights[0], weight_bits=6),
                     Projection(source="h", target="y", weights=weights[1], weight_bits=5)))


def compiled(folder: Path, net: Network, *, baud: int = CLOCK // 5, silence_bits: int = 300, edits: tuple[tuple[str, str], ...] = ()) -> CompiledDevice:
    """The device of a network, switched on; its Verilog changed by ``edits`` (text, new text), each of which must occur."""
    timing = LinkTiming(clock_hz=CLOCK, baud=baud, silence_bits=silence_bits)
    path = folder / "device.v"
    chip = plan(net, lanes=OPTIONS["lanes"], tiles=OPTIONS["tiles"], readable=True)
    if not path.exists():
        numbers = {"clock_hz": CLOCK, "baud": baud, "depth": 2048, "places": 256}
        verilog = device_verilog(chip, pack(chip, net), timing, identity(chip, OPTIONS, numbers))
        for old, new in edits:
            assert verilog.count(old) == 1, f"{old!r} occurs {verilog.count(old)} times"
            verilog = verilog.replace(old, new)
        path.write_text(verilog)
    return CompiledDevice(path, device_name(chip), timing.clocks_per_bit)
