"""Scores of the last second, as a stream goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from ...sim._readouts import MAX_COUNT
from ...spec.errors import NetworkError
from ...spec.network import Network, Population, Readout
from .answering import answering
from .players import Player

__all__ = ["CarriedScores", "SlidScores"]

_LINEAR = (Readout.SUM, Readout.COUNT, Readout.VOTE)


class CarriedScores:
    """Every timestep is played once, and states are carried on. A score is what a readout gained over the window: the sum of a membrane, or the
    spikes, of its
    timesteps (``sum``, ``count``, ``vote``); of ``last`` it is the membrane itself.

    Readouts accumulate from the reset, and saturate after 65,536 timesteps at the earliest. Before one could, the player is reset and plays the
    last window
    again: scores go on, only the states are then those of a stream that began a window ago.

    Parameters
    ----------
    window, every : timesteps; the window is a multiple of ``every``.

    Raises NetworkError for ``max`` and ``first``, which say nothing of a window.

    Members
    -------
    renewed : how often the player was reset.
    """

    def __init__(self, network: Network, player: Player, window: int, every: int) -> None:
        of = answering(network)
        if of.readout in (Readout.MAX, Readout.FIRST):
            raise NetworkError(f"Population {of.name!r} is read as {of.readout.value}, of all timesteps since the reset, and no score of the last "
                               "second can be made of that. Read it as sum, last, count or vote, or let each window be a clip of its own (--slide).")
        self._player, self._every, self.renewed, self._step = player, every, 0, 0
        self._linear = of.readout in _LINEAR
        self._limit = _limit(of, every)
        self._pieces: deque[np.ndarray] = deque(maxlen=max(1, window // every))
        self._sums: deque[np.ndarray] = deque([np.zeros(of.n_readouts, np.int64)], maxlen=(self._pieces.maxlen or 1) + 1)
        self._held = np.zeros((0, sum(p.size for p in network.inputs)), np.int16)

    def push(self, payloads: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Further timesteps ``[T, C]``; behind every ``every``-th its number, counted from 1, and the scores ``[values], int64``."""
        self._held = np.concatenate([self._held, payloads])
        while len(self._held) >= self._every:
            piece, self._held = self._held[:self._every], self._held[self._every:]
            yield self._score(piece)

    def finish(self) -> Iterator[tuple[int, np.ndarray]]:
        """At the end of the stream: the last timestep and its scores, if it is none that was read. The window is then as much shorter as the last
        piece is."""
        if len(self._held):
            yield self._score(self._held)
            self._held = self._held[:0]

    def _score(self, piece: np.ndarray) -> tuple[int, np.ndarray]:
        if int(np.abs(self._sums[-1]).max()) > self._limit:
            self._renew()
        self._take(piece)
        self._step += len(piece)
        return self._step, self._sums[-1] - self._sums[0] if self._linear else self._sums[-1]

    def _take(self, piece: np.ndarray, again: bool = False) -> None:
        self._sums.append(self._player.play(piece, again))
        self._pieces.append(piece)

    def _renew(self) -> None:
        again, self.renewed = list(self._pieces), self.renewed + 1
        self._player.reset()
        self._sums.append(np.zeros_like(self._sums[-1]))
        while len(self._sums) > 1:
            self._sums.popleft()
        for piece in again:
            self._take(piece, again=True)


class SlidScores:
    """Each window is a clip of its own, from cleared states: what the network was trained on, for window / every times the work. Any readout will do.

    Parameters
    ----------
    window, every : in what comes: samples or timesteps. The first windows begin with zeros.
    encode : a window to the payloads of a clip ``[T, C]``.
    """

    def __init__(self, network: Network, player: Player, window: int, every: int, encode: Callable[[np.ndarray], np.ndarray]) -> None:
        self._sign = -1 if answering(network).readout is Readout.FIRST else 1  # the first to fire is the best
        self._player, self._window, self._every, self._encode, self._moment = player, window, every, encode, 0
        self._held: np.ndarray | None = None

    def push(self, came: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Further samples ``[n]`` or timesteps ``[n, C]``; behind every ``every``-th its number, and the scores ``[values], int64``."""
        before = np.zeros((self._window, *came.shape[1:]), came.dtype) if self._held is None else self._held
        self._held = np.concatenate([before, came])
        while len(self._held) >= self._window + self._every:
            yield self._score(self._every)

    def finish(self) -> Iterator[tuple[int, np.ndarray]]:
        """At the end of the stream: the last sample or timestep and the scores of the window that ends there, if it is none that was read."""
        left = 0 if self._held is None else len(self._held) - self._window
        if left:
            yield self._score(left)

    def _score(self, further: int) -> tuple[int, np.ndarray]:
        assert self._held is not None
        self._held = self._held[further:]
        self._moment += further
        self._player.reset()
        return self._moment, self._sign * self._player.play(self._encode(self._held[:self._window]))


def _limit(p: Population, steps: int) -> int:
    """The largest readout after which ``steps`` more timesteps cannot saturate it."""
    if p.readout is Readout.SUM:
        return (1 << (p.v_bits + 15)) - (steps << (p.v_bits - 1)) - 1
    most = max(np.bincount(p.classes[p.classes >= 0])) if p.readout is Readout.VOTE else 1
    return MAX_COUNT - steps * p.max_spikes * int(most) if p.readout in _LINEAR else 1 << 62
