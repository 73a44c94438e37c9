"""Input clips: events of a fixed number of timesteps, with labels where there are any.

The channel axis is the concatenation of the network's input populations, in their order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Clips"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Clips:
    """A batch of clips as sparse events, sorted by clip, then step, then channel, each (clip, step, channel) at most once.

    Parameters
    ----------
    n_clips, n_steps, n_channels : shape of the batch [N, T, C].
    clip, step, channel : ``[n_events], int32``.
    payload : ``[n_events], int16``, never 0.
    labels : class index of each clip, ``[n_clips], int64``, or None.
    words : names of the classes, or empty.
    """

    n_clips: int
    n_steps: int
    n_channels: int
    clip: np.ndarray
    step: np.ndarray
    channel: np.ndarray
    payload: np.ndarray
    labels: np.ndarray | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def from_dense(cls, x: np.ndarray, labels: np.ndarray | None = None, words: tuple[str, ...] = ()) -> Clips:
        """Clips of an integer array ``[N, T, C]``; zeros are no events."""
        clip, step, channel = np.nonzero(x)
        return cls(n_clips=x.shape[0], n_steps=x.shape[1], n_channels=x.shape[2],
                   clip=clip.astype(np.int32), step=step.astype(np.int32), channel=channel.astype(np.int32),
                   payload=x[clip, step, channel].astype(np.int16), labels=labels, words=tuple(words))

    def dense(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Clips first..last-1 as ``[n, T, C], int16``."""
        last = self.n_clips if last is None else min(last, self.n_clips)
        lo, hi = np.searchsorted(self.clip, [first, last])
        x = np.zeros((max(last - first, 0), self.n_steps, self.n_channels), dtype=np.int16)
        x[self.clip[lo:hi] - first, self.step[lo:hi], self.channel[lo:hi]] = self.payload[lo:hi]
        return x

    def take(self, n_clips: int | None) -> Clips:
        """The first ``n_clips`` clips (all, if None or more than there are)."""
        if n_clips is None or n_clips >= self.n_clips:
            return self
        hi = int(np.searchsorted(self.clip, n_clips))
        return Clips(n_clips=n_clips, n_steps=self.n_steps, n_channels=self.n_channels, clip=self.clip[:hi], step=self.step[:hi],
                     channel=self.channel[:hi], payload=self.payload[:hi],
                     labels=None if self.labels is None else self.labels[:n_clips], words=self.words)
