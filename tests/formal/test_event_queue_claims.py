# amaranth: UnusedElaboratable=no
"""EventQueue: never overflows, and what was written is read until it is cleared, where an axon fires at most once per slot."""

import pytest
from amaranth import *
from amaranth.hdl import Assert, Assume
from amaranth.lib import wiring

from spikeloom.hdl.event_queue import EventQueue
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.chip import AxonEntry, GroupSpec, TileSpec, UpdateSpec
from spikeloom.spec.network import Reset

from .prove import Claim, prove

AXONS = (3, 2)  # of each group: one list with a place that is never used, one that is half the other's size
SLOTS = 2


def tile():
    """Two groups with two slots; signed spikes, so that an entry has a payload."""
    update = UpdateSpec(decay=Decay(), rounding=Rounding.FLOOR, reset=Reset.SUBTRACT, v_bits=8, input_shift=0, v_init=0, values=False)
    groups = tuple(GroupSpec(population=f"p{k}", first=0, size=1, key=None, level=1, axons=axons, update=update) for k, axons in enumerate(AXONS))
    return TileSpec(lanes=1, update_lanes=1, slots=SLOTS, groups=groups, entries={0: (AxonEntry(0, 0, 1),)}, payload_min=-1, payload_max=1,
                    weight_bits=4, accumulator_bits=8, theta_bits=4, bias_bits=0, constant_parameters=True)


class Surrounded(Claim):
    """Writes of axons that exist, each at most once to a list until that is cleared; never to a list while it is cleared.

    All of it is seen from one list, any (``group``, ``slot``); the others get any writes.
    """

    def __init__(self, queue):
        super().__init__()
        self.queue = queue

    def surround(self, m):
        """Returns group and slot looked at, whether it is written and cleared in this cycle, and the set of axons in it."""
        m.submodules.queue = queue = self.queue
        for name in ("w_valid", "w_list", "w_slot", "r_list", "r_slot", "r_index", "count_list", "count_slot", "clear", "clear_all"):
            port = getattr(queue, name)
            m.d.comb += port.eq(self.free(port.shape(), name))
        axon, payload = self.free(len(queue.w_data.axon), "axon"), self.free(1, "payload")
        m.d.comb += [queue.w_data.axon.eq(axon), queue.w_data.payload.eq(payload), Assume(axon < Mux(queue.w_list == 0, *AXONS))]

        group, slot = self.fixed(m, 1, "group"), self.fixed(m, 1, "slot")
        written = queue.w_valid & (queue.w_list == group) & (queue.w_slot == slot)
        cleared = queue.clear_all | (queue.clear & (queue.r_list == group) & (queue.r_slot == slot))
        present = Signal(max(AXONS))
        with m.If(cleared):
            m.d.sync += present.eq(0)
        with m.Elif(written):
            m.d.sync += present.eq(present | 1 << axon)
        m.d.comb += Assume(~written | ~(cleared | present.bit_select(axon, 1)))
        return group, slot, written, cleared, present


class NeverOverflows(Surrounded):
    """The length of a list is the number of its axons that fired, so at most the number of its places."""

    def state(self, m):
        group, slot, _, _, present = self.surround(m)
        length = Signal(range(max(AXONS) + 1))
        m.d.comb += [
            length.eq(sum(present)),
            Assume((self.queue.count_list == group) & (self.queue.count_slot == slot)),
            Assert(self.queue.count == length),
            Assert(length <= Mux(group == 0, *AXONS)),
            *(Assert(~present[axon] | (axon < Mux(group == 0, *AXONS))) for axon in range(max(AXONS))),  # what induction starts from
        ]


class KeepsEveryEvent(Surrounded):
    """Event number k of a list is read at index k, as it was written, until the list is cleared."""

    def state(self, m):
        queue = self.queue
        group, slot, written, cleared, present = self.surround(m)
        place = self.fixed(m, len(queue.r_index), "place")
        kept, known, asked = Signal.like(queue.w_data), Signal(), Signal()
        with m.If(cleared):
            m.d.sync += known.eq(0)
        with m.Elif(written & (sum(present) == place)):
            m.d.sync += [known.eq(1), kept.eq(queue.w_data)]
        m.d.sync += asked.eq(known & ~cleared & (queue.r_list == group) & (queue.r_slot == slot) & (queue.r_index == place))
        m.d.comb += Assert(~asked | (queue.r_data == kept))


class Mutant(EventQueue):
    """Broken: wired to an event queue so that ``change(m, self, inner)`` undoes one connection."""

    def __init__(self, spec, change):
        self.spec, self.change = spec, change
        super().__init__(spec)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = EventQueue(self.spec)
        wiring.connect(m, wiring.flipped(self), inner)
        self.change(m, self, inner)
        return m


def clears_only_all(m, outer, inner):
    m.d.comb += inner.clear.eq(0)


def writes_the_other_slot(m, outer, inner):
    m.d.comb += inner.w_slot.eq(~outer.w_slot)


def writes_everything_twice(m, outer, inner):
    again = Signal()
    m.d.sync += again.eq(outer.w_valid)
    m.d.comb += inner.w_valid.eq(outer.w_valid | again)


def test_the_event_queue_never_overflows():
    assert prove(NeverOverflows(EventQueue(tile())), depth=4, induction=True)


def test_the_event_queue_keeps_every_event_until_it_is_cleared():
    assert prove(KeepsEveryEvent(EventQueue(tile())), depth=8)


@pytest.mark.parametrize("change", [clears_only_all, writes_the_other_slot, writes_everything_twice])
def test_the_claim_of_no_overflow_is_refuted_where_lengths_go_wrong(change):
    assert not prove(NeverOverflows(Mutant(tile(), change)), depth=8)


@pytest.mark.parametrize("change", [clears_only_all, writes_the_other_slot, writes_everything_twice])
def test_the_claim_of_kept_events_is_refuted_where_they_are_misplaced(change):
    assert not prove(KeepsEveryEvent(Mutant(tile(), change)), depth=8)
