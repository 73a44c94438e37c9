"""The command line: what it hands to the library, what it prints, and how it fails. The library itself is replaced."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.results import BuildResult, CosimResult
from spikeloom.spec.archive import save_network
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.errors import CapacityError, FileFormatError, MismatchError
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

COSIM = CosimResult(clips=2, accuracy=0.5, spikes_compared=40, spikes_wrong=0, states_compared=1000, states_wrong=0,
                    cycles_predicted=500, cycles_measured=500, sops=8000, lanes=16)
SIMULATION = SimpleNamespace(clips=3, accuracy=None, spikes_per_population={"input": 12.5, "hidden": 4.0}, sops=123456,
                             clips_per_second=789.5, answers=np.zeros(3), confidence=6.5)


@pytest.fixture
def network() -> Network:
    rng = np.random.default_rng(1)
    return Network(name="tiny", metadata={"front_end": "logmel"}, populations=(
        Population(name="input", size=4, model=Model.INPUT, payload_max=7),
        Population(name="hidden", size=3, model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), reset=Reset.SUBTRACT,
                   theta=np.array([5, 6, 7]), readout=Readout.COUNT)),
        projections=(Projection(source="input", target="hidden", weights=rng.integers(-8, 8, (3, 4)), weight_bits=4),))


class Recorder:
    """Stands for a function of the library: notes its arguments, and returns or raises what it was given."""

    def __init__(self, outcome: object) -> None:
        self.outcome, self.args, self.options = outcome, (), {}

    def __call__(self, *args: object, **options: object) -> object:
        self.args, self.options = args, {key: value for key, value in options.items() if key != "progress"}
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome(*args, **options) if callable(self.outcome) else self.outcome


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch, network: Network):
    """Puts a Recorder in the place of a function of the library, and a network behind every name of a file."""
    monkeypatch.setattr(api, "load", lambda path: network)

    def put(name: str, outcome: object) -> Recorder:
        recorder = Recorder(outcome)
        monkeypatch.setattr(api, name, recorder)
        return recorder

    return put


def test_quantize_hands_on_its_options_and_writes_the_network(replace, network, tmp_path, capsys) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=lambda: "beta 0.9 -> 230/256")))
    replace("save", lambda network, path: path.write_text(network.name))
    out = tmp_path / "net.npz"
    assert main(["quantize", "net.pt", "-o", str(out), "--weight-bits", "6", "--scale", "layer", "--decay", "shift",
                 "--input", "c.npz", "--beta", "0.8", "--threshold", "1.5", "--reset", "zero", "--readout", "max"]) == 0
    assert quantize.args == (Path("net.pt"),)
    assert quantize.options == {"weight_bits": 6, "scale": "layer", "decay": "shift", "clips": Path("c.npz"), "beta": 0.8,
                                "threshold": 1.5, "reset": "zero", "readout": "max"}
    assert out.read_text() == "tiny"
    assert capsys.readouterr().out == f"beta 0.9 -> 230/256\nWritten: {out}\n"


def test_quantize_has_the_defaults_of_the_issue(replace, network, tmp_path) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str)))
    replace("save", lambda network, path: path.touch())
    main(["quantize", "net.pt", "-o", str(tmp_path / "net.npz")])
    assert quantize.options == {"weight_bits": 8, "scale": "neuron", "decay": "multiply", "clips": None, "beta": None,
                                "threshold": None, "reset": None, "readout": None}  # a count where there are spikes


@pytest.mark.parametrize(("argv", "options"), [
    (["--bits", "auto", "--max-drop", "0.5", "--v-bits", "16", "--i-bits", "18"],
     {"weight_bits": "auto", "max_drop": 0.5, "v_bits": 16, "i_bits": 18}),
    (["--bits", "auto"], {"weight_bits": "auto"}),
    (["--bits", "1"], {"weight_bits": 1}),
    (["--bits", "input->hidden1=6, hidden1->output=1,4"], {"weight_bits": {"input->hidden1": 6, "hidden1->output": 1, "*": 4}}),
])
def test_quantize_takes_bits_by_projection_or_searches_them(argv, options, replace, network, tmp_path, capsys) -> None:
    quantize = replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str, as_json=lambda: {"name": "tiny"})))
    replace("save", lambda network, path: path.touch())
    assert main(["quantize", "net.pt", "-o", str(tmp_path / "net.npz"), "--json", *argv]) == 0
    given = {name: value for name, value in quantize.options.items() if name in ("weight_bits", "max_drop", "v_bits", "i_bits")}
    assert given == options
    assert json.loads(capsys.readouterr().out) == {"name": "tiny"}


def test_a_network_that_cannot_be_saved_leaves_nothing(replace, network, tmp_path) -> None:
    replace("quantize", SimpleNamespace(network=network, report=SimpleNamespace(text=str)))

    def fail(network: Network, path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device", str(path))

    replace("save", fail)
    assert main(["quantize", "net.pt", "-o", str(tmp_path / "out" / "net.npz")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_info_shows_formats_and_sizes(replace, network, capsys) -> None:
    assert main(["info", "net.npz"]) == 0
    out = capsys.readouterr().out
    for text in ("tiny", network.digest, "input -> hidden", "payload 1..7", "0.89844", "5..7", "subtract", "front_end", "logmel"):
        assert text in out


def test_info_shows_what_the_other_models_have(replace, monkeypatch, capsys) -> None:
    ones = np.ones((2, 2), dtype=np.int64)
    network = Network(name="all", populations=(
        Population(name="x", size=2, model=Model.INPUT),
        Population(name="c", size=2, model=Model.CUBALIF, decay=Decay(factor=12, fraction_bits=4), beta=[4, 12], current_decay=Decay(shift_a=2),
                   i_bits=9, gain=Gain.COMPLEMENT, max_spikes=4, refractory=3, refractory_mode=Refractory.INTEGRATE, v_floor=-8, v_init=[1, 2]),
        Population(name="g", size=2, model=Model.SPIKGRU, gate_table=[0, 128, 200, 255], gate_shift=3, gate_bias=[-2, 5]),
        Population(name="a", size=2, model=Model.ALIF, jump=7, a_bits=10, adaptation_decay=Decay(shift_a=1), inhibition=2, readout=Readout.VOTE,
                   classes=[1, 0])),
        projections=(Projection(source="x", target="c", weights=ones, codebook=(-3, 0, 1)),
                     Projection(source="c", target="g", weights=ones, kind=Kind.SPARSE),
                     Projection(source="c", target="g", weights=ones, port=Port.GATE), Projection(source="g", target="a", weights=ones)))
    monkeypatch.setattr(api, "load", lambda path: network)
    assert main(["info", "net.npz"]) == 0
    out = re.sub(" +", " ", capsys.readouterr().out)
    for text in ("c cubalif 2 16 0.25..0.75", "c synaptic current 9 bits, decay 0.75, gain complement", "c spikes per timestep up to 4",
                 "c refractory 3 timesteps, mode integrate", "c lower clip of v -8", "c v after a reset 1..2", "g spikgru 2 16 gate",
                 "g synaptic current 16 bits, decay 1\n", "g gate 4 entries of 0..255, shift 3, bias -2..5",
                 "a rise of the threshold 10 bits, decay 0.5, jump 7", "a inhibition 2 timesteps", "a classes of the vote 2",
                 "x -> c i 0 2 bits for -3 0 1", "c -> g i 0 8 bits", "c -> g z 0 8 bits",
                 "c -> g sparse 4 4", "c -> g dense 4 4"):
        assert text in out, out


def looped() -> Network:
    """A loop of two populations with a delay of 1, by a codebook and by a matrix that is used twice."""
    x, a, b = (Population(name="x", size=4, model=Model.INPUT), Population(name="a", size=3, model=Model.LIF),
               Population(name="b", size=3, model=Model.LIF, readout=Readout.COUNT))
    weights = np.eye(3, dtype=int) * 5
    return Network(name="looped", metadata={"n": 1}, populations=(x, a, b), projections=(
        Projection(source="x", target="a", weights=np.full((3, 4), -1), codebook=(-1, 0, 1)),
        Projection(source="a", target="b", weights=weights, matrix="w"),
        Projection(source="b", target="a", weights=weights, delay=1, matrix="w")))


def test_info_shows_the_period_and_why_and_what_is_stored(monkeypatch, capsys) -> None:
    monkeypatch.setattr(api, "load", lambda path: looped())
    assert main(["info", "net.npz"]) == 0
    out = re.sub(" +", " ", capsys.readouterr().out)
    for text in ("period 2 phases per timestep: the loop a -> b -> a has 2 projections and a delay of 1 in all", "x 0 -\n", "a 1 1\n", "b 2 1\n",
                 "x -> a i 0 2 bits for -1 0 1 0 -", "a -> b i 0 8 bits 0 w", "b -> a i 1 8 bits 0 w", "x -> a dense 12 12 96",
                 "weight bits 96", "bits if dense bits if sparse equal at density"):
        assert text in out, out


def test_info_as_json_has_the_same_numbers(monkeypatch, capsys) -> None:
    monkeypatch.setattr(api, "load", lambda path: looped())
    assert main(["info", "net.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["neurons"], found["synapses"], found["weight_bits"], found["period"]) == ("looped", 6, 30, 96, 2)
    assert found["loop"] == {"populations": ["a", "b"], "projections": 2, "delay": 1} and found["metadata"] == {"n": 1}
    assert [(p["name"], p["level"], p["slots"]) for p in found["populations"]] == [("x", 0, None), ("a", 1, 1), ("b", 2, 1)]
    assert [(p["source"], p["format"], p["synapses"], p["existing"], p["dense_bits"]) for p in found["projections"]] == [
        ("x", "2 bits for -1 0 1", 12, 12, 96), ("a", "8 bits", 9, 3, 72), ("b", "8 bits", 9, 3, 72)]
    assert all(0 < p["break_even"] <= 1 for p in found["projections"])
    assert [p["sparse_bits"] > 0 for p in found["projections"]] == [True, False, True]  # one matrix: if sparse, the first of the tile has its words


def test_info_shows_a_network_that_no_tile_holds(monkeypatch, capsys) -> None:
    wide = [Population(name=f"x{k}", size=1 << 15, model=Model.INPUT) for k in range(3)]
    network = Network(name="wide", populations=(*wide, Population(name="a", size=1, model=Model.LIF, output=True)),
                      projections=tuple(Projection(source=p.name, target="a", weights=np.zeros((1, p.size), int)) for p in wide))
    monkeypatch.setattr(api, "load", lambda path: network)
    assert main(["info", "net.npz"]) == 0
    assert "No storage is shown: Population 'a' needs 98304 axons" in capsys.readouterr().out
    assert main(["info", "net.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["projections"][0]["dense_bits"] is None


def test_simulate_prints_exactly_the_json_of_the_issue(replace, capsys) -> None:
    simulate = replace("simulate", SIMULATION)
    assert main(["simulate", "net.npz", "--input", "clips.npz", "--limit", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"clips": 3, "accuracy": None, "confidence": 6.5, "sops": 123456,
                               "spikes_per_population": {"input": 12.5, "hidden": 4.0}, "clips_per_second": 789.5}
    assert err == ""
    assert simulate.args[1] == Path("clips.npz")
    assert simulate.options == {"limit": 3}


def test_simulate_tells_people_that_there_are_no_labels(replace, capsys) -> None:
    replace("simulate", SIMULATION)
    assert main(["simulate", "net.npz", "--input", "clips.npz"]) == 0
    out = capsys.readouterr().out
    assert "no labels" in out and "123,456" in out and "hidden" in out and "6.5 above the second" in out


def test_simulate_without_a_readout_has_no_confidence(replace, capsys) -> None:
    replace("simulate", SimpleNamespace(**vars(SIMULATION) | {"confidence": None}))
    assert main(["simulate", "net.npz", "--input", "clips.npz"]) == 0
    assert "no readout" in capsys.readouterr().out


def test_build_hands_on_its_options_and_writes_the_folder(replace, tmp_path, capsys) -> None:
    def compile(network: Network, folder: Path, **options: object) -> BuildResult:
        (folder / "manifest.json").write_text("{}")
        return BuildResult(tiles=2, lanes=16, weight_bits_total=4096)

    recorder = replace("compile", compile)
    out = tmp_path / "new" / "out"
    assert main(["build", "net.npz", "--board", "ulx3s_85f", "--lanes", "16", "--tiles", "2", "--fabric", "star", "--storage", "dense", "--bitstream",
                 "--wrapper", "axi", "--export-state", "--counters", "--link", "115200", "--clock", "12000000", "-o", str(out), "--json"]) == 0
    assert recorder.options == {"board": "ulx3s_85f", "lanes": 16, "tiles": 2, "fabric": "star", "storage": "dense", "bitstream": True,
                                "wrapper": "axi", "export": True, "counters": True, "link": 115200, "clock_hz": 12_000_000}
    assert json.loads(capsys.readouterr().out) == {"tiles": 2, "lanes": 16, "weight_bits_total": 4096, "luts": None, "ffs": None,
                                                   "brams": None, "dsps": None, "fmax_mhz": None}
    assert (out / "manifest.json").is_file()


def test_build_says_which_projections_it_stores_otherwise_than_given(tmp_path, capsys) -> None:
    weights = np.zeros((40, 40), dtype=int)
    weights[::7, ::5] = 3
    network = Network(name="thin", populations=(Population(name="x", size=40, model=Model.INPUT),
                                                Population(name="y", size=40, model=Model.LIF, theta=5, readout=Readout.COUNT)),
                      projections=(Projection(source="x", target="y", weights=weights),))
    save_network(network, tmp_path / "net.npz")
    for storage, said in (("auto", True), ("as-given", False)):
        assert main(["build", str(tmp_path / "net.npz"), "--board", "generic", "--storage", storage, "-o", str(tmp_path / storage)]) == 0
        assert ("Stored otherwise than given (auto): x -> y." in capsys.readouterr().out) == said


def test_a_failed_build_is_one_paragraph_and_leaves_nothing(replace, tmp_path, capsys) -> None:
    def compile(network: Network, folder: Path, **options: object) -> BuildResult:
        (folder / "top.v").write_text("module")
        raise CapacityError("Network 'tiny' needs 300 block RAMs,\n  ulx3s_85f has 208;\n  use 4 bit weights")

    replace("compile", compile)
    assert main(["build", "net.npz", "--board", "ulx3s_85f", "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "spikeloom: error: Network 'tiny' needs 300 block RAMs, ulx3s_85f has 208; use 4 bit weights\n"
    assert list(tmp_path.iterdir()) == []


def test_cosim_prints_exactly_the_json_of_the_issue(replace, capsys) -> None:
    cosim = replace("cosim", COSIM)
    assert main(["cosim", "out", "--input", "clips.npz", "--limit", "2", "--engine", "compiled", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "clips": 2, "accuracy": 0.5, "spikes_compared": 40, "spikes_wrong": 0, "states_compared": 1000, "states_wrong": 0,
        "cycles_predicted": 500, "cycles_measured": 500, "sops": 8000, "lanes": 16, "words": [], "confidences": []}
    assert cosim.args == (Path("out"), Path("clips.npz"))
    assert cosim.options == {"limit": 2, "engine": "compiled"}


@pytest.mark.parametrize("change", [{"spikes_wrong": 1}, {"states_wrong": 1}, {"cycles_measured": 501},
                                    {"phases_wrong": 2}, {"clips_flagged": 1}, {"first_divergence": "clip 0"},
                                    {"clips": 0, "states_compared": 0}])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_cosim_fails_on_any_difference_and_on_a_comparison_of_nothing(replace, change, flags, capsys) -> None:
    replace("cosim", CosimResult(**{**COSIM.__dict__, **change}))
    assert main(["cosim", "out", "--input", "clips.npz", *flags]) == 1
    assert flags or "DIFFERS" in capsys.readouterr().out


def test_cosim_that_fails_tells_the_first_difference(replace, capsys) -> None:
    replace("cosim", CosimResult(**{**COSIM.__dict__, "spikes_wrong": 1, "first_divergence": "clip 0, timestep 3, hidden 7"}))
    assert main(["cosim", "out", "--input", "clips.npz"]) == 1
    assert "First difference: clip 0, timestep 3, hidden 7" in capsys.readouterr().out


def test_cosim_that_finds_equality_says_so(replace, capsys) -> None:
    replace("cosim", COSIM)
    assert main(["cosim", "out", "--input", "clips.npz"]) == 0
    out = capsys.readouterr().out
    assert "The Verilog equals the golden model and the cycle model." in out
    assert "50.00%" in out and "1.000" in out


def test_cosim_shows_the_answers_of_the_hardware_and_its_confidence(replace, capsys) -> None:
    known = {**COSIM.__dict__, "words": tuple("abcdefghi")}
    replace("cosim", CosimResult(**known))
    main(["cosim", "out", "--input", "clips.npz"])
    assert "answers of the hardware   a, b, c, d, e, f, g, h, ...\n" in capsys.readouterr().out
    replace("cosim", CosimResult(**{**known, "words": ("yes", "no"), "confidences": (1234, 0)}))
    main(["cosim", "out", "--input", "clips.npz"])
    assert "answers of the hardware (confidence)  yes (1,234), no (0)\n" in capsys.readouterr().out
    main(["cosim", "out", "--input", "clips.npz", "--json"])
    out = json.loads(capsys.readouterr().out)
    assert (out["words"], out["confidences"]) == (["yes", "no"], [1234, 0])


def test_boards_lists_flow_budget_link_and_what_was_tried_and_claims_no_hardware(capsys) -> None:
    assert main(["boards"]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "ecp5, bitstream" in lines["ulx3s_85f"] and "83,640" in lines["ulx3s_85f"] and lines["ulx3s_85f"].endswith("built here")
    assert "Vivado project, AXI" in lines["arty_z7_20"] and lines["arty_z7_20"].endswith("plan only")
    assert "UART on 0, 1" in lines["orangecrab_25f"] and "Verilog" in lines["generic"] and lines["generic"].endswith("not tried")
    assert "nothing was tested on hardware" in out


@pytest.mark.parametrize("error, status, text", [
    (FileFormatError("clips.npz is damaged"), 2, "spikeloom: error: clips.npz is damaged\n"),
    (FileFormatError("no class '\x1b[2J'"), 2, "spikeloom: error: no class '?[2J'\n"),
    (MismatchError("Population 'hidden' differs"), 1, "spikeloom: error: Population 'hidden' differs\n"),
    (FileNotFoundError(2, "No such file or directory", "clips.npz"), 2,
     "spikeloom: error: clips.npz: No such file or directory\n"),
    (KeyboardInterrupt(), 130, ""),
])
def test_errors_are_one_line_without_a_traceback(replace, error, status, text, capsys) -> None:
    replace("simulate", error)
    assert main(["simulate", "net.npz", "--input", "clips.npz"]) == status
    assert capsys.readouterr().err == text


def test_a_defect_of_ours_is_not_hidden(replace) -> None:
    replace("simulate", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["simulate", "net.npz", "--input", "clips.npz"])


@pytest.mark.parametrize("argv, text", [
    ([], "the following arguments are required: COMMAND; see spikeloom --help"),
    (["simulat"], "invalid choice: 'simulat'"),
    (["simulate", "net.npz"], "the following arguments are required: --input; see spikeloom simulate --help"),
    (["simulate", "net.npz", "--input", "c", "--limit", "0"], "argument --limit: must be an integer of at least 1, not '0'"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--lanes", "many"], "must be an integer of at least 1, not 'many'"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--min-area"], "--min-area and --rate STEPS_PER_S go together"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--fit", "--rate", "100"], "--min-area and --rate STEPS_PER_S go together"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--min-area", "--rate", "nan"], "argument --rate: must be a number above 0, not 'nan'"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--fit", "--min-area"], "argument --min-area: not allowed with argument --fit"),
    (["build", "net.npz", "--board", "generic", "-o", "x", "--input", "c.npz"], "--input is what --fit and --min-area count cycles on"),
    (["quantize", "net.pt", "-o", "x", "--weight-bits", "9"],
     "must be an integer of 1 to 8, auto, or NAME=N,... with names like 'input->hidden1', not '9'"),
    (["quantize", "net.pt", "-o", "x", "--bits", "auto", "--max-drop", "-1"], "must be 0 to 100 points, not '-1'"),
    (["quantize", "net.pt", "-o", "x", "--max-drop", "1"], "give --bits auto with it, or leave it out"),
    (["cosim", "out", "--input", "c", "--engine", "vcs"], "invalid choice: 'vcs'"),
])
def test_wrong_arguments_are_one_line_and_status_2(argv, text, capsys) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("spikeloom: error: ") and err.count("\n") == 1
    assert text in err


@pytest.mark.parametrize("command", ["quantize", "info", "data", "simulate", "energy", "build", "cosim", "boards"])
def test_every_command_has_help(command, capsys) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: spikeloom {command}" in capsys.readouterr().out


def test_help_imports_no_hardware_and_no_training_library() -> None:
    code = ("import sys\nfrom spikeloom.software.cli.main import main\nmain(['--help'])\n"
            "print(sorted({'amaranth', 'cocotb', 'torch'} & set(sys.modules)))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", ["boards", "build --help"])
def test_a_closed_pipe_is_no_error(command) -> None:
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from spikeloom.software import api; from spikeloom.software.cli.main import main\n" \
           "api.boards = lambda: [('generic', 'Verilog alone')]\nsys.exit(main(sys.argv[1:]))"
    result = subprocess.run([sys.executable, "-c", code, *command.split()], stdout=write, stderr=subprocess.PIPE, text=True)
    os.close(write)
    assert (result.returncode, result.stderr) == (0, "")


def test_ctrl_c_ends_with_130_and_without_a_traceback(tmp_path) -> None:
    os.mkfifo(tmp_path / "net.pipe")  # reading it waits for ever
    code = "import sys; from spikeloom.software import api; from spikeloom.software.cli.main import main\n" \
           "api.load = lambda path: open(path)\nprint('ready', flush=True)\nsys.exit(main(sys.argv[1:]))"
    with subprocess.Popen([sys.executable, "-c", code, "info", str(tmp_path / "net.pipe")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "S" and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, "", "")


def test_sigterm_ends_with_143_and_leaves_nothing_half_written(tmp_path) -> None:
    code = "import sys, time; from spikeloom.software import api; from spikeloom.software.cli.main import main\n" \
           "def compile(network, folder, **_): (folder / 'chip.v').write_text('half'); print('ready', flush=True); time.sleep(60)\n" \
           "api.load, api.compile = lambda path: None, compile\nsys.exit(main(sys.argv[1:]))"
    argv = ["build", "net.npz", "--board", "generic", "-o", str(tmp_path / "chip")]
    with subprocess.Popen([sys.executable, "-c", code, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert [path.name for path in tmp_path.iterdir()] == [f".chip.{process.pid}.partial"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err, list(tmp_path.iterdir())) == (143, "", "", [])


def test_simulate_shows_answers_by_their_labels(root, capsys) -> None:
    argv = ["simulate", str(root / "models/kws-small.npz"), "--input", str(root / "examples/clips/yes.wav"), "--answers"]
    assert main(argv) == 0
    assert re.search(r"clip  answer  confidence\n.*\n   0  yes +[\d,]+\n$", capsys.readouterr().out)
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] == ["yes"] and told["confidences"] == [told["confidence"]]
    assert main([*argv, "--fault", "ber=1e-3"]) == 2
    assert "leave one of the two out" in capsys.readouterr().err


def test_answers_of_a_network_without_readout_are_an_error(replace, capsys) -> None:
    replace("simulate", SimpleNamespace(**vars(SIMULATION) | {"answers": None, "confidences": None}))
    assert main(["simulate", "net.npz", "--input", "clips.npz", "--answers"]) == 2
    assert "has a readout, so there is no answer to a clip" in capsys.readouterr().err
