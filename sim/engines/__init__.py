"""Co-simulation: plays clips on the emitted Verilog with one of the engines, and compares all that comes of it with the models.

    icarus, verilator   cocotb, the test that a generated project carries; seconds per clip
    compiled            CXXRTL and g++; whole test sets
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from ...spec.chip import ChipSpec
from ...spec.clips import Clips
from ...spec.errors import FileFormatError, ToolError
from ...spec.network import Network
from ..compare import Comparison, ComparisonReport
from ..layout import Layout
from ..observed import Observed
from ..scenario import Scenario, batch_clips, build_scenario

__all__ = ["ENGINES", "run"]

ENGINES = ("icarus", "verilator", "compiled")

_COMPILED_BATCH = 8  # clips: often enough for the progress to move


def run(engine: str, directory: Path, chip: ChipSpec, network: Network, clips: Clips, *,
        progress: Callable[[int, int], None] | None = None, threads: int | None = None, load: np.ndarray | None = None) -> ComparisonReport:
    """Play clips on the chip in ``directory`` and compare every output event, readout, answer, membrane potential, phase length and counter.

    Parameters
    ----------
    engine : one of :data:`ENGINES`.
    directory : a generated project: manifest.json and the Verilog that it names; engines build below its folder ``build``.
    chip, network : the plan and the network that it was made of.
    clips : what to play; labels give an accuracy. The comparison ends behind the first batch with a clip that hangs.
    progress : called with (clips done, clips in all).
    load : payloads of the configuration port, ``[n], uint64``, written before the first clip; of the compiled engine alone.
    threads : chips that the compiled engine runs at the same time; default: one per processor, at most 4.

    Raises ToolError for an unknown engine or a missing tool, FileFormatError for a project that is not one, NetworkError if chip,
    network and clips do not belong together. Differences raise nothing: they are in the report.
    """
    if engine not in ENGINES:
        raise ToolError(f"No engine {engine!r}; there are {', '.join(ENGINES)}")
    directory = Path(directory)
    layout = _layout(directory)
    comparison = Comparison(layout, sum(tile.lanes for tile in chip.tiles))
    batch = batch_clips(network, max(clips.n_steps, 1))
    play: Callable[[Scenario], Observed]
    if engine == "compiled":
        from .compiled import CompiledChip

        play = CompiledChip(directory, layout, load).play
        batch = min(batch, _COMPILED_BATCH)
    else:
        from . import cocotb_engine

        if load is not None:
            raise ToolError(f"Engine {engine!r} plays what the Verilog was made with; another network is loaded by the engine compiled")

        play = partial(cocotb_engine.play, directory, layout, simulator=engine)
    threads = (min(os.cpu_count() or 1, 4) if threads is None else threads) if engine == "compiled" else 1

    waiting: deque[tuple[int, Scenario, Future[Observed]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for first in range(0, clips.n_clips, batch):
                scenario = build_scenario(chip, network, clips, first, first + batch)
                waiting.append((first, scenario, pool.submit(play, scenario)))
                # One scenario is made ahead of what the threads work on.
                while len(waiting) > threads and not comparison.hung:
                    _finish(comparison, waiting.popleft(), clips, progress)
                if comparison.hung:
                    break
            while waiting and not comparison.hung:
                _finish(comparison, waiting.popleft(), clips, progress)
        finally:
            for *_, future in waiting:
                future.cancel()
    return comparison.report()


def _finish(comparison: Comparison, job: tuple[int, Scenario, Future[Observed]], clips: Clips,
            progress: Callable[[int, int], None] | None) -> None:
    first, scenario, future = job
    labels = None if clips.labels is None else clips.labels[first : first + scenario.n_clips]
    comparison.add(scenario, future.result(), first, labels)
    if progress is not None:
        progress(first + scenario.n_clips, clips.n_clips)


def _layout(directory: Path) -> Layout:
    path = directory / "manifest.json"
    if not path.is_file():
        raise FileFormatError(f"{directory} is not a generated project: it has no manifest.json; make one with spikeloom build")
    try:
        layout = Layout.read(path)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise FileFormatError(f"{path} is damaged or of another version of SpikeLoom ({type(error).__name__}: {error}); "
                              "build the project again") from None
    if not (directory / layout.verilog).is_file():
        raise FileFormatError(f"{directory} has no {layout.verilog}, which its manifest.json names; build the project again")
    return layout
