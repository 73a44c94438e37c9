"""A NIR file is read in a process of its own, and whatever ends that process is an error that names the file."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from spikeloom.software.importers import nir_apart
from spikeloom.software.importers.nir_apart import _decode, _encode, read_apart
from spikeloom.software.importers.nir_file import RawGraph, RawNode, read_raw
from spikeloom.spec.errors import FileFormatError, ToolError


@pytest.fixture
def graph(tmp_path):
    nir = pytest.importorskip("nir")
    path = tmp_path / "g.nir"
    nir.write(path, nir.NIRGraph.from_list(nir.Input(np.array([2])), nir.Affine(np.ones((3, 2)), np.arange(3.0)), nir.Output(np.array([3]))))
    return path


def test_it_is_what_is_read_here(graph):
    def plain(item):
        return {k: plain(v) for k, v in item.nodes.items()} | {"edges": item.edges} if isinstance(item, RawGraph) else \
            (item.kind, {k: (v.dtype, v.tolist()) for k, v in item.values.items()}, item.metadata)

    assert plain(read_apart(graph)) == plain(read_raw(graph))


def test_arrays_and_nested_graphs_go_there_and_back():
    arrays: dict[str, np.ndarray] = {}
    raw = RawGraph({"a": RawNode("LIF", {"tau": np.ones(2)}, {"x": 1.5}), "g": RawGraph({}, [("p", "q")], {})}, [("a", "g")], {"m": "t"})
    back = _decode(_encode(raw, arrays), arrays)
    assert back.nodes["a"].values["tau"].tolist() == [1, 1] and back.nodes["a"].metadata == {"x": 1.5} and back.nodes["g"].edges == [("p", "q")]


@pytest.mark.parametrize("code, text", [
    (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "HDF5's library ended with SIGSEGV while it was read"),
    ("raise SystemExit(3)", "its reader ended with status 3"), ("print('nonsense')", "its reader ended with status 0"),
    ("import time; time.sleep(60)", "it was not read within 1 s"),
])
def test_a_reader_that_ends_otherwise_is_an_error_of_the_file(code, text, tmp_path, monkeypatch):
    monkeypatch.setattr(nir_apart, "_CHILD", code)
    monkeypatch.setattr(nir_apart, "TIME_S", 1 if "sleep" in code else 60)
    with pytest.raises(FileFormatError, match=f"broken.nir: damaged: {text}"):
        read_apart(tmp_path / "broken.nir")


def test_memory_is_bounded(graph, monkeypatch):
    monkeypatch.setattr(nir_apart, "_CHILD", "import sys; sys.path[:] = sys.argv[2].split('\\n'); import {name} as n, numpy as np; "
                        "n.MEMORY_BYTES = 1 << 30; n.read_raw = lambda path: np.ones(1 << 28); n.answer(sys.argv[1])")
    with pytest.raises(FileFormatError, match="damaged: _?(Array)?MemoryError while it was read"):
        read_apart(graph)


def test_errors_of_the_reader_come_through(tmp_path):
    (tmp_path / "x.nir").write_bytes(b"no HDF5 at all")
    with pytest.raises(FileFormatError, match="not a NIR graph: it starts with"):
        read_apart(tmp_path / "x.nir")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_apart(tmp_path / "absent.nir")


def test_a_missing_library_is_a_missing_tool(graph, monkeypatch):
    monkeypatch.setattr(nir_apart, "_CHILD", "import sys; sys.path[:] = sys.argv[2].split('\\n'); sys.modules['h5py'] = None; "
                        "from {name} import answer; answer(sys.argv[1])")
    with pytest.raises(ToolError, match="h5py is needed"):
        read_apart(graph)


def test_no_bytes_of_a_damaged_file_end_this_process(graph):
    data = bytearray(graph.read_bytes())
    rng = np.random.default_rng(1)
    before = os.getpid()
    for _ in range(12):
        broken = bytearray(data)
        for place in rng.integers(8, len(data), 30):
            broken[place] = rng.integers(256)
        graph.write_bytes(broken)
        try:
            read_apart(graph)
        except FileFormatError as error:
            assert "g.nir" in str(error)
    assert os.getpid() == before
