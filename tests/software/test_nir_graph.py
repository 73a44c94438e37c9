"""NIR graphs as float networks: every node, what writers leave out, and what is refused. Numbers are worked out by hand from NIR's equations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spikeloom.gen.float_network import FloatNetwork, run_float
from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.importers.nir_graph import is_nir, read_nir
from spikeloom.spec.errors import FileFormatError, NetworkError
from spikeloom.spec.network import Model, Readout, Reset

nir = pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
h5py = pytest.importorskip("h5py", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")

W = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.5]])
ONE, ZERO = np.ones(2), np.zeros(2)


def lif(tau=0.01, r=1.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0, n=2, **more):
    return nir.LIF(*(np.full(n, float(x)) for x in (tau, r, v_leak, v_threshold, v_reset)), **more)


def graph(nodes: dict, *edges: tuple[str, str], n_in: int = 3, n_out: int = 2, **more) -> nir.NIRGraph:
    """Input -> nodes -> Output: a chain, or the edges."""
    nodes = {"input": nir.Input(np.array([n_in])), **nodes, "output": nir.Output(np.array([n_out]))}
    names = list(nodes)
    return nir.NIRGraph(nodes, list(edges) or list(zip(names, names[1:], strict=False)), type_check=False, **more)


def assumed(net: FloatNetwork) -> str:
    return "\n".join(net.metadata["nir"]["assumed"])


def test_a_lif_has_the_decay_gain_and_bias_of_its_equation() -> None:
    net = read_nir(graph({"fc": nir.Affine(W, np.array([1.0, 2.0])), "lif": lif(r=3.0, v_leak=0.5)}), dt=1e-3)
    p, q = net.population("lif"), net.projections[0]
    assert (p.model, p.beta, p.reset, p.strict, p.readout) == (Model.LIF, 0.9, Reset.ZERO, True, Readout.COUNT)
    assert np.allclose(q.weights, W * 3 * 0.1) and np.allclose(p.bias, [0.3 + 0.05, 0.6 + 0.05]) and p.v_init == 0.5
    for text in ("to v_reset", "forward Euler", "above its threshold", "v starts at v_leak", "spike count"):
        assert text in assumed(net)


def test_the_exponential_form_is_exact_for_a_constant_input() -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "lif": lif(r=3.0)}), dt=1e-3, decay_form="exponential")
    assert net.population("lif").beta == pytest.approx(np.exp(-0.1), rel=1e-6)
    assert np.allclose(net.projections[0].weights, W * 3 * (1 - np.exp(-0.1)))
    assert "Euler" not in assumed(net)


def test_a_cubalif_has_two_decays_and_both_gains() -> None:
    node = nir.CubaLIF(tau_syn=ONE * 0.005, tau_mem=ONE * 0.01, r=ONE * 4, v_leak=ZERO, v_threshold=ONE, w_in=ONE * 2)
    net = read_nir(graph({"fc": nir.Linear(W), "lif": node}), dt=1e-3)
    p = net.population("lif")
    assert (p.model, p.alpha, p.beta) == (Model.CUBALIF, 0.8, 0.9)
    assert np.allclose(net.projections[0].weights, W * 4 * 0.1 * 2 * 0.2)


def test_a_reset_to_another_potential_shifts_v() -> None:
    """By hand: v = v + 0.1 (v_leak - v + I), fires above 1, resets to -0.5."""
    net = read_nir(graph({"fc": nir.Linear(np.eye(2)), "lif": lif(v_leak=0.2, v_reset=-0.5)}, n_in=2), dt=1e-3)
    x = np.random.default_rng(1).integers(0, 40, (3, 200, 2))
    v, spikes = np.full((3, 2), 0.2), []
    for t in range(200):
        v = v + 0.1 * (0.2 - v + x[:, t])
        spikes.append(v > 1)
        v = np.where(v > 1, -0.5, v)
    ours = run_float(net, x, record=True).spikes["lif"]
    assert 100 < ours.sum() < 1000 and np.array_equal(ours, np.stack(spikes, axis=1))


def test_a_cubalif_with_a_leak_is_refused_unless_it_resets_there() -> None:
    def net(v_reset):
        node = nir.CubaLIF(tau_syn=ONE * 0.005, tau_mem=ONE * 0.01, r=ONE, v_leak=ONE * 0.3, v_threshold=ONE, v_reset=ONE * v_reset)
        return read_nir(graph({"fc": nir.Linear(W), "cuba": node}), dt=1e-3)

    with pytest.raises(FileFormatError, match=r"'cuba' \(CubaLIF\) has a v_leak of 0.3.*Train with v_leak 0"):
        net(0.0)
    assert np.allclose(net(0.3).population("cuba").threshold, 0.7)


@pytest.mark.parametrize(("node", "model", "beta", "readout"), [
    (lambda: nir.IF(r=ONE * 2, v_threshold=ONE), Model.IF, 1.0, Readout.COUNT),
    (lambda: nir.I(r=ONE * 2), Model.LI, 1.0, Readout.MAX),
    (lambda: nir.LI(tau=ONE * 0.01, r=ONE * 20, v_leak=ZERO), Model.LI, 0.9, Readout.MAX),
    (lambda: nir.CubaLI(tau_syn=ONE * 0.002, tau_mem=ONE * 0.01, r=ONE * 20, v_leak=ZERO, w_in=ONE * 2), Model.CUBALI, 0.9, Readout.MAX),
    (lambda: nir.Threshold(ONE * 0.5), Model.LIF, 0.0, Readout.COUNT)])
def test_the_other_neurons(node, model, beta, readout) -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "n": node()}), dt=1e-3)
    p = net.population("n")
    assert (p.model, p.beta, p.readout) == (model, beta, readout)
    assert np.allclose(net.projections[0].weights, W * (1 if p.beta == 0 else 2))
    api.quantize(net)


def test_if_and_threshold_need_no_timestep() -> None:
    read_nir(graph({"fc": nir.Linear(W), "a": nir.IF(r=ONE, v_threshold=ONE), "s": nir.Scale(ONE * 2), "b": nir.Threshold(ONE)}))


def test_a_threshold_behind_an_integrator_is_a_neuron_without_a_reset() -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "li": nir.LI(tau=ONE * 0.01, r=ONE, v_leak=ZERO), "t": nir.Threshold(ONE * 3)}), dt=1e-3)
    p = net.population("li")
    assert (p.model, p.reset) == (Model.LIF, Reset.NONE) and np.allclose(p.threshold, 3) and len(net.populations) == 2


def test_linear_nodes_multiply_out_and_sums_add() -> None:
    nodes = {"flat": nir.Flatten({"input": np.array([3])}, 0, -1), "scale": nir.Scale(np.array([1.0, 2.0, 3.0])),
             "a": nir.Affine(W, np.array([1.0, 0])), "b": nir.Linear(2 * W), "d": nir.Delay(np.array([0.0, 0.003])),
             "n": nir.IF(r=ONE, v_threshold=ONE)}
    edges = ("input", "flat"), ("flat", "scale"), ("scale", "a"), ("input", "b"), ("b", "d"), ("a", "n"), ("d", "n"), ("n", "output")
    net = read_nir(graph(nodes, *edges), dt=1e-3)
    now, later = sorted(net.projections, key=lambda q: q.delay)
    assert (now.delay, later.delay) == (0, 3)
    assert np.allclose(now.weights, W * [1, 2, 3] + 2 * W * [[1], [0]]) and np.allclose(later.weights, 2 * W * [[0], [1]])
    assert np.allclose(net.population("n").bias, [1, 0])


def test_a_subgraph_with_a_loop_comes_back_one_step_later() -> None:
    inner = nir.NIRGraph({"input": nir.Input(np.array([2])), "lif": lif(), "w_rec": nir.Linear(np.eye(2)), "output": nir.Output(np.array([2]))},
                         [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")])
    net = read_nir(graph({"fc": nir.Linear(W), "rnn": inner}), dt=1e-3)
    assert [(q.name, q.delay) for q in net.projections] == [("input->rnn_lif", 0), ("rnn_lif->rnn_lif", 1)]
    assert "edge from rnn.lif back to rnn.lif arrives one timestep later" in assumed(net)


def test_a_cycle_of_populations_is_broken_at_the_edge_that_closes_it() -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "a": lif(), "ab": nir.Linear(np.eye(2)), "b": lif(), "ba": nir.Linear(np.eye(2))}, ("input", "fc"),
                         ("fc", "a"), ("a", "ab"), ("ab", "b"), ("b", "ba"), ("ba", "a"), ("b", "output")), dt=1e-3)
    assert {(q.name, q.delay) for q in net.projections} == {("input->a", 0), ("a->b", 0), ("b->a", 1)}


def test_a_loop_with_a_delay_keeps_it() -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "a": lif(), "d": nir.Delay(ONE * 0.002)}, ("input", "fc"), ("fc", "a"), ("a", "d"), ("d", "a"),
                         ("a", "output")), dt=1e-3)
    assert net.projections[0].delay == 2 or net.projections[1].delay == 2
    assert "arrives" not in assumed(net)


def test_a_loop_without_a_neuron_is_refused() -> None:
    with pytest.raises(FileFormatError, match=r"'fc' \(Linear\) feeds itself .* Put a neuron into the loop"):
        read_nir(graph({"fc": nir.Linear(np.eye(2)), "a": lif()}, ("input", "fc"), ("fc", "fc"), ("fc", "a"), ("a", "output"), n_in=2), dt=1e-3)


def test_weights_before_the_output_are_read_as_a_sum() -> None:
    net = read_nir(graph({"a": lif(n=3), "fc": nir.Linear(W)}), dt=1e-3)
    p = net.population("output")
    assert (p.model, p.beta, p.readout) == (Model.LI, 0.0, Readout.SUM) and "without memory" in assumed(net)
    x = np.random.default_rng(0).integers(0, 30, (2, 50, 3))
    result = run_float(net, x, record=True)
    assert np.allclose(result.readouts["output"], result.spikes["a"].sum(axis=1) @ W.T)


def test_options_and_metadata_say_what_nir_leaves_open() -> None:
    net = read_nir(graph({"fc": nir.Linear(W), "lif": lif()}, metadata={"dt": 1e-3}), reset="subtract_before_decay", fires="at")
    p = net.population("lif")
    assert (p.beta, p.reset, p.strict) == (0.9, Reset.SUBTRACT_BEFORE_DECAY, False)
    assert "dt is 0.001, as the file's metadata say" in assumed(net) and "resets" not in assumed(net)
    read = read_nir(graph({"fc": nir.Linear(W), "lif": lif(v_leak=0.2)}), dt=1e-3, readout="max").population("lif")
    assert (read.model, read.readout, read.reset) == (Model.LI, Readout.MAX, Reset.NONE)


@pytest.mark.parametrize(("nodes", "text"), [
    ({"fc": nir.Linear(W), "lif": lif(r=10.0, tau=1e-3)}, r"'lif' \(LIF\) has a time constant.*--dt SECONDS.*tau / r is 0.0001 throughout"),
    ({"d": nir.Delay(np.full(3, 0.1)), "fc": nir.Linear(W), "i": nir.IF(ONE, ONE)}, r"'d' \(Delay\) has a time constant or a delay.*--dt"),
    ({"conv": nir.Conv1d(3, np.ones((2, 1, 2)), 1, 0, 1, 1, ZERO), "i": nir.IF(np.ones(5), np.ones(5))}, r"their shapes do not fit"),
    ({"pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))},
     r"'pool' \(SumPool2d\) needs the shape of its map.*give the Input"),
    ({"fc": nir.Linear(W), "i": nir.IF(ONE, -ONE)}, r"'i' \(IF\) has a threshold of -1.*must be above 0"),
    ({"fc": nir.Linear(W), "i": nir.IF(ONE * np.nan, ONE)}, r"'i' \(IF\) has 2 values of r that are infinite or not a number"),
    ({"fc": nir.Linear(W), "i": nir.IF(np.ones(4), np.ones(4))}, r"their shapes do not fit"),
    ({"fc": nir.Linear(W), "i": nir.I(ONE), "fc2": nir.Linear(np.eye(2)), "j": nir.IF(ONE, ONE)}, r"'i' \(I\) sends a value into 'j'")])
def test_what_cannot_be_imported_names_the_node_and_the_remedy(nodes, text) -> None:
    with pytest.raises(FileFormatError, match=text):
        read_nir(graph(nodes))


def test_a_timestep_longer_than_a_time_constant_needs_the_exponential_form() -> None:
    with pytest.raises(FileFormatError, match="Give a smaller --dt, or --decay-form exponential"):
        read_nir(graph({"fc": nir.Linear(W), "lif": lif()}), dt=0.02)
    read_nir(graph({"fc": nir.Linear(W), "lif": lif()}), dt=0.02, decay_form="exponential")


def old_file(path: Path, nodes: dict[str, dict], edges: list[tuple[str, str]]) -> Path:
    """A file as it comes from writers that leave things out, or from hostile ones."""
    with h5py.File(path, "w") as f:
        f["version"] = "0.1"
        f["node/type"] = "NIRGraph"
        f["node"].create_dataset("edges", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=h5py.string_dtype())
        f.create_group("node/nodes")
        for name, fields in nodes.items():
            for key, value in fields.items():
                f[f"node/nodes/{name}/{key}"] = value
    return path


CHAIN = {"input": {"type": "Input"}, "fc": {"type": "Linear", "weight": W}, "lif": {"type": "LIF", "tau": 0.01, "v_threshold": 1.0},
         "output": {"type": "Output"}}
EDGES = [("input", "fc"), ("fc", "lif"), ("lif", "output")]


def test_scalars_are_spread_shapes_found_and_double_edges_count_once(tmp_path) -> None:
    net = read_nir(old_file(tmp_path / "a-1.nir", CHAIN, [*EDGES, EDGES[0]]), dt=1e-3)
    assert net.name == "a_1" and [p.size for p in net.populations] == [3, 2] and np.allclose(net.projections[0].weights, W * 0.1)
    for text in ("lif: a parameter that is one number holds for all",
                 "lif: r is 1, for the file", "input -> fc, 2 times in the file, counts once", "no v_reset"):
        assert text in assumed(net)


@pytest.mark.parametrize("fields", [{"shape": [1, 3]}, {"input_type/input": [3]}, {"input_type": [3]}, {"input_type/input": h5py.Empty("f4")}])
def test_a_shape_is_read_wherever_a_writer_put_it(fields, tmp_path) -> None:
    nodes = {"input": {"type": "Input", **fields}, "flat": {"type": "Flatten", "start_dim": 0, "end_dim": -1, **fields},
             "lif": {"type": "LIF", "tau": 0.01, "v_threshold": 1.0}, "output": {"type": "Output"}}
    path = old_file(tmp_path / "a.nir", nodes, [("input", "flat"), ("flat", "lif"), ("lif", "output")])
    if "input_type/input" in fields and isinstance(fields["input_type/input"], h5py.Empty):
        with pytest.raises(FileFormatError, match="has a size that nothing in the file says; give the Input a shape"):
            read_nir(path, dt=1e-3)
    else:
        assert [p.size for p in read_nir(path, dt=1e-3).populations] == [3, 3]


def test_a_graph_without_ends_gets_them(tmp_path) -> None:
    path = old_file(tmp_path / "a.nir", {k: v for k, v in CHAIN.items() if k in ("fc", "lif")}, [("fc", "lif")])
    net = read_nir(path, dt=1e-3)
    assert [p.size for p in net.populations] == [3, 2] and net.populations[-1].readout is Readout.COUNT
    assert "no Input node" in assumed(net) and "no Output node" in assumed(net)


def test_hostile_files_are_refused(tmp_path) -> None:
    def refused(text: str, path: Path = tmp_path / "a.nir") -> None:
        with pytest.raises(FileFormatError, match=text):
            read_nir(path, dt=1e-3)

    refused("cannot be read")
    (tmp_path / "a.nir").write_bytes(b"PK\x03\x04" * 9)
    refused("a NIR graph is an HDF5 file")
    whole = old_file(tmp_path / "a.nir", CHAIN, EDGES).read_bytes()
    for n in (9, 100, len(whole) // 2):
        (tmp_path / "a.nir").write_bytes(whole[:n])
        refused("damaged or truncated")
    refused("no node 'gone'", old_file(tmp_path / "b.nir", CHAIN, [*EDGES, ("lif", "gone")]))
    refused("'x' .Mystery. is of a type that is not known", old_file(tmp_path / "c.nir", {**CHAIN, "x": {"type": "Mystery"}}, EDGES))
    refused("has no tau", old_file(tmp_path / "d.nir", {**CHAIN, "lif": {"type": "LIF", "v_threshold": np.ones(2)}}, EDGES))
    path = old_file(tmp_path / "e.nir", CHAIN, EDGES)
    with h5py.File(path, "r+") as f:
        f["node/nodes/fc/bias"] = h5py.ExternalLink("/etc/passwd", "/x")
    refused("is a link to another place or file", path)
    path = old_file(tmp_path / "f.nir", {k: v for k, v in CHAIN.items() if k != "fc"}, EDGES)
    with h5py.File(path, "r+") as f:  # 64 GiB of zeros in some hundred bytes
        f["node/nodes/fc/type"] = "Linear"
        f["node/nodes/fc"].create_dataset("weight", shape=(1 << 17, 1 << 17), dtype="f4", compression="gzip")
    refused("unpack to more than", path)
    path = old_file(tmp_path / "g.nir", CHAIN, EDGES)
    with h5py.File(path, "r+") as f:
        f["node/nodes/loop"] = f["node"]  # a graph that holds itself
    refused("nested more than 8 deep", path)


def test_the_command_line_shows_what_was_assumed(tmp_path, capsys) -> None:
    path = old_file(tmp_path / "a.nir", CHAIN, EDGES)
    argv = ["quantize", str(path), "-o", str(tmp_path / "n.npz")]
    assert main(argv) == 2 and "--dt SECONDS" in capsys.readouterr().err
    assert main([*argv, "--dt", "1e-3", "--fires", "at"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("assumed: ") and "--fires" not in out
    assert main([*argv, "--dt", "1e-3", "--json"]) == 0
    assert any("forward Euler" in line for line in json.loads(capsys.readouterr().out)["assumed"])
    assert main([*argv, "--dt", "1e-3", "--beta", "0.9"]) == 2 and "--beta is an option of a state dict" in capsys.readouterr().err


def test_sources_are_told_apart(tmp_path) -> None:
    assert is_nir("a.nir") and is_nir(Path("b.NIR")) and is_nir(graph({"lif": lif(n=3)}, n_out=3)) and not is_nir("a.npz")
    np.savez(tmp_path / "a.npz", w0=W)
    with pytest.raises(NetworkError, match="--dt is an option of a NIR graph"):
        api.quantize(tmp_path / "a.npz", dt=1e-3)
    with pytest.raises(NetworkError, match="Decay form must be one of euler, exponential"):
        read_nir(graph({"lif": lif(n=3)}, n_out=3), decay_form="heun")
