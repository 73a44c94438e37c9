"""Runs clips through the golden model and prices what it counted, beside the ANN equivalents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ...sim.golden import Result, run
from ...spec.clips import Clips
from ...spec.errors import NetworkError
from ...spec.network import Model, Network
from .constants import NM65, Constants
from .equivalents import WAYS, equivalent
from .report import Comparison, EnergyReport, Layer
from .terms import Terms, event_terms, update_terms

__all__ = ["measure", "spike_reads"]

_BATCH_ENTRIES = 1 << 22  # entries of the dense input of one call of the golden model


@dataclass
class _Sums:
    """Of one population, over all clips."""

    spikes: int = 0
    sops: int = 0
    updates: Terms = field(default_factory=Terms)
    events: Terms = field(default_factory=Terms)


def measure(network: Network, clips: Clips, *, constants: Constants = NM65, static: bool = False, limit: int | None = None,
            progress: Callable[[int, int], None] | None = None) -> EnergyReport:
    """Energy of a network on a set of clips.

    Parameters
    ----------
    constants : what an operation costs.
    static : the clips show one input in all timesteps; without it they are sequences.
    limit : use the first clips only.
    progress : called with (clips done, clips in all) after every batch.

    Raises NetworkError if there are no clips, if they do not fit the network, or if a static input meets a recurrent layer.
    """
    clips = clips.take(limit)
    if not clips.n_clips or not clips.n_steps:
        raise NetworkError(f"Network {network.name!r}: {clips.n_clips} clips of {clips.n_steps} timesteps hold nothing to measure; "
                           "give at least one clip of one timestep")
    layers = [p for p in network.populations if p.model is not Model.INPUT]
    variants = _variants(network, clips.n_steps, constants, static)  # first: it may refuse
    sums = {p.name: _Sums() for p in network.populations}
    batch = max(1, min(512, _BATCH_ENTRIES // (clips.n_steps * clips.n_channels)))
    for first in range(0, clips.n_clips, batch):
        result = run(network, clips.dense(first, first + batch))
        for p in network.populations:
            counters, total = result.counters[p.name], sums[p.name]
            total.spikes += int(counters.spikes.sum())
            total.sops += int(counters.sops.sum())
            total.updates += update_terms(p, int(counters.updates.sum()))
            total.events += event_terms(p, counters, spike_reads(network, p.name, result))
        if progress is not None:
            progress(min(first + batch, clips.n_clips), clips.n_clips)
    n, steps = clips.n_clips, clips.n_steps
    at_rest = sum(sums[p.name].updates.energy(constants) for p in layers) / n
    active = sum(sums[p.name].events.energy(constants) for p in layers) / n
    synapses = {p.name: sum(q.synapses for q in network.incoming(p.name)) for p in layers}
    activity = sum(s.sops for s in sums.values()) / (n * max(sum(synapses.values()), 1) * (1 if static else steps))
    spikes = {p.name: sums[p.name].spikes / (n * steps * p.size) for p in network.populations}
    terms = {p.name: (sums[p.name].updates + sums[p.name].events) / n for p in layers}
    return EnergyReport(
        clips=n, steps=steps, static=static, constants=constants, inputs={p.name: spikes[p.name] for p in network.inputs},
        layers=tuple(Layer(name=p.name, model=p.model.value, neurons=p.size, synapses=synapses[p.name],
                           spikes_per_neuron_and_step=spikes[p.name] if p.spikes else None, sops=sums[p.name].sops / n,
                           terms=terms[p.name], shares=terms[p.name].shares(constants)) for p in layers),
        energy=at_rest + active, spikes_per_synapse=activity,
        anns=tuple(Comparison(way=way, recurrent=recurrent, equations=equations, energy=energy,
                              ratio=energy / (at_rest + active) if at_rest + active else None,
                              break_even=(energy - at_rest) / active * activity if active else None)
                   for way, recurrent, equations, energy in variants))


def _variants(network: Network, steps: int, constants: Constants, static: bool) -> list[tuple[str, str, str, float]]:
    """Way, treatment of recurrent layers without a gate, equations and MACs per clip of every ANN equivalent."""
    names = [p.name for p in network.populations if p.model is not Model.INPUT]
    grus, rnns = ([equivalent(network, name, steps, constants, static=static, rnn=rnn) for name in names] for rnn in (False, True))
    choices = [("light-gru", grus), ("rnn", rnns)] if any(ann.kind == "rnn" for ann in rnns) else [("", grus)]
    out = []
    for recurrent, anns in choices:
        gated = {ann.kind == "light-gru" for ann in anns}
        for way, numbers in WAYS.items():
            equations = ", ".join(number for number, used in zip(numbers, (False in gated, True in gated), strict=True) if used)
            out.append((way, recurrent, equations, sum(ann.energy[way] for ann in anns)))
    return out


def spike_reads(network: Network, name: str, result: Result) -> int:
    """Events that arrived at a population in a run from a reset, over its clips: those of one source and delay once for all its projections.

    An event that is still under way at the end has not been read.
    """
    reads = 0
    for source, delay in {(p.source, p.delay) for p in network.incoming(name)}:
        history = result.state.history[source]
        reads += int(result.counters[source].spikes.sum()) - int(np.count_nonzero(history[:, history.shape[1] - delay:]))
    return reads
