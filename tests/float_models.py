"""The neuron models as they are printed, in float64: an independent reference, written from the literature and not from our integers.

Each model is one short function from the state and the drive of a timestep to the new state, under the number of its equation in

    M. Dampfhoffer, "Models and algorithms for implementing energy-efficient spiking neural networks on neuromorphic hardware at the
    edge", thesis, Univ. Grenoble Alpes, 2023                                                              (LIF, Cuba-LIF, SpikGRU)
    G. Bellec et al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature Communications 11, 2020,
    Methods, "Neuron models"                                                                               (ALIF, refractory period)

theta is not 1 but a number, and x may be graded or signed. What the print leaves open is a field of :class:`FloatLayer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["STEPS", "FloatLayer", "FloatRun", "run_layer", "sigmoid"]


def sigmoid(a: np.ndarray) -> np.ndarray:
    """The logistic function, exact."""
    return 0.5 + 0.5 * np.tanh(0.5 * a)


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatLayer:
    """One recurrent layer of n neurons with m inputs, all float64.

    Parameters
    ----------
    model : key of :data:`STEPS`.
    w, u, b : ``[n, m]``, ``[n, n]``, ``[n]``: input and recurrent weights and bias, of v (LIF, ALIF) or of i.
    w_z, u_z, b_z : the same of the gate (SpikGRU).
    alpha, beta, rho : ``[n]`` or a number: decay of i, of v, of the threshold's rise (ALIF).
    theta, jump : threshold, ``[n]`` or a number, and what a spike adds to it (ALIF).
    v_init : membrane at the start, ``[n]`` or a number.
    delay : timesteps from an input to its effect: 0 as printed for LIF (4.1), 1 as printed for Cuba-LIF and SpikGRU (4.3, 4.10).
    strict : fires at v > theta; else at v >= theta.
    max_spikes : more than 1: a neuron fires floor(v / theta) times, at most so often, and each takes a theta (Sinabs, Xylo).
    refractory, hold : timesteps after a spike in which it cannot fire, and whether v is held (without leak or input) meanwhile.
    gate : the function in place of the sigmoid; SpikGRU.
    """

    model: str
    w: np.ndarray
    u: np.ndarray
    b: np.ndarray
    w_z: np.ndarray | None = None
    u_z: np.ndarray | None = None
    b_z: np.ndarray | None = None
    alpha: np.ndarray | float = 0.0
    beta: np.ndarray | float = 0.0
    rho: np.ndarray | float = 0.0
    theta: np.ndarray | float = 1.0
    jump: float = 0.0
    v_init: np.ndarray | float = 0.0
    delay: int = 0
    strict: bool = False
    max_spikes: int = 1
    refractory: int = 0
    hold: bool = False
    gate: Callable[[np.ndarray], np.ndarray] = field(default=sigmoid)


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatRun:
    """Spikes ``[N, T, n], int64``; membranes, currents and thresholds ``[N, T, n], float64``, of each timestep when it is decided whether to fire."""

    spikes: np.ndarray
    v: np.ndarray
    i: np.ndarray
    threshold: np.ndarray


# One step of each model: (layer, v_prev, i_prev, drive of v or i, drive of the gate, spikes of the step before) -> v, i.


def lif(layer: FloatLayer, v, i, drive, gate, s):
    """(4.1)  v_t = beta v_{t-1} + W_v s_t^{l-1} + U_v s_{t-1}^l + b_v - v_th s_{t-1}^l."""
    return layer.beta * v + drive - layer.theta * s, i


def cubalif(layer: FloatLayer, v, i, drive, gate, s):
    """(4.3)  i_t = alpha i_{t-1} + W_i s + U_i s + b_i   (4.4)  v_t = beta v_{t-1} + (1 - beta) i_t - v_th s_{t-1}."""
    i = layer.alpha * i + drive
    return layer.beta * v + (1 - layer.beta) * i - layer.theta * s, i


def cubalif_unit(layer: FloatLayer, v, i, drive, gate, s):
    """(4.3), and v_t = beta v_{t-1} + i_t - v_th s_{t-1}: the current with gain 1 (snnTorch's Synaptic, NIR's CubaLIF after its r)."""
    i = layer.alpha * i + drive
    return layer.beta * v + i - layer.theta * s, i


def spikgru(layer: FloatLayer, v, i, drive, gate, s):
    """(4.10)  i_t as (4.3)   (4.11)  z_t = sigma(W_z s + U_z s + b_z)   (4.12)  v_t = z_t v_{t-1} + (1 - z_t) i_t - v_th s_{t-1}."""
    i = layer.alpha * i + drive
    z = layer.gate(gate)
    return z * v + (1 - z) * i - layer.theta * s, i


STEPS = {"lif": lif, "alif": lif, "cubalif": cubalif, "cubalif_unit": cubalif_unit, "spikgru": spikgru}


def run_layer(layer: FloatLayer, x: np.ndarray, *, forced: np.ndarray | None = None, step: Callable | None = None) -> FloatRun:
    """Run clips ``[N, T, m]`` through the layer; nobody fired before.

    Parameters
    ----------
    forced : spikes ``[N, T, n]``: what recurrence, reset, threshold and refractory period see in place of the layer's own spikes, so that each
        timestep's decision is judged on its own (teacher forcing). The spikes that are returned are still the layer's decisions.
    step : another step function than that of the model: a test's wrong equation.
    """
    clips, steps, n = len(x), x.shape[1], len(layer.b)
    step = STEPS[layer.model] if step is None else step
    x = np.concatenate([np.zeros((clips, layer.delay, x.shape[2])), x], axis=1)[:, :steps].astype(np.float64)
    drive, gate = x @ layer.w.T + layer.b, np.zeros(1)
    if layer.w_z is not None and layer.u_z is not None:
        gates = x @ layer.w_z.T + layer.b_z
    i, rise, s = (np.zeros((clips, n)) for _ in range(3))
    v = i + layer.v_init
    since = np.full((clips, n), layer.refractory + 1)  # timesteps since the last spike
    spikes = np.zeros((clips, steps, n), np.int64)
    potentials, currents, thresholds = (np.empty((clips, steps, n)) for _ in range(3))
    for t in range(steps):
        if layer.w_z is not None and layer.u_z is not None:
            gate = gates[:, t] + s @ layer.u_z.T
        new, i = step(layer, v, i, drive[:, t] + s @ layer.u.T, gate, s)
        quiet = since <= layer.refractory
        v = np.where(quiet, v - layer.theta * s, new) if layer.hold else new
        # Bellec 2020: A_t = v_th + beta_a a_t with a_t = rho a_{t-1} + z_{t-1}; here `rise` is beta_a a_t.
        rise = layer.rho * rise + layer.jump * s
        threshold = layer.theta + rise
        if layer.max_spikes > 1:
            fired = np.clip(np.floor(v / threshold), 0, layer.max_spikes)
        else:
            fired = (v > threshold) if layer.strict else (v >= threshold)
        fired = np.where(quiet, 0, fired)
        spikes[:, t], potentials[:, t], currents[:, t], thresholds[:, t] = fired, v, i, threshold
        s = (fired if forced is None else forced[:, t]).astype(np.float64)
        since = np.where(s > 0, 1, since + 1)
    return FloatRun(spikes=spikes, v=potentials, i=currents, threshold=thresholds)
