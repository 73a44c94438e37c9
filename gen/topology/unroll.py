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
def unrolled(block: Sequence[tuple[Population, Projection]], *, passes: int, thetas: Mapping[str, Sequence[Any]] | None = None,
             skips: Sequence[Projection] = (), entry: Projection | None = None) -> Unrolled:
    """The populations and projections of a block of one or more layers, repeated.

    Pass k of the layer ``c`` is the population ``c_k`` (k from 1). Its projection is that of the template, of any kind, with ``matrix`` set (the
    template's, or ``c`` itself): a tile that holds several passes stores the weights once.

    Parameters
    ----------
    block : (population, projection into it) per layer, in order; the first projection's source is the original input, each other's the layer before.
    passes : 1 or more.
    thetas : by layer, its threshold in each pass (a number, or one per neuron); other layers keep theirs.
    skips : projections inside the block beside those of its layers, repeated in each pass: from the block's input (the original one, or the pass
        before) or a layer, to a layer. Their ``matrix`` is the template's, or ``<source>_to_<target>``.
    entry : projection of the original input into the first layer, where it is another than the block's: of a larger map that is pooled beforehand,
        for instance. With the block's weights it shares their ``matrix``.

    Outputs, readouts, labels and classes of the templates are those of the last pass. Raises NetworkError, which names the layer.
    """
    if passes < 1 or not block:
        raise NetworkError(f"An unrolled block needs 1 pass or more of 1 layer or more, not {passes} of {len(block)}")
    names = [population.name for population, _ in block]
    for (population, projection), before in zip(block, [block[0][1].source, *names]):
        if (projection.source, projection.target) != (before, population.name):
            raise NetworkError(f"Projection {projection.source} -> {projection.target}: in the block it must lead from {before!r} to "
                               f"{population.name!r}; list layers in order, each with the projection into it")
    first, last, start = block[0], block[-1][0], block[0][1].source
    for projection in skips:
        if projection.source not in (start, *names) or projection.target not in names:
            raise NetworkError(f"Projection {projection.source} -> {projection.target}: a skip of the block leads from {start!r} or a layer to a "
                               f"layer, and the layers are {', '.join(names)}; list other projections in the network")
    if entry is not None and (entry.source, entry.target) != (start, names[0]):
        raise NetworkError(f"Projection {entry.source} -> {entry.target}: the entry of the block must lead from {start!r} to {names[0]!r}")
    for projection in (first[1], *(q for q in skips if q.source == start)):
        if passes > 1 and projection.shape[1] != last.size:
            raise NetworkError(f"Population {last.name!r}: its {last.size} neurons are to be the next pass's input, and the weights of "
                               f"{projection.target!r} take {projection.shape[1]}; make them equal, or select as many with a projection of its own")
    for name, values in (thetas or {}).items():
        if name not in names:
            raise NetworkError(f"Population {name!r}: thetas are given for it, and the block has {', '.join(names)}; name one of these")
        if len(values) != passes:
            raise NetworkError(f"Population {name!r}: {len(values)} thresholds for {passes} passes; give one per pass")
    populations, projections = [], []
    source = start
    for k in range(passes):
        here = {start: source, **{name: f"{name}_{k + 1}" for name in names}}
        for population, projection in block:
            fields: dict[str, Any] = {"name": here[population.name]}
            if k < passes - 1:
                fields |= {"readout": Readout.NONE, "output": False, "labels": (), "classes": None}
            if thetas and population.name in thetas:
                fields["theta"] = thetas[population.name][k]
            populations.append(replace(population, **fields))
            if k == 0 and entry is not None and population is first[0]:
                same = entry.weights.shape == projection.weights.shape and bool((entry.weights == projection.weights).all())
                projection = replace(entry, matrix=entry.matrix or (projection.matrix or population.name if same else f"{population.name}_entry"))
            for q, matrix in ((projection, population.name), *((q, f"{q.source}_to_{q.target}") for q in skips if q.target == population.name)):
                projections.append(replace(q, source=here[q.source], target=here[q.target], matrix=q.matrix or matrix))
        source = here[last.name]
    return Unrolled(tuple(populations), tuple(projections))
