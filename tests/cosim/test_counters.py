"""Counters in co-simulation: they equal the golden model's on each engine and without SpikeLoom, and one that counts wrong is found."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl.tile import Tile
from spikeloom.sim.compare import Comparison
from spikeloom.sim.engines import run as cosimulate
from spikeloom.sim.engines.compiled import CompiledChip
from spikeloom.sim.layout import COUNTERS, Layout
from spikeloom.sim.scenario import build_scenario
from spikeloom.sim.testbench import write_testbench
from spikeloom.spec.clips import Clips

from ..hdl.mutant import mutant
from .test_generated_project import needs_compiler, needs_icarus, recurrent_network, run_alone

NET = recurrent_network()
CHIP = plan(NET, lanes=4, tiles=4, counters=True)
POPULATIONS = 4  # with a state


def clips() -> Clips:
    rng = np.random.default_rng(6)
    x = np.concatenate([rng.random((3, 12, 6)) < 0.4, rng.integers(-3, 4, (3, 12, 4)) * (rng.random((3, 12, 4)) < 0.3)], axis=2)
    return Clips.from_dense(x.astype(np.int64))


def project(folder: Path) -> Path:
    emit(folder, CHIP, NET, pack(CHIP, NET))
    write_testbench(folder / "cosim", build_scenario(CHIP, NET, clips()))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return project(tmp_path_factory.mktemp("counted"))


@pytest.mark.parametrize("engine", [pytest.param("icarus", marks=needs_icarus), pytest.param("compiled", marks=needs_compiler)])
def test_counters_equal_the_golden_model_s(engine: str, folder: Path) -> None:
    report = cosimulate(engine, folder, CHIP, NET, clips())
    groups = sum(len(tile.groups) for tile in CHIP.tiles)
    assert report.equal, report.first_divergence
    assert report.counters_compared == 3 * (groups + 4 * POPULATIONS) and groups >= POPULATIONS
    assert (build_scenario(CHIP, NET, clips()).work.sum(axis=(0, 1)) > 0).all()


def test_a_chip_without_counters_has_none_to_compare() -> None:
    found = build_scenario(plan(NET, lanes=4, tiles=4), NET, clips())
    assert found.group_events.shape == (3, 0) and found.work.shape == (3, 0, 4)


@needs_compiler
@pytest.mark.parametrize("counter", range(5))
def test_one_wrong_counter_of_one_group_is_found_and_named(counter: int, folder: Path) -> None:
    layout, scenario = Layout.read(folder / "manifest.json"), build_scenario(CHIP, NET, clips())
    observed = CompiledChip(folder, layout).play(scenario)
    observed.counters[1, 2, counter] += 1
    comparison = Comparison(layout, 4)
    comparison.add(scenario, observed)
    report = comparison.report()
    assert report.counters_wrong == 1 and not report.equal
    assert report.first_divergence.startswith(f"clip 1: counter of population {layout.counted[2]}: expected ")
    assert f" {COUNTERS[counter]}, got " in report.first_divergence
    observed.counters[1, 2, counter] += (1 << 32) - 1  # they count modulo 2**32
    again = Comparison(layout, 4)
    again.add(scenario, observed)
    assert again.report().equal


@needs_compiler
@pytest.mark.parametrize(("old", "new", "name"), [
    ('"sops": [(walker.valid & (walker.group == g), neurons)]', '"sops": [(walker.valid & (walker.group == g), tile.lanes)]', "sops"),
    ("with m.If(self.start & self.clear):", "with m.If(Const(0, 1)):", "events"),
])
def test_hardware_that_counts_wrong_is_found(old: str, new: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tile, "_count", mutant(Tile, "_count", old, new))
    report = cosimulate("compiled", project(tmp_path), CHIP, NET, clips())
    assert report.counters_wrong > 0 and (report.spikes_wrong, report.states_wrong, report.phases_wrong, report.readouts_wrong) == (0, 0, 0, 0)
    assert "counter of population" in report.first_divergence and f" {name}, got" in report.first_divergence


@needs_icarus
def test_the_project_s_own_test_names_a_wrong_counter(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "project", ignore=shutil.ignore_patterns("build")))
    with np.load(copy / "cosim" / "expected.npz") as data:
        arrays = dict(data)
    arrays["work"][2, 0, 1] += 1
    np.savez(copy / "cosim" / "expected.npz", **arrays)
    done = run_alone(copy)
    assert done.returncode != 0 and "1 differences; the first: clip 2, counter of population first: expected " in done.stdout
    assert " multiplied, got " in done.stdout


def test_a_result_with_a_wrong_counter_is_not_equal() -> None:
    from spikeloom.software.results import CosimResult

    right = CosimResult(clips=1, accuracy=None, spikes_compared=1, spikes_wrong=0, states_compared=1, states_wrong=0, cycles_predicted=1,
                        cycles_measured=1, sops=1, lanes=1, counters_compared=9)
    assert right.equal and not dataclasses.replace(right, counters_wrong=1).equal
