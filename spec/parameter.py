"""What a memory of a tile holds of each neuron."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ParameterSpec"]


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """A parameter that a tile's memory holds for each neuron: ``theta``, ``bias``, ``gate_bias``, ``jump``, ``beta``, ``alpha`` or ``v_init``."""

    name: str
    bits: int
    signed: bool
