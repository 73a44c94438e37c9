"""What quantization changed: errors of weights and decays, memory, formats, the search of bits, and the behaviour on clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from ..spec.arithmetic import bits_signed
from ..spec.network import Network, Population, Projection
from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .quantize_bits import projection_names
from .quantize_compare import Comparison
from .quantize_decay import DecayChoice
from .quantize_population import MULTIPLIER_BITS, Built, Options
from .quantize_search import Search
from .quantize_text import report_text
from .quantize_weights import limits

__all__ = ["DecayReport", "PopulationReport", "ProjectionReport", "QuantizeReport", "state_bits"]

GAIN_WARNING = 0.05  # error of the gain of a decay from which on there is a note


@dataclass(frozen=True, kw_only=True)
class ProjectionReport:
    """Errors of one projection's weights.

    ``name`` is that of :func:`~.quantize_bits.projection_names`; ``relative_error`` is the root mean square error over the root mean square weight,
    ``largest_error`` in float units of the weights, ``clipped`` the number of weights beyond the range, ``zeros`` the fraction that became 0 and
    was not,
    ``used_bits`` the bits that the largest weight of half of the neurons needs, ``shift`` as in the network, ``weight_bits_total`` the memory.
    """

    name: str
    source: str
    target: str
    port: str
    weight_bits: int
    used_bits: int
    relative_error: float
    largest_error: float
    clipped: int
    zeros: float
    shift: int
    weight_bits_total: int

    @classmethod
    def of(cls, name: str, q: FloatProjection, integer: Projection, scale: np.ndarray) -> ProjectionReport:
        """The report of projection ``q``, its integer form and the scales ``[target size]``."""
        rows = len(q.weights)  # of a convolution: its output channels, whose neurons have one scale
        unit = scale[::len(scale) // rows].reshape(rows, *(1,) * (q.weights.ndim - 1)) * (1 << integer.shift)
        steps = q.weights / unit
        error = (integer.weights - steps) * unit
        power = float(np.square(q.weights, dtype=np.float64).mean())
        low, high = limits(integer.weight_bits)
        peaks = abs(integer.weights.astype(np.int64)).reshape(rows, -1).max(axis=1)
        return cls(name=name, source=q.source, target=q.target, port=q.port.value, weight_bits=integer.weight_bits,
                   used_bits=1 if integer.weight_bits == 1 else bits_signed(0, int(max(np.median(peaks) - 0.5, 0))),
                   relative_error=float(np.sqrt(np.square(error).mean() / power)) if power else 0.0, largest_error=float(abs(error).max()),
                   clipped=int(((steps > high + 0.5) | (steps < low - 0.5)).sum()), zeros=float(((integer.weights == 0) & (q.weights != 0)).mean()),
                   shift=integer.shift, weight_bits_total=integer.weights.size * integer.weight_bits)


@dataclass(frozen=True, kw_only=True)
class DecayReport:
    """What a decay became: of v (beta), i (alpha) or a (rho). Where neurons differ, errors are those of the one with the largest gain error."""

    of: str
    decay: str
    asked: float
    asked_min: float
    asked_max: float
    became: float
    error: float
    relative_error: float
    gain_error: float

    @classmethod
    def from_choice(cls, of: str, c: DecayChoice) -> DecayReport:
        """The report of a choice."""
        low, high = c.betas or (c.beta, c.beta)
        return cls(of=of, decay=c.text(), asked=c.beta, asked_min=low, asked_max=high, became=c.beta_integer, error=c.absolute_error,
                   relative_error=c.relative_error, gain_error=c.gain_error)


@dataclass(frozen=True, kw_only=True)
class PopulationReport:
    """Formats of one population and the errors of its decays.

    ``decay``, ``beta``, ``beta_integer`` are of v, all decays are in ``decays``; ``scale`` is ``"neuron"`` or ``"layer"``, ``scale_min`` ..
    ``scale_max`` the
    float value of one unit of the synaptic sum; ``v_bits_from`` and ``i_bits_from`` are ``"measured"`` (on clips, with a margin), ``"bound"`` (any
    events),
    ``"given"``, or ``"cut, measured N"`` and ``"cut, bound N"`` where N bits were needed and fewer serve, ``""`` without a current; ``proven``: no
    events
    can make v or i saturate; ``limited``: weights lost bits to the given format of the state; ``state_bits_total`` counts states and parameters;
    ``gate_reach``: the gate's table spans -reach to reach (0 without a gate).
    """

    name: str
    size: int
    model: str
    decay: str
    beta: float
    beta_integer: float
    decays: tuple[DecayReport, ...]
    scale: str
    scale_min: float
    scale_max: float
    theta_min: int
    theta_max: int
    guard_bits: int
    v_bits: int
    v_bits_from: str
    i_bits: int
    i_bits_from: str
    a_bits: int
    proven: bool
    limited: bool
    gate_shift: int
    gate_reach: float
    state_bits_total: int

    @classmethod
    def of(cls, p: FloatPopulation, built: Built) -> PopulationReport:
        """The report of population ``p`` in its integer form."""
        integer, v = built.population, built.decays["v"]
        theta = np.asarray(integer.theta) if p.spikes else np.zeros(1, np.int64)
        scale = next(s for s, q in zip(built.scales, built.projections, strict=True) if q.port.value == "i")
        names = {"v": "beta", "i": "alpha", "a": "rho"}
        return cls(name=p.name, size=p.size, model=integer.model.value, decay=v.text(), beta=v.beta, beta_integer=v.beta_integer,
                   decays=tuple(DecayReport.from_choice(names[k], c) for k, c in built.decays.items() if not (k == "v" and p.has_gate)),
                   scale="neuron" if built.per_neuron else "layer", scale_min=float(scale.min()), scale_max=float(scale.max()),
                   theta_min=int(theta.min()), theta_max=int(theta.max()), guard_bits=integer.guard_bits, v_bits=integer.v_bits,
                   v_bits_from=built.v_from, i_bits=integer.i_bits if integer.has_current else 0, i_bits_from=built.i_from,
                   a_bits=integer.a_bits if integer.adapts else 0, proven=built.proven, limited=built.limited, gate_shift=integer.gate_shift,
                   gate_reach=0.0 if built.gate is None else built.gate.reach, state_bits_total=state_bits(integer))


def state_bits(p: Population) -> int:
    """Bits of the states and parameters of all neurons: v, theta (where it fires), bias, i, a, jump, gate bias and table, factors per neuron."""
    if not p.size or p.model.value == "input":
        return 0
    each = p.v_bits * (2 if p.spikes else 1) + (2 * p.i_bits if p.has_current else p.v_bits) + (2 * p.a_bits if p.adapts else 0)
    each += sum(d.fraction_bits or 0 for d, f in ((p.decay, p.beta), (p.current_decay, p.alpha)) if f is not None)
    gate = p.size * bits_signed(int(p.gate_bias.min()), int(p.gate_bias.max())) + 8 * len(p.gate_table) if p.has_gate else 0
    return p.size * each + gate


@dataclass(frozen=True, kw_only=True)
class QuantizeReport:
    """Everything that :func:`quantize` has to tell; ``as_json`` for programs, ``text`` for people.

    ``weight_bits`` is one number, or the bits by projection; ``notes`` say what a format cost; ``search`` is that of ``weight_bits="auto"``.
    """

    name: str
    weight_bits: int | Mapping[str, int]
    scale: str
    decay: str
    populations: tuple[PopulationReport, ...]
    projections: tuple[ProjectionReport, ...]
    notes: tuple[str, ...]
    comparison: Comparison | None
    search: Search | None

    @classmethod
    def of(cls, net: FloatNetwork, network: Network, built: dict[str, Built], options: Options, comparison: Comparison | None,
           search: Search | None) -> QuantizeReport:
        """The report of a network and the parts that it was built of."""
        scales = {id(q): s for part in built.values() for q, s in zip(part.projections, part.scales, strict=True)}
        projections = tuple(ProjectionReport.of(name, f, q, scales[id(q)]) for name, f, q in
                            zip(projection_names(net), net.projections, network.projections, strict=True))
        populations = tuple(PopulationReport.of(net.population(name), part) for name, part in built.items())
        return cls(name=network.name, weight_bits=network.metadata["quantization"]["weight_bits"], scale=options.scale, decay=options.decay,
                   populations=populations, projections=projections, comparison=comparison, search=search,
                   notes=tuple(line for p in populations for line in _notes(net, p, projections)))

    @property
    def weight_bits_total(self) -> int:
        """Bits of all weights."""
        return sum(p.weight_bits_total for p in self.projections)

    @property
    def state_bits_total(self) -> int:
        """Bits of all states, thresholds, biases and other parameters."""
        return sum(p.state_bits_total for p in self.populations)

    def as_json(self) -> dict:
        """JSON values."""
        return {**asdict(self), "weight_bits_total": self.weight_bits_total, "state_bits_total": self.state_bits_total}

    def text(self) -> str:
        """Some lines for a terminal."""
        return report_text(self)


def _notes(net: FloatNetwork, p: PopulationReport, projections: tuple[ProjectionReport, ...]) -> list[str]:
    """What decays and the format of a state cost."""
    lines = []
    for d in p.decays:
        if abs(d.gain_error) > GAIN_WARNING:
            many = f"{d.asked_min:g}..{d.asked_max:g} in one pair of shifts for all neurons" if d.asked_min != d.asked_max else f"{d.asked:g}"
            lines.append(f"{p.name}: {d.of} {many} is {d.became:.6g}: a constant input counts {d.gain_error:+.0%} in the long run"
                         f"{'; take decay by multiply' if '2^-' in d.decay else '; take 12 fraction_bits'}")
    return lines + _format_notes(net, p, projections)


def _format_notes(net: FloatNetwork, p: PopulationReport, projections: tuple[ProjectionReport, ...]) -> list[str]:
    """A sum has no right shift, so a unit of v is never coarser than a unit of weight times one of payload."""
    into = [q for q in projections if q.target == p.name and q.port == "i"]
    graded = [q.source for q in into if max(abs(net.population(q.source).payload_min), abs(net.population(q.source).payload_max)) > 1]
    reason = "a sum has no right shift, so a unit of v is no coarser than a unit of weight" + (
        f" times one of the payload of {', '.join(graded)}" if graded else "")
    if p.limited:
        lost = ", ".join(f"{q.used_bits} of {q.weight_bits} bits from {q.source}" for q in into)
        return [f"{p.name}: {reason}; in v of {p.v_bits} bits" + (f" and i of {p.i_bits}" if p.i_bits else "")
                + f" half of the neurons' weights use {lost}: give more v_bits" + (" and i_bits" if p.i_bits else "")
                + (", or inputs of fewer payload bits" if graded else "")]
    if max(p.v_bits, p.i_bits) > MULTIPLIER_BITS and "given" not in (p.v_bits_from, p.i_bits_from):
        return [f"{p.name}: v takes {p.v_bits} bits" + (f" and i {p.i_bits}" if p.i_bits else "")
                + f", more than one multiplier of {MULTIPLIER_BITS}: {reason}; give v_bits" + (" and i_bits" if p.i_bits else "")
                + " for a smaller state and coarser weights" + (", or inputs of fewer payload bits" if graded else "")]
    return []
