"""What quantization changed: errors of weights and decays, memory, and the behaviour on clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ..sim.golden import simulate
from ..spec.clips import Clips
from ..spec.network import Network, Population, Projection
from .float_network import FloatPopulation, FloatProjection, FloatResult
from .quantize_decay import DecayChoice

__all__ = ["Comparison", "PopulationReport", "ProjectionReport", "QuantizeReport", "compare"]


@dataclass(frozen=True, kw_only=True)
class ProjectionReport:
    """Errors of one projection's weights.

    ``relative_error`` is the root mean square error over the root mean square weight, ``largest_error`` in float units of the
    weights, ``clipped`` the number of weights beyond the range, ``shift`` as in the network, ``weight_bits_total`` the memory.
    """

    source: str
    target: str
    relative_error: float
    largest_error: float
    clipped: int
    shift: int
    weight_bits_total: int

    @classmethod
    def of(cls, q: FloatProjection, integer: Projection, scale: np.ndarray) -> ProjectionReport:
        """The report of projection ``q``, its integer form and the scales ``[target size]``."""
        steps = q.weights / (scale[:, None] * (1 << integer.shift))
        error = (integer.weights - steps) * (scale[:, None] * (1 << integer.shift))
        power = float(np.square(q.weights, dtype=np.float64).mean())
        high = (1 << (integer.weight_bits - 1)) - 1
        return cls(source=q.source, target=q.target, relative_error=float(np.sqrt(np.square(error).mean() / power)) if power else 0.0,
                   largest_error=float(abs(error).max()), clipped=int(((steps > high + 0.5) | (steps < -high - 1.5)).sum()),
                   shift=integer.shift, weight_bits_total=integer.weights.size * integer.weight_bits)


@dataclass(frozen=True, kw_only=True)
class PopulationReport:
    """Formats of one population and the error of its decay.

    ``scale`` is ``"neuron"`` or ``"layer"``, ``scale_min`` .. ``scale_max`` the float value of one unit of the synaptic sum;
    ``v_bits_from`` is ``"measured"`` (on clips, with a margin), ``"bound"`` (any events), ``"given"``, or ``"cut, measured N"`` and
    ``"cut, bound N"`` where N bits were needed and fewer serve; ``state_bits_total`` counts membranes, thresholds and biases.
    """

    name: str
    size: int
    decay: str
    beta: float
    beta_integer: float
    beta_error: float
    beta_error_relative: float
    gain_error: float
    scale: str
    scale_min: float
    scale_max: float
    theta_min: int
    theta_max: int
    guard_bits: int
    v_bits: int
    v_bits_from: str
    state_bits_total: int

    @classmethod
    def of(cls, p: FloatPopulation, integer: Population, choice: DecayChoice, scale: np.ndarray, per_neuron: bool,
           v_from: str) -> PopulationReport:
        """The report of population ``p`` and its integer form."""
        d = choice.decay
        text = {"none": "none", "multiply": f"{d.factor}/{1 << (d.fraction_bits or 0)}",
                "shift": f"1 - 2^-{d.shift_a}" + (f" - 2^-{d.shift_b}" if d.shift_b else "")}[d.kind]
        theta = np.asarray(integer.theta) if p.spikes else np.zeros(1, np.int64)
        return cls(name=p.name, size=p.size, decay=text, beta=p.beta, beta_integer=d.beta, beta_error=choice.absolute_error,
                   beta_error_relative=choice.relative_error, gain_error=choice.gain_error, scale="neuron" if per_neuron else "layer",
                   scale_min=float(scale.min()), scale_max=float(scale.max()), theta_min=int(theta.min()), theta_max=int(theta.max()),
                   guard_bits=integer.guard_bits, v_bits=integer.v_bits, v_bits_from=v_from,
                   state_bits_total=p.size * integer.v_bits * (3 if p.spikes else 2))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Float against integer network on clips.

    ``spikes_float`` and ``spikes_integer`` are per population, mean per clip; ``agreement`` is the part of the clips with the same
    answer (None without a readout); ``saturations`` is per population the number of updates in which v met an end of its format, mean
    per clip.
    """

    clips: int
    accuracy_float: float | None
    accuracy_integer: float | None
    agreement: float | None
    spikes_float: dict[str, float]
    spikes_integer: dict[str, float]
    saturations: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class QuantizeReport:
    """Everything that :func:`quantize` has to tell; ``as_json`` for programs, ``text`` for people."""

    name: str
    weight_bits: int
    scale: str
    decay: str
    populations: tuple[PopulationReport, ...]
    projections: tuple[ProjectionReport, ...]
    comparison: Comparison | None

    @property
    def weight_bits_total(self) -> int:
        """Bits of all weights."""
        return sum(p.weight_bits_total for p in self.projections)

    @property
    def state_bits_total(self) -> int:
        """Bits of all membranes, thresholds and biases."""
        return sum(p.state_bits_total for p in self.populations)

    def as_json(self) -> dict:
        """JSON values."""
        return {**asdict(self), "weight_bits_total": self.weight_bits_total, "state_bits_total": self.state_bits_total}

    def text(self) -> str:
        """A few lines for a terminal."""
        lines = [f"{self.name}: {self.weight_bits} bit weights, one scale per {self.scale}, decay by {self.decay}; "
                 f"{self.weight_bits_total} bits of weights, {self.state_bits_total} bits of neuron state and parameters"]
        for q in self.projections:
            lines.append(f"  {q.source} -> {q.target}: weight error {q.relative_error:.2%} (largest {q.largest_error:.3g}), "
                         f"{q.clipped} clipped" + (f", shift {q.shift}" if q.shift else ""))
        for p in self.populations:
            fires = f", theta {p.theta_min}..{p.theta_max}" if p.theta_max else ""
            lines.append(f"  {p.name}: beta {p.beta:g} -> {p.decay} = {p.beta_integer:.6g} (error {p.beta_error:+.2e}, "
                         f"{p.beta_error_relative:+.3%}; gain {p.gain_error:+.2%}){fires}, {p.guard_bits} guard bits, "
                         f"v {p.v_bits} bits ({p.v_bits_from}), one scale per {p.scale}")
        c = self.comparison
        if c is not None:
            scores = "" if c.accuracy_float is None or c.accuracy_integer is None else \
                f"accuracy {c.accuracy_float:.2%} float, {c.accuracy_integer:.2%} integer; "
            same = "" if c.agreement is None else f"the same answer on {c.agreement:.2%}"
            lines.append(f"  on {c.clips} clips: {scores}{same}")
            for name, count in c.spikes_float.items():
                lines.append(f"    {name}: {count:.1f} spikes per clip float, {c.spikes_integer[name]:.1f} integer")
            for name, count in c.saturations.items():
                if count:
                    lines.append(f"    {name}: v saturates {count:.1f} times per clip")
        return "\n".join(lines)


def compare(network: Network, clips: Clips, reference: FloatResult, progress: Callable[[int, int], None] | None = None) -> Comparison:
    """Simulate ``network`` with the golden model on ``clips`` and set it beside the float result of the same clips."""
    result = simulate(network, clips, progress=progress)
    accuracy = None if clips.labels is None or not clips.n_clips or not reference.readouts else \
        float((reference.answers == clips.labels).mean())
    n = max(clips.n_clips, 1)
    return Comparison(
        clips=clips.n_clips, accuracy_float=accuracy, accuracy_integer=result.accuracy,
        agreement=None if result.answers is None or not clips.n_clips else float((result.answers == reference.answers).mean()),
        spikes_float={name: float(count.sum()) / n for name, count in reference.spike_counts.items()},
        spikes_integer={name: result.spikes_per_population[name] for name in reference.spike_counts},
        saturations={name: count / n for name, count in result.saturations.items()})
