"""What a network remembers between two calls of the golden model: after RESET, after a run, or from given potentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..spec.errors import NetworkError
from ..spec.network import Model, Network, Population
from ._plan import plan
from ._readouts import empty_readouts

__all__ = ["State", "initial_state"]


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """All that a network remembers between calls of ``run``; every array has the clips as its first axis, every key is a population.

    Parameters
    ----------
    digest, n_clips : of the network, and N.
    n_steps : timesteps since the reset.
    potentials : v, ``[N, size], int32``, of every population with a state.
    currents : i, ``[N, size], int32``, of those with a synaptic current.
    rises : a, ``[N, size], int32``, of those whose thresholds adapt.
    spikes : n_prev, ``[N, size], int16``, of those that fire.
    quiet : q, ``[N, size], int16``, timesteps for which a neuron must not fire, of those with refractory timesteps or inhibition.
    history : ``[N, delay, size], int16``, the payloads of the last timesteps that a delayed projection still needs.
    readouts : ``[N, values], int64``.
    """

    digest: str
    n_clips: int
    n_steps: int
    potentials: dict[str, np.ndarray]
    currents: dict[str, np.ndarray]
    rises: dict[str, np.ndarray]
    spikes: dict[str, np.ndarray]
    quiet: dict[str, np.ndarray]
    history: dict[str, np.ndarray]
    readouts: dict[str, np.ndarray]

    @property
    def parts(self) -> dict[str, dict[str, np.ndarray]]:
        """The fields that hold arrays, by their name."""
        return {name: getattr(self, name) for name in ("potentials", "currents", "rises", "spikes", "quiet", "history", "readouts")}

    def take(self, first: int, last: int) -> State:
        """The state of clips first..last-1 (views)."""
        return State(digest=self.digest, n_clips=last - first, n_steps=self.n_steps, **{
            name: {population: a[first:last] for population, a in part.items()} for name, part in self.parts.items()})

    @classmethod
    def joined(cls, states: Sequence[State]) -> State:
        """The state of the clips of several states of one network, in their order."""
        parts = {name: {population: np.concatenate([state.parts[name][population] for state in states]) for population in part}
                 for name, part in states[0].parts.items()}
        return cls(digest=states[0].digest, n_clips=sum(state.n_clips for state in states), n_steps=states[0].n_steps, **parts)

    @classmethod
    def with_potentials(cls, network: Network, potentials: Mapping[str, np.ndarray], *, currents: Mapping[str, np.ndarray] | None = None,
                        n_clips: int | None = None) -> State:
        """The state after RESET, but for the potentials (and currents) of some populations.

        Parameters
        ----------
        network : that will run on from it.
        potentials, currents : integers ``[N, size]``, or ``[size]`` for all clips, by population; the others start from v_init, and from 0.
        n_clips : N where no array says it; 1 if left out.

        Raises NetworkError where a population, a shape or a value does not fit the network.
        """
        given = [(name, "potentials", np.asarray(a)) for name, a in potentials.items()]
        given += [(name, "currents", np.asarray(a)) for name, a in (currents or {}).items()]
        found = {len(a) for _, _, a in given if a.ndim == 2} | (set() if n_clips is None else {n_clips})
        if len(found) > 1:
            raise NetworkError(f"Network {network.name!r}: the state to start from has {' and '.join(map(str, sorted(found)))} clips; "
                               "give the same number everywhere, or [size] for all clips")
        state = initial_state(network, found.pop() if found else 1)
        for name, what, values in given:
            _checked(network.population(name), what, values)
            state.parts[what][name][:] = values
        return state


def initial_state(network: Network, n_clips: int) -> State:
    """The state after RESET: v_init, nobody fired, no event under way, empty readouts."""
    neurons = [p for p in network.populations if p.model is not Model.INPUT]
    history = plan(network).history

    def zeros(populations: list[Population], dtype: type) -> dict[str, np.ndarray]:
        return {p.name: np.zeros((n_clips, p.size), dtype=dtype) for p in populations}

    return State(
        digest=network.digest, n_clips=n_clips, n_steps=0,
        potentials={p.name: np.tile(p.v_init.astype(np.int32), (n_clips, 1)) for p in neurons},
        currents=zeros([p for p in neurons if p.has_current], np.int32), rises=zeros([p for p in neurons if p.adapts], np.int32),
        spikes=zeros([p for p in neurons if p.spikes], np.int16),
        quiet=zeros([p for p in neurons if p.refractory or p.inhibition], np.int16),
        history={p.name: np.zeros((n_clips, history[p.name], p.size), dtype=np.int16) for p in network.populations},
        readouts=empty_readouts(network, n_clips))


def _checked(p: Population, what: str, values: np.ndarray) -> None:
    """Raises NetworkError unless ``values`` can be the potentials or currents of a population."""
    where = f"Population {p.name!r}: the {what} to start from"
    if p.model is Model.INPUT or (what == "currents" and not p.has_current):
        raise NetworkError(f"{where} mean nothing to the model {p.model.value}, which has none; leave them out")
    if values.dtype.kind not in "iu" or values.ndim not in (1, 2) or values.shape[-1] != p.size:
        raise NetworkError(f"{where} must be integers of shape [{p.size}] or [clips, {p.size}], not {values.dtype} of shape {list(values.shape)}")
    low, high = (p.low, p.v_max) if what == "potentials" else (-(1 << (p.i_bits - 1)), (1 << (p.i_bits - 1)) - 1)
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise NetworkError(f"{where} must be {low} to {high}, not {values.min()}..{values.max()}; scale or clip them to its format")
