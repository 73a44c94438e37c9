"""What a network needs on a device: the words of its memories, and whether they fit."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ...gen.identity import architecture_digest, memory_sizes
from ...gen.overlay_chip import overlay_chip
from ...gen.overlay_fit import fit
from ...gen.overlay_pack import overlay_image
from ...gen.pack import pack
from ...gen.plan import plan
from ...gen.storage import choose_storage
from ...spec.chip import ChipSpec
from ...spec.errors import CapacityError, SpikeLoomError
from ...spec.network import Network
from ...spec.settings import WORD
from .identity import Identity, InputPort, OutputPort

__all__ = ["MEMORIES", "MemoryWords", "Program", "program_of"]

MEMORIES = ("weights", "parameters", "axon table", "sparse weights", "pointers", "states", "settings")


@dataclass(frozen=True, kw_only=True)
class MemoryWords:
    """Words of a memory of a tile, each of ``width`` bits, from address 0 on."""

    tile: int
    memory: int
    width: int
    words: tuple[int, ...]

    @property
    def digest(self) -> int:
        """What DIGEST gives of them: CRC-32 of their parts of 32 bits, each with its low byte first."""
        size = 4 * -(-self.width // 32)
        return zlib.crc32(b"".join(word.to_bytes(size, "little") for word in self.words))


@dataclass(frozen=True, kw_only=True)
class Program:
    """A network for a device: its digest, all memories that hold it, and its inputs and outputs in the order of their numbers."""

    network: Network
    memories: tuple[MemoryWords, ...]
    inputs: tuple[InputPort, ...]
    outputs: tuple[OutputPort, ...]


def program_of(network: Network, identity: Identity) -> Program:
    """The program of a network for a device, planned as the device's own network was.

    Raises CapacityError, and says why, if the network does not fit.
    """
    if identity.capacity is not None:
        return _loaded(network, identity)
    options = identity.options
    try:
        stored, _ = choose_storage(network, lanes=options["lanes"], tiles=options["tiles"], storage=options["storage"])
        chip = plan(stored, **{name: value for name, value in options.items() if name != "storage"}, writable=True)
    except SpikeLoomError as error:
        raise CapacityError(f"Network {network.name!r} does not fit the device {identity.name!r}: {error}") from None
    if architecture_digest(chip) != identity.architecture:
        raise CapacityError(f"Network {network.name!r} does not fit the device {identity.name!r}: "
                            f"{'; '.join(_reasons(chip, identity))}. Build an image for this network, or load one of the shape that the device was "
                            "built for")
    held = []
    for number, (tile, image) in enumerate(zip(chip.tiles, pack(chip, stored).tiles, strict=True)):
        for memory, (size, words) in enumerate(zip(memory_sizes(chip, tile), image.words(tile))):
            if size is not None and size[0] and size[1]:
                held.append(MemoryWords(tile=number, memory=memory, width=size[1], words=tuple(words)))
    return Program(network=stored, memories=tuple(held), inputs=identity.inputs, outputs=identity.outputs)


def _loaded(network: Network, identity: Identity) -> Program:
    """The same for an overlay, whose memories are only written as far as the network goes."""
    assert identity.capacity is not None
    try:
        overlay = overlay_chip(identity.capacity, readable=bool(identity.options["readable"]))
        if architecture_digest(overlay) != identity.architecture:
            raise CapacityError("another version of SpikeLoom built the overlay, whose registers may lie elsewhere; build its image again")
        loaded = fit(overlay, network)
        image = overlay_image(overlay, loaded)
    except SpikeLoomError as error:
        raise CapacityError(f"Device {identity.name!r}: {error}") from None
    held = [MemoryWords(tile=0, memory=MEMORIES.index("settings"), width=WORD, words=image.settings)]
    for part, number in zip(loaded.chip.tiles, loaded.places, strict=True):
        tile = overlay.tiles[number]
        used = {0: part.weight_depth, 1: part.n_updates}
        for memory, (size, words) in enumerate(zip(memory_sizes(overlay, tile), image.tiles[number].words(tile))):
            own = words[:used.get(memory, len(words))]
            if size is not None and size[1] and own:
                held.append(MemoryWords(tile=number, memory=memory, width=size[1], words=tuple(own)))
    return Program(network=loaded.network, memories=tuple(held),
                   inputs=tuple(InputPort(i.population, i.size, i.payload_min, i.payload_max) for i in loaded.chip.inputs),
                   outputs=tuple(OutputPort(o.population, o.size, o.readout.value, o.n_values) for o in loaded.chip.outputs))


def _reasons(chip: ChipSpec, identity: Identity) -> list[str]:
    """How a plan differs from a device: the first few of what a user can see."""
    inputs = [(i.population, i.size) for i in chip.inputs]
    outputs = [(o.population, o.size, o.readout.value) for o in chip.outputs]
    reasons = []
    if inputs != [(i.population, i.size) for i in identity.inputs]:
        reasons.append(f"it has the inputs {inputs}, and the device {[(i.population, i.size) for i in identity.inputs]}")
    if outputs != [(o.population, o.size, o.readout) for o in identity.outputs]:
        reasons.append(f"it has the outputs {outputs}, and the device {[(o.population, o.size, o.readout) for o in identity.outputs]}")
    if len(chip.tiles) != len(identity.tiles):
        reasons.append(f"it needs {len(chip.tiles)} tiles, and the device has {len(identity.tiles)}")
    for number, (tile, there) in enumerate(zip(chip.tiles, identity.tiles)):
        for memory, (need, has) in enumerate(zip(memory_sizes(chip, tile), there.memories)):
            if need != has:
                words = [f"{size[0]} words of {size[1]} bits" if size else "none" for size in (need, has)]
                reasons.append(f"tile {number} needs {words[0]} of {MEMORIES[memory]}, and has {words[1]}")
    shown = reasons[:4] or ["its models, delays, decays or the ranges of its sums ask for another circuit"]
    return [*shown, f"and {len(reasons) - 4} more differences"] if len(reasons) > 4 else shown
