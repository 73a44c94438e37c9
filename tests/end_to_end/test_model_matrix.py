"""Bit and cycle equality, golden model against Verilog, for each model x reset x rounding x weight format, including mixed models in one chip,
unaligned sizes (1 neuron, 33 neurons on 16 lanes), saturation reached, delays up to 63, several tiles."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import chip_verilog, emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim import golden
from spikeloom.sim.compare import ComparisonReport
from spikeloom.sim.engines import library
from spikeloom.sim.engines import run as cosimulate
from spikeloom.spec.arithmetic import Rounding
from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.clips import Clips
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Model, Network, Reset
from spikeloom.spec.tile import SIDE

from .matrix_networks import DECAYS, DELAYS, FORMATS, INPUTS, MODELS, SIZES, VALUES, clips, network, rows

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
needs_compiler = pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="needs a C++ compiler (g++)")

MIXED = ((Model.IF, Reset.SUBTRACT, Rounding.FLOOR), (Model.LIF, Reset.ZERO, Rounding.NEAREST),
         (Model.ALIF, Reset.SUBTRACT_BEFORE_DECAY, Rounding.NEAREST), (Model.CUBALIF, Reset.SUBTRACT, Rounding.FLOOR),
         (Model.CUBALI, Reset.NONE, Rounding.NEAREST),
         (Model.SPIKGRU, Reset.SUBTRACT, Rounding.TOWARD_ZERO), (Model.LI, Reset.NONE, Rounding.TOWARD_ZERO),
         (Model.LIF, Reset.ZERO_AFTER, Rounding.TOWARD_ZERO))
FORMS = ("0 w w", "sparse", "16 entries", "4 bit", "0 w", "1 bit", "2 bit", "8 bit")
WIDEST_DELAYS = (63, 62, 63, 33, 63, 40, 63, 63)


def mixed() -> Network:
    """All models and all weight formats."""
    return network("mixed", rows(FORMS, MIXED, turn=1), "graded", seed=3)


def late() -> Network:
    """The same models with long delays."""
    listed = [replace(row, delay=delay) for row, delay in zip(rows(FORMS[3:] + FORMS[:3], MIXED, turn=2), WIDEST_DELAYS)]
    return network("late", listed, "sign", seed=4)


def of_format(form: str) -> Network:
    """Every model with every reset and rounding, and this weight format."""
    number = list(FORMATS).index(form)
    return network("matrix", rows([form], turn=number), list(INPUTS)[number % len(INPUTS)], seed=number)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """These chips are large and their clips short: the compiler's optimisation would take longer than it saves."""
    monkeypatch.setattr(library, "_FLAGS", tuple("-O0" if flag == "-O2" else flag for flag in library._FLAGS))


def project(net: Network, folder: Path, **options) -> ChipSpec:
    chip = plan(net, **{"lanes": 16, "update_lanes": 1, **options})
    image = pack(chip, net)
    check_chip(chip, image, net)
    emit(folder, chip, net, image)
    return chip


def prove(engine: str, net: Network, chip: ChipSpec, folder: Path, x: np.ndarray) -> None:
    """Everything is equal; membranes saturated at both ends; every population that can fire did."""
    result = golden.run(net, x, record=True)
    ends = [{name for name, v in result.potentials.items() if (v == getattr(net.population(name), end)).any()} for end in ("v_min", "v_max")]
    assert all(ends) and all(result.saturations[name] for name in ends[0] | ends[1])
    silent = [name for name, spikes in result.spikes.items() if not spikes.any()]
    assert not silent, f"{silent} never fired"
    report = cosimulate(engine, folder, chip, net, Clips.from_dense(x), threads=1)
    assert report.equal, f"{report.first_divergence}\n{report}"
    assert report.states_compared == x.shape[0] * x.shape[1] * sum(p.size for p in net.populations if p.model is not Model.INPUT)
    assert report.spikes_compared == sum(int((result.spikes[p.name] != 0).sum()) for p in net.outputs if p.spikes) > 0
    assert report.cycles_measured == report.cycles_predicted > 0


def covered(net: Network, listed: tuple | list) -> set:
    """(model, reset, rounding, format) of a network's populations, of which its rows say no other thing."""
    found = set()
    for row, p in zip(listed, net.populations[1:], strict=True):
        assert (row.model, row.reset, row.rounding, row.size) == (p.model, p.reset, p.rounding, p.size)
        found.add((p.model, p.reset, p.rounding, row.form))
    return found


def test_the_matrix_has_every_model_with_every_reset_rounding_and_weight_format() -> None:
    resets = {model: {Reset.NONE} if model in VALUES else set(Reset) for model in MODELS}
    wanted = {(model, reset, rounding, form) for model, own in resets.items() for reset, rounding, form in product(own, Rounding, FORMATS)}
    found, words = set(), {}
    for number, form in enumerate(FORMATS):
        listed, net = rows([form], turn=number), of_format(form)
        found |= covered(net, listed)
        tiles = plan(net, lanes=16, update_lanes=1, tiles=6).tiles
        assert all(len(tile.groups) > 5 and tile.lanes == 16 for tile in tiles)
        words[form] = {(tile.weight_bits, bool(tile.codebooks), tile.has_sparse, tile.has_sides) for tile in tiles}
        for model in resets:  # what takes turns beside them comes with every model
            mine = [row for row in listed if row.model is model]
            assert {row.size for row in mine} == set(SIZES) and {row.delay for row in mine} == set(DELAYS)
            assert {row.decay for row in mine} == set(DECAYS) or model in VALUES
    assert found == wanted and len(found) == (5 * 5 + 2) * 3 * 8
    assert {form: {bits for bits, *_ in found} for form, found in words.items()} == {
        "1 bit": {1}, "0 w": {1}, "0 w w": {2}, "16 entries": {4}, "2 bit": {2}, "4 bit": {4}, "8 bit": {8}, "sparse": {5}}
    assert all(sides for found in words.values() for *_, sides in found)
    assert {form for form, found in words.items() if all(book for _, book, *_ in found)} == {"1 bit", "0 w", "0 w w", "16 entries"}
    assert {form for form, found in words.items() if all(sparse for _, _, sparse, _ in found)} == {"sparse"}


@needs_compiler
def test_a_mesh_of_all_models_and_weight_formats_equals_its_models(quick, tmp_path) -> None:
    net = mixed()
    assert {p.model for p in net.populations} == {Model.INPUT, *MODELS} and {row.form for row in rows(FORMS, MIXED)} == set(FORMATS)
    chip = project(net, tmp_path, tiles=4, fabric="mesh")
    assert any(len(tile.groups) > 4 for tile in chip.tiles) and {tile.weight_bits for tile in chip.tiles} == {1, 4, 8}
    assert any(tile.has_sides and tile.codebooks and tile.count_bits for tile in chip.tiles) and any(tile.has_sparse for tile in chip.tiles)
    prove("compiled", net, chip, tmp_path, clips(net, 2, 32, seed=3))


@needs_icarus
def test_a_mesh_of_all_models_and_weight_formats_equals_its_models_on_icarus(tmp_path) -> None:
    net = mixed()
    chip = project(net, tmp_path, tiles=4, fabric="mesh")
    report = cosimulate("icarus", tmp_path, chip, net, Clips.from_dense(clips(net, 1, 12, seed=3)))
    assert report.equal, report.first_divergence
    assert report.spikes_compared > 20


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("form", FORMATS)
def test_every_model_with_every_reset_and_rounding_equals_its_model(form: str, quick, tmp_path) -> None:
    net = of_format(form)
    chip = project(net, tmp_path, tiles=6, fabric=("star", "mesh")[list(FORMATS).index(form) % 2])
    prove("compiled", net, chip, tmp_path, clips(net, 1, 56, seed=list(FORMATS).index(form)))


@pytest.mark.slow
@needs_compiler
@pytest.mark.parametrize("tiles, update_lanes", [(1, 2), (2, 4), (8, 16)])
def test_all_models_equal_their_models_on_any_number_of_tiles_and_update_lanes(tiles: int, update_lanes: int, quick, tmp_path) -> None:
    net = mixed()
    chip = project(net, tmp_path, tiles=tiles, update_lanes=update_lanes, counters=True, writable=tiles != 2)
    prove("compiled", net, chip, tmp_path, clips(net, 2, 48, seed=5))


@pytest.mark.slow
@needs_compiler
def test_delays_of_up_to_63_timesteps_equal_their_models(quick, tmp_path) -> None:
    net = late()
    chip = project(net, tmp_path, tiles=8)
    assert max(p.delay for p in net.projections) == 63 and max(tile.slots for tile in chip.tiles) == 128
    prove("compiled", net, chip, tmp_path, clips(net, 1, 112, seed=4))


# Mutants of the mixed chip: what changes its plan, its image or its text, by what it breaks.


def _in_group(chip: ChipSpec, population: str, change: Callable) -> ChipSpec:
    """The plan with another group of a population."""
    tiles = [replace(t, groups=tuple(change(g) if g.population == population else g for g in t.groups)) for t in chip.tiles]
    return replace(chip, tiles=tuple(tiles))


def _update(chip: ChipSpec, population: str, **changes) -> ChipSpec:
    return _in_group(chip, population, lambda g: replace(g, update=replace(g.update, **changes)))


def _gate_entry(chip: ChipSpec, image: MemoryImage) -> tuple[ChipSpec, MemoryImage]:
    table = next(g.update.gate_table for t in chip.tiles for g in t.groups if g.population == "spikgru5")
    middle = len(table) // 2
    return _update(chip, "spikgru5", gate_table=(*table[:middle], table[middle] ^ 8, *table[middle + 1:])), image


def _codebook_entry(chip: ChipSpec, image: MemoryImage) -> tuple[ChipSpec, MemoryImage]:
    """One entry one higher in the codebook of 16."""
    tiles = list(chip.tiles)
    where, number = next((t, k) for t, tile in enumerate(tiles) for k, book in enumerate(tile.codebooks) if len(book) == 16)
    books = list(tiles[where].codebooks)
    books[number] = (*books[number][:9], books[number][9] + 1, *books[number][10:])
    tiles[where] = replace(tiles[where], codebooks=tuple(books))
    return replace(chip, tiles=tuple(tiles)), image


def _in_image(image: MemoryImage, tile: int, **arrays: np.ndarray) -> MemoryImage:
    tiles = list(image.tiles)
    tiles[tile] = replace(tiles[tile], **arrays)
    return replace(image, tiles=tuple(tiles))


def _sparse_row(chip: ChipSpec, image: MemoryImage) -> tuple[ChipSpec, MemoryImage]:
    """One synapse leads one row further."""
    where = next(t for t, tile in enumerate(chip.tiles) if any(g.population == "lif1" for g in tile.groups))
    sparse = image.tiles[where].sparse.copy()
    word, lane = np.argwhere((sparse[:, :, 1] > 3) & (sparse[:, :, 0] == 0))[0]
    sparse[word, lane, 0] = 1
    return chip, _in_image(image, where, sparse=sparse)


def _side_weight(chip: ChipSpec, image: MemoryImage) -> tuple[ChipSpec, MemoryImage]:
    """One weight (or index) of the gate's list is another."""
    where, group = next((t, k) for t, tile in enumerate(chip.tiles) for k, g in enumerate(tile.groups) if g.population == "spikgru5")
    tile, weights = chip.tiles[where], image.tiles[where].weights.copy()
    weights[tile.weight_base(tile.list_of(group, SIDE)), 0] ^= 1 << tile.weight_bits - 1
    return chip, _in_image(image, where, weights=weights)


def _refractory(chip: ChipSpec, image: MemoryImage) -> tuple[ChipSpec, MemoryImage]:
    return _update(chip, "if0", refractory=3), image


def _quotient(text: str) -> str:
    """v >= theta * digit became v > theta * digit, where spikes are counted."""
    changed, count = re.subn(r"(\$signed\(lane_0_(?:v|rest_\w+)\)) >= ", r"\1 > ", text)
    assert count, "there is no such comparison in the Verilog"
    return changed


@pytest.mark.slow
@needs_icarus
@pytest.mark.parametrize("mutate", [_gate_entry, _codebook_entry, _sparse_row, _side_weight, _refractory, _quotient])
def test_a_mutated_chip_is_found(mutate: Callable, tmp_path) -> None:
    net = mixed()
    chip = project(net, tmp_path, tiles=4, fabric="mesh")
    right = (tmp_path / "chip.v").read_text()
    if mutate is _quotient:
        wrong = mutate(right)
    else:
        wrong = chip_verilog(*mutate(chip, pack(chip, net)))
    lines = [(a, b) for a, b in zip(right.splitlines(), wrong.splitlines()) if a != b]
    assert len(right.splitlines()) == len(wrong.splitlines()) and 1 <= len(lines) <= 20, f"{len(lines)} lines differ: {lines[:3]}"
    (tmp_path / "chip.v").write_text(wrong)
    report: ComparisonReport = cosimulate("icarus", tmp_path, chip, net, Clips.from_dense(clips(net, 1, 40, seed=3)))
    assert not report.equal and report.states_wrong and report.first_divergence
