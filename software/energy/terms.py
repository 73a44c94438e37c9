"""How often one layer does what the energy equations price, from the counters of the golden model."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from ...sim.counters import Counters
from ...spec.arithmetic import Decay
from ...spec.neuron import Gain, Model, Reset
from ...spec.population import Population
from .constants import Constants

__all__ = ["Shares", "Terms", "event_terms", "update_terms"]


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Energy of a layer in MACs by what it is spent on: reads of weights, state, arithmetic, and events read and written."""

    weights: float
    states: float
    arithmetic: float
    spikes: float

    @property
    def total(self) -> float:
        """The energy."""
        return self.weights + self.states + self.arithmetic + self.spikes


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Numbers of operations of one layer; they add up over clips and layers.

    Parameters
    ----------
    synaptic_reads : weights read, one per synaptic operation.
    accumulates : additions: of weights of plain spikes, of biases, of resets, and those that stand for a decay by shifts.
    multiplies : multiply-accumulates: of weights of graded events, of decays, of the gate.
    state_reads, state_writes : words of neuron state (membrane, current, gate's sum, threshold's rise).
    spike_reads, spike_writes : events that the layer takes from a queue, and that it puts into one.
    """

    synaptic_reads: float = 0
    accumulates: float = 0
    multiplies: float = 0
    state_reads: float = 0
    state_writes: float = 0
    spike_reads: float = 0
    spike_writes: float = 0

    def __add__(self, other: Terms) -> Terms:
        return Terms(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __truediv__(self, number: float) -> Terms:
        return Terms(**{f.name: getattr(self, f.name) / number for f in fields(self)})

    def shares(self, constants: Constants) -> Shares:
        """The energy of these operations."""
        memory = constants.memory
        return Shares(weights=memory * self.synaptic_reads, states=memory * (self.state_reads + self.state_writes),
                      arithmetic=constants.ac * self.accumulates + constants.mac * self.multiplies,
                      spikes=memory * (self.spike_reads + self.spike_writes))

    def energy(self, constants: Constants) -> float:
        """Their sum, in MACs."""
        return self.shares(constants).total


def update_terms(population: Population, updates: float) -> Terms:
    """What ``updates`` neuron updates cost with no event at all: decays and biases. A state is touched where it changes without an event.

    Per update, where the population has biases and its decays are multiplications (a decay by shifts is one AC per shift; no decay and
    biases that are all 0 cost nothing, nor then do accesses that are marked *):

    =================  =====================================================  ========  ========
    model              arithmetic                                             reads     writes
    =================  =====================================================  ========  ========
    if                 bias AC                                                V*        V*
    relu               -                                                      -         -
    lif, li            decay MAC, bias AC                                     V*        V*
    alif               decay MAC, bias AC, decay of a MAC, theta + a AC       V, A      V*, A
    cubalif, cubali    decays of i and v 2 MAC, bias AC; with the gain        I, V      I*, V
                       ``complement`` a third MAC, (1 - beta) i
    any that holds i   its own, and adding i AC                               I, V      V
    spikgru            decay of i MAC, z v and (1 - z) i 2 MAC, 2 bias AC     I, Z, V   I*, V
    =================  =====================================================  ========  ========

    The table of the gate, comparison with the threshold, saturation, refractory counters and readouts are not counted, as in the thesis.
    """
    p = population
    biased = bool(p.bias.any())
    membrane = _decay(p.decay)
    mac, ac = membrane[0], membrane[1] + biased
    leaks = p.decay.kind != "none"
    reads = writes = int(leaks or biased)
    if p.has_current:
        current = _decay(p.current_decay)
        mac, ac = mac + current[0], ac + current[1]
        writes = 1 + (p.current_decay.kind != "none" or (biased and not p.held))
        reads = 2
        if p.has_gate:
            mac, ac, reads = mac + 2, ac + bool(p.gate_bias.any()), 3
        elif p.gain is Gain.COMPLEMENT:
            mac, ac = mac + membrane[0], ac + membrane[1]
        elif not membrane[0]:  # beside a multiplication, adding i is its accumulation
            ac += 1
    if p.adapts:
        rise = _decay(p.adaptation_decay)
        mac, ac, reads, writes = mac + rise[0], ac + rise[1] + 1, 2, writes + 1
    if p.model is Model.INPUT:
        updates = 0
    return Terms(accumulates=ac * updates, multiplies=mac * updates, state_reads=reads * updates, state_writes=writes * updates)


def event_terms(population: Population, counters: Counters, spike_reads: int) -> Terms:
    """What the events of a run cost, summed over its clips.

    A synaptic operation reads a weight and a state (membrane, current, or gate's sum), and writes the state; it is an AC, or a MAC where the
    event has another payload than -1 and 1. A spike that is sent is written once; it costs an AC if the reset subtracts (a MAC where a neuron
    may fire several times in a timestep), and one if it raises a threshold.

    Parameters
    ----------
    population, counters : the layer, and what it did.
    spike_reads : events that arrived, each once for all projections that it meets at the same time (weights of I and of Z, say).
    """
    sops, spikes = int(counters.sops.sum()), int(counters.spikes.sum())
    multiplied = int(np.sum(counters.multiplied))
    if population.model is Model.INPUT:  # its events are written by whoever sends them
        return Terms()
    subtracts = population.reset in (Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY)
    product = subtracts and population.max_spikes > 1
    return Terms(synaptic_reads=sops, accumulates=sops - multiplied + spikes * (subtracts - product + population.adapts),
                 multiplies=multiplied + spikes * product, state_reads=sops, state_writes=sops, spike_reads=spike_reads, spike_writes=spikes)


def _decay(decay: Decay) -> tuple[int, int]:
    """MACs and ACs of one decay."""
    return int(decay.kind == "multiply"), sum(shift is not None for shift in (decay.shift_a, decay.shift_b))
