"""Files of the AXI wrapper: the same bytes each time, a header that C takes and that says what the hardware decodes."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from spikeloom.gen.axi_files import axi_header, axi_markdown, write_axi
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.axi.register_map import register_map
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

from ..hdl.test_config_port import network

PLAIN, FULL = plan(network(1)), plan(network(1), export=True, counters=True, tiles=2)


def wide() -> Network:
    """Readouts of 48 bits."""
    x = Population(name="x", size=2, model=Model.INPUT)
    y = Population(name="y", size=3, model=Model.LI, v_bits=32, guard_bits=12, bias=[1 << 30, -(1 << 30), 3], readout=Readout.SUM)
    return Network(name="wide", populations=(x, y), projections=(Projection(source="x", target="y",
                                                                                weights=np.array([[7, -8], [-6, 3], [-7, 7]]), shift=12),))


def test_the_same_chip_gives_the_same_bytes(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        write_axi(folder, FULL, pack(FULL, network(1)))
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["chip_axi.h", "chip_axi.md", "chip_axi.v"]
    for name in names:
        data = (folders[0] / name).read_bytes()
        assert data == (folders[1] / name).read_bytes() and str(tmp_path).encode() not in data


@pytest.mark.parametrize("chip", [PLAIN, FULL, plan(wide())], ids=["plain", "full", "wide"])
def test_header_and_list_say_what_the_map_says(chip):
    registers = register_map(chip)
    defined = dict(re.findall(r"^#define (\w+) +(\w+)", axi_header(chip), re.MULTILINE))
    for r in registers.registers:
        assert int(defined[f"CHIP_{r.name}"].rstrip("u"), 16) == r.address
        assert f"| 0x{r.address:03x} | {r.name} | {r.access} |" in axi_markdown(chip)
    for w in registers.windows:
        assert (int(defined[f"CHIP_{w.name}"].rstrip("u"), 16), int(defined[f"CHIP_{w.name}_WORDS"])) == (w.address, w.words)
    assert len(defined) == len(re.findall("#define ", axi_header(chip))) - 1  # all names differ; one is the guard, without a value


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_c_takes_the_header(tmp_path):
    (tmp_path / "chip_axi.h").write_text(axi_header(FULL))
    (tmp_path / "t.c").write_text('#include "chip_axi.h"\n#include "chip_axi.h"\nunsigned x = CHIP_STATUS_IDLE_MASK + CHIP_READOUTS_OF_y;\n')
    done = subprocess.run(["gcc", "-std=c89", "-pedantic", "-Wall", "-Werror", "-fsyntax-only", "t.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("chip", [PLAIN, FULL, plan(wide(), counters=True)], ids=["plain", "full", "wide"])
def test_windows_and_registers_do_not_overlap(chip):
    registers, taken = register_map(chip), set()
    for address in [r.address for r in registers.registers] + [a for w in registers.windows for a in range(w.address, w.address + w.size, 4)]:
        assert address % 4 == 0 and address not in taken and address < 1 << registers.address_bits
        taken.add(address)
    for w in registers.windows:
        assert w.address % w.size == 0 and w.words * 4 <= w.size


def test_what_a_chip_lacks_has_no_registers():
    names = set(register_map(PLAIN).by_name)
    assert {"CONFIG_READ", "CONFIDENCE_HIGH"}.isdisjoint(names) and set(register_map(PLAIN).window) == {"READOUTS"}
    assert "CONFIDENCE_HIGH" in register_map(plan(wide())).by_name and register_map(plan(wide())).window["READOUTS"].words == 6
    assert "CONFIG_LAST" not in register_map(plan(network(1), writable=False)).by_name


def test_more_populations_than_a_word_tells_apart_are_an_error():
    x = [Population(name=f"x{k}", size=1, model=Model.INPUT) for k in range(16)]
    y = Population(name="y", size=1, model=Model.IF, theta=1, readout=Readout.COUNT)
    chip = plan(Network(name="many", populations=(*x, y), projections=tuple(
        Projection(source=p.name, target="y", weights=np.ones((1, 1), dtype=int)) for p in x)))
    with pytest.raises(CapacityError, match="it has 16 inputs, and a word of an event stream tells 15 apart"):
        register_map(chip)
