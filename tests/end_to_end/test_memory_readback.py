"""A readable chip: every word that it was made with, or that was written, comes back, and reading it changes nothing that it computes."""

from __future__ import annotations

import random

import pytest
from amaranth import *

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl import tile as tile_module
from spikeloom.hdl.config_port import memory_words, readable_words
from spikeloom.hdl.tile import MemoryKind

from . import matrix_networks
from .chip_bench import compare, play
from .host_items import READ, Item, config_image, timesteps


def read_all(chip) -> list[Item]:
    """Requests for every word of every memory but the states."""
    return [("config", {"tile": k, "memory": kind, "address": address, "data": 0, "last": 1, "read": 1})
            for k in range(len(chip.tiles)) for kind, (depth, width) in readable_words(chip, k).items() if kind != MemoryKind.STATE and width
            for address in range(depth)]


def words_of(chip, image) -> list[int]:
    """What they are answered with."""
    return [int(word) for k, (tile, held) in enumerate(zip(chip.tiles, image.tiles)) for kind, (_, width) in memory_words(chip, k).items()
            if kind != MemoryKind.STATE and width for word in held.words(tile)[kind]]


def made(seed: int, **options):
    """A network of five models with weights of all kinds, and a readable chip of two tiles."""
    chosen = random.Random(seed).sample(matrix_networks.ALL, 5)
    rows = matrix_networks.rows(("8 bit", "sparse", "0 w w", "4 bit", "1 bit"), chosen, seed)
    network = matrix_networks.network(f"readable{seed}", rows, ("unit", "sign", "graded")[seed % 3], seed)
    return network, plan(network, tiles=2, readable=True, **options)


@pytest.mark.parametrize("seed", range(3))
def test_every_word_comes_back_before_and_behind_a_clip_that_equals_the_models(seed):
    network, chip = made(seed)
    image, x = pack(chip, network), matrix_networks.clips(network, 1, 8, seed)[0]
    want = words_of(chip, image)
    assert {kind for k in range(len(chip.tiles)) for kind in readable_words(chip, k)} == set(range(6))
    (run,) = play(chip, image, [*read_all(chip), *timesteps(chip, x), READ, *read_all(chip)], max_cycles=60_000)
    assert run.words == want + want
    assert compare(chip, network, x, run, lengths=False, reads=[len(x)]) == []


def test_written_words_come_back():
    network, chip = made(1)
    image = pack(chip, network)
    (run,) = play(chip, image, [*config_image(chip, image), *read_all(chip)], max_cycles=60_000, stall=0.3)
    assert run.words == words_of(chip, image)


def test_a_chip_whose_memories_are_mixed_up_is_seen(monkeypatch):
    network, chip = made(0)
    image = pack(chip, network)

    def part(word, number):  # the parts of a word in the wrong order
        return Array([word[low:low + 32] for low in range(0, max(len(word), 1), 32)][::-1])[number]
    monkeypatch.setattr(tile_module, "_part", part)
    (run,) = play(chip, image, read_all(chip), max_cycles=60_000)
    assert run.words != words_of(chip, image)
