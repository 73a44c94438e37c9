"""Networks written as NIR and read again: the same parameters, the same spikes."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.float_network import FloatNetwork, FloatPopulation, FloatProjection, run_float
from spikeloom.gen.quantize import quantize
from spikeloom.sim import golden
from spikeloom.software import api
from spikeloom.software.importers.nir_graph import read_nir
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Gain, Model, Network, Readout, Reset

nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
pytest.importorskip("h5py", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")


def random_network(seed: int) -> FloatNetwork:
    """Every model that NIR has, recurrence, delays, biases, decays of each neuron."""
    rng = np.random.default_rng(seed)

    def weights(post: int, pre: int) -> np.ndarray:
        return rng.normal(0.1, 1.2, (post, pre)) / np.sqrt(pre)

    resets = rng.permutation(np.array(list(Reset)))
    populations = (
        FloatPopulation(name="x", size=6, model=Model.INPUT, payload_min=-1, payload_max=3),
        FloatPopulation(name="a", size=5, model=Model.LIF, beta=rng.uniform(0.5, 0.99, 5), threshold=rng.uniform(0.5, 1.5, 5), reset=resets[0],
                        bias=rng.normal(0, 0.1, 5), v_init=rng.uniform(0, 0.3, 5)),
        FloatPopulation(name="b", size=4, model=Model.CUBALIF, beta=0.9, alpha=rng.uniform(0.2, 0.8, 4), reset=resets[1], strict=False,
                        gain=rng.choice([Gain.UNIT, Gain.COMPLEMENT]), bias=rng.normal(0, 0.02, 4)),
        FloatPopulation(name="c", size=4, model=Model.IF, threshold=2.0, reset=resets[2], readout=Readout.COUNT),
        FloatPopulation(name="d", size=3, model=Model.CUBALI, beta=0.8, alpha=0.5, readout=Readout.LAST),
        FloatPopulation(name="e", size=3, model=Model.LI, beta=0.875, bias=rng.normal(0, 0.1, 3), readout=Readout.MAX))
    size = {p.name: p.size for p in populations}
    projections = [FloatProjection(source=a, target=b, weights=weights(size[b], size[a]), delay=delay) for a, b, delay in (
        ("x", "a", 0), ("a", "a", 1), ("a", "b", 0), ("x", "b", 3), ("b", "c", 0), ("c", "a", 2), ("c", "d", 0), ("c", "e", 0))]
    return FloatNetwork(name="random", populations=populations, projections=tuple(projections))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("dt", [1e-4, 1.0])
def test_a_network_comes_back_as_it_was(seed, dt, tmp_path) -> None:
    net = random_network(seed)
    nir.write(tmp_path / "random.nir", api.to_nir(net, dt=dt))
    back = read_nir(tmp_path / "random.nir")
    assert {p.name for p in net.populations} == {p.name for p in back.populations}
    for p in net.populations:
        q = back.population(p.name)
        assert (p.size, p.model, p.payload_max, p.readout) == (q.size, q.model, q.payload_max, q.readout)
        assert not p.spikes or (p.reset, p.strict) == (q.reset, q.strict)
        for name in ("beta", "alpha", "threshold", "bias", "v_init"):
            factor = 1 - p.of_each("beta") if name == "bias" and p.gain is Gain.COMPLEMENT else 1.0
            assert np.allclose(p.of_each(name) * factor, q.of_each(name), rtol=1e-5, atol=1e-6)
    key = {(q.source, q.target, q.delay): q.weights for q in back.projections}
    assert len(key) == len(net.projections)
    for q in net.projections:
        target = net.population(q.target)
        factor = 1 - target.of_each("beta")[:, None] if target.gain is Gain.COMPLEMENT else 1.0  # our importer puts all gains into the weights
        assert np.allclose(key[q.source, q.target, q.delay], q.weights * factor, rtol=1e-6)
    x = np.random.default_rng(seed).integers(-1, 4, (4, 60, 6))
    ours, theirs = run_float(net, x, record=True), run_float(back, x, record=True)
    assert all(np.mean(ours.spikes[name] == theirs.spikes[name]) >= 0.999 for name in ours.spikes)  # float32 at a threshold
    assert ours.spikes["a"].any() and ours.spikes["b"].any()


def test_a_quantized_network_comes_back_with_the_spikes_of_its_integers() -> None:
    """Decays without rounding (IF) and payloads of integers leave nothing to differ."""
    rng = np.random.default_rng(3)
    net = FloatNetwork(name="ints", populations=(
        FloatPopulation(name="x", size=6, model=Model.INPUT),
        FloatPopulation(name="a", size=8, model=Model.IF, threshold=1.0, bias=rng.normal(0, 0.05, 8)),
        FloatPopulation(name="b", size=3, model=Model.IF, threshold=0.8, reset=Reset.ZERO, readout=Readout.COUNT)), projections=(
        FloatProjection(source="x", target="a", weights=rng.normal(0.1, 0.5, (8, 6))),
        FloatProjection(source="a", target="a", weights=rng.normal(0, 0.3, (8, 8)), delay=1),
        FloatProjection(source="a", target="b", weights=rng.normal(0.1, 0.5, (3, 8)))))
    network = quantize(net).network
    back = read_nir(api.to_nir(network))
    x = rng.integers(0, 2, (5, 80, 6))
    found, result = run_float(back, x, record=True), golden.run(network, x, record=True)
    assert result.spikes["b"].any()
    for name in ("a", "b"):
        assert np.array_equal(found.spikes[name], result.spikes[name])


def one(**fields) -> FloatNetwork:
    p = FloatPopulation(**{"name": "n", "size": 2, "model": Model.LIF, "beta": 0.9, "readout": Readout.COUNT, **fields})
    return FloatNetwork(name="one", populations=(FloatPopulation(name="x", size=2, model=Model.INPUT), p),
                        projections=(FloatProjection(source="x", target="n", weights=np.eye(2)),))


@pytest.mark.parametrize(("fields", "text"), [
    ({"model": Model.ALIF}, "the model alif"), ({"refractory": 2}, "refractory timesteps"), ({"v_floor": -1.0}, "a lower clip"),
    ({"beta": np.array([0.5, 1.0])}, "infinite time constant"), ({"model": Model.CUBALIF, "alpha": 0.5, "v_init": 0.5}, "a v at the start")])
def test_what_nir_has_no_word_for_is_refused(fields, text) -> None:
    with pytest.raises(NetworkError, match=text):
        api.to_nir(one(**fields))
    assert isinstance(quantize(one()).network, Network)
