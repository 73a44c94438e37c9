"""What each neuron model, weight format and port costs: cells and cycles of one tile, 40 inputs to 128 recurrent neurons.

    python bench/models.py [--write] [--ecp5] [--cycles] [--only TEXT]
    python bench/models.py --hybrid

One tile (no host side, no network on chip) with parameters of each neuron, everything else equal: 6 bit weights, 16 bit states. The cycles
are those of a chip of that one tile, per timestep, for the same clip of 16 events per timestep and thresholds that nothing reaches: so the
work is that of the same events for all. ``--write`` puts the table into docs/performance.md; ``--ecp5`` adds place and route (minutes);
``--cycles`` leaves synthesis out, and ``--only`` all tiles without that text in their name. ``--hybrid``: a tile of activations and of neurons that
hold their current beside the same of plain LIF, placed and routed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from synthesis import ROOT, Bare, ecp5_result, xc7_area

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.tile import Tile
from spikeloom.sim.cycles import cycles_of
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.gate import gate_table
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

__all__ = ["Variant", "hybrids", "tile_of", "variants"]

INPUTS, NEURONS, STEPS, EVENTS = 40, 128, 10, 16
SHIFT, MULTIPLY = Decay(shift_a=3), Decay(factor=230, fraction_bits=8)
DOCUMENT = ROOT / "docs" / "performance.md"


@dataclass(frozen=True, eq=False)
class Variant:
    """A network that differs from plain LIF in one thing; ``lanes`` of its tile, a quarter of them update."""

    name: str
    network: Network
    lanes: int = 16
    tiles: int | None = None

    @property
    def chip(self) -> ChipSpec:
        """Its chip of one tile."""
        return plan(self.network, lanes=self.lanes, update_lanes=max(1, self.lanes // 4), tiles=self.tiles, writable=False)


def network(model: Model = Model.LIF, *, decay: Decay | None = SHIFT, weights: dict[str, Any] | None = None, density: float = 1.0,
            block: bool = False, **fields: Any) -> Network:
    """40 inputs to 128 recurrent neurons; ``fields`` of the population, ``weights`` of all its projections."""
    rng = np.random.default_rng(3)
    weights = {"weight_bits": 6, **(weights or {})}
    low = fields.pop("payload_min", 1)
    x = Population(name="x", size=INPUTS, model=Model.INPUT, payload_min=low, payload_max=fields.pop("payload_max", 1))
    spikes = model not in (Model.LI, Model.CUBALI)
    state = {"reset": Reset.SUBTRACT, "theta": rng.integers(950, 1050, NEURONS)} if spikes else {}
    h = Population(name="h", size=NEURONS, model=model, bias=rng.integers(-20, 20, NEURONS), v_bits=16, guard_bits=4,
                   readout=Readout.COUNT if spikes else Readout.SUM, **({} if decay is None else {"decay": decay}), **state, **fields)

    def matrix(pre: int) -> np.ndarray:
        book = weights.get("codebook") or ((-1, 1) if weights["weight_bits"] == 1 else None)
        values = rng.choice(book, (NEURONS, pre)) if book else rng.integers(-32, 32, (NEURONS, pre))
        return values * (rng.random((NEURONS, pre)) < density) if density < 1 else values

    ports = [Port.CURRENT] + [Port.GATE] * (model is Model.SPIKGRU)
    projections = [Projection(source=source, target="h", weights=matrix(size), delay=delay, port=port, **weights)
                   for port in ports for source, size, delay in (("x", INPUTS, 0), ("h", NEURONS, 1)) if source == "x" or spikes]
    if block:
        projections.append(Projection(source="h", target="h", weights=1 - np.eye(NEURONS, dtype=np.int64), codebook=(0, 1), delay=1,
                                      port=Port.BLOCK))
    return Network(name="bench", populations=(x, h), projections=tuple(projections))


def variants() -> Iterator[Variant]:
    """Everything that the table shows; the first is what the others are compared with."""
    rng = np.random.default_rng(5)
    gate = {"gate_table": gate_table(6, 1 / 4), "gate_shift": 3, "gate_bias": rng.integers(-9, 9, NEURONS), "decay": None}
    each = rng.integers(150, 255, NEURONS)
    yield Variant("LIF, decay by a shift", network())
    yield Variant("LIF, decay by two shifts", network(decay=Decay(shift_a=3, shift_b=5)))
    yield Variant("LIF, decay by a multiplier", network(decay=MULTIPLY))
    yield Variant("LIF, a factor per neuron", network(decay=MULTIPLY, beta=each))
    yield Variant("IF", network(Model.IF, decay=None))
    yield Variant("LI (no recurrence)", network(Model.LI))
    yield Variant("Cuba-LIF, unit gain, shifts", network(Model.CUBALIF, current_decay=SHIFT))
    yield Variant("Cuba-LIF, gain 1 - beta, shifts", network(Model.CUBALIF, current_decay=SHIFT, gain=Gain.COMPLEMENT))
    yield Variant("Cuba-LIF, gain 1 - beta, factors per neuron", network(Model.CUBALIF, decay=MULTIPLY, beta=each, current_decay=MULTIPLY,
                                                                       alpha=each[::-1].copy(), gain=Gain.COMPLEMENT))
    yield Variant("SpikGRU, alpha by a shift", network(Model.SPIKGRU, current_decay=SHIFT, **gate))
    yield Variant("SpikGRU, alpha per neuron", network(Model.SPIKGRU, current_decay=MULTIPLY, alpha=each, **gate))
    yield Variant("adaptive LIF, shifts", network(Model.ALIF, adaptation_decay=Decay(shift_a=5), jump=100, a_bits=12))
    yield Variant("up to 7 spikes", network(max_spikes=7))
    yield Variant("refractory, 3 timesteps", network(refractory=3))
    yield Variant("refractory, membrane held", network(refractory=3, refractory_mode=Refractory.INTEGRATE))
    yield Variant("blocked by its neighbours (port block)", network(inhibition=3, block=True))
    yield Variant("signed spikes in", network(payload_min=-1))
    yield Variant("graded input, 8 bit", network(payload_min=-128, payload_max=127))
    yield Variant("weights of 1 bit", network(weights={"weight_bits": 1}))
    yield Variant("weights {0, w1, w2}", network(weights={"codebook": (0, 9, 21)}))
    yield Variant("codebook of 16 weights", network(weights={"codebook": tuple(range(-72, 72, 9))}))
    yield Variant("sparse, 10 % of the synapses", network(weights={"kind": Kind.SPARSE}, density=0.1))
    for lanes in (8, 32, 64):
        yield Variant(f"LIF, decay by a shift, {lanes} lanes", network(), lanes)
        yield Variant(f"SpikGRU, alpha by a shift, {lanes} lanes", network(Model.SPIKGRU, current_decay=SHIFT, **gate), lanes)


def hybrids() -> Iterator[Variant]:
    """40 graded inputs to 64 neurons to 64 neurons on one tile: spikes, activations, and both boundaries of them."""
    rng = np.random.default_rng(4)
    x = Population(name="x", size=INPUTS, model=Model.INPUT, payload_min=-15, payload_max=15)
    lif: dict[str, Any] = {"size": 64, "model": Model.LIF, "decay": SHIFT, "reset": Reset.SUBTRACT, "theta": rng.integers(950, 1050, 64),
                           "v_bits": 16, "guard_bits": 4, "bias": rng.integers(-20, 20, 64)}
    relu = Population(name="a", size=64, model=Model.RELU, theta=lif["theta"], v_init=lif["bias"], max_spikes=15, v_bits=16, guard_bits=4)
    first, second = Population(name="a", **lif), Population(name="b", readout=Readout.COUNT, **lif)
    held = replace(second, held=True, i_bits=16)
    projections = tuple(Projection(source=source, target=target, weights=rng.integers(-32, 32, (64, n)), weight_bits=6)
                        for source, target, n in (("x", "a", INPUTS), ("a", "b", 64)))
    for name, a, b in (("64 LIF to 64 LIF", first, second), ("64 LIF to 64 LIF, held", first, held), ("64 relu to 64 LIF, held", relu, held)):
        yield Variant(name, Network(name="bench", populations=(x, a, b), projections=projections), tiles=1)


def tile_of(variant: Variant) -> Bare:
    """The tile alone, as it is synthesised."""
    chip = variant.chip
    image = pack(chip, variant.network)
    tile = chip.tiles[0]
    return Bare(Tile(tile, chip.flit, len(chip.keys), image.tiles[0].words(tile), writable=False, counters=False))


def silenced(variant: Variant) -> Variant:
    """The same with thresholds that are not reached."""
    x, h = variant.network.populations
    populations = (x, replace(h, theta=h.v_max) if h.spikes else h)
    return replace(variant, network=Network(name="bench", populations=populations, projections=variant.network.projections))


def clip() -> np.ndarray:
    """``[1, T, 40]``: 16 unit events per timestep."""
    rng = np.random.default_rng(1)
    x = np.zeros((1, STEPS, INPUTS), dtype=np.int16)
    for t in range(STEPS):
        x[0, t, rng.permutation(INPUTS)[:EVENTS]] = 1
    return x


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--ecp5", action="store_true")
    parser.add_argument("--cycles", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--hybrid", action="store_true")
    args = parser.parse_args()
    if args.hybrid:
        print("| tile of 16 lanes | ECP5 COMB | FF | DP16KD | MULT18 | MHz |\n|---|---|---|---|---|---|")
        for variant in hybrids():
            placed = ecp5_result(tile_of(variant), 150.0)
            print(f"| {variant.name} | {placed.comb:,} | {placed.ffs:,} | {placed.dp16kd} | {placed.mult18} | {placed.fmax_mhz:.0f} |", flush=True)
        return
    lines, base = [], None
    titles = ["tile", "lanes", "cycles/step", "SOP/step", "weight bits", "xc7 LUT", "of LIF", "FF", "BRAM 18 + 36", "DSP", "ECP5 COMB", "MHz"]
    for variant in (v for v in variants() if args.only in v.name):
        chip, silent = variant.chip, silenced(variant)
        report = cycles_of(silent.chip, silent.network, clip())
        tile = chip.tiles[0]
        stored = tile.weight_depth * tile.lanes * tile.weight_bits
        stored += tile.sparse_depth * tile.lanes * (tile.row_bits + tile.sparse_weight_bits) + tile.pointer_depth * sum(tile.pointer_bits)
        line = [variant.name, f"{tile.lanes}/{tile.update_lanes}", f"{(report.total.sum() / STEPS):.1f}", f"{report.sops.sum() / STEPS:.0f}",
                f"{stored:,}"]
        if not args.cycles:
            area = xc7_area(tile_of(variant))
            base = base or area.luts
            line += [str(area.luts), f"{area.luts / base:.2f}", str(area.ffs), f"{area.bram18} + {area.bram36}", str(area.dsps)]
            if args.ecp5 and tile.lanes == 16:
                placed = ecp5_result(tile_of(variant), 150.0)
                line += [str(placed.comb), f"{placed.fmax_mhz:.0f}"]
        line += ["-"] * (len(titles) - len(line))
        lines.append(line)
        print(" | ".join(line), flush=True)
    table = "\n".join("| " + " | ".join(line) + " |" for line in [titles, ["---"] * len(titles), *lines])
    if args.write and not args.only:
        text = DOCUMENT.read_text()
        found, count = re.subn(r"(<!-- bench/models\.py -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table}\n{m[2]}", text, count=1, flags=re.S)
        if not count:
            sys.exit(f"{DOCUMENT} has no place for the table: <!-- bench/models.py --> ... <!-- end -->")
        DOCUMENT.write_text(found)


if __name__ == "__main__":
    main()
