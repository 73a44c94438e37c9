"""Float against integer network on clips, layer by layer, and what went wrong with a layer that no longer does what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..sim.golden import run, simulate
from ..spec.clips import Clips
from ..spec.network import Model, Network, Port
from .float_network import FloatNetwork, FloatResult, run_float

__all__ = ["Comparison", "LayerComparison", "compare", "score"]

SPIKE_CLIPS = 256  # of which every spike is compared
_BATCH = 32
SILENT = 0.25  # of the float rate: below it, and above its inverse, a layer is told loudly
LEAST_RATE = 1e-4  # spikes per neuron and timestep in float, below which silence is no news
MANY_SATURATIONS = 0.01  # of all updates


@dataclass(frozen=True, kw_only=True)
class LayerComparison:
    """One population, float against integers.

    ``rate_float`` and ``rate_integer`` are spikes per neuron and timestep over all clips, ``agreement`` the fraction of neuron-steps with the same
    number of
    spikes on the first clips (None for what does not fire), ``saturations`` the fraction of updates in which v (or i) met an end of its format.
    """

    name: str
    rate_float: float | None
    rate_integer: float | None
    agreement: float | None
    saturations: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Float against integer network on clips.

    ``spikes_float`` and ``spikes_integer`` are per population, mean per clip; ``agreement`` is the part of the clips with the same
    answer (None without a readout); ``saturations`` is per population the number of updates in which v or i met an end of its format, mean
    per clip; ``layers`` has all populations that are no inputs, ``spike_clips`` the number of clips of which every spike was compared, ``warnings`` a
    line for each layer that goes silent, fires far more or saturates.
    """

    clips: int
    accuracy_float: float | None
    accuracy_integer: float | None
    agreement: float | None
    spikes_float: dict[str, float]
    spikes_integer: dict[str, float]
    saturations: dict[str, float]
    layers: tuple[LayerComparison, ...]
    spike_clips: int
    warnings: tuple[str, ...]


def score(clips: Clips, answers: np.ndarray) -> float | None:
    """Fraction of clips whose answer is their label; None without labels or clips."""
    return None if clips.labels is None or not clips.n_clips else float((answers == clips.labels).mean())


def compare(network: Network, float_network: FloatNetwork, clips: Clips, reference: FloatResult,
            progress: Callable[[int, int], None] | None = None) -> Comparison:
    """Simulate ``network`` with the golden model on ``clips`` and set it beside ``reference``, the float result of the same clips."""
    result = simulate(network, clips, progress=progress)
    n, steps = max(clips.n_clips, 1), max(clips.n_steps, 1)
    same, of = _spike_agreement(network, float_network, clips)
    layers = []
    for p in network.populations:
        if p.model is not Model.INPUT:
            rate = None
            if p.spikes:  # events of several spikes count by their payload
                rate = same[p.name][1] if p.max_spikes > 1 else result.spikes_per_population[p.name] / (steps * p.size)
            layers.append(LayerComparison(
                name=p.name, rate_float=_rate(reference, p.name, n * steps * p.size) if p.spikes else None, rate_integer=rate,
                agreement=same[p.name][0] if p.spikes and of else None, saturations=result.saturations[p.name] / (n * steps * p.size)))
    return Comparison(
        clips=clips.n_clips, accuracy_float=score(clips, reference.answers) if reference.readouts else None, accuracy_integer=result.accuracy,
        agreement=None if result.answers is None or not clips.n_clips else float((result.answers == reference.answers).mean()),
        spikes_float={name: float(count.sum()) / n for name, count in reference.spike_counts.items()},
        spikes_integer={layer.name: (layer.rate_integer or 0.0) * steps * network.population(layer.name).size for layer in layers
                        if layer.rate_integer is not None},
        saturations={name: count / n for name, count in result.saturations.items()}, layers=tuple(layers), spike_clips=of,
        warnings=tuple(line for layer in layers for line in _warnings(network, float_network, layer)))


def _rate(reference: FloatResult, name: str, neuron_steps: int) -> float:
    return float(reference.spike_counts[name].sum()) / neuron_steps


def _spike_agreement(network: Network, float_network: FloatNetwork, clips: Clips) -> tuple[dict[str, tuple[float, float]], int]:
    """Per population the fraction of equal neuron-steps and the rate in integers, of the first clips, and how many clips those are."""
    of = min(clips.n_clips, SPIKE_CLIPS)
    equal = {p.name: np.zeros(2) for p in network.populations if p.spikes}
    for k in range(0, of, _BATCH):
        x = clips.dense(k, min(k + _BATCH, of))
        ours, exact = run_float(float_network, x, record=True), run(network, x, record=True)
        for name, total in equal.items():
            total += np.count_nonzero(ours.spikes[name] == exact.spikes[name]), exact.spikes[name].sum(dtype=np.int64)
    return {name: tuple((total / max(of * clips.n_steps * network.population(name).size, 1)).tolist()) for name, total in equal.items()}, of


def _warnings(network: Network, float_network: FloatNetwork, layer: LayerComparison) -> list[str]:
    """What to say loudly of one layer."""
    p, lines = network.population(layer.name), []
    if layer.rate_float is not None and layer.rate_integer is not None:
        rates = f"{layer.rate_integer:.3f} spikes per neuron and step in integers, {layer.rate_float:.3f} in float"
        if layer.rate_float > LEAST_RATE and layer.rate_integer < SILENT * layer.rate_float:
            lines.append(f"layer {p.name}: {rates}: its thresholds are {p.theta.min()}..{p.theta.max()} units of v, "
                         f"{_why_silent(network, float_network, p.name)}")
        elif layer.rate_integer > max(layer.rate_float / SILENT, LEAST_RATE):
            lines.append(f"layer {p.name}: {rates}: it fires far more than it was trained to; take more bits for the weights that lead to it")
    if layer.saturations > MANY_SATURATIONS:
        held = f"; v holds {p.v_max / p.theta.max():.1f} of its largest threshold" if p.spikes else ""
        lines.append(f"layer {p.name}: {layer.saturations:.1%} of its updates saturate in {p.v_bits} bits of v"
                     + (f" and {p.i_bits} of i" if p.has_current else "") + f"{held}: give more v_bits" + (" and i_bits" if p.has_current else "")
                     + ", or fewer guard_bits")
    return lines


def _why_silent(network: Network, float_network: FloatNetwork, name: str) -> str:
    """How many weights became 0 on the way, and what to do."""
    lost = [(int(((q.weights == 0) & (f.weights != 0)).sum()), f.weights.size, q)
            for f, q in zip(float_network.incoming(name), network.incoming(name), strict=True) if q.port is Port.CURRENT]
    worst = max(lost, key=lambda entry: entry[0] / max(entry[1], 1))
    share = worst[0] / max(worst[1], 1)
    if share > 0.5:
        return (f"and {share:.0%} of the weights from {worst[2].source} became 0 in {worst[2].weight_bits} bits; "
                "take more bits, or one scale per neuron")
    return "which its sums rarely reach; look at the layers before it, then take more weight bits or one scale per neuron"
