"""Reads a NIR file in a process of its own: HDF5's C library can crash, hang or grow on a damaged file, and then only that process ends.

The child answers on its standard output with an .npz: ``graph``, JSON that refers to the arrays by number, and the arrays. Nothing is unpickled.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import FileFormatError, SpikeLoomError, ToolError
from .nir_file import RawGraph, RawNode, read_raw

__all__ = ["read_apart"]

TIME_S, MEMORY_BYTES = 120, 8 << 30  # far more than the largest file that is read takes
_CHILD = "import sys; sys.path[:] = sys.argv[2].split('\\n'); from {name} import answer; answer(sys.argv[1])"


def read_apart(path: Path) -> RawGraph:
    """As :func:`~.nir_file.read_raw`; a file with which the reader crashes, hangs or runs out of memory is damaged, too."""
    paths = "\n".join(sys.path)  # the package need not be installed
    code = _CHILD.format(name=__name__)
    try:
        done = subprocess.run([sys.executable, "-X", "faulthandler=0", "-c", code, str(path), paths], capture_output=True, timeout=TIME_S,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise FileFormatError(f"{path}: damaged: it was not read within {TIME_S} s") from None
    if done.returncode < 0:
        raise FileFormatError(f"{path}: damaged: HDF5's library ended with {signal.Signals(-done.returncode).name} while it was read")
    try:
        with np.load(io.BytesIO(done.stdout), allow_pickle=False) as arrays:
            told = json.loads(arrays["graph"].tobytes())
            if "error" in told:
                raise (ToolError if told["error"] == "ToolError" else FileFormatError)(told["text"])
            graph = _decode(told["graph"], arrays)
    except SpikeLoomError:
        raise
    except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
        raise FileFormatError(f"{path}: damaged: its reader ended with status {done.returncode}: "
                              f"{done.stderr[-200:].decode(errors='replace')}") from error
    assert isinstance(graph, RawGraph)
    return graph


def answer(path: str) -> None:
    """The child: reads within bounds and writes the answer."""
    try:
        import resource

        for what, most in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
            hard = resource.getrlimit(what)[1]
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    except ImportError:  # not a POSIX system: the time is bounded all the same
        pass
    arrays: dict[str, Any] = {}
    try:
        told: dict[str, Any] = {"graph": _encode(read_raw(Path(path)), arrays)}
    except SpikeLoomError as error:
        told = {"error": type(error).__name__, "text": str(error)}
    except (MemoryError, RecursionError) as error:
        told = {"error": "FileFormatError", "text": f"{path}: damaged: {type(error).__name__} while it was read"}
    buffer = io.BytesIO()
    np.savez(buffer, graph=np.frombuffer(json.dumps(told).encode(), dtype=np.uint8), **arrays)
    sys.stdout.buffer.write(buffer.getvalue())
    sys.stdout.buffer.flush()
    os._exit(0)  # without HDF5's clean-up, which a damaged file can crash, too


def _encode(item: RawGraph | RawNode, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if isinstance(item, RawGraph):
        return {"nodes": {name: _encode(node, arrays) for name, node in item.nodes.items()}, "edges": item.edges, "metadata": item.metadata}
    places = {}
    for name, value in item.values.items():
        places[name] = f"a{len(arrays)}"
        arrays[places[name]] = value
    return {"kind": item.kind, "values": places, "metadata": item.metadata}


def _decode(told: dict[str, Any], arrays: Any) -> RawGraph | RawNode:
    if "nodes" in told:
        return RawGraph({name: _decode(node, arrays) for name, node in told["nodes"].items()}, [(a, b) for a, b in told["edges"]], told["metadata"])
    return RawNode(told["kind"], {name: arrays[place] for name, place in told["values"].items()}, told["metadata"])
