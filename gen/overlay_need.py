"""What a network needs of an overlay's tiles: a slice of a population at a time, bound by bound."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.arithmetic import Rounding, bits_signed
from ..spec.capacity import FRACTION_BITS, TileBounds, TileCapacity
from ..spec.errors import CapacityError
from ..spec.network import Kind, Model, Network, Population, Port, Readout
from ..spec.neuron import Reset
from .lists import list_axons
from .schedule import Schedule, slots_of
from .slices import Slice
from .updates import extra_shift, update_of

__all__ = ["HARMLESS", "Need", "check_supported", "need_of"]

_PLAIN = (Model.IF, Model.LIF, Model.LI)
# Bounds that are numbers, with their words: needed at most as many as there are.
BOUNDS = {"neurons": "neurons", "axons": "axons", "entries": "projections from one source", "slots": "timesteps of waiting events",
          "weight_bits": "bits per stored weight", "v_bits": "bits of membrane potential", "shift": "bits of shift behind the sums"}
# Resets that do nothing to a neuron whose threshold is 0, as that of a leaky integrator is.
HARMLESS = (Reset.NONE, Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY)


@dataclass(frozen=True, kw_only=True)
class Need(TileBounds):
    """Of a slice; ``reset`` and ``rounding`` are None where any will do."""

    reset: Reset | None
    rounding: Rounding | None

    def words(self, lanes: int) -> int:
        """Weight words on a tile of so many lanes."""
        return -(-self.neurons // lanes) * self.axons

    def shortage(self, tile: TileCapacity) -> float:
        """How far a tile's bounds are from what is needed, in shares of what it has, added up: to tell which tile is nearest."""
        words = self.words(tile.lanes) / tile.words
        return sum(max(share - 1, 0) for share in (words, *(getattr(self, name) / max(getattr(tile, name), 1) for name in BOUNDS)))

    def lacks(self, tile: TileCapacity) -> list[str]:
        """What it needs and a tile does not have, in words; empty where it fits."""
        reasons = [f"{getattr(self, name)} {what} needed and {getattr(tile, name)} available"
                   for name, what in BOUNDS.items() if getattr(self, name) > getattr(tile, name)]
        if self.words(tile.lanes) > tile.words:
            reasons.append(f"{self.words(tile.lanes)} weight words of {tile.lanes} lanes needed and {tile.words} available")
        if self.payload_min < tile.payload_min or self.payload_max > tile.payload_max:
            reasons.append(f"payloads {self.payload_min}..{self.payload_max} needed and {tile.payload_min}..{tile.payload_max} available")
        if self.values and not tile.values:
            reasons.append("its membranes are read, and the tile only sends spikes")
        if self.values and tile.reset not in HARMLESS:
            reasons.append(f"its membranes are read and never reset, and the tile has reset {tile.reset.value!r}")
        if self.reset is not None and self.reset is not tile.reset:
            reasons.append(f"reset {self.reset.value!r} needed and {tile.reset.value!r} available")
        if self.rounding is not None and self.rounding is not tile.rounding:
            reasons.append(f"rounding {self.rounding.value!r} needed and {tile.rounding.value!r} available")
        return reasons


def _unsupported(network: Network, p: Population) -> str | None:
    """Why no overlay can hold a population, or None."""
    if p.model not in _PLAIN:
        return f"its model is {p.model.name}, and an overlay has IF, LIF and LI"
    if p.held:
        return "its current is held, and an overlay's neurons keep none"
    if p.decay.kind == "shift":
        return "its decay is made of shifts, and an overlay has multipliers: quantize with --decay multiply"
    if p.spikes and (p.max_spikes > 1 or p.refractory or p.inhibition):
        return "it has several spikes per timestep, refractory timesteps or inhibition, which an overlay does not"
    if p.v_floor is not None:
        return "it has a lower clip of v (v_floor), which an overlay does not"
    if np.asarray(p.v_init).any():
        return "its initial potentials are not 0, as an overlay's are"
    if p.readout is Readout.VOTE:
        return "its readout is a vote, whose classes an overlay has no table for: use count"
    for q in network.incoming(p.name):
        if q.kind is Kind.CONV:
            return f"a convolution leads to it from {q.source!r}, and an overlay has dense projections"
        if q.port is not Port.CURRENT:
            return f"a projection to its port {q.port.value!r} comes from {q.source!r}, and an overlay has the port of the current alone"
    return None


def check_supported(network: Network) -> None:
    """Raises CapacityError, naming the first population that no overlay can hold, whatever its capacity."""
    for p in network.populations:
        reason = None if p.model is Model.INPUT else _unsupported(network, p)
        if reason is not None:
            raise CapacityError(f"Network {network.name!r} fits no overlay: population {p.name!r}: {reason}. Build a chip of its own for it, without "
                                "--overlay (docs/overlay.md says what an overlay holds).")


def need_of(network: Network, timing: Schedule, s: Slice) -> Need:
    """What a slice needs. The network must be supported, and its projections dense."""
    p, incoming = network.population(s.population), network.incoming(s.population)
    payloads = [network.population(q.source).payload_range for q in incoming]
    low, high = 0, 0
    for q in incoming:
        weights = q.weights.astype(np.int64) << extra_shift(network, q)
        low, high = min(low, int(weights.min())), max(high, int(weights.max()))
    factor = p.decay.factor
    exact = p.decay.kind == "none" or (p.beta is None and factor == 1 << (p.decay.fraction_bits or FRACTION_BITS))  # nothing is rounded
    return Need(
        neurons=s.size, axons=list_axons(network, {}, s)[0], slots=slots_of(network, timing, [p.name]), weight_bits=max(2, bits_signed(low, high)),
        entries=max([1, *(sum(q.source == source for q in incoming) for source in {q.source for q in incoming})]),
        payload_min=min((a for a, _ in payloads), default=1), payload_max=max((b for _, b in payloads), default=1),
        v_bits=p.v_bits, shift=update_of(network, p).input_shift, values=not p.spikes,
        reset=p.reset if p.spikes else None, rounding=None if exact else p.rounding)
