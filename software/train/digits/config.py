"""The recipe of a network of digits, one TOML file: ANN, conversion, hybrid training, DIET-SNN, integers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ....spec.errors import FileFormatError
from ..fit import FitConfig
from ..recipe import QuantizeConfig, read_table, section

__all__ = ["ConversionConfig", "DigitsConfig", "SpikingConfig", "is_digits", "load_digits_config"]

KEPT = ("converted", "diet")


@dataclass(frozen=True, kw_only=True)
class ConversionConfig:
    """Arguments of :func:`spikeloom.software.convert.balance.convert` on ``clips`` of the training set; ``steps``: timesteps to score."""

    percentile: float
    clips: int
    steps: list[int]
    start: float = 0.5


@dataclass(frozen=True, kw_only=True)
class SpikingConfig:
    """Training as a spiking network of so many timesteps, started from a conversion by this ``percentile``."""

    steps: int
    percentile: float
    training: FitConfig
    start: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DigitsConfig:
    """A recipe.

    Parameters
    ----------
    layers : in order, ``"conv N"`` (3 x 3, padded, N channels), ``"again N K"`` (one such layer, K times, with one matrix: a backward-residual
        block), ``"pool N"`` (average of N x N); a linear layer to the ten classes ends it.
    batch_norm : behind every convolution.
    shift : pixels by which training pictures are moved at most, each way.
    keep : which network is bundled, ``"converted"`` or ``"diet"``.
    """

    kind: str
    name: str
    seed: int
    layers: list[str]
    batch_norm: bool
    shift: int
    keep: str
    ann: FitConfig
    conversion: ConversionConfig
    hybrid: SpikingConfig
    diet: SpikingConfig
    quantize: QuantizeConfig

    def __post_init__(self) -> None:
        for words in map(str.split, self.layers):
            count = {"conv": 1, "pool": 1, "again": 2}.get(words[0] if words else "")
            if count is None or len(words) != count + 1 or not all(word.isdecimal() and 1 <= int(word) <= 256 for word in words[1:]):
                raise FileFormatError(f"Recipe {self.name}: a layer is 'conv N', 'pool N' or 'again N K' (numbers of 1 to 256), not "
                                      f"{' '.join(words)!r}")
        if self.keep not in KEPT:
            raise FileFormatError(f"Recipe {self.name}: keep is {' or '.join(KEPT)}, not {self.keep!r}")


_SECTIONS = {"ann": FitConfig, "training": FitConfig, "conversion": ConversionConfig, "hybrid": SpikingConfig, "diet": SpikingConfig,
             "quantize": QuantizeConfig}


def is_digits(path: Path) -> bool:
    """Whether a recipe is one of digits; FileFormatError if it cannot be read."""
    return read_table(path).get("kind") == "digits"


def load_digits_config(path: Path) -> DigitsConfig:
    """Read a recipe; raises FileFormatError if the file is missing, is not TOML, or lacks or adds an entry."""
    return section(DigitsConfig, read_table(path), str(path), _SECTIONS)
