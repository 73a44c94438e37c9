"""The state of a chip: words of its state memories from what the golden model remembers, and back.

What a chip keeps of a neuron is not v but what is ready for the next sum, in the fields of :attr:`~spikeloom.spec.tile.TileSpec.state_fields`
(docs/architecture.md, section 3, has the table). So there are two steps, each with its inverse where it has one:

    State  --stored_state-->  fields per population, the same on every chip  --pack_state-->  words
                                                                             <-unpack_state--

The first has none: u = decay(v) + b - theta * n forgets. A chip that exports its states keeps v and i beside u for that, and
``unpack_state(chip, words)["hidden"]["v"]`` are the potentials of the last timestep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..sim.golden import State
from ..spec.chip import ChipSpec, ParameterSpec
from ..spec.errors import CapacityError, NetworkError
from ..spec.network import Model, Network, Population, Reset
from .updates import update_of

__all__ = ["Stored", "pack_state", "state_words", "stored_state", "unpack_state"]

Stored = dict[str, dict[str, np.ndarray]]  # population -> field -> [size], int64

ZEROING = (Reset.ZERO, Reset.ZERO_AFTER)
REMEDY = "it was planned for another network"


def stored_state(network: Network, state: State, clip: int = 0) -> Stored:
    """What any chip of the network stores after the last timestep of a clip of ``state``.

    Raises NetworkError where the state is another network's, or has no such clip.
    """
    if state.digest != network.digest or not 0 <= clip < state.n_clips:
        raise NetworkError(f"Network {network.name!r}: the state to store is that of {state.n_clips} clips of network {state.digest[:12]}, "
                           f"and clip {clip} of {network.digest[:12]} was asked for")
    return {p.name: _stored(network, p, {what: part[p.name][clip].astype(np.int64) for what, part in state.parts.items() if p.name in part})
            for p in network.populations if p.model is not Model.INPUT}


def _stored(network: Network, p: Population, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields of one population: the first half of its next timestep ("One timestep" of docs/numerics.md), all that needs no event."""
    update, none = update_of(network, p), np.zeros(p.size, dtype=np.int64)
    v, n, i, q = state["potentials"], state.get("spikes", none), state.get("currents", none), state.get("quiet", none)
    taken, quiet = p.theta * n, np.where(n > 0, p.refractory, np.maximum(q - 1, 0))
    left = v
    if p.spikes and p.reset is not Reset.NONE:
        left = np.where(n > 0, 0, v) if p.reset in ZEROING else v - taken
    x = left if p.reset in (Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO) else v
    if p.has_gate:
        u = x
    else:
        u = p.decay.apply(x, p.rounding, p.beta) + (0 if update.biases_current else p.bias) - (taken if p.reset is Reset.SUBTRACT else 0)
        u = np.where(quiet > 0, left, u) if update.holds else u
    fields = {"u": u, "v": v}
    if p.has_current:
        fields |= {"current": p.current_decay.apply(i, p.rounding, p.alpha) + (0 if p.held else p.bias), "i": i}
    if p.adapts:
        fields["a"] = np.clip(p.adaptation_decay.apply(state["rises"], p.rounding) + p.jump * n, 0, (1 << p.a_bits) - 1)
    if update.quiet_bits:
        fields["quiet"] = quiet
    if update.keeps_taken:
        fields["taken"] = taken
    if p.changes:
        fields["sent"] = n
    if update.marks_spent:
        fields["spent"] = (n > 0).astype(np.int64)
    return fields


def pack_state(chip: ChipSpec, stored: Mapping[str, Mapping[str, np.ndarray]]) -> list[list[int]]:
    """Per tile the words of its state memory, in the order of their addresses; lanes without a neuron hold 0.

    Raises CapacityError where the fields do not fit the chip's, as those of another network may not.
    """
    words = []
    for number, tile in enumerate(chip.tiles):
        fields, lanes = tile.state_fields, tile.update_lanes
        table = np.zeros((len(fields), tile.n_updates * lanes), dtype=np.int64)
        for index, group in enumerate(tile.groups):
            where, own = f"Tile {number}, population {group.population!r}", stored.get(group.population, {})
            lost = {name for name, values in own.items() if np.any(values)} - {f.name for f in fields} - {"v", "i"}
            if "u" not in own or lost:
                raise CapacityError(f"{where}: the state has the fields {sorted(own)}, and the chip holds {[f.name for f in fields]}; {REMEDY}")
            for row, f in zip(table, fields):
                begin, values = tile.update_base(index) * lanes, own.get(f.name)
                if values is not None:
                    row[begin + tile.places(index)] = _checked(f, values[group.first:group.first + group.size], group.size, where)
        words.append([_word(fields, table[:, k:k + lanes]) for k in range(0, tile.n_updates * lanes, lanes)])
    return words


def _checked(f: ParameterSpec, values: np.ndarray, size: int, where: str) -> np.ndarray:
    """``values`` as the bits of a field."""
    low, high = (-(1 << (f.bits - 1)), (1 << (f.bits - 1)) - 1) if f.signed else (0, (1 << f.bits) - 1)
    if len(values) != size:
        raise CapacityError(f"{where}: the state has {len(values)} neurons here, and the chip {size}; {REMEDY}")
    if values.min() < low or values.max() > high:
        raise CapacityError(f"{where}: the field {f.name!r} of the state is {values.min()}..{values.max()}, and the chip holds {low}..{high}; "
                            f"{REMEDY}")
    return values & ((1 << f.bits) - 1)


def _word(fields: Sequence[ParameterSpec], columns: np.ndarray) -> int:
    """One word of ``[fields, lanes]``: the fields of a lane beside each other, lane 0 lowest."""
    word, offset = 0, 0
    for lane in columns.T:
        for f, value in zip(fields, lane):
            word |= int(value) << offset
            offset += f.bits
    return word


def unpack_state(chip: ChipSpec, words: Sequence[Sequence[int]]) -> Stored:
    """The fields of all populations; ``words`` as :func:`pack_state` gives them, or as they were read from the chip."""
    found: Stored = {}
    for tile, held in zip(chip.tiles, words, strict=True):
        fields, width = tile.state_fields, tile.state_bits
        for index, group in enumerate(tile.groups):
            size = sum(g.size for t in chip.tiles for g in t.groups if g.population == group.population)
            own = found.setdefault(group.population, {})
            for f in fields:  # another tile may hold more of the population's neurons, and of their fields
                own.setdefault(f.name, np.zeros(size, dtype=np.int64))
            for neuron, place in enumerate(tile.places(index).tolist()):
                update, lane = divmod(place, tile.update_lanes)
                word = held[tile.update_base(index) + update] >> lane * width
                for f in fields:
                    value = word & ((1 << f.bits) - 1)
                    word >>= f.bits
                    own[f.name][group.first + neuron] = value - (1 << f.bits if f.signed and value >> (f.bits - 1) else 0)
    return found


def state_words(chip: ChipSpec, network: Network, state: State, clip: int = 0) -> list[list[int]]:
    """Per tile the words that make a chip with the network's parameters go on where a clip of the golden model's ``state`` ended.

    Events under way (``state.history``), readouts and the count of timesteps are not in them. Raises NetworkError and CapacityError where state,
    network and chip do not belong together.
    """
    return pack_state(chip, stored_state(network, state, clip))
