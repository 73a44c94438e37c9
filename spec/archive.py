"""Networks in files: one ``.npz`` without pickle, the same bytes for the same network.

The archive is a plain zip of ``.npy`` members: ``header`` (the JSON text as bytes), ``population_<i>_theta`` and
``population_<i>_bias`` (``[size], int64``), further parameters of each neuron where a population has them, and
``projection_<j>_weights`` (``[target, source], int8``, of a convolution four-dimensional; once for projections that share a matrix), so
``numpy.load`` opens it too.

Format version 2 has the fields that version 1 has not, version 3 convolutions, version 4 activations and currents that are held; a
network is written as the lowest version that has what it needs.

A file is not trusted: sizes are checked in the directory of the zip before anything is unpacked, unpacking stops at the size that
was announced, and every array must have the type and shape that the header calls for.
"""

from __future__ import annotations

import enum
import io
import json
import math
import os
import zipfile
import zlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .arithmetic import Decay, Rounding
from .convolution import Conv
from .errors import FileFormatError, NetworkError
from .network import MAX_NEURONS, MAX_POPULATIONS, MAX_SYNAPSES, Network, Population, Projection
from .neuron import Gain, Kind, Model, Port, Readout, Refractory, Reset

__all__ = ["FORMAT", "FORMAT_VERSION", "load_network", "network_bytes", "save_network"]

FORMAT = "spikeloom-network"
FORMAT_VERSION = 4
_MAX_HEADER = 1 << 24
_MAX_PROJECTIONS = 1 << 12
_MAX_MEMBERS = 1 + 9 * MAX_POPULATIONS + _MAX_PROJECTIONS
_MAX_FILE = MAX_SYNAPSES + (1 << 28)  # weights, and room for the parameters of every neuron
_MAX_DIRECTORY = 200 * _MAX_MEMBERS  # bytes; our entries take about 80
_NPY_OVERHEAD = 1 << 10
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: no clock in the bytes
_ENUMS: dict[str, type[enum.Enum]] = {"model": Model, "rounding": Rounding, "reset": Reset, "readout": Readout, "gain": Gain,
                                      "refractory_mode": Refractory, "port": Port, "kind": Kind}
# Fields of a header, and their types; those of the second table may be left out, and say version 2 where they are not.
_POPULATION: dict[str, type] = {
    "name": str, "size": int, "model": str, "payload_min": int, "payload_max": int, "decay": dict, "rounding": str, "reset": str,
    "v_bits": int, "guard_bits": int, "readout": str, "output": bool, "labels": list}
_POPULATION_2: dict[str, type] = {
    "v_init": int, "current_decay": dict, "i_bits": int, "gain": str, "gate_shift": int, "adaptation_decay": dict, "a_bits": int,
    "max_spikes": int, "refractory": int, "refractory_mode": str, "inhibition": int, "v_floor": int, "arrays": list}
_POPULATION_4: dict[str, type] = {"held": bool}
_PROJECTION: dict[str, type] = {"source": str, "target": str, "weight_bits": int, "delay": int, "shift": int}
_PROJECTION_2: dict[str, type] = {"port": str, "codebook": list, "kind": str, "matrix": str}
_PROJECTION_3: dict[str, type] = {"conv": dict}
_CONV: dict[str, type] = {"shape": list, "out_channels": int, "kernel": list}
_CONV_OPTIONAL: dict[str, type] = {"stride": list, "padding": list, "dilation": list, "groups": int, "pool": list}
_ARRAYS = ("alpha", "beta", "classes", "gate_bias", "gate_table", "jump", "v_init")
_MAX_GATE_TABLE = 1 << 12  # entries

def network_bytes(network: Network) -> bytes:
    """The file of a network, deterministic."""
    populations, projections = [p.header() for p in network.populations], [p.header() for p in network.projections]
    # v_init is a field of version 1 as well, where all neurons share it.
    later = [set(p) & set(_POPULATION_2) - {"v_init"} for p in populations] + [set(p) & set(_PROJECTION_2) for p in projections]
    hybrid = any(set(p) & set(_POPULATION_4) or p["model"] == Model.RELU.value for p in populations)
    version = 4 if hybrid else 3 if any(set(p) & set(_PROJECTION_3) for p in projections) else 2 if any(later) else 1
    header = {"format": FORMAT, "format_version": version, "name": network.name, "metadata": dict(network.metadata),
              "populations": populations, "projections": projections}
    members = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)}
    for i, population in enumerate(network.populations):
        members[f"population_{i}_theta"] = np.asarray(population.theta, dtype="<i8")
        members[f"population_{i}_bias"] = np.asarray(population.bias, dtype="<i8")
        for name, array in sorted(population.arrays.items()):
            members[f"population_{i}_{name}"] = np.asarray(array, dtype="<i8")
    shared: set[str] = set()
    for j, projection in enumerate(network.projections):
        if not projection.matrix or projection.matrix not in shared:
            members[f"projection_{j}_weights"] = projection.weights
        shared.add(projection.matrix)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _DATE)
            entry.create_system = 3  # zipfile writes the host's system here otherwise
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_STORED)
    return file.getvalue()


def save_network(network: Network, path: str | os.PathLike) -> None:
    """Write a network, whole or not at all (through a temporary name beside it). Raises FileFormatError if that is impossible."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(network_bytes(network))
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileFormatError(f"{path}: cannot be written: {error.strerror or error}") from error


def load_network(path: str | os.PathLike) -> Network:
    """Read a network.

    Raises FileFormatError, naming the file and what is wrong with it, for a file that cannot be read, is no such archive, is
    damaged or too large; NetworkError if it is well formed but breaks a rule of the contract.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > _MAX_FILE:
                raise FileFormatError(f"{path}: {size} bytes; a network file has at most {_MAX_FILE}")
            start = file.read(4)
            if start[:2] != b"PK":
                raise FileFormatError(f"{path}: not a network file: a .npz (zip) starts with the bytes 'PK', this one with "
                                      f"{start!r}; make one with `spikeloom quantize`")
            file.seek(0)
            return _Reader(str(path), file).network()
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from error


class _Reader:
    """One open archive; every method raises FileFormatError with the name of the file in it."""

    def __init__(self, path: str, file) -> None:
        self._path = path
        self._check_directory(file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError, IndexError, UnicodeError) as error:
            raise self._error(f"damaged or truncated: its zip directory cannot be read ({error})") from error
        entries = self._zip.infolist()
        if len(entries) > _MAX_MEMBERS:
            raise self._error(f"{len(entries)} members; a network file has at most {_MAX_MEMBERS}")
        self._entries = {entry.filename: entry for entry in entries}
        self._matrices: dict[str, np.ndarray] = {}
        if len(self._entries) != len(entries):
            raise self._error("a member occurs twice")
        total = sum(entry.file_size for entry in entries)
        if total > _MAX_FILE:
            raise self._error(f"its members unpack to {total} bytes; at most {_MAX_FILE} are allowed")

    def _check_directory(self, file) -> None:
        """Refuse a directory too large to be ours: zipfile would make an object of each of its entries before we could count them.

        The end record is looked for where zipfile looks: the last 22 bytes, or else the last one before a comment.
        """
        file.seek(max(0, file.seek(0, os.SEEK_END) - (1 << 16) - 22))
        tail = file.read()
        at = len(tail) - 22
        if at < 0 or tail[at : at + 4] != b"PK\x05\x06" or tail[-2:] != b"\0\0":
            at = tail.rfind(b"PK\x05\x06")
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        if at >= 0 and (size > _MAX_DIRECTORY or tail[max(0, at - 20) : at].startswith(b"PK\x06\x07")):
            raise self._error(f"its zip directory has {size} bytes or is in the format for archives beyond 4 GiB; "
                              f"that of a network file has at most {_MAX_DIRECTORY} bytes")
        file.seek(0)

    def network(self) -> Network:
        """The network in the archive; members that it does not call for are refused."""
        header = self._header()
        populations = [self._population(i, record) for i, record in enumerate(header["populations"])]
        sizes = {p.name: p.size for p in populations}
        projections = [self._projection(j, record, sizes) for j, record in enumerate(header["projections"])]
        if self._entries:
            raise self._error(f"unknown member {min(self._entries)[:60]!r}; a network file has a header, theta, bias and weights")
        return Network(name=header["name"], populations=tuple(populations), projections=tuple(projections),
                       metadata=header["metadata"])

    def _error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self._path}: {text}")

    def _header(self) -> dict:
        if "header.npy" not in self._entries:
            some = ", ".join(repr(n[:40]) for n in list(self._entries)[:3]) or "nothing"
            raise self._error(f"not a network file: it has no member 'header.npy' (it holds {some}); "
                              "make one with `spikeloom quantize`")
        text = self._array("header", np.uint8, None, _MAX_HEADER).tobytes()
        try:
            header = json.loads(text.decode(), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise self._error(f"its header is not JSON text ({error})") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise self._error(f"its header is not that of a network (format {FORMAT!r})")
        version = header.get("format_version")
        if version not in range(1, FORMAT_VERSION + 1) or isinstance(version, bool):
            raise self._error(f"format version {version!r}; this SpikeLoom reads versions 1 to {FORMAT_VERSION}: "
                              "use the release that wrote it")
        known = {"format": str, "format_version": int, "name": str, "metadata": dict, "populations": list, "projections": list}
        self._fields("header", header, known)
        for what, limit in (("populations", MAX_POPULATIONS), ("projections", _MAX_PROJECTIONS)):
            if len(header[what]) > limit:
                raise self._error(f"{len(header[what])} {what}; at most {limit} are possible")
        return header

    def _fields(self, where: str, record: Any, known: dict[str, type], optional: dict[str, type] | None = None) -> None:
        """Exactly the known fields, and any of the optional ones, each of its type (a bool is no int)."""
        if not isinstance(record, dict):
            raise self._error(f"{where}: a JSON object is needed, not {type(record).__name__}")
        optional = optional or {}
        for problem, names in (("unknown", set(record) - set(known) - set(optional)), ("missing", set(known) - set(record))):
            if names:
                raise self._error(f"{where}: {problem} field {sorted(names)[0][:60]!r}")
        for name, kind in {**known, **optional}.items():
            if name in record and type(record[name]) is not kind:
                raise self._error(f"{where}: field {name!r} must be {kind.__name__}, not {type(record[name]).__name__}")

    def _enumerations(self, where: str, values: dict) -> None:
        """Replace the names of members of enumerations by the members."""
        for name, kind in _ENUMS.items():
            try:
                if name in values:
                    values[name] = kind(values[name])
            except ValueError:
                known = ", ".join(str(m.value) for m in kind)
                raise self._error(f"{where}: {name} {values[name][:60]!r} is unknown; known are {known}") from None

    def _population(self, i: int, record: Any) -> Population:
        where = f"population {i}"
        self._fields(where, record, _POPULATION, {**_POPULATION_2, **_POPULATION_4})
        values = dict(record)
        self._enumerations(where, values)
        for name in ("decay", "current_decay", "adaptation_decay"):
            if name in values:
                decay = values[name]
                kinds = {f.name: int if decay.get(f.name) is not None else type(None) for f in fields(Decay)}
                self._fields(f"{where}: {name}", decay, kinds)
                try:
                    values[name] = Decay(**decay)
                except NetworkError as error:
                    raise NetworkError(f"Population {values['name']!r}: {name}: {error}") from None
        if not all(type(label) is str for label in values["labels"]):
            raise self._error(f"{where}: labels must be text")
        values["labels"] = tuple(values["labels"])
        if not 1 <= values["size"] <= MAX_NEURONS:
            raise self._error(f"{where}: size must be 1 to {MAX_NEURONS}, not {values['size']}")
        arrays = values.pop("arrays", [])
        if not all(type(name) is str for name in arrays) or len(set(arrays)) != len(arrays) or set(arrays) - set(_ARRAYS):
            raise self._error(f"{where}: its arrays are {str(arrays)[:100]}; known are {', '.join(_ARRAYS)}, each once")
        if ("v_init" in arrays) == ("v_init" in values):
            raise self._error(f"{where}: v_init must be one integer or an array, not {'both' if 'v_init' in arrays else 'neither'}")
        for name in ("theta", "bias", *arrays):
            if name == "gate_table":
                values[name] = self._array(f"population_{i}_{name}", np.int64, None, 8 * _MAX_GATE_TABLE)
            else:
                values[name] = self._array(f"population_{i}_{name}", np.int64, (values["size"],))
        return Population(**values)

    def _projection(self, j: int, record: Any, sizes: dict[str, int]) -> Projection:
        where = f"projection {j}"
        self._fields(where, record, _PROJECTION, _PROJECTION_2 | _PROJECTION_3)
        for end in ("source", "target"):
            if record[end] not in sizes:
                raise self._error(f"{where}: its {end} {record[end][:63]!r} is no population of this network")
        values = dict(record)
        self._enumerations(where, values)
        if "codebook" in values:
            if not all(type(entry) is int and -128 <= entry <= 127 for entry in values["codebook"]):
                raise self._error(f"{where}: a codebook holds integers of 8 bits")
            values["codebook"] = tuple(values["codebook"])
        shape: tuple[int, ...] = (sizes[record["target"]], sizes[record["source"]])
        if "conv" in values:
            self._fields(f"{where}: conv", values["conv"], _CONV, _CONV_OPTIONAL)
            try:
                values["conv"] = Conv(**values["conv"])
            except NetworkError as error:
                raise NetworkError(f"Projection {values['source']} -> {values['target']}: conv: {error}") from None
            shape = values["conv"].weights_shape
            if math.prod(shape) > MAX_SYNAPSES:
                raise self._error(f"{where}: weights of shape {list(shape)} are more than the {MAX_SYNAPSES} that are possible")
        name = values.get("matrix", "")
        weights = self._matrices.get(name) if name else None
        if weights is None:
            weights = self._array(f"projection_{j}_weights", np.int8, shape)
            self._matrices[name] = weights
        elif weights.shape != shape:
            raise self._error(f"{where}: the matrix {name[:63]!r} has shape {list(weights.shape)}, and {list(shape)} is needed here")
        return Projection(weights=weights, **values)

    def _array(self, name: str, dtype: type, shape: tuple[int, ...] | None, limit: int = 0) -> np.ndarray:
        """Unpack one member: ``shape`` exactly, or any one-dimensional shape of at most ``limit`` bytes."""
        entry = self._entries.pop(f"{name}.npy", None)
        if entry is None:
            raise self._error(f"member '{name}.npy' is missing")
        wanted = np.dtype(dtype).newbyteorder("<")
        size = limit if shape is None else math.prod(shape) * wanted.itemsize
        if entry.file_size > size + _NPY_OVERHEAD or (shape is not None and entry.file_size < size):
            raise self._error(f"member '{name}.npy' unpacks to {entry.file_size} bytes; "
                              f"{size} and a short preamble are {'allowed' if shape is None else 'needed'}")
        try:
            with self._zip.open(entry) as member:
                content = member.read(size + _NPY_OVERHEAD)
                if member.read(1):
                    raise self._error(f"member '{name}.npy' is longer than its directory entry says")
            file = io.BytesIO(content)
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("npy version 1.0 is needed")
            found_shape, fortran, found = np.lib.format.read_array_header_1_0(file)
        except (zipfile.BadZipFile, zlib.error, ValueError, NotImplementedError, EOFError, OSError, RuntimeError, SyntaxError,
                TypeError, KeyError, IndexError, OverflowError, RecursionError, MemoryError) as error:
            raise self._error(f"member '{name}.npy' is damaged ({error or type(error).__name__})") from error
        fits = len(found_shape) == 1 if shape is None else found_shape == shape
        if found != wanted or fortran or not fits:
            need = "one dimension" if shape is None else f"shape {list(shape)}"
            raise self._error(f"member '{name}.npy' must be {wanted.name} of {need} in C order, "
                              f"not {found} of shape {list(found_shape)}"[:400])
        data = content[file.tell() :]
        if len(data) != math.prod(found_shape) * wanted.itemsize:
            raise self._error(f"member '{name}.npy' holds {len(data)} bytes of data for shape {list(found_shape)}")
        return np.frombuffer(data, dtype=wanted).reshape(found_shape)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")
