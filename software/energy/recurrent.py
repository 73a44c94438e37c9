"""Equations 4.15 and 4.19 to 4.21: one inference of a gated recurrent layer, spiking (SpikGRU) or not (light-GRU).

Symbols beside those of feedforward.py: s_in and s_hid, spikes per neuron and timestep of the layer's inputs and of the layer; I and Z, synaptic
current and gate of SpikGRU; C, Z and H, candidate, gate and hidden state of the light-GRU (4.16 to 4.18: a GRU without reset gate).
N_syn counts pairs: a synapse has a weight for I (or C) and one for Z. All results are in MACs.
"""

from __future__ import annotations

from .constants import Constants, checked_share

__all__ = ["ZEROS_GRU", "light_gru_naive", "light_gru_reuse", "light_gru_reuse_sparse", "spikgru"]

#: gamma of equation 4.21, which the thesis assumes.
ZEROS_GRU = 0.5


def spikgru(*, n_in: float, n_hid: float, n_syn_in: float, n_syn_hid: float, s_in: float, s_hid: float, steps: float, constants: Constants) -> float:
    """4.15, the sum of four terms.

    * N_syn_in s_in T (ER_I + ER_Z + ER_w_I + ER_w_Z + 2 E_AC + EW_I + EW_Z), spikes from the layer below;
    * N_syn_hid s_hid T (the same), spikes of the layer itself;
    * N_neur_in s_in T ER_spike;
    * N_neur_hid T (ER_I + ER_Z + ER_V + EW_I + EW_V + 3 E_MAC + 2 E_AC + s_hid (E_AC + ER_spike + EW_spike)): decay of I, z v and (1 - z) i,
      two biases; and per spike a reset, and the queue in which it waits for the next timestep.
    """
    synapse = 6 * constants.memory + 2 * constants.ac
    spike = constants.ac + 2 * constants.memory
    neuron = 5 * constants.memory + 3 * constants.mac + 2 * constants.ac + s_hid * spike
    return steps * ((n_syn_in * s_in + n_syn_hid * s_hid) * synapse + n_in * s_in * constants.memory + n_hid * neuron)


def light_gru_naive(*, n_hid: float, n_syn: float, steps: float, constants: Constants) -> float:
    """4.19: N_neur T (neuronal) + N_syn T (ER_iact + ER_C + ER_Z + ER_w_C + ER_w_Z + 2 E_MAC + EW_C + EW_Z).

    Neuronal, in all three: ER_C + ER_Z + ER_H + EW_H + 2 E_MAC + 2 E_AC.
    """
    return steps * (n_hid * _neuronal(constants) + n_syn * (7 * constants.memory + 2 * constants.mac))


def light_gru_reuse(*, n_in: float, n_hid: float, n_syn: float, steps: float, constants: Constants) -> float:
    """4.20: neuronal + N_in T ER_iact + N_hid T (ER_C + ER_Z + EW_C + EW_Z)
    + N_syn T (ER_w_C + ER_w_Z + 2 E_MAC + ERreg_iact + ERreg_C + ERreg_Z + EWreg_C + EWreg_Z).

    Ideal for one timestep: inputs and sums are moved once. A weight is used once in a timestep, so it is fetched in each.
    """
    return light_gru_reuse_sparse(n_in=n_in, n_hid=n_hid, n_syn=n_syn, steps=steps, constants=constants, zeros=0.0)


def light_gru_reuse_sparse(*, n_in: float, n_hid: float, n_syn: float, steps: float, constants: Constants, zeros: float = ZEROS_GRU) -> float:
    """4.21: as 4.20 with the term of N_syn times (1 - gamma)."""
    synapse = 2 * constants.memory + 2 * constants.mac + 5 * constants.register
    moved = n_in * constants.memory + n_hid * 4 * constants.memory
    return steps * (n_hid * _neuronal(constants) + moved + (1 - checked_share(zeros)) * n_syn * synapse)


def _neuronal(constants: Constants) -> float:
    return 4 * constants.memory + 2 * constants.mac + 2 * constants.ac
