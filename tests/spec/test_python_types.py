"""Values of the wrong Python type in any field of a network's parts: a NetworkError that names the field's owner, or a network; never a TypeError."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout

STRANGE = (5, -1, 2.5, float("nan"), None, True, "text", "", b"bytes", [1], [[1], [1, 2]], ["x"], {}, {"a": 1}, {1}, object(), Model.LIF,
           np.int64(3), np.array(["a"]), np.zeros((2, 2, 2)), np.zeros(3, complex), Decay(), range(2), lambda: None)
X = {"name": "x", "size": 3, "model": Model.INPUT}
H = {"name": "h", "size": 2, "model": Model.LIF, "output": True}
XH = {"source": "x", "target": "h", "weights": np.ones((2, 3), int)}
GEOMETRY = {"shape": (1, 3, 3), "out_channels": 2, "kernel": (2, 2)}
PARTS = {
    "input": (Population, X), "lif": (Population, H),
    "gru": (Population, {**H, "model": Model.SPIKGRU, "gate_table": [0, 9]}), "alif": (Population, {**H, "model": Model.ALIF}),
    "vote": (Population, {**H, "readout": Readout.VOTE, "classes": [0, 1]}), "decays": (Population, {**H, "decay": Decay(factor=3, fraction_bits=2)}),
    "matrix": (Projection, XH), "codebook": (Projection, {**XH, "codebook": (0, 1)}),
    "conv": (Projection, {**XH, "kind": Kind.CONV, "conv": Conv(**GEOMETRY), "weights": np.ones((2, 1, 2, 2), int)}),
    "multiplier": (Decay, {"factor": 3, "fraction_bits": 2}), "shifts": (Decay, {"shift_a": 3, "shift_b": 4}), "geometry": (Conv, GEOMETRY),
    "network": (Network, {"name": "n", "populations": (Population(**X), Population(**H)), "projections": (Projection(**XH),)}),
    "float input": (FloatPopulation, X), "float lif": (FloatPopulation, H), "float gru": (FloatPopulation, {**H, "model": Model.SPIKGRU}),
    "float vote": (FloatPopulation, {**H, "readout": Readout.VOTE, "classes": np.array([0, 1])}),
    "float matrix": (FloatProjection, XH), "float conv": (FloatProjection, {**XH, "conv": Conv(**GEOMETRY), "weights": np.ones((2, 1, 2, 2))}),
    "float network": (FloatNetwork, {"name": "n", "populations": (FloatPopulation(**X), FloatPopulation(**H)),
                                     "projections": (FloatProjection(**XH),)}),
}


@pytest.mark.parametrize("part", PARTS)
def test_no_value_of_any_field_is_a_raw_error(part: str) -> None:
    kind, good = PARTS[part]
    kind(**good)
    refused = 0
    for field in fields(kind):
        for value in STRANGE:
            try:
                kind(**{**good, field.name: value})
            except NetworkError:
                refused += 1
            except Exception as error:
                raise AssertionError(f"{kind.__name__}({field.name}={value!r}) of {part}: {type(error).__name__}: {error}") from error
    assert refused > 10


@pytest.mark.parametrize(("build", "text"), [
    (lambda: Population(**{**H, "name": 5}), "Population 5: name must be text, not 5"),
    (lambda: Projection(**{**XH, "matrix": 5}), "Projection x -> h: matrix must be text, not 5"),
    (lambda: Projection(**{**XH, "source": ["x"]}), r"source must be text, not \['x'\]"),
    (lambda: Projection(**{**XH, "weights": [[1, 2, 3], [1]]}), "Projection x -> h: weights must be an array of numbers, with rows of one length"),
    (lambda: Network(name="n", populations=5, projections=()), "Network 'n': populations must be a list of Populations, not 5"),
    (lambda: Decay(factor=0.9, fraction_bits=8), "Decay: factor must be an integer, not 0.9"),
])
def test_what_is_wrong_is_said(build, text: str) -> None:
    with pytest.raises(NetworkError, match=text):
        build()
