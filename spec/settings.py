"""The settings of an overlay: registers that say what network it holds, their fields, and the words of 32 bits by which they are written.

The fields lie in the order of :func:`settings_fields`, lowest first, and are cut into words without regard to their bounds. They are the whole
difference between a chip that was made for a network and an overlay that the same network was loaded into; docs/overlay.md says what each is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .arithmetic import bits_signed, bits_unsigned
from .chip import ChipSpec

__all__ = ["OPERATIONS", "WORD", "pack_settings", "settings_bits", "settings_fields", "settings_words", "unpack_settings"]

WORD = 32

# What a readout does to its accumulator, by its number in the settings and in the output port.
OPERATIONS = ("none", "count", "last", "sum", "max", "first")


def _width(highest: int) -> int:
    return bits_unsigned(highest)


def settings_fields(chip: ChipSpec) -> dict[str, Any]:
    """Fields as nested dicts, lists of them, and (bits, signed). Only of an overlay.

    ``period`` is less 1; ``drain`` has a bit for each level but the last of the network. Of a tile: ``rows`` is less 1, ``full`` updates of U
    neurons and ``rest`` more neurons, ``limit`` the largest v, ``level`` less 1, ``routes`` a bit for the host and one per tile. Of an input:
    ``last`` neuron, ``base`` where its neurons begin among all inputs. Of an output: ``level`` less 1, ``base`` and ``end`` of its readouts,
    ``limit`` the largest v. Of a key: its output, its first neuron, and where its readouts begin. ``answer``: the smallest is best; there
    is only one.
    """
    capacity = chip.capacity
    assert capacity is not None, "only an overlay has settings"
    n_tiles, levels = len(chip.tiles), capacity.levels
    routes, key, level = (n_tiles + 1, False), (chip.flit.key_bits, False), (_width(levels - 1), False)
    widest = max(t.v_bits for t in capacity.tiles)
    neurons, place = sum(i.size for i in capacity.inputs), (_width(capacity.readouts), False)
    low, high = min(i.payload_min for i in capacity.inputs), max(i.payload_max for i in capacity.inputs)
    payload = (bits_signed(min(low, 0), high), True)
    tiles = []
    for tile in capacity.tiles:
        tiles.append({
            "used": (1, False), "listens": (1, False), "values": (int(tile.values), False), "level": level, "key": key, "routes": routes,
            "rows": (_width(tile.rows - 1), False), "axons": (_width(tile.axons), False),
            "full": (_width(tile.rows * (tile.lanes // tile.update_lanes)), False), "rest": (_width(tile.update_lanes - 1), False),
            "shift": (_width(tile.shift), False), "limit": (tile.v_bits - 1, False)})
    inputs = [{"exists": (1, False), "used": (1, False), "last": (_width(i.size - 1), False), "base": (_width(neurons - 1), False), "key": key,
               "low": payload, "high": payload, "routes": routes} for i in capacity.inputs]
    outputs = [{"spikes": (1, False), "operation": (_width(len(OPERATIONS) - 1), False), "level": level, "base": place, "end": place,
                "limit": (widest - 1, False)} for _ in range(capacity.outputs)]
    keys = [{"output": (_width(capacity.outputs - 1), False), "first": (_width(capacity.output_size - 1), False), "place": place} for _ in chip.keys]
    return {"period": (_width(capacity.period - 1), False), "drain": (levels - 1, False), "readouts": place,
            "answer": {"smallest": (1, False), "single": (1, False)}, "tiles": tiles, "inputs": inputs, "outputs": outputs, "keys": keys}


def _flat(fields: Any) -> list[tuple[int, bool]]:
    if isinstance(fields, tuple):
        return [fields]
    parts = fields.values() if isinstance(fields, Mapping) else fields
    return [leaf for part in parts for leaf in _flat(part)]


def settings_bits(chip: ChipSpec) -> int:
    """Bits of all fields."""
    return sum(bits for bits, _ in _flat(settings_fields(chip)))


def settings_words(chip: ChipSpec) -> int:
    """Words of the settings memory; 0 where the chip is no overlay."""
    return 0 if chip.capacity is None else -(-settings_bits(chip) // WORD)


def pack_settings(chip: ChipSpec, values: Mapping[str, Any]) -> tuple[int, ...]:
    """Words of values in the form of :func:`settings_fields`; ValueError where one does not fit its field, or one is missing."""
    word, offset = 0, 0

    def put(fields: Any, value: Any, where: str) -> None:
        nonlocal word, offset
        if isinstance(fields, tuple):
            bits, signed = fields
            low, high = (-(1 << bits >> 1), (1 << bits >> 1) - 1) if signed else (0, (1 << bits) - 1)
            if not low <= int(value) <= high:
                raise ValueError(f"Setting {where} must be {low} to {high}, not {value}")
            word |= (int(value) & ((1 << bits) - 1)) << offset
            offset += bits
            return
        names = fields.keys() if isinstance(fields, Mapping) else range(len(fields))
        if (set(value) if isinstance(value, Mapping) else set(range(len(value)))) != set(names):
            raise ValueError(f"Settings {where or 'of the chip'} must be {', '.join(map(str, names))}")
        for name in names:
            put(fields[name], value[name], f"{where}.{name}" if where else str(name))

    put(settings_fields(chip), values, "")
    return tuple(word >> (WORD * k) & ((1 << WORD) - 1) for k in range(settings_words(chip)))


def unpack_settings(chip: ChipSpec, words: Sequence[int]) -> dict[str, Any]:
    """The values of words: what :func:`pack_settings` was given."""
    whole, offset = sum(word << (WORD * k) for k, word in enumerate(words)), 0

    def take(fields: Any) -> Any:
        nonlocal offset
        if isinstance(fields, tuple):
            bits, signed = fields
            value = whole >> offset & ((1 << bits) - 1)
            offset += bits
            return value - (1 << bits) if signed and bits and value >> (bits - 1) else value
        return {name: take(part) for name, part in fields.items()} if isinstance(fields, Mapping) else [take(part) for part in fields]

    return take(settings_fields(chip))
