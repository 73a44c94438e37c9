"""COUNTERS over the link: what the tiles counted, by the golden model, whatever was under way when they were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.host import operations as ops
from spikeloom.software.host.device import Device
from spikeloom.spec.errors import DeviceError
from spikeloom.spec.link import Op, Tag

from ...linked import chip_of, needs_compiler, network, project, shared_folder

pytestmark = needs_compiler
NET = network(5)
NAMES = ("events", "sops", "multiplied", "updates", "spikes")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return project(shared_folder(tmp_path_factory, "counting"), NET, counters=True)


def counted(device: Device, before: list[bytes]) -> dict[tuple[str, int], dict[str, int]]:
    """(population, its first neuron on the tile) -> counters."""
    records = [r for r in device.execute([*before, ops.control(Op.COUNTERS)]) if r.tag is Tag.COUNTER]
    chip, found = chip_of(NET, counters=True), {}
    assert [(r.population, r.place) for r in records] == [(k, n) for k, tile in enumerate(chip.tiles) for n in range(5 * len(tile.groups))]
    for r in records:
        group = chip.tiles[r.population].groups[r.place // 5]
        found.setdefault((group.population, group.first), {})[NAMES[r.place % 5]] = r.value
    return found


def test_counters_come_over_the_link_and_are_those_of_the_golden_model(folder):
    rng = np.random.default_rng(1)
    x = (rng.integers(1, 4, (14, 8)) * (rng.random((14, 8)) < 0.4)).astype(np.int16)
    step, channel = np.nonzero(x)
    played = ops.timesteps(ops.events(np.zeros(len(step)), channel, x[step, channel]), step, len(x))
    with Device.open(f"sim:{folder}") as device:
        assert device.identity.options["counters"]
        assert not any(value for row in counted(device, []).values() for value in row.values())
        # Right behind the last STEP, without READ or FLUSH: COUNTERS itself waits until all of it is done.
        found, want = counted(device, played), golden.run(NET, x[None]).counters
        assert not any(device.status().values())
    assert {population for population, _ in found} == {"h", "y"}
    for name in ("h", "y"):
        groups = [row for (population, _), row in found.items() if population == name]
        assert {row["events"] for row in groups} == {int(want[name].events[0])}  # an event reaches every slice
        for what in ("sops", "multiplied", "updates"):
            assert sum(row[what] for row in groups) == int(getattr(want[name], what)[0]), (name, what)
        assert min(sum(row[what] for row in groups) for what in ("sops", "updates")) > 0
    assert sum(row["multiplied"] for (name, _), row in found.items() if name == "h") > 0  # graded events; spikes are not multiplied
    assert sum(row["spikes"] for (name, _), row in found.items() if name == "h") == int(want["h"].spikes[0]) > 0


def test_a_chip_without_counters_does_not_know_the_operation(tmp_path_factory):
    plain = project(shared_folder(tmp_path_factory, "linked"), NET)
    with Device.open(f"sim:{plain}") as device, pytest.raises(DeviceError):
        device.execute([ops.control(Op.COUNTERS)])
