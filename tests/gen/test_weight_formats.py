"""A tile's word is as narrow as its lists allow: codebooks where they make it narrower, weights as they are where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.pack import pack
from spikeloom.gen.partition import Slice
from spikeloom.gen.plan import plan
from spikeloom.gen.weight_formats import weight_formats
from spikeloom.spec.network import Kind, Model, Network, Population, Port, Projection

WIDE = tuple(range(-120, 121, 16))  # 16 entries of 8 bits
FORMATS: dict[str, dict] = {
    "1 bit": {"weight_bits": 1}, "0 w": {"codebook": (0, 100)}, "0 w w": {"codebook": (-90, 0, 77)}, "wide": {"codebook": WIDE},
    "small": {"codebook": (-1, 0, 1)}, **{f"{bits} bit": {"weight_bits": bits} for bits in range(2, 9)}}


def projection(target: str, form: str, **fields) -> Projection:
    """From x, with the largest weights of its format."""
    fields = {**FORMATS[form], **fields}
    book = fields.get("codebook") or ((-1, 1) if fields["weight_bits"] == 1 else None)
    bits = fields.get("weight_bits", 8)
    values = np.array(book or (-(1 << bits - 1), (1 << bits - 1) - 1, 0))
    return Projection(source="x", target=target, weights=np.resize(values, (5, 3)), **fields)


def network_of(*groups: list[Projection], **fields) -> Network:
    """Populations of 5 neurons, with these projections from an input of 3; those with a gate have a SPIKGRU."""
    populations = [Population(name="x", size=3, model=Model.INPUT)]
    for number, group in enumerate(groups):
        model: dict = {"model": Model.IF}
        if any(p.port is Port.GATE for p in group):
            model = {"model": Model.SPIKGRU, "gate_table": [0, 255]}
        populations.append(Population(name=f"h{number}", size=5, output=True, **model, **fields))
    return Network(name="n", populations=tuple(populations), projections=tuple(p for group in groups for p in group))


def formats(*groups: list[tuple]) -> tuple[int, tuple]:
    """Bits of a word and codebooks of the lists of populations on one tile, each with projections (format, further fields)."""
    network = network_of(*([projection(f"h{k}", form, **(fields[0] if fields else {})) for form, *fields in group] for k, group in enumerate(groups)))
    found = weight_formats(network, [Slice(population=f"h{k}", first=0, size=5) for k in range(len(groups))])
    return found.bits, found.codebooks


ONE, TWO, THREE = (-1, 1), (0, 100), (-90, 0, 77)


@pytest.mark.parametrize("groups, bits, codebooks", [
    # One list.
    ([[("1 bit",)]], 1, (ONE,)), ([[("0 w",)]], 1, (TWO,)), ([[("0 w w",)]], 2, (THREE,)), ([[("wide",)]], 4, (WIDE,)),
    *(([[(f"{bits} bit",)]], bits, ()) for bits in range(2, 9)),
    ([[("small",)]], 2, ()),  # -1, 0, 1 are two bits as they are
    # Lists side by side: the widest decides; one that fits it as it is needs no codebook.
    ([[("8 bit",)], [("1 bit",)]], 8, ()), ([[("8 bit",)], [("wide",)]], 8, ()), ([[("5 bit",)], [("wide",)]], 5, ((), WIDE)),
    ([[("wide",)], [("2 bit",)]], 4, (WIDE, ())), ([[("1 bit",)], [("0 w w",)]], 2, ((), THREE)), ([[("1 bit",)], [("0 w",)]], 1, (ONE, TWO)),
    ([[("0 w",)], [("0 w w",)], [("4 bit",)], [("wide",)], [("3 bit",)]], 4, (TWO, THREE, (), WIDE, ())),
    # Projections into one list have one codebook, of all their values.
    ([[("1 bit",), ("0 w",)]], 2, ((-1, 0, 1, 100),)), ([[("0 w",), ("0 w w",)]], 2, ((-90, 0, 77, 100),)),
    ([[("3 bit",), ("0 w",)]], 4, ((*range(-4, 4), 100),)), ([[("4 bit",), ("1 bit",)]], 4, ()),
    ([[("4 bit",), ("0 w",)]], 8, ()),  # 17 values
    ([[("wide",), ("0 w",)]], 8, ()), ([[("5 bit",), ("1 bit",)]], 5, ()),
    # Shifts beyond what is done behind the accumulator.
    ([[("1 bit",), ("1 bit", {"shift": 3})]], 2, ((-8, -1, 1, 8),)), ([[("1 bit", {"shift": 3})]], 1, (ONE,)),
    ([[("2 bit",), ("2 bit", {"shift": 12})]], 3, ((-8192, -4096, -2, -1, 0, 1, 4096),)), ([[("8 bit",), ("8 bit", {"shift": 12})]], 20, ()),
    # Second ports are lists of their own, with their own common shift.
    ([[("4 bit",), ("1 bit", {"port": Port.GATE})]], 4, ()), ([[("1 bit",), ("wide", {"port": Port.GATE, "shift": 2})]], 4, ((), WIDE)),
    ([[("wide",), ("1 bit", {"port": Port.GATE})], [("0 w",)]], 4, (WIDE, (), TWO)),
    # Sparse lists have weights of their own elsewhere.
    ([[("8 bit", {"kind": Kind.SPARSE})]], 1, ()), ([[("8 bit", {"kind": Kind.SPARSE}), ("0 w",)]], 1, (TWO, ())),
    ([[("wide", {"kind": Kind.SPARSE}), ("1 bit", {"port": Port.GATE})], [("0 w w",)]], 2, ((), (), (), THREE)),
])
def test_the_word_is_as_narrow_as_it_can_be(groups: list, bits: int, codebooks: tuple) -> None:
    assert formats(*groups) == (bits, codebooks)


@pytest.mark.parametrize("form", FORMATS)
def test_a_lane_without_a_neuron_holds_index_or_weight_zero(form: str) -> None:
    network = network_of([projection("h0", form)])
    chip = plan(network, lanes=4)
    image = pack(chip, network)
    tile, memories = chip.tiles[0], image.tiles[0]
    assert tile.rows(0) == 2 and not memories.weights[3:, 1:].any()
    book = tile.codebook(0)
    worth = np.array(book)[memories.weights] if book else memories.weights
    assert np.array_equal(worth.reshape(2, 3, 4).transpose(0, 2, 1).reshape(8, 3)[:5], network.projections[0].weights)
    check_chip(chip, image, network)


def shared(network: Network, **changes) -> tuple[int, ...]:
    return plan(network, tiles=1, **changes).tiles[0].shared


def test_lists_of_the_same_matrices_share_their_words() -> None:
    one = projection("h0", "4 bit", matrix="m")
    other, third = replace(one, target="h1", delay=3), projection("h2", "4 bit")
    network = network_of([one], [other], [third])
    tile = plan(network, tiles=1, lanes=4).tiles[0]
    order = [g.population for g in tile.groups]
    places = [order.index(name) for name in ("h0", "h1")]
    assert tile.shared[max(places)] == min(places) and len(set(tile.shared)) == 2
    assert tile.weight_depth == 2 * 2 * 3
    assert tile.weight_base(places[0]) == tile.weight_base(places[1]) != tile.weight_base(order.index("h2"))
    chip = plan(network, tiles=1, lanes=4)
    check_chip(chip, pack(chip, network), network)


def test_a_gate_shares_the_words_of_its_neuron() -> None:
    one = projection("h0", "wide", matrix="m")
    network = network_of([one, replace(one, port=Port.GATE)])
    tile = plan(network, lanes=4).tiles[0]
    assert tile.shared == (0, 0) and tile.codebooks == (WIDE, WIDE) and tile.weight_depth == 2 * 3


def test_what_differs_or_has_no_name_is_not_shared() -> None:
    one = projection("h0", "4 bit", matrix="m")
    assert shared(network_of([one], [replace(one, target="h1")])) == (0, 0)
    assert shared(network_of([replace(one, matrix="")], [replace(one, target="h1", matrix="")])) == ()
    assert shared(network_of([one], [replace(one, target="h1", matrix="n")])) == ()
    assert shared(network_of([one, projection("h0", "3 bit")], [replace(one, target="h1")])) == ()
    # Beside another shift the words are others, though the matrix is the same.
    assert shared(network_of([replace(one, shift=2), projection("h0", "3 bit", matrix="o")], [replace(one, shift=2, target="h1")])) == ()
    # Slices of other neurons have other words.
    cut = plan(network_of([one], [replace(one, target="h1")]), tiles=4, lanes=4)
    assert all(tile.shared == () for tile in cut.tiles)
