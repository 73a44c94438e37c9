"""Groups of neurons of a network in floating point: the parameters of every model of docs/numerics.md, as trained, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..spec.errors import NetworkError
from ..spec.fields import array_of, check_fields, check_texts
from ..spec.network import Gain, Model, Readout, Refractory, Reset
from ..spec.traits import ModelTraits

__all__ = ["FloatPopulation", "frozen"]


def frozen(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """``value`` as a read-only float32 array of ``shape`` (a scalar is spread); NetworkError if it is not finite or not that shape."""
    array = array_of(value, what)
    if array.dtype.kind not in "iufb":
        raise NetworkError(f"{what} must be numbers, not {array.dtype}")
    array = np.array(np.broadcast_to(array, shape) if array.ndim == 0 else array, dtype=np.float32, order="C")
    if array.shape != shape:
        raise NetworkError(f"{what} must have shape {list(shape)}, not {list(array.shape)}")
    if not np.isfinite(array).all():
        raise NetworkError(f"{what} hold {int((~np.isfinite(array)).sum())} values that are infinite or not a number")
    array.flags.writeable = False
    return array


@dataclass(frozen=True, kw_only=True, eq=False)
class FloatPopulation(ModelTraits):
    """A group of neurons with one model, in float. Where a field says ``[size]``, a number stands for all neurons.

    Parameters
    ----------
    name, size, model, reset, readout, output, labels, classes : as in :class:`spikeloom.spec.population.Population`.
    payload_min, payload_max : range of the integer payloads of an INPUT population's events.
    beta, alpha : ``[size]``, decay per timestep of v, and of i where there is one, 0..1. A number stays a number, an array becomes float64.
    rho : decay of the threshold's rise per timestep (ALIF), 0..1, one for all: the contract has one.
    threshold : ``[size], float32``, above 0 (ignored for what does not fire).
    strict : fires at v > threshold, as snnTorch does; else at v >= threshold.
    bias : ``[size], float32``, added each timestep to the synaptic sum, that is to i where there is one, else to v.
    v_init : ``[size]``, membrane potential at the start; a number stays a number.
    gain : of i into v (CUBALIF, CUBALI).
    gate_bias : ``[size], float32``, added to the gate's sum (SPIKGRU), whose sigmoid is exact.
    jump : ``[size], float32``, what a spike adds to the threshold (ALIF), at least 0.
    max_spikes, refractory, refractory_mode, inhibition : as in the contract, integers.
    v_floor : lower clip of v, at most 0, or None.
    """

    name: str
    size: int
    model: Model
    payload_min: int = 1
    payload_max: int = 1
    beta: np.ndarray | float = 1.0
    threshold: np.ndarray | float = 1.0
    strict: bool = True
    reset: Reset = Reset.SUBTRACT
    bias: np.ndarray | float = 0.0
    v_init: np.ndarray | float = 0.0
    readout: Readout = Readout.NONE
    labels: tuple[str, ...] = ()
    output: bool = False
    alpha: np.ndarray | float = 1.0
    gain: Gain = Gain.UNIT
    gate_bias: np.ndarray | float = 0.0
    rho: float = 1.0
    jump: np.ndarray | float = 0.0
    max_spikes: int = 1
    refractory: int = 0
    refractory_mode: Refractory = Refractory.FIRE
    inhibition: int = 0
    v_floor: float | None = None
    classes: np.ndarray | None = None

    def __post_init__(self) -> None:
        where = f"Population {self.name!r}"
        check_texts(self, where, ("name",))
        check_fields(self, where, ("size", "payload_min", "payload_max", "max_spikes", "refractory", "inhibition"),
                     {"model": Model, "reset": Reset, "readout": Readout, "gain": Gain, "refractory_mode": Refractory})
        if self.changes:
            raise NetworkError(f"{where}: the quantizer does not know activations (relu); build them as integers, a Population of model 'relu' "
                               "(docs/numerics.md, Activations)")
        if self.size < 1:
            raise NetworkError(f"{where}: size must be at least 1, not {self.size}")
        if array_of(self.rho, f"{where}: rho").ndim:
            raise NetworkError(f"{where}: rho must be one number for all neurons, not of shape {list(np.shape(self.rho))}; use its mean")
        for name in ("beta", "alpha", "rho"):
            object.__setattr__(self, name, self._values(name, where))
            values = np.asarray(getattr(self, name))
            wrong = values[~((values >= 0.0) & (values <= 1.0))]  # also finds not-a-number
            if wrong.size:
                raise NetworkError(f"{where}: {name} must be 0 to 1, not {wrong.flat[0]}")
        object.__setattr__(self, "v_init", self._values("v_init", where))
        if not np.isfinite(self.v_init).all():
            raise NetworkError(f"{where}: v_init must be finite, not {self.v_init}")
        for name, what in (("threshold", "thresholds"), ("bias", "biases"), ("gate_bias", "biases of the gate"), ("jump", "jumps")):
            object.__setattr__(self, name, frozen(getattr(self, name), (self.size,), f"{where}: {what}"))
        if self.spikes and not (np.asarray(self.threshold) > 0).all():
            raise NetworkError(f"{where}: thresholds must be above 0, the smallest is {np.min(self.threshold)}")
        if np.min(self.jump) < 0:
            raise NetworkError(f"{where}: jumps must be at least 0, the smallest is {np.min(self.jump)}")
        if self.v_floor is not None and not isinstance(self.v_floor, (int, float, np.number)):
            raise NetworkError(f"{where}: v_floor must be a number or None, not {self.v_floor!r}")
        if self.v_floor is not None and not -np.inf < self.v_floor <= 0:
            raise NetworkError(f"{where}: v_floor must be at most 0, not {self.v_floor}")
        if self.classes is not None and (shape := array_of(self.classes, f"{where}: classes").shape) != (self.size,):
            raise NetworkError(f"{where}: classes must have one entry per neuron ({self.size}), not shape {list(shape)}")
        if (self.classes is not None) != (self.readout is Readout.VOTE):
            raise NetworkError(f"{where}: classes of neurons and the readout 'vote' go together")
        self._check_unused(where)

    def _values(self, name: str, where: str) -> np.ndarray | float:
        """A field that is one float64 for all neurons, or one of each, read-only."""
        values = array_of(getattr(self, name), f"{where}: {name}")
        if values.dtype.kind not in "iufb":
            raise NetworkError(f"{where}: {name} must be a number, or one per neuron, not {values.dtype}")
        values = np.array(values, dtype=np.float64)
        if values.ndim == 0:
            return float(values)
        if values.shape != (self.size,):
            raise NetworkError(f"{where}: {name} must have one entry per neuron ({self.size}), not shape {list(values.shape)}")
        values.flags.writeable = False
        return values

    def _check_unused(self, where: str) -> None:
        """A parameter that the model does not have would not do what its writer thinks."""
        unused: list[str] = [] if self.has_current else ["alpha"]
        unused += ["beta"] if self.has_gate else ["gate_bias"]
        unused += [] if self.model in (Model.CUBALIF, Model.CUBALI) else ["gain"]
        unused += [] if self.adapts else ["rho", "jump"]
        unused += [] if self.spikes else ["max_spikes", "refractory", "refractory_mode", "inhibition"]
        for name in unused:
            if np.any(np.asarray(getattr(self, name)) != _DEFAULTS[name]):
                raise NetworkError(f"{where}: {name} means nothing to the model {self.model.value}; leave it out")

    @property
    def n_readouts(self) -> int:
        """Values that its readout has: one per neuron, or one per class."""
        return self.size if self.classes is None else int(np.max(self.classes)) + 1

    def of_each(self, name: str) -> np.ndarray:
        """A field as ``[size], float64``, whether it is one number or many."""
        return np.broadcast_to(np.asarray(getattr(self, name), np.float64), (self.size,))


_DEFAULTS = {f.name: f.default for f in fields(FloatPopulation)}
