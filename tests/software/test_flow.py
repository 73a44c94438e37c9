"""Projects: what a build writes, and what is refused of one that was changed."""

import json
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import spikeloom
from spikeloom.gen.plan import plan
from spikeloom.software import flow
from spikeloom.software.chip_picture import chip_picture
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import CapacityError, FileFormatError, MismatchError, SpikeLoomError, ToolError
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset


def network(hidden=12, name="net", seed=1) -> Network:
    rng = np.random.default_rng(seed)
    return Network(name=name, populations=(
        Population(name="inp", size=6, model=Model.INPUT, payload_min=-1),
        Population(name="hid", size=hidden, model=Model.LIF, decay=Decay(shift_a=3), reset=Reset.SUBTRACT, theta=9, v_bits=12),
        Population(name="out", size=3, model=Model.LIF, decay=Decay(shift_a=2), theta=9, v_bits=12, readout=Readout.COUNT, labels=("a", "b", "c")),
    ), projections=(
        Projection(source="inp", target="hid", weights=rng.integers(-4, 8, (hidden, 6)), weight_bits=4),
        Projection(source="hid", target="hid", weights=rng.integers(-4, 4, (hidden, hidden)), weight_bits=4, delay=1),
        Projection(source="hid", target="out", weights=rng.integers(-4, 8, (3, hidden)), weight_bits=4),
    ))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    seen = []
    result = spikeloom.compile(network(), folder, board="ulx3s_85f", lanes=4, progress=lambda done, total: seen.append((done, total)))
    return folder, result, seen


def test_a_build_writes_a_whole_project_and_reports_its_progress(project):
    folder, result, seen = project
    assert {p.name for p in folder.iterdir()} == {"chip.v", "chip.svg", "image.npz", "network.npz", "manifest.json", "report.md", "cosim"}
    assert (result.tiles, result.lanes, result.fmax_mhz) == (2, 7, None)  # the readout's tile has as many lanes as neurons
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    report = (folder / "report.md").read_text()
    assert "| luts |" in report and "chip.svg" in report and "hid" in report


def thin(density=0.1, kind=Kind.DENSE) -> Network:
    """A network with one sparse matrix, in a loop of two populations."""
    rng = np.random.default_rng(3)
    x = Population(name="x", size=6, model=Model.INPUT)
    a, b = (Population(name=name, size=40, model=Model.LIF, decay=Decay(shift_a=3), theta=3, v_bits=10, readout=readout)
            for name, readout in (("a", Readout.NONE), ("b", Readout.COUNT)))
    weights = rng.integers(1, 8, (40, 40)) * (rng.random((40, 40)) < density)
    return Network(name="thin", populations=(x, a, b), projections=(
        Projection(source="x", target="a", weights=rng.integers(1, 8, (40, 6)), weight_bits=4),
        Projection(source="a", target="b", weights=weights, weight_bits=4, kind=kind),
        Projection(source="b", target="a", weights=weights.T, weight_bits=4, delay=1, kind=kind)))


@pytest.mark.parametrize("storage, given, stored", [
    ("auto", Kind.DENSE, Kind.SPARSE), ("dense", Kind.SPARSE, Kind.DENSE), ("as-given", Kind.DENSE, Kind.DENSE),
    ("as-given", Kind.SPARSE, Kind.SPARSE)])
def test_a_build_stores_projections_as_asked_and_reports_why(storage, given, stored, tmp_path):
    network = thin(kind=given)
    result = spikeloom.compile(network, tmp_path, lanes=8, storage=storage)
    chip, read, _ = flow.read_project(tmp_path)
    assert [p.kind for p in read.projections] == [Kind.DENSE, stored, stored]
    assert all((p.weights == q.weights).all() for p, q in zip(read.projections, network.projections))
    held = sum(t.lanes * (t.weight_depth * t.weight_bits + t.sparse_depth * (t.row_bits + t.sparse_weight_bits)) for t in chip.tiles)
    assert result.weight_bits_total == held
    report = (tmp_path / "report.md").read_text()
    assert "Its period is 2 phases per timestep: the loop a -> b -> a has 2 projections and a delay of 1 in all" in report
    assert f"| a -> b | i | {stored.value} | 0 | 4 bits | 1600 |" in report and "| x -> a | i | dense | 0 | 4 bits | 240 | 240 (100.0%) |" in report


def test_sparse_storage_takes_fewer_bits_and_its_verilog_equals_the_models(tmp_path):
    sizes = {}
    for storage in ("auto", "dense"):
        folder = tmp_path / storage
        folder.mkdir()
        sizes[storage] = spikeloom.compile(thin(), folder, lanes=8, storage=storage).weight_bits_total
    assert sizes["auto"] < 0.75 * sizes["dense"]
    if shutil.which("g++"):
        report = spikeloom.cosim(tmp_path / "auto", Clips.from_dense(np.random.default_rng(1).integers(0, 2, (2, 10, 6))), engine="compiled")
        assert report.equal, report.first_divergence


def test_a_storage_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one of auto, dense, as-given, not 'spares'"):
        spikeloom.compile(thin(), tmp_path, storage="spares")


def test_two_builds_are_equal_to_the_byte(project, tmp_path):
    folder, _, _ = project
    spikeloom.compile(network(), tmp_path, board="ulx3s_85f", lanes=4)
    for path in folder.rglob("*"):
        if path.is_file() and "build" not in path.relative_to(folder).parts:
            assert path.read_bytes() == (tmp_path / path.relative_to(folder)).read_bytes(), path


def test_a_project_reads_back_as_it_was_planned(project):
    folder, _, _ = project
    chip, read, manifest = flow.read_project(folder)
    assert chip == plan(network(), lanes=4, writable=True) and read.digest == network().digest and manifest["board"] == "ulx3s_85f"


def test_a_project_with_wrapper_states_and_counters_reads_back_as_such(tmp_path):
    spikeloom.compile(network(), tmp_path, lanes=4, wrapper="axi", export=True, counters=True)
    assert {p.name for p in (tmp_path / "axi").iterdir()} == {"chip_axi.v", "chip_axi.h", "chip_axi.md"}
    chip, *_ = flow.read_project(tmp_path)
    assert chip == plan(network(), lanes=4, writable=True, export=True, counters=True)


def test_a_wrapper_that_is_none_is_refused(tmp_path):
    with pytest.raises(ToolError, match="No wrapper 'wishbone'; there is axi"):
        spikeloom.compile(network(), tmp_path, wrapper="wishbone")


def _copy(project, tmp_path):
    for path in project[0].iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _edit(folder, old, new):
    text = (folder / "manifest.json").read_text()
    assert old in text
    (folder / "manifest.json").write_text(text.replace(old, new))


@pytest.mark.parametrize("change, text", [
    (lambda d: (d / "manifest.json").unlink(), "no manifest.json"),
    (lambda d: (d / "manifest.json").write_text("{"), "is damaged"),
    (lambda d: (d / "manifest.json").write_text("[]"), "is damaged"),
    (lambda d: spikeloom.save(network(seed=2), d / "network.npz"), "not the one that this project was built with"),
    (lambda d: (d / "image.npz").write_bytes((d / "image.npz").read_bytes()[:300]), "not the one that this project was built with"),
    (lambda d: _edit(d, '"period": 1', '"period": 2'), "its manifest was changed"),
    (lambda d: _edit(d, '"lanes": 4,\n  "tiles": null', '"lanes": "abc",\n  "tiles": null'), "is damaged"),
    (lambda d: _edit(d, '"export": false', '"export": 1'), "is damaged"),
    (lambda d: (d / "manifest.json").write_text((d / "manifest.json").read_text().replace('4,\n  "tiles": null', '8,\n  "tiles": null')),
     "was planned by another version"),
])
def test_a_project_that_was_changed_is_refused(project, tmp_path, change, text):
    folder = _copy(project, tmp_path)
    change(folder)
    with pytest.raises(FileFormatError, match=text):
        flow.read_project(folder)


def test_a_changed_verilog_is_run_and_said_to_be_changed(project, tmp_path):
    folder = _copy(project, tmp_path)
    _, _, found = flow.read_project(folder)
    assert not flow.verilog_changed(folder, found)
    (folder / "chip.v").write_text((folder / "chip.v").read_text() + "\n")
    assert flow.verilog_changed(folder, flow.read_project(folder)[2])


def test_a_board_without_a_flow_has_no_bitstream(tmp_path):
    with pytest.raises(SpikeLoomError, match="no flow to a bitstream"):
        spikeloom.compile(network(), tmp_path, board="generic", bitstream=True)
    assert list(tmp_path.iterdir()) == []


def test_no_clips_prove_nothing(project):
    with pytest.raises(MismatchError, match="no clips"):
        spikeloom.cosim(project[0], Clips.from_dense(np.zeros((0, 3, 6), dtype=np.int64)))


def test_an_unknown_board_lists_the_known(tmp_path):
    with pytest.raises(SpikeLoomError, match="ulx3s_85f, .*generic"):
        spikeloom.compile(network(), tmp_path, board="ulx4s")
    assert list(tmp_path.iterdir()) == []


def test_a_network_too_large_for_the_board_says_needed_available_and_what_would_fit(tmp_path):
    rng = np.random.default_rng(1)
    large = Network(name="large", populations=(
        Population(name="inp", size=1000, model=Model.INPUT),
        Population(name="hid", size=4000, model=Model.IF, theta=9, v_bits=16, output=True)),
        projections=(Projection(source="inp", target="hid", weights=rng.integers(-4, 4, (4000, 1000))),))
    with pytest.raises(CapacityError, match=r"needed and 208 available.*(would fit|would do)"):
        spikeloom.compile(large, tmp_path, board="ulx3s_85f")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tiles, fabric", [(None, "star"), (4, "star"), (5, "mesh")])
def test_the_picture_has_a_box_for_every_tile(tiles, fabric):
    chip = plan(network(), lanes=2, tiles=tiles, fabric=fabric)
    text = chip_picture(chip)
    ElementTree.fromstring(text)
    assert text == chip_picture(chip)
    assert all(f"tile {k}:" in text for k in range(len(chip.tiles))) and f"tile {len(chip.tiles)}:" not in text
    assert text.count("<path d=\"M") - 1 >= len(chip.tiles)


def test_the_manifest_is_json_with_sorted_sums(project):
    manifest = json.loads((project[0] / "manifest.json").read_text())
    assert set(manifest["sha256"]) == {"chip.v", "image.npz", "network.npz"} and len(manifest["plan_digest"]) == 64
