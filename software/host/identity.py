"""What a device says of itself."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...gen.identity import IDENTITY_FORMAT
from ...spec.capacity import Capacity
from ...spec.errors import CapacityError, DeviceError
from ...spec.tile import MEMORIES

__all__ = ["Identity", "InputPort", "OutputPort", "TileMemories"]


_MOST_BYTES = 1 << 20  # of an identity


class InputPort(NamedTuple):
    """An input population."""

    population: str
    size: int
    payload_min: int
    payload_max: int


class OutputPort(NamedTuple):
    """An output population; ``values`` is how many readouts READ gives of it."""

    population: str
    size: int
    readout: str
    values: int


class TileMemories(NamedTuple):
    """Lanes of a tile, and depth and width of its memories by their numbers; None where it has none."""

    lanes: int
    update_lanes: int
    memories: tuple[tuple[int, int] | None, ...]


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The answer to IDENTIFY.

    Parameters
    ----------
    name : of the chip.
    architecture : digest of its plan: a network whose plan has the same one can be loaded.
    network : digest of the network that it was built with. What was loaded later it does not know: see ``Device.verify``.
    options : with which plans for it are made: lanes, tiles, fabric, storage, export, counters, readable, memories.
    clock_hz, baud, depth, places : of the link; bytes of its operation queue, places of its record queue.
    reads : its memories can be read.
    inputs, outputs, tiles : what it has.
    capacity : of an overlay, which any network can be loaded into that fits; inputs and outputs are then the most there can be.
    """

    name: str
    architecture: str
    network: str
    options: dict[str, Any]
    clock_hz: int
    baud: int
    depth: int
    places: int
    reads: bool
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]
    tiles: tuple[TileMemories, ...]
    capacity: Capacity | None = None

    @property
    def channels(self) -> int:
        """Of all inputs together."""
        return sum(i.size for i in self.inputs)

    def located(self, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Input population and neuron of each channel, the channels being those of all inputs one after the other."""
        bases = np.cumsum([0, *(i.size for i in self.inputs)])
        population = np.searchsorted(bases, channel, side="right") - 1
        return population, channel - bases[population]

    @classmethod
    def decode(cls, text: bytes) -> Identity:
        """The identity of an answer. Raises DeviceError if it is none, or one of another version."""
        try:
            found = json.loads(_plain(text))
            if found["format"] != IDENTITY_FORMAT:
                raise DeviceError(f"The device's identity is of format {found['format']!r}, and this SpikeLoom reads {IDENTITY_FORMAT}; "
                                  "build its image again, or take the SpikeLoom that it was built with")
            link = {name: _number(found["link"][name]) for name in ("clock_hz", "baud", "depth", "places")}
            options = {name: found["options"][name] for name in ("lanes", "tiles", "fabric", "storage", "export", "counters", "readable", "memories")}
            if not all(n is None or 0 < _number(n) < 1 << 16 for n in (options["lanes"], options["tiles"])) \
                    or options["fabric"] not in ("auto", "star", "mesh") or options["storage"] not in ("auto", "dense", "as-given") \
                    or options["memories"] not in MEMORIES or not all(type(options[name]) is bool for name in ("export", "counters", "readable")):
                raise ValueError("its options are none of a plan")
            memories = [[None if size is None else (_number(size[0]), _number(size[1])) for size in tile["memories"]] for tile in found["tiles"]]
            return cls(
                name=str(found["name"]), architecture=str(found["architecture"]), network=str(found["network"]),
                options=options, **link, reads=bool(found["reads"]),
                inputs=tuple(InputPort(str(p), _number(n), int(low), int(high)) for p, n, low, high in found["inputs"]),
                outputs=tuple(OutputPort(str(p), _number(n), str(r), _number(values)) for p, n, r, values in found["outputs"]),
                tiles=tuple(TileMemories(_number(tile["lanes"]), _number(tile["update_lanes"]), tuple(held))
                            for tile, held in zip(found["tiles"], memories, strict=True)),
                capacity=Capacity.from_json(found["capacity"]) if "capacity" in found else None)
        except (CapacityError, ValueError, KeyError, TypeError, IndexError, RecursionError, zlib.error) as error:
            raise DeviceError(f"The device does not identify itself as a SpikeLoom chip ({type(error).__name__}: {error})") from None


def _plain(text: bytes) -> bytes:
    """JSON, unpacked where it came compressed (zlib, whose first byte no JSON has)."""
    if text[:1] != b"x":
        return text
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(text, _MOST_BYTES)
    if not unpacking.eof:
        raise ValueError(f"it is cut short, or longer than {_MOST_BYTES} bytes")
    return plain


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise ValueError(f"{value!r} is no number of anything")
    return value
