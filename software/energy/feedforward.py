"""Equations 3.2 to 3.13: one inference of a feed-forward layer, spiking or not.

Symbols of the thesis: N_syn synapses, N_neur neurons, T timesteps, N_spikes/syn spikes per synapse and inference; ER and EW reads and
writes of the memory, ERreg and EWreg of registers, E_AC and E_MAC arithmetic; iact an input activation, psum a partial sum; RF a reuse
factor, how often a word is used from a register per access of the memory. All results are in MACs. What the thesis leaves out here:
spike queues, resets, biases, activation functions, pooling, addressing, communication and static energy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .constants import Constants, checked_share

__all__ = ["IDEAL", "ZEROS", "Reuse", "ann_eyeriss", "ann_naive", "ann_reuse", "ann_reuse_sparse", "if_cont", "if_inst", "lif_cont", "lif_inst"]

#: gamma, the share of input activations that are zero in the convolutional networks of section 3.4.
ZEROS = 0.58

_CLOCK_GATED = 0.55  # of its energy, what a zero still costs Eyeriss v1 (equation 3.13)
_EYERISS_V2 = 1.15  # by which the sparse processing elements of Eyeriss v2 are better than v1 on AlexNet


@dataclass(frozen=True, kw_only=True)
class Reuse:
    """Reuse factors of input activations, weights and partial sums; infinity, the limit of a large convolution, is no access at all."""

    iact: float = math.inf
    weight: float = math.inf
    psum: float = math.inf

    def memory(self, constants: Constants) -> float:
        """ER_iact / RF_iact + ER_w / RF_w + (ER_psum + EW_psum) / RF_psum: accesses of the memory per synapse."""
        return constants.memory * (1 / self.iact + 1 / self.weight + 2 / self.psum)


IDEAL = Reuse()


def ann_naive(n_syn: float, constants: Constants) -> float:
    """3.2: N_syn (ER_iact + ER_w + ER_psum + EW_psum + E_MAC)."""
    return n_syn * (4 * constants.memory + constants.mac)


def if_inst(n_syn: float, spikes: float, constants: Constants) -> float:
    """3.4, IF with instantaneous synapses: N_syn N_spikes/syn (ER_w + ER_state + EW_state + E_AC). It needs no timesteps."""
    return n_syn * spikes * (3 * constants.memory + constants.ac)


def lif_inst(n_syn: float, spikes: float, n_neurons: float, steps: float, constants: Constants) -> float:
    """3.7, LIF with instantaneous synapses: 3.4 + N_neur T (ER_state + EW_state + E_MAC)."""
    return if_inst(n_syn, spikes, constants) + n_neurons * steps * (2 * constants.memory + constants.mac)


def if_cont(n_syn: float, spikes: float, n_neurons: float, steps: float, constants: Constants) -> float:
    """3.10, IF with a synaptic current: N_syn N_spikes/syn (ER_w + ER_I + EW_I + E_AC) + N_neur T (ER_I + EW_I + ER_state + EW_state + 2 E_MAC)."""
    return if_inst(n_syn, spikes, constants) + n_neurons * steps * (4 * constants.memory + 2 * constants.mac)


def lif_cont(n_syn: float, spikes: float, n_neurons: float, steps: float, constants: Constants) -> float:
    """3.10 for LIF (the current-based LIF): one more MAC per neuron and timestep, the decay of the membrane."""
    return if_cont(n_syn, spikes, n_neurons, steps, constants) + n_neurons * steps * constants.mac


def ann_reuse(n_syn: float, constants: Constants, reuse: Reuse = IDEAL) -> float:
    """3.11: N_syn (memory by the reuse factors + ERreg_iact + ERreg_psum + ERreg_w + EWreg_psum + E_MAC)."""
    return n_syn * (reuse.memory(constants) + 4 * constants.register + constants.mac)


def ann_reuse_sparse(n_syn: float, constants: Constants, reuse: Reuse = IDEAL, zeros: float = ZEROS, skip_weights: bool = False) -> float:
    """3.12: as 3.11, with (1 - gamma) (E_MAC + ERreg_psum + ERreg_w + EWreg_psum): every input is looked at, only others than 0 are used.

    ``skip_weights`` also leaves the weights of zeros in the memory, (1 - gamma) ER_w / RF_w. Section 3.4, where a weight serves many
    inputs, cannot; a fully connected layer can, and so does 4.21.
    """
    used = 1 - checked_share(zeros)
    skipped = zeros * constants.memory / reuse.weight if skip_weights else 0.0
    return n_syn * (reuse.memory(constants) - skipped + constants.register + used * (constants.mac + 3 * constants.register))


def ann_eyeriss(n_syn: float, constants: Constants, reuse_factor: float, zeros: float = ZEROS, version: int = 1) -> float:
    """3.13: N_syn ((1 - gamma) + 0.55 gamma) (ER_w + (ER_iact + ER_psum + EW_psum) / RF + E_MAC + ERreg_iact + ERreg_psum + EWreg_psum).

    ER_w is an access of the memory's cost although the weights of Eyeriss are local. RF is 80 for AlexNet, 25 for VGG16. Version 2 is 1.15 times
    better, which was measured on AlexNet.
    """
    if version not in (1, 2):
        raise ValueError(f"Version of Eyeriss must be 1 or 2, not {version!r}")
    part = 1 - checked_share(zeros) + _CLOCK_GATED * zeros
    once = constants.memory * (1 + 3 / reuse_factor) + constants.mac + 3 * constants.register
    return n_syn * part * once / (_EYERISS_V2 if version == 2 else 1)

