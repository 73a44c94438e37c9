"""Random layers of float_models.py, and the integer network that a layer becomes: what bench/float_agreement.py and the tests compare.

For a layer with one weight step s (value of one unit of the synaptic sum), one unit of v and i is s / 2**(G + shift), the smallest with which
``headroom`` thresholds fit the state:

    w_q = round(w / s)    theta_q = round(theta / unit)    b_q = round(b / unit)    beta_q = round(beta * 2**fraction_bits)

and for the gate, with a step s_z of its own: z = gate_table[round_shift(Az + round(b_z / s_z), gate_shift)], one index worth
s_z * 2**gate_shift of the sigmoid's argument.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from float_models import FloatLayer, run_layer

from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.gate import GATE_RANGE, gate_table
from spikeloom.spec.network import Gain, Model, Network, Population, Port, Projection, Refractory, Reset

__all__ = ["MODELS", "Agreement", "agreement", "clips_for", "random_layer", "tabulated", "to_network"]

STEP = 1 / 16  # of weights and biases that are exact, in thresholds
GATE_STEP = 1 / 16  # of the gate's, in units of the sigmoid's argument
HEADROOM = 8  # thresholds that the state holds
MAX_SHIFT = 12
_KIND = {"lif": Model.LIF, "cubalif": Model.CUBALIF, "cubalif_unit": Model.CUBALIF, "spikgru": Model.SPIKGRU, "alif": Model.ALIF}
# What the tables show: name, model, standard deviation of a weight in thresholds (such that some 10 % of the neurons fire), other fields.
MODELS: dict[str, tuple[str, float, dict]] = {
    "LIF": ("lif", 0.15, {}), "Cuba-LIF, gain 1 - beta": ("cubalif", 0.28, {"delay": 1}), "Cuba-LIF, gain 1": ("cubalif_unit", 0.045, {"delay": 1}),
    "SpikGRU": ("spikgru", 0.2, {"delay": 1}), "ALIF": ("alif", 0.16, {}), "LIF, up to 7 spikes": ("lif", 0.17, {"max_spikes": 7}),
    "LIF, refractory 3": ("lif", 0.13, {"refractory": 3}), "LIF, refractory 3, held": ("lif", 0.13, {"refractory": 3, "hold": True})}


def random_layer(name: str, seed: int, *, inputs: int = 40, size: int = 64, exact: bool = True) -> FloatLayer:
    """A layer of :data:`MODELS`; ``exact``: weights and biases are multiples of the steps above, so that integers hold them without error."""
    model, spread, options = MODELS[name]
    rng = np.random.default_rng(seed)

    def drawn(deviation: float, step: float, *shape: int, mean: float = 0.0) -> np.ndarray:
        values = np.clip(rng.normal(mean, deviation, shape), mean - 3 * deviation, mean + 3 * deviation)
        return np.rint(values / step) * step if exact else values

    def factors(low: float, high: float) -> np.ndarray:
        return np.rint(rng.uniform(low, high, size) * 256) / 256

    layer = FloatLayer(
        model=model, w=drawn(spread, STEP, size, inputs, mean=0.1 * spread), u=drawn(0.6 * spread, STEP, size, size),
        b=drawn(0.1 * spread, STEP, size), beta=factors(0.8, 0.95), alpha=factors(0.6, 0.8), rho=243 / 256,
        jump=0.25 if model == "alif" else 0.0, **options)
    if model == "spikgru":
        layer = replace(layer, w_z=drawn(0.4, GATE_STEP, size, inputs), u_z=drawn(0.4, GATE_STEP, size, size),
                        b_z=drawn(0.5, GATE_STEP, size, mean=1.0))
    return layer


def clips_for(layer: FloatLayer, seed: int, clips: int = 20, steps: int = 100) -> np.ndarray:
    """Random input spikes ``[N, T, m], int64``, 15 % of them."""
    return (np.random.default_rng(seed).random((clips, steps, layer.w.shape[1])) < 0.15).astype(np.int64)


def tabulated(layer: FloatLayer, network: Network) -> FloatLayer:
    """The layer with the gate that the network's table computes in place of the sigmoid: what then differs is the rounding of v and i."""
    p, step = network.population("y"), network.metadata["gate_step"]
    half, table = len(p.gate_table) // 2, p.gate_table / 256
    return replace(layer, gate=lambda a: table[np.clip(np.floor(a / (step * 2**p.gate_shift) + 0.5).astype(np.int64), -half, half - 1) + half])


def to_network(layer: FloatLayer, *, v_bits: int, weight_bits: int = 8, fraction_bits: int = 8, gate_bits: int = 12, step: float | None = None,
               gate_step: float | None = None, reset: Reset = Reset.SUBTRACT) -> Network:
    """The integer network of a layer: input ``x``, population ``y``; one scale per layer and port.

    ``step`` and ``gate_step`` are the values of one unit of weight; by default the largest weight takes the largest integer.

    Raises ValueError where the weights are finer than the state.
    """
    high = (1 << (weight_bits - 1)) - 1
    model, size = _KIND[layer.model], len(layer.b)
    step = float(max(abs(layer.w).max(), abs(layer.u).max())) / high if step is None else step
    total = math.floor(math.log2(step * 2.0 ** (v_bits - 1) / (HEADROOM * layer.theta)) + 1e-9)
    if total < 0:
        raise ValueError(f"A weight step of {step} is finer than a state of {v_bits} bits that holds {HEADROOM} thresholds of {layer.theta}")
    guard, shift = min(total, MAX_SHIFT), max(total - MAX_SHIFT, 0)
    unit = step / 2**total

    def integers(values, of: float) -> np.ndarray:
        return np.rint(np.asarray(values, np.float64) / of).astype(np.int64)

    def factor(values) -> tuple[Decay, np.ndarray]:
        factors = np.broadcast_to(integers(values, 2.0**-fraction_bits), size)
        return Decay(factor=int(factors.max()), fraction_bits=fraction_bits), factors

    def weights(values, of: float) -> np.ndarray:
        return np.clip(integers(values, of), -high - 1, high)

    fields: dict = {"theta": integers(layer.theta, unit) if not layer.strict else math.floor(layer.theta / unit) + 1,
                    "bias": integers(layer.b, unit), "v_bits": v_bits, "guard_bits": guard, "max_spikes": layer.max_spikes,
                    "refractory": layer.refractory, "refractory_mode": Refractory.INTEGRATE if layer.hold else Refractory.FIRE}
    ports = [(Port.CURRENT, layer.w, layer.u, step, shift)]
    metadata: dict = {"unit": unit}
    if model is not Model.SPIKGRU:
        fields["decay"], fields["beta"] = factor(layer.beta)
    if model in (Model.CUBALIF, Model.SPIKGRU):
        fields["current_decay"], fields["alpha"] = factor(layer.alpha)
        fields["i_bits"] = v_bits
    if model is Model.CUBALIF:
        fields["gain"] = Gain.COMPLEMENT if layer.model == "cubalif" else Gain.UNIT
    if model is Model.ALIF:
        fields |= {"adaptation_decay": factor(layer.rho)[0], "jump": integers(layer.jump, unit), "a_bits": v_bits - 1}
    if layer.w_z is not None and layer.u_z is not None:
        gate_step = float(max(abs(layer.w_z).max(), abs(layer.u_z).max())) / high if gate_step is None else gate_step
        gate_shift = max(math.ceil(math.log2(GATE_RANGE / (gate_step * 2 ** (gate_bits - 1)))), 0)
        fields |= {"gate_table": gate_table(gate_bits, gate_step * 2**gate_shift), "gate_shift": gate_shift,
                   "gate_bias": integers(layer.b_z, gate_step)}
        ports.append((Port.GATE, layer.w_z, layer.u_z, gate_step, 0))
        metadata["gate_step"] = gate_step
    projections = [Projection(source=source, target="y", weights=weights(matrix, of), weight_bits=weight_bits, delay=delay, shift=left, port=port)
                   for port, w, u, of, left in ports for source, matrix, delay in (("x", w, layer.delay), ("y", u, 1))]
    return Network(name="layer", metadata=metadata, projections=tuple(projections), populations=(
        Population(name="x", size=layer.w.shape[1], model=Model.INPUT),
        Population(name="y", size=size, model=model, reset=reset, output=True, **fields)))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What the golden model and the printed equations have in common.

    Parameters
    ----------
    free : fraction of neuron-steps with the same spikes, both running freely.
    clips : fraction of clips that are the same in all of them.
    forced : fraction of neuron-steps with the same spikes, the equations seeing the golden model's spikes of the past: each decision by itself.
    saturations : write-backs that saturated, per clip.
    """

    free: float
    clips: float
    forced: float
    saturations: float


def agreement(network: Network, layer: FloatLayer, x: np.ndarray, step: Callable | None = None) -> Agreement:
    """Compare on clips ``[N, T, m]``; ``step`` is a test's wrong equation in place of the layer's."""
    result = golden.run(network, x, record=True)
    ours = result.spikes["y"].astype(np.int64)
    free = run_layer(layer, x, step=step).spikes == ours
    forced = run_layer(layer, x, step=step, forced=ours).spikes == ours
    return Agreement(free=float(free.mean()), clips=float(free.all(axis=(1, 2)).mean()), forced=float(forced.mean()),
                     saturations=result.saturations["y"] / len(x))
