"""``python -m spikeloom.software.train NAME --data DIR``: make a bundled network again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ...spec.archive import load_network, save_network
from ...spec.errors import FileFormatError, SpikeLoomError, ToolError

if TYPE_CHECKING:
    from .make import Maker

__all__ = ["main", "maker_of"]

MODELS = Path(__file__).resolve().parents[2] / "models"


def main(arguments: list[str] | None = None) -> int:
    """Train, quantize, score with the golden model, write; returns the exit status (2: an error that the user can mend)."""
    names = sorted(path.stem for path in MODELS.glob("*.toml"))
    parser = argparse.ArgumentParser(prog="python -m spikeloom.software.train", description=__doc__)
    parser.add_argument("name", choices=names, help="which network (models/NAME.toml is its recipe)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of train, val and test, .flac, .csv and _logmel40x50.npz, or that which "
                                                                 "holds the recipe's set; digits need none")
    parser.add_argument("-o", "--output", type=Path, metavar="NET.npz", help="default: models/NAME.npz")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder of checkpoints, from which a stopped training goes on; default: build/train")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of the training in floating point (default: cpu)")
    options = parser.parse_args(arguments)

    def progress(line: str) -> None:
        print(line, flush=True)

    try:
        if find_spec("torch") is None:
            raise ToolError("Training needs torch, which is not installed: pip install 'spikeloom[train]', or make venv-train.")
        if options.device == "cuda" and not _has_gpu():
            raise ToolError("--device cuda: torch finds no GPU here; leave --device out to train on the CPU.")
        from .digits.config import is_digits

        path = MODELS / f"{options.name}.toml"
        digits = is_digits(path)
        if options.data is None and not digits:
            raise FileFormatError(f"{options.name} is trained on recordings: give their folder with --data DIR.")
        if digits:
            from .digits.config import load_digits_config
            from .digits.make import make_digits

            network = make_digits(load_digits_config(path), progress).network
        elif options.name == "kws-small":
            from .small.config import load_config
            from .small.recipe import make_network

            network = make_network(load_config(path), options.data, progress)
        else:
            from .card import write_scores

            maker = maker_of(options.name, options.data, options.work or MODELS.parent / "build" / "train", progress, options.device)
            network = write_scores(maker, maker.make(), progress)
        output = options.output or MODELS / f"{options.name}.npz"
        save_network(network, output)
        progress(f"wrote {output}, digest {network.digest[:16]}")
    except SpikeLoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def maker_of(name: str, data: Path, work: Path, progress: Callable[[str], None], device: str = "cpu") -> Maker:
    """What makes the bundled network ``name``, with what it starts from; checkpoints in ``work / name``."""
    from .make import Maker
    from .recipe import load_recipe

    recipe = load_recipe(MODELS / f"{name}.toml")
    start = load_network(MODELS / f"{recipe.start}.npz") if recipe.start else None
    first = recipe.teachers.start
    elder = Maker(load_recipe(MODELS / f"{first}.toml"), data, work / first, progress, device=device) if first else None
    return Maker(recipe, data, work / name, progress, start, elder, device)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
