"""Builds that choose lanes and tiles for their board: what they choose is what is built, and what they say of it is so."""

import json
from dataclasses import replace

import numpy as np
import pytest

import spikeloom
from spikeloom.boards import catalogue
from spikeloom.boards.board import Board
from spikeloom.gen.plan import plan
from spikeloom.sim.cycles import cycles_of
from spikeloom.software import flow
from spikeloom.software.cli.main import main
from spikeloom.software.fitting import fit_network
from spikeloom.spec.archive import save_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import CapacityError, MismatchError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

SMALL = Board(name="small", description="", budget={"luts": 4500, "ffs": 4500, "brams": 20, "bram_bits": 18432, "dsps": 4}, oscillator_mhz=1.0)


def network() -> Network:
    rng = np.random.default_rng(1)
    neuron = {"model": Model.LIF, "decay": Decay(shift_a=3), "reset": Reset.SUBTRACT, "theta": 9, "v_bits": 12}
    return Network(name="net", populations=(
        Population(name="inp", size=6, model=Model.INPUT), Population(name="hid", size=8, **neuron),
        Population(name="out", size=3, readout=Readout.COUNT, **neuron)), projections=(
        Projection(source="inp", target="hid", weights=rng.integers(-4, 8, (8, 6)), weight_bits=4),
        Projection(source="hid", target="out", weights=rng.integers(-4, 8, (3, 8)), weight_bits=4)))


def clips(n_steps: int = 5) -> Clips:
    return Clips.from_dense((np.random.default_rng(2).random((3, n_steps, 6)) < 0.5).astype(np.int16))


@pytest.fixture
def board(monkeypatch) -> Board:
    monkeypatch.setitem(catalogue._BOARDS, "small", SMALL)
    return SMALL


def test_a_build_has_the_chip_that_was_chosen_and_says_why(board, tmp_path) -> None:
    result = spikeloom.compile(network(), tmp_path, board="small", fit=True, clips=clips())
    chip, stored, found = flow.read_project(tmp_path)
    chosen = result.fitted.fit.chosen
    assert tuple((t.lanes, t.update_lanes) for t in chip.tiles) == chosen.per_tile and found["plan"]["lanes"] == chosen.lanes
    report = cycles_of(chip, stored, clips().dense())
    assert found["fit"]["cycles_per_timestep"] == pytest.approx(report.total.sum() / 15, abs=1e-3)
    assert found["fit"]["longest_timestep"] == report.cycles.max() <= found["fit"]["longest_if_all_fire"]
    assert found["fit"]["steps_per_second"] == pytest.approx(1e6 / chosen.cycles, rel=1e-6) and found["fit"]["rate"] is None
    text = (tmp_path / "report.md").read_text()
    assert "Asked for: most timesteps per second." in text and "on 3 given clips of 5 timesteps" in text
    assert text.count("| chosen |") == 1 and text.count("| fits |") + 1 == len(result.fitted.fit.fitting)
    assert text.count("| luts > ") == len(result.fitted.fit.tried) - len(result.fitted.fit.fitting) > 0


def test_the_least_area_that_keeps_a_rate_is_smaller_than_the_fastest(board) -> None:
    fast = fit_network(network(), board, rate=None, clips=clips())
    small = fit_network(network(), board, rate=1000.0, clips=clips())
    assert small.fit.chosen.needed["luts"] < fast.fit.chosen.needed["luts"] and small.fit.chosen.cycles > fast.fit.chosen.cycles
    assert f"1000 timesteps per second are real time with a clock of {small.fit.chosen.longest / 1000:.3g} MHz or more" in small.summary
    assert "too slow" in {row[0] for row in fit_network(network(), board, rate=36_000.0, clips=clips()).rows()}
    assert small.text.splitlines()[4].split()[0] == "chosen"


def test_what_the_user_has_fixed_stays(board) -> None:
    tried = fit_network(network(), board, rate=None, lanes=2, clips=clips()).fit.tried
    assert {c.lanes for c in tried} == {2} and len({c.tiles for c in tried}) > 3
    tried = fit_network(network(), board, rate=None, tiles=2, clips=clips()).fit.tried
    assert {len(c.per_tile) for c in tried} == {2} and len({c.lanes for c in tried}) > 2


def test_without_clips_random_ones_are_taken_and_the_choice_is_the_same_each_time(board) -> None:
    first, second = (fit_network(network(), board, rate=None) for _ in range(2))
    assert "on 2 random clips of 32 timesteps" in first.summary and first.values == second.values


@pytest.mark.parametrize("name, options, error, text", [
    ("generic", {"rate": 10.0}, CapacityError, r"generic has no clock, .*\(--clock HZ\)"),
    ("generic", {"rate": None, "clock_hz": 1000}, CapacityError, "generic has no device to fill: name another board"),
    ("small", {"rate": None, "clips": clips(0)}, MismatchError, "has no clips"),
    ("small", {"rate": 1e6}, CapacityError, "No chip that fits small keeps 1e"),
    ("small", {"rate": None, "lanes": 100_000}, CapacityError, "--lanes 100000: .* the largest of network 'net', 'hid', has 8; give at most so many"),
])
def test_what_cannot_be_chosen_is_refused(board, name, options, error, text) -> None:
    with pytest.raises(error, match=text):
        fit_network(network(), catalogue.find(name), **options)


@pytest.mark.parametrize("tiles, advice, free", [(2, "It would fit with --lanes 4", 2), (3, "It would fit with --lanes 4 without --tiles", None)])
def test_lanes_and_tiles_that_do_not_fit_are_told_those_that_would(tiles, advice, free) -> None:
    narrow = replace(SMALL, budget={**SMALL.budget, "luts": 2600})
    with pytest.raises(CapacityError, match=advice + "[.,]"):
        fit_network(network(), narrow, rate=None, lanes=8, tiles=tiles, clips=clips())
    fit_network(network(), narrow, rate=None, lanes=4, tiles=free, clips=clips())


def test_a_board_of_no_device_takes_a_rate_and_a_clock() -> None:
    fit = fit_network(network(), catalogue.find("generic"), rate=100.0, clock_hz=100_000, clips=clips()).fit
    assert fit.chosen.longest * 100 <= 100_000 and fit.fitting == fit.tried


def test_the_command_prints_the_choice_and_its_json_has_it(board, tmp_path, capsys) -> None:
    save_network(network(), tmp_path / "net.npz")
    argv = ["build", str(tmp_path / "net.npz"), "--board", "small", "--min-area", "--rate", "1000", "-o", str(tmp_path / "out")]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "chips tried" in out and "chosen" in out and "1000 timesteps per second are real time with a clock of" in out
    assert main([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["fit"]
    assert found["rate"] == 1000 and found["lowest_clock_hz"] == 1000 * found["longest_timestep"]
    assert main([*argv[:6], "1e9", *argv[7:]]) == 2
    assert "No chip that fits small keeps 1e+09 timesteps per second at 1 MHz" in capsys.readouterr().err


def test_the_chosen_plan_is_that_of_its_lanes_and_tiles(board) -> None:
    chosen = fit_network(network(), board, rate=None, clips=clips(), storage="as-given").fit.chosen
    assert plan(network(), lanes=chosen.lanes, tiles=chosen.tiles).tiles == chosen.chip.tiles
