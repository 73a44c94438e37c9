"""What a convolution costs beside the same layer stored dense and stored sparse: cycles, memory, cells and clock of one tile.

    python bench/convolution.py [--cycles] [--no-ecp5] [--write]

A map of 4 x 8 x 8 spikes (10 % per timestep) to 16 x 8 x 8 LIF neurons through 3 x 3 kernels, 6 bit weights; a quarter of the lanes update.
*words*: the sum over events of ceil(out channels / lanes) x kernel positions that have a target; *walk*: cycles of it on the chip; *update*: cycles
of the rows behind it. Dense, each event is a weight row in every row of neurons. Cells and clock are those of maps of 4 x 4 (dense weights of 8 x 8
are more than yosys likes), and of the convolution of 8 x 8. Place and route (minutes per tile; ``--no-ecp5`` leaves it
out, ``--cycles`` all synthesis) is of the dense tiles and the convolutions. ``--write`` puts the tables into docs/performance.md. Everything goes to
build/bench/convolution.json as well.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from fpga import path_line, table, write
from synthesis import BUILD, Bare, ecp5_result, xc7_area

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.tile import Tile
from spikeloom.sim.cycles import cycles_of
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.convolution import Conv
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Reset

__all__ = ["layers", "tile_of"]

CONV = Conv(shape=(4, 8, 8), out_channels=16, kernel=(3, 3), padding=(1, 1, 1, 1))
SMALL = Conv(shape=(4, 4, 4), out_channels=16, kernel=(3, 3), padding=(1, 1, 1, 1))
LANES, STEPS, CLOCK = (8, 16), 10, 150.0  # CLOCK: MHz that nextpnr is asked for, as for the other small tiles


def layers(conv: Conv) -> Iterator[tuple[str, Network]]:
    """The same synapses, stored in three ways."""
    x = Population(name="x", size=conv.source_size, model=Model.INPUT)
    h = Population(name="h", size=conv.target_size, model=Model.LIF, decay=Decay(shift_a=3), reset=Reset.SUBTRACT, theta=32767, v_bits=16,
                   output=True)
    weights = np.random.default_rng(1).integers(1, 32, conv.weights_shape)
    for name, more in (("dense", {"weights": conv.matrix(weights)}), ("sparse", {"weights": conv.matrix(weights), "kind": Kind.SPARSE}),
                       ("convolution", {"weights": weights, "kind": Kind.CONV, "conv": conv})):
        yield name, Network(name="bench", populations=(x, h), projections=(Projection(source="x", target="h", weight_bits=6, **more),))


def planned(network: Network, lanes: int) -> ChipSpec:
    """Its chip of one tile."""
    return plan(network, lanes=lanes, update_lanes=lanes // 4, writable=False)


def tile_of(network: Network, lanes: int) -> Bare:
    """The tile alone, as it is synthesised."""
    chip = planned(network, lanes)
    tile = chip.tiles[0]
    return Bare(Tile(tile, chip.flit, len(chip.keys), pack(chip, network).tiles[0].words(tile), writable=False, counters=False))


def cycles(name: str, network: Network, lanes: int, clip: np.ndarray) -> dict[str, Any]:
    """Cycles per timestep and bits of memory."""
    chip = planned(network, lanes)
    tile, report = chip.tiles[0], cycles_of(chip, network, clip)
    update = 0 if name == "dense" else tile.rows(0) * tile.beats  # of dense rows it is beside the walk
    bits = (tile.weight_depth * tile.weight_bits + tile.sparse_depth * (tile.row_bits + tile.sparse_weight_bits)) * tile.lanes
    bits += tile.pointer_depth * sum(tile.pointer_bits) if tile.has_sparse else 0
    return {"stored": name, "lanes": f"{tile.lanes}/{tile.update_lanes}",
            "words": float((clip @ CONV.reach).sum() * math.ceil(CONV.out_channels / lanes) / STEPS),
            "walk": float(report.walk.sum() / STEPS - update), "update": update, "cycles": float(report.total.sum() / STEPS), "bits": bits}


def cycles_line(found: dict[str, Any]) -> list[object]:
    """A row of the table of cycles."""
    over = f"{found['walk'] / found['words'] - 1:+.1%}" if found["stored"] == "convolution" else "-"
    return [found["stored"], found["lanes"], f"{found['words']:.1f}", f"{found['walk']:.1f}", over, found["update"] or "in the walk",
            f"{found['cycles']:.1f}", f"{found['bits']:,}"]


def cells(name: str, network: Network, lanes: int, ecp5: bool) -> dict[str, Any]:
    """What the tile takes on both devices."""
    tile = tile_of(network, lanes)
    found: dict[str, Any] = {"stored": name, "lanes": f"{lanes}/{lanes // 4}", "xc7": asdict(xc7_area(tile))}
    return found | ({"ecp5": asdict(ecp5_result(tile, CLOCK))} if ecp5 else {})


def cells_line(found: dict[str, Any]) -> list[object]:
    """A row of the table of cells."""
    xc7, ecp5 = found["xc7"], found.get("ecp5")
    line = [found["stored"], found["lanes"], xc7["luts"], xc7["ffs"], f"{xc7['bram18']} + {xc7['bram36']}", xc7["latches"]]
    return line + ([ecp5["comb"], ecp5["ffs"], ecp5["dp16kd"], f"{ecp5['fmax_mhz']:.0f}"] if ecp5 else ["-"] * 4)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cycles", action="store_true", help="no synthesis")
    parser.add_argument("--no-ecp5", action="store_true", help="no place and route")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    args = parser.parse_args()
    clip = (np.random.default_rng(2).random((1, STEPS, CONV.source_size)) < 0.1).astype(np.int16)
    walks = [cycles(name, network, lanes, clip) for lanes in LANES for name, network in layers(CONV)]
    made = {"walk": table(["stored", "lanes", "words/step", "walk/step", "walk over words", "update/step", "cycles/step", "weight and pointer bits"],
                          [cycles_line(found) for found in walks])}
    areas: list[dict[str, Any]] = []
    if not args.cycles:
        small, large = dict(layers(SMALL)), dict(layers(CONV))
        for name, network, lanes in [*((name, net, lanes) for lanes in LANES for name, net in small.items()),
                                     ("convolution, maps of 8 x 8", large["convolution"], LANES[-1])]:
            print(f"{name}, {lanes} lanes ...", file=sys.stderr, flush=True)
            areas.append(cells(name, network, lanes, name != "sparse" and not args.no_ecp5))
        made["cells"] = table(["stored", "lanes", "xc7 LUT", "FF", "B18 + B36", "latches", "ECP5 COMB", "FF", "DP16KD", "MHz"],
                              [cells_line(found) for found in areas])
        made["path"] = "\n".join(f"* {f['stored']}, {f['lanes']}: {path_line(f['ecp5']['path'])}" for f in areas if "ecp5" in f)
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "convolution.json").write_text(json.dumps({"cycles": walks, "cells": areas}, indent=1) + "\n")
    if args.write:
        write({name: text for name, text in made.items() if name != "path"}, "bench/convolution.py")
    print("\n\n".join(made.values()))


if __name__ == "__main__":
    main()
