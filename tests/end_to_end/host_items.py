"""What a host does with a chip, as items of a list: commands, events, pauses, writes and reads of memories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from spikeloom.hdl.config_port import memory_words
from spikeloom.hdl.sequencer import Command
from spikeloom.hdl.tile import MemoryKind
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.image import MemoryImage

__all__ = ["FLUSH", "READ", "RESET", "Item", "config_image", "config_state", "config_words", "events", "idle", "read_states", "step", "timesteps"]

Item = tuple[str, Any]

FLUSH: Item = ("control", (Command.FLUSH, 0))
READ: Item = ("control", (Command.READ, 0))
RESET: Item = ("control", (Command.RESET, 0))


def step(count: int = 1) -> Item:
    """STEP."""
    return "control", (Command.STEP, count)


def idle(cycles: int) -> Item:
    """Offer nothing for so many cycles."""
    return "idle", cycles


def events(chip: ChipSpec, row: np.ndarray) -> list[Item]:
    """Events of one timestep ``[C]``, C the inputs one after the other, in ascending order."""
    items: list[Item] = []
    base = 0
    for number, spec in enumerate(chip.inputs):
        part = row[base : base + spec.size]
        items += [("event", (number, int(c), int(part[c]))) for c in np.flatnonzero(part)]
        base += spec.size
    return items


def timesteps(chip: ChipSpec, x: np.ndarray) -> list[Item]:
    """Events and a STEP for each timestep of a clip ``[T, C]``."""
    return [item for row in x for item in (*events(chip, row), step())]


def config_words(chip: ChipSpec, number: int, kind: int, words: Sequence[int]) -> list[Item]:
    """Writes of all words of a memory of a tile."""
    parts = range(-(-memory_words(chip, number)[kind][1] // 32))
    return [("config", {"tile": number, "memory": kind, "address": address, "data": word >> 32 * k & 0xFFFFFFFF, "last": k == parts[-1]})
            for address, word in enumerate(words) for k in parts]


def config_image(chip: ChipSpec, image: MemoryImage) -> list[Item]:
    """Writes of all words of an image."""
    items: list[Item] = []
    for number, (tile, memories) in enumerate(zip(chip.tiles, image.tiles, strict=True)):
        words = memories.words(tile)
        for kind, (_, width) in memory_words(chip, number).items():
            if width and kind != MemoryKind.STATE:
                items += config_words(chip, number, kind, image.settings if kind == MemoryKind.SETTINGS else words[kind])
    return items


def config_state(chip: ChipSpec, words: Sequence[Sequence[int]]) -> list[Item]:
    """Writes of all states, one list of words per tile."""
    return [item for number, held in enumerate(words) for item in config_words(chip, number, MemoryKind.STATE, held)]


def read_states(chip: ChipSpec) -> list[Item]:
    """Requests for all states, tile by tile."""
    return [("config", {"tile": number, "memory": MemoryKind.STATE, "address": address, "data": 0, "last": 1, "read": 1})
            for number, tile in enumerate(chip.tiles) for address in range(tile.n_updates)]
