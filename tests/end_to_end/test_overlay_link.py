"""One overlay behind its host link: networks of other shapes are loaded over the UART and give the golden model's answers; the command line of it."""

# amaranth: UnusedElaboratable=no

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import spikeloom
from spikeloom.gen.quantize import quantize
from spikeloom.sim import golden
from spikeloom.software.cli.main import main
from spikeloom.software.clips import read_clips
from spikeloom.software.host.device import Device
from spikeloom.software.importers.state_dict import read_state_dict
from spikeloom.spec.archive import save_network
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Readout

from ..linked import needs_compiler, shared_folder
from .overlay_networks import clip_of, layered

pytestmark = needs_compiler
# The published NeuroBench network's shape, 20-256-256-256-35, in small; and kws-small's, a hidden layer and leaky integrators that are read.
SMALL, LARGE = (8, 16, 16, 16, 6), (20, 256, 256, 256, 35)


def networks(sizes):
    return [layered("chain", sizes, 1), layered("reader", (sizes[0] + 4, sizes[1], 5), 2, payload=7, readout=Readout.SUM), layered("flat", (4, 3), 3)]


def clips_of(net, n=3, steps=8):
    return Clips.from_dense(np.stack([clip_of(net, steps, 10 * k + net.populations[0].size) for k in range(n)]))


@pytest.fixture(scope="module")
def overlay(tmp_path_factory):
    """The project of an overlay of the small chain, with room for the reader, and the networks' files."""
    folder = shared_folder(tmp_path_factory, "overlay")
    nets = networks(SMALL)
    for net in nets:
        save_network(net, folder / f"{net.name}.npz")
    if not (folder / "chip" / "device.v").exists():
        assert main(["build", str(folder / "chain.npz"), "--board", "generic", "--link", "6250000", "--lanes", "4", "--overlay", "--also",
                     str(folder / "reader.npz"), "-o", str(folder / "chip")]) == 0
    return folder, nets


def assert_golden(device, net, clips):
    want = golden.run(net, clips.dense())
    for n, result in enumerate(device.run(clips, spikes=net.outputs[-1].readout is Readout.COUNT)):
        assert (result.answer, result.confidence) == (want.answers[n], want.confidences[n])
        (name,) = result.readouts
        assert result.readouts[name].tolist() == want.readouts[name][n].tolist()
        assert len(result.spikes) == (want.readouts[name][n].sum() if net.outputs[-1].readout is Readout.COUNT else 0)
    assert n + 1 == clips.n_clips and len({tuple(r) for r in want.readouts[name].tolist()}) > 1, "clips that are all the same prove little"


def test_networks_of_other_shapes_are_swapped_over_the_link(overlay):
    folder, nets = overlay
    with Device.open(f"sim:{folder / 'chip'}") as device:
        for net in (nets[1], nets[0], nets[2], nets[1]):
            written = device.load(net)
            assert written and device.load(net) == 0  # what is there already is left alone
            assert_golden(device, net, clips_of(net))
        assert not any(device.status().values()) and device.link.repeated == 0
        assert device.identity.capacity is not None and [i.size for i in device.identity.inputs] == [12]


def test_what_was_loaded_outlives_a_restart(overlay):
    folder, nets = overlay
    with Device.open(f"sim:{folder / 'chip'}") as device:
        device.load(nets[1])
        device.restart()
        assert device.load(nets[1]) == 0
        assert_golden(device, nets[1], clips_of(nets[1], 2))


def test_a_network_that_does_not_fit_is_refused_before_anything_is_written(overlay):
    folder, nets = overlay
    with Device.open(f"sim:{folder / 'chip'}") as device:
        with pytest.raises(CapacityError, match=r"Device .chip.: Network .wide. does not fit the overlay: .*17 axons needed and 16 available"):
            device.load(layered("wide", (8, 17, 16, 6), 5))
        assert device.load(nets[0]) == 0


def test_deploy_run_and_cosim_by_the_command_line(overlay, capsys, tmp_path):
    folder, nets = overlay
    net, clips = nets[1], clips_of(nets[1], 2)
    np.savez(tmp_path / "clips.npz", x=clips.dense())
    sim = ["--device", f"sim:{folder / 'chip'}"]
    capsys.readouterr()
    assert main(["deploy", str(folder / "chip"), str(folder / "reader.npz"), *sim, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    assert main(["run", str(folder / "reader.npz"), *sim, "--input", str(tmp_path / "clips.npz"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["answers"] == [str(a) for a in golden.run(net, clips.dense()).answers] and found["errors"] == 0
    # The same Verilog, states and cycles and all, with this network loaded over its configuration port.
    assert main(["cosim", str(folder / "chip"), "--network", str(folder / "reader.npz"), "--input", str(tmp_path / "clips.npz"),
                 "--engine", "compiled", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["states_compared"] >= 2 * 8 * 21 and found["cycles_predicted"] == found["cycles_measured"] and not found["states_wrong"]
    assert main(["deploy", str(folder / "chip"), str(folder / "chain.npz"), *sim]) == 0
    wide = layered("wide", (8, 70, 6), 5)
    save_network(wide, tmp_path / "wide.npz")
    assert main(["deploy", str(folder / "chip"), str(tmp_path / "wide.npz"), *sim]) != 0
    assert "needed and" in capsys.readouterr().err


def test_image_and_verilog_have_digests_of_their_own(overlay):
    folder, _ = overlay
    found = json.loads((folder / "chip" / "manifest.json").read_text())
    for name in ("chip.v", "device.v", "image.npz", "network.npz"):
        assert found["sha256"][name] == hashlib.sha256((folder / "chip" / name).read_bytes()).hexdigest()
    assert sum(tile["values"] for tile in found["plan"]["capacity"]["tiles"]) == 1


def test_options_that_an_overlay_does_not_have(overlay, capsys, tmp_path):
    folder, _ = overlay
    given = ["build", str(folder / "chain.npz"), "--board", "generic", "-o", str(tmp_path / "chip")]
    for options, reason in ((["--overlay", "--counters"], "--counters"), (["--overlay", "--export-state"], "--export-state"),
                            (["--overlay", "--wrapper", "axi"], "--wrapper"), (["--overlay", "--fabric", "mesh"], "--fabric mesh"),
                            (["--capacity", "axons=3"], "--overlay"), (["--overlay", "--capacity", "colour=3"], "'colour'")):
        assert main([*given, *options]) != 0
        assert reason in capsys.readouterr().err
    assert main(["cosim", str(folder / "chip"), "--network", str(folder / "flat.npz"), "--input", str(folder / "flat.npz")]) != 0


@pytest.mark.slow
def test_the_published_networks_overlay_takes_kws_small(tmp_path, root):
    """The shape of NeuroBench's network with room for kws-small: both, swapped without a build, through the UART."""
    chain, reader = layered("chain", LARGE, 1), spikeloom.load(root / "models/kws-small.npz")
    save_network(chain, tmp_path / "chain.npz")
    assert main(["build", str(tmp_path / "chain.npz"), "--board", "generic", "--link", "6250000", "--overlay", "--also",
                 str(root / "models/kws-small.npz"), "-o", str(tmp_path / "chip")]) == 0
    with Device.open(f"sim:{tmp_path / 'chip'}") as device:
        for net in (reader, chain, reader):
            device.load(net)
            assert_golden(device, net, clips_of(net, 2, steps=6))


@pytest.mark.slow
def test_the_published_network_itself_and_kws_small_share_a_device(tmp_path, root, shared):
    """NeuroBench's weights and test clips, then kws-small on the five bundled recordings, on one `device.v` that no one builds again."""
    folder, models = shared / "truth/neurobench", root / "models/kws-small.npz"
    published = quantize(read_state_dict(folder / "neurobench_gsc_lif.npz", beta=0.9), weight_bits=8, scale="neuron").network
    spotter = spikeloom.load(models)
    save_network(published, tmp_path / "published.npz")
    assert main(["build", str(tmp_path / "published.npz"), "--board", "ulx3s_85f", "--link", "3000000", "--overlay", "--also", str(models),
                 "-o", str(tmp_path / "chip")]) == 0
    own = read_clips(folder / "gsc_test_events.npz", published, 3)
    spoken = Clips.from_dense(np.concatenate([read_clips(root / f"examples/clips/{word}.wav", spotter).dense()
                                              for word in ("yes", "no", "go", "stop", "left")]))
    before = hashlib.sha256((tmp_path / "chip/device.v").read_bytes()).hexdigest()
    with Device.open(f"sim:{tmp_path / 'chip'}") as device:
        for net, clips in ((published, own), (spotter, spoken), (published, own)):
            device.load(net)
            assert_golden(device, net, clips)
        assert not any(device.status().values()) and device.link.repeated == 0
    assert hashlib.sha256((tmp_path / "chip/device.v").read_bytes()).hexdigest() == before
