"""Random sparse synapses: a liquid-state reservoir, and sparse links between populations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...spec.errors import NetworkError
from ...spec.network import Kind, Population, Projection
from ._typed import typed

__all__ = ["random_synapses", "reservoir"]


@typed
def random_synapses(source: Population, target: Population, *, density: float, seed: int, excitatory: float = 0.8, weight_bits: int = 4,
                    delays: Sequence[int] = (0,), shift: int = 0, itself: bool = True, kind: Kind = Kind.SPARSE) -> tuple[Projection, ...]:
    """Random projections between two populations, one per delay; the same for the same arguments.

    Each pair of neurons has a synapse with probability ``density``, of a random delay. All synapses of a source neuron have one sign
    (Dale's principle); magnitudes are uniform over 1 .. 2**(weight_bits - 1) - 1. A delay that no synapse drew has no projection.

    Parameters
    ----------
    density : probability of a synapse, above 0, at most 1.
    excitatory : share of the source neurons whose weights are positive, rounded to whole neurons; which ones is random.
    weight_bits : 2..8.
    delays : timesteps to draw from, each 0..63.
    itself : where source and target are one population, whether a neuron may have a synapse onto itself.
    kind : sparse, or dense to store the zeros as well.

    Raises NetworkError, which names the projection.
    """
    where = f"Projection {source.name} -> {target.name}"
    if not 0 < density <= 1:
        raise NetworkError(f"{where}: density must be above 0 and at most 1, not {density}; it is the share of synapses that exist")
    if not 0 <= excitatory <= 1:
        raise NetworkError(f"{where}: excitatory must be 0 to 1, not {excitatory}; it is the share of source neurons with positive weights")
    if not 2 <= weight_bits <= 8:
        raise NetworkError(f"{where}: weight_bits must be 2 to 8, not {weight_bits}: fewer cannot say that there is no synapse")
    if not delays or len(set(delays)) != len(delays):
        raise NetworkError(f"{where}: delays must be one or more different timesteps, not {list(delays)}")
    rng = np.random.default_rng(seed)
    sign = np.ones(source.size, dtype=np.int64)
    sign[rng.permutation(source.size)[round(excitatory * source.size):]] = -1
    shape = (target.size, source.size)
    weights = sign * rng.integers(1, 1 << (weight_bits - 1), shape) * (rng.random(shape) < density)
    which = rng.integers(0, len(delays), shape)
    if source.name == target.name and not itself:
        np.fill_diagonal(weights, 0)
    drawn = [(delay, np.where(which == k, weights, 0)) for k, delay in enumerate(delays)]
    projections = tuple(Projection(source=source.name, target=target.name, weights=some, weight_bits=weight_bits, delay=delay, shift=shift, kind=kind)
                        for delay, some in drawn if some.any())
    if not projections:
        raise NetworkError(f"{where}: no synapse was drawn at density {density}; raise it, or take another seed")
    return projections


@typed
def reservoir(population: Population, *, density: float, seed: int, excitatory: float = 0.8, weight_bits: int = 4, delays: Sequence[int] = (1,),
              shift: int = 0, kind: Kind = Kind.SPARSE) -> tuple[Projection, ...]:
    """Random recurrence of a population: the liquid of a liquid-state machine, without synapses of a neuron onto itself.

    80 % excitatory neurons as in W. Maass, T. Natschlaeger and H. Markram, "Real-time computing without stable states", Neural Computation 14,
    2002; their probability falls with distance, here it is the same everywhere. Delays are 1..63; parameters as in :func:`random_synapses`.
    """
    where = f"Projection {population.name} -> {population.name}"
    if any(not 1 <= delay <= 63 for delay in delays):
        raise NetworkError(f"{where}: delays of a reservoir must be 1 to 63, not {list(delays)}: it drives itself in later timesteps")
    return random_synapses(population, population, density=density, seed=seed, excitatory=excitatory, weight_bits=weight_bits, delays=delays,
                           shift=shift, itself=False, kind=kind)
