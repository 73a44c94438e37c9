"""The report of a quantization as lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .quantize_compare import Comparison
    from .quantize_report import DecayReport, PopulationReport, ProjectionReport, QuantizeReport
    from .quantize_search import Search

__all__ = ["report_text"]

_NAMES = {"beta": "v", "alpha": "i", "rho": "the threshold's rise"}


def report_text(r: QuantizeReport) -> str:
    """All of it; a line that begins with ``!`` is one to look at."""
    bits = f"weights of {min(r.weight_bits.values())} to {max(r.weight_bits.values())} bits" if isinstance(r.weight_bits, Mapping) \
        else f"{r.weight_bits} bit weights"
    lines = [f"{r.name}: {bits}, one scale per {r.scale}, decay by {r.decay}; "
             f"{r.weight_bits_total} bits of weights, {r.state_bits_total} bits of neuron state and parameters"]
    lines += [_projection(q) for q in r.projections]
    for p in r.populations:
        lines += _population(p)
    lines += [f"  note: {note}" for note in r.notes]
    if r.search is not None:
        lines += _search(r.search, r)
    if r.comparison is not None:
        lines += _comparison(r.comparison)
    return "\n".join(lines)


def _projection(q: ProjectionReport) -> str:
    return (f"  {q.name.replace('->', ' -> ')}: {q.weight_bits} bits, weight error {q.relative_error:.2%} (largest {q.largest_error:.3g}), "
            f"{q.clipped} clipped, {q.zeros:.1%} became 0" + (f", shift {q.shift}" if q.shift else ""))


def _decay(d: DecayReport) -> str:
    asked = f"{d.asked_min:g}..{d.asked_max:g}, at worst {d.asked:g}" if d.asked_min != d.asked_max else f"{d.asked:g}"
    return f"{d.of} {asked} -> {d.decay} = {d.became:.6g} (error {d.error:+.2e}, {d.relative_error:+.3%}; gain {d.gain_error:+.2%})"


def _population(p: PopulationReport) -> list[str]:
    fires = f", theta {p.theta_min}..{p.theta_max}" if p.theta_max else ""
    states = f"v {p.v_bits} bits ({p.v_bits_from})" + (f", i {p.i_bits} bits ({p.i_bits_from})" if p.i_bits else "") + (
        f", a {p.a_bits} bits" if p.a_bits else "")
    first = f"{_decay(p.decays[0])}{fires}, " if p.decays else f"{fires[2:]}, "
    lines = [f"  {p.name}: {first}{p.guard_bits} guard bits, {states}"
             f"{', which no events can exceed' if p.proven else ''}, one scale per {p.scale}"]
    lines += [f"    {_decay(d)}" for d in p.decays[1:]]
    if p.gate_reach:
        lines.append(f"    gate: the sum shifted right by {p.gate_shift}, a table from {-p.gate_reach:.2f} to {p.gate_reach:.2f}")
    return lines


def _search(s: Search, r: QuantizeReport) -> list[str]:
    """The networks that no other beats in both memory and accuracy, and the one that was taken."""
    chosen = [step for step in s.steps if step.kept][-1]
    lines = [f"  bits were searched: {len(s.steps)} networks, at most {s.max_drop:g} points below float; "
             f"{chosen.memory_bits} bits of memory were taken",
             "    memory bits  accuracy  narrowed"]
    for step in s.steps:
        if step.pareto or step is chosen:
            what = f"{step.projection} to {step.bits} bits" if step.projection else f"none, {step.bits} bits each"
            end = " (taken)" if step is chosen else "" if step.kept else " (too much)"
            lines.append(f"    {step.memory_bits:11d}  {step.accuracy:8.2%}  {what}{end}")
    c = r.comparison
    if c is not None and c.agreement is not None and c.clips:  # answers that changed are what a loss can vary by
        error = 100 * ((1 - c.agreement) / c.clips) ** 0.5
        lines.append(f"    one standard error of the loss on {c.clips} clips is up to {error:.1f} points; judge the network on other clips")
    lines.append("    bits: " + ", ".join(f"{q.name} {q.weight_bits}" for q in r.projections))
    if not s.met:
        lines.append(f"! weights of 8 bits already lose more than {s.max_drop:g} points, so nothing was narrowed: "
                     "give more v_bits, or allow a larger loss")
    return lines


def _comparison(c: Comparison) -> list[str]:
    scores = "" if c.accuracy_float is None or c.accuracy_integer is None else \
        f"accuracy {c.accuracy_float:.2%} float, {c.accuracy_integer:.2%} integer; "
    same = "" if c.agreement is None else f"the same answer on {c.agreement:.2%}"
    lines = [f"  on {c.clips} clips: {scores}{same}"]
    for layer in c.layers:
        parts = []
        if layer.rate_float is not None and layer.rate_integer is not None:
            parts += [f"{c.spikes_float[layer.name]:.1f} spikes per clip float, {c.spikes_integer[layer.name]:.1f} integer",
                      f"{layer.rate_float:.4f} and {layer.rate_integer:.4f} per neuron and step"]
        if layer.agreement is not None:
            parts.append(f"{layer.agreement:.2%} of neuron-steps equal on {c.spike_clips} clips")
        if layer.saturations:
            parts.append(f"saturates {c.saturations[layer.name]:.1f} times per clip")
        lines.append(f"    {layer.name}: {', '.join(parts) or 'never saturates'}")
    return lines + [f"! {line}" for line in c.warnings]
