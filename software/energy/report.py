"""What a measurement of energy found; energies are in MACs per clip."""

from __future__ import annotations

from dataclasses import dataclass

from .constants import Constants
from .terms import Shares, Terms

__all__ = ["Comparison", "EnergyReport", "Layer"]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One population with neurons; numbers are means per clip.

    Parameters
    ----------
    name, model, neurons : of the population.
    synapses : that lead to it.
    spikes_per_neuron_and_step : events that it sends; None where it never does.
    sops : synaptic operations.
    terms : :class:`~spikeloom.software.energy.terms.Terms`.
    shares : the layer's energy in MACs, by what it is spent on.
    """

    name: str
    model: str
    neurons: int
    synapses: int
    spikes_per_neuron_and_step: float | None
    sops: float
    terms: Terms
    shares: Shares


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One ANN equivalent of the network.

    Parameters
    ----------
    way : how it is executed, a name of :data:`~spikeloom.software.energy.equivalents.WAYS`.
    recurrent : what recurrent layers without a gate became: ``"light-gru"`` or ``"rnn"``; or ``""`` where there is none.
    equations : of the thesis.
    energy : MACs per clip.
    ratio : this energy by that of the spiking network; None if the latter is 0.
    break_even : spikes per synapse, and timestep of a sequence or inference of a static input, at which both energies would be equal if
        the activity of all populations changed by the same factor. 0 or less: the spiking network is never better. None without activity.
    """

    way: str
    recurrent: str
    equations: str
    energy: float
    ratio: float | None
    break_even: float | None


@dataclass(frozen=True, kw_only=True)
class EnergyReport:
    """Energy of a spiking network and of its ANN equivalents over a set of clips; energies in MACs per clip.

    Parameters
    ----------
    clips, steps : number of clips, and timesteps of each.
    static : whether an ANN shows its answer after one inference per clip, or computes every timestep.
    constants : what an operation costs.
    inputs : events per channel and timestep of every input population.
    layers : the populations with neurons, in their order.
    energy : of the spiking network.
    spikes_per_synapse : synaptic operations per synapse, and timestep of a sequence or inference of a static input.
    anns : the equivalents.
    """

    clips: int
    steps: int
    static: bool
    constants: Constants
    inputs: dict[str, float]
    layers: tuple[Layer, ...]
    energy: float
    spikes_per_synapse: float
    anns: tuple[Comparison, ...]
