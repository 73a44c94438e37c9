"""The training configuration: one TOML file per network, checked and frozen."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from ....spec.errors import FileFormatError

__all__ = ["AugmentConfig", "NetworkConfig", "TrainConfig", "TrainingConfig", "VoiceConfig", "load_config"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape and number formats; decays are counts of 1/256."""

    hidden: int
    input_delays: list[int]
    weight_bits: int
    beta_hidden: int
    beta_readout: int
    input_shift: int
    guard_bits: int
    v_bits: int
    readout_guard_bits: int


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Optimisation: Adam, one cycle of the learning rate, running mean of the weights."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    surrogate_slope: float
    dropout: float
    label_smoothing: float
    average_decay: float
    rate_target: float
    rate_floor: float
    rate_weight: float
    patience: int


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How training clips are varied; levels in feature steps (1/8 octave of power, 0.376 dB)."""

    speeds: list[float]
    shift_frames: int
    gain: list[int]
    tilt: float
    noise_level: list[int]
    noise_chance: float
    band_masks: int
    band_mask: int
    frame_mask: int


@dataclass(frozen=True, kw_only=True)
class VoiceConfig:
    """The synthetic voices of espeak-ng: every name with every speed (words per minute) and pitch (0..99)."""

    names: list[str]
    speeds: list[int]
    pitches: list[int]
    other_words: list[str]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One network's whole recipe."""

    name: str
    seed: int
    front_end: dict
    network: NetworkConfig
    training: TrainingConfig
    augment: AugmentConfig
    voices: VoiceConfig


def _section(kind, table: dict, where: str):
    names = {f.name for f in fields(kind)}
    if set(table) != names:
        wrong = sorted(set(table) ^ names)
        raise FileFormatError(f"{where}: {', '.join(wrong)} missing or unknown; it takes {', '.join(sorted(names))}.")
    return kind(**table)


def load_config(path: Path) -> TrainConfig:
    """Read a configuration; raises FileFormatError if the file is missing, is not TOML, or lacks or adds an entry."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path} is not a readable training configuration: {error}.") from None
    sections = {"network": NetworkConfig, "training": TrainingConfig, "augment": AugmentConfig, "voices": VoiceConfig}
    for name, kind in sections.items():
        table[name] = _section(kind, table.get(name, {}), f"{path}, [{name}]")
    return _section(TrainConfig, table, str(path))
