"""A NIR graph as a float network.

Neurons become populations. What lies between two of them (Linear, Affine, Scale, Delay, Flatten, convolutions, pools, and sums, where edges
meet) is linear, so it is multiplied out: one projection per pair and delay, and one bias. A convolution stays one (:mod:`.nir_signal`). Conventions
where frameworks differ are in :mod:`.nir_neurons`; whatever the file
does not say is said in ``metadata["nir"]["assumed"]``. A cycle without a delay means, in snnTorch, Norse and Lava, that a spike comes back one
timestep later: the edge that closes it, seen from the inputs, gets delay 1.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.errors import NetworkError
from ...spec.network import MAX_POPULATIONS, Model, Readout, Reset
from .nir_apart import read_apart
from .nir_cycles import back_edges, order
from .nir_file import raw_graph
from .nir_flat import NEURONS, FlatGraph, Notes, flatten
from .nir_neurons import VALUES, Neuron, NirOptions, neuron, step_of
from .nir_signal import Key, Signal, apply, scaled, total

__all__ = ["NirOptions", "is_nir", "read_nir"]


def is_nir(source: Any) -> bool:
    """Whether a source is a NIR graph: a file by its suffix, or a ``nir.NIRGraph``."""
    if isinstance(source, (str, os.PathLike)):
        return Path(source).suffix.lower() in (".nir", ".h5", ".hdf5")
    return all(hasattr(source, name) for name in ("nodes", "edges", "to_dict"))


def read_nir(source: Any, options: NirOptions | None = None, **values: Any) -> FloatNetwork:
    """Read a NIR graph as a float network.

    Parameters
    ----------
    source : path of a file, or a ``nir.NIRGraph``.
    options : :class:`NirOptions`, or its fields as keywords: dt, decay_form, reset, fires, readout, payload.

    Raises FileFormatError for a file that is damaged or holds what cannot be imported (the text names the node and the remedy), NetworkError for an
    option out of range, ToolError where h5py is not installed.
    """
    options = options if options is not None else NirOptions(**values)
    path = None if hasattr(source, "nodes") else Path(source)
    raw = raw_graph(source) if path is None else read_apart(path)
    notes = Notes()
    flat = flatten(raw, "NIR graph" if path is None else str(path), notes)
    stem = re.sub(r"\W", "_", "nir" if path is None else path.stem, flags=re.ASCII)[:60]
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return _Import(flat, options, dict(raw.metadata), notes).network(stem if stem[:1].isalpha() else f"net_{stem}")


class _Import:
    """Turns one flat graph into populations and projections."""

    def __init__(self, flat: FlatGraph, options: NirOptions, metadata: dict, notes: Notes) -> None:
        self.flat, self.options, self.metadata, self.notes = flat, options, metadata, notes
        self.merged = self._merged()
        self.sources = [n for n, node in flat.nodes.items() if node.kind == "Input" or (node.kind in NEURONS and n not in self.merged)]
        self.neurons: dict[str, Neuron] = {}
        thresholds = {value: threshold for threshold, value in self.merged.items()}
        for n in self.sources:
            if flat.nodes[n].kind != "Input":
                self.neurons[n] = neuron(flat, n, options, metadata, notes, thresholds.get(n, ""))
        if not self.neurons and not any(node.kind == "Output" for node in flat.nodes.values()):
            raise NetworkError(f"{flat.where}: the graph has no neurons and no Output; nothing is left to compute")

    def _merged(self) -> dict[str, str]:
        """Threshold nodes right behind a neuron that sends a value: the two are one that fires and is not reset."""
        found = {}
        for n, node in self.flat.nodes.items():
            before = self.flat.before(n)
            if node.kind == "Threshold" and len(before) == 1 and self.flat.nodes[before[0]].kind in VALUES and self.flat.after(before[0]) == [n]:
                found[n] = before[0]
        return found

    def _signals(self) -> dict[str, Signal]:
        """What comes into each neuron and each Output, as sums over sources."""
        flat, out, into = self.flat, {}, {}
        for n in self.sources:
            out[n] = Signal.of(n, flat.size_out[n])
        for threshold, value in self.merged.items():
            out[threshold] = out[value]
        linear = [n for n in flat.nodes if n not in out and flat.nodes[n].kind != "Output"]
        for n in order(flat, linear):
            out[n] = self._through(n, total([out[m] for m in flat.before(n)], flat.size_in[n], n, flat))
        for n, node in flat.nodes.items():
            if n in self.neurons or node.kind == "Output":
                into[n] = total([out[m] for m in flat.before(n)], flat.size_in[n], n, flat)
        return into

    def _through(self, name: str, signal: Signal) -> Signal:
        """A signal behind a linear node."""
        node = self.flat.nodes[name]
        if node.kind == "Delay":
            delay = node.values.get("delay", np.zeros(0)).astype(np.float64).reshape(-1)
            if delay.size not in (1, signal.size) or not np.isfinite(delay).all() or delay.min() < 0:
                raise self.flat.error(name, f"needs one delay of 0 or more, or one for each of {signal.size} values")
            delay = np.broadcast_to(delay, (signal.size,))
            if not delay.any():
                return signal
            steps = delay / step_of(self.flat, name, self.options, self.metadata, self.notes)
            whole = np.rint(steps)
            if whole.max() > 63:
                raise self.flat.error(name, f"delays by {whole.max():.0f} timesteps; at most 63 are possible. Give a larger --dt.")
            if (abs(steps - whole) > 1e-3 * np.maximum(steps, 1)).any():
                self.notes.add("delays are rounded to whole timesteps", name)
            if signal.bias.any():
                self.notes.add("a bias before the delay acts from the first timestep on", name)
            return signal.delayed(whole.astype(np.int64), name, self.flat)
        return apply(self.flat, name, node, signal)

    def network(self, name: str) -> FloatNetwork:
        """Everything put together."""
        into = self._signals()
        outputs = self._outputs(into)
        populations = [n for n in self.sources if self.flat.nodes[n].kind == "Input"] + list(self.neurons)
        if len(populations) > MAX_POPULATIONS:
            raise NetworkError(f"{self.flat.where}: {len(populations)} populations; at most {MAX_POPULATIONS} are possible")
        targets = {n: into[n] for n in self.neurons}
        for n, signal in targets.items():
            for source, _, _ in signal.parts:
                if source in self.neurons and not self.neurons[source].fires:
                    raise self.flat.error(source, f"sends a value into {n[:60]!r}, and only spikes can travel. It may lead to an Output, or by one "
                                                  "edge to a Threshold.")
        late = back_edges(populations, [(s, n) for n, signal in targets.items() for s, d, _ in signal.parts if d == 0], self.neurons)
        for a, b in sorted(late):
            self.notes.add(f"the cycle's edge from {a[:60]} back to {b[:60]} arrives one timestep later")
        names = _names(populations)
        projections: list[FloatProjection] = []
        biases: dict[str, np.ndarray] = {}
        for n, signal in targets.items():
            into_n = scaled(signal, self.neurons[n].gain, n, self.flat)
            parts: dict[Key, np.ndarray] = {}
            for (source, delay, conv), weights in into_n.parts.items():
                key = source, max(delay, 1) if (source, n) in late else delay, conv
                weights = np.diag(weights) if weights.ndim == 1 else weights if conv is None else weights.reshape(conv.weights_shape)
                parts[key] = parts[key] + weights if key in parts else weights
            projections += [FloatProjection(source=names[s], target=names[n], weights=w, delay=d, conv=c)
                            for (s, d, c), w in sorted(parts.items(), key=lambda part: (*part[0][:2], repr(part[0][2])))]
            biases[n] = into_n.bias + self.neurons[n].leak
        done = [self._population(n, names[n], biases.get(n), outputs) for n in populations]
        return FloatNetwork(name=name, populations=tuple(_sorted(done, projections)), projections=tuple(projections), metadata={
            "nir": {"dt": self.options.dt, "decay_form": self.options.decay_form or "euler", "assumed": list(self.notes.lines)}})

    def _outputs(self, into: dict[str, Signal]) -> set[str]:
        """Populations that are read. Weights behind the last neurons become a population that holds their sum for one step."""
        found = set()
        for n in [n for n, node in self.flat.nodes.items() if node.kind == "Output"]:
            signal = into[n]
            keys = list(signal.parts)
            if len(keys) == 1 and keys[0][0] in self.neurons and signal.is_identity():
                found.add(keys[0][0])
                if keys[0][1]:
                    self.notes.add("the delay before the Output is left out", n)
                continue
            values = [s for s, _, _ in keys if s in self.neurons and not self.neurons[s].fires]
            if values:
                raise self.flat.error(values[0], f"sends a value that is changed before the Output {n[:60]!r}; only spikes can be weighted. Let an "
                                                 "edge lead from it to the Output.")
            self.notes.add("the Output is a weighted sum of spikes, so it is a population without memory, read as a value", n)
            size = self.flat.size_in[n]
            self.neurons[n] = Neuron(model=Model.LI, size=size, gain=np.ones(size), leak=np.zeros(size), v_init=0.0, beta=0.0)
            found.add(n)
        if not found:
            sends = {s for n, signal in into.items() for s, _, _ in signal.parts if s != n}
            found = {n for n in self.neurons if n not in sends} or set(list(self.neurons)[-1:])
            for n in sorted(found):
                self.notes.add("the graph has no Output node, so this is the output", n)
        for n in [n for n in self.neurons if not self.neurons[n].fires and n not in found]:
            self.notes.add("leads to no Output, and is read all the same, for it does not fire", n)
            found.add(n)
        wanted = None if self.options.readout is None else Readout(self.options.readout)
        for n in sorted(found):
            one = self.neurons[n]
            if one.fires and wanted not in (None, Readout.COUNT):
                if any(s == n for m, signal in into.items() if m in self.neurons for s, _, _ in signal.parts):
                    raise self.flat.error(n, f"cannot be read by its {wanted.value} v, for others take its spikes; use --readout count")
                self.neurons[n] = one = neuron(self.flat, n, replace(self.options, reset=Reset.NONE), self.metadata, self.notes,
                                               {v: t for t, v in self.merged.items()}.get(n, ""))
                one.silence()
                self.notes.add(f"does not fire, for it is read by its v (--readout {wanted.value})", n)
            elif not one.fires and wanted is Readout.COUNT:
                raise self.flat.error(n, "does not fire, so its spikes cannot be counted; use --readout last, sum or max")
        return found

    def _population(self, n: str, name: str, bias: np.ndarray | None, outputs: set[str]) -> FloatPopulation:
        if n not in self.neurons:
            said = self.flat.nodes[n].metadata
            ends = zip(("payload_min", "payload_max"), self.options.payload, strict=True)
            low, high = (v if isinstance(v := said.get(key), int) else value for key, value in ends)
            return FloatPopulation(name=name, size=self.flat.size_out[n], model=Model.INPUT, payload_min=low, payload_max=high)
        one = self.neurons[n]
        readout = Readout.NONE
        if n in outputs:
            memory = bool(np.any(np.asarray(one.beta)))
            readout = Readout.COUNT if one.fires else Readout.MAX if memory else Readout.SUM
            wish = self.flat.nodes[n].metadata.get("readout")
            if self.options.readout is not None:
                readout = Readout(self.options.readout)
            elif wish in (("none", "count", "first") if one.fires else ("last", "sum", "max")):
                readout = Readout(wish)
            else:
                self.notes.add("read by its spike count (--readout)" if one.fires else "read by its largest v (--readout last or sum)" if memory
                               else "read by the sum of its v (--readout last or max)", n)
        more: dict[str, Any] = {"alpha": one.alpha} if one.model in (Model.CUBALIF, Model.CUBALI) else {}
        return FloatPopulation(name=name, size=one.size, model=one.model, beta=one.beta, threshold=one.threshold, reset=one.reset, strict=one.strict,
                               bias=0.0 if bias is None else bias, v_init=one.v_init, readout=readout, output=n in outputs, **more)


def _names(nodes: list[str]) -> dict[str, str]:
    """Names of the contract (a letter, then letters, digits and underscores, at most 63), each once."""
    found: dict[str, str] = {}
    for node in nodes:
        name = re.sub(r"\W", "_", node, flags=re.ASCII)[:56]
        name = name if name[:1].isalpha() else f"n_{name}"
        unique, k = name, 2
        while unique in found.values():
            unique, k = f"{name}_{k}", k + 1
        found[node] = unique
    return found


def _sorted(populations: list[FloatPopulation], projections: list[FloatProjection]) -> list[FloatPopulation]:
    """Inputs first, then along the projections, and what is read last: the answer is that of the last."""
    rank = {p.name: 0 for p in populations}
    for _ in populations:  # longest way along delay 0, which has no cycle
        for q in projections:
            if q.delay == 0:
                rank[q.target] = max(rank[q.target], rank[q.source] + 1)
    return sorted(populations, key=lambda p: (p.model is not Model.INPUT, p.readout is not Readout.NONE, rank[p.name]))
