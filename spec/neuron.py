"""Names of what a population can be: neuron models, resets, ports, readouts. The equations are in docs/numerics.md."""

from __future__ import annotations

import enum

__all__ = ["Gain", "Kind", "Model", "Port", "Readout", "Refractory", "Reset"]


class Model(enum.Enum):
    """Neuron model of a population."""

    INPUT = "input"  # a source of events: no state
    IF = "if"  # integrate and fire: no decay
    LIF = "lif"  # leaky integrate and fire
    LI = "li"  # leaky integrator: no spike, read as a value
    CUBALIF = "cubalif"  # LIF driven by a synaptic current that decays on its own
    CUBALI = "cubali"  # LI driven by a synaptic current
    SPIKGRU = "spikgru"  # membrane and synaptic current mixed by a gate that is computed in each timestep
    ALIF = "alif"  # LIF whose threshold rises with each spike and decays
    RELU = "relu"  # activation of an artificial neuron: sums changes, and sends those of its activation


class Reset(enum.Enum):
    """What a spike does to the membrane; s_prev is the neuron's spikes of the step before (0 or 1, or up to max_spikes)."""

    SUBTRACT = "subtract"  # v = decay(v_prev) + I - theta * s_prev
    SUBTRACT_BEFORE_DECAY = "subtract_before_decay"  # v = decay(v_prev - theta * s_prev) + I
    ZERO = "zero"  # v = decay(0 if s_prev else v_prev) + I
    ZERO_AFTER = "zero_after"  # v = 0 if s_prev else decay(v_prev) + I
    NONE = "none"  # v = decay(v_prev) + I


class Gain(enum.Enum):
    """How a synaptic current enters the membrane of CUBALIF and CUBALI."""

    UNIT = "unit"  # i (snnTorch's Synaptic, NIR's CubaLIF)
    COMPLEMENT = "complement"  # (1 - beta) * i (Dampfhoffer 2023, equation 4.4)


class Refractory(enum.Enum):
    """What a neuron does not do in its refractory timesteps."""

    FIRE = "fire"  # it integrates, but does not fire
    INTEGRATE = "integrate"  # its membrane keeps what the reset left, and it does not fire


class Port(enum.Enum):
    """What the events of a projection do at their target."""

    CURRENT = "i"  # the synaptic sum A
    GATE = "z"  # the gate's synaptic sum of SPIKGRU
    BLOCK = "block"  # where their sum is positive, the neuron does not fire for some timesteps


class Kind(enum.Enum):
    """Which synapses of a projection exist, and so are stored, and are work."""

    DENSE = "dense"  # all, weights of 0 included
    SPARSE = "sparse"  # those whose weight is not 0
    CONV = "conv"  # those of a convolution, weights of 0 included; each weight is stored once, and serves many


class Readout(enum.Enum):
    """What the readout of a population accumulates since the last RESET."""

    NONE = "none"
    COUNT = "count"  # spikes of each neuron, saturating at 2**16 - 1
    FIRST = "first"  # timestep of each neuron's first spike, 2**16 - 1 where there is none
    VOTE = "vote"  # spikes of all neurons of a class, saturating at 2**16 - 1
    LAST = "last"  # v of the last timestep (LI)
    SUM = "sum"  # sum of v over time, saturating at v_bits + 16 bits (LI)
    MAX = "max"  # largest v over time (LI)
