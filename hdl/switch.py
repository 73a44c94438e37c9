"""The multicast switch of the network on chip: a router of the mesh, or the only one of the star."""

from __future__ import annotations

from amaranth import *
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.chip import FlitSpec, SwitchSpec
from .arbiter import RoundRobin
from .flit import flit_layout, flit_stream
from .flit_queue import FlitQueue

__all__ = ["Switch", "masks_layout"]


def masks_layout(spec: SwitchSpec) -> data.ArrayLayout:
    """A mask of outputs for each input."""
    return data.ArrayLayout(unsigned(len(spec.outputs)), len(spec.inputs))


def _select(index: Value, choices: list[Value]) -> Value:
    """``choices[index]`` as a binary tree of multiplexers; an index past the end selects any of them."""
    if len(choices) == 1:
        return choices[0]
    pairs = [Mux(index[0], *reversed(choices[k:k + 2])) if k + 1 < len(choices) else choices[k] for k in range(0, len(choices), 2)]
    return _select(index[1:], pairs)


class Switch(wiring.Component):
    """Copies each flit to the outputs that its key is routed to, in one or in several cycles.

    ::

        i[k] -> (queue of two) -> key -> mask, less the outputs served already -> request --> arbiter of each output
                                                                                     payload --> multiplexer -> o[j]

    Latency: a flit is offered in the cycle in which it arrives, or in the next where the switch is buffered. Throughput: one flit
    per cycle at each input and output. Where outputs do not take their copies in the same cycle, the flit stays at its input until
    the last one has (docs/architecture.md, section 4). Flits of one input never overtake each other.

    Only what the routes need is built: an output with one source has no arbiter, an input whose keys all go the same way has no
    table (and cannot tell an unknown key), and an input without routes has no queue.

    Parameters
    ----------
    spec : :class:`~spikeloom.spec.chip.SwitchSpec`
        Ports and routes.
    flit : :class:`~spikeloom.spec.chip.FlitSpec`
        Widths of the flits' fields.

    Members
    -------
    i : ``In(flit_stream).array(inputs)``     Flits in.
    o : ``Out(flit_stream).array(outputs)``   Flits out.
    busy : ``Out(1)``                         A queue holds a flit.
    masks : ``In(masks_layout)``              Where ``loadable``: outputs of the flit that each input offers; the routes only say which links exist.
    error : ``Out(1)``                        A flit came that no route leads anywhere: it was dropped. Stays until reset.

    Raises
    ------
    ValueError
        Routes do not fit the inputs, a key does not fit its field, or a mask names an output that does not exist.
    """

    def __init__(self, spec: SwitchSpec, flit: FlitSpec, *, loadable: bool = False) -> None:
        if len(spec.routes) != len(spec.inputs):
            raise ValueError(f"Routes must be given for each of {len(spec.inputs)} inputs, not for {len(spec.routes)}")
        for number, table in enumerate(spec.routes):
            for key, mask in table.items():
                if not 0 <= key < 1 << flit.key_bits:
                    raise ValueError(f"Keys of input {number} must fit {flit.key_bits} bits, not {key!r}")
                if not 0 <= mask < 1 << len(spec.outputs):
                    raise ValueError(f"Mask of key {key} at input {number} must name some of {len(spec.outputs)} outputs, not {mask:#b}")
        self._spec = spec
        self._flit = flit
        self._loadable = loadable
        link = flit_stream(flit)
        super().__init__({"i": In(link).array(len(spec.inputs)), "o": Out(link).array(len(spec.outputs)),
                          "busy": Out(1), "error": Out(1), **({"masks": In(masks_layout(spec))} if loadable else {})})

    @property
    def spec(self) -> SwitchSpec:
        """Ports and routes."""
        return self._spec

    @property
    def flit(self) -> FlitSpec:
        """Widths of the flits' fields."""
        return self._flit

    def elaborate(self, platform: object) -> Module:
        m = Module()
        heads = [self._head(m, number) for number in range(len(self.spec.inputs))]
        requests = {(number, output): Signal(name=f"request_{number}_{output}")
                    for output in range(len(self.spec.outputs)) for number in self.spec.sources(output)}
        takes = {link: Signal(name=f"take_{link[0]}_{link[1]}") for link in requests}

        for output in range(len(self.spec.outputs)):
            self._join(m, output, heads, requests, takes)

        unknown = [self._fork(m, number, heads[number], requests, takes) for number in range(len(self.spec.inputs))]
        with m.If(Cat(unknown).any()):
            m.d.sync += self.error.eq(1)
        if self.spec.buffered:
            m.d.comb += self.busy.eq(Cat(head.valid for number, head in enumerate(heads) if self.spec.routes[number]).any())
        return m

    def _head(self, m: Module, number: int) -> stream.Interface:
        """The stream that an input's oldest flit is offered on."""
        if not (self.spec.buffered and self.spec.routes[number]):
            return self.i[number]
        m.submodules[f"queue_{number}"] = queue = FlitQueue(flit_layout(self.flit))
        wiring.connect(m, wiring.flipped(self.i[number]), queue.i)
        return queue.o

    def _join(self, m: Module, output: int, heads: list[stream.Interface], requests: dict[tuple[int, int], Signal],
              takes: dict[tuple[int, int], Signal]) -> None:
        """Output: choose among the inputs that lead to it, ascending."""
        sources = self.spec.sources(output)
        if not sources:
            return
        o = self.o[output]
        m.submodules[f"arbiter_{output}"] = arbiter = RoundRobin(len(sources))
        index = Signal(ceil_log2(len(sources)), name=f"index_{output}")
        m.d.comb += [
            arbiter.requests.eq(Cat(requests[source, output] for source in sources)),
            arbiter.taken.eq(o.valid & o.ready),
            index.eq(Cat(Cat(arbiter.grant[k] for k in range(len(sources)) if k >> bit & 1).any() for bit in range(len(index)))),
            o.valid.eq(arbiter.requests.any()),
            o.payload.eq(_select(index, [heads[source].payload.as_value() for source in sources])),
        ]
        for k, source in enumerate(sources):  # alone, it need not even ask: ready passes through like a wire
            m.d.comb += takes[source, output].eq(o.ready & arbiter.grant[k] if len(sources) > 1 else o.ready)

    def _fork(self, m: Module, number: int, head: stream.Interface, requests: dict[tuple[int, int], Signal],
              takes: dict[tuple[int, int], Signal]) -> Value:
        """Input: request the outputs of the head's mask, and let it go when all have taken it. Returns whether its key is unknown."""
        table = self.spec.routes[number]
        outputs = [output for source, output in requests if source == number]
        masks = set(table.values())
        if not outputs:  # nobody expects a flit here, but one that comes must not block its sender
            m.d.comb += head.ready.eq(1)
            return head.valid

        mask = {output: Signal(name=f"mask_{number}_{output}") for output in outputs}
        if self._loadable:
            m.d.comb += [bit.eq(self.masks[number][output]) for output, bit in mask.items()]
        elif len(masks) == 1:
            m.d.comb += [bit.eq(1) for bit in mask.values()]
        else:
            with m.Switch(head.payload.key):
                for key, value in sorted(table.items()):
                    with m.Case(key):
                        m.d.comb += [bit.eq(value >> output & 1) for output, bit in mask.items()]

        done = []
        partly = Signal(name=f"partly_{number}")  # the head stays although somebody has had its copy
        for output in outputs:
            if self._loadable or any(value >> output & 1 and value != 1 << output for value in masks):
                served = Signal(name=f"served_{number}_{output}")
                m.d.comb += requests[number, output].eq(head.valid & mask[output] & ~served)
                m.d.sync += served.eq(partly & (served | takes[number, output]))
                done.append(~mask[output] | served | takes[number, output])
            else:
                m.d.comb += requests[number, output].eq(head.valid & mask[output])
                done.append(~mask[output] | takes[number, output])
        m.d.comb += [
            head.ready.eq(Cat(done).all()),
            partly.eq(head.valid & ~head.ready),
        ]
        return head.valid & ~Cat(mask.values()).any() if len(masks) > 1 or self._loadable else Const(0)
