"""A wrapped chip's co-simulation: the case that axi_tests.py plays, and what the golden model says must come of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.gen.axi_files import axi_verilog
from spikeloom.gen.pack import pack
from spikeloom.gen.state import state_words
from spikeloom.hdl.axi.event_words import closing_word_layout, event_word_layout
from spikeloom.hdl.axi.register_map import COUNTERS, RegisterMap, register_map
from spikeloom.hdl.config_port import memory_words
from spikeloom.hdl.sequencer import Command, control_layout
from spikeloom.hdl.tile import MemoryKind
from spikeloom.sim import golden
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.network import Network

from ..end_to_end.chip_bench import Run, counters_differ
from ..end_to_end.host_items import config_image

__all__ = ["differences", "make_case", "play"]

_NOTHING = 1 << 31


def _bad_accesses(registers: RegisterMap) -> tuple[list[list[int]], list[list[int]]]:
    """(address, length) of reads and of writes that must be refused: unaligned, nowhere, read-only, only to write, not all bytes of what acts."""
    end, used = 1 << registers.address_bits, {r.address for r in registers.registers}
    for w in registers.windows:
        used |= set(range(w.address, w.address + 4 * w.words, 4))
    nowhere = [[address, 4] for address in range(0, end, 4) if address not in used]
    unaligned = [[r.address + k, 4 - k] for r in registers.registers for k in (1, 2, 3)]
    to_write = [[r.address, 4] for r in registers.registers if r.access == "W"]
    only = [[r.address, 4] for r in registers.registers if r.access == "R"] + [[w.address, 4] for w in registers.windows]
    partial = [[r.address, k] for r in registers.registers if r.access == "W" for k in (1, 2, 3)]
    return nowhere + unaligned + to_write, nowhere + unaligned + only + partial


def event_words(chip: ChipSpec, x: np.ndarray, rng: np.random.Generator) -> list[list[int]]:
    """Per timestep of a clip ``[T, C]`` the words of its frame; with a closing word where there is no event, and else sometimes."""
    bases, frames = np.cumsum([0, *(i.size for i in chip.inputs)]), []
    for row in x:
        words = []
        for channel in np.flatnonzero(row).tolist():
            number = int(np.searchsorted(bases, channel, side="right")) - 1
            fields = {"neuron": channel - int(bases[number]), "population": number, "payload": int(row[channel])}
            words.append(event_word_layout().const(fields).as_value().value)
        for _ in range(int(not words) + int(rng.integers(2))):
            words.insert(int(rng.integers(len(words) + 1)), _NOTHING | int(rng.integers(1 << 31)))
        frames.append(words)
    return frames


def make_case(folder: Path, chip: ChipSpec, network: Network, clips: np.ndarray, *, pause: float, seed: int, loads: bool = True,
              first: Network | None = None, patience: int = 100_000) -> None:
    """Writes the wrapped Verilog of ``first`` (default: the network) and the case: ``network`` is loaded over the bus and plays ``clips``.

    These are ``[N, T, C]``. It must be done within ``patience`` clock cycles."""
    registers, rng = register_map(chip), np.random.default_rng(seed)
    (folder / "chip_axi.v").write_text(axi_verilog(chip, pack(chip, first or network)))
    config: list[Any] = []
    for _, part in config_image(chip, pack(chip, network)) if loads else ():
        if not config or config[-1][-1]:
            config.append([part["tile"], int(part["memory"]), part["address"], [], False])
        config[-1][3].append(part["data"])
        config[-1][4] = bool(part["last"])
    bad_reads, bad_writes = _bad_accesses(registers)
    commands = {c.name: control_layout().const({"command": c, "count": 0}).as_value().value & 3 for c in Command}
    case = {
        "seed": seed, "pause": pause, "patience": patience, "sends": any(not o.values for o in chip.outputs), "commands": commands,
        "registers": {r.name: r.address for r in registers.registers}, "windows": {w.name: [w.address, w.words] for w in registers.windows},
        "status": {f.name: f.offset for f in registers.by_name["STATUS"].fields},
        "constants": {r.name: r.value for r in registers.registers if r.value is not None}, "bad_reads": bad_reads, "bad_writes": bad_writes,
        "config": [word[:4] for word in config], "clips": [event_words(chip, x, rng) for x in clips],
        "states": [[tile.n_updates, -(-memory_words(chip, k)[MemoryKind.STATE][1] // 32)] for k, tile in enumerate(chip.tiles) if chip.exports],
        "state_memory": int(MemoryKind.STATE),
    }
    (folder / "case.json").write_text(json.dumps(case))


def play(folder: Path, monkeypatch: Any) -> dict[str, Any]:
    """Runs the case on Icarus; a test that breaks off gives the end of its log as ``wrong``."""
    from cocotb_tools.runner import get_runner

    monkeypatch.syspath_prepend(str(Path(__file__).parent))  # cocotb hands Python's path on
    runner = get_runner("icarus")
    runner.log.setLevel(logging.CRITICAL)
    model = folder / "model"
    try:
        runner.build(sources=[folder / "chip_axi.v"], hdl_toplevel="chip_axi", build_dir=model, timescale=("1ns", "1ps"),
                     log_file=folder / "build.log")
        runner.test(hdl_toplevel="chip_axi", test_module="axi_tests", build_dir=model, test_dir=folder, log_file=folder / "simulation.log",
                    results_xml=str(folder / "results.xml"), extra_env={"COSIM_FOLDER": str(folder), "COCOTB_RANDOM_SEED": "1"})
    except (SystemExit, RuntimeError):
        log = folder / "simulation.log"
        log = log if log.exists() else folder / "build.log"
        return {"clips": [], "states": [], "violations": [], "wrong": [log.read_text()[-3000:]]}
    return json.loads((folder / "observed.json").read_text())


def differences(chip: ChipSpec, network: Network, clips: np.ndarray, seen: dict[str, Any]) -> list[str]:
    """What differs from the golden model, and what the bench and the checkers found."""
    lines = seen["violations"] + seen["wrong"]
    if len(seen["clips"]) != len(clips):
        return [*lines, f"{len(seen['clips'])} of {len(clips)} clips were played"]
    for number, (x, got) in enumerate(zip(clips, seen["clips"])):
        result = golden.run(network, x[None], record=True)
        lines += [f"clip {number}: {line}" for line in _clip(chip, network, x, result, got)]
    if chip.exports:
        ended = golden.run(network, clips[-1:]).state
        wanted = [word for tile in state_words(chip, network, ended) for word in tile]
        got_words = [sum(part << 32 * k for k, part in enumerate(parts)) for parts in seen["states"]]
        lines += [f"state word {k}: {g:#x}, not {w:#x}" for k, (g, w) in enumerate(zip(got_words, wanted)) if g != w]
        lines += [] if len(got_words) == len(wanted) else [f"{len(got_words)} state words, not {len(wanted)}"]
    return lines


def _clip(chip: ChipSpec, network: Network, x: np.ndarray, result: golden.Result, got: dict[str, Any]) -> list[str]:
    lines = [f"error flags {got['ERRORS']:#x}"] if got["ERRORS"] else []
    if chip.n_readouts:
        wide = register_map(chip).window["READOUTS"].words // chip.n_readouts
        bits = 32 * wide
        words = [sum(got["READOUTS"][wide * k + j] << 32 * j for j in range(wide)) for k in range(chip.n_readouts)]
        values = [word - (1 << bits) * (word >> (bits - 1)) for word in words]
        wanted = [int(v) for o in chip.outputs if o.n_values for v in result.readouts[o.population][0]]
        lines += [f"readouts {values}, not {wanted}"] if values != wanted else []
        assert result.answers is not None and result.confidences is not None
        answer = got["ANSWER"], got["CONFIDENCE_LOW"] | got.get("CONFIDENCE_HIGH", 0) << 32
        expected = int(result.answers[0]), int(result.confidences[0])
        lines += [f"answer {answer}, not {expected}"] if answer != expected else []
    if chip.counters:
        run, words = Run(), iter(got["COUNTERS"])
        run.counters.extend([{name: next(words) for name in COUNTERS} for _ in tile.groups] for tile in chip.tiles)
        lines += counters_differ(network, chip, x, run)
    wanted_frames = expected_frames(chip, result, len(x))
    for k, (frame, (events, closing)) in enumerate(zip(got["frames"], wanted_frames)):
        if Counter(frame[:-1]) != events:
            missing, extra = events - Counter(frame[:-1]), Counter(frame[:-1]) - events
            lines.append(f"frame {k}: missing {list(missing.elements())}, extra {list(extra.elements())}")
        lines += [f"frame {k} is closed by {frame[-1]:#x}, not {closing:#x}"] if frame[-1] != closing else []
    lines += [f"{len(got['frames'])} frames, not {len(wanted_frames)}"] if len(got["frames"]) != len(wanted_frames) else []
    return lines


def expected_frames(chip: ChipSpec, result: golden.Result, n_steps: int) -> list[tuple[Counter[int], int]]:
    """Per phase in which a timestep of a spiking output ends: its events, and the closing word."""
    frames = []
    for phase in range(chip.period * (n_steps - 1) + 1 + chip.levels):
        events: Counter[int] = Counter()
        ended = []
        for number, output in enumerate(chip.outputs):
            step, rest = divmod(phase - output.level, chip.period)
            if output.values or rest or not 0 <= step < n_steps:
                continue
            ended.append((number, step))
            for neuron in np.flatnonzero(result.spikes[output.population][0, step]).tolist():
                fields = {"neuron": neuron, "population": number, "payload": int(result.spikes[output.population][0, step, neuron])}
                events[event_word_layout().const(fields).as_value().value] += 1
        if ended:
            fields = {"timestep": ended[0][1], "outputs": sum(1 << number for number, _ in ended), "nothing": 1}
            frames.append((events, closing_word_layout().const(fields).as_value().value))
    return frames
