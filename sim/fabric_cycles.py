"""When the network on chip delivers flits: section 4 of docs/architecture.md, and the input registers of the tiles.

A flit that meets no other needs a fixed time, so first all flits of all phases are delivered as if they were alone (NumPy). That is
exact where no two of them want the same output or input register in the same cycle. Any other phase is gone through again cycle by
cycle (:mod:`.switch_cycles`), with every arbiter as the phases before it have left it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..spec.chip import ChipSpec, Endpoint
from .switch_cycles import SwitchCycles
from .tile_cycles import Flits
from .wiring import Wiring

__all__ = ["Delivery", "FabricCycles"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Delivery:
    """What became of the flits of Q segments; sources are the host port, then the tiles.

    Parameters
    ----------
    left : ``[sources, Q], int64``, cycle after the one in which the source's last flit was taken; 0 if it sent none.
    done : ``[Q], int64``, first cycle in which no queue, input register or output register holds a flit; 0 if none did.
    arrivals : per tile ``(segment, cycle, entries)``, each ``[flits], int64``: when its input register took a flit, for how long.
    contended : ``[Q], bool``, segments that were gone through cycle by cycle.
    """

    left: np.ndarray
    done: np.ndarray
    arrivals: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    contended: np.ndarray


@dataclass(frozen=True)
class _Hop:
    """An output on a flit's way: global number, requester at its arbiter, cycles since the source's flit was taken, its sink."""

    output: int
    requester: int
    delay: int
    sink: int | None  # tile, -1 for the host, None for another switch
    entries: int


class FabricCycles:
    """The network of one chip; remembers what every arbiter served last, from one call to the next.

    ``stepwise`` goes through every segment cycle by cycle (slow; the result is the same, which the tests assert).
    """

    def __init__(self, chip: ChipSpec, *, stepwise: bool = False) -> None:
        self._stepwise = stepwise
        self._n_tiles = len(chip.tiles)
        self._wiring = Wiring.of(chip)
        self._switches = SwitchCycles(self._wiring)
        self._hops = [self._tree(chip, key.origin, number) for number, key in enumerate(chip.keys)]
        busy_sinks = {hop.output for hops in self._hops for hop in hops if hop.entries > 1}
        self._watched = {o for o, ports in enumerate(self._wiring.requesters) if len(ports) > 1} | busy_sinks

    @property
    def hops(self) -> list[int]:
        """Links that one flit of each key passes, copies counted one by one."""
        return [len(hops) for hops in self._hops]

    @property
    def longest(self) -> int:
        """The most cycles that any flit spends in queues of the network when it is alone."""
        return max((hop.delay for hops in self._hops for hop in hops), default=0)

    def _tree(self, chip: ChipSpec, origin: Endpoint, key: int) -> list[_Hop]:
        """All outputs that a flit of ``key`` passes."""
        wiring, hops = self._wiring, []
        source = 0 if origin.kind == "host" else origin.index + 1
        todo = [(wiring.entry[source], 0)] if wiring.entry[source] is not None else []
        while todo:
            port, delay = todo.pop()
            assert port is not None
            delay += wiring.buffered[port]
            for output in wiring.routes[port].get(key, ()):
                target = wiring.target[output]
                sink = wiring.sink[output] if target is None else None
                entries = len(chip.tiles[sink].entries.get(key, ())) if sink is not None and sink >= 0 else 1
                hops.append(_Hop(output, wiring.requesters[output].index(port), delay, sink, max(entries, 1)))
                if target is not None:
                    todo.append((target, delay))
                if len(hops) > len(wiring.target):
                    raise ValueError(f"Routes of key {key} lead in a circle")
        return hops

    def deliver(self, sources: list[Flits], n_segments: int) -> Delivery:
        """Deliver the flits of ``n_segments`` segments; ``sources``: host port, then tiles."""
        left = np.zeros((len(sources), n_segments), dtype=np.int64)
        done = np.zeros(n_segments, dtype=np.int64)
        arrivals: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in range(self._n_tiles)]
        used: dict[int, list[tuple[np.ndarray, np.ndarray, int, int]]] = {o: [] for o in self._watched}
        for number, flits in enumerate(sources):
            taken = _one_per_cycle(flits)
            _keep_last(left[number], flits.segment, taken + 1)
            for key in np.unique(flits.key[flits.key >= 0]).tolist():
                mine = flits.key == key
                segment, cycle = flits.segment[mine], taken[mine]
                for hop in self._hops[key]:
                    if hop.output in used:
                        used[hop.output].append((segment, cycle + hop.delay, hop.requester, hop.entries))
                    if hop.sink is not None:
                        _keep_last(done, segment, cycle + hop.delay + hop.entries + 1)
                        if hop.sink >= 0:
                            arrivals[hop.sink].append((segment, cycle + hop.delay, np.full_like(cycle, hop.entries)))
        contended, last = self._contended(used, n_segments)
        stepped = self._step_through(sources, np.flatnonzero(contended), last, left, done)
        none = np.zeros(0, dtype=np.int64)
        result = []
        for parts, extra in zip(arrivals, stepped):
            segment, cycle, entries = (np.concatenate([none, *(p[i] for p in parts)]) for i in range(3))
            alone = ~contended[segment]
            result.append((np.concatenate([segment[alone], extra[0]]), np.concatenate([cycle[alone], extra[1]]),
                           np.concatenate([entries[alone], extra[2]])))
        return Delivery(left=left, done=done, arrivals=result, contended=contended)

    def _contended(self, used: dict, n_segments: int) -> tuple[np.ndarray, list[tuple[int, np.ndarray, np.ndarray]]]:
        """Segments in which two flits meet; and whom each output served last in which segment (output, segment, requester)."""
        contended = np.full(n_segments, self._stepwise)
        last = []
        for output, uses in sorted(used.items()):
            if not uses:
                continue
            segment = np.concatenate([u[0] for u in uses])
            cycle = np.concatenate([u[1] for u in uses])
            entries = np.concatenate([np.full(len(u[0]), u[3], dtype=np.int64) for u in uses])
            requester = np.concatenate([np.full(len(u[0]), u[2], dtype=np.int64) for u in uses])
            order = np.lexsort((cycle, segment))
            segment, cycle, entries, requester = segment[order], cycle[order], entries[order], requester[order]
            meet = (segment[1:] == segment[:-1]) & (cycle[1:] < (cycle + entries)[:-1])
            contended[segment[1:][meet]] = True
            final = np.append(segment[1:] != segment[:-1], True)
            last.append((output, segment[final], requester[final]))
        return contended, last

    def _step_through(self, sources: list[Flits], segments: np.ndarray, last: list, left: np.ndarray,
                      done: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Go through ``segments`` cycle by cycle; overwrites their ``left`` and ``done``; returns the arrivals of each tile."""
        # What the closed form served between two of these segments: before the i-th of them, arbiters[output] = requester.
        between: list[list[tuple[int, int]]] = [[] for _ in range(len(segments) + 1)]
        for output, segment, requester in last:
            alone = ~np.isin(segment, segments)
            place = np.searchsorted(segments, segment[alone])
            final = np.append(place[1:] != place[:-1], True) if len(place) else np.zeros(0, dtype=bool)
            for i, r in zip(place[final].tolist(), requester[alone][final].tolist()):
                between[i].append((output, r))
        bounds = [(np.searchsorted(f.segment, segments).tolist(), np.searchsorted(f.segment, segments, side="right").tolist())
                  for f in sources]
        log: list[int] = []
        sizes = []
        for i, segment in enumerate(segments.tolist()):
            self._switches.set_last(between[i])
            flits = [(number, f.ready[lo[i] : hi[i]].tolist(), f.key[lo[i] : hi[i]].tolist())
                     for number, (f, (lo, hi)) in enumerate(zip(sources, bounds)) if lo[i] < hi[i]]
            gone, exits = self._switches.run(flits)
            for (number, _, _), cycle in zip(flits, gone):
                left[number, segment] = cycle
            sizes.append(len(exits) // 3)
            log += exits
        self._switches.set_last(between[-1])
        exits_of_all = np.array(log, dtype=np.int64).reshape(-1, 3)
        output, at, entries = exits_of_all[:, 0], exits_of_all[:, 1], exits_of_all[:, 2]
        where = np.repeat(segments, np.array(sizes, dtype=np.int64))
        done[segments] = 0
        np.maximum.at(done, where, at + entries + 1)
        arrivals = []
        for tile in range(self._n_tiles):
            mine = np.isin(output, [o for o, tiles in enumerate(self._switches.twins) if tile in tiles])
            arrivals.append((where[mine], at[mine], entries[mine]))
        return arrivals


def _one_per_cycle(flits: Flits) -> np.ndarray:
    """Cycle in which each flit is taken if the network never refuses: t_k = max(t_(k-1) + 1, ready_k), ``[F], int64``."""
    if not len(flits.segment):
        return flits.ready
    new = np.append(True, flits.segment[1:] != flits.segment[:-1])
    rank = np.arange(len(new)) - np.flatnonzero(new)[np.cumsum(new) - 1]
    # t_k - k is the running maximum of ready_k - k; a step between segments larger than any value keeps them apart.
    step = int(flits.ready.max()) + len(new) + 1
    apart = flits.segment * step
    return np.maximum.accumulate(flits.ready - rank + apart) - apart + rank


def _keep_last(out: np.ndarray, segment: np.ndarray, value: np.ndarray) -> None:
    """Raise ``out[segment]`` to the last ``value`` of each segment, which is its largest."""
    if len(segment):
        final = np.append(segment[1:] != segment[:-1], True)
        out[segment[final]] = np.maximum(out[segment[final]], value[final])
