"""Quantize a float network: weights of 2 to 8 bits, integer decays, thresholds, biases and membranes, with a report of every error.

For a neuron n with scale s_n (value of one unit of its synaptic sum) and G guard bits, one unit of v is s_n / 2**G, hence

    w_q = round(w / s_n)    theta_q = floor(theta / s_n * 2**G) + 1  where v > theta fires,  round(theta / s_n * 2**G)  where v >= theta does
    bias_q = round(bias / s_n * 2**G)

A scale per neuron costs nothing in hardware, since theta and bias are per neuron anyway. All is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..spec.arithmetic import Rounding, bits_signed
from ..spec.clips import Clips
from ..spec.errors import NetworkError
from ..spec.network import Model, Network, Population, Projection, Reset
from .float_network import FloatNetwork, FloatPopulation, FloatResult, run_float
from .quantize_decay import DecayChoice, choose_decay
from .quantize_report import PopulationReport, ProjectionReport, QuantizeReport, compare
from .quantize_weights import QuantizedWeights, quantize_weights

__all__ = ["QuantizeResult", "quantize"]

MIN_THETA = 32  # guard bits are added until the smallest threshold is this many units of v
DEADBAND = 16  # ... and this many times the v that rounding keeps from decaying
MAX_GUARD_BITS = 8
MAX_V_BITS = 24  # of an automatic choice; the contract allows 32
MULTIPLIER_BITS = 18  # the operand of one hardware multiplier of ECP5 and Xilinx 7
MIN_HEADROOM = 16  # thresholds that a spiking v must hold before it is cut to MULTIPLIER_BITS
MAX_FIXED = 1 << 20  # largest threshold or bias in units of the synaptic sum that a scale may lead to
MARGIN = 1.25  # of a measured range of v


@dataclass(frozen=True, kw_only=True)
class QuantizeResult:
    """The integer network and what it cost."""

    network: Network
    report: QuantizeReport

    def __str__(self) -> str:
        return self.report.text()


def quantize(float_network: FloatNetwork, *, weight_bits: int = 8, scale: str = "neuron", decay: str = "multiply",
             fraction_bits: int | None = None, guard_bits: int | None = None, v_bits: int | None = None,
             clips: Clips | None = None, reference: FloatResult | None = None,
             progress: Callable[[int, int], None] | None = None) -> QuantizeResult:
    """Quantize a float network.

    Parameters
    ----------
    weight_bits : width of every weight, 2..8.
    scale : ``"neuron"`` or ``"layer"``. An LI population that is read as a value always gets one scale, since its neurons are compared
        with one another; so does a population that starts from v_init other than 0.
    decay : ``"multiply"`` or ``"shift"``; ``fraction_bits`` of the multiplier, 8 to 12, None for a choice by the error of beta.
    guard_bits, v_bits : formats of every membrane; None chooses them per population.
    clips : inputs for which the range of v is measured and both networks are compared; an input range that does not hold their
        payloads is widened. Without them v_bits comes from the largest v
        that any events could lead to. A spiking v is cut to 18 bits (one multiplier) where that still holds 16 thresholds, any to 24.
    reference : result of :func:`run_float` for these clips, if it is there already.
    progress : called with (clips done, clips in all); each clip counts twice, in float and in integers.

    Raises NetworkError for a parameter out of its range and for a network that breaks the contract.
    """
    if not 2 <= weight_bits <= 8:
        raise NetworkError(f"Weight bits must be 2 to 8, not {weight_bits}")
    if scale not in ("neuron", "layer"):
        raise NetworkError(f"Scale must be neuron or layer, not {scale!r}")
    if clips is not None:
        float_network = _widened(float_network, clips)
    if clips is not None and reference is None:
        reference = run_float(float_network, clips.dense(), progress=_half(progress, 0))
    populations: dict[str, Population] = {}
    projections: dict[int, Projection] = {}
    population_reports, projection_reports = [], []
    for p in float_network.populations:
        if p.model is Model.INPUT:
            populations[p.name] = Population(name=p.name, size=p.size, model=p.model, payload_min=p.payload_min,
                                             payload_max=p.payload_max, labels=p.labels)
            continue
        incoming = float_network.incoming(p.name)
        if not incoming:
            raise NetworkError(f"Population {p.name!r}: no projection leads to it")
        choice = choose_decay(p.beta, decay, fraction_bits)
        per_neuron = scale == "neuron" and p.model is not Model.LI and p.v_init == 0
        weights = quantize_weights(
            [q.weights for q in incoming], weight_bits=weight_bits, per_neuron=per_neuron, floor=_floor(p))
        for q, w, shift in zip(incoming, weights.weights, weights.shifts, strict=True):
            projections[id(q)] = Projection(source=q.source, target=q.target, weights=w, weight_bits=weight_bits, delay=q.delay,
                                            shift=shift)
            projection_reports.append(ProjectionReport.of(q, projections[id(q)], weights.scale))
        guard = _guard_bits(p, weights.scale, choice) if guard_bits is None else guard_bits
        integer, v_from = _population(float_network, p, weights, choice, guard, v_bits, reference)
        populations[p.name] = integer
        population_reports.append(PopulationReport.of(p, integer, choice, weights.scale, per_neuron, v_from))
    network = Network(
        name=float_network.name, populations=tuple(populations.values()),
        projections=tuple(projections[id(q)] for q in float_network.projections),
        metadata={**float_network.metadata, "quantization": {"weight_bits": weight_bits, "scale": scale, "decay": decay}})
    comparison = None if clips is None or reference is None else compare(network, clips, reference, _half(progress, clips.n_clips))
    return QuantizeResult(network=network, report=QuantizeReport(
        name=network.name, weight_bits=weight_bits, scale=scale, decay=decay, populations=tuple(population_reports),
        projections=tuple(projection_reports), comparison=comparison))


def _half(progress: Callable[[int, int], None] | None, before: int) -> Callable[[int, int], None] | None:
    """Progress of one of two passes over the clips."""
    return None if progress is None else lambda done, total: progress(before + done, 2 * total)


def _widened(net: FloatNetwork, clips: Clips) -> FloatNetwork:
    """The network with input ranges that hold the payloads of the clips: the widest that the same number of bits can hold."""
    if clips.n_channels != sum(p.size for p in net.inputs):
        raise NetworkError(f"Float network {net.name!r} has {sum(p.size for p in net.inputs)} input channels, the clips have "
                           f"{clips.n_channels}; use clips that were made for this network")
    populations, first = {p.name: p for p in net.populations}, 0
    for p in net.inputs:
        seen = clips.payload[(clips.channel >= first) & (clips.channel < first + p.size)]
        first += p.size
        if seen.size and (seen.min() < p.payload_min or seen.max() > p.payload_max):
            low, high = int(seen.min()), int(seen.max())
            populations[p.name] = replace(p, payload_min=min(p.payload_min, -(1 << (-low - 1).bit_length()) if low < 0 else low),
                                          payload_max=max(p.payload_max, (1 << high.bit_length()) - 1 if high > 0 else high))
    return replace(net, populations=tuple(populations.values()))


def _floor(p: FloatPopulation) -> np.ndarray:
    """Smallest scale of each neuron, ``[size]``: a neuron whose weights hardly matter must not get an endless threshold or bias."""
    largest = np.maximum(abs(np.asarray(p.bias, np.float64)), abs(p.v_init))
    if p.spikes:
        largest = np.maximum(largest, p.threshold)
    if not largest.any():  # an LI population without bias: only all-zero weights come down to this
        return np.full(p.size, 2.0**-20)
    return np.maximum(largest, largest[largest > 0].min()) / MAX_FIXED


def _guard_bits(p: FloatPopulation, scale: np.ndarray, choice: DecayChoice) -> int:
    """Guard bits with which thresholds are fine enough and the rounding of the decay is harmless.

    Rounding to nearest keeps a v of up to 0.5 / (1 - beta) units from decaying. That is held below 1/16 of every threshold;
    without thresholds, below one unit of the synaptic sum, 2**G units of v.
    """
    beta = choice.decay.beta
    kept = 0.5 / (1 - beta) if beta < 1 else 0.0
    if not p.spikes:
        return min(int(np.ceil(np.log2(max(kept, 1.0)))), MAX_GUARD_BITS)
    theta = np.asarray(p.threshold) / scale
    guard = int(np.ceil(np.log2(max(max(MIN_THETA, DEADBAND * kept) / float(theta.min()), 1.0))))
    # The largest threshold has to stay within its format too.
    return min(guard, MAX_GUARD_BITS, int(np.log2(max((1 << (MAX_V_BITS - 2)) / float(theta.max()), 1.0))))


def _population(net: FloatNetwork, p: FloatPopulation, weights: QuantizedWeights, choice: DecayChoice, guard: int,
                v_bits: int | None, reference: FloatResult | None) -> tuple[Population, str]:
    """The integer population and where its v_bits came from, as in :class:`PopulationReport`."""
    units = (1 << guard) / weights.scale  # units of v per float, [size]
    bias = np.rint(p.bias * units).astype(np.int64)
    theta = np.ones(p.size, np.int64)
    if p.spikes:
        exact = np.asarray(p.threshold, np.float64) * units
        theta = np.maximum(np.floor(exact) + 1 if p.strict else np.rint(exact), 1).astype(np.int64)
    if v_bits is not None:
        v_from = "given"
    else:
        if reference is not None:
            low, high = float((reference.v_low[p.name] * units).min()), float((reference.v_high[p.name] * units).max())
            low, high, v_from = low * MARGIN, high * MARGIN, "measured"
        else:
            low, high = _bounds(net, p, weights, choice, guard, bias, theta)
            v_from = "bound"
        least = max(bits_signed(0, int(max(theta.max(), abs(bias).max()))), 2)  # for theta and bias, whatever the clips
        v_bits = max(min(bits_signed(int(np.floor(low)), int(np.ceil(high))), MAX_V_BITS), least)
        # A v of many thresholds saturates without harm: the neuron fires, or is silent, for long in any case.
        enough = max(least, MULTIPLIER_BITS, bits_signed(0, MIN_HEADROOM * int(theta.max())))
        if p.spikes and v_bits > enough:
            v_bits, v_from = enough, f"cut, {v_from} {v_bits}"
    return Population(
        name=p.name, size=p.size, model=Model.LIF if p.model is Model.IF and choice.decay.kind != "none" else
        Model.IF if p.model is Model.LIF and choice.decay.kind == "none" else p.model,
        decay=choice.decay, rounding=Rounding.NEAREST, reset=p.reset if p.spikes else Reset.NONE, theta=theta, bias=bias,
        v_bits=v_bits, guard_bits=guard, v_init=round(p.v_init * float(units[0])), readout=p.readout, labels=p.labels), v_from


def _bounds(net: FloatNetwork, p: FloatPopulation, weights: QuantizedWeights, choice: DecayChoice, guard: int, bias: np.ndarray,
            theta: np.ndarray) -> tuple[float, float]:
    """Smallest and largest v, in its units, that any events can lead to in the long run (a geometric series of the largest inputs).

    Without a leak there is no such bound: then threshold plus four timesteps of the largest sum, beyond which v saturates.
    """
    low, high = np.zeros(p.size), np.zeros(p.size)
    for q, w, shift in zip(net.incoming(p.name), weights.weights, weights.shifts, strict=True):
        source = net.population(q.source)
        ends = (w * (source.payload_min << shift), w * (source.payload_max << shift), 0 * w)
        low += np.min(ends, axis=0).sum(axis=1)
        high += np.max(ends, axis=0).sum(axis=1)
    low, high = low * (1 << guard) + np.minimum(bias, 0), high * (1 << guard) + np.maximum(bias, 0)
    beta = choice.decay.beta
    gain = 1 / (1 - beta) if beta < 1 else 4.0
    fired = theta if p.spikes else np.zeros(p.size)
    # A spike takes theta off a v that was at least theta: that leads below the series of the sums by at most theta.
    return float((low * gain - fired).min()), float((high * gain + fired).max())
