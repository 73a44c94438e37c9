"""The ANN that a spiking layer is compared with: as many neurons and synapses, executed in three ways.

One clip is, of a static input, one inference of every layer (section 3.2: an ANN shows its answer at once, where the SNN takes timesteps); of a
sequence, one inference per timestep. A layer becomes

* ``layer``: a feed-forward one, 3.2, 3.11 and 3.12 with its own reuse factors (:func:`_reuse`);
* ``light-gru``: one with a gate, or in which neurons of the layer reach each other again; 4.19 to 4.21;
* ``rnn``: on request, in the place of a light-GRU whose spiking layer has no gate. It has as many weights as the spiking layer (a light-GRU has
  twice as many). The thesis has no equation for it: it is a ``layer`` whose inputs include its own outputs of the timestep before.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...spec.errors import NetworkError
from ...spec.network import Network, Port, Projection
from .constants import Constants
from .feedforward import Reuse, ann_naive, ann_reuse, ann_reuse_sparse
from .recurrent import light_gru_naive, light_gru_reuse, light_gru_reuse_sparse

__all__ = ["WAYS", "Equivalent", "equivalent"]

#: Ways of execution, and the equations of each: of a feed-forward and of a recurrent layer.
WAYS = {"naive": ("3.2", "4.19"), "ideal reuse": ("3.11", "4.20"), "reuse and sparsity": ("3.12", "4.21")}


@dataclass(frozen=True, kw_only=True)
class Equivalent:
    """The ANN layer that stands for a population.

    Parameters
    ----------
    kind : ``"layer"``, ``"light-gru"`` or ``"rnn"``.
    energy : MACs per clip, by the names of :data:`WAYS`.
    """

    kind: str
    energy: dict[str, float]


def equivalent(network: Network, name: str, steps: int, constants: Constants, *, static: bool = False, rnn: bool = False) -> Equivalent:
    """The ANN layer that stands for population ``name``.

    Parameters
    ----------
    steps : timesteps of a clip.
    static : the clip shows one input in all timesteps.
    rnn : a recurrent layer without a gate becomes an RNN, not a light-GRU.

    Raises NetworkError for a recurrent layer and a static input.
    """
    population = network.population(name)
    incoming = [p for p in network.incoming(name) if p.port is not Port.BLOCK]  # an ANN has no inhibition in time
    after = _reached(network, name)
    recurrent = any(p.source in after for p in incoming)
    if static and (recurrent or population.has_gate):
        what = "gated" if population.has_gate else "recurrent"
        raise NetworkError(f"Network {network.name!r}: population {name!r} is {what}, and one inference of an ANN on a static input has no "
                           "earlier timesteps to look back to; compare it as a sequence (leave out static)")
    n, n_syn, times = population.size, sum(p.synapses for p in incoming), 1 if static else steps
    # A source that acts at two delays is two inputs; one that meets both weights of a gated neuron at once is one.
    inputs = {(p.source, p.delay): network.population(p.source).size for p in incoming}
    n_in = sum(size for (source, _), size in inputs.items() if source != name)
    if population.has_gate or (recurrent and not rnn):
        pairs = n_syn / 2 if population.has_gate else n_syn
        once = (light_gru_naive(n_hid=n, n_syn=pairs, steps=1, constants=constants),
                light_gru_reuse(n_in=n_in, n_hid=n, n_syn=pairs, steps=1, constants=constants),
                light_gru_reuse_sparse(n_in=n_in, n_hid=n, n_syn=pairs, steps=1, constants=constants))
        kind = "light-gru"
    else:
        reuse = _reuse(incoming, sum(inputs.values()), n)
        once = (ann_naive(n_syn, constants), ann_reuse(n_syn, constants, reuse), ann_reuse_sparse(n_syn, constants, reuse, skip_weights=True))
        kind = "rnn" if recurrent else "layer"
    return Equivalent(kind=kind, energy={way: times * e for way, e in zip(WAYS, once, strict=True)})


def _reuse(incoming: list[Projection], n_in: int, n_out: int) -> Reuse:
    """Ideal reuse within one inference: each input, weight and sum is moved once, as in 4.20. Projections that share a matrix share its weights."""
    n_syn = sum(p.synapses for p in incoming)
    weights = {p.matrix or index: p.synapses for index, p in enumerate(incoming)}
    return Reuse(iact=n_syn / n_in, weight=n_syn / sum(weights.values()), psum=n_syn / n_out) if n_syn else Reuse()


def _reached(network: Network, name: str) -> set[str]:
    """Populations that ``name`` leads to by synapses that integrate."""
    found: set[str] = set()
    border = {name}
    while border:
        border = {p.target for p in network.projections if p.source in border and p.port is not Port.BLOCK} - found
        found |= border
    return found
