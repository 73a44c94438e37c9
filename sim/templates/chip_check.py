"""The checker of a generated project: every difference between what was seen and what was expected, in words."""

from __future__ import annotations

from collections import Counter

import numpy as np
from layout import Layout

__all__ = ["mismatches"]


def mismatches(layout: Layout, expected: dict[str, np.ndarray], observed: dict[str, np.ndarray]) -> list[str]:
    """Differences, clip by clip; empty if there are none. The arrays are those of expected.npz and of ``Recording.arrays``."""
    lines = []
    n = len(observed["phase_cycles"])
    if n < len(expected["phase_cycles"]):
        lines.append(f"only {n} of {len(expected['phase_cycles'])} clips were played")
    for clip in range(n):
        where = f"clip {clip}"
        lines += _potentials(layout, where, expected["potentials"][clip], observed["potentials"][clip], observed["traced"][clip])
        lines += _spikes(layout, where, *(part["spikes"][part["spikes"][:, 0] == clip, 1:] for part in (expected, observed)))
        lines += _phases(where, expected["phase_cycles"][clip], observed["phase_cycles"][clip])
        lines += _readouts(layout, where, expected["readout_index"], expected["readout_values"][clip],
                           observed["readouts"][observed["readouts"][:, 0] == clip, 1:])
        lines += _answer(where, expected["answers"][clip].tolist(), observed["answers"][clip].tolist())
        if layout.counters:
            lines += [f"{where}, counter of population {name}: expected {wanted} {counter}, got {got}" for name, counter, wanted, got in
                      layout.differing_counters(expected["group_events"][clip], expected["work"][clip], observed["counters"][clip])]
        for name, what in (("extra_phases", "phases too many"), ("stray_traces", "membrane updates out of turn"),
                           ("errors", "as error flags, expected 0"), ("rejected", "as rejected events, expected 0")):
            if observed[name][clip]:
                lines.append(f"{where}: {observed[name][clip]} {what}")
    if len(observed["hang"]):
        lines.append(f"clip {n - 1}: {observed['hang'].tobytes().decode()}")
    return lines


def _potentials(layout: Layout, where: str, expected: np.ndarray, got: np.ndarray, traced: np.ndarray) -> list[str]:
    lines = []
    for step, column in np.argwhere((expected != got) | (traced != 1)).tolist():
        name, neuron = layout.column_name(column)
        seen = str(got[step, column]) if traced[step, column] == 1 else f"{traced[step, column]} values"
        lines.append(f"{where}, timestep {step}, population {name}, neuron {neuron}: "
                     f"membrane potential: expected {expected[step, column]}, got {seen}")
    return lines


def _spikes(layout: Layout, where: str, expected: np.ndarray, got: np.ndarray) -> list[str]:
    """Events as (phase, output, neuron, timestep, payload), whatever their order within a phase."""
    width = layout.streams["spikes"]["timestep"].width
    wanted = Counter((phase, output, neuron, step & ((1 << width) - 1), payload) for phase, output, neuron, step, payload in expected.tolist())
    seen = Counter(tuple(row) for row in got.tolist())
    lines = []
    for kind, events in (("missing", wanted - seen), ("not expected", seen - wanted)):
        for phase, output, neuron, step, payload in sorted(events):
            name = layout.outputs[output].population if output < len(layout.outputs) else f"number {output}"
            several = f" of payload {payload}" if "payload" in layout.streams["spikes"] else ""
            lines.append(f"{where}, timestep {step}, population {name}, neuron {neuron}: spike{several} {kind} in phase {phase}")
    return lines


def _phases(where: str, expected: np.ndarray, got: np.ndarray) -> list[str]:
    return [f"{where}, phase {phase}: expected {expected[phase]} clock cycles, got {got[phase]}"
            for phase in np.flatnonzero(expected != got).tolist()]


def _readouts(layout: Layout, where: str, index: np.ndarray, values: np.ndarray, got: np.ndarray) -> list[str]:
    wanted = [(output, neuron, value, int(i == len(values) - 1)) for i, ((output, neuron), value) in enumerate(zip(index.tolist(),
                                                                                                                  values.tolist()))]
    seen = [tuple(row) for row in got.tolist()]
    lines = [f"{where}, readout of population {layout.outputs[w[0]].population}, {layout.indexed(w[0])} {w[1]}: "
             f"expected (value, last) {w[2:]}, got {s}" for w, s in zip(wanted, seen) if w != s]
    if len(wanted) != len(seen):
        lines.append(f"{where}: expected {len(wanted)} readout words, got {len(seen)}")
    return lines


def _answer(where: str, expected: list[int], got: list[int]) -> list[str]:
    """Each is (valid, index, confidence)."""
    return [] if expected == got else [f"{where}, answer: expected {expected[1]}, confidence {expected[2]}, "
                                       + (f"got {got[1]}, confidence {got[2]}" if got[0] else "got none")]
