"""What READ and the answer must be, in plain loops over the spikes and potentials of one clip: neither sim/_readouts nor hdl/ is used."""

from __future__ import annotations

import numpy as np

from spikeloom.spec.chip import ChipSpec
from spikeloom.spec.network import Network, Population, Readout

__all__ = ["Word", "answer", "words"]

Word = tuple[int, int, int]


def words(chip: ChipSpec, network: Network, spikes: dict[str, np.ndarray], potentials: dict[str, np.ndarray], n_steps: int) -> list[Word]:
    """(output, neuron or class, value) of each readout after ``n_steps`` timesteps, in the order of READ; the arrays are ``[T, size]``."""
    found: list[Word] = []
    for number, output in enumerate(chip.outputs):
        p = network.population(output.population)
        of = spikes[p.name] if p.spikes else potentials[p.name]
        if p.readout is Readout.VOTE:
            assert p.classes is not None
            for label in range(max(p.classes) + 1):
                votes = sum(int(row[n]) for row in of[:n_steps] for n in range(p.size) if p.classes[n] == label)
                found.append((number, label, min(votes, 65535)))
        elif p.readout is not Readout.NONE:
            found += [(number, n, _value(p, [int(row[n]) for row in of[:n_steps]])) for n in range(p.size)]
    return found


def _value(p: Population, seen: list[int]) -> int:
    """The readout of one neuron: ``seen`` are its spikes, or its potentials, of every timestep."""
    if p.readout is Readout.COUNT:
        return min(sum(seen), 65535)
    if p.readout is Readout.FIRST:
        return min([min(t, 65534) for t, n in enumerate(seen) if n], default=65535)
    if p.readout is Readout.MAX:
        return max([-(1 << p.v_bits - 1), *seen])
    if p.readout is Readout.LAST:
        return seen[-1] if seen else 0
    total, limit = 0, 1 << p.v_bits + 15
    for v in seen:
        total = max(-limit, min(limit - 1, total + v))
    return total


def answer(chip: ChipSpec, read: list[Word]) -> tuple[int, int]:
    """(index, confidence) of the words of one READ."""
    last = max(number for number, _, _ in read)
    sign = 1 if chip.outputs[last].readout is Readout.FIRST else -1
    ranked = sorted((sign * value, index) for number, index, value in read if number == last)
    return ranked[0][1], ranked[1][0] - ranked[0][0] if len(ranked) > 1 else 0
