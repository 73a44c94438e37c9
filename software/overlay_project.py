"""The plan of an overlay with its reference network in it: what ``spikeloom build --overlay`` makes a project of, and how one is read back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..gen.emit import manifest
from ..gen.overlay_capacity import capacity_of
from ..gen.overlay_chip import overlay_chip
from ..gen.overlay_fit import Loaded, fit
from ..gen.overlay_pack import config_payloads, overlay_image
from ..spec.capacity import Capacity
from ..spec.chip import ChipSpec
from ..spec.errors import CapacityError
from ..spec.image import MemoryImage
from ..spec.network import Network

__all__ = ["OverlayPlan", "load_project", "plan_overlay", "read_overlay", "wishes"]

_LEAST = {"shift": 0, "values": 0, "payload_min": -(1 << 8), "payload_max": -(1 << 8)}  # of a capacity; 1 of all others


@dataclass(frozen=True, kw_only=True)
class OverlayPlan:
    """An overlay, a network in it, and the image of all its memories and settings."""

    hardware: ChipSpec
    loaded: Loaded
    image: MemoryImage


def wishes(texts: Sequence[str]) -> dict[str, list[int]]:
    """The capacity that ``--capacity`` asks for: ``name=number`` or, one per tile, ``name=number/number/...``, with commas between them.

    Raises CapacityError for anything else, a name that is given twice, or a number below what any network needs.
    """
    found: dict[str, list[int]] = {}
    for wish in (part.strip() for text in texts for part in text.split(",")):
        name, _, values = wish.partition("=")
        try:
            numbers = [int(value) for value in values.split("/")]
        except ValueError:
            raise CapacityError(f"Capacity {wish!r} must be NAME=NUMBER, or NAME=NUMBER/NUMBER/... with one per tile") from None
        least = _LEAST.get(name, 1)
        if min(numbers) < least:
            raise CapacityError(f"Capacity {wish!r}: {name} is {least} or more; a capacity widens what the networks need, and never narrows it")
        if name in found:
            raise CapacityError(f"Capacity {name!r} is given twice")
        found[name] = numbers
    return found


def plan_overlay(network: Network, *, lanes: int | None, tiles: int | None, readable: bool, also: Sequence[Network],
                 capacity: Mapping[str, Sequence[int]], refused: Mapping[str, bool]) -> OverlayPlan:
    """Plan an overlay for a reference network.

    Parameters
    ----------
    tiles : at least so many.
    also, capacity : what there must be room for beyond the network, see :func:`~spikeloom.gen.overlay_capacity.capacity_of`.
    refused : options that no overlay has, and whether they were asked for.

    Raises CapacityError for those, and where a network cannot be held.
    """
    for name, asked in refused.items():
        if asked:
            raise CapacityError(f"An overlay cannot be built with {name}: leave one of the two out")
    wanted = {**({"tiles": [tiles]} if tiles else {}), **capacity}
    hardware = overlay_chip(capacity_of(network, also=also, lanes=lanes, widen=wanted), readable=readable)
    loaded = fit(hardware, network)
    for other in also:
        fit(hardware, other)
    return OverlayPlan(hardware=hardware, loaded=loaded, image=overlay_image(hardware, loaded))


def read_overlay(plan: Mapping[str, Any], network: Network, name: str) -> OverlayPlan:
    """The plan of a project from its manifest and network. Raises CapacityError, ValueError, KeyError or TypeError for one that was changed."""
    hardware = overlay_chip(Capacity.from_json(plan["capacity"]), readable=bool(plan["readable"]), name=name)
    loaded = fit(hardware, network)
    return OverlayPlan(hardware=hardware, loaded=loaded, image=overlay_image(hardware, loaded))


def load_project(folder: Path, found: Mapping[str, Any], network: Network) -> tuple[ChipSpec, Network, Path, np.ndarray]:
    """Another network on the Verilog of an overlay's project, whose manifest is ``found``.

    Returns its plan, the network as it is stored, a folder with the same Verilog and its own manifest, and the payloads of the configuration port
    that load it, ``[n], uint64``. Raises CapacityError where it does not fit, or the project is no overlay.
    """
    if "capacity" not in found["plan"]:
        raise CapacityError(f"{folder} is a chip for one network, and takes no other shape: build it with --overlay")
    own = read_overlay(found["plan"], network, str(found["name"]))
    directory = folder / "build" / f"loaded-{own.loaded.network.digest[:16]}"
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / found["top"], directory / "chip.v")
    described = manifest(own.loaded.chip, own.loaded.network, hardware=own.hardware, places=own.loaded.places)
    (directory / "manifest.json").write_text(json.dumps(described, indent=1) + "\n")
    return own.loaded.chip, own.loaded.network, directory, config_payloads(own.hardware, own.image)
