"""All switches of a chip as one graph of numbered inputs and outputs, as the cycle model walks it."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.chip import ChipSpec, Endpoint

__all__ = ["Wiring"]


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """All switches of a chip with their inputs (ports) and outputs numbered through.

    Parameters
    ----------
    entry : port at which each source enters (host port, then tiles), None if it is not connected.
    buffered : whether a port has a queue.
    routes : per port: key -> outputs.
    requesters : per output: the ports that some route leads to it, ascending.
    target : per output: the port that it leads to, None if it leaves the network.
    sink : per output: the tile that it leads to, -1 otherwise.
    entries : per tile: key -> cycles that its input register holds a flit.
    """

    entry: tuple[int | None, ...]
    buffered: tuple[bool, ...]
    routes: tuple[dict[int, tuple[int, ...]], ...]
    requesters: tuple[tuple[int, ...], ...]
    target: tuple[int | None, ...]
    sink: tuple[int, ...]
    entries: tuple[dict[int, int], ...]

    @classmethod
    def of(cls, chip: ChipSpec) -> Wiring:
        """Number the ports and outputs of a chip. Raises ValueError where an unbuffered input is fed by a switch."""
        switches = chip.fabric.switches
        first_port = [sum(len(s.inputs) for s in switches[:i]) for i in range(len(switches))]
        first_output = [sum(len(s.outputs) for s in switches[:i]) for i in range(len(switches))]
        entry: list[int | None] = [None] * (len(chip.tiles) + 1)
        routes: list[dict[int, tuple[int, ...]]] = []
        for i, switch in enumerate(switches):
            for port, end in enumerate(switch.inputs):
                if end.kind == "host":
                    entry[0] = first_port[i] + port
                elif end.kind == "tile":
                    entry[end.index + 1] = first_port[i] + port
                elif end.kind == "switch" and not switch.buffered:
                    raise ValueError(f"Input {port} of switch {i} must be buffered: another switch leads to it")
            for table in switch.routes:
                routes.append({key: tuple(first_output[i] + o for o in range(len(switch.outputs)) if mask >> o & 1)
                               for key, mask in table.items()})

        def target(end: Endpoint) -> int | None:
            return first_port[end.index] + end.port if end.kind == "switch" else None

        return cls(
            entry=tuple(entry), buffered=tuple(s.buffered for s in switches for _ in s.inputs), routes=tuple(routes),
            requesters=tuple(tuple(first_port[i] + p for p in s.sources(o))
                             for i, s in enumerate(switches) for o in range(len(s.outputs))),
            target=tuple(target(end) for s in switches for end in s.outputs),
            sink=tuple(end.index if end.kind == "tile" else -1 for s in switches for end in s.outputs),
            entries=tuple({key: len(entries) for key, entries in tile.entries.items()} for tile in chip.tiles))
