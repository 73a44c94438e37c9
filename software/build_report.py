"""Report of a build: where each population went, what the memories hold, and where the cycles go. Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from ..boards.board import Board
from ..gen.budget import estimate
from ..gen.period import period_reason
from ..gen.saved import saved_bits
from ..gen.storage import StorageChoice
from ..sim.scenario import Scenario
from ..spec.chip import ChipSpec
from ..spec.network import Model, Network
from .description import weight_format
from .results import BuildResult

__all__ = ["build_report"]


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def build_report(network: Network, chip: ChipSpec, board: Board, scenario: Scenario, result: BuildResult,
                 storage: Sequence[StorageChoice] = (), hardware: ChipSpec | None = None, *, link: int | None = None) -> str:
    """Text of ``report.md``; the same for the same build. ``storage`` is what :func:`~spikeloom.gen.storage.choose_storage` chose, ``hardware`` the
    overlay that holds the network, ``link`` the bytes of the identity of a chip behind its host link."""
    out = [f"# {network.name} on {board.name}\n", f"Network `{network.digest[:16]}`, {len(chip.tiles)} tiles, {chip.fabric.kind}, "
           f"output {chip.levels} phase(s) after input. Its period is {period_reason(network)}.\n"]
    out.append("![Tiles and who sends events to whom](chip.svg)\n")
    out.append("## Tiles\n")
    rows = []
    for index, tile in enumerate(chip.tiles):
        for g, group in enumerate(tile.groups):
            scattered, windows = (len(group.sparse.words), group.sparse.windows) if group.sparse else (0, ())
            words = tile.rows(g) * (group.axons + group.side_axons) + sum(w.words(tile.lanes) for w in windows)
            rows.append((index, group.population, f"{group.first}..{group.neurons[-1]}", tile.lanes, tile.update_lanes,
                         tile.rows(g), group.axons + group.side_axons + scattered, words * tile.lanes * tile.weight_bits,
                         f"{tile.weight_bits}/{tile.accumulator_bits}/{tile.stored_bits}", group.level))
    out.append(_table(("tile", "population", "neurons", "lanes", "update lanes", "rows", "axons", "weight bits stored dense, or of kernels",
                       "bits of weight/accumulator/state", "level"), rows))
    if result.fitted is not None:
        out.append("\n" + result.fitted.section)
    out.append("\n## Weights\n")
    out.append(_table(("projection", "port", "stored", "delay", "weights", "synapses", "that exist", "bits if dense", "bits if sparse", "equal at"), [
        (f"{c.source} -> {c.target}", c.port.value, c.kind.value, p.delay, weight_format(p), c.synapses, f"{c.existing} ({c.density:.1%})",
         c.dense_bits, "-" if c.sparse_bits is None else c.sparse_bits, "-" if c.break_even is None else f"{c.break_even:.1%}")
        for p, c in zip(network.projections, storage)]))
    out.append("\nSparse storage holds the existing synapses with their rows, and is chosen where the chip's memories get smaller by it: with random "
               "synapses it is the smaller one below the share of existing synapses in the last column. A tile's first sparse projection also takes "
               "accumulators, which count.\n")
    saved = saved_bits(chip)
    if saved:
        out.append(f"\nPopulations of a tile that share a matrix read the same words: {saved} bits of weights and pointers less than if each had its "
                   "own.\n")
    out.append("\n## Resources\n")
    needed = estimate(hardware or chip, board.budget.get("bram_bits", 18432), link=link)
    measured = {"luts": result.luts, "ffs": result.ffs, "brams": result.brams, "dsps": result.dsps}
    resources = [(name, needed.get(name, "-"), "-" if value is None else value, board.budget.get(name, "-")) for name, value in measured.items()]
    if needed["sprams"]:
        resources.append(("sprams", needed["sprams"], "-" if result.sprams is None else result.sprams, board.budget.get("sprams", "-")))
    out.append(_table(("resource", "estimate", "placed", "device"), resources))
    around = "self-test around the chip" if link is None else "host link in front of the chip, which the numbers include"
    if result.fmax_mhz is not None:
        out.append(f"\nHighest clock after routing {result.fmax_mhz} MHz, with the {around}.\n")
    if result.most_cycles is not None:
        out.append(f"\nA timestep is {result.step_ms:g} ms and takes {result.most_cycles} cycles if every input and every neuron fires: "
                   f"{result.real_time_margin} times as many pass in it.\n")
    out.append("\n## Cycles\n")
    cycles, sops = int(scenario.phase_cycles.sum()), int(scenario.sops.sum())
    events = int(scenario.event_offset[-1])
    steps = scenario.n_clips * scenario.n_steps
    out.append(f"On {scenario.n_clips} clips of {scenario.n_steps} timesteps of random events ({events / steps:.1f} per timestep), "
               f"as `cosim/` plays them: {cycles} cycles, {cycles / steps:.1f} per timestep; {sops} synaptic operations, {sops / cycles:.2f} "
               f"per cycle on {result.lanes} lanes. `spikeloom cosim` gives the same for clips of your own.\n")
    out.append("\n## Populations\n")
    out.append(_table(("population", "neurons", "model", "decay", "reset", "bits of v", "readout"),
                      [(p.name, p.size, p.model.value, "-" if p.model is Model.INPUT else f"{p.decay.beta:.4f} ({p.decay.kind})",
                        p.reset.value, "-" if p.model is Model.INPUT else p.v_bits, p.readout.value) for p in network.populations]))
    return "\n".join(out)
