"""Cycles, area and clock of small networks and of the NeuroBench network: prints the tables of docs/performance.md.

    python bench/fpga.py [--only NAME ...] [--no-ecp5] [--no-cosim] [--cycles] [--write]

NAME is one of small, extras, others, neurobench. Everything that was measured goes to build/bench/performance.json as well. Synthesis takes a
minute or more per chip, and its results are kept (see synthesis.py); ``--cycles`` leaves it out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from networks import Case, synthetic
from synthesis import BUILD, ROOT, Bare, Ecp5Result, Xc7Area, ecp5_result, xc7_area

from spikeloom.gen.budget import estimate
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.core import Core
from spikeloom.hdl.top import Chip
from spikeloom.sim.cycle_bounds import CycleBounds, bounds
from spikeloom.sim.cycles import CycleReport, predict
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.errors import SpikeLoomError

TRUTH = ROOT.parent / "shared" / "truth" / "neurobench"
DEVICE_BLOCKS, BLOCK_WIDTH = 208, 36  # block RAMs of an LFE5U-85F, and bits that each gives per cycle
STEPS = 73  # of the 40-128-10 bench
CLOCK_SMALL, CLOCK_LARGE = 150.0, 100.0  # MHz that nextpnr is asked for


@dataclass(frozen=True, eq=False)
class Row:
    """A chip to measure: ``core`` is tiles, links and barrier; otherwise the whole chip with its host side."""

    name: str
    case: Case
    chip: ChipSpec
    core: bool = True
    clock: float = CLOCK_SMALL
    ecp5: bool = True

    @property
    def component(self) -> Bare:
        """What is synthesised."""
        image = pack(self.chip, self.case.network)
        return Bare(Core(self.chip, image) if self.core else Chip(self.chip, image))

    @cached_property
    def report(self) -> CycleReport:
        """The cycle model's."""
        return predict(self.chip, self.case.network, self.case.spikes, self.case.x)


def small(uniform: bool = False) -> Case:
    """40-128-10, 6 bit weights, T = 73, 10 % of inputs (292 events) and about 10 % of hidden neurons (934 spikes) active: 46,716 SOP."""
    return synthetic((40, 128, 10), STEPS, events=292, hidden=934, uniform=uniform)


def best(case: Case, lanes: int, **options) -> ChipSpec:
    """The chip with ``lanes`` in its first tile and the least product of cycles and estimated LUTs, over update lanes and the output tile.

    Where two products differ by less than 1 %, the one with fewer cycles.
    """
    outputs = case.network.populations[-1].size
    found = []
    for update in (u for u in (1, 2, 4, 8, 16) if lanes % u == 0 and lanes // u <= 16):
        for out in (p for p in (1, 2, 4, 5, 8, 10, 16, 20, 32) if p <= outputs + 6):
            chip = plan(case.network, lanes=[lanes, out], update_lanes=[update, 1], writable=False, **options)
            cycles = int(predict(chip, case.network, case.spikes, case.x).total.sum())
            found.append((cycles * estimate(chip)["luts"], cycles, chip))
    least = min(found, key=lambda f: f[0])[0]
    return min((f for f in found if f[0] <= 1.01 * least), key=lambda f: f[1])[2]


def chosen(case: Case, *, lanes: int = 16, **options) -> ChipSpec:
    """The chip of the goal: tiles of 16 and 5 lanes, 4 and 1 update lanes."""
    return plan(case.network, **{"lanes": [lanes, 5], "update_lanes": [4, 1], "writable": False, **options})


def rows(wanted: list[str]) -> Iterator[Row]:
    """Everything that the tables show."""
    if "small" in wanted:
        case = small()
        yield Row("16 lanes", case, chosen(case))
        yield Row("16 lanes, one threshold, no bias", small(uniform=True), chosen(small(uniform=True)))
        for lanes in (8, 32, 64):
            yield Row(f"{lanes} lanes", case, best(case, lanes))
    if "extras" in wanted:
        case = small()
        yield Row("core", case, chosen(case))
        yield Row("+ configuration writes", case, chosen(case, writable=True), ecp5=False)
        yield Row("+ counters", case, chosen(case, counters=True), ecp5=False)
        yield Row("mesh of 2 routers instead of the star", case, chosen(case, fabric="mesh"), ecp5=False)
        yield Row("+ host port and readout", case, chosen(case), core=False, ecp5=False)
        yield Row("+ host port, readout and configuration writes", case, chosen(case, writable=True), core=False)
    if "others" in wanted:
        case = synthetic((256, 128, 10), 100, events=2560, hidden=1280)
        yield Row("256-128-10, 16 lanes", case, best(case, 16))
        case = synthetic((700, 200, 20), 100, events=7000, hidden=2000)
        yield Row("700-200-20, 16 lanes", case, best(case, 16))
    if "neurobench" in wanted and TRUTH.is_dir():
        case = neurobench()
        yield Row("20-256-256-256-35", case, plan(case.network), core=False, clock=CLOCK_LARGE)


def neurobench(clips: int = 50) -> Case:
    """The published keyword network at 8 bit with a scale per neuron, and the first clips of the test set."""
    from spikeloom.gen.quantize import quantize
    from spikeloom.sim import golden
    from spikeloom.software.clips import read_clips
    from spikeloom.software.importers.state_dict import read_state_dict

    network = quantize(read_state_dict(TRUTH / "neurobench_gsc_lif.npz", beta=0.9), weight_bits=8, scale="neuron").network
    x = read_clips(TRUTH / "gsc_test_events.npz", network, clips).dense()
    return Case(network, x, golden.run(network, x, record=True).spikes)


def measured(row: Row) -> int | None:
    """Cycles of the Verilog in the compiled engine, everything compared; None where the engine is missing or the chip has no ports for it."""
    from spikeloom.gen.emit import chip_verilog, emit
    from spikeloom.sim.engines import run
    from spikeloom.spec.clips import Clips

    image = pack(row.chip, row.case.network)
    folder = BUILD / "cosim" / hashlib.sha256(chip_verilog(row.chip, image).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    emit(folder, row.chip, row.case.network, image)
    try:
        report = run("compiled", folder, row.chip, row.case.network, Clips.from_dense(row.case.x))
    except SpikeLoomError as error:
        print(f"not simulated: {error}", file=sys.stderr)
        return None
    if not report.equal:
        raise SystemExit(f"{row.name}: Verilog and models differ: {report.first_divergence}")
    return report.cycles_measured


def tiles_of(chip: ChipSpec) -> str:
    """Lanes and update lanes of the tiles."""
    return " + ".join(f"{t.lanes}/{t.update_lanes}" for t in chip.tiles)


def measure(row: Row, args: argparse.Namespace) -> dict:
    """All numbers of a row, as JSON values."""
    report = row.report
    chip, x = row.chip, row.case.x
    found: dict = {"name": row.name, "tiles": tiles_of(chip), "clips": len(x), "timesteps": x.shape[1], "events": row.case.events,
                   "weight_bits": max(t.weight_bits for t in chip.tiles),
                   "cycles": int(report.total.sum()), "cycles_per_timestep": float(report.total.sum() / (len(x) * x.shape[1])),
                   "bounds": asdict(bounds(chip, report))}
    if not args.no_cosim:
        found["cycles_measured"] = measured(row)
    if not args.cycles:
        found["xc7"] = asdict(xc7_area(row.component))
        found["product"] = found["cycles"] * found["xc7"]["luts"]
        if row.ecp5 and not args.no_ecp5:
            found["ecp5"] = asdict(ecp5_result(row.component, row.clock))
    return found


def table(titles: list[str], lines: list[list[object]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [titles, ["---"] * len(titles), *lines])


def number(value: float | int | None, digits: int = 0) -> str:
    """With thousands separated; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def area_line(found: dict) -> list[object]:
    """A row of the area table."""
    xc7 = Xc7Area(**found["xc7"]) if "xc7" in found else None
    ecp5 = Ecp5Result(**found["ecp5"]) if "ecp5" in found else None
    line: list[object] = [found["name"], found["tiles"], number(found["cycles"] if found["clips"] == 1 else None),
                          number(found["cycles_per_timestep"], 1)]
    line += [number(xc7.luts), number(xc7.ffs), f"{xc7.bram18} + {xc7.bram36}", xc7.dsps, xc7.latches] if xc7 else ["-"] * 5
    line += [f"{found['product'] / 1e6:.2f}e6" if xc7 and found["clips"] == 1 else "-"]
    line += [number(ecp5.comb), number(ecp5.ffs), ecp5.dp16kd, ecp5.mult18, f"{ecp5.fmax_mhz:.0f}"] if ecp5 else ["-"] * 5
    return line


def bound_line(found: dict) -> list[object]:
    """A row of the table of where the cycles go."""
    b = CycleBounds(**found["bounds"])
    waited = ", ".join(f"{name} {cycles / b.cycles:.0%}" for name, cycles in b.waited.items() if cycles)
    device = DEVICE_BLOCKS * BLOCK_WIDTH // found["weight_bits"]
    return [found["name"], number(b.sops), b.lanes, f"{b.sops_per_cycle:.2f}", f"{b.sops_per_cycle_and_lane:.0%}", number(b.least_cycles),
            f"{b.overhead / b.cycles:.0%}", waited, ", ".join(f"{use:.0%}" for use in b.tile_use), number(device)]


def path_line(path: list[str]) -> str:
    """A slowest path in one line: delays in ns from cell to cell, carries left out."""
    steps = [step.split(" ") for step in path]
    return ", ".join(f"{kind} {delay} {cell.removeprefix('dut.inner.')}" for kind, delay, cell, *_ in steps if float(delay) >= 0.2)


def tables(results: list[dict]) -> dict[str, str]:
    """The tables of docs/performance.md by the names of their marks."""
    return {
        "area": table(["chip", "lanes/update lanes", "cycles", "per timestep", "xc7 LUT", "FF", "B18 + B36", "DSP", "latches", "cycles x LUT",
                       "ECP5 COMB", "FF", "DP16KD", "MULT18", "MHz"], [area_line(r) for r in results]),
        "cycles": table(["chip", "SOP", "lanes", "SOP/cycle", "per lane", "least cycles", "overhead", "phases wait for", "use of tiles",
                         "device SOP/cycle"], [bound_line(r) for r in results]),
        "paths": "\n".join(f"* {r['name']}, {r['ecp5']['fmax_mhz']:.0f} MHz: {path_line(r['ecp5']['path'])}" for r in results if "ecp5" in r),
    }


def write(made: dict[str, str], script: str = "bench/fpga.py") -> None:
    """Put the tables of a script into docs/performance.md, each between its two marks."""
    page = ROOT / "docs" / "performance.md"
    text = page.read_text()
    for name, block in made.items():
        first, last = f"<!-- {script}: {name} -->\n", "<!-- end -->"
        head, rest = text.split(first, 1)
        text = head + first + block + "\n" + last + rest.split(last, 1)[1]
    page.write_text(text)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["small", "extras", "others", "neurobench"]
    parser.add_argument("--only", nargs="*", choices=names, default=names)
    parser.add_argument("--no-ecp5", action="store_true")
    parser.add_argument("--no-cosim", action="store_true")
    parser.add_argument("--cycles", action="store_true", help="no synthesis")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md, after each chip what there is")
    args = parser.parse_args()
    results: list[dict] = []
    BUILD.mkdir(parents=True, exist_ok=True)
    for row in rows(args.only):
        print(f"{row.name} ...", file=sys.stderr, flush=True)
        results.append(measure(row, args))
        (BUILD / "performance.json").write_text(json.dumps(results, indent=1, default=np.ndarray.tolist) + "\n")
        if args.write:
            write(tables(results))
    made = tables(results)
    for text in made.values():
        print(text, end="\n\n")
    for found in results:
        if found.get("cycles_measured") is not None:
            print(f"{found['name']}: {found['cycles_measured']:,} cycles on the Verilog, {found['cycles']:,} predicted")
    return 0


if __name__ == "__main__":
    sys.exit(main())
