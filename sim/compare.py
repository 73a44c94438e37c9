"""The checker of a co-simulation: what an engine observed against what the models say, counted, with the first difference in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from .layout import Layout
from .observed import Observed
from .scenario import Scenario

__all__ = ["Comparison", "ComparisonReport"]


@dataclass(frozen=True, kw_only=True)
class ComparisonReport:
    """Result of a co-simulation.

    Parameters
    ----------
    clips : played.
    accuracy : of the answers that the hardware gave, or None without labels or without outputs.
    spikes_compared, spikes_wrong : output events expected or seen; missing, extra, in another phase or with another payload.
    states_compared, states_wrong : membrane potentials (neurons x timesteps); different, not traced, traced twice or out of turn.
    cycles_predicted, cycles_measured : clocks of all phases.
    phases_wrong : phases whose length differs from the prediction, or that are missing or too many.
    readouts_wrong : readout words that differ, are missing or too many.
    answers_wrong : clips whose answer or confidence differs, or is not there.
    counters_compared, counters_wrong : what the tiles counted; nothing is compared where they do not.
    clips_flagged : clips after which an error flag or the count of rejected events was not zero.
    sops : synaptic operations, by the golden model.
    lanes : of all tiles.
    answers, confidences : of the hardware, one class index per clip, and by how much it was ahead; of a chip without readouts the output
        neuron that fired most, and no confidences.
    first_divergence : clip, timestep, population, neuron, expected and got of the earliest difference, or empty.
    """

    clips: int
    accuracy: float | None
    spikes_compared: int
    spikes_wrong: int
    states_compared: int
    states_wrong: int
    cycles_predicted: int
    cycles_measured: int
    phases_wrong: int
    readouts_wrong: int
    answers_wrong: int
    counters_compared: int
    counters_wrong: int
    clips_flagged: int
    sops: int
    lanes: int
    answers: tuple[int, ...]
    confidences: tuple[int, ...]
    first_divergence: str

    @property
    def equal(self) -> bool:
        """Whether hardware and models agree in everything."""
        return not (self.spikes_wrong or self.states_wrong or self.phases_wrong or self.readouts_wrong or self.answers_wrong
                    or self.counters_wrong or self.clips_flagged or self.first_divergence)

    def as_dict(self) -> dict:
        """All fields, as JSON values."""
        return asdict(self)


class Comparison:
    """Adds up the comparison of one batch of clips after the other.

    Parameters
    ----------
    layout : of the chip.
    lanes : of all its tiles, for the report.
    """

    def __init__(self, layout: Layout, lanes: int) -> None:
        self._layout, self._lanes = layout, lanes
        self._counts: dict[str, int] = dict.fromkeys((
            "clips", "spikes_compared", "spikes_wrong", "states_compared", "states_wrong", "cycles_predicted", "cycles_measured",
            "phases_wrong", "readouts_wrong", "answers_wrong", "counters_compared", "counters_wrong", "clips_flagged",
            "sops"), 0)
        self._right = self._labelled = 0
        self._answered: list[int] = []
        self._confidences: list[int] = []
        self._first = ""
        self.hung = False

    def report(self) -> ComparisonReport:
        """The result so far."""
        return ComparisonReport(**self._counts, accuracy=self._right / self._labelled if self._labelled else None,
                                lanes=self._lanes, answers=tuple(self._answered), confidences=tuple(self._confidences),
                                first_divergence=self._first)

    def add(self, scenario: Scenario, observed: Observed, first_clip: int = 0, labels: np.ndarray | None = None) -> None:
        """Compare one batch; ``first_clip`` numbers its clips in messages, ``labels`` ``[N]`` are their classes."""
        n = len(observed.phase_cycles)
        # Candidates for the first difference: (clip, timestep, rank of its kind, text).
        found: list[tuple[int, int, int, str]] = []
        self._add("clips", n)
        self._add("sops", int(scenario.sops[:n].sum()))
        self._compare_states(scenario, observed, n, found)
        self._compare_spikes(scenario, observed, n, found)
        self._compare_phases(scenario, observed, n, found)
        self._compare_readouts(scenario, observed, n, found)
        self._compare_answers(scenario, observed, n, found)
        self._compare_counters(scenario, observed, n, found)
        flagged = np.flatnonzero((observed.errors != 0) | (observed.rejected != 0))
        self._add("clips_flagged", len(flagged))
        if len(flagged):
            clip = int(flagged[0])
            found.append((clip, scenario.n_steps, 6, f"error flags 0x{int(observed.errors[clip]):x}, rejected events "
                                                     f"{int(observed.rejected[clip])} after the clip; both must be 0"))
        if observed.hang:
            self.hung = True
            found.append((n - 1, scenario.n_steps, 7, observed.hang))
        if found and not self._first:
            clip, _, _, text = min(found)
            self._first = f"clip {first_clip + clip}: {text}"
            if observed.hang and observed.hang not in text:
                self._first += f"; clip {first_clip + n - 1}: {observed.hang}"
        if self._layout.answer is None:
            answers = self._most_frequent(observed, n)
        else:
            answers = observed.answers[:n, 1]
            self._confidences += observed.answers[:n, 2].tolist()
        self._answered += answers.tolist()
        if labels is not None:
            self._labelled += n
            self._right += int((answers == np.asarray(labels)[:n]).sum())

    def _add(self, name: str, count: int) -> None:
        self._counts[name] += count

    def _compare_states(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        expected = scenario.potentials[:n]
        wrong = (expected != observed.potentials) | (observed.traced != 1)
        self._add("states_compared", expected.size)
        self._add("states_wrong", int(wrong.sum()) + int(observed.stray_traces.sum()))
        if wrong.any():
            clip, step, column = (int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
            name, neuron = self._layout.column_name(column)
            times = int(observed.traced[clip, step, column])
            got = f"got {int(observed.potentials[clip, step, column])}" if times == 1 else f"it was traced {times} times"
            found.append((clip, step, 0, f"timestep {step}, population {name}, neuron {neuron}: membrane potential: "
                                         f"expected {int(expected[clip, step, column])}, {got}"))
        elif observed.stray_traces.any():
            clip = int(observed.stray_traces.argmax() if observed.stray_traces.dtype == bool else np.flatnonzero(observed.stray_traces)[0])
            found.append((clip, scenario.n_steps, 0, f"{int(observed.stray_traces[clip])} membrane updates out of turn: of a group in a "
                                                     "phase in which it has no timestep, or of an unknown index"))

    def _compare_spikes(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        expected = scenario.spikes[scenario.spikes[:, 0] < n].copy()
        width = self._layout.streams["spikes"]["timestep"].width if "timestep" in self._layout.streams["spikes"] else 0
        expected[:, 4] &= (1 << width) - 1  # the stream carries the timestep modulo 2**width
        rows, counts = _difference(expected, observed.spikes)
        # An event that was expected and seen is counted once.
        self._add("spikes_compared", len(expected) + int(np.maximum(-counts, 0).sum()))
        self._add("spikes_wrong", int(np.abs(counts).sum()))
        if len(rows):
            clip, phase, output, neuron, step, _ = (int(i) for i in rows[0])
            name = self._layout.outputs[output].population if output < len(self._layout.outputs) else f"number {output}"
            same = (rows[:, :5] == rows[0, :5]).all(axis=1)
            wanted, seen = rows[same & (counts > 0), 5].tolist(), rows[same & (counts < 0), 5].tolist()
            if wanted and seen:
                text = f"expected a spike of payload {wanted[0]}, got payload {seen[0]}"
            else:
                text = "expected a spike, got none" if wanted else f"expected no spike, got {'one' if counts[0] == -1 else -counts[0]}"
            found.append((clip, phase // self._layout.period, 1,
                          f"timestep {step}, population {name}, neuron {neuron}: {text} in phase {phase}"))

    def _compare_phases(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        expected = scenario.phase_cycles[:n]
        wrong = expected != observed.phase_cycles
        self._add("cycles_predicted", int(expected.sum()))
        self._add("cycles_measured", int(observed.phase_cycles.sum()))
        self._add("phases_wrong", int(wrong.sum()) + int(observed.extra_phases.sum()))
        if wrong.any():
            clip, phase = (int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
            got = int(observed.phase_cycles[clip, phase])
            found.append((clip, phase // self._layout.period, 2, f"phase {phase}: expected {int(expected[clip, phase])} clock cycles, "
                                                                 + (f"got {got}" if got else "but it did not end")))
        elif observed.extra_phases.any():
            clip = int(np.flatnonzero(observed.extra_phases)[0])
            found.append((clip, scenario.n_steps, 2, f"expected {expected.shape[1]} phases, got "
                                                     f"{expected.shape[1] + int(observed.extra_phases[clip])}"))

    def _compare_readouts(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        keys = [(int(o), int(i)) for o, i in scenario.readout_index]
        for clip in range(n):
            rows = observed.readouts[observed.readouts[:, 0] == clip]
            read = {(int(r[1]), int(r[2])): int(r[3]) for r in rows}
            wrong = [(key, int(value)) for key, value in zip(keys, scenario.readout_values[clip]) if read.get(key) != value]
            # Too many words, in another order, or `last` elsewhere than on the last one: each is one error.
            order = [(int(r[1]), int(r[2])) for r in rows] != keys and not wrong
            last = bool(len(rows)) and [int(r[4]) for r in rows] != [0] * (len(rows) - 1) + [1]
            self._add("readouts_wrong", len(wrong) + int(order) + int(last))
            if wrong:
                (output, neuron), value = wrong[0]
                seen = read.get((output, neuron))
                found.append((clip, scenario.n_steps, 3, f"readout of population {self._layout.outputs[output].population}, "
                                                         f"{self._layout.indexed(output)} {neuron}: expected {value}, "
                                                         f"got {'none' if seen is None else seen}"))
            elif order or last:
                found.append((clip, scenario.n_steps, 3, f"the readouts came {len(rows)} words long, in another order than {len(keys)} "
                                                         "ascending ones, or with `last` in another place"))

    def _compare_answers(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        expected = scenario.answers[:n]
        wrong = np.flatnonzero((expected != observed.answers[:n]).any(axis=1))
        self._add("answers_wrong", len(wrong))
        if len(wrong):
            clip = int(wrong[0])
            (_, index, confidence), (valid, got, got_confidence) = expected[clip].tolist(), observed.answers[clip].tolist()
            seen = f"got {got}, confidence {got_confidence}" if valid else "got none"
            found.append((clip, scenario.n_steps, 4, f"answer: expected {index}, confidence {confidence}, {seen}"))

    def _compare_counters(self, scenario: Scenario, observed: Observed, n: int, found: list) -> None:
        if not self._layout.counters:
            return
        self._add("counters_compared", scenario.group_events[:n].size + scenario.work[:n].size)
        for clip in range(n):
            wrong = self._layout.differing_counters(scenario.group_events[clip], scenario.work[clip], observed.counters[clip])
            self._add("counters_wrong", len(wrong))
            if wrong:
                population, counter, value, got = wrong[0]
                found.append((clip, scenario.n_steps, 5, f"counter of population {population}: expected {value} {counter}, got {got}"))

    def _most_frequent(self, observed: Observed, n: int) -> np.ndarray:
        """``[n]``: the neuron of the last output that fired most, where the chip has no readouts and so gives no answer."""
        output, size = len(self._layout.outputs) - 1, self._layout.outputs[-1].size
        table = np.zeros((n, size), dtype=np.int64)
        rows = observed.spikes[(observed.spikes[:, 2] == output) & (observed.spikes[:, 3] < size)]
        np.add.at(table, (rows[:, 0], rows[:, 3]), rows[:, 5])
        return table.argmax(axis=1)


def _difference(expected: np.ndarray, got: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows that occur in one table more often than in the other, ascending, and by how much (positive: expected and missing)."""
    if len(expected) == len(got) and np.array_equal(expected, got[np.lexsort(got.T[::-1])]):
        return expected[:0], np.empty(0, dtype=np.int64)
    rows, inverse = np.unique(np.concatenate([expected, got]), axis=0, return_inverse=True)
    sign = np.concatenate([np.ones(len(expected), dtype=np.int64), -np.ones(len(got), dtype=np.int64)])
    counts = np.zeros(len(rows), dtype=np.int64)
    np.add.at(counts, inverse.ravel(), sign)
    return rows[counts != 0], counts[counts != 0]
