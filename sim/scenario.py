"""A co-simulation scenario: the events a testbench offers, and all that the golden model and the cycle model say must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..spec.chip import ChipSpec
from ..spec.clips import Clips
from ..spec.errors import NetworkError
from ..spec.network import Model, Network, Readout
from . import cycles, golden
from .expected_counters import expected_counters

__all__ = ["Scenario", "batch_clips", "build_scenario"]

_BATCH_STATES = 6_000_000  # membrane potentials held at a time: some 100 MB with what is recorded of them


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario:
    """N clips of T timesteps with K phases; S neurons with a state, in the order of the populations; R readout words.

    Parameters
    ----------
    n_clips, n_steps : N, T.
    event_offset : ``[N * T + 1], int64``: the events of (clip, timestep) are event_offset[clip * T + timestep] and on.
    event_population, event_neuron, event_payload : ``[n_events], int32``, by the numbers of the events stream.
    spikes : ``[m, 6], int64``: clip, phase, number of the output population, neuron, timestep, payload; ascending.
    potentials : ``[N, T, S], int32``.
    readout_index : ``[R, 2], int32``: number of the output population and neuron (class of a vote), in the order in which READ gives them.
    readout_values : ``[N, R], int64``.
    answers : ``[N, 3], int64``: valid (1), index and confidence of the answer after READ; all 0 without readouts.
    phase_cycles : ``[N, K], int64``.
    sops : ``[N], int64``, synaptic operations of each clip.
    group_events, work : what the tiles count, see :func:`~.expected_counters.expected_counters`.
    """

    n_clips: int
    n_steps: int
    event_offset: np.ndarray
    event_population: np.ndarray
    event_neuron: np.ndarray
    event_payload: np.ndarray
    spikes: np.ndarray
    potentials: np.ndarray
    readout_index: np.ndarray
    readout_values: np.ndarray
    answers: np.ndarray
    phase_cycles: np.ndarray
    sops: np.ndarray
    group_events: np.ndarray
    work: np.ndarray

    @property
    def watchdog_cycles(self) -> int:
        """Clocks after which a clip counts as hung: four times what the longest needs, and 10,000, for READ and RESET."""
        return 4 * int(self.phase_cycles.sum(axis=1).max(initial=0)) + 4 * self.readout_values.shape[1] + 10_000

    def save_vectors(self, path: Path) -> None:
        """Write what the testbench needs to play the clips (``vectors.npz``)."""
        np.savez_compressed(path, n_steps=np.int64(self.n_steps), watchdog_cycles=np.int64(self.watchdog_cycles),
                            event_offset=self.event_offset, event_population=self.event_population, event_neuron=self.event_neuron,
                            event_payload=self.event_payload)

    def save_expected(self, path: Path) -> None:
        """Write what must come of them (``expected.npz``)."""
        np.savez_compressed(path, spikes=self.spikes, potentials=self.potentials, readout_index=self.readout_index,
                            readout_values=self.readout_values, answers=self.answers, phase_cycles=self.phase_cycles,
                            group_events=self.group_events, work=self.work)


def batch_clips(network: Network, n_steps: int) -> int:
    """Clips per scenario that keep its memory bounded."""
    n_states = sum(p.size for p in network.populations if p.model is not Model.INPUT)
    return max(1, _BATCH_STATES // max(1, n_steps * n_states))


def build_scenario(chip: ChipSpec, network: Network, clips: Clips, first: int = 0, last: int | None = None) -> Scenario:
    """The scenario of clips first..last-1, played one after the other on a chip that was just switched on.

    Raises NetworkError if the clips have no timestep, do not fit the network, or the chip was planned for another network.
    """
    if chip.network_digest != network.digest:
        raise NetworkError(f"Chip {chip.name!r} was planned for network {chip.network_digest[:12]}, not for {network.name!r} "
                           f"({network.digest[:12]}); build it again from this network, or give the network it was built from")
    if clips.n_steps < 1:
        raise NetworkError(f"Network {network.name!r}: the clips have no timestep; co-simulation needs at least one")
    last = clips.n_clips if last is None else min(last, clips.n_clips)
    x = clips.dense(first, last)
    result = golden.run(network, x, record=True)
    n, n_steps = last - first, clips.n_steps
    lo, hi = np.searchsorted(clips.clip, [first, last])
    counts = np.bincount((clips.clip[lo:hi] - first).astype(np.int64) * n_steps + clips.step[lo:hi], minlength=n * n_steps)
    population, neuron = _addresses(chip, network, clips.channel[lo:hi])
    states = [p for p in network.populations if p.model is not Model.INPUT]
    readouts = [(index, o) for index, o in enumerate(chip.outputs) if o.readout is not Readout.NONE]
    group_events, work = expected_counters(chip, network, x, result.spikes, result.counters)
    return Scenario(
        n_clips=n, n_steps=n_steps, event_offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        event_population=population, event_neuron=neuron, event_payload=clips.payload[lo:hi].astype(np.int32),
        spikes=_output_spikes(chip, network, result.spikes),
        potentials=np.concatenate([result.potentials[p.name] for p in states], axis=2),
        readout_index=np.concatenate([np.empty((0, 2), dtype=np.int32), *(
            np.stack([np.full(o.n_values, index), np.arange(o.n_values)], axis=1).astype(np.int32) for index, o in readouts)]),
        readout_values=np.concatenate([np.empty((n, 0), dtype=np.int64), *(result.readouts[o.population] for _, o in readouts)], axis=1),
        answers=_answers(result, n), phase_cycles=cycles.predict(chip, network, result.spikes, x).cycles,
        sops=np.stack([c.sops for c in result.counters.values()]).sum(axis=0), group_events=group_events, work=work)


def _addresses(chip: ChipSpec, network: Network, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(number of the input population, neuron), ``[n], int32`` each, of channels, which concatenate the network's inputs."""
    index = {spec.population: i for i, spec in enumerate(chip.inputs)}
    ends = np.cumsum([p.size for p in network.inputs])
    part = np.searchsorted(ends, channel, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    numbers = np.array([index[p.name] for p in network.inputs])
    return numbers[part].astype(np.int32), (channel - starts[part]).astype(np.int32)


def _answers(result: golden.Result, n: int) -> np.ndarray:
    """What the answer port shows after READ, ``[n, 3], int64``, see :class:`Scenario`."""
    if result.answers is None or result.confidences is None:
        return np.zeros((n, 3), dtype=np.int64)
    return np.stack([np.ones(n, dtype=np.int64), result.answers, result.confidences], axis=1)


def _output_spikes(chip: ChipSpec, network: Network, spikes: dict[str, np.ndarray]) -> np.ndarray:
    """Events of the spikes stream, ``[m, 6], int64``, see :class:`Scenario`."""
    parts = [np.empty((0, 6), dtype=np.int64)]
    for index, output in enumerate(chip.outputs):
        if network.population(output.population).spikes:
            sent = spikes[output.population]
            clip, step, neuron = np.nonzero(sent)
            phase = chip.period * step + output.level
            parts.append(np.stack([clip, phase, np.full_like(clip, index), neuron, step, sent[clip, step, neuron]], axis=1).astype(np.int64))
    table = np.concatenate(parts)
    return table[np.lexsort(table.T[::-1])]
