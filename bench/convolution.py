"""What a convolution costs beside the same layer stored dense and stored sparse: cells, memory and cycles of one tile.

    python bench/convolution.py [--cycles]

A map of 4 x 8 x 8 spikes (10 % per timestep) to 16 x 8 x 8 LIF neurons through 3 x 3 kernels, 6 bit weights; 16 lanes, 4 update lanes. *words*: the
sum over events of ceil(out channels / lanes) x kernel positions that have a target; *walk*: cycles of it on the chip; *update*: cycles of the rows
behind it. Dense, each event is a weight row in every row of neurons. Cells are those of maps of 4 x 4 (dense weights of 8 x 8 are more than
yosys likes). ``--cycles`` leaves synthesis out.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np
from synthesis import Bare, xc7_area

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.tile import Tile
from spikeloom.sim.cycles import cycles_of
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Reset

__all__ = ["layers"]

CONV = Conv(shape=(4, 8, 8), out_channels=16, kernel=(3, 3), padding=(1, 1, 1, 1))
SMALL = Conv(shape=(4, 4, 4), out_channels=16, kernel=(3, 3), padding=(1, 1, 1, 1))
LANES, STEPS = 16, 10


def layers(conv: Conv) -> Iterator[tuple[str, Network]]:
    """The same synapses, stored in three ways."""
    x = Population(name="x", size=conv.source_size, model=Model.INPUT)
    h = Population(name="h", size=conv.target_size, model=Model.LIF, decay=Decay(shift_a=3), reset=Reset.SUBTRACT, theta=32767, v_bits=16,
                   output=True)
    weights = np.random.default_rng(1).integers(1, 32, conv.weights_shape)
    for name, more in (("dense", {"weights": conv.matrix(weights)}), ("sparse", {"weights": conv.matrix(weights), "kind": Kind.SPARSE}),
                       ("convolution", {"weights": weights, "kind": Kind.CONV, "conv": conv})):
        yield name, Network(name="bench", populations=(x, h), projections=(Projection(source="x", target="h", weight_bits=6, **more),))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--cycles", action="store_true")
    args = parser.parse_args()
    clip = (np.random.default_rng(2).random((1, STEPS, CONV.source_size)) < 0.1).astype(np.int16)
    words = int((clip @ CONV.reach).sum()) * math.ceil(CONV.out_channels / LANES) / STEPS
    print("| stored | words/step | walk/step | update/step | cycles/step | weight and pointer bits | xc7 LUT | FF | BRAM 18 + 36 |\n"
          + "|---" * 9 + "|")
    for (name, network), (_, small) in zip(layers(CONV), layers(SMALL), strict=True):
        chip = plan(network, lanes=LANES, update_lanes=LANES // 4, writable=False)
        tile, report = chip.tiles[0], cycles_of(chip, network, clip)
        update = 0 if name == "dense" else tile.rows(0) * tile.beats
        bits = (tile.weight_depth * tile.weight_bits + tile.sparse_depth * (tile.row_bits + tile.sparse_weight_bits)) * tile.lanes
        bits += tile.pointer_depth * sum(tile.pointer_bits) if tile.has_sparse else 0
        line = [name, f"{words:.1f}", f"{report.walk.sum() / STEPS - update:.1f}", str(update), f"{report.total.sum() / STEPS:.1f}", f"{bits:,}"]
        if not args.cycles:
            chip = plan(small, lanes=LANES, update_lanes=LANES // 4, writable=False)
            tile = chip.tiles[0]
            image = pack(chip, small).tiles[0].words(tile)
            area = xc7_area(Bare(Tile(tile, chip.flit, len(chip.keys), image, writable=False, counters=False)))
            line += [str(area.luts), str(area.ffs), f"{area.bram18} + {area.bram36}"]
        print("| " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main()
