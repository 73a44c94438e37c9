"""The switches of a chip, cycle by cycle, in plain Python: exact under contention. Section 4 of docs/architecture.md."""

from __future__ import annotations

from .wiring import Wiring

__all__ = ["SwitchCycles"]


class SwitchCycles:
    """The switches and the sinks behind them. All queues are empty between two calls; only the arbiters remember.

    A cycle is decided from the state at its start and then applied, so that nothing depends on the order of the switches. Outputs
    that get the same flits from the same inputs into sinks that hold them equally long always do the same: one stands for all.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._last = [-1] * len(wiring.target)  # per output: place among its requesters of the one served last
        carried: list[list[tuple[int, int, int]]] = [[] for _ in wiring.target]  # per output: (port, key, cycles in the sink)
        for port, table in enumerate(wiring.routes):
            for key, outputs in sorted(table.items()):
                for o in outputs:
                    carried[o].append((port, key, wiring.entries[wiring.sink[o]].get(key, 1) if wiring.sink[o] >= 0 else 1))
        stands: dict[tuple, int] = {}
        self._twins: list[list[int]] = [[] for _ in wiring.target]  # per standing output: the tiles behind it and its twins
        first = []
        for o, flits in enumerate(carried):
            first.append(stands.setdefault(tuple(flits), o) if wiring.target[o] is None else o)
            if wiring.sink[o] >= 0:
                self._twins[first[o]].append(wiring.sink[o])
        # Per port: key -> [(output, bit of the port at that output's arbiter)], and per output: key -> cycles in the sink.
        self._routes = [{key: [(o, 1 << wiring.requesters[o].index(port)) for o in outputs if first[o] == o]
                         for key, outputs in table.items()} for port, table in enumerate(wiring.routes)]
        self._holds = [{key: holds for _, key, holds in flits} for flits in carried]
        self._never_waits = not any(wiring.buffered) and all(holds == 1 for flits in carried for _, _, holds in flits)

    def set_last(self, served: list[tuple[int, int]]) -> None:
        """Tell arbiters whom they have served meanwhile: (output, place among its requesters)."""
        for output, requester in served:
            self._last[output] = requester

    @property
    def twins(self) -> list[list[int]]:
        """Per output that stands for itself and others: the tiles behind all of them."""
        return self._twins

    def run(self, flits: list[tuple[int, list[int], list[int]]]) -> tuple[list[int], list[int]]:
        """Deliver the flits of one phase.

        Parameters
        ----------
        flits : (source, cycles from which its flits are offered, their keys); source 0 is the host port, i + 1 is tile i.

        Returns
        -------
        Cycle after the one in which the last flit was taken, of each element of ``flits``; and the flits that left the network,
        three integers each: output, cycle, cycles that the sink holds it. An output stands for its :attr:`twins` as well.
        """
        return (self._run_never_waiting if self._never_waits else self._run)(flits)

    def _run_never_waiting(self, flits: list[tuple[int, list[int], list[int]]]) -> tuple[list[int], list[int]]:
        """:meth:`_run` for unbuffered switches before sinks that take a flit in every cycle: no offer ever has to be held."""
        last, routes, requesters = self._last, self._routes, self._wiring.requesters
        requests = [0] * len(last)
        live: list[int] = []  # outputs with a request
        index: dict[int, int] = {}  # port -> index into flits
        ways = []  # per source: outputs of each flit
        for i, (source, _, keys) in enumerate(flits):
            port = self._wiring.entry[source]
            table = routes[port] if port is not None else {}
            ways.append([table.get(key, []) for key in keys])
            index[-1 if port is None else port] = i
        place = [0] * len(flits)
        owed = [0] * len(flits)
        left = [0] * len(flits)
        waiting = [(ready[0], i) for i, (_, ready, _) in enumerate(flits)]
        log: list[int] = []
        cycle = 0
        while waiting or live:
            if waiting:
                if not live:
                    cycle = max(cycle, min(waiting)[0])
                due = [i for when, i in waiting if when <= cycle]
                if due:
                    waiting = [item for item in waiting if item[0] > cycle]
                for i in due:
                    way = ways[i][place[i]]
                    owed[i] = len(way)
                    for output, bit in way:
                        if not requests[output]:
                            live.append(output)
                        requests[output] |= bit
                    if not way:  # nobody listens: dropped after its check
                        left[i] = cycle + 1
                        place[i] += 1
                        if place[i] < len(ways[i]):
                            waiting.append((max(flits[i][1][place[i]], cycle + 1), i))
            served: list[int] = []
            for output in live:
                asking = requests[output]
                if asking & (asking - 1):  # more than one: the first after the one served last
                    after = asking >> (last[output] + 1) << (last[output] + 1)
                    bit = after & -after if after else asking & -asking
                else:
                    bit = asking
                choice = bit.bit_length() - 1
                last[output] = choice
                requests[output] = asking ^ bit
                log += (output, cycle, 1)
                i = index[requesters[output][choice]]
                owed[i] -= 1
                if not owed[i]:
                    served.append(i)
            live = [output for output in live if requests[output]]
            cycle += 1
            for i in served:
                left[i] = cycle
                place[i] += 1
                if place[i] == len(ways[i]):
                    continue
                way = ways[i][place[i]]
                if not way or flits[i][1][place[i]] > cycle:
                    waiting.append((max(flits[i][1][place[i]], cycle), i))
                    continue
                owed[i] = len(way)
                for output, bit in way:
                    if not requests[output]:
                        live.append(output)
                    requests[output] |= bit
        return left, log

    def _run(self, flits: list[tuple[int, list[int], list[int]]]) -> tuple[list[int], list[int]]:
        """:meth:`run` for any switches and sinks."""
        wiring, last, routes, holds = self._wiring, self._last, self._routes, self._holds
        requesters, target = wiring.requesters, wiring.target
        requests = [0] * len(last)  # per output: bits of the requesters of the coming cycle
        locked = [-1] * len(last)  # per output: the offer that waits for the sink
        free = [0] * len(last)  # per output that leaves the network: first cycle in which the sink takes a flit
        live: set[int] = set()  # outputs with a request
        head = [-1] * len(routes)  # per port: key of the head flit
        owed = [0] * len(routes)  # per port: outputs that have not taken the head flit yet
        queue: dict[int, list[int]] = {port: [] for port, buffered in enumerate(wiring.buffered) if buffered}
        source_of: dict[int, int] = {}  # port -> index into flits
        place = [0] * len(flits)
        waiting = [(ready[0], i) for i, (_, ready, _) in enumerate(flits)]
        pushing: list[tuple[int, int]] = []  # (source's index, port): sources at queues that offer a flit
        left = [0] * len(flits)
        log: list[int] = []

        def offer(port: int, key: int) -> None:
            """Make ``key`` the head of a port: it requests its outputs from the coming decision on."""
            outputs = routes[port][key]
            head[port], owed[port] = key, len(outputs)
            for output, bit in outputs:
                requests[output] |= bit
                live.add(output)

        def advance(i: int, cycle: int) -> None:
            """The flit of source i was taken in ``cycle``: go to its next one."""
            left[i] = cycle + 1
            place[i] += 1
            if place[i] < len(flits[i][1]):
                waiting.append((max(flits[i][1][place[i]], cycle + 1), i))

        cycle = 0
        while waiting or live or pushing:
            if not live and not pushing:
                cycle = max(cycle, min(waiting)[0])  # a quiet gap
            if waiting:
                due = [i for when, i in waiting if when <= cycle]
                if due:
                    waiting[:] = [item for item in waiting if item[0] > cycle]
                for i in due:
                    port, key = wiring.entry[flits[i][0]], flits[i][2][place[i]]
                    if port is None or key not in routes[port]:
                        advance(i, cycle)  # nobody listens: dropped after its check
                    elif port in queue:
                        pushing.append((i, port))
                    else:
                        source_of[port] = i
                        offer(port, key)
            # Decide: whom each output serves, from the state at the start of the cycle.
            takes: list[tuple[int, int]] = []
            for output in live:
                choice = locked[output]
                if choice < 0:
                    asking = requests[output]
                    after = asking >> (last[output] + 1) << (last[output] + 1)
                    choice = ((after & -after) if after else (asking & -asking)).bit_length() - 1
                onward = target[output]
                if len(queue[onward]) < 2 if onward is not None else free[output] <= cycle:
                    takes.append((output, choice))
                else:
                    locked[output] = choice
            pushes = [(port, flits[i][2][place[i]]) for i, port in pushing if len(queue[port]) < 2]
            if pushes:
                entered = [item for item in pushing if len(queue[item[1]]) < 2]
                pushing = [item for item in pushing if len(queue[item[1]]) >= 2]
                for i, _ in entered:
                    advance(i, cycle)
            # Apply. A head that all its outputs have taken makes place for the next one, which requests from the next cycle on.
            for output, choice in takes:
                port = requesters[output][choice]
                key = head[port]
                last[output], locked[output] = choice, -1
                requests[output] &= ~(1 << choice)
                if not requests[output]:
                    live.discard(output)
                onward = target[output]
                if onward is not None:
                    pushes.append((onward, key))
                else:
                    busy = holds[output][key]
                    free[output] = cycle + busy
                    log += (output, cycle, busy)
                owed[port] -= 1
                if not owed[port]:
                    if port not in queue:
                        advance(source_of[port], cycle)
                    else:
                        queue[port].pop(0)
                        if queue[port]:
                            offer(port, queue[port][0])
            for port, key in pushes:
                queue[port].append(key)
                if len(queue[port]) == 1:
                    offer(port, key)
            cycle += 1
        return left, log
