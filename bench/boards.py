"""A network on each board: resources, clock and speed, remade by one command for the table of docs/boards.md.

    python bench/boards.py [BOARD ...] [--write]

Without names all boards are done, one after the other. What was measured is kept in bench/boards.json, so one board can be done again alone; a
build that fails is kept with its error. ``--write`` puts the table of what is kept into docs/boards.md, and with no BOARD to do it does only that
(``--write --only-write``).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any

from networks import chain
from synthesis import BUILD, ROOT, xc7_area

import spikeloom
from spikeloom.boards import catalogue
from spikeloom.boards.flow import FAMILIES
from spikeloom.sim.cycles import cycles_of
from spikeloom.sim.stimulus import random_clips
from spikeloom.software.flow import read_project
from spikeloom.spec.errors import SpikeLoomError
from spikeloom.spec.network import Network

KEPT = ROOT / "bench" / "boards.json"
PAGE = ROOT / "docs" / "boards.md"
MARKS = "<!-- bench/boards.py -->\n", "<!-- end -->"
CLIP_STEPS = 50  # of one second: kws-small's front end has a frame each 20 ms


@dataclass(frozen=True)
class Case:
    """A network for a board, and the options of its build."""

    network: str
    options: dict[str, Any]


SMALL, CHAIN = "kws-small", "40-128-10"
CASES = {
    "ulx3s_12f": Case(CHAIN, {"lanes": 16}),
    "ulx3s_25f": Case(SMALL, {"lanes": 8}),
    "ulx3s_45f": Case(SMALL, {"lanes": 16}),
    "ulx3s_85f": Case(SMALL, {"lanes": 32}),
    "orangecrab_25f": Case(CHAIN, {"lanes": 16}),
    "orangecrab_85f": Case(SMALL, {"lanes": 16}),
    "colorlight_5a75b": Case(CHAIN, {"lanes": 16}),
    "icebreaker": Case("kws-icebreaker", {"link": 1_000_000, "tiles": 1}),  # without a link nobody could load its single-port RAM
    "icesugar": Case("kws-icebreaker", {"link": 1_000_000, "tiles": 1}),
    "tang_nano_9k": Case(CHAIN, {"lanes": 8}),
    "tang_primer_20k": Case(CHAIN, {"lanes": 16}),
    "arty_a7_35": Case(SMALL, {"lanes": 16}),
    "arty_a7_100": Case(SMALL, {"lanes": 32}),
    "arty_z7_20": Case(SMALL, {"lanes": 16, "wrapper": "axi"}),
}


def network_of(name: str) -> Network:
    """A bundled network, or a chain of random weights (6 bits, thresholds and biases of each neuron)."""
    return chain(tuple(int(n) for n in name.split("-"))) if name[0].isdigit() else spikeloom.load(ROOT / "models" / f"{name}.npz")


def done(board: str) -> dict[str, Any]:
    """Builds and measures one board."""
    case, target = CASES[board], catalogue.find(board)
    network = network_of(case.network)
    folder = BUILD / "boards" / board
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    placed = target.flow in FAMILIES
    found: dict[str, Any] = {"network": case.network, "clock_mhz": target.clock_mhz, "placed": placed}
    start = time.monotonic()
    try:
        result = spikeloom.compile(network, folder, board=board, bitstream=placed, **case.options)
    except SpikeLoomError as error:
        return {**found, "error": str(error)}
    found["seconds"] = round(time.monotonic() - start) if placed else None
    chip, stored, _ = read_project(folder)
    clips = random_clips(stored, n_clips=2, n_steps=CLIP_STEPS)
    report = cycles_of(chip, stored, clips.dense())
    found |= {"lanes": " + ".join(f"{t.lanes}/{t.update_lanes}" for t in chip.tiles), "cycles_per_step": report.total.sum() / (2 * CLIP_STEPS)}
    if placed:
        return found | {"luts": result.luts, "ffs": result.ffs, "brams": result.brams, "dsps": result.dsps, "fmax_mhz": result.fmax_mhz}
    area = _xc7(chip, stored, "wrapper" in case.options)
    return found | {"luts": area.luts, "ffs": area.ffs, "brams": area.bram36 + area.bram18 / 2, "dsps": area.dsps, "fmax_mhz": None}


def _xc7(chip, network: Network, behind_axi: bool):
    from synthesis import Bare

    from spikeloom.gen.pack import pack
    from spikeloom.hdl.axi.wrapper import AxiChip
    from spikeloom.hdl.top import Chip

    image = pack(chip, network)
    return xc7_area(AxiChip(chip, image) if behind_axi else Bare(Chip(chip, image)))


def line(board: str, found: dict[str, Any]) -> list[str]:
    """A row of the table."""
    target = catalogue.find(board)
    if "error" in found:
        return [board, found["network"], "-", f"not built: {found['error']}", *["-"] * 8]

    def share(name: str) -> str:
        return f"{found[name]:,g} / {target.budget[name]:,}" if isinstance(found[name], float) else f"{found[name]:,} / {target.budget[name]:,}"

    hz = found["clock_mhz"] * 1e6
    steps = hz / found["cycles_per_step"]
    built = f"{found['fmax_mhz']:g}" if found["fmax_mhz"] else "not placed"
    seconds = "-" if found["seconds"] is None else str(found["seconds"])
    return [board, found["network"], found["lanes"], share("luts"), share("brams"), share("dsps"), built, f"{found['clock_mhz']:g}", seconds,
            f"{steps:,.0f}", f"{steps / CLIP_STEPS:,.0f}", f"{1e3 * CLIP_STEPS / steps:.2f}"]


def table(kept: dict[str, dict[str, Any]]) -> str:
    """The table of everything that is kept, in the order of the catalogue."""
    titles = ["board", "network", "lanes/update lanes", "LUT", "block RAM", "DSP", "Fmax / MHz", "clock / MHz", "s to the bitstream", "timesteps/s",
              "inferences/s", "ms for a clip of 1 s"]
    lines = [titles, ["---"] * len(titles), *(line(name, kept[name]) for name in catalogue.names() if name in kept)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(kept: dict[str, dict[str, Any]]) -> None:
    """Puts the table into docs/boards.md."""
    head, rest = PAGE.read_text().split(MARKS[0], 1)
    PAGE.write_text(head + MARKS[0] + table(kept) + "\n" + MARKS[1] + rest.split(MARKS[1], 1)[1])


def main() -> int:
    """Builds, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/boards.md, after each board")
    parser.add_argument("--only-write", action="store_true", help="build nothing")
    args = parser.parse_args()
    strange = sorted(set(args.boards) - set(CASES))
    if strange:
        parser.error(f"no board {', '.join(strange)}; there are {', '.join(CASES)}")
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for board in [] if args.only_write else args.boards or CASES:
        print(f"{board} ...", file=sys.stderr, flush=True)
        found = done(board)
        print(json.dumps(found), file=sys.stderr, flush=True)
        kept = {**(json.loads(KEPT.read_text()) if KEPT.exists() else {}), board: found}
        KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
        if args.write:
            write(kept)
    if args.write:
        write(kept)
    print(table(kept))
    return 0


if __name__ == "__main__":
    sys.exit(main())
