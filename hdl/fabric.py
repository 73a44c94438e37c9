"""The network on chip: all switches and the links between them, the tiles and the host port."""

from __future__ import annotations

from amaranth import *
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..spec.chip import Endpoint, FabricSpec, FlitSpec
from .flit import flit_stream
from .switch import Switch, masks_layout

__all__ = ["Fabric"]


class Fabric(wiring.Component):
    """Carries every flit from where it is sent to all tiles (and the host port) that its key is routed to, exactly once each.

    Latency: 0 cycles in a star, one cycle per router on the way in a mesh, plus the waiting of :class:`~spikeloom.hdl.switch.Switch`.
    Flits of one sender reach each receiver in the order in which they were sent. It waits for a receiver as long as that does not
    take its flit; whether the whole chip can then stand still is a matter of the routes and of the receivers.

    Parameters
    ----------
    spec : :class:`~spikeloom.spec.chip.FabricSpec`
        Switches, with both ends of every link named.
    flit : :class:`~spikeloom.spec.chip.FlitSpec`
        Widths of the flits' fields.
    n_tiles : int
        Tiles of the chip; one that no switch names gets no flits, and has those that it sends dropped with an ``error``.

    Members
    -------
    host_i : ``In(flit_stream)``        From the host port.
    host_o : ``Out(flit_stream)``       To the host port.
    tile_i_0, ... : ``In(flit_stream)`` From each tile; also ``tile_i[k]``.
    tile_o_0, ... : ``Out(flit_stream)`` To each tile; also ``tile_o[k]``.
    busy : ``Out(1)``                   A flit is in some router's queue.
    masks : ``In(masks_layout)``        Where ``loadable``, a star: outputs of the flit that each input offers (host, then the tiles).
    error : ``Out(1)``                  A flit was dropped because no route leads it anywhere. Stays until reset.

    Raises
    ------
    ValueError
        The two ends of a link do not name each other, two ports are at one end, or an end does not exist.
    """

    def __init__(self, spec: FabricSpec, flit: FlitSpec, n_tiles: int, *, loadable: bool = False) -> None:
        _check_links(spec, n_tiles)
        if loadable and (len(spec.switches) != 1 or spec.switches[0].buffered):
            raise ValueError("Routes are registers only in a star, which has one switch without queues")
        self._loadable = loadable
        self._spec = spec
        self._flit = flit
        self._n_tiles = n_tiles
        link = flit_stream(flit)
        super().__init__({
            "host_i": In(link), "host_o": Out(link),
            **{f"tile_i_{k}": In(link) for k in range(n_tiles)}, **{f"tile_o_{k}": Out(link) for k in range(n_tiles)},
            "busy": Out(1), "error": Out(1), **({"masks": In(masks_layout(spec.switches[0]))} if loadable else {}),
        })

    @property
    def spec(self) -> FabricSpec:
        """Switches and links."""
        return self._spec

    @property
    def flit(self) -> FlitSpec:
        """Widths of the flits' fields."""
        return self._flit

    @property
    def n_tiles(self) -> int:
        """Tiles of the chip."""
        return self._n_tiles

    @property
    def tile_i(self) -> tuple[stream.Interface, ...]:
        """Streams from the tiles, in their order."""
        return tuple(getattr(self, f"tile_i_{k}") for k in range(self.n_tiles))

    @property
    def tile_o(self) -> tuple[stream.Interface, ...]:
        """Streams to the tiles, in their order."""
        return tuple(getattr(self, f"tile_o_{k}") for k in range(self.n_tiles))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        switches = [Switch(switch, self.flit, loadable=self._loadable) for switch in self.spec.switches]
        if self._loadable:
            m.d.comb += switches[0].masks.eq(self.masks)
        for number, switch in enumerate(switches):
            m.submodules[f"switch_{number}"] = switch

        senders = {Endpoint("host"): self.host_i, **{Endpoint("tile", k): port for k, port in enumerate(self.tile_i)}}
        receivers = {Endpoint("host"): self.host_o, **{Endpoint("tile", k): port for k, port in enumerate(self.tile_o)}}
        unheard = dict(senders)
        for switch in switches:
            for port, end in enumerate(switch.spec.inputs):
                if end.kind == "switch":
                    wiring.connect(m, switches[end.index].o[end.port], switch.i[port])
                elif end.kind != "none":
                    wiring.connect(m, wiring.flipped(unheard.pop(end)), switch.i[port])
            for port, end in enumerate(switch.spec.outputs):
                if end in receivers:
                    wiring.connect(m, switch.o[port], wiring.flipped(receivers[end]))

        dropped = Signal()
        for sender in unheard.values():
            m.d.comb += sender.ready.eq(1)
        with m.If(Cat(sender.valid for sender in unheard.values()).any()):
            m.d.sync += dropped.eq(1)
        m.d.comb += [
            self.busy.eq(Cat(switch.busy for switch in switches).any()),
            self.error.eq(Cat(dropped, *(switch.error for switch in switches)).any()),
        ]
        return m


def _check_links(spec: FabricSpec, n_tiles: int) -> None:
    """Every end exists, is used once in each direction, and both ends of a link between switches name each other."""
    ports = {"inputs": [s.inputs for s in spec.switches], "outputs": [s.outputs for s in spec.switches]}
    for side, other in ("inputs", "outputs"), ("outputs", "inputs"):
        seen: dict[Endpoint, str] = {}
        for number, ends in enumerate(ports[side]):
            for port, end in enumerate(ends):
                here = f"port {port} of the {side} of switch {number}"
                if end.kind == "none":
                    continue
                if end in seen:
                    raise ValueError(f"Each end must be linked once, but {end!r} is at {seen[end]} and at {here}")
                seen[end] = here
                if end.kind == "switch":
                    far = ports[other][end.index] if 0 <= end.index < len(spec.switches) else ()
                    if not (0 <= end.port < len(far) and far[end.port] == Endpoint("switch", number, port)):
                        raise ValueError(f"Both ends of a link must name each other, but {end!r} at {here} is not linked back")
                elif end != Endpoint("host") and not (end.kind == "tile" and end.port == 0 and 0 <= end.index < n_tiles):
                    raise ValueError(f"An end must be the host, a switch or one of {n_tiles} tiles, not {end!r} at {here}")
