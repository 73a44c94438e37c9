"""The cycle model against a chip that is stepped register by register (slow_chip.py), on random networks and chips."""

from __future__ import annotations

import random

import cycles_chip
import numpy as np
import pytest
import slow_chip

from spikeloom.gen.plan import plan
from spikeloom.sim import switch_cycles
from spikeloom.sim.cycles import predict


def random_case(seed: int, kind: str):
    """(chip, network, spikes, inputs) with random graph, slices, lanes, delays and activity."""
    rng = random.Random(seed)
    sizes = {f"in{i}": rng.randint(1, 9) for i in range(rng.randint(1, 2))}
    hidden = [f"h{i}" for i in range(rng.randint(1, 3))]
    sizes |= {name: rng.randint(1, 14) for name in hidden} | {"out": rng.randint(1, 6)}
    links: dict[tuple[str, str], tuple] = {}
    for i, name in enumerate(hidden):
        for source in rng.sample([*(n for n in sizes if n.startswith("in")), *hidden[:i]], k=rng.randint(1, 1 + (i > 0))):
            links[source, name] = (source, name, rng.choice([0, 0, 1]))
        if rng.random() < 0.5:
            back = rng.choice(hidden[i:])
            links.setdefault((back, name), (back, name, rng.choice([1, 1, 2, 3])))
    links[hidden[-1], "out"] = (hidden[-1], "out")
    repeated = [link for link in links.values() if rng.random() < 0.15]  # two projections between the same populations
    network = cycles_chip.make_network(sizes, [*links.values(), *((s, t, d[0] + 1 if d else 1) for s, t, *d in repeated)],
                                       values=rng.choice([None, "out"]), outputs=("out", rng.choice(hidden)),
                                       signs=rng.choice([(1, 1), (-1, 1), (0, 5)]))
    slices = []
    for name in [*hidden, "out"]:
        cut = rng.randint(0, sizes[name])
        slices += [(name, first, last - first) for first, last in ((0, cut), (cut, sizes[name])) if last > first]
    width, height = {"star": (rng.randint(1, 4), 1), "mesh": rng.choice([(1, 1), (2, 1), (2, 2), (3, 2)])}[kind]
    n_tiles = min(width * height, len(slices))
    if kind == "mesh" and n_tiles < width * height:
        width, height = n_tiles, 1
    tiles: list[list] = [[s] for s in slices[:n_tiles]]
    for s in slices[n_tiles:]:
        rng.choice(tiles).append(s)
    lanes = [rng.choice([(1, 1), (2, 1), (4, 1), (4, 2), (4, 4), (8, 4), (3, 1), (16, 16)]) for _ in tiles]
    chip = cycles_chip.make_chip(network, tiles, lanes=lanes, mesh=(width, height) if kind == "mesh" else None)
    draw = np.random.default_rng(seed)
    shape = (rng.randint(1, 3), rng.randint(1, 7))
    rate = [rng.choice([0, 0.1, 0.5, 1.0]) for _ in range(2)]
    spikes = {p.name: draw.random((*shape, p.size)) < rate[0] for p in network.populations if p.spikes}
    inputs = (draw.random((*shape, sum(p.size for p in network.inputs))) < rate[1]).astype(np.int64)
    return chip, network, spikes, inputs


def check(chip, network, spikes, inputs):
    slow = slow_chip.SlowChip(chip, network)
    expected = [slow.clip({name: s[n] for name, s in spikes.items()}, inputs[n]) for n in range(len(inputs))]
    reports = [predict(chip, network, spikes, inputs), predict(chip, network, spikes, inputs, stepwise=True)]
    for report in reports:
        assert report.cycles.tolist() == [lengths for lengths, _ in expected]
        assert report.busy.tolist() == [busy for _, busy in expected]
    return reports[0]


@pytest.mark.parametrize("kind", ["star", "mesh"])
@pytest.mark.parametrize("block", range(4))
def test_every_phase_of_random_chips_has_the_length_of_the_register_model(kind, block):
    contended = alone = 0
    for seed in range(40 * block, 40 * (block + 1)):
        try:
            report = check(*random_case(seed, kind))
        except AssertionError as error:
            raise AssertionError(f"seed {seed} of {kind}") from error
        contended += int(report.contended.sum())
        alone += int((~report.contended).sum())
    assert contended > 50 and alone > 50, "the cases must use both ways through the model"


@pytest.mark.parametrize("kind", ["star", "mesh"])
def test_phases_of_planned_chips_have_the_length_of_the_register_model(kind):
    periods = set()
    for seed in range(200, 240):
        _, network, spikes, inputs = random_case(seed, "star")
        chip = plan(network, tiles=1 + seed % 5, lanes=(1, 2, 4, 8)[seed % 4], fabric=kind)
        periods.add(chip.period)
        check(chip, network, spikes, inputs)
    assert len(periods) > 1


def test_the_comparison_fails_if_arbiters_forget_between_phases(monkeypatch):
    original = switch_cycles.SwitchCycles.run

    def forgetful(self, flits):
        self._last = [-1] * len(self._last)
        return original(self, flits)

    monkeypatch.setattr(switch_cycles.SwitchCycles, "run", forgetful)
    with pytest.raises(AssertionError):
        for seed in range(160):
            check(*random_case(seed, "star"))
