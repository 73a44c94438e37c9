"""VGG16 and ResNet20 at CIFAR-10 size through every pass: seconds, tiles, and the devices that they would need.

    python bench/large.py [--network NAME] [--steps T]

Random weights of 4 bits, about 10 % of every layer's neurons firing. Nothing is synthesised: resources are the estimate of gen/budget.py, which
refuses chips that do not fit. *Devices* is a lower bound: tiles in their order, as many on a device as fit it, links between devices left out; a tile
that is larger than a device counts as many as its largest share, and is said.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from large_networks import resnet20, vgg16

from spikeloom.gen.budget import estimate, estimate_tiles
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim import golden
from spikeloom.sim.cycles import predict
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.network import Network

__all__ = ["devices_for"]

Result = TypeVar("Result")
NETWORKS = {"vgg16": vgg16, "resnet20": resnet20}
# Of the vendors' product tables: LUTs (of four inputs on ECP5, of six else; the estimate is in fours), flip-flops, block RAMs, multipliers.
DEVICES = {"LFE5U-85F": {"luts": 83_640, "ffs": 83_640, "brams": 208, "dsps": 156},
           "XC7A200T": {"luts": 134_600, "ffs": 269_200, "brams": 730, "dsps": 740},
           "XCVU9P": {"luts": 1_182_240, "ffs": 2_364_480, "brams": 4_320, "dsps": 6_840}}
BLOCK_BITS = 18_432


def devices_for(tiles: Sequence[Mapping[str, int]], device: Mapping[str, int]) -> tuple[int, int]:
    """Devices that hold these tiles, in their order, and how many of the tiles are larger than one."""
    count, large, used = 0, 0, dict.fromkeys(device, math.inf)
    for tile in tiles:
        share = max(tile[name] / device[name] for name in device)
        if share > 1:
            count, large, used = count + math.ceil(share), large + 1, dict.fromkeys(device, math.inf)
        elif any(used[name] + tile[name] > device[name] for name in device):
            count, used = count + 1, {name: tile[name] for name in device}
        else:
            used = {name: used[name] + tile[name] for name in device}
    return count, large


class _Clock:
    """Seconds of each pass, said while it works."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], Result]) -> Result:
        """``work``'s result."""
        print(f"  {name} ...", end="", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - begin
        print(f" {self.seconds[name]:.1f} s", file=sys.stderr, flush=True)
        return result


def _memory(chip: ChipSpec) -> dict[str, int]:
    """Bits of the memories of all tiles."""
    return {"weights": sum(t.weight_depth * t.lanes * t.weight_bits for t in chip.tiles),
            "pointers": sum(t.pointer_depth * sum(t.pointer_bits) for t in chip.tiles if t.has_sparse),
            "event queues": sum((t.slots << t.axon_bits) * (t.axon_bits + t.payload_bits) for t in chip.tiles
                                for k in range(len(t.lists)) if t.list_axons(k)),
            "membranes": sum(t.n_updates * t.update_lanes * t.state_bits for t in chip.tiles),
            "sums of scattered events": sum((1 << t.row_bits) * t.lanes * t.accumulator_bits for t in chip.tiles if t.has_sparse)}


def _measure(name: str, build: Callable[[], Network], steps: int) -> None:
    print(f"{name}:", file=sys.stderr)
    clock = _Clock()
    network = clock.run("network", build)
    chip = clock.run("partition, schedule, placement, routes, plan", lambda: plan(network, writable=False, name=name))
    image = clock.run("packing", lambda: pack(chip, network))
    clips = (np.random.default_rng(1).random((1, steps, network.inputs[0].size)) < 0.1).astype(np.int16)
    found = clock.run(f"golden model, {steps} timesteps", lambda: golden.run(network, clips, record=True))
    report = clock.run("cycle model", lambda: predict(chip, network, found.spikes, clips))
    tiles = estimate_tiles(chip, BLOCK_BITS)
    total = estimate(chip, BLOCK_BITS)
    neurons = sum(p.size for p in network.populations[1:])
    print(f"## {name}\n\n{neurons:,} neurons, {sum(p.weights.size for p in network.projections):,} weights, "
          f"{sum(p.synapses for p in network.projections):,} synapses.\n")
    print("| pass | seconds |\n|---|---|")
    for what, seconds in (*clock.seconds.items(), ("all", sum(clock.seconds.values()))):
        print(f"| {what} | {seconds:.1f} |")
    print(f"\n{len(chip.tiles)} tiles on a {chip.fabric.kind} of {chip.fabric.width} x {chip.fabric.height}, "
          f"{max(t.lanes for t in chip.tiles)} lanes at most; {sum(len(t.weights) for t in image.tiles):,} words of weights. "
          f"{report.total.sum() / steps:,.0f} cycles per timestep of a clip of {steps}; "
          f"longest phase {int(report.cycles.max()):,} cycles: that is what a timestep of a long clip takes.\n")
    print("| memory | Mbit |\n|---|---|")
    for what, bits in _memory(chip).items():
        print(f"| {what} | {bits / 1e6:.2f} |")
    print("\n| device | needed / available: LUTs, flip-flops, block RAMs, multipliers | devices | tiles larger than one |\n|---|---|---|---|")
    for device, held in DEVICES.items():
        count, large = devices_for(tiles, held)
        print(f"| {device} | {', '.join(f'{total[n]:,} / {held[n]:,}' for n in held)} | {count} | {large} |")
    print(flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--network", choices=NETWORKS, help="one of them (default: all)")
    parser.add_argument("--steps", type=int, default=2, help="timesteps of the clip (default: 2)")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error(f"--steps must be at least 1, not {args.steps}")
    for name in (args.network,) if args.network else NETWORKS:
        _measure(name, NETWORKS[name], args.steps)


if __name__ == "__main__":
    main()
