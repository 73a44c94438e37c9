"""A group of neurons with one model: every parameter an integer, checked."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from .arithmetic import Decay, Rounding
from .errors import NetworkError
from .fields import array_of, check_fields, check_texts
from .neuron import Gain, Model, Readout, Refractory, Reset
from .traits import MembraneFormat, ModelTraits

__all__ = ["MAX_NEURONS", "Population"]

MAX_NEURONS = 1 << 16  # per population
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_SPIKE_READOUTS = (Readout.NONE, Readout.COUNT, Readout.FIRST, Readout.VOTE)
_VALUE_READOUTS = (Readout.LAST, Readout.SUM, Readout.MAX)


def _frozen_array(value: Any, length: int, what: str) -> np.ndarray:
    array = array_of(value, what)
    if array.dtype.kind not in "iu":
        raise NetworkError(f"{what} must be integers, not {array.dtype}; quantize it first")
    array = np.array(np.broadcast_to(array, (length,)) if array.ndim == 0 else array, dtype=np.int64)
    if array.shape != (length,):
        raise NetworkError(f"{what} must have one entry per neuron ({length}), or be one integer for all, not of shape {list(array.shape)}")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class Population(ModelTraits, MembraneFormat):
    """A group of neurons with one model. Where a field says ``[size]``, one integer stands for all neurons; it becomes int64.

    Parameters
    ----------
    name : identifier, unique in the network.
    size : number of neurons.
    model : :class:`~spikeloom.spec.neuron.Model`.
    payload_min, payload_max : range of the payload of an INPUT population's events (a spike has payload 1; 0 is never sent).
    decay, rounding, reset : membrane dynamics (IF, SPIKGRU: no decay). Every right shift of the population rounds so.
    theta : firing threshold, ``[size]``; v >= theta fires; at least 1.
    bias : ``[size]``, added in each timestep to the synaptic sum, in units of v.
    v_bits : width of the membrane potential, two's complement, 2..32; v saturates to it at write-back.
    guard_bits : G, the left shift of the synaptic sum into v (or i).
    v_init : ``[size]``, membrane potential after RESET.
    readout : :class:`~spikeloom.spec.neuron.Readout`; any but NONE makes the population an output.
    output : events of this population leave the chip (implied by a readout).
    labels : names of classes, one per readout value, or empty.
    beta : ``[size]``, factor of ``decay`` (a multiplier) per neuron, or None: that of ``decay`` for all.
    current_decay, alpha, i_bits : decay of the synaptic current i, its factor per neuron (or None), and the width of i, 2..32.
    held : IF, LIF, ALIF, LI: what arrives is summed up in a current i that stays (``i_bits`` wide), and drives the membrane in each timestep.
    gain : :class:`~spikeloom.spec.neuron.Gain` of the current into the membrane (CUBALIF, CUBALI).
    gate_table, gate_shift, gate_bias : SPIKGRU: z in 1/256 by the gate's argument, ``[2**k]`` of 0..255, k 1..12; the argument is the gate's
        sum plus ``gate_bias`` ``[size]``, shifted right by ``gate_shift``, 0..31.
    adaptation_decay, jump, a_bits : ALIF: decay of the threshold's rise a, what a spike adds to it ``[size]``, its width (unsigned, 1..31).
    max_spikes : most spikes of a neuron in a timestep, 1..255; more than one travel as one event with that payload. RELU: largest activation.
    refractory, refractory_mode : timesteps after a spike in which the neuron does not fire, 0..63, and whether it integrates.
    inhibition : timesteps, counted from its own, for which an event at the BLOCK port keeps the neuron from firing, 0..63.
    v_floor : lower clip of v, at most 0, or None.
    classes : VOTE: the class of each neuron, ``[size]``, -1 for none.
    """

    name: str
    size: int
    model: Model
    payload_min: int = 1
    payload_max: int = 1
    decay: Decay = Decay()
    rounding: Rounding = Rounding.NEAREST
    reset: Reset = Reset.NONE
    theta: Any = 1
    bias: Any = 0
    v_bits: int = 16
    guard_bits: int = 0
    v_init: Any = 0
    readout: Readout = Readout.NONE
    output: bool = False
    labels: tuple[str, ...] = ()
    beta: Any = None
    current_decay: Decay = Decay()
    alpha: Any = None
    i_bits: int = 16
    held: bool = False
    gain: Gain = Gain.UNIT
    gate_table: Any = None
    gate_shift: int = 0
    gate_bias: Any = 0
    adaptation_decay: Decay = Decay()
    jump: Any = 0
    a_bits: int = 16
    max_spikes: int = 1
    refractory: int = 0
    refractory_mode: Refractory = Refractory.FIRE
    inhibition: int = 0
    v_floor: int | None = None
    classes: Any = None

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        check_texts(self, where, ("name",))
        if not _NAME.fullmatch(self.name):
            raise NetworkError(f"{where}: a name is a letter, then letters, digits and underscores, at most 63 in all; rename it")
        check_fields(self, where, _INTEGERS, _ENUMS)
        for name in ("decay", "current_decay", "adaptation_decay"):
            if not isinstance(getattr(self, name), Decay):
                raise NetworkError(f"{where}: {name} must be a Decay, not {getattr(self, name)!r}; 0.9 is Decay(factor=230, fraction_bits=8)")
        if not isinstance(self.labels, tuple | list) or not all(type(label) is str for label in self.labels):
            raise NetworkError(f"{where}: labels must be a tuple of text, not {self.labels!r}; give one for each readout value, or none")
        object.__setattr__(self, "labels", tuple(self.labels))
        if not 1 <= self.size <= MAX_NEURONS:
            raise NetworkError(f"{where}: size must be 1 to {MAX_NEURONS}, not {self.size}")
        if not -256 <= self.payload_min <= self.payload_max <= 255:
            raise NetworkError(f"{where}: payloads must be within -256..255, not {self.payload_min}..{self.payload_max}")
        for name in ("theta", "bias", "v_init", "gate_bias", "jump"):
            object.__setattr__(self, name, _frozen_array(getattr(self, name), self.size, f"{where}: {name}"))
        for name, of in (("beta", "decay"), ("alpha", "current_decay")):
            if getattr(self, name) is not None:
                self._check_factors(name, of, where)
        for name in ("held", "output"):
            if not isinstance(getattr(self, name), bool):
                raise NetworkError(f"{where}: {name} must be True or False, not {getattr(self, name)!r}")
        if self.readout is not Readout.NONE:
            object.__setattr__(self, "output", True)
        self._check_classes(where)
        if len(self.labels) not in (0, self.n_readouts):
            raise NetworkError(f"{where}: {len(self.labels)} labels for {self.n_readouts} "
                               f"{'classes' if self.readout is Readout.VOTE else 'neurons'}; give one label for each, or none")
        self._check_unused(where)
        if self.model is Model.INPUT:
            if self.output:
                raise NetworkError(f"{where}: an input cannot be an output: its events come from the host; leave output and readout out")
            return
        if (self.payload_min, self.payload_max) != (1, 1):
            raise NetworkError(f"{where}: only an input has a payload range; spikes have payload 1, or 1 to max_spikes; "
                               "leave payload_min and payload_max out")
        self._check_ranges(where)
        if self.has_gate:
            self._check_gate(where)
        if self.changes:
            self._check_activation(where)
        if not self.spikes:
            if self.reset is not Reset.NONE:
                raise NetworkError(f"{where}: an {self.model.name} neuron does not fire, so it has no reset; leave reset at 'none'")
            if self.readout not in _VALUE_READOUTS:
                raise NetworkError(f"{where}: an {self.model.name} population is a readout: last, sum or max, not {self.readout.value}")
        elif self.readout not in _SPIKE_READOUTS:
            raise NetworkError(f"{where}: a spiking population is read as a count, a first spike, a vote, or not at all, "
                               f"not {self.readout.value}")
        elif self.theta.min() < 1 or self.theta.max() > self.v_max:
            raise NetworkError(f"{where}: theta must be 1 to {self.v_max} ({self.v_bits} bits), "
                               f"not {self.theta.min()}..{self.theta.max()}; use more v_bits or other thresholds")

    def _check_factors(self, name: str, of: str, where: str) -> None:
        """A factor per neuron stands beside a multiplier, whose own factor then is the largest of them."""
        decay: Decay = getattr(self, of)
        if decay.kind != "multiply":
            raise NetworkError(f"{where}: {name} gives a factor per neuron, so {of} must be a multiplier (factor and fraction_bits), "
                               f"not {_words(decay)}")
        factors = _frozen_array(getattr(self, name), self.size, f"{where}: {name}")
        if factors.min() < 0 or factors.max() > 1 << (decay.fraction_bits or 0):
            raise NetworkError(f"{where}: {name} must be 0 to {1 << (decay.fraction_bits or 0)}, not {factors.min()}..{factors.max()}")
        object.__setattr__(self, of, Decay(factor=int(factors.max()), fraction_bits=decay.fraction_bits))
        object.__setattr__(self, name, None if factors.min() == factors.max() else factors)

    def _check_classes(self, where: str) -> None:
        if (self.classes is not None) != (self.readout is Readout.VOTE):
            raise NetworkError(f"{where}: classes of neurons and the readout 'vote' go together; give both, or neither")
        if self.classes is not None:
            object.__setattr__(self, "classes", _frozen_array(self.classes, self.size, f"{where}: classes"))
            if self.classes.min() < -1 or self.classes.max() >= 1 << 12 or self.classes.max() < 0:
                raise NetworkError(f"{where}: classes must be 0 to 4095 (-1 for none), and one neuron at least must have one, "
                                   f"not {self.classes.min()}..{self.classes.max()}")

    def _check_unused(self, where: str) -> None:
        """A parameter that the model does not have must be left alone: it would not do what its writer thinks."""
        unused = []
        if not self.has_current:
            unused += ["i_bits"]
        if not self.has_current or self.held:
            unused += ["current_decay", "alpha"]
        if self.model not in _HOLDING:
            unused += ["held"]
        if self.changes:
            unused += ["reset", "bias", "refractory", "refractory_mode", "inhibition", "v_floor"]
        if self.model not in (Model.CUBALIF, Model.CUBALI):
            unused += ["gain"]
        if not self.has_gate:
            unused += ["gate_table", "gate_shift", "gate_bias"]
        if not self.adapts:
            unused += ["adaptation_decay", "jump", "a_bits"]
        if not self.spikes:
            unused += ["max_spikes", "refractory", "refractory_mode", "inhibition"]
        if self.model is Model.INPUT:
            unused += ["v_floor", "beta"]
        for name in unused:
            value, default = getattr(self, name), _DEFAULTS[name]
            array = isinstance(value, np.ndarray)  # whose default is 0, or None
            if (default is None or bool(value.any())) if array else (value is not default and value != default):
                raise NetworkError(f"{where}: {name} means nothing to the model {self.model.value}; leave it out")

    def _check_ranges(self, where: str) -> None:
        for name, low, high in (("v_bits", 2, 32), ("i_bits", 2, 32), ("guard_bits", 0, 12), ("a_bits", 1, 31), ("gate_shift", 0, 31),
                                ("max_spikes", 1, 255), ("refractory", 0, 63), ("inhibition", 0, 63)):
            if not low <= getattr(self, name) <= high:
                raise NetworkError(f"{where}: {name} must be {low} to {high}, not {getattr(self, name)}")
        if self.model in _UNDECAYING and self.decay.kind != "none":
            raise NetworkError(f"{where}: {'a' if self.changes else 'an'} {self.model.name} neuron has no decay of its membrane; "
                               f"{_UNDECAYING[self.model]}")
        if self.v_floor is not None:
            check_fields(self, where, ("v_floor",), {})
        if self.v_floor is not None and not self.v_min <= self.v_floor <= 0:
            raise NetworkError(f"{where}: v_floor must be {self.v_min} to 0, not {self.v_floor}")
        if self.v_init.min() < self.low or self.v_init.max() > self.v_max:
            wrong = self.v_init.min() if self.v_init.min() < self.low else self.v_init.max()
            raise NetworkError(f"{where}: v_init {wrong} does not fit {self.v_bits} bits"
                               + ("" if self.v_floor is None else f" above the lower clip of {self.v_floor}")
                               + "; use more v_bits or another v_init")
        in_current = self.has_current and not self.held
        largest = (1 << (self.i_bits - 1)) - 1 if in_current else self.v_max
        if abs(self.bias).max() > largest:
            width = "i_bits" if in_current else "v_bits"
            raise NetworkError(f"{where}: a bias of {self.bias[abs(self.bias).argmax()]} does not fit {getattr(self, width)} bits; "
                               f"use more {width} or a smaller bias")
        if self.jump.min() < 0 or self.jump.max() >= 1 << self.a_bits:
            raise NetworkError(f"{where}: jump must be 0 to {(1 << self.a_bits) - 1} ({self.a_bits} bits), "
                               f"not {self.jump.min()}..{self.jump.max()}")
        if self.adapts and self.max_spikes > 1:
            raise NetworkError(f"{where}: an ALIF neuron fires at most once in a timestep; leave max_spikes at 1")
        if self.refractory_mode is Refractory.INTEGRATE and self.inhibition:
            raise NetworkError(f"{where}: inhibition keeps a neuron from firing, not from integrating: use the refractory mode 'fire'")

    def _check_activation(self, where: str) -> None:
        if self.output:
            raise NetworkError(f"{where}: a RELU cannot be an output: its events are changes; lead it to a population of model 'li' without a decay, "
                               "which sums them, and read that")

    def _check_gate(self, where: str) -> None:
        table = array_of([] if self.gate_table is None else self.gate_table, f"{where}: gate_table")
        n = table.size
        if table.ndim != 1 or table.dtype.kind not in "iu" or n < 2 or n > 1 << 12 or n & (n - 1):
            raise NetworkError(f"{where}: a SPIKGRU needs a gate_table of 2, 4, ... 4096 integers, "
                               f"not {table.dtype} of shape {list(table.shape)}")
        if table.min() < 0 or table.max() > 255:
            raise NetworkError(f"{where}: entries of the gate_table must be 0 to 255 (in 1/256), not {table.min()}..{table.max()}")
        if abs(self.gate_bias).max() >= 1 << 31:
            raise NetworkError(f"{where}: a gate_bias of {self.gate_bias[abs(self.gate_bias).argmax()]} does not fit 32 bits; use a smaller one")
        object.__setattr__(self, "gate_table", _frozen_array(table, n, where))

    @property
    def has_current(self) -> bool:
        """Whether its neurons have a synaptic current i: that of their model, or one that is held."""
        return self.held or super().has_current

    @property
    def sums_changes(self) -> bool:
        """Whether it keeps what arrived, so that events may be changes: a RELU, one that holds its current, or an LI without a decay."""
        return self.held or self.changes or (self.model is Model.LI and self.decay.kind == "none")

    @property
    def payload_range(self) -> tuple[int, int]:
        """Smallest and largest payload that its events can have: 0 is never sent, so that 0..1 is a plain spike."""
        if self.model is not Model.INPUT:
            return -self.max_spikes if self.changes else 1, self.max_spikes
        low, high = self.payload_min, self.payload_max
        return (min(1, high) or 1) if low == 0 else low, (-1 if low < 0 else 1) if high == 0 else high

    @property
    def n_readouts(self) -> int:
        """Values that its readout has: one per neuron, or one per class."""
        return self.size if self.classes is None else int(np.max(self.classes)) + 1

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays beside theta and bias that say something: those that a file has to hold."""
        held = {name: getattr(self, name) for name in ("v_init", "beta", "alpha", "gate_table", "gate_bias", "jump", "classes")}
        alike = {"v_init": bool((self.v_init == self.v_init[0]).all()), "gate_bias": not self.gate_bias.any(), "jump": not self.jump.any()}
        return {name: value for name, value in held.items() if value is not None and not alike.get(name)}

    def header(self) -> dict:
        """All fields but the arrays, as JSON values; those that were added later only where they say something."""
        out: dict = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("theta", "bias", *_ARRAYS) or (f.name in _OPTIONAL and value == _DEFAULTS[f.name]):
                continue
            if isinstance(value, Decay):
                value = {g.name: getattr(value, g.name) for g in fields(value)}
            elif isinstance(value, enum.Enum):
                value = value.value
            elif isinstance(value, tuple):
                value = list(value)
            out[f.name] = value
        arrays = self.arrays
        if "v_init" not in arrays:
            out["v_init"] = int(self.v_init[0])
        if arrays:
            out["arrays"] = sorted(arrays)
        return out


def _words(decay: Decay) -> str:
    return {"none": "no decay", "shift": "shifts"}[decay.kind]


_HOLDING = (Model.IF, Model.LIF, Model.ALIF, Model.LI)
_UNDECAYING = {Model.IF: "use LIF", Model.SPIKGRU: "leave decay out: its gate takes that place",
               Model.RELU: "leave decay out: an activation is that of all that arrived"}
_ARRAYS = ("v_init", "beta", "alpha", "gate_table", "gate_bias", "jump", "classes")
_INTEGERS = ("size", "payload_min", "payload_max", "v_bits", "guard_bits", "i_bits", "gate_shift", "a_bits", "max_spikes", "refractory", "inhibition")
_ENUMS: dict[str, type[enum.Enum]] = {"model": Model, "rounding": Rounding, "reset": Reset, "readout": Readout, "gain": Gain,
                                      "refractory_mode": Refractory}
_DEFAULTS = {f.name: f.default for f in fields(Population)}
# Fields that a file holds only where they are not the default: a file that needs none of them is the same as ever.
_OPTIONAL = ("current_decay", "i_bits", "held", "gain", "gate_shift", "adaptation_decay", "a_bits", "max_spikes", "refractory", "refractory_mode",
             "inhibition", "v_floor")
