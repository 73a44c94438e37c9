"""A neuron of NIR as one of the contract: its differential equation, discretised.

NIR (Pedersen et al., "Neuromorphic intermediate representation", Nature Communications 15, 2024) gives

    LIF, LI         tau dv/dt = (v_leak - v) + r I                                         fires at v > v_threshold, then v = v_reset
    CubaLIF, CubaLI tau_syn di/dt = -i + w_in S,  tau_mem dv/dt = (v_leak - v) + r i
    IF, I           dv/dt = r I
    Threshold       fires at I > threshold, no state

and leaves the step open. With d = dt / tau (``euler``: what Norse and snnTorch compute) or d = 1 - exp(-dt / tau) (``exponential``: exact for an
input that is constant within a step), beta = 1 - d, a weight becomes w r d (times w_in d_syn with a current), v_leak a bias v_leak d. IF and I add
r I per timestep, whatever dt is: so do Norse, snnTorch and Sinabs. spikingjelly 2 writes r = 1 / dt, which is the equation to the letter: an r of 1000
or more is taken as that, and adds r I dt.

A reset to v_reset is one to 0 of u = v - v_reset, which obeys the same equation with v_leak - v_reset and v_threshold - v_reset. A bias of the
contract enters i where there is one, so v_leak of a CubaLIF other than v_reset cannot be folded, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...spec.errors import NetworkError
from ...spec.network import Model, Readout, Reset
from .nir_file import RawNode
from .nir_flat import FlatGraph, Notes

__all__ = ["VALUES", "Neuron", "NirOptions", "neuron"]

VALUES = ("LI", "CubaLI", "I")  # neurons that send a value
_DEFAULTS = {"r": 1.0, "v_leak": 0.0, "v_reset": 0.0, "w_in": 1.0}
_MODELS = {"LIF": Model.LIF, "CubaLIF": Model.CUBALIF, "IF": Model.IF, "Threshold": Model.LIF, "LI": Model.LI, "CubaLI": Model.CUBALI, "I": Model.LI}
_PER_SECOND = 1000.0  # an r as large as that is per second: no timestep is longer than a few milliseconds
_FIRING = {Model.LI: Model.LIF, Model.CUBALI: Model.CUBALIF}
RESETS = {Reset.ZERO: "to v_reset, before the leak of the next step", Reset.NONE: "nothing",
          Reset.SUBTRACT_BEFORE_DECAY: "less v_threshold, before the leak of the next step",
          Reset.SUBTRACT: "less v_threshold, after the leak of the next step", Reset.ZERO_AFTER: "to 0, after the next step's input"}


@dataclass(frozen=True, kw_only=True)
class NirOptions:
    """What a NIR file leaves open; None takes what the file says, and else the default, which is noted.

    Parameters
    ----------
    dt : timestep in the file's unit of time (seconds); no default where there is a time constant or a delay.
    decay_form : ``"euler"`` (default) or ``"exponential"``.
    reset : of every spiking neuron, in the contract's terms (default zero, NIR 1.0's v_reset).
    fires : ``"above"`` (default) or ``"at"`` the threshold.
    readout : of the output: ``"count"`` (default) of spikes, or ``"last"``, ``"sum"``, ``"max"`` (default where it does not fire).
    payload : range of the input's payloads.
    """

    dt: float | None = None
    decay_form: str | None = None
    reset: Reset | str | None = None
    fires: str | None = None
    readout: Readout | str | None = None
    payload: tuple[int, int] = (-1, 1)

    def __post_init__(self) -> None:
        if self.dt is not None and not 0 < self.dt < float("inf"):
            raise NetworkError(f"Dt must be above 0 seconds, not {self.dt}")
        for name, allowed in (("decay_form", ("euler", "exponential")), ("fires", ("above", "at")), ("reset", tuple(r.value for r in Reset)),
                              ("readout", ("count", "last", "sum", "max"))):
            value = getattr(self, name)
            value = value.value if isinstance(value, Reset | Readout) else value
            if value is not None and value not in allowed:
                raise NetworkError(f"{name.capitalize().replace('_', ' ')} must be one of {', '.join(allowed)}, not {value!r}")


@dataclass(kw_only=True)
class Neuron:
    """One node in the contract's terms, ``[size], float64`` where not a number: ``gain`` is that of its weights, ``leak`` a bias beside theirs."""

    model: Model
    size: int
    gain: np.ndarray
    leak: np.ndarray
    v_init: np.ndarray | float
    beta: np.ndarray | float = 1.0
    alpha: np.ndarray | float = 1.0
    threshold: np.ndarray | float = 1.0
    reset: Reset = Reset.NONE
    strict: bool = True

    def silence(self) -> None:
        """It no longer fires."""
        self.model = {Model.LIF: Model.LI, Model.IF: Model.LI, Model.CUBALIF: Model.CUBALI}.get(self.model, self.model)
        self.reset, self.threshold, self.strict = Reset.NONE, 1.0, True

    @property
    def fires(self) -> bool:
        """Whether it sends spikes."""
        return self.model not in (Model.LI, Model.CUBALI)


class _Node:
    """Parameters of one node, as ``[size], float64``."""

    def __init__(self, flat: FlatGraph, name: str, notes: Notes) -> None:
        self.flat, self.name, self.notes = flat, name, notes
        self.raw: RawNode = flat.nodes[name]
        self.size = flat.size_out[name]

    def array(self, key: str) -> np.ndarray:
        """A parameter; one number stands for all neurons, some have a default."""
        value = self.raw.values.get(key)
        if value is None or value.size == 0:
            if key not in _DEFAULTS:
                raise self.flat.error(self.name, f"has no {key}; write the node with it")
            if key != "v_reset":
                self.notes.add(f"{key} is {_DEFAULTS[key]:g}, for the file does not say", self.name)
            return np.full(self.size, _DEFAULTS[key])
        if value.dtype.kind not in "iufb":
            raise self.flat.error(self.name, f"has a {key} of {value.dtype}; numbers are needed")
        values = value.astype(np.float64).reshape(-1)
        if values.size == 1 != self.size:
            self.notes.add("a parameter that is one number holds for all neurons", self.name)
            values = np.broadcast_to(values, (self.size,))
        if values.size != self.size:
            raise self.flat.error(self.name, f"has {self.size} neurons and {values.size} values of {key}")
        if not np.isfinite(values).all():
            raise self.flat.error(self.name, f"has {int((~np.isfinite(values)).sum())} values of {key} that are infinite or not a number"
                                  + ("; a neuron without a leak is an IF or an I" if key.startswith("tau") else ""))
        return values


def _number(values: np.ndarray) -> np.ndarray | float:
    """One number where all are the same: float32 0.9 is 0.89999998, and the nearest short decimal is what was meant."""
    return float(f"{values[0]:.7g}") if values.size and (values == values[0]).all() else values


def step_of(flat: FlatGraph, name: str, options: NirOptions, metadata: dict, notes: Notes) -> float:
    """The timestep: the caller's, or the file's."""
    if options.dt is not None:
        return options.dt
    node = flat.nodes[name]
    for found in (node.metadata.get("dt"), metadata.get("dt")):
        if isinstance(found, int | float) and 0 < found < float("inf"):
            notes.add(f"dt is {float(found):g}, as the file's metadata say")
            return float(found)
    tau, r = node.values.get("tau", node.values.get("tau_mem")), node.values.get("r")
    hint = ""
    if tau is not None and r is not None and tau.size and r.size in (1, tau.size) and np.all(r != 0) and np.all(r != 1):
        ratio = np.asarray(tau, np.float64) / r
        if np.isfinite(ratio).all() and ratio.min() > 0 and np.ptp(ratio) < 1e-4 * ratio.max():
            hint = f" Its tau / r is {ratio.flat[0]:.4g} throughout, which is the dt that snnTorch would have written it with."
    raise flat.error(name, "has a time constant or a delay, and the file does not say the timestep; give it with --dt SECONDS (dt=)." + hint)


def neuron(flat: FlatGraph, name: str, options: NirOptions, metadata: dict, notes: Notes, threshold_of: str = "") -> Neuron:
    """The node ``name``; with ``threshold_of`` a node that sends a value, and fires by that Threshold node, without a reset."""
    node = _Node(flat, name, notes)
    raw, size = node.raw, node.size
    model, zero = _MODELS[raw.kind], np.zeros(size)
    if threshold_of:
        model = _FIRING[model]
        notes.add(f"fires where the Threshold {threshold_of[:60]} behind it does, and keeps its v", name)
    fires = model not in (Model.LI, Model.CUBALI)
    reset = Reset.NONE
    if fires and not threshold_of and raw.kind != "Threshold":
        reset = _reset(node, options, metadata)
    if raw.kind == "Threshold":
        found = Neuron(model=model, size=size, gain=zero + 1, leak=zero, v_init=0.0, beta=0.0)
    else:
        found = _integrator(node, model, options, metadata, reset)
    if fires:
        level = _Node(flat, threshold_of, notes).array("threshold") if threshold_of else node.array(
            "threshold" if raw.kind == "Threshold" else "v_threshold")
        level = level - _shift(node, reset)
        if (level <= 0).any():
            raise flat.error(name, f"has a threshold of {level.min():g}" + (" above v_reset" if reset is Reset.ZERO else "")
                             + "; thresholds must be above 0, or the neuron fires by itself")
        found.threshold, found.reset, found.strict = level, reset, (options.fires or raw.metadata.get("fires")) != "at"
        if options.fires is None and raw.metadata.get("fires") not in ("above", "at"):
            notes.add("a neuron fires where v is above its threshold, not at it (--fires at)")
    if not np.isfinite(found.gain).all() or not np.isfinite(found.leak).all():
        raise flat.error(name, "has parameters whose product is infinite or not a number; check r, w_in, v_leak and the time constants")
    return found


def _shift(node: _Node, reset: Reset) -> np.ndarray:
    """What v is stored less of: v_reset, where a spike resets to it."""
    return node.array("v_reset") if reset is Reset.ZERO and node.raw.kind != "Threshold" else np.zeros(node.size)


def _integrator(node: _Node, model: Model, options: NirOptions, metadata: dict, reset: Reset) -> Neuron:
    """Decays, gains and the bias of the leak."""
    flat, name, kind, notes = node.flat, node.name, node.raw.kind, node.notes
    r, shift = node.array("r"), _shift(node, reset)
    if shift.any():
        notes.add("v is stored less v_reset, which changes no spike", name)
    if kind in ("IF", "I"):
        if np.abs(r).max() >= _PER_SECOND:
            r = r * step_of(flat, name, options, metadata, notes)
            notes.add("adds r I dt in each timestep: its r is per second, as spikingjelly 2 writes it", name)
        else:
            notes.add("adds r I in each timestep, whatever dt is, as simulators do", name)
        return Neuron(model=model, size=node.size, gain=r, leak=np.zeros(node.size), v_init=_number(-shift))
    dt = step_of(flat, name, options, metadata, notes)
    if options.decay_form is None:
        notes.add("forward Euler, decay 1 - dt / tau and gain r dt / tau, as Norse and snnTorch compute (--decay-form exponential: exp(-dt / tau))")

    def step(key: str) -> np.ndarray:
        """The part of the way to its target that a state goes in one timestep."""
        tau = node.array(key)
        if (tau <= 0).any():
            raise flat.error(name, f"has a {key} of {tau.min():g}; time constants must be above 0")
        if options.decay_form == "exponential":
            return -np.expm1(-dt / tau)
        d = dt / tau
        if d.max() > 1 + 1e-6:
            raise flat.error(name, f"has a {key} of {tau.min():g}, less than the timestep of {dt:g}: forward Euler has a negative decay there. "
                                   "Give a smaller --dt, or --decay-form exponential.")
        return np.minimum(d, 1.0)

    v_leak = node.array("v_leak") - shift
    if kind in ("LIF", "LI"):
        d = step("tau")
        if node.array("v_leak").any():
            notes.add("v starts at v_leak", name)
        return Neuron(model=model, size=node.size, gain=r * d, leak=v_leak * d, v_init=_number(v_leak), beta=_number(1 - d))
    if v_leak.any():
        raise flat.error(name, f"has a v_leak of {node.array('v_leak')[np.argmax(abs(v_leak))]:g}: a bias enters the synaptic current, not v, so it "
                               "cannot stand for a leak to another potential. Train with v_leak 0"
                         + (" (or v_leak = v_reset)." if reset is Reset.ZERO else "."))
    d, d_syn = step("tau_mem"), step("tau_syn")
    return Neuron(model=model, size=node.size, gain=r * d * node.array("w_in") * d_syn, leak=np.zeros(node.size), v_init=0.0, beta=_number(1 - d),
                  alpha=_number(1 - d_syn))


def _reset(node: _Node, options: NirOptions, metadata: dict) -> Reset:
    """The caller's, or what the file's metadata say (:mod:`.nir_export` writes it), or NIR's v_reset."""
    if options.reset is not None:
        reset = Reset(options.reset)
    else:
        said = node.raw.metadata.get("reset", metadata.get("reset"))
        if said in [r.value for r in Reset]:
            reset = Reset(said)
            node.notes.add(f"a spike resets v {RESETS[reset]}, as the file's metadata say", node.name)
        else:
            reset = Reset.ZERO
            node.notes.add("a spike resets v " + ("to v_reset" if "v_reset" in node.raw.values else "to 0, for the file has no v_reset")
                           + ", before the next step's leak (--reset subtract_before_decay, or another, where it was trained so)", node.name)
    if reset is not Reset.ZERO and node.array("v_reset").any():
        node.notes.add(f"v_reset is not used: the reset is {reset.value}", node.name)
    return reset
