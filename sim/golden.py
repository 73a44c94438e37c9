"""The golden model: what a network computes, to the bit, without any notion of hardware or clocks.

Written from docs/numerics.md. Vectorised over clips, exact in integers; the Verilog and every other model are compared with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..spec.clips import Clips
from ..spec.errors import NetworkError
from ..spec.network import Network
from ._blas import single_threaded
from ._engine import ChunkResult, chunk_clips, run_chunk
from ._readouts import answers
from ._state import State, initial_state
from .counters import Counters

__all__ = ["Result", "SimulationReport", "State", "run", "simulate"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What :func:`run` computed; N clips, T timesteps; dictionaries are keyed by population.

    Parameters
    ----------
    readouts : ``[N, values], int64`` of every population with a readout, accumulated since the reset; a value per neuron, or per class of a vote.
    spike_counts : ``[N, size], int64`` of every spiking population, spikes of this call (the sum of the payloads of its events;
        of a RELU by how much its activation changed).
    answers : ``[N], int64``, index of the best readout of the last population that has one (the lowest of equals), or None.
    confidences : ``[N], int64``, by how much the best is better than the second, or None.
    spikes : ``[N, T, size]`` of every spiking population: bool, or int16 where a neuron can spike more than once; empty unless recorded.
    potentials : ``[N, T, size], int32``, v after each timestep's write-back, of every population but inputs; empty unless recorded.
    currents : ``[N, T, size], int32``, i after each timestep's write-back, where there is one; empty unless recorded.
    counters : work of this call, of every population.
    saturations : write-backs of v and i of this call that saturated, over all clips.
    state : hand it to the next call to continue the same clips.
    """

    readouts: dict[str, np.ndarray]
    spike_counts: dict[str, np.ndarray]
    answers: np.ndarray | None
    confidences: np.ndarray | None
    spikes: dict[str, np.ndarray]
    potentials: dict[str, np.ndarray]
    currents: dict[str, np.ndarray]
    counters: dict[str, Counters]
    saturations: dict[str, int]
    state: State


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationReport:
    """Result of :func:`simulate` over a set of clips.

    Parameters
    ----------
    clips : how many were run.
    accuracy : fraction of clips whose answer is their label, or None without labels or without a readout.
    answers, confidences : ``[clips], int64``, or None without a readout; see :class:`Result`.
    spikes_per_population : mean events per clip that each population sends, inputs included.
    sops : synaptic operations of all clips (of dense projections zero weights count).
    clips_per_second : of wall-clock time.
    readouts : ``[clips, values], int64`` per population with a readout.
    saturations : write-backs that saturated, per population, over all clips.
    spike_counts : ``[clips, size], int64`` per population that spikes; of a RELU the activation at the end.
    """

    clips: int
    accuracy: float | None
    answers: np.ndarray | None
    confidences: np.ndarray | None
    spikes_per_population: dict[str, float]
    sops: int
    clips_per_second: float
    readouts: dict[str, np.ndarray]
    saturations: dict[str, int]
    spike_counts: dict[str, np.ndarray]

    @property
    def confidence(self) -> float | None:
        """Mean of the confidences, or None without any."""
        return None if self.confidences is None or not len(self.confidences) else float(self.confidences.mean())


def run(network: Network, x: np.ndarray, *, state: State | None = None, record: bool = False) -> Result:
    """Run clips through the network.

    Parameters
    ----------
    network : what to run.
    x : payloads, ``[N, T, C]`` integers or booleans, 0 where there is no event; C concatenates the inputs in their order.
    state : of an earlier call with the same network and N, to continue it; None starts from RESET. It is not changed.
    record : keep every spike, membrane potential and synaptic current.

    Raises NetworkError if x or the state does not fit the network.
    """
    x = _checked(network, x)
    if state is None:
        state = initial_state(network, len(x))
    elif state.digest != network.digest or state.n_clips != len(x):
        raise NetworkError(f"Network {network.name!r}: the state to continue from is that of {state.n_clips} clips of network "
                           f"{state.digest[:12]}, not of {len(x)} clips of {network.digest[:12]}; start from None to reset")
    n = chunk_clips(network, x.shape[1])
    with single_threaded():
        return _joined(network, [run_chunk(network, x[i : i + n], state.take(i, min(i + n, len(x))), record)
                                 for i in range(0, max(len(x), 1), n)])


def simulate(network: Network, clips: Clips, *, limit: int | None = None, progress: Callable[[int, int], None] | None = None,
             threads: int = 2, batch: int | None = None) -> SimulationReport:
    """Score a network on a set of clips.

    Parameters
    ----------
    network, clips : what to run on what.
    limit : run only the first clips.
    progress : called with (clips done, clips in all) after every batch, in order.
    threads : chunks of clips that run at the same time (NumPy works outside the interpreter lock).
    batch : clips per chunk; the default fits the cache.

    Raises NetworkError if the clips do not fit the network.
    """
    clips = clips.take(limit)
    if threads < 1 or (batch is not None and batch < 1):
        raise ValueError(f"Batch and threads must be at least 1, not {batch} and {threads}")
    if batch is None:  # a chunk that suits the cache, and work for every thread
        batch = max(1, min(chunk_clips(network, clips.n_steps), -(-clips.n_clips // threads)))
    begin = time.perf_counter()

    def one(first: int) -> ChunkResult:
        x = _checked(network, clips.dense(first, first + batch), first)
        return run_chunk(network, x, initial_state(network, len(x)), False)

    starts = range(0, max(clips.n_clips, 1), batch)
    parts: list[ChunkResult] = []
    with single_threaded() as alone, ThreadPoolExecutor(threads if alone else 1) as pool:
        for part in _in_order(pool, one, starts, 2 * threads):
            parts.append(part)
            if progress is not None:
                progress(min(len(parts) * batch, clips.n_clips), clips.n_clips)
    result = _joined(network, parts)
    seconds = max(time.perf_counter() - begin, 1e-9)
    accuracy = None
    if clips.labels is not None and result.answers is not None and clips.n_clips:
        accuracy = float(np.mean(result.answers == np.asarray(clips.labels)))
    return SimulationReport(
        clips=clips.n_clips, accuracy=accuracy, answers=result.answers, confidences=result.confidences,
        spikes_per_population={name: float(c.spikes.sum()) / max(clips.n_clips, 1) for name, c in result.counters.items()},
        sops=sum(int(c.sops.sum()) for c in result.counters.values()), clips_per_second=clips.n_clips / seconds,
        readouts=result.readouts, saturations=result.saturations, spike_counts=result.spike_counts)


def _in_order(pool: ThreadPoolExecutor, job: Callable[[int], ChunkResult], starts: range, ahead: int) -> Iterator[ChunkResult]:
    """Results in the order of ``starts``; at most ``ahead`` are under way, so an error or Ctrl-C ends soon."""
    waiting = [pool.submit(job, start) for start in starts[:ahead]]
    try:
        for start in [*starts[ahead:], *([None] * len(waiting))]:
            result = waiting.pop(0).result()
            if start is not None:
                waiting.append(pool.submit(job, start))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def _checked(network: Network, x: np.ndarray, first_clip: int = 0) -> np.ndarray:
    """``x`` as integers if its shape and payloads suit the inputs; ``first_clip`` numbers the clips in the message."""
    x = np.asarray(x)
    if x.dtype.kind not in "iub" or x.ndim != 3:
        raise NetworkError(f"Network {network.name!r}: input must be integers of shape [clips, timesteps, channels], "
                           f"not {x.dtype} of shape {list(x.shape)}")
    n_channels = sum(p.size for p in network.inputs)
    if x.shape[2] != n_channels:
        parts = ", ".join(f"{p.name} {p.size}" for p in network.inputs)
        raise NetworkError(f"Network {network.name!r}: the input has {x.shape[2]} channels, the network has {n_channels} "
                           f"({parts}); give clips made for this network, channels in the order of its inputs")
    x = x.astype(np.int8) if x.dtype.kind == "b" else x
    channel = 0
    for p in network.inputs:
        part = x[:, :, channel : channel + p.size]
        if part.size and (min(int(part.min()), 0) < min(p.payload_min, 0) or max(int(part.max()), 0) > max(p.payload_max, 0)
                          or p.payload_min > 1 or p.payload_max < -1):
            wrong = np.argwhere((part != 0) & ((part < p.payload_min) | (part > p.payload_max)))
            if len(wrong):
                n, t, c = (int(i) for i in wrong[0])
                raise NetworkError(
                    f"Network {network.name!r}: clip {first_clip + n}, timestep {t}, channel {channel + c}: payload "
                    f"{int(part[n, t, c])} is not within {p.payload_min}..{p.payload_max}, the range of input {p.name!r} "
                    f"({len(wrong)} such events in this batch); scale the clips or give the input a wider range")
        channel += p.size
    return x


def _joined(network: Network, parts: list[ChunkResult]) -> Result:
    """One result of the chunks of a batch, in their order."""

    def join(pick: Callable[[ChunkResult], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        return {name: np.concatenate([pick(part)[name] for part in parts]) for name in pick(parts[0])}

    state = State.joined([part.state for part in parts])
    answer, confidence = answers(network, state.readouts)
    return Result(
        readouts={name: value.copy() for name, value in state.readouts.items()}, spike_counts=join(lambda p: p.spike_counts),
        answers=answer, confidences=confidence, spikes=join(lambda p: p.spikes), potentials=join(lambda p: p.potentials),
        currents=join(lambda p: p.currents),
        counters={name: Counters.concatenate(part.counters[name] for part in parts) for name in parts[0].counters},
        saturations={name: sum(part.saturations[name] for part in parts) for name in parts[0].saturations}, state=state)
