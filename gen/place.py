"""Where each tile is: nothing to decide on a star; on a mesh, tiles that talk much are put close together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .keys import Keys

__all__ = ["AUTO_STAR_TILES", "Placement", "place"]

AUTO_STAR_TILES = 8  # a star's arbiters and multiplexers grow with the tiles that talk to each other; a router costs about 500 LUTs
MAX_ROUNDS = 20  # of pairwise swaps; each is an improvement, so that few are needed


@dataclass(frozen=True, kw_only=True)
class Placement:
    """``kind`` is ``star`` or ``mesh`` of ``width`` x ``height``; ``position[tile]`` = (x, y), x to the east, y to the south."""

    kind: str
    width: int
    height: int
    position: tuple[tuple[int, int], ...]

    @property
    def tile_at(self) -> dict[tuple[int, int], int]:
        """Tile of each position that has one."""
        return {at: tile for tile, at in enumerate(self.position)}


def _flows(keys: Keys) -> list[tuple[int, int, int]]:
    """(from, to, expected traffic); -1 is the host. A source counts with its size, once per listener."""
    flows = []
    for spec, tiles, to_host in zip(keys.specs, keys.tiles, keys.to_host):
        origin = spec.origin.index if spec.origin.kind == "tile" else -1
        flows += [(origin, t, spec.size) for t in (*tiles, *([-1] if to_host else [])) if t != origin]
    return flows


def _hops(a: tuple[int, int], b: tuple[int, int]) -> int:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def traffic_hops(keys: Keys, position: Sequence[tuple[int, int]]) -> int:
    """Sum of expected traffic times hops between routers; the host is at router (0, 0)."""
    where = {-1: (0, 0), **dict(enumerate(position))}
    return sum(traffic * _hops(where[a], where[b]) for a, b, traffic in _flows(keys))


def _greedy(flows: list[tuple[int, int, int]], tiles: int, free: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Place the tile that talks most with what is placed already, where that costs least; the host is placed at first."""
    placed = {-1: (0, 0)}
    free = list(free)
    while len(placed) <= tiles:
        pull = {t: sum(n for a, b, n in flows if (a == t and b in placed) or (b == t and a in placed))
                for t in range(tiles) if t not in placed}
        tile = max(pull, key=lambda t: (pull[t], -t))
        near = [(placed[b if a == tile else a], n) for a, b, n in flows if tile in (a, b) and (b if a == tile else a) in placed]
        best = min(free, key=lambda at: (sum(n * _hops(at, other) for other, n in near), _hops(at, (0, 0)), at))
        placed[tile] = best
        free.remove(best)
    return [placed[t] for t in range(tiles)]


def place(keys: Keys, tiles: int, kind: str = "auto") -> Placement:
    """Choose the fabric (``auto``: star for up to 8 tiles, mesh beyond) and a position for each tile.

    The mesh is as square as possible. Deterministic: greedy, then swaps of two positions (one may be empty) as long as they help.
    Raises ValueError for an unknown kind.
    """
    if kind not in ("auto", "star", "mesh"):
        raise ValueError(f"Fabric must be 'auto', 'star' or 'mesh', not {kind!r}")
    if kind == "star" or (kind == "auto" and tiles <= AUTO_STAR_TILES):
        return Placement(kind="star", width=1, height=1, position=((0, 0),) * tiles)
    width = 1
    while width * width < tiles:
        width += 1
    height = -(-tiles // width)
    spots = [(x, y) for y in range(height) for x in range(width)]
    flows = _flows(keys)
    position = _greedy(flows, tiles, spots)
    spots = position + [s for s in spots if s not in position]
    touching: dict[int, list[tuple[int, int]]] = {t: [] for t in range(len(spots))}
    for a, b, n in flows:
        for own, other in ((a, b), (b, a)):
            if own >= 0:
                touching[own].append((other, n))

    def cost(t: int, at: tuple[int, int], swapped: int) -> int:
        """Of tile t at a place, all else unchanged; the flows between two swapped tiles keep their length and are left out."""
        return sum(n * _hops(at, spots[o] if o >= 0 else (0, 0)) for o, n in touching[t] if o != swapped)

    for _ in range(MAX_ROUNDS):
        improved = False
        for i in range(tiles):
            for j in range(i + 1, len(spots)):
                before = cost(i, spots[i], j) + cost(j, spots[j], i)
                if cost(i, spots[j], j) + cost(j, spots[i], i) < before:
                    spots[i], spots[j], improved = spots[j], spots[i], True
        if not improved:
            break
    assert len(set(spots)) == width * height
    return Placement(kind="mesh", width=width, height=height, position=tuple(spots[:tiles]))
