"""Backward-residual blocks: a block whose output is its own next input, unrolled into passes that share its weights.

P. Panda, S. A. Aketi and K. Roy, "Toward scalable, efficient, and accurate deep spiking neural networks with backward residual connections,
stochastic softmax, and hybridization", Frontiers in Neuroscience 14, 2020. Pass 1 is f(W x; theta_1), pass k is f(W y_(k-1); theta_k): the same
weights, but each pass has its own membranes and its own threshold, and the original input is used in pass 1 alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ...spec.errors import NetworkError
from ...spec.network import Population, Projection, Readout
from ._typed import typed

__all__ = ["Unrolled", "unrolled"]


class Unrolled(NamedTuple):
    """What :func:`unrolled` returns, pass by pass; the last population is the block's output."""

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]


@typed
def unrolled(block: Sequence[tuple[Population, Projection]], *, passes: int, thetas: Mapping[str, Sequence[Any]] | None = None) -> Unrolled:
    """The populations and projections of a block of one or more layers, repeated.

    Pass k of the layer ``c`` is the population ``c_k`` (k from 1). Its projection is that of the template, with ``matrix`` set (the template's,
    or ``c`` itself): a tile that holds several passes stores the weights once.

    Parameters
    ----------
    block : (population, projection into it) per layer, in order; the first projection's source is the original input, each other's the layer before.
    passes : 1 or more.
    thetas : by layer, its threshold in each pass (a number, or one per neuron); other layers keep theirs.

    Outputs, readouts, labels and classes of the templates are those of the last pass. Raises NetworkError, which names the layer.
    """
    if passes < 1 or not block:
        raise NetworkError(f"An unrolled block needs 1 pass or more of 1 layer or more, not {passes} of {len(block)}")
    names = [population.name for population, _ in block]
    for (population, projection), before in zip(block, [block[0][1].source, *names]):
        if (projection.source, projection.target) != (before, population.name):
            raise NetworkError(f"Projection {projection.source} -> {projection.target}: in the block it must lead from {before!r} to "
                               f"{population.name!r}; list layers in order, each with the projection into it")
    first, last = block[0], block[-1][0]
    if passes > 1 and first[1].weights.shape[1] != last.size:
        raise NetworkError(f"Population {last.name!r}: its {last.size} neurons are to be the next pass's input, and the weights of "
                           f"{first[0].name!r} take {first[1].weights.shape[1]}; make them equal, or select as many with a projection of its own")
    for name, values in (thetas or {}).items():
        if name not in names:
            raise NetworkError(f"Population {name!r}: thetas are given for it, and the block has {', '.join(names)}; name one of these")
        if len(values) != passes:
            raise NetworkError(f"Population {name!r}: {len(values)} thresholds for {passes} passes; give one per pass")
    populations, projections = [], []
    source = first[1].source
    for k in range(passes):
        for population, projection in block:
            target = f"{population.name}_{k + 1}"
            fields: dict[str, Any] = {"name": target}
            if k < passes - 1:
                fields |= {"readout": Readout.NONE, "output": False, "labels": (), "classes": None}
            if thetas and population.name in thetas:
                fields["theta"] = thetas[population.name][k]
            populations.append(replace(population, **fields))
            projections.append(replace(projection, source=source, target=target, matrix=projection.matrix or population.name))
            source = target
    return Unrolled(tuple(populations), tuple(projections))
