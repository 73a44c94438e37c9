"""A network on each board, and larger designs on one: resources, clock and speed, remade by one command for the table of docs/boards.md.

    python bench/boards.py [CASE ...] [--write]

A case is a board's name, or for a further design on it the name with a suffix. Without names all are done, one after the other. What was measured is
kept in bench/boards.json, so one case can be done again alone; a build that fails is kept with its error. ``--write`` puts the table of what is kept
into docs/boards.md, and with no CASE to do it does only that (``--write --only-write``). The NeuroBench network is quantized from
../shared/truth, and its cases are left as they are where that is missing.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from networks import chain
from synthesis import BUILD, ROOT, xc7_area

import spikeloom
from spikeloom.boards import catalogue
from spikeloom.boards.flow import FAMILIES
from spikeloom.gen.quantize import quantize
from spikeloom.sim.cycles import cycles_of
from spikeloom.sim.stimulus import random_clips
from spikeloom.software.clips import read_clips
from spikeloom.software.flow import read_project
from spikeloom.software.importers.state_dict import read_state_dict
from spikeloom.spec.errors import SpikeLoomError
from spikeloom.spec.network import Network

KEPT = ROOT / "bench" / "boards.json"
PAGE = ROOT / "docs" / "boards.md"
MARKS = "<!-- bench/boards.py -->\n", "<!-- end -->"
TRUTH = ROOT.parent / "shared" / "truth" / "neurobench"
CLIP_STEPS = 50  # of one second: kws-small's front end has a frame each 20 ms
NEUROBENCH_STEPS, NEUROBENCH_CLIPS = 200, 50  # of one second, frames of 5 ms; the first clips of its test set


@dataclass(frozen=True)
class Case:
    """A network for a board, and the options of its build; ``also`` names the networks for which an overlay has room."""

    network: str
    options: dict[str, Any]
    board: str = ""  # where the case's own name is not that of the board
    also: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The network and what is built around it, for the table."""
        link = f", link of {self.options['link']:,} Bd" if "link" in self.options else ""
        return self.network + (f", overlay with room for {' and '.join(self.also)}" if self.also else "") + link

    @property
    def clip_steps(self) -> int:
        """Timesteps of a clip of one second."""
        return NEUROBENCH_STEPS if self.network == NEUROBENCH else CLIP_STEPS


SMALL, CHAIN, NEUROBENCH = "kws-small", "40-128-10", "NeuroBench"
CASES = {
    "ulx3s_12f": Case(CHAIN, {"lanes": 16}),
    "ulx3s_25f": Case(SMALL, {"lanes": 8}),
    "ulx3s_45f": Case(SMALL, {"lanes": 16}),
    "ulx3s_85f": Case(SMALL, {"lanes": 32}),
    "ulx3s_85f-link": Case(SMALL, {"link": 3_000_000}, "ulx3s_85f"),
    "ulx3s_85f-link-alone": Case("1-5", {"lanes": 1, "link": 3_000_000}, "ulx3s_85f"),  # as little behind the link as there can be
    "ulx3s_85f-neurobench": Case(NEUROBENCH, {"link": 3_000_000}, "ulx3s_85f"),
    "ulx3s_85f-overlay": Case(NEUROBENCH, {"link": 3_000_000, "overlay": True}, "ulx3s_85f", also=(SMALL,)),
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

CASES_IN_ORDER = sorted(CASES, key=lambda name: (catalogue.names().index(CASES[name].board or name), list(CASES).index(name)))


def network_of(name: str) -> Network:
    """A bundled network; NeuroBench's, at 8 bits with a scale per neuron; or a chain of random weights (6 bits, own thresholds and biases)."""
    if name == NEUROBENCH:
        return quantize(read_state_dict(TRUTH / "neurobench_gsc_lif.npz", beta=0.9), weight_bits=8, scale="neuron").network
    return chain(tuple(int(n) for n in name.split("-"))) if name[0].isdigit() else spikeloom.load(ROOT / "models" / f"{name}.npz")


def clips_of(case: Case, stored: Network) -> np.ndarray:
    """What cycles are counted on, ``[N, T, C]``: NeuroBench's own clips, else random events on a fifth of the inputs."""
    if case.network == NEUROBENCH:
        return read_clips(TRUTH / "gsc_test_events.npz", stored, NEUROBENCH_CLIPS).dense()
    return random_clips(stored, n_clips=2, n_steps=CLIP_STEPS).dense()


def done(name: str) -> dict[str, Any]:
    """Builds and measures one case."""
    case = CASES[name]
    board = case.board or name
    target = catalogue.find(board)
    network = network_of(case.network)
    folder = BUILD / "boards" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    placed = target.flow in FAMILIES
    found: dict[str, Any] = {"network": case.network, "clock_mhz": target.clock_mhz, "placed": placed}
    start, cpu = time.monotonic(), _cpu_seconds()
    try:
        result = spikeloom.compile(network, folder, board=board, bitstream=placed, also=tuple(network_of(n) for n in case.also), **case.options)
    except SpikeLoomError as error:
        return {**found, "error": str(error)}
    found |= {"seconds": round(time.monotonic() - start), "cpu_seconds": round(_cpu_seconds() - cpu)} if placed else {"seconds": None}
    chip, stored, _ = read_project(folder)
    clips = clips_of(case, stored)
    report = cycles_of(chip, stored, clips)
    found |= {"lanes": " + ".join(f"{t.lanes}/{t.update_lanes}" for t in chip.tiles),
              "cycles_per_step": report.total.sum() / (clips.shape[0] * clips.shape[1])}
    if placed:
        return found | {"luts": result.luts, "ffs": result.ffs, "brams": result.brams, "dsps": result.dsps, "fmax_mhz": result.fmax_mhz}
    area = _xc7(chip, stored, "wrapper" in case.options)
    return found | {"luts": area.luts, "ffs": area.ffs, "brams": area.bram36 + area.bram18 / 2, "dsps": area.dsps, "fmax_mhz": None}


def _cpu_seconds() -> float:
    """Of this process and the tools that it ran: other work of the machine does not count."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _xc7(chip, network: Network, behind_axi: bool):
    from synthesis import Bare

    from spikeloom.gen.pack import pack
    from spikeloom.hdl.axi.wrapper import AxiChip
    from spikeloom.hdl.top import Chip

    image = pack(chip, network)
    return xc7_area(AxiChip(chip, image) if behind_axi else Bare(Chip(chip, image)))


def line(name: str, found: dict[str, Any]) -> list[str]:
    """A row of the table."""
    case = CASES[name]
    board = case.board or name
    target = catalogue.find(board)
    if "error" in found:
        return [board, case.title, "-", f"not built: {found['error']}", *["-"] * 8]

    def share(name: str) -> str:
        return f"{found[name]:,g} / {target.budget[name]:,}" if isinstance(found[name], float) else f"{found[name]:,} / {target.budget[name]:,}"

    hz = found["clock_mhz"] * 1e6
    steps = hz / found["cycles_per_step"]
    built = f"{found['fmax_mhz']:g}" if found["fmax_mhz"] else "not placed"
    seconds = "-" if found["seconds"] is None else f"{found['seconds']:,}" + (f" ({found['cpu_seconds']:,})" if "cpu_seconds" in found else "")
    return [board, case.title, found["lanes"], share("luts"), share("brams"), share("dsps"), built, f"{found['clock_mhz']:g}", seconds,
            f"{steps:,.0f}", f"{steps / case.clip_steps:,.0f}", f"{1e3 * case.clip_steps / steps:.2f}"]


def table(kept: dict[str, dict[str, Any]]) -> str:
    """The table of everything that is kept, in the order of the catalogue, a board's further designs behind it."""
    titles = ["board", "network", "lanes/update lanes", "LUT", "block RAM", "DSP", "Fmax / MHz", "clock / MHz", "s to the bitstream (CPU)",
              "timesteps/s", "inferences/s", "ms for a clip of 1 s"]
    lines = [titles, ["---"] * len(titles), *(line(name, kept[name]) for name in CASES_IN_ORDER if name in kept)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write(kept: dict[str, dict[str, Any]]) -> None:
    """Puts the table into docs/boards.md."""
    head, rest = PAGE.read_text().split(MARKS[0], 1)
    PAGE.write_text(head + MARKS[0] + table(kept) + "\n" + MARKS[1] + rest.split(MARKS[1], 1)[1])


def main() -> int:
    """Builds, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("boards", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    parser.add_argument("--write", action="store_true", help="put the table into docs/boards.md, after each board")
    parser.add_argument("--only-write", action="store_true", help="build nothing")
    args = parser.parse_args()
    strange = sorted(set(args.boards) - set(CASES))
    if strange:
        parser.error(f"no case {', '.join(strange)}; there are {', '.join(CASES)}")
    kept: dict[str, dict[str, Any]] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    for board in [] if args.only_write else args.boards or CASES:
        if NEUROBENCH in (CASES[board].network, *CASES[board].also) and not TRUTH.is_dir():
            print(f"{board}: left out, there is no {TRUTH}", file=sys.stderr, flush=True)
            continue
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
