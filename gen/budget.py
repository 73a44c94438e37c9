"""What a chip takes of a device, estimated from its plan before anything is synthesised, and whether that fits.

Block RAMs and multipliers are counted from the widths. LUTs (four inputs; carries and distributed RAM counted as the LUTs that they
occupy) and flip-flops are sums over lanes, update lanes and ports, with factors found by synthesis for ECP5 (yosys synth_ecp5) of
chips of 8 to 64 lanes. Good enough to tell a chip that fits from one that does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from ..hdl.link.recorder import record_layout
from ..spec.arithmetic import bits_unsigned
from ..spec.chip import ChipSpec, SwitchSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.image import table_layout
from ..spec.network import Readout
from .emit_device import queue_sizes

__all__ = ["check_fits", "estimate", "estimate_tiles", "narrower"]

DISTRIBUTED_WIDTH, DISTRIBUTED_DEPTH, DISTRIBUTED_LUTS = 4, 16, 4  # of a distributed RAM cell
DEEP, DEEP_CELL_LUTS = 64, 2  # entries up to which the factors below hold; deeper, LUTs of a cell's write port that nothing else can use
QUEUE_DISTRIBUTED = 128  # entries up to which an event queue is distributed RAM
BLOCK_COST = 21  # cells of distributed RAM that yosys trades for one block RAM
MULTIPLIER_WIDTH, MULTIPLIER_LEAST = 18, 9  # inputs of a multiplier; smallest product that one is used for
LUTS_PER_SUM_BIT = 2.0  # adder, and multiplexer to the update lanes
LUTS_PER_STATE_BIT = 3.5  # add, saturate, compare, decay, subtract
LUTS_PER_ADDRESS_BIT = 2.0
LUTS_PER_TILE, FFS_PER_TILE = 100, 40
LUTS_OF_HOST, FFS_OF_HOST = 450, 80
LUTS_PER_LINK_BIT, LUTS_PER_LINK = 1.0, 12.0
LUTS_OF_LINK, FFS_OF_LINK = 2400, 1150  # of the host link
UNPAIRED_FFS = 0.5  # flip-flops of an iCE40 that are in a logic cell whose LUT nobody else can use
ERROR = {"luts": 1.15, "ffs": 1.25, "brams": 1.0, "dsps": 1.0, "sprams": 1.0}  # refused only if too large by more than the estimate may be wrong
NAMES = {"luts": "LUTs", "ffs": "flip-flops", "brams": "block RAMs", "dsps": "multipliers", "sprams": "single-port RAMs"}


def _blocks(width: int, depth: int, block_bits: int) -> int:
    """Block RAMs of a memory, with the best of the shapes that a block has: 36 x 512, 18 x 1024, ... for 18432 bits."""
    shapes = [(w, block_bits // w) for w in (36, 18, 9) if block_bits % w == 0] or [(16, block_bits // 16)]
    narrow = shapes[-1][1] * (8 if shapes[-1][0] == 9 else 16)  # without parity bits below 9 bits
    shapes += [(w, narrow // w) for w in (8, 4, 2, 1) if w < shapes[-1][0]]
    return min(-(-width // w) * -(-depth // d) for w, d in shapes) if width and depth else 0


def _cells(width: int, depth: int) -> int:
    """Distributed RAM cells of a memory."""
    return -(-width // DISTRIBUTED_WIDTH) * -(-depth // DISTRIBUTED_DEPTH)


def _deep(width: int, depth: int) -> int:
    """LUTs that a deep distributed memory takes beside its cells: a read multiplexer, one for each bit of each further cell, and write ports."""
    return width * -(-(depth - DEEP) // DISTRIBUTED_DEPTH) + DEEP_CELL_LUTS * _cells(width, depth) if depth > DEEP else 0


def _registered(width: int, depth: int, block_bits: int) -> tuple[int, int]:
    """(block RAMs, cells) of a memory with a registered read, whichever yosys takes."""
    blocks, cells = _blocks(width, depth, block_bits), _cells(width, depth)
    return (blocks, 0) if cells > BLOCK_COST * blocks else (0, cells)


def _multipliers(tile: TileSpec) -> int:
    """Products of payload and weight, one per lane; decays that are neither a shift nor 0 or 1, gains and gates, one each per update lane."""
    count = 0
    if tile.payload_kind == "graded" and tile.value_weight_bits + tile.payload_bits >= MULTIPLIER_LEAST:
        count += tile.lanes * -(-tile.value_weight_bits // MULTIPLIER_WIDTH)
    for update in dict.fromkeys(g.update for g in tile.groups):
        each = {"v": update.beta_each, "i": update.alpha_each, "a": False}
        decays = {"v": (update.decay, update.v_bits), "i": (update.current_decay, update.i_bits), "a": (update.adaptation_decay, update.a_bits)}
        for name, (decay, bits) in decays.items():
            factor = decay.factor if decay is not None else None
            if factor is not None and (each[name] or factor & (factor - 1)):
                count += tile.update_lanes * -(-bits // MULTIPLIER_WIDTH) * (1 + (name == "v" and update.complement))
        if update.has_gate:
            count += tile.update_lanes * -(-max(update.v_bits, update.i_bits) // MULTIPLIER_WIDTH)
    return count


def _tile(tile: TileSpec, chip: ChipSpec, block_bits: int) -> dict[str, int]:
    """Resources of one tile."""
    p, u, axons = tile.lanes, tile.update_lanes, max(tile.list_axons(k) for k in range(len(tile.lists)))
    v_bits, parameters = max(g.update.v_bits for g in tile.groups), sum(f.bits for f in tile.fields)
    profiles = len({g.update for g in tile.groups})
    brams, cells = _blocks(p * tile.weight_bits, tile.weight_depth, block_bits) if tile.memories != "spram" else 0, 0

    held = sum(tile.list_axons(k) > 0 for k in range(len(tile.lists)))
    queue_depth, queue_width = max(held, 1) * tile.slots << tile.axon_bits, tile.axon_bits + tile.payload_bits
    memories = [(0, _cells(queue_width, queue_depth)) if queue_depth <= QUEUE_DISTRIBUTED else
                (_blocks(queue_width, queue_depth, block_bits), 0),
                (0, _cells(u * tile.state_bits, tile.n_updates)),
                (0, _cells(u * (1 + tile.value_bits) + bits_unsigned(tile.n_updates - 1), tile.n_updates))]
    if not tile.constant_parameters:
        memories.append(_registered(u * parameters, tile.n_updates, block_bits))
    if chip.writable:
        layout = table_layout(tile, len(chip.keys))
        memories.append((0, _cells(layout.width, layout.depth)))
    scattered, deep = 0, sum(_deep(*memory) for memory in ((u * tile.state_bits, tile.n_updates),
                                                            (u * (1 + tile.value_bits) + bits_unsigned(tile.n_updates - 1), tile.n_updates)))
    if tile.has_sparse:  # pointers, sparse words, and in each lane an accumulator per row with an adder of its own
        memories += [_registered(sum(tile.pointer_bits), tile.pointer_depth, block_bits), (0, p * _cells(tile.accumulator_bits, 1 << tile.row_bits))]
        memories += [(_blocks(p * (tile.row_bits + tile.sparse_weight_bits), tile.sparse_depth, block_bits), 0)] * tile.has_words
        scattered = p * (2 * tile.accumulator_bits + tile.row_bits * tile.has_words)
        deep += p * _deep(tile.accumulator_bits, 1 << tile.row_bits)
    if tile.memories != "distributed":  # the same memories in block RAM; the axon table is flip-flops
        memories, deep = [(_blocks(width, depth, block_bits), 0) for width, depth in _block_memories(tile)], 0
    for blocks, distributed in memories:
        brams, cells = brams + blocks, cells + distributed

    address = bits_unsigned(max(tile.weight_depth - 1, 1)) + bits_unsigned(axons) * (2 + len(tile.lists) * tile.slots)
    graded = tile.value_weight_bits + tile.payload_bits if tile.payload_kind == "graded" else 0
    worked = sum(f.bits for f in tile.state_fields if f.name not in ("v", "i"))  # those two are only kept
    further = worked - tile.stored_bits + (3 * v_bits if any(g.update.has_gate for g in tile.groups) else 0)
    luts = (LUTS_PER_SUM_BIT * p * tile.accumulator_bits * (1 + tile.has_sides / 2) + p * tile.value_weight_bits + p * graded
            + LUTS_PER_STATE_BIT * u * (tile.stored_bits + v_bits * profiles + further)
            + LUTS_PER_ADDRESS_BIT * address + LUTS_PER_TILE + DISTRIBUTED_LUTS * cells + scattered + deep)
    ffs = ((2 + tile.has_sides) * p * tile.accumulator_bits + p * 2 * graded
           + u * (tile.stored_bits + v_bits + 2 * parameters + 4 + (tile.update_latency - 2) * (worked + v_bits))
           + 2 * address + FFS_PER_TILE + (2 * u * v_bits if any(g.update.decay.kind == "multiply" for g in tile.groups) else 0))
    if chip.counters:
        luts, ffs = luts + 6 * 32 * len(tile.groups), ffs + 5 * 32 * len(tile.groups)
    if tile.memories != "distributed":
        layout = table_layout(tile, len(chip.keys))
        luts, ffs = luts + layout.width * layout.depth / 2, ffs + layout.width * layout.depth
    return {"luts": round(luts), "ffs": round(ffs), "brams": brams, "dsps": _multipliers(tile), "sprams": tile.sprams}


def _block_memories(tile: TileSpec) -> list[tuple[int, int]]:
    """(width, depth) of a tile's memories beside its weights, where none is distributed: queue, state, spike FIFO, parameters."""
    u = tile.update_lanes
    return [tile.queue_size, (u * tile.state_bits, tile.n_updates),
            (u * (1 + tile.value_bits) + bits_unsigned(tile.n_updates - 1), tile.n_updates),
            (0 if tile.constant_parameters else u * sum(f.bits for f in tile.fields), tile.n_updates)]


def _switch(switch: SwitchSpec, flit_bits: int) -> tuple[float, float]:
    """(LUTs, flip-flops) of a switch: multiplexers and arbiters of what is connected, tables, and queues where it is buffered."""
    links = sum(len(switch.sources(output)) for output in range(len(switch.outputs)))
    entries = sum(len(table) for table in switch.routes)
    queues = sum(bool(table) for table in switch.routes) if switch.buffered else 0
    return (LUTS_PER_LINK_BIT * flit_bits * links + LUTS_PER_LINK * links + entries + 1.5 * flit_bits * queues,
            2 * links + (2 * flit_bits + 3) * queues)


def estimate_tiles(chip: ChipSpec, block_bits: int = 18432) -> tuple[dict[str, int], ...]:
    """What each tile of a chip takes of :func:`estimate`; the network between them, the host side and readouts are no tile's."""
    return tuple(_tile(tile, chip, block_bits) for tile in chip.tiles)


def estimate(chip: ChipSpec, block_bits: int = 18432, *, link: int | None = None) -> dict[str, int]:
    """Resources of a chip: ``luts``, ``ffs``, ``brams`` (of ``block_bits`` bits each), ``dsps``, and ``sprams`` where its weights are in such.

    Host port, sequencer, readout and configuration port are included, a board's self-test is not. ``link`` is what IDENTIFY gives, in bytes, of a
    chip behind its host link, which is then included; None without one.
    """
    flit_bits = chip.flit.key_bits + chip.flit.neuron_bits + chip.flit.time_bits + chip.flit.payload_bits
    inputs = sum(i.size for i in chip.inputs)
    readout_bits = max((o.readout_bits for o in chip.outputs if o.readout is not Readout.NONE), default=0)
    seen = min(inputs, 64) if inputs <= 64 else inputs // 32
    distributed = DISTRIBUTED_LUTS * _cells(readout_bits, chip.n_readouts) if chip.memories == "distributed" else 0
    luts = LUTS_OF_HOST + 2.0 * seen + 3.0 * readout_bits + distributed
    ffs = FFS_OF_HOST + seen + readout_bits
    if chip.writable:
        widest = max(max(t.lanes * t.weight_bits, t.update_lanes * (t.theta_bits + t.bias_bits), t.update_lanes * t.state_bits) for t in chip.tiles)
        luts, ffs = luts + widest + sum(t.update_lanes * t.state_bits for t in chip.tiles), ffs + widest + 30
    if chip.reads:
        read = [t.lanes * t.weight_bits + t.update_lanes * (t.theta_bits + t.bias_bits) if t.readable else 0 for t in chip.tiles]
        luts = luts + sum(bits / 3 + 48 for bits in read if bits)  # fitted to nothing: a multiplexer of parts and a few addresses
        luts, ffs = luts + sum(t.update_lanes * t.state_bits / 3 + 16 for t in chip.tiles), ffs + 60
    total = {"luts": luts, "ffs": ffs, "brams": 0.0, "dsps": 0.0, "sprams": 0.0}
    if chip.memories != "distributed":
        total["brams"] += _blocks(readout_bits, chip.n_readouts, block_bits)
    if link is not None:
        depth, places = queue_sizes(chip)
        total["luts"], total["ffs"] = total["luts"] + LUTS_OF_LINK, total["ffs"] + FFS_OF_LINK
        memories = ((8, depth), (record_layout(chip).size, places), (8, 256), (8, link))
        total["brams"] += sum(_blocks(width, size, block_bits) for width, size in memories)
    for part in estimate_tiles(chip, block_bits):
        for name, value in part.items():
            total[name] += value
    for switch in chip.fabric.switches:
        more = _switch(switch, flit_bits)
        total["luts"], total["ffs"] = total["luts"] + more[0], total["ffs"] + more[1]
    if chip.memories != "distributed":
        total["luts"] += UNPAIRED_FFS * total["ffs"]
    return {name: math.ceil(value) for name, value in total.items()}


def narrower(chip: ChipSpec, lanes: int | None = None, weight_bits: int | None = None) -> ChipSpec:
    """The chip with at most so many lanes (a power of two) per tile, or bits per weight."""
    tiles = []
    for tile in chip.tiles:
        if lanes is not None and tile.lanes > lanes:
            tile = replace(tile, lanes=lanes, update_lanes=min(tile.update_lanes, max(1, lanes // 4)))
        if weight_bits is not None and tile.weight_bits > weight_bits:
            saved = tile.weight_bits - weight_bits
            tile = replace(tile, weight_bits=weight_bits, accumulator_bits=max(1, tile.accumulator_bits - saved))
        tiles.append(tile)
    return replace(chip, tiles=tuple(tiles))


def _over(chip: ChipSpec, budget: Mapping[str, int], link: int | None) -> list[tuple[str, int, int]]:
    """(resource, needed, available) of what is certainly not enough."""
    needed = estimate(chip, budget.get("bram_bits", 18432), link=link)
    return [(name, needed[name], budget[name]) for name in NAMES if name in budget and needed.get(name, 0) > ERROR[name] * budget[name]]


def check_fits(chip: ChipSpec, budget: Mapping[str, int], board: str, *, link: int | None = None) -> None:
    """Refuse a chip that is too large for a device.

    Parameters
    ----------
    budget : ``luts``, ``ffs``, ``brams``, ``dsps`` that the device has, and ``bram_bits`` of one block; what is absent is no limit.
    board : its name.
    link : as of :func:`estimate`.

    Raises
    ------
    CapacityError : which resources are needed, which are available, and what would fit.
    """
    over = _over(chip, budget, link)
    if not over:
        return
    most_lanes, most_bits = max(t.lanes for t in chip.tiles), max(t.weight_bits for t in chip.tiles)
    fewer = [1 << k for k in reversed(range(most_lanes.bit_length())) if 1 << k < most_lanes]
    lanes = next((p for p in fewer if not _over(narrower(chip, p), budget, link)), None)
    bits = next((b for b in range(most_bits - 1, 1, -1) if not _over(narrower(chip, weight_bits=b), budget, link)), None)
    would = [f"{lanes} lane{'s' * (lanes > 1)} (--lanes)"] if lanes else []
    would += [f"weights of {bits} bits (quantize --weight-bits)"] if bits else []
    advice = " or ".join(would)
    numbers = ", ".join(f"{needed} {NAMES[name]} needed and {available} available" for name, needed, available in over)
    raise CapacityError(f"The chip does not fit {board}: {numbers} (estimated, for {len(chip.tiles)} tiles of up to {most_lanes} "
                        f"lanes and {most_bits} bit weights). " + (f"It would fit with {advice}." if advice else
                        "Neither fewer lanes nor narrower weights would do: take a larger board or a smaller network."))
