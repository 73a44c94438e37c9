"""A recipe, one TOML file: everything that decides what a bundled network is. Checked and frozen."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ...spec.errors import FileFormatError, NetworkError
from ...spec.neuron import Model, Readout
from ..features import MAX_PICTURE
from .fit import FitConfig
from .surrogate import Surrogate
from .words import Augment

__all__ = ["FRAME_MS", "AnnConfig", "DataConfig", "NetConfig", "PictureConfig", "QuantizeConfig", "Recipe", "load_recipe", "read_table",
           "section"]

FRAME_MS = 20


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """``set`` is the folder of the recordings within the data folder; what the card says of them."""

    set: str
    description: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """A clip as one picture: arguments of :class:`~.conv_net.ConvNet`, and the training of its rates, from which its spikes start."""

    steps: int
    kernel: list[int]
    stride: list[int]
    padding: list[int]
    rates: FitConfig

    def __post_init__(self) -> None:
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            pair = getattr(self, name)
            if not isinstance(pair, list) or len(pair) != 2 or not all(type(n) is int and n >= least for n in pair):
                raise NetworkError(f"{name} is two whole numbers of {least} or more, [height, width], not {pair!r}")
        if type(self.steps) is not int or not 1 <= self.steps <= MAX_PICTURE:
            raise NetworkError(f"steps are 1 to {MAX_PICTURE}, not {self.steps!r}")


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Shape of a spiking network; arguments of :class:`~.spiking_net.SpikingNet`, or with a ``picture`` of :class:`~.conv_net.ConvNet`."""

    model: Model
    sizes: list[int]
    readout: Readout
    input_scale: float
    dropout: float
    surrogate: Surrogate
    layer: dict = field(default_factory=dict)
    input_delays: list[int] = field(default_factory=lambda: [0])
    picture: PictureConfig | None = None

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 1:
            raise NetworkError(f"sizes are the neurons, or channels, of one layer or more; not {self.sizes}")
        if self.picture is None:
            return
        if self.model is not Model.LIF or self.input_delays != [0]:
            raise NetworkError("a network of maps ([network.picture]) has the model lif, and no input_delays")
        if set(self.layer) - {"beta"} or self.readout is Readout.COUNT:
            raise NetworkError("a network of maps ([network.picture]) has of a layer only beta, and is read as last, max or sum")


@dataclass(frozen=True, kw_only=True)
class AnnConfig:
    """Networks without spikes, of other seeds, whose mean answer the spiking one learns from; count 0 for none.

    ``start``: another recipe, whose teachers these start from (all but their readout, where the classes are others); with 0 epochs they are those.
    """

    count: int
    kind: str
    sizes: list[int]
    dropout: float
    training: FitConfig
    start: str = ""


@dataclass(frozen=True, kw_only=True)
class QuantizeConfig:
    """Formats, as arguments of :func:`spikeloom.gen.quantize.quantize`; ``clips`` of the training set calibrate it."""

    weight_bits: int
    clips: int
    options: dict = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One network: data, front end, float training, teachers, quantization, fine tuning of the integers.

    ``start``: a bundled network of the same layers to start from. ``errors``: a fault (:meth:`spikeloom.sim.faults.Fault.parse`) of the weights in
    the fine tuning, drawn anew for every batch. ``variations``: how many of each clip are made, with the teachers' answers, to draw from; 0
    makes them anew for every batch.
    """

    name: str
    seed: int
    front_end: dict
    data: DataConfig
    network: NetConfig
    training: FitConfig
    teachers: AnnConfig
    augment: Augment
    quantize: QuantizeConfig
    fine_tuning: FitConfig
    start: str = ""
    errors: str = ""
    variations: int = 0

    def __post_init__(self) -> None:
        picture = self.network.picture
        if picture is None:
            return
        if self.start:
            raise NetworkError("a network of maps ([network.picture]) starts from no other network; leave start out")
        size = [int(self.front_end.get(name, 0)) for name in ("frames", "bands")]
        if picture.steps > FRAME_MS * size[0]:
            raise NetworkError(f"{picture.steps} timesteps for {size[0]} frames of {FRAME_MS} ms are less than 1 ms each; "
                               f"at most {FRAME_MS * size[0]}")
        for k in range(len(self.network.sizes)):
            past = [n + 2 * pad - kernel for n, pad, kernel in zip(size, picture.padding, picture.kernel, strict=True)]
            if min(past) < 0:
                raise NetworkError(f"map {k}: a kernel of {picture.kernel} with padding {picture.padding} does not fit in {size[0]} x {size[1]}; "
                                   "a smaller kernel or stride, or fewer maps")
            size = [n // stride + 1 for n, stride in zip(past, picture.stride, strict=True)]


_SECTIONS: dict[str, Any] = {"data": DataConfig, "network": NetConfig, "training": FitConfig, "teachers": AnnConfig, "augment": Augment,
                             "quantize": QuantizeConfig, "fine_tuning": FitConfig, "surrogate": Surrogate,
                             "picture": PictureConfig, "rates": FitConfig}


def section(kind: Any, table: Mapping, where: str, sections: Mapping[str, Any] = MappingProxyType(_SECTIONS)) -> Any:
    """``table`` as a dataclass; entries of its ``sections``, and of enums, become what they are. FileFormatError names what is wrong."""
    known = {f.name: f for f in fields(kind)}
    needed = {name for name, f in known.items() if f.default is MISSING and f.default_factory is MISSING}
    wrong = sorted((set(table) - set(known)) | (needed - set(table)))
    if wrong:
        raise FileFormatError(f"{where}: {', '.join(wrong)} missing or unknown; it takes {', '.join(known)}.")
    values = {}
    for name, value in table.items():
        inner = sections.get(name)
        enum = {"model": Model, "readout": Readout}.get(name)
        try:
            if isinstance(value, dict) and inner is not None:
                value = section(inner, value, f"{where}, [{name}]", sections)
            elif enum is not None:
                value = enum(value)
        except ValueError:
            raise FileFormatError(f"{where}: {name} is {', '.join(e.value for e in enum or ())}, not {value!r}.") from None
        values[name] = value
    try:
        return kind(**values)
    except (NetworkError, TypeError) as error:
        raise FileFormatError(f"{where}: {error}") from None


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; raises FileFormatError if the file is missing, is not TOML, or lacks or adds an entry."""
    return section(Recipe, read_table(path), str(path))


def read_table(path: Path) -> dict[str, Any]:
    """A TOML file; raises FileFormatError if it is missing or is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path} is not a readable recipe: {error}.") from None
