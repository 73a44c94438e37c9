"""Weights in single-port RAM, loaded over the UART: nothing is there at first, all of it afterwards by the chip's own digests, and then the chip is
the golden model."""

from __future__ import annotations

import re

import numpy as np
import pytest

import spikeloom
from spikeloom.sim import golden
from spikeloom.software.flow import read_project
from spikeloom.software.host.device import Device
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import MismatchError

from ..linked import needs_compiler, shared_folder
from .test_block_memories import network
from .test_link_kws import spoken

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A project for an iCEBreaker, of a small network."""
    folder = shared_folder(tmp_path_factory, "linked-spram") / "chip"
    if not (folder / "device.v").exists():
        folder.mkdir(parents=True, exist_ok=True)
        spikeloom.compile(network(), folder, board="icebreaker", link=3_000_000)
    return folder, network()


def loaded_and_played(folder, net, clips: Clips, output: str) -> None:
    want = golden.run(net, clips.dense())
    with Device.open(f"sim:{folder}") as device:
        program = device.program(net)
        weights = [memory for memory in program.memories if memory.memory == 0]
        stale = device.differing(program)
        assert len(weights) == len(device.identity.tiles) and all(memory in stale for memory in weights), "the memories hold something at power-up"
        assert device.load(program) >= len(weights) and device.differing(program) == []
        assert device.load(program) == 0
        for n, result in enumerate(device.run(clips)):
            assert result.readouts[output].tolist() == want.readouts[output][n].tolist()
        assert n + 1 == clips.n_clips and not any(device.status().values())


def test_a_chip_that_holds_nothing_is_loaded_verified_and_equals_the_golden_model(small):
    folder, net = small
    x = np.random.default_rng(2).integers(0, 8, (3, 12, 9))
    loaded_and_played(folder, net, Clips.from_dense(x), "y")


def test_a_memory_that_does_not_keep_what_is_written_is_found_by_the_digest(small, tmp_path):
    folder, net = small
    text, stuck = (folder / "device.v").read_text(), re.compile(r"(words\[.*\] <= )(\{.*\})(;)")
    assert len(stuck.findall(text)) == 2  # of both tiles
    for path in folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "device.v").write_text(stuck.sub(r"\1\2 & 16'hfffe\3", text, count=1))
    with Device.open(f"sim:{tmp_path}") as device, pytest.raises(MismatchError, match="weights of tile"):
        device.load(net)


@pytest.fixture(scope="module")
def spotter(root, tmp_path_factory):
    """The project of the trained network that fits an iCEBreaker, and that network."""
    net = spikeloom.load(root / "models/kws-icebreaker.npz")
    folder = shared_folder(tmp_path_factory, "linked-icebreaker") / "chip"
    if not (folder / "device.v").exists():
        folder.mkdir(parents=True, exist_ok=True)
        spikeloom.compile(net, folder, board="icebreaker", tiles=1, link=3_000_000)
    return folder, net


def test_the_trained_spotter_is_loaded_into_two_of_four_memories_and_hears_a_word(spotter, root):
    folder, net = spotter
    assert [(tile.lanes, tile.sprams) for tile in read_project(folder)[0].tiles] == [(4, 2)]
    loaded_and_played(folder, net, Clips.from_dense(spoken(root, net).dense()[:1]), "words")


@pytest.mark.slow
def test_five_words_are_the_golden_models_on_the_trained_spotter(spotter, root):
    folder, net = spotter
    loaded_and_played(folder, net, spoken(root, net), "words")


@pytest.mark.slow
def test_kws_small_is_loaded_into_the_memories_of_an_icebreaker_over_the_uart(root, tmp_path):
    net = spikeloom.load(root / "models/kws-small.npz")
    spikeloom.compile(net, tmp_path, board="icebreaker", link=3_000_000)
    loaded_and_played(tmp_path, net, spoken(root, net), "word")
