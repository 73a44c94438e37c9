"""The memory image of a chip: what its memories hold, and how the words are laid out.

Words, lowest bits first:

* weights: word ``weight_base(list) + row * axons + axon`` is P weights of ``weight_bits``, lane 0 lowest, two's complement, or indices into the
  list's codebook; of a scattered list the words of its convolutions, in the order of :mod:`.window`;
* parameters: word ``update_base(group) + row * P/U + beat`` is for each of U lanes {theta, bias, ...}: theta lowest (unsigned), bias
  above it (two's complement), then what else ``TileSpec.fields`` names;
* sparse weights: word ``sparse_base(group) + ...``, axon after axon, is P of {row, weight}: row lowest (unsigned), weight above it (two's
  complement, 0 where the lane has no synapse in this word);
* pointers: word ``pointer_base(group) + axon`` is {first word, number of words}: first lowest; on a tile with convolutions with what else
  ``TileSpec.pointer_fields`` names above;
* axon table: word ``key * stride + i`` is {list, base, delay, last}: entry i of the key, ``last`` set on its last one. ``stride``
  is the largest number of entries of a key on this tile (1 in all but odd graphs, 2 where gates listen). Only the delay modulo the slots is stored.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .arithmetic import bits_unsigned
from .chip import ChipSpec, TileSpec
from .errors import FileFormatError
from .settings import WORD, settings_words

__all__ = ["MemoryImage", "TableLayout", "TileImage", "TileWords", "table_layout"]

FORMAT = "spikeloom-image-1"
MAX_FILE_BYTES = 1 << 30


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """Fields of a word of the axon table, lowest first: event list, base, delay, last (1 bit).

    ``stride`` words belong to each key; ``depth`` is the number of words in all.
    """

    list_bits: int
    base_bits: int
    delay_bits: int
    stride: int
    depth: int

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self.list_bits + self.base_bits + self.delay_bits + 1

    def pack(self, number: int, base: int, delay: int, last: bool) -> int:
        """The word of one entry; only the lowest ``delay_bits`` bits of the delay are kept."""
        word, offset = number, self.list_bits
        word |= base << offset
        offset += self.base_bits
        word |= (delay & ((1 << self.delay_bits) - 1)) << offset
        return word | int(last) << (offset + self.delay_bits)

    def unpack(self, word: int) -> tuple[int, int, int, bool]:
        """(list, base, delay modulo slots, last) of a word."""
        fields = []
        for bits in (self.list_bits, self.base_bits, self.delay_bits):
            fields.append(word & ((1 << bits) - 1))
            word >>= bits
        return fields[0], fields[1], fields[2], bool(word & 1)


def table_layout(tile: TileSpec, n_keys: int) -> TableLayout:
    """Layout of a tile's axon table on a chip with ``n_keys`` keys."""
    most = max((len(listed) for listed in tile.entries.values()), default=1)
    return TableLayout(list_bits=bits_unsigned(len(tile.lists) - 1), base_bits=tile.axon_bits,
                       delay_bits=bits_unsigned(tile.slots - 1), stride=most, depth=n_keys * most)


def _join(fields: np.ndarray, bits: list[int]) -> list[int]:
    """One big integer per row of ``fields`` ``[words, k]``, column 0 lowest; each value is cut to its number of bits."""
    words, offset = np.zeros(len(fields), dtype=object), 0
    for column, width in zip(fields.T, bits):
        words = words | (column & ((1 << width) - 1)).astype(object) << offset  # Python integers: as wide as need be
        offset += width
    return [int(word) for word in words]


class TileWords(NamedTuple):
    """Packed words of a tile's memories, as its hardware is initialised with them."""

    weights: list[int]
    parameters: list[int]
    axons: list[int]
    sparse: Sequence[int] = ()
    pointers: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class TileImage:
    """The memories of one tile.

    Parameters
    ----------
    weights : ``[weight_depth, P]``, int16 (int32 where stored weights are wider than 16 bits); weights, or indices of a codebook; 0 where a
        row has no neuron.
    theta : ``[n_updates, U], int64``; the largest value of the format where there is no neuron.
    bias : ``[n_updates, U], int64``; 0 where there is no neuron.
    table : words of the axon table, ``[depth], int64``.
    parameters : the tile's further parameters by name, ``[n_updates, U], int64``; 0 where there is no neuron.
    sparse : ``[sparse_depth, P, 2], int32``: row and weight of the synapses that are stored one by one.
    pointers : ``[pointer_depth, fields], int64``: the tile's ``pointer_fields`` of each scattered axon.
    """

    weights: np.ndarray
    theta: np.ndarray
    bias: np.ndarray
    table: np.ndarray
    parameters: Mapping[str, np.ndarray] = field(default_factory=dict)
    sparse: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 2), dtype=np.int32))
    pointers: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))

    def __post_init__(self) -> None:
        for array in (self.weights, self.theta, self.bias, self.table, self.sparse, self.pointers, *self.parameters.values()):
            array.flags.writeable = False

    def parameter(self, name: str) -> np.ndarray:
        """A parameter of the neurons by its name, ``[n_updates, U], int64``."""
        return {"theta": self.theta, "bias": self.bias, **self.parameters}[name]

    def weight_words(self, tile: TileSpec) -> list[int]:
        """Words of the weight memory, ``P * weight_bits`` bits each."""
        return _join(self.weights.astype(np.int64), [tile.weight_bits] * tile.lanes)

    def parameter_words(self, tile: TileSpec) -> list[int]:
        """Words of the parameter memory: for each of U lanes the tile's ``fields``."""
        fields = np.stack([self.parameter(f.name) for f in tile.fields], axis=2).reshape(tile.n_updates, -1)
        return _join(fields, [f.bits for f in tile.fields] * tile.update_lanes)

    def table_words(self) -> list[int]:
        """Words of the axon table; see :class:`TableLayout`."""
        return [int(word) for word in self.table]

    def sparse_words(self, tile: TileSpec) -> list[int]:
        """Words of the sparse weight memory, P of {row, weight} each."""
        fields = self.sparse.reshape(len(self.sparse), 2 * tile.lanes if len(self.sparse) else 0)
        return _join(fields.astype(np.int64), [tile.row_bits, tile.sparse_weight_bits] * tile.lanes)

    def pointer_words(self, tile: TileSpec) -> list[int]:
        """Words of the pointers to sparse words."""
        return _join(self.pointers, list(tile.pointer_bits))

    def words(self, tile: TileSpec) -> TileWords:
        """The words of all memories."""
        return TileWords(self.weight_words(tile), self.parameter_words(tile), self.table_words(), self.sparse_words(tile), self.pointer_words(tile))


@dataclass(frozen=True, kw_only=True, eq=False)
class MemoryImage:
    """The memories of a chip, one :class:`TileImage` per tile, and the digest of the network they hold; ``settings`` are those of an overlay,
    words of 32 bits (:mod:`.settings`)."""

    network_digest: str
    tiles: tuple[TileImage, ...]
    settings: tuple[int, ...] = ()

    def save(self, path: str | Path) -> None:
        """Write ``image.npz``: the same image gives the same bytes."""
        header = {"format": FORMAT, "tiles": len(self.tiles), "network_digest": self.network_digest}
        arrays = {"header": np.frombuffer(json.dumps(header, sort_keys=True).encode(), dtype=np.uint8)}
        for number, tile in enumerate(self.tiles):
            held = {"weights": tile.weights, "theta": tile.theta, "bias": tile.bias, "table": tile.table, **tile.parameters}
            if len(tile.pointers):
                held.update(sparse=tile.sparse, pointers=tile.pointers)
            for name, array in held.items():
                arrays[f"{name}_{number}"] = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if self.settings:
            arrays["settings"] = np.array(self.settings, dtype="<i8")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
                entry = zipfile.ZipInfo(f"{name}.npy")  # its date is that of the format's first day, whatever the clock says
                entry.create_system, entry.external_attr = 3, 0o644 << 16
                archive.writestr(entry, buffer.getvalue())

    @classmethod
    def load(cls, path: str | Path, chip: ChipSpec) -> MemoryImage:
        """Read an image of a chip; FileFormatError if the file is damaged, too large, or of another chip."""
        where = f"Memory image {path}"
        try:
            with zipfile.ZipFile(path) as archive:
                size = sum(entry.file_size for entry in archive.infolist())
                if size > MAX_FILE_BYTES:
                    raise FileFormatError(f"{where}: holds {size} bytes, and at most {MAX_FILE_BYTES} are read")
                arrays = {}
                for entry in archive.infolist():
                    member = io.BytesIO(archive.read(entry))
                    arrays[entry.filename.removesuffix(".npy")] = np.lib.format.read_array(member, allow_pickle=False)
            header = json.loads(arrays["header"].tobytes())
            if header["format"] != FORMAT or header["tiles"] != len(chip.tiles):
                raise FileFormatError(f"{where}: is of another format or has not the {len(chip.tiles)} tiles of the chip")
            tiles = []
            for number, spec in enumerate(chip.tiles):
                shapes: dict[str, tuple[int, ...]] = {"weights": (spec.weight_depth, spec.lanes),
                                                      "table": (table_layout(spec, len(chip.keys)).depth,),
                          **{f.name: (spec.n_updates, spec.update_lanes) for f in spec.fields}}
                if spec.has_sparse:
                    shapes.update(sparse=(spec.sparse_depth, spec.lanes, 2), pointers=(spec.pointer_depth, len(spec.pointer_fields)))
                tile = {name: arrays[f"{name}_{number}"] for name in shapes}
                for name, array in tile.items():
                    if array.shape != shapes[name] or array.dtype.kind != "i":
                        raise FileFormatError(f"{where}: {name} of tile {number} is {array.dtype} of shape {list(array.shape)}, "
                                              f"and the chip needs integers of shape {list(shapes[name])}")
                further = {f.name: tile.pop(f.name) for f in spec.parameters}
                tiles.append(TileImage(**tile, parameters=further))
            settings = arrays["settings"] if settings_words(chip) else np.zeros(0, dtype=np.int64)
            if settings.shape != (settings_words(chip),) or settings.dtype.kind != "i" or (settings >> WORD != 0).any():
                raise FileFormatError(f"{where}: its settings are not the {settings_words(chip)} words of {WORD} bits of the chip")
            return cls(network_digest=str(header["network_digest"]), tiles=tuple(tiles), settings=tuple(settings.tolist()))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile,
                zlib.error) as error:
            raise FileFormatError(f"{where}: cannot be read ({type(error).__name__}: {error})") from error
