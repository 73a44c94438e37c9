"""Every neuron model with every reset, rounding and weight format: emitted Verilog on Icarus against golden and cycle model.

The rows of the matrix are spread over chips of a few populations each, of different models, so that a chip is built in seconds; several
populations share a tile, and their sizes (1, 5 and 33 neurons on 16 lanes) do not fill its rows.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim import golden
from spikeloom.sim.engines import run
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model

from .matrix_networks import ALL, FORMATS, VALUES, clips, network, rows

CHIP = 8  # populations of a chip
FORMS = tuple(FORMATS)
# Neighbours are of different models.
MIXED = sorted(range(len(ALL)), key=lambda k: (k % 15, k))
CHIPS = [(turn, first) for turn in range(len(FORMS)) for first in range(0, len(ALL), CHIP)]
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")


def rows_of(turn: int, first: int):
    """The populations of one chip: every one of ALL takes every weight format in some turn."""
    listed = [ALL[k] for k in MIXED[first:first + CHIP]]
    return rows([FORMS[(k + first + turn) % len(FORMS)] for k in range(len(listed))], listed, turn)


def prove(turn: int, first: int, *, n_steps: int, tiles: int = 2, fabric: str = "star"):
    """Build the chip, play a clip, compare; returns what the golden model says of it."""
    net = network(f"matrix{turn}_{first}", rows_of(turn, first), ("unit", "sign", "graded")[(turn + first // CHIP) % 3], seed=turn + first)
    chip = plan(net, lanes=16, tiles=min(tiles, sum(p.size for p in net.populations[1:])), fabric=fabric, writable=False)
    image = pack(chip, net)
    check_chip(chip, image, net)
    x = clips(net, 1, n_steps, seed=first + turn)
    with tempfile.TemporaryDirectory() as folder:
        emit(Path(folder), chip, net, image)
        report = run("icarus", Path(folder), chip, net, Clips.from_dense(x))
    assert report.equal, report.first_divergence
    assert report.states_compared == n_steps * sum(p.size for p in net.populations if p.model is not Model.INPUT)
    return golden.run(net, x)


def test_the_matrix_holds_every_model_reset_rounding_and_format():
    covered = {(row.model, row.reset, row.rounding, row.form) for turn, first in CHIPS for row in rows_of(turn, first)}
    assert covered == {(*what, form) for what in ALL for form in FORMS}
    assert len(ALL) == 5 * 15 + 2 * 3 and {model for model, *_ in ALL} == set(Model) - {Model.INPUT}
    everything = [row for turn, first in CHIPS for row in rows_of(turn, first)]
    for field in ("size", "delay", "decay"):
        assert len({(row.model, getattr(row, field)) for row in everything}) >= 3 * 7


@needs_icarus
@pytest.mark.parametrize("turn, first, tiles, fabric", [(0, 0, 2, "star"), (5, 40, 3, "mesh")])
def test_a_chip_of_mixed_models_equals_the_models(turn, first, tiles, fabric):
    assert len({row.model for row in rows_of(turn, first)} - set(VALUES)) >= 3
    result = prove(turn, first, n_steps=12, tiles=tiles, fabric=fabric)
    assert sum(int(counts.sum()) for counts in result.spike_counts.values()) > 20


@pytest.mark.slow
@needs_icarus
@pytest.mark.parametrize("turn", range(len(FORMS)))
def test_every_combination_equals_the_models(turn):
    saturated, spikes = 0, 0
    for first in range(0, len(ALL), CHIP):
        result = prove(turn, first, n_steps=30, tiles=1 + first // CHIP % 3)
        saturated += sum(result.saturations.values())
        spikes += sum(int(counts.sum()) for counts in result.spike_counts.values())
    assert saturated > 50 and spikes > 500
