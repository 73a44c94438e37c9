"""What the tests of the command line share: the library is replaced."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.software import api
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset


@pytest.fixture
def network() -> Network:
    rng = np.random.default_rng(1)
    return Network(name="tiny", metadata={"front_end": "logmel"}, populations=(
        Population(name="input", size=4, model=Model.INPUT, payload_max=7),
        Population(name="hidden", size=3, model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), reset=Reset.SUBTRACT,
                   theta=np.array([5, 6, 7]), readout=Readout.COUNT)),
        projections=(Projection(source="input", target="hidden", weights=rng.integers(-8, 8, (3, 4)), weight_bits=4),))


class Recorder:
    """Stands for a function of the library: notes its arguments, and returns or raises what it was given."""

    def __init__(self, outcome: object) -> None:
        self.outcome, self.args, self.options = outcome, (), {}

    def __call__(self, *args: object, **options: object) -> object:
        self.args, self.options = args, {key: value for key, value in options.items() if key != "progress"}
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome(*args, **options) if callable(self.outcome) else self.outcome


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch, network: Network):
    """Puts a Recorder in the place of a function of the library, and a network behind every name of a file."""
    monkeypatch.setattr(api, "load", lambda path: network)

    def put(name: str, outcome: object) -> Recorder:
        recorder = Recorder(outcome)
        monkeypatch.setattr(api, name, recorder)
        return recorder

    return put
