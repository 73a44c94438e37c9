"""Random networks on random chips, through generator, golden model, cycle model and Verilog: always equal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from strategies import plan_options, random_networks

from spikeloom.gen.emit import emit
from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim.engines import run as cosimulate
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Network

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


def random_clips(network: Network, seed: int, n_steps: int) -> Clips:
    """Two clips with any density of events, within the payload ranges."""
    rng = np.random.default_rng(seed)
    parts = []
    for p in network.inputs:
        x = rng.integers(p.payload_min, p.payload_max + 1, (2, n_steps, p.size))
        parts.append(x * (rng.random((2, n_steps, 1)) < rng.random((2, 1, 1))) * (rng.random(x.shape) < rng.random()))
    return Clips.from_dense(np.concatenate(parts, axis=2))


def check(data: st.DataObject) -> None:
    """One random network on one random chip."""
    network = data.draw(random_networks(), label="network")
    options = data.draw(plan_options(network), label="options")
    clips = random_clips(network, data.draw(st.integers(0, 2**32 - 1), label="seed"), data.draw(st.integers(1, 12), label="timesteps"))
    chip = plan(network, **options)
    note(f"{chip}")
    with tempfile.TemporaryDirectory() as name:
        emit(Path(name), chip, network, pack(chip, network))
        report = cosimulate("icarus", Path(name), chip, network, clips)
    assert report.equal, report.first_divergence


@settings(max_examples=6, suppress_health_check=QUIET, phases=(Phase.explicit, Phase.reuse, Phase.generate))  # shrinking takes minutes
@given(data=st.data())
def test_random_networks_equal_their_models(data):
    check(data)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=QUIET)
@given(data=st.data())
def test_many_random_networks_equal_their_models(data):
    check(data)
