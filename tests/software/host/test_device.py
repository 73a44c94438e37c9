"""A device in simulation: identified, loaded, verified, run, recorded and replayed; every answer is that of the golden model."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import numpy as np
import pytest

from spikeloom.gen.identity import memory_sizes
from spikeloom.gen.pack import pack
from spikeloom.hdl.config_port import memory_words
from spikeloom.sim import golden
from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.host import operations as ops
from spikeloom.software.host.async_device import AsyncDevice
from spikeloom.software.host.device import Device
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import CapacityError, DeviceError, FileFormatError, MismatchError
from spikeloom.spec.link import Op, Tag
from spikeloom.spec.network import Network

from ...linked import chip_of, needs_compiler, network, project, shared_folder

pytestmark = needs_compiler
OWN, OTHER = network(5), network(6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return project(shared_folder(tmp_path_factory, "linked"), OWN)


@pytest.fixture
def device(folder):
    with Device.open(f"sim:{folder}") as opened:
        yield opened


def clips(n: int, n_steps: int = 9, seed: int = 1) -> Clips:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 4, (n, n_steps, 8)) * (rng.random((n, n_steps, 8)) < 0.4)
    return Clips.from_dense(x, labels=rng.integers(0, 4, n))


def assert_golden(net: Network, given: Clips, results) -> None:
    want = golden.run(net, given.dense(), record=True)
    assert len(results) == given.n_clips
    for n, result in enumerate(results):
        assert (result.answer, result.confidence) == (want.answers[n], want.confidences[n])
        assert result.readouts["y"].tolist() == want.readouts["y"][n].tolist()
        assert sorted((t, k) for o, k, t, p in result.spikes) == [(t, k) for t, k in np.argwhere(want.spikes["h"][n]).tolist()]


def test_it_says_what_it_is(device):
    chip = chip_of(OWN)
    found = device.identity
    assert found.network == OWN.digest and found.reads and found.depth == 2048 and found.places == 256
    assert [(i.population, i.size, i.payload_max) for i in found.inputs] == [("x", 8, 3)]
    assert [(o.population, o.readout, o.values) for o in found.outputs] == [("h", "none", 0), ("y", "sum", 4)]
    for number, (tile, there) in enumerate(zip(chip.tiles, found.tiles, strict=True)):
        assert there.lanes == tile.lanes
        # What the plan says without any hardware is what the hardware has.
        assert {k: size for k, size in enumerate(there.memories) if size} == memory_words(chip, number)
        assert list(there.memories) == memory_sizes(chip, tile)


def test_clips_give_what_the_golden_model_gives(device):
    given = clips(5)
    assert_golden(OWN, given, list(device.run(given, spikes=True)))
    assert not any(device.status().values()) and device.link.repeated == 0


def test_another_network_is_loaded_verified_and_run(device):
    assert device.differing(device.program(OWN)) == []
    program = device.program(OTHER)
    assert device.load(program) == len(device.differing(device.program(OWN))) > 0
    assert device.differing(program) == [] and device.load(program) == 0
    given = clips(3, seed=2)
    assert_golden(OTHER, given, list(device.run(given, spikes=True)))
    chip = chip_of(OTHER)
    for number, (tile, image) in enumerate(zip(chip.tiles, pack(chip, OTHER).tiles, strict=True)):
        for memory, words in enumerate(image.words(tile)):
            size = device.identity.tiles[number].memories[memory]
            if size:
                assert device.read_words(number, memory, 0, size[0]) == list(words)


def test_a_memory_that_lost_a_bit_is_found(device, monkeypatch):
    program = device.program(OWN)
    word = program.memories[0].words[3]
    device.write_words(program.memories[0].tile, program.memories[0].memory, 3, [word ^ 4])
    assert device.differing(program) == [program.memories[0]]
    monkeypatch.setattr(ops, "write", lambda words, width, write=ops.write: write([w ^ 1 for w in words], width))
    with pytest.raises(MismatchError, match="weights of tile 0 does not hold what was written"):
        device.load(program)


def test_states_are_kept_between_timesteps_and_come_back(device):
    # Two halves of a clip without RESET between them are the whole clip.
    (given,) = [clips(1, 8, 3).dense()[0]]
    halves = [[op for row in part for op in (*ops.events(np.zeros(np.count_nonzero(row)), np.flatnonzero(row), row[row != 0]), ops.step())]
              for part in (given[:4], given[4:])]
    device.execute([ops.control(Op.RESET), *halves[0]])
    states = [device.read_words(k, 5, 0, tile.memories[5][0]) for k, tile in enumerate(device.identity.tiles)]
    device.execute([*halves[1]])
    device.execute([ops.control(Op.RESET)])
    for k, words in enumerate(states):
        device.write_words(k, 5, 0, words)
    records = device.execute([*halves[1], ops.control(Op.READ)])
    # RESET cleared the sums, and nothing else that matters: what comes is the sum of the second half.
    whole, first = (golden.run(OWN, part[None]).readouts["y"][0] for part in (given, given[:4]))
    assert [r.value for r in records if r.tag is Tag.READOUT] == (whole - first).tolist()
    assert (whole - first).tolist() != golden.run(OWN, given[None, 4:]).readouts["y"][0].tolist(), "the states made no difference"


def test_bad_events_are_refused_and_counted(device):
    device.execute([ops.control(Op.RESET), *ops.events([0, 0, 1, 0, 0, 0], [0, 0, 1, 9, 300, 2], [1, 1, 1, 1, 1, 200]), ops.step()])
    found = device.status()
    assert (found["rejected_duplicate"], found["refused_events"], found["chip_errors"]) == (1, 4, 4)
    device.restart()
    assert device.status()["chip_errors"] == 0


def test_a_network_that_does_not_fit_is_refused_with_the_reason(device):
    with pytest.raises(CapacityError, match=r"Network 'linked5' does not fit the device 'chip': it has the outputs \[\('h', 30, 'none'\)"):
        device.load(network(5, hidden=30))
    with pytest.raises(DeviceError, match="the clips have 3 channels, and the device's inputs 8"):
        list(device.run(Clips.from_dense(np.ones((1, 2, 3), dtype=np.int64))))


def test_a_recording_gives_the_same_answers_and_refuses_anything_else(folder, tmp_path):
    given, path = clips(3), tmp_path / "traffic.jsonl"
    first = api.run(OTHER, given, device=f"sim:{folder}", record=path)
    again = api.run(OTHER, given, device=f"replay:{path}")
    assert first.answers == again.answers and first.accuracy == again.accuracy and first.confidences == again.confidences
    want = golden.run(OTHER, given.dense()).answers
    assert list(first.answers) == ["abcd"[n] for n in want] and first.errors == 0
    with pytest.raises(DeviceError, match="does not go with what is sent now"):
        api.run(OTHER, clips(3, seed=9), device=f"replay:{path}")
    with pytest.raises(DeviceError, match="the recording is over"):
        _longer(path, given)
    broken = tmp_path / "broken.jsonl"
    for text in ("", "{}", "[]\n", path.read_text()[:80] + "\n{\"w\": 3}", "\0"):
        broken.write_text(text)
        with pytest.raises(FileFormatError, match="is no recording of a device"):
            Device.open(f"replay:{broken}")


def _longer(path, given):
    """What was recorded, and one request more."""
    with Device.open(f"replay:{path}") as device:
        device.load(OTHER)
        device.status()
        list(device.run(given))
        device.status()
        device.status()


def test_the_command_line(folder, tmp_path, capsys):
    archive, path = tmp_path / "other.npz", tmp_path / "clips.npz"
    api.save(OTHER, archive)
    given = clips(2)
    np.savez(path, x=given.dense(), y=given.labels)
    assert main(["deploy", str(folder), str(archive), "--device", f"sim:{folder}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["network"] == "linked6" and found["verified"] is True and found["written"] > 0 and found["memories"] >= 6
    assert main(["deploy", str(folder), "--device", f"sim:{folder}"]) == 0
    assert "memories written" in capsys.readouterr().out
    record = tmp_path / "traffic.jsonl"
    arguments = ["run", str(archive), "--input", str(path), "--limit", "1", "--json"]
    assert main([*arguments, "--device", f"sim:{folder}", "--record", str(record)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["clips", "accuracy", "answers", "errors", "seconds"]
    assert found["clips"] == 1 and found["errors"] == 0 and found["seconds"] > 0
    assert main([*arguments, "--device", f"replay:{record}"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == found["answers"]


@pytest.mark.parametrize("target, text", [
    ("sim:", "the folder is missing behind the colon"), ("sim:/nowhere", "is not a generated project"), ("replay:/nowhere", "is no recording"),
    ("/dev/nowhere", "cannot be opened at 1000000 baud")])
def test_what_is_no_device_is_an_error_of_one_line(target, text, tmp_path, capsys):
    archive, path = tmp_path / "net.npz", tmp_path / "clips.npz"
    api.save(OWN, archive)
    np.savez(path, x=clips(1).dense())
    assert main(["run", str(archive), "--input", str(path), "--device", target]) == 2
    error = capsys.readouterr().err
    assert text in error and error.count("\n") == 1


def test_a_device_of_another_image_is_refused(folder, tmp_path, capsys):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["link"]["architecture"] = "0" * 64
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "network.npz").write_bytes((folder / "network.npz").read_bytes())
    with pytest.raises(DeviceError, match="runs another image than"):
        api.deploy(tmp_path, device=f"sim:{folder}")


def test_the_asynchronous_driver(folder):
    given = clips(2)

    async def both():
        async with await AsyncDevice.open(f"sim:{folder}") as device:
            await device.load(OWN)
            return [result async for result in device.run(given, spikes=True)]
    assert_golden(OWN, given, asyncio.run(both()))


def test_the_driver_imports_no_hardware_and_no_torch():
    code = ("import sys, spikeloom.software.host.device, spikeloom.software.host.simulated, spikeloom.software.host.serial_port, "
            "spikeloom.software.host.async_device; print([n for n in ('amaranth', 'cocotb', 'torch', 'serial') if n in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
