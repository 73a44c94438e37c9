"""What the tests of the network on chip share: flits, plans of switches and fabrics, and the switch as a cycle-exact model.

All of it is written from docs/architecture.md, section 4, and from nothing in hdl/ or gen/.
"""

from collections import deque

from spikeloom.spec.chip import Endpoint, FabricSpec, FlitSpec, SwitchSpec

__all__ = ["FLIT", "SwitchModel", "flit", "mesh", "number", "star", "switch"]

FLIT = FlitSpec(key_bits=4, neuron_bits=8, time_bits=1, payload_bits=3, payload_signed=True)

LOCAL, NORTH, EAST, SOUTH, WEST = range(5)
STEPS = {NORTH: (0, -1, SOUTH), EAST: (1, 0, WEST), SOUTH: (0, 1, NORTH), WEST: (-1, 0, EAST)}


def flit(key, serial):
    """A flit that can be told by its serial number (0 .. 4095)."""
    return {"key": key, "neuron": serial & 0xFF, "time": serial >> 8 & 1, "payload": (serial >> 9 & 7) - 4}


def number(payload):
    """(key, serial) of a received flit."""
    return int(payload.key), int(payload.neuron) | int(payload.time) << 8 | (int(payload.payload) + 4) << 9


def switch(routes, outputs, *, buffered):
    """A switch on its own."""
    return SwitchSpec(inputs=(Endpoint("none"),) * len(routes), outputs=(Endpoint("none"),) * outputs, routes=tuple(routes), buffered=buffered)


def star(n_tiles, routes, *, buffered=False):
    """``routes``: sender -> key -> set of receivers; the host is -1, tiles count from 0."""
    ends = (Endpoint("host"), *(Endpoint("tile", k) for k in range(n_tiles)))
    tables = tuple({key: sum(1 << to + 1 for to in receivers) for key, receivers in routes.get(sender, {}).items()}
                   for sender in range(-1, n_tiles))
    return FabricSpec(kind="star", width=1, height=1, switches=(SwitchSpec(inputs=ends, outputs=ends, routes=tables, buffered=buffered),))


def mesh(width, height, routes):
    """The same on routers; first along x, then along y. The host is beyond the west port of router 0."""
    place = {k: (k % width, k // width) for k in range(width * height)}
    tables = {(k, port): {} for k in place for port in range(5)}

    for sender, keys in routes.items():
        for key, receivers in keys.items():
            for receiver in receivers:
                x, y = place[max(sender, 0)]
                port = WEST if sender < 0 else LOCAL
                target_x, target_y = place[max(receiver, 0)]
                while True:
                    here = x + width * y
                    if x != target_x:
                        leave = EAST if x < target_x else WEST
                    elif y != target_y:
                        leave = SOUTH if y < target_y else NORTH
                    else:
                        leave = LOCAL if receiver >= 0 else WEST
                    table = tables[here, port]
                    table[key] = table.get(key, 0) | 1 << leave
                    if (x, y) == (target_x, target_y):
                        break
                    x, y, port = x + STEPS[leave][0], y + STEPS[leave][1], STEPS[leave][2]

    def ends(k):
        x, y = place[k]
        around = [Endpoint("tile", k)]
        for port in (NORTH, EAST, SOUTH, WEST):
            dx, dy, back = STEPS[port]
            inside = 0 <= x + dx < width and 0 <= y + dy < height
            around.append(Endpoint("switch", x + dx + width * (y + dy), back) if inside else Endpoint("none"))
        if k == 0:
            around[WEST] = Endpoint("host")
        return tuple(around)

    return FabricSpec(kind="mesh", width=width, height=height, switches=tuple(
        SwitchSpec(inputs=ends(k), outputs=ends(k), routes=tuple(tables[k, port] for port in range(5)), buffered=True) for k in place))


class SwitchModel:
    """A switch in Python. ``offers(heads)`` and ``takes(ready)`` of one cycle, then ``step()``."""

    def __init__(self, spec):
        self.spec = spec
        self.queues = [deque() for _ in spec.inputs]
        self.served = [set() for _ in spec.inputs]
        self.last = [-1 for _ in spec.outputs]
        self.offer = [None for _ in spec.outputs]
        self.error = False

    @property
    def busy(self):
        return self.spec.buffered and any(self.queues)

    def cycle(self, arriving, ready):
        """One clock. ``arriving``: (key, serial) or None for each input; ``ready`` for each output.

        Returns which inputs take their flit, and the flit (or None) that each output offers.
        """
        buffered = self.spec.buffered
        heads = [q[0] if q else None for q in self.queues] if buffered else list(arriving)
        taken = [len(q) < 2 for q in self.queues]
        offers = []
        for output in range(len(self.spec.outputs)):
            sources = self.spec.sources(output)
            asking = [i for i in sources if heads[i] is not None and output not in self.served[i]
                      and self.spec.routes[i].get(heads[i][0], 0) >> output & 1]
            if self.offer[output] is None and asking:
                self.offer[output] = min(asking, key=lambda i: (i <= self.last[output], i))
            offers.append(None if self.offer[output] is None else heads[self.offer[output]])
        for output, source in enumerate(self.offer):
            if source is not None and ready[output]:
                self.served[source].add(output)
                self.last[output], self.offer[output] = source, None
        for i, head in enumerate(heads):
            mask = 0 if head is None else self.spec.routes[i].get(head[0], 0)
            leaves = head is not None and all(o in self.served[i] for o in range(len(self.spec.outputs)) if mask >> o & 1)
            self.error |= head is not None and mask == 0
            if leaves:
                self.served[i] = set()
            if buffered:
                if leaves:
                    self.queues[i].popleft()
                if taken[i] and arriving[i] is not None:
                    self.queues[i].append(arriving[i])
            else:
                taken[i] = leaves
        return [t and a is not None for t, a in zip(taken, arriving)], offers
