"""Quantize a float network: weights of 1 to 8 bits, integer decays, thresholds, biases and states of every model, with a report of every error.

For a neuron n with scale s_n (value of one unit of its synaptic sum) and G guard bits, one unit of v and of i is s_n / 2**G, hence

    w_q = round(w / s_n)    theta_q = floor(theta / s_n * 2**G) + 1  where v > theta fires,  round(theta / s_n * 2**G)  where v >= theta does
    bias_q = round(bias / s_n * 2**G),  and so v_init and jump

A scale per neuron costs nothing in hardware, since theta and bias are per neuron anyway; the neurons of a map, which share weights, have one per
channel. All is deterministic. docs/quantize.md is the guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..sim.golden import simulate
from ..spec.clips import Clips
from ..spec.errors import NetworkError
from ..spec.network import Model, Network, Population, Projection
from .float_network import FloatNetwork, FloatResult, run_float
from .quantize_bits import projection_names, resolve_bits, tied_bits
from .quantize_compare import compare, score
from .quantize_population import Built, Options, build_population
from .quantize_report import QuantizeReport, state_bits
from .quantize_search import Search, search_bits

__all__ = ["QuantizeResult", "quantize"]

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class QuantizeResult:
    """The integer network and what it cost."""

    network: Network
    report: QuantizeReport

    def __str__(self) -> str:
        return self.report.text()


def quantize(float_network: FloatNetwork, *, weight_bits: int | str | Mapping[Any, int] = 8, scale: str = "neuron", decay: str = "multiply",
             fraction_bits: int | None = None, guard_bits: int | None = None, v_bits: int | None = None, i_bits: int | None = None,
             max_drop: float = 1.0, clips: Clips | None = None, reference: FloatResult | None = None,
             progress: OnProgress | None = None) -> QuantizeResult:
    """Quantize a float network.

    Parameters
    ----------
    weight_bits : width of every weight, 1..8 (1: -1 and +1); or a mapping by projection, see :func:`~.quantize_bits.resolve_bits`; or ``"auto"``: the
        smallest memory that loses at most ``max_drop`` points of accuracy against float on ``clips``, which then need labels.
    scale : ``"neuron"`` (of a map: per channel) or ``"layer"``. A population that is read as a value always gets one scale, since its
    neurons are compared
        with one another; so does one with a v_floor other than 0, which is one number for all.
    decay : ``"multiply"`` or ``"shift"``; ``fraction_bits`` of the multiplier, 8 to 12, None for a choice by the error of the decay.
    guard_bits, v_bits, i_bits : formats of every state; None chooses them per population. Where v_bits or i_bits are given and guard_bits are not,
        the scale is lifted, and weights lose bits, until the state holds what it must (the report says so).
    clips : inputs for which the ranges of v and i are measured and both networks are compared; an input range that does not hold their
        payloads is widened. Without them v_bits and i_bits come from the largest v and i
        that any events could lead to. A spiking v is cut to 18 bits (one multiplier) where that still holds 16 thresholds, any to 24.
    reference : result of :func:`run_float` for these clips, if it is there already.
    progress : called with (clips done, clips in all); each clip counts twice, in float and in integers, and once more for each network of a search.

    Raises NetworkError for a parameter out of its range and for a network that breaks the contract.
    """
    auto = isinstance(weight_bits, str)
    if auto and weight_bits != "auto":
        raise NetworkError(f"Weight bits must be 1 to 8, a mapping, or 'auto', not {weight_bits!r}")
    if auto and (clips is None or clips.labels is None or not clips.n_clips):
        raise NetworkError("Weight bits 'auto' need clips with labels: without them no accuracy can be lost; give clips, or a number of bits")
    bits = (8,) * len(float_network.projections) if isinstance(weight_bits, str) else resolve_bits(float_network, weight_bits)
    if scale not in ("neuron", "layer"):
        raise NetworkError(f"Scale must be neuron or layer, not {scale!r}")
    for name, value, low, high in (("v_bits", v_bits, 2, 32), ("i_bits", i_bits, 2, 32), ("guard_bits", guard_bits, 0, 12)):
        if value is not None and not low <= value <= high:
            raise NetworkError(f"Network {float_network.name!r}: {name} must be {low} to {high}, not {value}")
    if max_drop < 0:
        raise NetworkError(f"Max_drop must be at least 0 points, not {max_drop}")
    if clips is not None:
        float_network = _widened(float_network, clips)
    n_networks = 2 + (6 * len(bits) + 1 if auto else 0)

    def part(first: int, count: int) -> OnProgress | None:
        """Progress of ``count`` networks' worth of clips, after the first ones."""
        n = 0 if clips is None else clips.n_clips
        return None if progress is None else lambda done, total: progress(first * n + done * count * n // max(total, 1), n_networks * n)

    if clips is not None and reference is None:
        reference = run_float(float_network, clips.dense(), progress=part(0, 1))
    work = _Work(float_network, Options(scale=scale, decay=decay, fraction_bits=fraction_bits, guard_bits=guard_bits, v_bits=v_bits, i_bits=i_bits),
                 reference)
    search = None
    if auto and clips is not None and reference is not None:
        search = _search(work, clips, reference, max_drop, part(1, n_networks - 2))
        bits = search.weight_bits
    network, built = work.network(bits)
    comparison = None
    if clips is not None and reference is not None:
        comparison = compare(network, float_network, clips, reference, part(n_networks - 1, 1))
    return QuantizeResult(network=network, report=QuantizeReport.of(float_network, network, built, work.options, comparison, search))


class _Work:
    """Integer networks of one float network by the bits of its projections; populations whose bits did not change are not built again."""

    def __init__(self, net: FloatNetwork, options: Options, reference: FloatResult | None) -> None:
        self.net, self.options, self._reference = net, options, reference
        self._built: dict[tuple[str, tuple[int, ...]], Built] = {}

    def network(self, bits: tuple[int, ...]) -> tuple[Network, dict[str, Built]]:
        """The network with ``bits`` of each projection, and the parts of its populations by name."""
        net, bits = self.net, tied_bits(self.net, bits)
        built: dict[str, Built] = {}
        places = {id(q): k for k, q in enumerate(net.projections)}
        populations: list[Population] = []
        projections: dict[int, Projection] = {}
        for p in net.populations:
            if p.model is Model.INPUT:
                populations.append(Population(name=p.name, size=p.size, model=p.model, payload_min=p.payload_min, payload_max=p.payload_max,
                                              labels=p.labels))
                continue
            incoming = [places[id(q)] for q in net.incoming(p.name)]
            own = tuple(bits[k] for k in incoming)
            if (p.name, own) not in self._built:
                self._built[p.name, own] = build_population(net, p, own, self.options, self._reference)
            built[p.name] = part = self._built[p.name, own]
            populations.append(part.population)
            projections.update(zip(incoming, part.projections, strict=True))
        uniform = len(set(bits)) == 1
        said = bits[0] if uniform else dict(zip(projection_names(net), bits, strict=True))
        network = Network(
            name=net.name, populations=tuple(populations), projections=tuple(projections[k] for k in range(len(net.projections))),
            metadata={**net.metadata, "quantization": {"weight_bits": said, "scale": self.options.scale, "decay": self.options.decay}})
        return network, built


def _search(work: _Work, clips: Clips, reference: FloatResult, max_drop: float, progress: OnProgress | None) -> Search:
    """The bits of each projection by accuracy on ``clips``."""
    accuracy = score(clips, reference.answers)
    if accuracy is None or not reference.readouts:
        raise NetworkError(f"Network {work.net.name!r}: weight bits 'auto' need a population with a readout, whose answers can be scored")

    def evaluate(bits: tuple[int, ...]) -> tuple[float, int]:
        network = work.network(bits)[0]
        value = simulate(network, clips).accuracy
        return 0.0 if value is None else value, sum(q.weights.size * q.weight_bits for q in network.projections) + sum(
            state_bits(p) for p in network.populations)

    return search_bits(projection_names(work.net), [q.weights.size for q in work.net.projections], evaluate, accuracy_float=accuracy,
                       max_drop=max_drop, progress=progress)


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

