"""Excitatory and inhibitory neurons in pairs: each excitatory neuron drives one inhibitory neuron, which inhibits all the others.

P. U. Diehl and M. Cook, "Unsupervised learning of digit recognition using spike-timing-dependent plasticity", Frontiers in Computational
Neuroscience 9, 2015: the excitatory neurons then compete, and the one that fires first silences the rest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...spec.arithmetic import bits_signed
from ...spec.errors import NetworkError
from ...spec.network import Kind, Model, Population, Projection, Reset
from ._typed import typed
from .joined import one_to_one

__all__ = ["InhibitoryPairs", "inhibitory_pairs"]


class InhibitoryPairs(NamedTuple):
    """What :func:`inhibitory_pairs` returns: the inhibitory population, what drives it, and what it inhibits."""

    population: Population
    drive: Projection
    inhibition: Projection


@typed
def inhibitory_pairs(excitatory: Population, *, weight: int, name: str = "", drive: int = 1, drive_delay: int = 0, delay: int = 1, shift: int = 0,
                     kind: Kind = Kind.SPARSE) -> InhibitoryPairs:
    """An inhibitory population beside an excitatory one, neuron for neuron.

    The inhibitory neuron is an IF relay: it fires in the timestep in which its partner's spike arrives, as often as the partner did. So the
    excitatory neurons fire as with :func:`.lateral.lateral_inhibition` of one group and the two delays' sum. Other dynamics (a leak, a
    refractory time) are one ``dataclasses.replace`` of the population.

    The loop of two projections with these delays has period ceil(2 / (drive_delay + delay)): 2 by default, 1 where they add up to 2.

    Parameters
    ----------
    excitatory : the population that competes.
    weight : what an inhibitory spike takes from the synaptic sum of all but its partner, 1..128, shifted left by ``shift``.
    name : of the inhibitory population; default that of the excitatory one with ``_inhibition``.
    drive : weight from a neuron to its partner, and the partner's threshold, 1..127.
    drive_delay, delay : timesteps of the two projections; at least 1 in all.
    kind : of the one to one projection.

    Raises NetworkError, which names the projection.
    """
    name = name or f"{excitatory.name}_inhibition"
    back = f"Projection {name} -> {excitatory.name}"
    if not 1 <= weight <= 128:
        raise NetworkError(f"{back}: the weight of inhibition must be 1 to 128, not {weight}; it is subtracted, and shift multiplies it")
    if not 1 <= drive <= 127:
        raise NetworkError(f"Projection {excitatory.name} -> {name}: the drive of an inhibitory neuron must be 1 to 127, not {drive}")
    if drive_delay + delay < 1:
        raise NetworkError(f"{back}: the loop through {excitatory.name!r} needs a delay of at least 1; give one of its two projections delay=1")
    if excitatory.size < 2:
        raise NetworkError(f"{back}: {excitatory.name!r} has one neuron, so there is no other to inhibit; pairs need 2 or more")
    # What arrives in a timestep fires at once and is taken away in the next: v is never more than one timestep's sum.
    most = drive * excitatory.max_spikes
    population = Population(name=name, size=excitatory.size, model=Model.IF, theta=drive, reset=Reset.SUBTRACT, v_bits=bits_signed(0, most),
                            max_spikes=excitatory.max_spikes)
    others = ~np.eye(excitatory.size, dtype=bool)
    return InhibitoryPairs(
        population=population, drive=one_to_one(excitatory, population, weight=drive, delay=drive_delay, kind=kind),
        inhibition=Projection(source=name, target=excitatory.name, weights=np.where(others, -weight, 0), codebook=(-weight, 0), delay=delay,
                              shift=shift))
