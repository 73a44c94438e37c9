"""The entry point ``spikeloom``: arguments in, exit status out.

Exit status: 0 success; 1 hardware and model differ; 2 wrong input, or a missing tool; 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from typing import NoReturn

from ...spec.errors import MismatchError, SpikeLoomError
from . import boards, build, cosim, data, deploy, energy, info, program, quantize, run, simulate

__all__ = ["main"]

_COMMANDS = (quantize, info, data, simulate, energy, build, cosim, boards, program, deploy, run)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SpikeLoomError(f"{message}; see {self.prog} --help")


class _Version(argparse.Action):
    # Looked up on request only: a source tree that is not installed has no version, and still works.
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print("spikeloom", version("spikeloom"))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="spikeloom", description="From a trained spiking neural network to proven Verilog.", allow_abbrev=False)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in _COMMANDS:
        name = module.__name__.rpartition(".")[2]
        # The description of a subcommand is the docstring of its file.
        text = (module.__doc__ or "").strip()
        sub = subparsers.add_parser(name, help=text.splitlines()[0].rstrip("."), description=text, allow_abbrev=False,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return parser


def _complain(text: str) -> None:
    # One paragraph, whatever a library put into its message, and no control characters that a hostile file put into a name.
    text = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    print("spikeloom: error:", text, file=sys.stderr)


def _run(argv: Sequence[str] | None) -> int:
    try:
        args = _parser().parse_args(argv)
    except SystemExit:  # --help and --version: printed, and nothing to run
        return 0
    return int(args.run(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Parameters
    ----------
    argv : arguments without the program's name; those of the process if None.

    Returns
    -------
    int
        The exit status.
    """
    ended: list[int] = []

    def end(number: int, _: object) -> None:
        ended.append(number)
        raise KeyboardInterrupt  # what is half written is removed on its way up

    before = signal.signal(signal.SIGTERM, end) if threading.current_thread() is threading.main_thread() else None
    try:
        status = _run(argv)
        sys.stdout.flush()  # here, so that a closed pipe is met while it can still be handled
        return status
    except KeyboardInterrupt:
        return 128 + ended[0] if ended else 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python flushes stdout once more at exit: let it go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MismatchError as error:
        _complain(str(error))
        return 1
    except SpikeLoomError as error:
        _complain(str(error))
        return 2
    except OSError as error:
        _complain(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
        return 2
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
