"""Lateral inhibition without neurons of its own: a neuron that fires holds back the others of its group.

Two forms. :func:`lateral_inhibition` subtracts a weight from the others' membranes: what an inhibitory population driven 1:1 does (Diehl
and Cook 2015, see :mod:`.pairs`), without that population. :func:`lateral_blocking` keeps the others from firing for some timesteps and leaves
their membranes alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...spec.errors import NetworkError
from ...spec.network import Population, Port, Projection
from ._typed import typed

__all__ = ["lateral_blocking", "lateral_inhibition"]


def _others(population: Population, groups: Any, where: str) -> np.ndarray:
    """``[size, size], bool``: whether a neuron (row) is another of the group of a neuron (column); groups below 0 are none."""
    if not population.spikes:
        raise NetworkError(f"{where}: {population.name!r} is {population.model.value} and does not fire, so nothing inhibits; use a spiking model")
    numbers = np.asarray(groups)
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((), (population.size,)):
        raise NetworkError(f"{where}: groups must be one number, or an integer per neuron ({population.size}), not {numbers.dtype} of "
                           f"shape {list(numbers.shape)}")
    numbers = np.broadcast_to(numbers, (population.size,))
    others = (numbers[:, None] == numbers) & (numbers >= 0)
    np.fill_diagonal(others, False)
    if not others.any():
        raise NetworkError(f"{where}: no group has two neurons, so none has another to inhibit; give neurons of a group the same number (0 or more)")
    return others


@typed
def lateral_inhibition(population: Population, *, weight: int, groups: Any = 0, delay: int = 1, shift: int = 0) -> Projection:
    """A projection by which each neuron that fires subtracts ``weight`` from the others of its group, ``delay`` timesteps later.

    Its codebook is {-weight, 0}: 1 bit per synapse where its list on the tile has no wider weights. Many small groups are smaller as a sparse
    projection; :func:`~spikeloom.gen.storage.choose_storage` sees that.

    Parameters
    ----------
    population : that inhibits itself.
    weight : what a spike takes from the synaptic sum, 1..128, shifted left by ``shift``.
    groups : ``[size]`` group numbers, integers; neurons of a number below 0 are in no group. Or one number: all are one group.
    delay : timesteps, 1..63.

    Raises NetworkError, which names the projection.
    """
    where = f"Projection {population.name} -> {population.name}"
    others = _others(population, groups, where)
    _check_delay(delay, where)
    if not 1 <= weight <= 128:
        raise NetworkError(f"{where}: the weight of lateral inhibition must be 1 to 128, not {weight}; it is subtracted, and shift multiplies it")
    return Projection(source=population.name, target=population.name, weights=np.where(others, -weight, 0), codebook=(-weight, 0), delay=delay,
                      shift=shift)


@typed
def lateral_blocking(population: Population, *, groups: Any = 0, delay: int = 1) -> Projection:
    """A projection by which each neuron that fires keeps the others of its group from firing for ``population.inhibition`` timesteps.

    The first blocked timestep is ``delay`` timesteps after the spike. A blocked neuron goes on integrating. 1 bit per synapse.
    ``groups`` and ``delay`` as in :func:`lateral_inhibition`. Raises NetworkError, which names the projection.
    """
    where = f"Projection {population.name} -> {population.name}"
    others = _others(population, groups, where)
    _check_delay(delay, where)
    if not population.inhibition:
        raise NetworkError(f"{where}: {population.name!r} has no inhibition; say for how many timesteps a neuron is blocked: inhibition=1 to 63")
    return Projection(source=population.name, target=population.name, weights=others.astype(np.int8), codebook=(0, 1), delay=delay, port=Port.BLOCK)


def _check_delay(delay: int, where: str) -> None:
    if not 1 <= delay <= 63:
        raise NetworkError(f"{where}: lateral inhibition acts in a later timestep: its delay must be 1 to 63, not {delay}")
