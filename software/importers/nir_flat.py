"""A NIR graph without its subgraphs, with the size of every node: what writers leave out is found here.

A node inside the graph ``a`` is called ``a.node``; the Inputs and Outputs of subgraphs become nodes that pass their signal on. Files of snnTorch,
Norse, Sinabs and others have shapes missing, one number for the parameter of all neurons, and edges twice: sizes travel along the edges from where
they are known (weights, arrays, shapes), and an edge counts once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from ...spec.convolution import Conv
from ...spec.errors import FileFormatError
from ...spec.network import MAX_NEURONS
from .nir_file import RawGraph, RawNode
from .nir_maps import MAPS, find_maps

__all__ = ["FlatGraph", "Notes", "flatten"]

NEURONS = ("LIF", "CubaLIF", "IF", "LI", "CubaLI", "I", "Threshold")
LINEAR = ("Affine", "Linear", "Scale", "Delay", "Flatten", "Pass")


class Notes:
    """What an import assumed: one text for all the nodes it holds for."""

    def __init__(self) -> None:
        self._nodes: dict[str, list[str]] = {}

    def add(self, text: str, node: str = "") -> None:
        """``node`` is ``""`` for what holds for the whole graph."""
        nodes = self._nodes.setdefault(text, [])
        if node and node not in nodes:
            nodes.append(node)

    @property
    def lines(self) -> tuple[str, ...]:
        """``assumed: lif1, lif2: ...``, in the order in which they came up."""
        found = []
        for text, nodes in self._nodes.items():
            who = ", ".join(n[:60] for n in nodes[:6]) + (f" and {len(nodes) - 6} more" if len(nodes) > 6 else "")
            found.append("assumed: " + (f"{who}: " if nodes else "") + text)
        return tuple(found[:200])


@dataclass
class FlatGraph:
    """Nodes in the file's order, edges without doubles, ``size_in`` and ``size_out`` per node, ``maps``: of each convolution and pool."""

    where: str
    nodes: dict[str, RawNode] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    size_in: dict[str, int] = field(default_factory=dict)
    size_out: dict[str, int] = field(default_factory=dict)
    maps: dict[str, Conv] = field(default_factory=dict)

    def before(self, name: str) -> list[str]:
        """Nodes with an edge to ``name``."""
        return self._before.get(name, [])

    def after(self, name: str) -> list[str]:
        """Nodes with an edge from ``name``."""
        return self._after.get(name, [])

    def index(self) -> None:
        """Must follow any change of ``edges``."""
        self._before: dict[str, list[str]] = {}
        self._after: dict[str, list[str]] = {}
        for a, b in self.edges:
            self._before.setdefault(b, []).append(a)
            self._after.setdefault(a, []).append(b)

    def error(self, name: str, text: str) -> FileFormatError:
        """An error that names the file, the node and its type."""
        return FileFormatError(f"{self.where}: node {name[:120]!r} ({self.nodes[name].kind[:40]}) {text}")


def flatten(graph: RawGraph, where: str, notes: Notes) -> FlatGraph:
    """The flat graph; FileFormatError for a node type that cannot be imported, an edge to nowhere, or sizes that do not fit."""
    flat = FlatGraph(where)
    edges = _collect(graph, "", flat)
    flat.edges = list(dict.fromkeys(edges))
    for edge in flat.edges:
        if (count := edges.count(edge) if len(edges) != len(flat.edges) else 1) > 1:
            notes.add(f"the edge {edge[0][:60]} -> {edge[1][:60]}, {count} times in the file, counts once")
    for name, node in flat.nodes.items():
        if node.kind not in (*NEURONS, *LINEAR, *MAPS, "Input", "Output"):
            raise flat.error(name, f"is of a type that is not known; known are {', '.join((*NEURONS, *LINEAR[:-1], *MAPS))}, Input, Output and "
                                   f"NIRGraph")
    flat.index()
    _add_ends(flat, notes)
    flat.maps = find_maps(flat)
    _find_sizes(flat)
    return flat


def _collect(graph: RawGraph, prefix: str, flat: FlatGraph) -> list[tuple[str, str]]:
    """Adds the nodes of a graph, and gives its edges, with those of its subgraphs."""
    edges: list[tuple[str, str]] = []
    first: dict[str, list[str]] = {}  # of a subgraph: where its edges enter, and where they leave
    last: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        full = prefix + name
        if isinstance(node, RawGraph):
            edges += _collect(node, f"{full}.", flat)
            ends = {a for a, _ in node.edges}, {b for _, b in node.edges}
            first[full] = [f"{full}.{n}" for n, k in node.nodes.items() if isinstance(k, RawNode) and k.kind == "Input"] or [
                f"{full}.{n}" for n in node.nodes if n not in ends[1]]
            last[full] = [f"{full}.{n}" for n, k in node.nodes.items() if isinstance(k, RawNode) and k.kind == "Output"] or [
                f"{full}.{n}" for n in node.nodes if n not in ends[0]]
            continue
        if full in flat.nodes:
            raise FileFormatError(f"{flat.where}: two nodes are called {full[:120]!r}, one of them inside a subgraph; rename one")
        flat.nodes[full] = RawNode("Pass", node.values, node.metadata) if prefix and node.kind in ("Input", "Output") else node

    def ends_of(name: str, at: dict[str, list[str]], what: str) -> list[str]:
        ends = [name]
        while any(n in at for n in ends):  # a subgraph may begin with a subgraph
            for n in ends:
                if n in at and len(at[n]) != 1:
                    raise FileFormatError(f"{flat.where}: subgraph {n[:120]!r} has {len(at[n])} {what}s, and an edge to it does not say which; "
                                          f"give it one {what} node, or name the inner node in the edge")
            ends = [m for n in ends for m in at.get(n, [n])]
        return ends

    for a, b in graph.edges:
        a, b = prefix + a, prefix + b
        (a,), (b,) = ends_of(a, last, "Output"), ends_of(b, first, "Input")
        for end in (a, b):
            if end not in flat.nodes:
                raise FileFormatError(f"{flat.where}: an edge leads {a[:60]!r} -> {b[:60]!r}, and there is no node {end[:60]!r}; "
                                      "remove the edge or add the node")
        edges.append((a, b))
    return edges


def _add_ends(flat: FlatGraph, notes: Notes) -> None:
    """An Input before nodes that nothing leads to, where the graph has none; an Output after those that lead nowhere."""
    kinds = {node.kind for node in flat.nodes.values()}
    roots = [n for n, node in flat.nodes.items() if not flat.before(n) and node.kind != "Input"]
    if "Input" in kinds:
        if roots:
            raise flat.error(roots[0], "has no edge that leads to it; connect it to an Input, or remove it")
    else:
        for name in roots or list(flat.nodes)[:1]:
            flat.nodes[f"input_{name}"] = RawNode("Input", {})
            flat.edges.append((f"input_{name}", name))
            notes.add("the graph has no Input node, so one is put before what nothing leads to", name)
    if "Output" not in kinds:
        for name in [n for n, node in flat.nodes.items() if not flat.after(n) and node.kind != "Input"]:
            flat.nodes[f"output_{name}"] = RawNode("Output", {})
            flat.edges.append((name, f"output_{name}"))
            notes.add("the graph has no Output node, so what leads nowhere is the output", name)
    flat.index()


def _find_sizes(flat: FlatGraph) -> None:
    """Sizes from weights, arrays and shapes, carried along the edges until nothing is new."""
    weak: dict[str, int] = {}  # arrays of one entry: one neuron, or one number for all
    work: list[str] = []

    def know(name: str, size: int, out: bool) -> None:
        sizes = flat.size_out if out else flat.size_in
        if not 1 <= size <= MAX_NEURONS:
            raise flat.error(name, f"has {size} values; 1 to {MAX_NEURONS} are possible")
        if name in sizes and sizes[name] != size:
            raise flat.error(name, f"{'gives' if out else 'takes'} {sizes[name]} values, and its neighbours or other parameters "
                                   f"{'take' if out else 'give'} {size}: their shapes do not fit")
        if name not in sizes:
            sizes[name] = size
            work.append(name)

    for name, node in flat.nodes.items():
        if node.kind in ("Affine", "Linear"):
            weight = node.values.get("weight")
            if weight is None or weight.ndim != 2:
                has = "none" if weight is None else f"one of shape {list(weight.shape)}"
                raise flat.error(name, f"needs a weight matrix [outputs, inputs], and has {has}")
            know(name, weight.shape[0], True)
            know(name, weight.shape[1], False)
            continue
        if node.kind in MAPS:
            know(name, flat.maps[name].source_size, False)
            know(name, flat.maps[name].target_size, True)
            continue
        shape = node.values.get("shape")
        if node.kind in ("Input", "Output", "Pass", "Flatten"):
            dims = [] if shape is None or shape.dtype.kind not in "iuf" or not np.isfinite(shape).all() else [int(n) for n in shape.reshape(-1)]
            if dims and min(dims) > 0:
                know(name, math.prod(dims), False)
            continue
        sizes = {v.size for v in node.values.values() if v.ndim}
        for size in sorted(sizes - {1}):
            know(name, size, False)
        if sizes == {1}:
            weak[name] = 1
    while True:
        while work:
            name = work.pop()
            if flat.nodes[name].kind not in ("Affine", "Linear", *MAPS):
                _same(flat, name, know)
            for other in flat.after(name) if name in flat.size_out else ():
                know(other, flat.size_out[name], False)
            for other in flat.before(name) if name in flat.size_in else ():
                know(other, flat.size_in[name], True)
        name = next((n for n in weak if n not in flat.size_in), "")
        if not name:
            break
        know(name, 1, False)
    for name in flat.nodes:
        if name not in flat.size_in:
            raise flat.error(name, "has a size that nothing in the file says; give the Input a shape, or the neurons arrays instead of numbers")


def _same(flat: FlatGraph, name: str, know) -> None:
    """A node that works element by element has one size."""
    sizes: Iterable[int] = [s[name] for s in (flat.size_in, flat.size_out) if name in s]
    for size in sizes:
        know(name, size, True)
        know(name, size, False)
