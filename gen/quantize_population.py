"""One population of a float network and all that leads to it, in integers: scale, guard bits, thresholds, decays, formats of v, i and a.

A sum has no right shift: one unit of v is s_n / 2**G, never coarser than one unit of weight (times one of payload). So where inputs are graded, the
weights
that they meet are fine, and so is v: it needs many bits, or, where its bits are given, the scale is lifted until the state holds what it must (the
thresholds of :data:`~.quantize_ranges.MIN_HEADROOM`, or what was measured), and weights lose bits. The report says which of the two happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..spec.arithmetic import Rounding, bits_signed, bits_unsigned
from ..spec.errors import NetworkError
from ..spec.network import Gain, Kind, Model, Population, Port, Projection, Reset
from .float_network import FloatNetwork, FloatPopulation, FloatProjection, FloatResult
from .quantize_decay import DecayChoice, choose_decays
from .quantize_gate import QuantizedGate, quantize_gate
from .quantize_ranges import MARGIN, MIN_HEADROOM, Bounds, Needs, bounds, current_headroom, needs
from .quantize_weights import QuantizedWeights, quantize_weights

__all__ = ["MULTIPLIER_BITS", "Built", "Options", "build_population"]

MIN_THETA = 32  # guard bits are added until the smallest threshold is this many units of v
DEADBAND = 16  # ... and this many times the v that rounding keeps from decaying
MAX_GUARD_BITS, MAX_GUARD_BITS_CURRENT = 8, 12  # the second where rounding acts twice, on i and on v
MAX_V_BITS = 24  # of an automatic choice; the contract allows 32
MULTIPLIER_BITS = 18  # the operand of one hardware multiplier of ECP5 and Xilinx 7
MAX_FIXED = 1 << 20  # largest threshold or bias in units of the synaptic sum that a scale may lead to
GATE_KEPT = 64.0  # units of v that a gate of z = 254/256 keeps from moving


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parameters of :func:`.quantize.quantize` that hold for every population."""

    scale: str = "neuron"
    decay: str = "multiply"
    fraction_bits: int | None = None
    guard_bits: int | None = None
    v_bits: int | None = None
    i_bits: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """A population in integers, and what its report needs.

    Parameters
    ----------
    population, projections : integer forms; the projections in the order of ``net.incoming(name)``.
    scales : per projection ``[size]``, the float value of one unit of its sum.
    decays : by the name of what decays, ``v``, ``i`` or ``a``.
    per_neuron : whether each neuron has its own scale.
    v_from, i_from : where v_bits and i_bits came from, as in :class:`~.quantize_report.PopulationReport`.
    proven : no events can make v or i saturate.
    limited : the scale was lifted so that the given v_bits or i_bits hold what they must.
    gate : of a SPIKGRU.
    """

    population: Population
    projections: tuple[Projection, ...]
    scales: tuple[np.ndarray, ...]
    decays: dict[str, DecayChoice]
    per_neuron: bool
    v_from: str
    i_from: str
    proven: bool
    limited: bool
    gate: QuantizedGate | None


def build_population(net: FloatNetwork, p: FloatPopulation, bits: Sequence[int], options: Options, reference: FloatResult | None) -> Built:
    """Quantize one population that is no input; ``bits`` of a weight for each of ``net.incoming(p.name)``; ``reference``: a float run, or None."""
    incoming = net.incoming(p.name)
    of = {port: [k for k, q in enumerate(incoming) if q.port is port] for port in Port}
    if not of[Port.CURRENT]:
        raise NetworkError(f"Population {p.name!r}: no projection leads to it" + (" at port 'i', so nothing drives its membrane" if incoming else ""))
    decays = {"v": choose_decays(1.0 if p.has_gate else p.beta, options.decay, options.fraction_bits)}
    if p.has_current:
        decays["i"] = choose_decays(p.alpha, options.decay, options.fraction_bits)
    if p.model is Model.ALIF:
        decays["a"] = choose_decays(p.rho, options.decay, options.fraction_bits)
    need, plain = needs(net, p, reference), _floor(p)
    floor = _lifted(p, need, options)
    shared = {q.matrix for q in incoming if q.matrix}
    for other in {q.target for q in net.projections if q.matrix in shared} - {p.name}:  # the same integers, hence the same scale
        floor = np.maximum(floor, _lifted(net.population(other), needs(net, net.population(other), reference), options))
    # Neurons that are read as values are compared with one another; a lower clip is one number for all.
    per_neuron = options.scale == "neuron" and p.spikes and not p.v_floor
    sums = _sums(net, p, [incoming[k] for k in of[Port.CURRENT]], [bits[k] for k in of[Port.CURRENT]], per_neuron, floor)
    guard = _guard_bits(p, sums.scale, decays, need, options) if options.guard_bits is None else options.guard_bits
    gate = quantize_gate(p, [incoming[k] for k in of[Port.GATE]], [bits[k] for k in of[Port.GATE]]) if p.has_gate else None
    weights, shifts, scales = _placed(p, incoming, bits, of, sums, gate)
    projections = tuple(Projection(source=q.source, target=q.target, weights=w, weight_bits=b, delay=q.delay, shift=s, port=q.port,
                                   matrix=q.matrix, conv=q.conv, kind=Kind.DENSE if q.conv is None else Kind.CONV)
                        for q, w, b, s in zip(incoming, weights, bits, shifts, strict=True))
    population, v_from, i_from, proven = _population(net, p, projections, sums, decays, guard, gate, options, reference)
    bound = floor if per_neuron else np.full_like(floor, floor.max())
    return Built(population=population, projections=projections, scales=tuple(scales), decays=decays, per_neuron=per_neuron, v_from=v_from,
                 i_from=i_from,
                 proven=proven, gate=gate, limited=bool(((bound > plain.max() if not per_neuron else bound > plain) & (sums.scale <= bound)).any()))


def _sums(net: FloatNetwork, p: FloatPopulation, incoming: Sequence[FloatProjection], bits: Sequence[int], per_neuron: bool,
          floor: np.ndarray) -> QuantizedWeights:
    """Weights into port i. The neurons of a map share the weights of their channel, so "per neuron" is per channel there."""
    shape = net.map_of(p.name)
    rows = p.size if shape is None else shape[0]
    places = p.size // rows
    sums = quantize_weights([q.weights.reshape(rows, -1) for q in incoming], weight_bits=bits, per_neuron=per_neuron,
                            floor=floor.reshape(rows, places).max(axis=1))
    return QuantizedWeights(scale=np.repeat(sums.scale, places), shifts=sums.shifts,
                            weights=tuple(w.reshape(q.weights.shape) for w, q in zip(sums.weights, incoming, strict=True)))


def _placed(p: FloatPopulation, incoming: Sequence[FloatProjection], bits: Sequence[int], of: dict[Port, list[int]], sums: QuantizedWeights,
            gate: QuantizedGate | None) -> tuple[list[np.ndarray], list[int], list[np.ndarray]]:
    """Integer weights, shifts and scales of all projections, in their order. At port block each neuron has a scale: only the sum's sign matters."""
    groups = [(of[Port.CURRENT], sums.weights, sums.shifts, sums.scale)]
    if gate is not None:
        groups.append((of[Port.GATE], gate.weights, gate.shifts, np.full(p.size, gate.unit)))
    if of[Port.BLOCK]:
        block = quantize_weights([incoming[k].weights for k in of[Port.BLOCK]], weight_bits=[bits[k] for k in of[Port.BLOCK]], per_neuron=True,
                                 floor=np.full(p.size, 2.0**-20))
        groups.append((of[Port.BLOCK], block.weights, block.shifts, block.scale))
    found = {k: (w, s, scale) for places, ws, ss, scale in groups for k, w, s in zip(places, ws, ss, strict=True)}
    return [found[k][0] for k in range(len(incoming))], [found[k][1] for k in range(len(incoming))], [found[k][2] for k in range(len(incoming))]


def _floor(p: FloatPopulation) -> np.ndarray:
    """Smallest scale of each neuron, ``[size]``: a neuron whose weights hardly matter must not get an endless threshold or bias."""
    largest = np.maximum(abs(np.asarray(p.bias, np.float64)), abs(p.of_each("v_init")))
    if p.spikes:
        largest = np.maximum(largest, p.threshold)
    if not largest.any():  # an LI population without bias: only all-zero weights come down to this
        return np.full(p.size, 2.0**-20)
    return np.maximum(largest, largest[largest > 0].min()) / MAX_FIXED


def _lifted(p: FloatPopulation, need: Needs, options: Options) -> np.ndarray:
    """Smallest scale with which given v_bits and i_bits hold what they must, ``[size]``."""
    floor = _floor(p)
    if options.v_bits is not None and options.guard_bits is None:  # with both given, the format is the caller's, and v saturates where it must
        floor = np.maximum(floor, np.maximum(need.v / (1 << (options.v_bits - 1)), _fixed(p) / _largest(options.v_bits)))
    if options.i_bits is not None and options.guard_bits is None and p.has_current:
        floor = np.maximum(floor, need.i / (1 << (options.i_bits - 1)))
    return floor


def _fixed(p: FloatPopulation) -> np.ndarray:
    """What a given v_bits has to hold without saturation, ``[size]``: threshold, start, and the bias where it enters v."""
    values = abs(p.of_each("v_init")) if p.has_current else np.maximum(abs(p.of_each("v_init")), abs(p.of_each("bias")))
    return np.maximum(values, p.threshold) if p.spikes else values


def _largest(bits: int) -> float:
    """The largest of those in units of v: one less than the largest v, since a strict theta is rounded down and one is added."""
    return max((1 << (bits - 1)) - 2, 0.5)


def _guard_bits(p: FloatPopulation, scale: np.ndarray, decays: dict[str, DecayChoice], need: Needs, options: Options) -> int:
    """Guard bits with which thresholds are fine enough and the rounding of the decays is harmless.

    Rounding to nearest keeps a v of up to 0.5 / (1 - beta) units from decaying, and an i of 0.5 / (1 - alpha). That is held below 1/16 of every
    threshold; without thresholds, below one unit of the synaptic sum, 2**G units of v. Given v_bits and i_bits have to hold what they must.
    """
    def kept_by(choice: DecayChoice) -> np.ndarray:
        beta = choice.of_each(p.size)
        return np.where(beta < 1, 0.5 / np.where(beta < 1, 1 - beta, 1.0), 0.0)

    kept = kept_by(decays["v"])
    if p.has_current:
        through = np.maximum(2 * kept, 1.0) if p.gain is Gain.UNIT and not p.has_gate else 1.0
        kept = kept * (2 if p.gain is Gain.COMPLEMENT else 1) + kept_by(decays["i"]) * through + (GATE_KEPT if p.has_gate else 0.0)
    most = MAX_GUARD_BITS_CURRENT if p.has_current else MAX_GUARD_BITS
    if not p.spikes:
        guard = int(np.ceil(np.log2(max(float(kept.max()), 1.0))))
    else:
        theta = np.asarray(p.threshold) / scale
        guard = int(np.ceil(np.log2(max(float((np.maximum(MIN_THETA, DEADBAND * kept) / theta).max()), 1.0))))
        # The largest threshold has to stay within its format too.
        most = min(most, int(np.log2(max((1 << (MAX_V_BITS - 2)) / float(theta.max()), 1.0))))
    for given, values in ((options.v_bits, need.v), (options.i_bits, need.i if p.has_current else need.i * 0)):
        if given is not None and values.any():
            most = min(most, int(np.floor(np.log2(float(((1 << (given - 1)) * scale[values > 0] / values[values > 0]).min()) * (1 + 1e-9)))))
    fixed = _fixed(p)
    if options.v_bits is not None and fixed.any():
        most = min(most, int(np.floor(np.log2(float((_largest(options.v_bits) * scale[fixed > 0] / fixed[fixed > 0]).min()) * (1 + 1e-9)))))
    return max(min(guard, most), 0)


def _population(net: FloatNetwork, p: FloatPopulation, projections: Sequence[Projection], sums: QuantizedWeights, decays: dict[str, DecayChoice],
                guard: int, gate: QuantizedGate | None, options: Options, reference: FloatResult | None) -> tuple[Population, str, str, bool]:
    """The integer population, where its v_bits and i_bits came from, and whether it is proven that neither saturates."""
    units = (1 << guard) / sums.scale  # units of v per float, [size]

    def integer(name: str) -> np.ndarray:
        return np.rint(p.of_each(name) * units).astype(np.int64)

    bias, v_init, jump, theta = integer("bias"), integer("v_init"), integer("jump"), np.ones(p.size, np.int64)
    if p.spikes:
        exact = np.asarray(p.threshold, np.float64) * units
        theta = np.maximum(np.floor(exact) + 1 if p.strict else np.rint(exact), 1).astype(np.int64)
    v, current = decays["v"], decays.get("i")
    bound = _integer_bounds(net, p, projections, decays, guard, bias, theta, v_init)
    room = MIN_HEADROOM * int(theta.max()) if p.spikes else None
    measured = None if reference is None else (reference.v_low[p.name] * units, reference.v_high[p.name] * units)
    least = max(int(theta.max()), int(abs(v_init).max()), 0 if p.has_current else int(abs(bias).max()))
    v_bits, v_from, v_proven = _width(options.v_bits, measured, (bound.v_low, bound.v_high), bound.proven, least, room)
    fields: dict = {}
    i_from, i_proven = "", True
    if current is not None:
        measured = None if reference is None else (reference.i_low[p.name] * units, reference.i_high[p.name] * units)
        room = None if room is None else round(room * float(current_headroom(p).max()))
        i_bits, i_from, i_proven = _width(options.i_bits, measured, (bound.i_low, bound.i_high), bound.proven, int(abs(bias).max()), room)
        fields |= {"current_decay": current.decay, "alpha": current.factors, "i_bits": i_bits}
        if not p.has_gate:
            fields["gain"] = p.gain
    if gate is not None:
        fields |= gate.fields
    if p.model is Model.ALIF:
        rho = decays["a"].decay.beta
        rise = int(jump.max()) / (1 - rho) + 1 / (1 - rho) if rho < 1 else 2.0 * int(jump.max())  # a neuron fires at most once in each timestep
        if rho == 1.0 and reference is not None:
            rise = 2.0 * float((reference.a_high[p.name] * units).max())
        fields |= {"adaptation_decay": decays["a"].decay, "jump": jump,
                   "a_bits": min(max(bits_unsigned(int(np.ceil(rise))), bits_unsigned(int(jump.max())), 1), 31)}
    if p.spikes:
        fields |= {"max_spikes": p.max_spikes, "refractory": p.refractory, "refractory_mode": p.refractory_mode, "inhibition": p.inhibition}
    model = p.model
    if model in (Model.IF, Model.LIF):
        model = Model.IF if v.decay.kind == "none" else Model.LIF
    population = Population(
        name=p.name, size=p.size, model=model, decay=v.decay, beta=v.factors, rounding=Rounding.NEAREST, reset=p.reset if p.spikes else Reset.NONE,
        theta=theta, bias=bias, v_bits=v_bits, guard_bits=guard, v_init=v_init, readout=p.readout, output=p.output, labels=p.labels,
        classes=p.classes, v_floor=None if p.v_floor is None else round(p.v_floor * float(units[0])), **fields)
    return population, v_from, i_from, v_proven and i_proven


def _width(given: int | None, measured: tuple[np.ndarray, np.ndarray] | None, bound: tuple[np.ndarray, np.ndarray], proven: bool, least: int,
           room: int | None) -> tuple[int, str, bool]:
    """Bits of a state, where they came from and whether they hold the bound; ``least`` has to fit in any case, ``room`` is enough where not None."""
    def bits(low: np.ndarray, high: np.ndarray, margin: float = 1.0) -> int:
        return bits_signed(int(np.floor(float(low.min()) * margin)), int(np.ceil(float(high.max()) * margin)))

    safe = bits(*bound)
    if given is not None:
        return given, "given", proven and given >= safe
    smallest = max(bits_signed(0, least), 2)
    wanted, source = (safe, "bound") if measured is None else (bits(*measured, MARGIN), "measured")
    if proven and safe < wanted:
        wanted, source = safe, "bound"
    chosen = max(min(wanted, MAX_V_BITS), smallest)
    # A v of many thresholds saturates without harm: the neuron fires, or is silent, for long in any case.
    enough = max(smallest, MULTIPLIER_BITS, 0 if room is None else bits_signed(0, room))
    if room is not None and chosen > enough:
        return enough, f"cut, {source} {chosen}", proven and enough >= safe
    return chosen, source, proven and chosen >= safe


def _integer_bounds(net: FloatNetwork, p: FloatPopulation, projections: Sequence[Projection], decays: dict[str, DecayChoice], guard: int,
                    bias: np.ndarray, theta: np.ndarray, v_init: np.ndarray) -> Bounds:
    """Bounds of v and i in units of v."""
    low, high = np.zeros(p.size), np.zeros(p.size)
    for q in projections:
        if q.port is Port.CURRENT:
            source = net.population(q.source)
            lows, highs = q.sum_bounds((min(source.payload_min, 0), max(source.max_spikes if source.spikes else source.payload_max, 0)))
            low += lows << q.shift
            high += highs << q.shift
    kinds = {choice.decay.kind for choice in decays.values()}
    return bounds(p, low * (1 << guard) + np.minimum(bias, 0), high * (1 << guard) + np.maximum(bias, 0),
                  alpha=decays["i"].of_each(p.size) if "i" in decays else np.zeros(p.size), beta=decays["v"].of_each(p.size),
                  theta=theta.astype(float), v_init=v_init.astype(float), rounding=1.0 if "shift" in kinds else 0.5 if "multiply" in kinds else 0.0)
