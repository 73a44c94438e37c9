"""NIR graphs of LIF and Cuba-LIF neurons: as float layers, as integers, and how far the two may be apart.

NIR gives differential equations (Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 2024):

    LIF       tau dv/dt = (v_leak - v) + r I
    Cuba-LIF  tau_syn di/dt = -i + w_in S        tau_mem dv/dt = (v_leak - v) + r i        fires at v > v_threshold

What it leaves open is chosen here as Norse does: forward Euler with a step dt, v starts at v_leak, i before v, a spike reaches the next layer in the
same step and its own layer one step later, and the reset follows the spike at once, to 0 or by v_threshold. In the contract's terms:
beta = 1 - dt / tau, the gains r dt / tau_mem and w_in dt / tau_syn in the weights, reset ``zero`` or ``subtract_before_decay``, and theta =
floor(threshold) + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from spikeloom.gen.quantize_weights import quantize_weights
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Reset

from ..float_models import FloatLayer, FloatRun, run_layer

__all__ = ["IntegerGraph", "as_stored", "explained", "float_layers", "integer_graph", "run_graph", "state_bound"]

FRACTION_BITS, STATE_BITS = 12, 16


def float_layers(path: Path, dt: float) -> list[FloatLayer]:
    """The layers of a chain Input -> (Linear | Affine -> LIF | CubaLIF)*, each with at most one Linear back to itself."""
    import nir

    graph = nir.read(path)
    before = {target: [a for a, b in graph.edges if b == target] for target in graph.nodes}
    layers, source = [], next(name for name, node in graph.nodes.items() if isinstance(node, nir.Input))
    neurons = {name: node for name, node in graph.nodes.items() if isinstance(node, nir.LIF | nir.CubaLIF)}
    while neurons:
        name, forward = next((n, w) for n in neurons for w in before[n] if before[w] == [source])
        node, linear = neurons.pop(name), graph.nodes[forward]
        back = next((graph.nodes[w] for w in before[name] if w != forward), None)
        synaptic = isinstance(node, nir.CubaLIF)
        leak = dt / np.asarray(node.tau_mem if synaptic else node.tau, np.float64)
        gain, alpha = np.asarray(node.r, np.float64) * leak, np.zeros_like(leak)
        if synaptic:
            rise = dt / np.asarray(node.tau_syn, np.float64)
            gain, alpha = gain * np.asarray(node.w_in, np.float64) * rise, 1 - rise
            assert not node.v_leak.any()  # the contract's bias enters i, and v_leak is of v
        u = np.zeros((len(leak), len(leak))) if back is None else np.asarray(back.weight, np.float64)
        bias = np.asarray(getattr(linear, "bias", 0.0), np.float64)
        layers.append(FloatLayer(
            model="cubalif_unit" if synaptic else "lif", w=np.asarray(linear.weight, np.float64) * gain[:, None], u=u * gain[:, None],
            b=bias * gain + np.asarray(node.v_leak, np.float64) * leak, alpha=alpha, beta=1 - leak,
            theta=np.asarray(node.v_threshold, np.float64), v_init=np.asarray(node.v_leak, np.float64), strict=True))
        source = name
    return layers


def _reset_at_once(layer: FloatLayer, v, i, drive, gate, s):
    """What a spike took away is gone before the leak."""
    i = layer.alpha * i + drive
    return layer.beta * (v - layer.theta * s) + i, i


def _reset_to_zero(layer: FloatLayer, v, i, drive, gate, s):
    i = layer.alpha * i + drive
    return layer.beta * np.where(s > 0, 0.0, v) + i, i


STEPS = {Reset.SUBTRACT_BEFORE_DECAY: _reset_at_once, Reset.ZERO: _reset_to_zero}


def run_graph(layers: list[FloatLayer], x: np.ndarray, reset: Reset, forced: list[np.ndarray] | None = None) -> list[FloatRun]:
    """Run clips ``[N, T, m]`` in float64; ``forced``: spikes of each layer that the others, and its own past, see (run_layer)."""
    runs: list[FloatRun] = []
    for k, layer in enumerate(layers):
        runs.append(run_layer(layer, x, step=STEPS[reset], forced=None if forced is None else forced[k]))
        x = runs[-1].spikes if forced is None else forced[k]
    return runs


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerGraph:
    """The network, and per layer the value of one unit of its state ``[n]`` and of its sum ``[n]``."""

    network: Network
    units: list[np.ndarray]
    scales: list[np.ndarray]

    def weights(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Input and recurrent weights of layer k that the integers stand for."""
        scale = self.scales[k][:, None]
        found = [p.weights.astype(np.float64) * 2**p.shift * scale for p in self.network.incoming(f"layer{k}")]
        return found[0], found[1] if len(found) > 1 else np.zeros((len(scale), len(scale)))


def integer_graph(layers: list[FloatLayer], runs: list[FloatRun], reset: Reset) -> IntegerGraph:
    """8 bit weights with one scale per neuron, decays of 12 fraction bits, states of 16 bits that hold the float runs' range and a quarter more."""
    populations = [Population(name="x", size=layers[0].w.shape[1], model=Model.INPUT)]
    projections, units, scales = [], [], []
    for k, (layer, run) in enumerate(zip(layers, runs, strict=True)):
        matrices = [layer.w, layer.u] if layer.u.any() else [layer.w]
        range_v = np.maximum(abs(run.v), abs(run.i)).max(axis=(0, 1)) * 1.25
        finest = np.maximum(range_v, 2 * layer.theta) / 2 ** (STATE_BITS - 1)  # smallest unit of each neuron's state
        q = quantize_weights(matrices, weight_bits=8, per_neuron=True, floor=finest)
        guard = int(np.floor(np.log2((q.scale / finest).min())))
        unit = q.scale / 2**guard

        def integers(values, of=unit) -> np.ndarray:
            return np.rint(values / of).astype(np.int64)

        beta, alpha = integers(layer.beta, 2.0**-FRACTION_BITS), integers(layer.alpha, 2.0**-FRACTION_BITS)
        fields: dict = {"model": Model.LIF} if layer.model == "lif" else {
            "model": Model.CUBALIF, "alpha": alpha, "current_decay": Decay(factor=int(alpha.max()), fraction_bits=FRACTION_BITS),
            "i_bits": STATE_BITS}
        populations.append(Population(
            name=f"layer{k}", size=len(unit), reset=reset, bias=integers(layer.b), v_init=integers(layer.v_init), v_bits=STATE_BITS,
            decay=Decay(factor=int(beta.max()), fraction_bits=FRACTION_BITS), beta=beta, theta=np.floor(layer.theta / unit).astype(np.int64) + 1,
            guard_bits=guard, output=True, **fields))
        projections += [Projection(source=source, target=f"layer{k}", weights=w, shift=shift, delay=delay) for w, shift, source, delay in
                        zip(q.weights, q.shifts, (populations[k].name, f"layer{k}"), (0, 1), strict=False)]
        units.append(unit)
        scales.append(q.scale)
    return IntegerGraph(network=Network(name="nir", populations=tuple(populations), projections=tuple(projections)), units=units, scales=scales)


def as_stored(layers: list[FloatLayer], graph: IntegerGraph) -> list[FloatLayer]:
    """The float layers with the weights that the integers stand for."""
    return [replace(layer, w=graph.weights(k)[0], u=graph.weights(k)[1]) for k, layer in enumerate(layers)]


def state_bound(layer: FloatLayer, graph: IntegerGraph, k: int, x: np.ndarray, run: FloatRun, spikes: np.ndarray, reset: Reset) -> np.ndarray:
    """How far the integer v may be from the float one where both saw the same past, ``[N, T, n]``, float64, in units of the float v.

    An error e of the state is carried on by the decay, and every timestep adds: half a unit for each rounding, the error of a decay's factor times
    what it decays, the errors of weights times their events, of the bias, and of the threshold that a spike took away:

        e_i = alpha_q e_i + |alpha - alpha_q| |i| + u/2 + |w - w_q| x + |u - u_q| s + |b - b_q|
        e_v = beta_q (e_v + |theta - theta_q| s) + |beta - beta_q| |v after reset| + u/2 + e_i
    """
    p, unit = graph.network.population(f"layer{k}"), graph.units[k]
    w, u = graph.weights(k)
    theta = p.theta * unit
    beta, alpha = ((np.full(p.size, d.factor or 0) if per is None else per) / 2**FRACTION_BITS
                   for d, per in ((p.decay, p.beta), (p.current_decay, p.alpha)))
    before = np.concatenate([np.zeros_like(spikes[:, :1]), spikes[:, :-1]], axis=1)
    added = x @ abs(layer.w - w).T + before @ abs(layer.u - u).T + abs(layer.b - p.bias * unit)
    e_i, i = np.zeros((len(x), p.size)), np.zeros((len(x), p.size))
    v, e_v = i + layer.v_init, i + abs(layer.v_init - p.v_init * unit)
    bound = np.empty(run.v.shape)
    for t in range(x.shape[1]):
        s = before[:, t] > 0
        if p.has_current:
            e_i = alpha * e_i + abs(layer.alpha - alpha) * abs(i) + unit / 2 + added[:, t]
        else:
            e_i = added[:, t]
        if reset is Reset.ZERO:
            kept, carried = np.where(s, 0.0, v), np.where(s, 0.0, e_v)
        else:
            kept, carried = v - layer.theta * s, e_v + abs(layer.theta - theta) * s
        e_v = beta * carried + abs(layer.beta - beta) * abs(kept) + unit / 2 + e_i
        bound[:, t], v, i = e_v, run.v[:, t], run.i[:, t]
    return bound * (1 + 1e-9)  # the float64 of both sides


def explained(layer: FloatLayer, graph: IntegerGraph, k: int, run: FloatRun, spikes: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Where the float decision differs from the integer one, ``[N, T, n], bool``, and whether its v is within the bound of the threshold."""
    margin = bound + abs(graph.network.population(f"layer{k}").theta * graph.units[k] - layer.theta)
    return np.stack([run.spikes != spikes, abs(run.v - layer.theta) <= margin])
