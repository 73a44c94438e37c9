"""Who sends events, and who listens: the keys of a partitioned network.

A key is one source of events: an input population that something listens to, or a slice whose spikes another population,
its own, or the host wants. Inputs come first, in network order, then the slices, tile by tile.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.chip import Endpoint, KeySpec
from ..spec.network import Network
from .lists import heard
from .partition import Partition, Slice

__all__ = ["Keys", "assign_keys"]


@dataclass(frozen=True, kw_only=True)
class Keys:
    """The keys of a chip.

    Parameters
    ----------
    specs : one per key; a key's number is its index.
    tiles : for each key, the tiles that its events go to, ascending.
    to_host : for each key, whether its events leave the chip.
    """

    specs: tuple[KeySpec, ...]
    tiles: tuple[tuple[int, ...], ...]
    to_host: tuple[bool, ...]

    def find(self, s: Slice) -> int | None:
        """Number of the key of a slice (or of a whole input population), or None if nobody listens to it."""
        for number, key in enumerate(self.specs):
            if (key.population, key.first) == (s.population, s.first):
                return number
        return None


def assign_keys(network: Network, partition: Partition) -> Keys:
    """Number the sources of events of a partitioned network, and say where each one's events go."""
    sources = [(Slice(population=p.name, first=0, size=p.size), Endpoint("host")) for p in network.inputs]
    sources += [(s, Endpoint("tile", t)) for t, tile in enumerate(partition.tiles) for s in tile.slices]
    specs, tiles, to_host = [], [], []
    hears = [{s for own in tile.slices for p in network.incoming(own.population) for s in heard(network, partition.sources, own, p)}
             for tile in partition.tiles]
    for s, origin in sources:
        output = network.population(s.population).output
        listeners = tuple(t for t, slices in enumerate(hears) if s in slices)
        if not listeners and not output:  # of a map also rows that no window reaches
            continue
        specs.append(KeySpec(population=s.population, first=s.first, size=s.size, origin=origin, run=s.run, pitch=s.pitch,
                             apart=s.pitch if output else 0))
        tiles.append(listeners)
        to_host.append(output)
    return Keys(specs=tuple(specs), tiles=tuple(tiles), to_host=tuple(to_host))
