"""What follows from a neuron model and from the format of a membrane, for all that have one."""

from __future__ import annotations

from .neuron import Model

__all__ = ["MembraneFormat", "ModelTraits"]

_FIRING = (Model.IF, Model.LIF, Model.CUBALIF, Model.SPIKGRU, Model.ALIF, Model.RELU)
_CURRENT = (Model.CUBALIF, Model.CUBALI, Model.SPIKGRU)


class ModelTraits:
    """Of a class with a ``model``: what such neurons have."""

    model: Model

    @property
    def spikes(self) -> bool:
        """Whether its neurons send events by a threshold: spikes, or changes of an activation."""
        return self.model in _FIRING

    @property
    def has_current(self) -> bool:
        """Whether its neurons have a synaptic current i."""
        return self.model in _CURRENT

    @property
    def has_gate(self) -> bool:
        """Whether its neurons have a gate z."""
        return self.model is Model.SPIKGRU

    @property
    def changes(self) -> bool:
        """Whether its events are changes of an activation, positive or negative."""
        return self.model is Model.RELU

    @property
    def adapts(self) -> bool:
        """Whether its thresholds adapt."""
        return self.model is Model.ALIF


class MembraneFormat:
    """Of a class with ``v_bits`` and ``v_floor``: the range of a membrane potential."""

    v_bits: int
    v_floor: int | None

    @property
    def v_min(self) -> int:
        """Smallest membrane potential of the format."""
        return -(1 << (self.v_bits - 1))

    @property
    def v_max(self) -> int:
        """Largest membrane potential."""
        return (1 << (self.v_bits - 1)) - 1

    @property
    def low(self) -> int:
        """Smallest membrane potential: ``v_floor`` where there is one."""
        return self.v_min if self.v_floor is None else self.v_floor
