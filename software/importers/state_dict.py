"""A chain of Linear and snnTorch Leaky layers, from its state dict.

* ``.pt``: keys such as ``fc1.weight``, ``lif1.beta`` or, of an nn.Sequential, ``0.weight``, ``1.threshold``. Linear layers form the
  chain in the order of the dict, and the k-th Leaky belongs to the k-th Linear.
* ``.npz``: ``w0``, ``b0``, ``w1``, ``b1``, ... (weights [post, pre]), and where wanted ``beta`` and ``threshold`` of all layers.

Semantics are snnTorch's: v = beta * v_prev + W s + b - theta * s_prev, v > theta fires. The reset "zero" of a
Leaky clears v before the next step's decay and input (snnTorch 1.0): our ``zero``. Older releases cleared the whole next v; a state dict does not say
which wrote it, and ``--reset zero_after`` means that.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...spec.errors import FileFormatError, NetworkError, ToolError
from ...spec.network import MAX_NEURONS, MAX_SYNAPSES, Model, Readout, Reset
from ..arrays import MAX_BYTES, read_npz

__all__ = ["read_state_dict"]

BETA, THRESHOLD, RESET = 0.9, 1.0, Reset.SUBTRACT  # where neither the caller nor the file says
MAX_LAYERS = 64
_SNNTORCH_RESETS = {0: Reset.SUBTRACT, 1: Reset.ZERO, 2: Reset.NONE}  # its buffer reset_mechanism_val
_LEAKY = ("beta", "threshold", "graded_spikes_factor", "reset_mechanism_val", "mem", "spk")


@dataclass
class _Layer:
    """One Linear and what is known of the Leaky behind it."""

    where: str
    weight: np.ndarray
    bias: np.ndarray | None = None
    leaky: dict[str, np.ndarray] = field(default_factory=dict)


def read_state_dict(path: str | Path, *, beta: float | None = None, threshold: float | None = None, reset: Reset | str | None = None,
                    readout: Readout | str = Readout.COUNT, payload: tuple[int, int] = (-1, 1),
                    labels: tuple[str, ...] = ()) -> FloatNetwork:
    """Read a state dict as a float network: populations ``input``, ``hidden1``, ..., ``output``.

    Parameters
    ----------
    beta, threshold, reset : of every layer; None takes what the file says, and where it says nothing 0.9, 1.0 and subtract.
    readout : of the last layer: COUNT of its spikes, or LAST, SUM or MAX of its v, and then it does not fire.
    payload : range of the input's payloads; :func:`quantize` widens it if its clips go beyond.
    labels : names of the classes.

    Raises FileFormatError for a file that cannot be read, is damaged or holds another kind of network, NetworkError for a parameter out
    of range, ToolError where a .pt is to be read and torch is not installed.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".npz":
        layers = _from_npz(path)
    elif kind in (".pt", ".pth"):
        layers = _from_torch(path)
    else:
        raise FileFormatError(f"{path}: a state dict is read from .pt and .npz files, not {kind or 'a file without a suffix'}")
    _check_chain(path, layers)
    readout = Readout(readout)
    if readout is Readout.NONE:
        raise NetworkError("The last layer needs a readout: count, last, sum or max")
    populations = [FloatPopulation(name="input", size=layers[0].weight.shape[1], model=Model.INPUT, payload_min=payload[0],
                                   payload_max=payload[1])]
    projections = []
    for i, layer in enumerate(layers):
        last = i == len(layers) - 1
        values = _leaky(path, layer, beta, threshold, reset)
        fires = not last or readout is Readout.COUNT
        populations.append(FloatPopulation(
            name="output" if last else f"hidden{i + 1}", size=layer.weight.shape[0], model=Model.LIF if fires else Model.LI,
            beta=values.beta, threshold=values.threshold, reset=values.reset if fires else Reset.NONE,
            bias=0.0 if layer.bias is None else layer.bias, readout=readout if last else Readout.NONE, labels=labels if last else ()))
        projections.append(FloatProjection(source=populations[-2].name, target=populations[-1].name, weights=layer.weight))
    # Names in a network are letters, digits and underscores.
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)[:60]
    return FloatNetwork(name=name if name[:1].isalpha() else f"net_{name}", populations=tuple(populations), projections=tuple(projections))


@dataclass(frozen=True)
class _Values:
    beta: float
    threshold: np.ndarray | float
    reset: Reset


def _leaky(path: Path, layer: _Layer, beta: float | None, threshold: float | None, reset: Reset | str | None) -> _Values:
    """Parameters of one layer's neurons: the caller's, or the file's, or the defaults."""
    found = layer.leaky
    size = layer.weight.shape[0]
    if beta is None:
        values = np.unique(found.get("beta", BETA))
        if values.size != 1:
            raise FileFormatError(f"{path}: {layer.where}: its neurons have {values.size} different betas ({values.min():g} to "
                                  f"{values.max():g}); one beta per layer is possible. Give one for all with --beta.")
        # snnTorch clamps a learned beta in the same way when it runs.
        beta = float(np.clip(values[0], 0.0, 1.0))
        if found.get("beta") is not None:  # float32 0.9 is 0.89999998; the nearest short decimal is what was meant
            beta = float(f"{beta:.7g}")
    if threshold is None:
        values = found.get("threshold", np.float32(THRESHOLD)).reshape(-1)
        if values.size not in (1, size):
            raise FileFormatError(f"{path}: {layer.where}: {values.size} thresholds for {size} neurons")
        level: np.ndarray | float = values if values.size > 1 else float(values[0])
    else:
        level = threshold
    if np.any(found.get("graded_spikes_factor", np.float32(1.0)) != 1.0):
        raise FileFormatError(f"{path}: {layer.where}: its spikes are scaled (graded_spikes_factor is not 1). Multiply the weights of the "
                              "next layer by the factor and set it to 1.")
    if reset is None:
        number = found.get("reset_mechanism_val")
        code = 0 if number is None or not number.size else int(number.reshape(-1)[0])
        if code not in _SNNTORCH_RESETS:
            raise FileFormatError(f"{path}: {layer.where}: reset mechanism {code} is unknown; 0 is subtract, 1 zero, 2 none")
        reset = RESET if number is None else _SNNTORCH_RESETS[code]
    return _Values(beta, level, Reset(reset))


def _check_chain(path: Path, layers: list[_Layer]) -> None:
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise FileFormatError(f"{path}: {len(layers)} Linear layers; a state dict of 1 to {MAX_LAYERS} is needed")
    if sum(layer.weight.size for layer in layers) > MAX_SYNAPSES:
        raise FileFormatError(f"{path}: {sum(layer.weight.size for layer in layers)} weights; at most {MAX_SYNAPSES} are possible")
    for before, layer in zip([None, *layers], layers, strict=False):
        post, pre = layer.weight.shape
        if not (1 <= post <= MAX_NEURONS and 1 <= pre <= MAX_NEURONS):
            raise FileFormatError(f"{path}: {layer.where} has shape [{post}, {pre}]; a layer has 1 to {MAX_NEURONS} neurons")
        if before is not None and before.weight.shape[0] != pre:
            raise FileFormatError(f"{path}: {layer.where} takes {pre} inputs, and {before.where} before it gives "
                                  f"{before.weight.shape[0]}: the layers do not form a chain in this order")
        if layer.bias is not None and layer.bias.shape != (post,):
            raise FileFormatError(f"{path}: {layer.where} has {post} neurons and a bias of shape {list(layer.bias.shape)}")
        for name, array in (("weights", layer.weight), ("biases", layer.bias), *layer.leaky.items()):
            if array is not None and not np.isfinite(array).all():
                raise FileFormatError(f"{path}: {layer.where}: {int((~np.isfinite(array)).sum())} {name} are infinite or not a number")


def _numbers(path: Path, name: str, array: np.ndarray, dimensions: int | None = None) -> np.ndarray:
    if array.dtype.kind not in "iufb" or (dimensions is not None and array.ndim != dimensions):
        need = "numbers" if dimensions is None else f"numbers of {dimensions} dimension{'s' if dimensions > 1 else ''}"
        raise FileFormatError(f"{path}: {name[:60]!r} must be {need}, not {array.dtype} of shape {list(array.shape)}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        return array.astype(np.float32)


def _from_npz(path: Path) -> list[_Layer]:
    arrays = read_npz(path)
    count = sum(1 for name in arrays if re.fullmatch(r"w\d+", name))
    layers = []
    for i in range(count):
        if f"w{i}" not in arrays:
            raise FileFormatError(f"{path}: w{i} is missing, though there are {count} weight matrices; they are numbered from w0 on")
        bias = arrays.pop(f"b{i}", None)
        layers.append(_Layer(where=f"w{i}", weight=_numbers(path, f"w{i}", arrays.pop(f"w{i}"), 2),
                             bias=None if bias is None else _numbers(path, f"b{i}", bias, 1)))
    for name in ("beta", "threshold"):
        if name in arrays:
            value = _numbers(path, name, arrays.pop(name))
            if value.size != 1:
                raise FileFormatError(f"{path}: {name} must be one number for all layers, not of shape {list(value.shape)}")
            for layer in layers:
                layer.leaky[name] = value.reshape(1)
    if arrays or not layers:
        has = ", ".join(repr(name[:40]) for name in list(arrays)[:5])
        raise FileFormatError(f"{path}: no state dict: it needs w0, b0, w1, ... (and may have beta and threshold)"
                              + (f", and has {has}" if has else ""))
    return layers


def _from_torch(path: Path) -> list[_Layer]:
    tensors = _load_torch(path)
    layers: dict[str, _Layer] = {}
    neurons: dict[str, dict[str, np.ndarray]] = {}
    biases: dict[str, np.ndarray] = {}
    for key, array in tensors.items():
        module, _, leaf = key.rpartition(".")
        if module.endswith("recurrent"):
            raise FileFormatError(f"{path}: {key[:80]!r} is a recurrent layer; a state dict is imported as a chain of Linear and Leaky "
                                  "layers only. Describe a recurrent network with the Python API (spikeloom.gen.float_network).")
        if leaf == "weight":
            layers[module] = _Layer(where=f"layer {module or 'weight'!r}", weight=_numbers(path, key, array, 2))
        elif leaf == "bias":
            biases[module] = _numbers(path, key, array, 1)
        elif leaf in _LEAKY:
            neurons.setdefault(module, {})[leaf] = _numbers(path, key, array)
        else:
            raise FileFormatError(f"{path}: {key[:80]!r} belongs to no Linear and no Leaky layer; only chains of these are imported")
    for module, bias in biases.items():
        if module not in layers:
            raise FileFormatError(f"{path}: {module[:60]!r} has a bias and no weight")
        layers[module].bias = bias
    if neurons and len(neurons) != len(layers):
        raise FileFormatError(f"{path}: {len(layers)} Linear layers and {len(neurons)} Leaky layers; each Linear needs one")
    for layer, values in zip(layers.values(), neurons.values(), strict=False):
        layer.leaky = values
    if not layers:
        raise FileFormatError(f"{path}: no state dict: it has no weights")
    return list(layers.values())


def _load_torch(path: Path) -> dict[str, np.ndarray]:
    """Tensors of a .pt by their names, in its order."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            if zipfile.is_zipfile(file):  # what torch.save writes; sizes are known before anything is unpacked
                with zipfile.ZipFile(file) as archive:
                    size = sum(entry.file_size for entry in archive.infolist())
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:
        raise FileFormatError(f"{path}: damaged or truncated: {error}") from error
    if size > MAX_BYTES:
        raise FileFormatError(f"{path}: unpacks to {size} bytes; at most {MAX_BYTES} are read")
    try:
        import torch
    except ImportError as error:
        raise ToolError(f"{path}: torch is needed to read a .pt file and is not installed. Install the extra 'train' "
                        "(pip install 'spikeloom[train]'), or save the weights as .npz with w0, b0, w1, b1, ...") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises UnpicklingError, RuntimeError, EOFError, KeyError and others for damaged files
        text = str(error).strip().splitlines()
        raise FileFormatError(f"{path}: not a state dict that can be read safely, or damaged ({(text or [type(error).__name__])[0][:200]}). "
                              "Save it with torch.save(model.state_dict(), ...).") from error
    for name in ("state_dict", "model_state_dict"):  # checkpoints wrap it
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in content.items()):
        raise FileFormatError(f"{path}: not a state dict: it holds {type(content).__name__}, and names with tensors are needed. "
                              "Save it with torch.save(model.state_dict(), ...).")
    total = sum(v.numel() for v in content.values())  # a view of a small storage may be huge
    if total > MAX_SYNAPSES + (1 << 20):
        raise FileFormatError(f"{path}: {total} numbers; at most {MAX_SYNAPSES} weights are possible")
    try:
        return {k: v.detach().to(torch.float32).numpy() for k, v in content.items()}
    except Exception as error:  # sparse, quantized or complex tensors
        raise FileFormatError(f"{path}: a tensor is no plain array of numbers ({str(error)[:200]})") from error
