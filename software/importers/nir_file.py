"""A NIR graph as plain dictionaries: from its HDF5 file by h5py, or from a graph of the nir package.

The file's layout (nir 0.1 to 1.0): ``/version``, and ``/node``, a group with ``type``, and of a graph ``nodes`` (a group per node) and ``edges``
(``[n, 2]`` names). It is read here and not by nir.read, which refuses what older writers left out (shapes, edges to types it cannot infer,
duplicate edges) and unpacks anything of any size. Files are not trusted: only groups and datasets of this file are followed (no links to other
files, no virtual or external data, no filter plugins), and numbers, names, depth and bytes are bounded before they are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import FileFormatError, ToolError
from ..arrays import MAX_BYTES

__all__ = ["RawGraph", "RawNode", "raw_graph", "read_raw"]

MAX_NODES, MAX_EDGES, MAX_DEPTH, MAX_FIELDS, MAX_NAME = 4096, 1 << 14, 8, 64, 200
SHAPED = {"Input": "input", "Flatten": "input", "Output": "output"}  # nodes with a shape, and the name of the type that also holds it
_FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, checksum, lzf: inside h5py; others would load a plugin
_ROWS = 16  # edges per read: names of any length may share one place of the file


@dataclass(frozen=True)
class RawNode:
    """A node as it was written: its type's name, its arrays by name, and what its metadata say."""

    kind: str
    values: dict[str, np.ndarray]
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RawGraph:
    """A graph as it was written; a node may be a graph."""

    nodes: dict[str, RawNode | RawGraph]
    edges: list[tuple[str, str]]
    metadata: dict[str, Any] = field(default_factory=dict)


def read_raw(path: Path) -> RawGraph:
    """The graph of a file. FileFormatError for one that is damaged, too large or no NIR graph, ToolError where h5py is not installed."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    if start != b"\x89HDF\r\n\x1a\n":
        raise FileFormatError(f"{path}: not a NIR graph: it starts with the bytes {start!r}, and a NIR graph is an HDF5 file")
    try:
        import h5py
    except ImportError as error:
        raise ToolError(f"{path}: h5py is needed to read a NIR graph and is not installed. Install the extra 'nir' "
                        "(pip install 'spikeloom[nir]')") from error
    try:
        with h5py.File(path, "r") as file:
            reader = _Reader(path, h5py)
            root = reader.child(file, "node", "the file")
            graph = reader.node(root, "the graph", 0)
    except FileFormatError:
        raise
    except Exception as error:  # h5py raises OSError, KeyError, RuntimeError, ValueError and others for damaged files
        text = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise FileFormatError(f"{path}: damaged or truncated: {text}") from error
    if not isinstance(graph, RawGraph):
        raise FileFormatError(f"{path}: it holds one node ({graph.kind}), not a graph; write a NIRGraph with an Input and an Output")
    return graph


class _Reader:
    """Reads groups of one file and counts what it has read."""

    def __init__(self, path: Path, h5py: Any) -> None:
        self.path, self.h5py, self.nodes, self.bytes = path, h5py, 0, 0

    def child(self, group: Any, name: str, where: str, kind: str = "group") -> Any:
        """A group or dataset in a group, of this file."""
        if name not in group:
            raise FileFormatError(f"{self.path}: no NIR graph: {where} has no {kind} {name[:40]!r}")
        if not isinstance(group.get(name, getlink=True), self.h5py.HardLink):
            raise FileFormatError(f"{self.path}: {where}: {name[:60]!r} is a link to another place or file; only plain HDF5 files are read")
        found = group[name]
        if not isinstance(found, self.h5py.Group if kind == "group" else self.h5py.Dataset):
            raise FileFormatError(f"{self.path}: {where}: {name[:60]!r} must be a {kind}")
        return found

    def names(self, group: Any, where: str, most: int) -> list[str]:
        """Names in a group, not more and not longer than bearable."""
        if len(group) > most:
            raise FileFormatError(f"{self.path}: {where} has {len(group)} entries; at most {most} are read")
        names = list(group)
        for name in names:
            if len(name) > MAX_NAME:
                raise FileFormatError(f"{self.path}: {where}: the name {name[:40]!r}... has {len(name)} characters; at most {MAX_NAME} are read")
        return names

    def node(self, group: Any, where: str, depth: int) -> RawNode | RawGraph:
        """A node, or a graph with its nodes."""
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise FileFormatError(f"{self.path}: more than {MAX_NODES} nodes, or graphs nested more than {MAX_DEPTH} deep")
        kind = self.text(self.child(group, "type", where, "dataset"), f"{where}: type")
        metadata = self.metadata(group, where)
        if kind == "NIRGraph":
            inner = self.child(group, "nodes", where)
            nodes = {name: self.node(self.child(inner, name, where), f"node {name!r}", depth + 1) for name in self.names(inner, where, MAX_NODES)}
            return RawGraph(nodes, self.edges(self.child(group, "edges", where, "dataset"), where), metadata)
        fields = [name for name in self.names(group, where, MAX_FIELDS) if name not in ("type", "metadata", "input_type", "output_type")]
        values = {name: self.array(self.child(group, name, where, "dataset"), f"{where}: {name}") for name in fields}
        if kind in ("Conv1d", "Conv2d") and "padding" in values and not values["padding"].size:  # a text: same or valid
            values["padding"] = np.array(self.text(group["padding"], f"{where}: padding"))
        if kind in SHAPED and "shape" not in values and f"{SHAPED[kind]}_type" in group:
            data = group[f"{SHAPED[kind]}_type"] if isinstance(group.get(f"{SHAPED[kind]}_type", getlink=True), self.h5py.HardLink) else None
            if isinstance(data, self.h5py.Group) and SHAPED[kind] in data:
                data = self.child(data, SHAPED[kind], where, "dataset")
            if isinstance(data, self.h5py.Dataset) and data.shape is not None:
                values["shape"] = self.array(data, f"{where}: shape")
        return RawNode(kind, values, metadata)

    def metadata(self, group: Any, where: str) -> dict[str, Any]:
        """Texts and numbers of a node's metadata; other things are passed over, for they are the writer's own."""
        found: dict[str, Any] = {}
        if "metadata" in group and isinstance(group.get("metadata", getlink=True), self.h5py.HardLink):
            inner = group["metadata"]
            if isinstance(inner, self.h5py.Group):
                for name in self.names(inner, f"{where}: metadata", MAX_FIELDS):
                    item = inner[name] if isinstance(inner.get(name, getlink=True), self.h5py.HardLink) else None
                    if isinstance(item, self.h5py.Dataset) and item.size == 1 and item.dtype.kind in "iufbSO":
                        text = self.h5py.check_string_dtype(item.dtype) is not None
                        found[name] = self.text(item, f"{where}: metadata") if text else self.array(item, where).reshape(-1)[0].item()
        return found

    def check(self, data: Any, where: str) -> None:
        """That a dataset lies in this file, is read without a plugin, and is small enough."""
        plist = data.id.get_create_plist()
        if data.is_virtual or plist.get_external_count() or any(plist.get_filter(k)[0] not in _FILTERS for k in range(plist.get_nfilters())):
            raise FileFormatError(f"{self.path}: {where} is stored in another file or by an unusual filter; write it with nir.write")
        if data.shape is None:
            raise FileFormatError(f"{self.path}: {where} is empty")
        self.bytes += data.size * data.dtype.itemsize
        if self.bytes > MAX_BYTES:
            raise FileFormatError(f"{self.path}: its arrays unpack to more than {MAX_BYTES} bytes, which is all that is read. Split the network.")

    def array(self, data: Any, where: str) -> np.ndarray:
        """A dataset of numbers. Text, which older files have here and there, becomes an empty array."""
        self.check(data, where)
        if self.h5py.check_string_dtype(data.dtype) is not None:
            return np.zeros(0)
        if data.dtype.kind not in "iufb":
            raise FileFormatError(f"{self.path}: {where} must be numbers, not {data.dtype}")
        return np.asarray(data[()])

    def text(self, data: Any, where: str) -> str:
        """A dataset that is one text."""
        self.check(data, where)
        value = data[()] if data.size == 1 else None
        value = value.reshape(-1)[0] if isinstance(value, np.ndarray) else value
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str) or len(value) > MAX_NAME:
            raise FileFormatError(f"{self.path}: {where} must be one text of at most {MAX_NAME} characters")
        return value

    def edges(self, data: Any, where: str) -> list[tuple[str, str]]:
        """Pairs of names."""
        self.check(data, where)
        if data.size == 0:
            return []
        if data.ndim != 2 or data.shape[1] != 2 or self.h5py.check_string_dtype(data.dtype) is None or data.shape[0] > MAX_EDGES:
            raise FileFormatError(f"{self.path}: {where}: edges must be at most {MAX_EDGES} pairs of names, not {data.dtype} of shape "
                                  f"{list(data.shape)}")
        found: list[tuple[str, str]] = []
        for k in range(0, data.shape[0], _ROWS):
            for pair in data[k:k + _ROWS]:
                a, b = (x.decode("utf-8", "replace") if isinstance(x, bytes) else str(x) for x in pair)
                if max(len(a), len(b)) > MAX_NAME * (MAX_DEPTH + 1):
                    raise FileFormatError(f"{self.path}: {where}: an edge has a name of more than {MAX_NAME} characters")
                found.append((a, b))
        return found


def raw_graph(graph: Any, depth: int = 0) -> RawGraph:
    """The same from a ``nir.NIRGraph`` in memory; types that its nodes lack are not needed."""
    nodes: dict[str, RawNode | RawGraph] = {}
    for name, node in graph.nodes.items():
        if hasattr(node, "nodes"):
            if depth >= MAX_DEPTH:
                raise FileFormatError(f"NIR graph: graphs nested more than {MAX_DEPTH} deep")
            nodes[str(name)] = raw_graph(node, depth + 1)
            continue
        values = {k: v for k, v in vars(node).items() if k not in ("metadata", "input_type", "output_type") and v is not None}
        types = getattr(node, f"{SHAPED[kind]}_type", None) if (kind := type(node).__name__) in SHAPED else None
        if types and all(v is not None for v in types.values()):
            values["shape"] = next(iter(types.values()))
        arrays = {k: np.asarray(v) for k, v in values.items()}
        for k, v in arrays.items():
            if v.dtype.kind not in "iufbUS":
                raise FileFormatError(f"NIR graph: node {str(name)[:60]!r}: {k} must be numbers, not {v.dtype}")
        nodes[str(name)] = RawNode(type(node).__name__, arrays, _plain(node.metadata))
    return RawGraph(nodes, [(str(a), str(b)) for a, b in graph.edges], _plain(graph.metadata))


def _plain(metadata: Any) -> dict[str, Any]:
    """Texts and numbers of a node's metadata."""
    if not isinstance(metadata, dict):
        return {}
    found = {str(k): v.item() if isinstance(v, np.generic | np.ndarray) and v.size == 1 else v for k, v in metadata.items()}
    return {k: v for k, v in found.items() if isinstance(v, str | int | float)}
