"""The command line as a whole: errors, help, closed pipes and signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikeloom.software.cli.main import main
from spikeloom.spec.errors import FileFormatError, MismatchError


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
    (["quantize", "net.pt", "-o", "x", "--bits", "auto", "--max-drop", "-1"], "argument --max-drop: must be a number of 0 to 100, not '-1'"),
    (["quantize", "net.pt", "-o", "x", "--v-bits", "1"], "argument --v-bits: must be an integer of 2 to 32, not '1'"),
    (["quantize", "net.pt", "-o", "x", "--i-bits", "33"], "argument --i-bits: must be an integer of 2 to 32, not '33'"),
    (["quantize", "net.pt", "-o", "x", "--beta", "nan"], "argument --beta: must be a number of 0 to 1, not 'nan'"),
    (["quantize", "net.pt", "-o", "x", "--threshold", "0"], "argument --threshold: must be a number above 0, not '0'"),
    (["quantize", "net.nir", "-o", "x", "--dt", "0"], "argument --dt: must be a number above 0, not '0'"),
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
    code = "import signal, sys; from spikeloom.software import api; from spikeloom.software.cli.main import main\n" \
           "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it\n" \
           "api.load = lambda path: open(path)\nprint('ready', flush=True)\nsys.exit(main(sys.argv[1:]))"
    with subprocess.Popen([sys.executable, "-c", code, "info", str(tmp_path / "net.pipe")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        while Path(f"/proc/{process.pid}/stat").read_text().split()[2] != "S" and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
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
