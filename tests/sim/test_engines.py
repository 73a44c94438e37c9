"""The engines and the checker, on a chip written by hand: equal where it is right, and every kind of defect is seen and named."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tiny_chip

from spikeloom.sim.compare import Comparison, ComparisonReport
from spikeloom.sim.engines import cocotb_engine, compiled
from spikeloom.sim.engines import run as cosimulate
from spikeloom.sim.layout import Field, Layout
from spikeloom.sim.observed import Observed
from spikeloom.sim.scenario import Scenario
from spikeloom.spec.errors import FileFormatError, ToolError

X = (np.random.default_rng(7).random((3, 20, 3)) < 0.5).astype(int)

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
ENGINES = [pytest.param(compiled.play, id="compiled", marks=needs_compiler),
           pytest.param(cocotb_engine.play, id="icarus", marks=needs_icarus)]


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return tiny_chip.scenario(X)


@pytest.fixture(scope="module")
def layout() -> Layout:
    return Layout.of(tiny_chip.manifest())


@pytest.fixture(scope="module")
def observed(scenario, tmp_path_factory) -> Observed:
    """What the right chip does."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    return compiled.play(*tiny_chip.project(tmp_path_factory.mktemp("tiny")), scenario)


def compared(layout: Layout, scenario: Scenario, observed: Observed, labels: np.ndarray | None = None) -> ComparisonReport:
    comparison = Comparison(layout, 2)
    comparison.add(scenario, observed, 0, labels)
    return comparison.report()


@pytest.mark.parametrize("play", ENGINES)
def test_an_engine_sees_exactly_what_the_chip_does(play, scenario, tmp_path):
    folder, layout = tiny_chip.project(tmp_path)
    report = compared(layout, scenario, play(folder, layout, scenario), np.argmax(scenario.readout_values, axis=1))
    assert report.equal, report.first_divergence
    assert report == ComparisonReport(
        clips=3, accuracy=1.0, spikes_compared=len(scenario.spikes), spikes_wrong=0, states_compared=180, states_wrong=0,
        cycles_predicted=int(scenario.phase_cycles.sum()), cycles_measured=int(scenario.phase_cycles.sum()), phases_wrong=0,
        readouts_wrong=0, answers_wrong=0, counters_compared=0, counters_wrong=0, clips_flagged=0, sops=int(scenario.sops.sum()), lanes=2,
        answers=tuple(np.argmax(scenario.readout_values, axis=1).tolist()), confidences=tuple(scenario.answers[:, 2].tolist()), first_divergence="")
    assert len(scenario.spikes) > 20 and set(scenario.spikes[:, 5].tolist()) == {1, 2} and scenario.answers[:, 2].max() > 0


@needs_icarus
def test_both_engines_record_the_same(observed, scenario, tmp_path):
    folder, layout = tiny_chip.project(tmp_path)
    other = cocotb_engine.play(folder, layout, scenario)
    for field in dataclasses.fields(Observed):
        assert np.array_equal(getattr(observed, field.name), getattr(other, field.name)), field.name


DEFECTS = {
    "a wrong weight": (("6: weight = 2;", "6: weight = 3;"), "states_wrong", "membrane potential: expected"),
    "a lost spike": (("mask <= {fired[2] != 0,", "mask <= {1'b0,"), "spikes_wrong", "neuron 2: expected a spike, got none"),
    "a wrong timestep": (("assign spikes__payload = {fired[lane], timestep,", "assign spikes__payload = {fired[lane], timestep + 16'd1,"),
                         "spikes_wrong", "spike"),
    "a payload of 1 for 2": (("assign spikes__payload = {fired[lane],", "assign spikes__payload = {2'd1,"), "spikes_wrong",
                             "expected a spike of payload 2, got payload 1 in phase"),
    "an idle cycle": (("wire settled = beat == 0", "reg late; always @(posedge clk) late <= mask != 0;\n  wire settled = !late && beat == 0"),
                      "phases_wrong", "clock cycles, got"),
    "a missing update": (("assign trace_0__valid = beat != 0;", "assign trace_0__valid = beat == 1;"), "states_wrong", "it was traced 0 times"),
    "a wrong count": (("count[i] + fired[i]", "count[i] + 1"), "readouts_wrong", "readout of population out, neuron 0: expected"),
    "a wrong answer": (("assign answer__index = first ?", "assign answer__index = !first ?"), "answers_wrong", "answer: expected"),
    "a wrong confidence": (("(left > right ?", "(left < right ?"), "answers_wrong", "confidence"),
    "an answer that does not come": (("answered <= 1;", ""), "answers_wrong", "got none"),
    "no last word": (("number == 2, 1'b0", "1'b0, 1'b0"), "readouts_wrong", "`last`"),
    "an error flag": (("bad <= 0;", "bad <= 1;"), "clips_flagged", "error flags 0x1"),
}


@needs_compiler
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_broken_chip_is_caught_and_the_defect_named(defect, scenario, layout, tmp_path):
    edit, count, words = DEFECTS[defect]
    folder, _ = tiny_chip.project(tmp_path, edit)
    report = compared(layout, scenario, compiled.play(folder, layout, scenario))
    assert not report.equal
    assert getattr(report, count) > 0
    assert words in report.first_divergence
    if count != "states_wrong":  # a wrong state changes everything, the other defects here leave the states alone
        assert report.states_wrong == 0


@needs_icarus
def test_icarus_catches_a_wrong_weight_too(scenario, layout, tmp_path):
    folder, _ = tiny_chip.project(tmp_path, DEFECTS["a wrong weight"][0])
    assert compared(layout, scenario, cocotb_engine.play(folder, layout, scenario)).states_wrong > 0


@pytest.mark.parametrize("play", ENGINES)
def test_a_chip_that_hangs_ends_with_what_it_was_waiting_for(play, scenario, layout, tmp_path):
    # A spike that never leaves keeps the chip busy for good.
    folder, _ = tiny_chip.project(tmp_path, ("if (spikes__valid && spikes__ready) mask[lane] <= 0;", ""))
    seen = play(folder, layout, scenario)
    report = compared(layout, scenario, seen)
    assert report.clips == 1 and not report.equal
    assert "no end after" in seen.hang and "waiting for the next start" in seen.hang
    assert "no end after" in report.first_divergence


@pytest.mark.parametrize("name, change, count, n_wrong, words", [
    ("potentials", lambda a: a.__setitem__((1, 4, 2), a[1, 4, 2] + 1), "states_wrong", 1, "clip 1: timestep 4, population out, neuron 2"),
    ("phase_cycles", lambda a: a.__setitem__((2, 9), 99), "phases_wrong", 1, "clip 2: phase 9: expected 99 clock cycles"),
    ("readout_values", lambda a: a.__setitem__((0, 1), 7777), "readouts_wrong", 1, "clip 0: readout of population out, neuron 1: expected 7777"),
    ("spikes", lambda a: a.__setitem__((3, 1), 19), "spikes_wrong", 2, "spike"),
    ("spikes", lambda a: a.__setitem__((3, 5), 3 - a[3, 5]), "spikes_wrong", 2, "expected a spike of payload"),
    ("answers", lambda a: a.__setitem__((1, 1), (a[1, 1] + 1) % 3), "answers_wrong", 1, "clip 1: answer: expected"),
    ("answers", lambda a: a.__setitem__((2, 2), 4444), "answers_wrong", 1, ", confidence 4444, got"),
])
def test_a_corrupted_expectation_is_a_difference(name, change, count, n_wrong, words, scenario, observed, layout):
    wrong = getattr(scenario, name).copy()
    change(wrong)
    report = compared(layout, dataclasses.replace(scenario, **{name: wrong}), observed)
    assert getattr(report, count) == n_wrong
    assert words in report.first_divergence


def test_extra_spikes_phases_and_stray_updates_are_counted(scenario, observed, layout):
    doubled = dataclasses.replace(observed, spikes=np.concatenate([observed.spikes, observed.spikes[:1]]),
                                  stray_traces=np.array([0, 3, 0]), extra_phases=np.array([0, 0, 1]))
    report = compared(layout, scenario, doubled)
    assert (report.spikes_wrong, report.states_wrong, report.phases_wrong) == (1, 3, 1)
    assert "expected no spike" in report.first_divergence


def test_a_missing_simulator_says_what_to_install(scenario, tmp_path, monkeypatch):
    folder, layout = tiny_chip.project(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="apt-get install iverilog"):
        cocotb_engine.play(folder, layout, scenario)
    with pytest.raises(ToolError, match=r"apt-get install g\+\+"):
        compiled.play(folder, layout, scenario)
    assert not (folder / "build").exists()


@needs_compiler
def test_verilog_that_does_not_compile_is_one_paragraph(scenario, tmp_path):
    folder, layout = tiny_chip.project(tmp_path, ("localparam STEP", "localparam localparam"))
    with pytest.raises(ToolError, match=r"yosys failed .* (?s:.)*failed.log"):
        compiled.play(folder, layout, scenario)


@needs_compiler
def test_a_manifest_of_another_chip_is_an_error(scenario, layout, tmp_path):
    folder, _ = tiny_chip.project(tmp_path, ("output trace_0__valid,", "output trace_1__valid,"),
                                  ("assign trace_0__valid", "assign trace_1__valid"))
    with pytest.raises(ToolError, match="no port trace_0__valid"):
        compiled.play(folder, layout, scenario)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2}', '{"format": 1, "name": "x"}'])
def test_a_damaged_manifest_is_an_error(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"manifest.json is damaged"):
        cosimulate("compiled", tmp_path, None, None, None)


def test_an_unknown_engine_and_an_empty_folder_are_errors(tmp_path):
    with pytest.raises(ToolError, match="No engine 'spice'; there are icarus, verilator, compiled"):
        cosimulate("spice", tmp_path, None, None, None)
    with pytest.raises(FileFormatError, match="not a generated project"):
        cosimulate("compiled", tmp_path, None, None, None)
    (tmp_path / "manifest.json").write_text(json.dumps(tiny_chip.manifest()))
    with pytest.raises(FileFormatError, match=r"has no chip.v"):
        cosimulate("compiled", tmp_path, None, None, None)


def test_fields_of_payloads_are_placed_and_taken_apart():
    field = Field(3, 5, True)
    assert [field.take(field.place(value)) for value in (-16, -1, 0, 15)] == [-16, -1, 0, 15]
    assert Field(0, 0, True).take(-1) == 0 and Field(4, 3, False).take(0b1011_0000) == 3
    with pytest.raises(ValueError, match=r"Field of 5 bits must be -16 to 15, not 16"):
        field.place(16)


def test_words_of_a_narrow_stream_leave_absent_fields_out(layout):
    words = layout.event_words(np.array([0, 0]), np.array([2, 1]), np.array([1, 1]))
    assert words.tolist() == [2, 1]
    assert layout.command_word("READ") == 2 and layout.command_word("STEP", 1) == 1 << 2
