"""The capacity of an overlay: a chip into which any network that fits is loaded, and what each of its parts has room for.

Plain integers, frozen, and JSON both ways: a device tells its capacity to whoever asks, and a host plans for it from that alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .arithmetic import Rounding
from .errors import CapacityError
from .neuron import Reset

__all__ = ["FRACTION_BITS", "Capacity", "InputCapacity", "TileBounds", "TileCapacity"]

FRACTION_BITS = 12  # of the factor of a decay: as many as a network may have

# Smallest and largest value of every bound; the hardware's counters and the link's numbers end there.
_RANGES = {"neurons": (1, 1 << 14), "axons": (1, 1 << 16), "words": (1, 1 << 20), "entries": (1, 16), "slots": (1, 64), "lanes": (1, 1 << 10),
           "update_lanes": (1, 1 << 10), "weight_bits": (2, 16), "payload_min": (-256, 255), "payload_max": (-256, 255), "v_bits": (2, 32),
           "shift": (0, 31), "size": (1, 1 << 15), "levels": (1, 64), "period": (1, 16)}


def _check(where: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in _RANGES:
            low, high = _RANGES[name]
            if type(value) is not int or not low <= value <= high:
                raise CapacityError(f"{where}: {name} must be {low} to {high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class InputCapacity:
    """An input port: ``size`` neurons whose payloads are ``payload_min`` .. ``payload_max``."""

    size: int
    payload_min: int
    payload_max: int

    def __post_init__(self) -> None:
        _check("An input of the overlay", asdict(self))


@dataclass(frozen=True, kw_only=True)
class TileBounds:
    """What a population, or a slice of one, needs of a tile, and what a tile has room for.

    Parameters
    ----------
    neurons, axons : neurons and input lines.
    entries : projections from one source population.
    slots : S, timesteps of events that are held; a power of two.
    weight_bits : width of a weight with what its shift exceeds those of its neighbours by.
    payload_min, payload_max : of the events that arrive.
    v_bits : widest membrane potential.
    shift : largest left shift of a sum into v.
    values : its neurons may be leaky integrators that are read, which send v.
    """

    neurons: int
    axons: int
    entries: int
    slots: int
    weight_bits: int
    payload_min: int
    payload_max: int
    v_bits: int
    shift: int
    values: bool


@dataclass(frozen=True, kw_only=True)
class TileCapacity(TileBounds):
    """What one tile has room for: one population, or a slice of one.

    Parameters
    ----------
    words : of P weights (a row of P neurons takes one per axon).
    lanes, update_lanes : P and U.
    reset, rounding : the reset rule of its spiking neurons, and the rounding of their decay.
    """

    words: int
    lanes: int
    update_lanes: int
    reset: Reset
    rounding: Rounding

    def __post_init__(self) -> None:
        _check("A tile of the overlay", asdict(self))
        if self.slots & (self.slots - 1):
            raise CapacityError(f"A tile of the overlay: slots must be a power of two, not {self.slots}")
        if self.update_lanes & (self.update_lanes - 1) or self.lanes % self.update_lanes:
            raise CapacityError(f"A tile of the overlay: update lanes must be a power of two that divides the lanes, "
                                f"not {self.update_lanes} of {self.lanes}")
        if self.payload_min > self.payload_max:
            raise CapacityError(f"A tile of the overlay: payloads {self.payload_min}..{self.payload_max} are none")

    @property
    def rows(self) -> int:
        """Rows of P neurons."""
        return -(-self.neurons // self.lanes)


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The capacity of an overlay.

    Parameters
    ----------
    tiles, inputs : see their classes.
    outputs : number of output populations.
    output_size : neurons of the largest of them.
    readouts : words of the readout memory, for all of them.
    levels : phases after the last timestep's input until its last output, at most.
    period : phases per timestep, at most.
    """

    tiles: tuple[TileCapacity, ...]
    inputs: tuple[InputCapacity, ...]
    outputs: int
    output_size: int
    readouts: int
    levels: int
    period: int

    def __post_init__(self) -> None:
        _check("The overlay", {"levels": self.levels, "period": self.period})
        for name, value, most in (("tiles", len(self.tiles), 32), ("inputs", len(self.inputs), 16), ("outputs", self.outputs, 16),
                                  ("output_size", self.output_size, 1 << 15), ("readouts", self.readouts, 1 << 15)):
            if type(value) is not int or not 1 <= value <= most:
                raise CapacityError(f"The overlay: {name} must be 1 to {most}, not {value!r}")

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        found = asdict(self)
        for tile in found["tiles"]:
            tile.update(reset=tile["reset"].value, rounding=tile["rounding"].value)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @classmethod
    def from_json(cls, found: Any) -> Capacity:
        """The capacity that :meth:`to_json` wrote. Raises CapacityError for a value out of range, ValueError, KeyError or TypeError for
        another form."""
        tiles = []
        for tile in found["tiles"]:
            values = {f.name: tile[f.name] for f in fields(TileCapacity)}
            if type(values["values"]) is not bool:
                raise ValueError("values must be true or false")
            tiles.append(TileCapacity(**{**values, "reset": Reset(values["reset"]), "rounding": Rounding(values["rounding"])}))
        inputs = tuple(InputCapacity(**{f.name: i[f.name] for f in fields(InputCapacity)}) for i in found["inputs"])
        return cls(tiles=tuple(tiles), inputs=inputs, **{name: found[name] for name in ("outputs", "output_size", "readouts", "levels", "period")})
