"""Building a project, and comparing its Verilog with the models: the long operations behind ``compile`` and ``cosim``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..boards import catalogue
from ..boards.board import Board
from ..boards.flow import FAMILIES, board_pll, build_bitstream, find_tools
from ..boards.vivado import VIVADO_FLOWS, write_vivado, write_zynq
from ..gen.axi_files import write_axi
from ..gen.budget import check_fits
from ..gen.candidates import cycles_if_all_fire
from ..gen.check import check_chip
from ..gen.emit import emit, manifest
from ..gen.emit_device import device_name, device_verilog, linked_chip, queue_sizes
from ..gen.identity import architecture_digest, identity
from ..gen.pack import pack
from ..gen.plan import plan
from ..gen.storage import StorageChoice, choose_storage
from ..sim.scenario import build_scenario
from ..sim.stimulus import random_clips
from ..sim.testbench import write_testbench
from ..spec.chip import ChipSpec
from ..spec.clips import Clips
from ..spec.errors import CapacityError, FileFormatError, MismatchError, ToolError
from ..spec.image import MemoryImage
from ..spec.network import Network, Readout
from ..spec.tile import MEMORIES
from .bitstream import link_top, self_test_top
from .build_report import build_report
from .chip_picture import chip_picture
from .fitting import fit_network
from .overlay_project import load_project, plan_overlay, read_overlay
from .real_time import step_ms
from .results import BuildResult, CosimResult

if TYPE_CHECKING:
    from ..hdl.link.timing import LinkTiming

__all__ = ["build", "compare", "plan_digest", "read_project", "verilog_changed"]

OnProgress = Callable[[int, int], None]
WRAPPERS = (None, "axi")

# The clips that a project carries, where the user names none: enough to see every mechanism at work, seconds to simulate.
_CARRIED_CLIPS, _CARRIED_STEPS = 2, 12
_GENERIC_MHZ = 25.0  # the clock of a host link where no board says another


def plan_digest(chip: ChipSpec) -> str:
    """SHA-256 of a chip's plan: whether a project was planned by this version of SpikeLoom as it would plan it now."""
    return hashlib.sha256(json.dumps(asdict(chip), sort_keys=True, default=str).encode()).hexdigest()


def build(network: Network, folder: Path, *, board: str, lanes: int | None, tiles: int | None, fabric: str, storage: str, bitstream: bool,
          wrapper: str | None = None, export: bool = False, counters: bool = False, link: int | None = None, clock_hz: int | None = None,
          fit: bool = False, rate: float | None = None, clips: Clips | None = None, overlay: bool = False,
          capacity: Mapping[str, Sequence[int]] | None = None, also: Sequence[Network] = (), progress: OnProgress | None = None) -> BuildResult:
    """See :func:`spikeloom.software.api.compile`."""
    target = catalogue.find(board)
    if bitstream and target.flow in VIVADO_FLOWS:
        raise ToolError(f"Bitstream for {target.name}: Vivado makes it, of the project that is written to DIR/board without --bitstream")
    if link is not None and target.flow == "zynq":
        raise ToolError(f"Host link of {target.name}: its chip is behind AXI, and its processors are the host; leave --link out")
    if bitstream and target.flow not in FAMILIES:
        raise ToolError(f"Bitstream for {target.name}: there is no flow to a bitstream for this board; leave --bitstream out, or name another board")
    if bitstream and link is not None and target.uart is None:
        raise ToolError(f"Bitstream for {target.name}: this board has no serial port for a host link; leave --link out for the self-test")
    if bitstream and link is None and target.memories == "spram":
        raise ToolError(f"Bitstream for {target.name}: its weights are in single-port RAM, empty at power-up: no self-test is possible; "
                        "add --link BAUD, and load them with spikeloom deploy")
    if bitstream:
        find_tools(target)  # before anything is made for them
    if target.memories != "distributed" and storage == "auto":
        storage = "dense"  # sparse projections need memories that are read at once
    if wrapper not in WRAPPERS:
        raise ToolError(f"No wrapper {wrapper!r}; there is {', '.join(w for w in WRAPPERS if w)}")
    has_clock = bool(clock_hz or target.clock_mhz)
    clock_hz = clock_hz or round((target.clock_mhz or _GENERIC_MHZ) * 1e6)
    pll = board_pll(target, clock_hz) if bitstream or target.flow in VIVADO_FLOWS else None
    clock_hz = clock_hz if pll is None else pll.hz
    timing = _link_timing(target, link, clock_hz)
    fitted = None
    if overlay and (fit or rate is not None):
        raise CapacityError("An overlay cannot be built with --fit or --min-area, which choose for one network: give --lanes and --capacity instead")
    if fit or rate is not None:
        fitted = fit_network(network, target, rate=rate, lanes=lanes, tiles=tiles, clock_hz=clock_hz if has_clock else None, clips=clips,
                             storage=storage, progress=progress, fabric=fabric, export=export, counters=counters, readable=timing is not None,
                             memories=target.memories, writable=True)
        lanes, tiles = fitted.fit.chosen.lanes, fitted.fit.chosen.tiles
    total = 6 if bitstream else 4
    step = _steps(progress, total)
    options: dict[str, Any] = {"lanes": lanes, "tiles": tiles, "fabric": fabric, "export": export, "counters": counters,
                               "readable": timing is not None, "memories": target.memories}
    # From here on the network is the one that is stored so: that is what the project holds, and is compared with.
    if overlay:
        held = plan_overlay(network, lanes=lanes, tiles=tiles, readable=timing is not None, also=also, capacity=capacity or {}, refused={
            "--wrapper": wrapper is not None, "--export-state": export, "--counters": counters, "--fabric mesh": fabric == "mesh",
            f"--board {target.name}": target.flow == "zynq" or target.memories != "distributed"})
        hardware, chip, network, image = held.hardware, held.loaded.chip, held.loaded.network, held.image
        choices: tuple[StorageChoice, ...] = ()
        places: tuple[int, ...] | None = held.loaded.places
        options["capacity"] = hardware.capacity.to_json() if hardware.capacity else None
    else:
        network, choices = choose_storage(network, lanes=lanes, tiles=tiles, storage=storage)
        hardware = chip = plan(network, **options, writable=True)
        image, places = pack(chip, network), None
        check_chip(chip, image, network)
    identified = None if timing is None else _identity(hardware, timing, {**options, "storage": storage})
    if target.budget:
        check_fits(hardware, target.budget, target.name, link=None if identified is None else len(identified))
    step()
    described = emit(folder, chip, network, image, hardware=hardware, places=places)
    described.update({"plan": options, "plan_digest": plan_digest(hardware), "board": target.name})
    if fitted is not None:
        described["fit"] = fitted.values
    if timing is not None and identified is not None:
        described["link"] = _emit_device(folder, hardware, image, timing, identified)
        described["sha256"]["device.v"] = hashlib.sha256((folder / "device.v").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(described, indent=1) + "\n")
    if wrapper == "axi" or target.flow == "zynq":
        write_axi(folder / "axi", chip, image)
    step()
    scenario = build_scenario(chip, network, random_clips(network, n_clips=_CARRIED_CLIPS, n_steps=_CARRIED_STEPS))
    write_testbench(folder / "cosim", scenario)
    step()
    used = None
    if target.flow == "zynq":
        write_zynq(target, chip, folder / "board")
    elif bitstream or target.flow == "xilinx":
        top = self_test_top(target, hardware, image, scenario, pll) if timing is None or identified is None else \
            link_top(target, linked_chip(hardware, image, timing, identified), pll)
    if target.flow == "xilinx":
        write_vivado(target, top, folder / "board")
    if bitstream:
        used = build_bitstream(target, top, folder / "board", clock_hz=clock_hz)
        described["bitstream"] = name = f"board/{used.bitstream}"
        described["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(described, indent=1) + "\n")
        step()
    most = cycles_if_all_fire(chip, network)
    weight_bits = (t.lanes * (t.weight_depth * t.weight_bits + t.sparse_depth * (t.row_bits + t.sparse_weight_bits)) for t in hardware.tiles)
    result = BuildResult(
        tiles=len(hardware.tiles), lanes=sum(t.lanes for t in hardware.tiles), weight_bits_total=sum(weight_bits),
        luts=used.used.luts if used else None, ffs=used.used.ffs if used else None, brams=used.used.brams if used else None,
        dsps=used.used.dsps if used else None, sprams=used.used.sprams if used else None,
        fmax_mhz=used.fmax_mhz if used else None, fitted=fitted,
        step_ms=step_ms(network), most_cycles=most, real_time_margin=round(step_ms(network) * clock_hz / 1000 / most, 2))
    (folder / "chip.svg").write_text(chip_picture(chip))
    (folder / "report.md").write_text(build_report(
        network, chip, target, scenario, result, choices, hardware, link=None if identified is None else len(identified)))
    while step():
        pass
    return result


def _link_timing(board: Board, baud: int | None, clock_hz: int) -> LinkTiming | None:
    """Of the host link; None without one."""
    if baud is None:
        return None
    from ..hdl.link.timing import LinkTiming

    try:
        return LinkTiming(clock_hz=clock_hz, baud=baud)
    except ValueError as error:
        raise CapacityError(f"Host link of {board.name}: {error}") from None


def _link_numbers(chip: ChipSpec, timing: LinkTiming) -> dict[str, int]:
    depth, places = queue_sizes(chip)
    return {"clock_hz": timing.clock_hz, "baud": timing.baud, "depth": depth, "places": places}


def _identity(chip: ChipSpec, timing: LinkTiming, options: dict) -> bytes:
    """What the device says of itself."""
    return identity(chip, options, _link_numbers(chip, timing))


def _emit_device(folder: Path, chip: ChipSpec, image: MemoryImage, timing: LinkTiming, identified: bytes) -> dict:
    """Writes device.v; returns what the manifest says of it."""
    (folder / "device.v").write_text(device_verilog(chip, image, timing, identified))
    return {"top": "device.v", "name": device_name(chip), "clocks_per_bit": timing.clocks_per_bit, "architecture": architecture_digest(chip),
            **_link_numbers(chip, timing)}


def _steps(progress: OnProgress | None, total: int) -> Callable[[], bool]:
    done = 0

    def step() -> bool:
        nonlocal done
        if done >= total:
            return False
        done += 1
        if progress is not None:
            progress(done, total)
        return True

    return step


def read_project(folder: Path) -> tuple[ChipSpec, Network, dict]:
    """Plan, network and manifest of a generated project. Raises FileFormatError if it is none, or was changed by hand.

    The Verilog may have been changed: that is what a co-simulation finds out. All that it is compared with may not.
    """
    from ..spec.archive import load_network

    path = folder / "manifest.json"
    if not path.is_file():
        raise FileFormatError(f"{folder} is not a generated project: it has no manifest.json; make one with spikeloom build")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        options = {name: found["plan"][name] for name in ("lanes", "tiles", "fabric", "export", "counters", "readable", "memories")}
        sums, name, expected = dict(found["sha256"]), str(found["name"]), found["plan_digest"]
        if not all(options[k] is None or (type(options[k]) is int and options[k] > 0) for k in ("lanes", "tiles")):
            raise ValueError("lanes and tiles must be positive integers or null")
        if options["fabric"] not in ("auto", "star", "mesh"):
            raise ValueError("fabric must be auto, star or mesh")
        if options["memories"] not in MEMORIES:
            raise ValueError(f"memories must be one of {', '.join(MEMORIES)}")
        if not all(type(options[k]) is bool for k in ("export", "counters", "readable")):
            raise ValueError("export, counters and readable must be true or false")
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged ({type(error).__name__}: {error}); build the project again") from None
    for file in ("network.npz", "image.npz"):
        if not (folder / file).is_file() or hashlib.sha256((folder / file).read_bytes()).hexdigest() != sums.get(file):
            raise FileFormatError(f"{folder / file} is missing, or not the one that this project was built with; build it again")
    network = load_network(folder / "network.npz")
    places = None
    if "capacity" in found["plan"]:
        try:
            held = read_overlay(found["plan"], network, name)
        except (CapacityError, ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"{path} is damaged ({type(error).__name__}: {error}); build the project again") from None
        hardware, chip, network, places = held.hardware, held.loaded.chip, held.loaded.network, held.loaded.places
    else:
        hardware = chip = plan(network, **options, writable=True, name=name)
    wanted = json.loads(json.dumps(manifest(chip, network, hardware=hardware, places=places)))
    if plan_digest(hardware) != expected or any(found.get(key) != value for key, value in wanted.items()):
        raise FileFormatError(f"{folder} was planned by another version of SpikeLoom, or its manifest was changed; build the project again")
    return chip, network, found


def verilog_changed(folder: Path, found: dict) -> bool:
    """Whether the Verilog of a project is no longer what was generated."""
    path = folder / found["top"]
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != found["sha256"].get("chip.v")


def compare(folder: Path, clips: Clips | str | Path, *, limit: int | None = None, engine: str = "icarus", network: Network | None = None,
            progress: OnProgress | None = None) -> CosimResult:
    """See :func:`spikeloom.software.api.cosim`."""
    from ..sim.engines import run
    from .clips import read_clips

    chip, own, found = read_project(folder)
    directory, load = folder, None
    if network is not None:
        chip, own, directory, load = load_project(folder, found, network)
    network = own
    if not isinstance(clips, Clips):
        clips = read_clips(clips, network, limit=limit)
    clips = clips.take(limit)
    if not clips.n_clips:
        raise MismatchError("Nothing to compare: the input has no clips")
    # The answer is read from the last population with a readout, or else from the last output.
    readers = [p for p in network.outputs if p.readout is not Readout.NONE] or network.outputs
    labels = readers[-1].labels
    report = run(engine, directory, chip, network, clips, progress=progress, load=load)
    return CosimResult(
        clips=report.clips, accuracy=report.accuracy, spikes_compared=report.spikes_compared, spikes_wrong=report.spikes_wrong,
        states_compared=report.states_compared,
        states_wrong=report.states_wrong + report.readouts_wrong + report.answers_wrong,
        cycles_predicted=report.cycles_predicted, cycles_measured=report.cycles_measured, sops=report.sops, lanes=report.lanes,
        counters_compared=report.counters_compared, counters_wrong=report.counters_wrong, phases_wrong=report.phases_wrong,
        clips_flagged=report.clips_flagged, first_divergence=report.first_divergence,
        words=tuple(labels[answer] if answer < len(labels) else str(answer) for answer in report.answers), confidences=report.confidences,
        verilog_changed=verilog_changed(folder, found))
