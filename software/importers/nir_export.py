"""Our networks as NIR graphs, for other simulators: the inverse of :mod:`.nir_neurons` with forward Euler.

    tau = dt / (1 - beta)     r = 1 / (1 - beta)     w_in = 1 / (1 - alpha)

so that the weights stay as they are (snnTorch writes its networks in the same way). What NIR has no field for is in the nodes' metadata, where our
importer finds it: ``reset``, ``fires``, ``readout``, the input's payloads, and ``dt`` in the graph's. A projection with a delay has a Delay node; one
of a population to itself with delay 1 has none, since that is how simulators take a loop. A convolution is a Conv2d, with a SumPool2d before it
where it has a pool; populations that are maps have arrays ``[channels, height, width]``, and a Flatten leads from them to a Linear.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.convolution import Conv
from ...spec.errors import NetworkError, ToolError
from ...spec.network import Gain, Model, Network, Port, Reset

__all__ = ["as_float", "to_nir"]


def to_nir(network: Network | FloatNetwork, *, dt: float = 1e-4) -> Any:
    """A network of IF, LIF, LI, CUBALIF and CUBALI populations as a ``nir.NIRGraph``; ``nir.write(path, graph)`` writes it.

    Parameters
    ----------
    network : float, or quantized: then with its integers as numbers; NIR knows no rounding and no saturation.
    dt : timestep in seconds that the time constants are to stand for.

    Raises NetworkError for what NIR cannot say, ToolError where the nir package is not installed.
    """
    try:
        import nir
    except ImportError as error:
        raise ToolError("The nir package is needed to write a NIR graph and is not installed. Install the extra 'nir' "
                        "(pip install 'spikeloom[nir]')") from error
    if not 0 < dt < float("inf"):
        raise NetworkError(f"Dt must be above 0 seconds, not {dt}")
    net = as_float(network) if isinstance(network, Network) else network
    maps = _maps(net)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str]] = []
    for p in net.populations:
        if p.model is Model.INPUT:
            nodes[p.name] = nir.Input(input_type={"input": np.array(maps.get(p.name, (p.size,)))},
                                      metadata={"payload_min": p.payload_min, "payload_max": p.payload_max})
        else:
            nodes[p.name] = _node(nir, p, dt, maps.get(p.name, (p.size,)))
    for p in net.populations:
        bias = p.of_each("bias") - _leak(p)
        incoming = net.incoming(p.name)
        if bias.any() and not incoming:
            raise NetworkError(f"Population {p.name!r}: it has a bias and no projection, and NIR has a bias beside weights only; add weights of 0")
        for k, q in enumerate(incoming):
            if q.port is not Port.CURRENT:
                raise NetworkError(f"Projection {q.name}: NIR has no port {q.port.value!r}; only networks without it can be exported")
            name, source = f"{q.source}_to_{q.target}" + (f"_{k}" if k else ""), q.source
            if q.delay > (1 if q.source == q.target else 0):
                nodes[f"{name}_delay"] = nir.Delay(delay=np.full(maps.get(source, (net.population(source).size,)), q.delay * dt))
                edges.append((source, f"{name}_delay"))
                source = f"{name}_delay"
            if q.source in maps and q.conv is None:
                nodes[f"{name}_flat"] = nir.Flatten({"input": np.array(maps[q.source])}, start_dim=0)
                edges.append((source, f"{name}_flat"))
                source = f"{name}_flat"
            elif q.conv is not None and q.conv.pool != (1, 1):
                nodes[f"{name}_pool"] = nir.SumPool2d(np.array(q.conv.pool), np.array(q.conv.pool), np.zeros(2, np.int64))
                edges.append((source, f"{name}_pool"))
                source = f"{name}_pool"
            weight = np.array(q.weights)
            if q.conv is not None:
                nodes[name] = _convolution(nir, q, q.conv, bias if k == 0 else bias * 0)
            else:
                nodes[name] = nir.Affine(weight=weight, bias=bias) if k == 0 and bias.any() else nir.Linear(weight=weight)
            edges += [(source, name), (name, p.name)]
        if p.output or p.readout.value != "none":
            nodes[f"{p.name}_out"] = nir.Output(output_type={"output": np.array(maps.get(p.name, (p.size,)))})
            edges.append((p.name, f"{p.name}_out"))
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"dt": float(dt), "writer": "spikeloom"}, type_check=False)


def _maps(net: FloatNetwork) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of the populations that are maps; NetworkError where two projections see different ones."""
    maps: dict[str, tuple[int, int, int]] = {}
    for q in net.projections:
        if q.conv is None:
            continue
        for name, shape in ((q.source, q.conv.shape), (q.target, q.conv.out_shape)):
            if maps.setdefault(name, shape) != shape:
                raise NetworkError(f"Projection {q.name}: it takes {name!r} for a map {list(shape)}, and another one for {list(maps[name])} "
                                   f"(channels, "
                                   "height, width); NIR has no reshape, so such a network cannot be exported")
    for q in net.projections:
        if q.conv is None and q.target in maps and maps[q.target][1:] != (1, 1):
            raise NetworkError(f"Projection {q.name}: its weights are a matrix and its target is a map {list(maps[q.target])}; NIR has no reshape, "
                               f"so "
                               "such a network cannot be exported")
    return maps


def _convolution(nir: Any, q: FloatProjection, conv: Conv, bias: np.ndarray) -> Any:
    """The Conv2d node of a projection."""
    top, bottom, left, right = conv.padding
    if top != bottom or left != right:
        raise NetworkError(f"Projection {q.name}: NIR pads both sides of a map alike, and this convolution by {list(conv.padding)} (top, bottom, "
                           f"left, "
                           "right); such a network cannot be exported")
    each = bias.reshape(conv.out_channels, -1)
    if (each != each[:, :1]).any():
        raise NetworkError(f"Projection {q.name}: NIR has one bias per channel of a convolution, and the biases of {q.target!r} differ within one")
    return nir.Conv2d(input_shape=conv.pooled, weight=np.array(q.weights), stride=conv.stride, padding=(top, left), dilation=conv.dilation,
                      groups=conv.groups, bias=each[:, 0])


def _leak(p: FloatPopulation) -> np.ndarray:
    """Bias that v_leak is: a LIF or LI that starts at v_init is one that leaks to it, with that much less bias."""
    return p.of_each("v_init") * (1 - p.of_each("beta")) if p.model in (Model.LIF, Model.LI) else np.zeros(p.size)


def _node(nir: Any, p: FloatPopulation, dt: float, shape: tuple[int, ...]) -> Any:
    """The node of one population, with arrays of ``shape``."""
    _refuse(p)
    beta, alpha, zero = (values.reshape(shape) for values in (p.of_each("beta"), p.of_each("alpha"), np.zeros(p.size)))
    metadata = {"readout": p.readout.value} if p.output or p.readout.value != "none" else {}
    fields: dict[str, Any] = {"metadata": metadata}
    if p.spikes:
        metadata.update({"reset": p.reset.value, "fires": "above" if p.strict else "at"})
        fields.update({"v_threshold": p.of_each("threshold").reshape(shape).copy(), "v_reset": zero})
    if (beta == 1).all() and not p.has_current:
        return (nir.IF if p.spikes else nir.I)(r=zero + 1, **fields)
    if (beta == 1).any() or (p.has_current and (alpha == 1).any()):
        raise NetworkError(f"Population {p.name!r}: a decay of 1 is an infinite time constant, which NIR has for a whole IF or I only")
    fields["v_leak"] = zero if p.has_current else p.of_each("v_init").reshape(shape).copy()
    r = zero + 1 if p.has_current and p.gain is Gain.COMPLEMENT else 1 / (1 - beta)
    if p.has_current:
        return (nir.CubaLIF if p.spikes else nir.CubaLI)(tau_mem=dt / (1 - beta), tau_syn=dt / (1 - alpha), r=r, w_in=1 / (1 - alpha), **fields)
    return (nir.LIF if p.spikes else nir.LI)(tau=dt / (1 - beta), r=r, **fields)


def _refuse(p: FloatPopulation) -> None:
    """What NIR has no word for."""
    wrong = "" if p.model in (Model.IF, Model.LIF, Model.LI, Model.CUBALIF, Model.CUBALI) else f"the model {p.model.value}"
    if p.max_spikes > 1 or p.refractory or p.inhibition:
        wrong = "several spikes per timestep, refractory timesteps or inhibition"
    if p.v_floor is not None:
        wrong = "a lower clip of v"
    if p.classes is not None:
        wrong = "a vote of classes"
    if np.any(p.of_each("v_init")) and (p.has_current or (p.of_each("beta") == 1).any()):
        wrong = "a v at the start without a leak that goes there"
    if wrong:
        raise NetworkError(f"Population {p.name!r}: NIR does not have {wrong}; such a network cannot be exported")


def as_float(network: Network) -> FloatNetwork:
    """A quantized network as a float one, in units of each population's v: its integers as they are, without rounding and saturation."""
    populations, projections = [], []
    for p in network.populations:
        if p.model is Model.INPUT:
            populations.append(FloatPopulation(name=p.name, size=p.size, model=p.model, payload_min=p.payload_min, payload_max=p.payload_max))
            continue
        if p.held:
            raise NetworkError(f"Population {p.name!r}: NIR does not have a current that is held; such a network cannot be exported")
        if p.model in (Model.SPIKGRU, Model.ALIF, Model.RELU):
            raise NetworkError(f"Population {p.name!r}: NIR does not have the model {p.model.value}; such a network cannot be exported")
        beta, alpha = (d.beta if each is None else np.asarray(each) / 2.0 ** (d.fraction_bits or 0)
                       for d, each in ((p.decay, p.beta), (p.current_decay, p.alpha)))
        more: dict[str, Any] = {"alpha": alpha, "gain": p.gain} if p.has_current else {}
        if p.spikes:
            more.update(threshold=p.theta, strict=False, max_spikes=p.max_spikes, refractory=p.refractory, refractory_mode=p.refractory_mode,
                        inhibition=p.inhibition)
        populations.append(FloatPopulation(
            name=p.name, size=p.size, model=p.model, beta=beta, reset=p.reset if p.spikes else Reset.NONE, bias=p.bias, v_init=p.v_init,
            readout=p.readout, output=p.output, labels=p.labels, classes=p.classes, v_floor=p.v_floor, **more))
    for q in network.projections:
        scale = 2.0 ** (q.shift + network.population(q.target).guard_bits)
        projections.append(FloatProjection(source=q.source, target=q.target, weights=q.weights * scale, delay=q.delay, port=q.port, conv=q.conv))
    return FloatNetwork(name=network.name, populations=tuple(populations), projections=tuple(projections))
