"""The networks that the bench measures, with one clip each whose events and hidden spikes have the numbers that were asked for."""

from __future__ import annotations

import dataclasses

import numpy as np

from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

__all__ = ["Case", "chain", "synthetic"]

_BIAS = 20
_SPREAD = 20  # thresholds differ by a 20th of their mean


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A network and the clips ``x`` ``[N, T, C]`` it is measured with; ``spikes`` is the golden model's record of them."""

    network: Network
    x: np.ndarray
    spikes: dict[str, np.ndarray]

    @property
    def events(self) -> int:
        """Input events of all clips."""
        return int((self.x != 0).sum())

    def count(self, population: str) -> int:
        """Spikes of a population in all clips."""
        return int(self.spikes[population].sum())


def chain(sizes: tuple[int, ...], *, weight_bits: int = 6, uniform: bool = False, decay: Decay | None = None, seed: int = 0) -> Network:
    """A chain of LIF populations of random weights; spikes of the last are counted.

    ``uniform``: one threshold and no bias for a population, else each neuron has its own. Decay is v - (v >> 3) unless given.
    """
    rng = np.random.default_rng(seed)
    top = 1 << (weight_bits - 1)
    populations = [Population(name="input", size=sizes[0], model=Model.INPUT)]
    projections = []
    for number, (pre, post) in enumerate(zip(sizes, sizes[1:])):
        name = f"layer{number}"
        populations.append(Population(
            name=name, size=post, model=Model.LIF, decay=decay or Decay(shift_a=3), reset=Reset.SUBTRACT,
            theta=1000 if uniform else rng.integers(950, 1050, post),
            bias=0 if uniform else rng.integers(-_BIAS, _BIAS, post), v_bits=16, guard_bits=4,
            readout=Readout.COUNT if number == len(sizes) - 2 else Readout.NONE))
        projections.append(Projection(source=populations[-2].name, target=name, weights=rng.integers(-top, top, (post, pre)),
                                      weight_bits=weight_bits))
    return Network(name="bench", populations=tuple(populations), projections=tuple(projections))


def _with_theta(network: Network, name: str, theta: np.ndarray | int) -> Network:
    populations = tuple(dataclasses.replace(p, theta=theta) if p.name == name else p for p in network.populations)
    return Network(name=network.name, populations=populations, projections=network.projections)


def synthetic(sizes: tuple[int, ...], n_steps: int, *, events: int, hidden: int, weight_bits: int = 6, uniform: bool = False) -> Case:
    """A chain of one hidden population, one clip of exactly ``events`` input events at random places, and exactly ``hidden`` hidden spikes.

    The threshold is searched for; where each neuron has its own, some are raised at the end until the number is met. With one threshold
    for all, the nearest number is taken.
    """
    network = chain(sizes, weight_bits=weight_bits, uniform=uniform)
    rng = np.random.default_rng(7)
    x = np.zeros(n_steps * sizes[0], dtype=np.int16)
    x[rng.permutation(x.size)[:events]] = 1
    x = x.reshape(1, n_steps, sizes[0])
    offsets = np.zeros(sizes[1], np.int64) if uniform else rng.integers(-_SPREAD, _SPREAD + 1, sizes[1])

    def counts(theta: np.ndarray) -> np.ndarray:
        tried = _with_theta(network, "layer0", int(theta[0]) if uniform else theta)
        return golden.run(tried, x, record=True).spikes["layer0"][0].sum(axis=0)

    def thetas(mean: int) -> np.ndarray:
        return np.maximum(mean + mean * offsets // (_SPREAD * _SPREAD), 1)

    low, high = 1, 30000  # too many spikes, too few
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if counts(thetas(middle)).sum() >= hidden else (low, middle)
    theta = thetas(low)
    if not uniform:
        # Neurons do not see each other: raise one threshold after the other, each while the total stays high enough.
        now = counts(theta)
        for _ in range(64):
            raised = theta + np.maximum(theta // 100, 1)
            then = counts(raised)
            for neuron in range(sizes[1]):
                if now.sum() > hidden and 0 < now[neuron] - then[neuron] <= now.sum() - hidden:
                    theta[neuron], now[neuron] = raised[neuron], then[neuron]
            if now.sum() == hidden:
                break
            theta = np.where(now == then, raised, theta)  # no change: go on from there
    network = _with_theta(network, "layer0", int(theta[0]) if uniform else theta)
    return Case(network, x, golden.run(network, x, record=True).spikes)
