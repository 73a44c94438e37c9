"""Networks of any shape on one overlay: states, spikes, readouts, answers and cycles equal the models, whatever was loaded before."""

# amaranth: UnusedElaboratable=no

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from spikeloom.gen import overlay_pack
from spikeloom.gen.overlay_capacity import capacity_of
from spikeloom.gen.overlay_chip import overlay_chip
from spikeloom.gen.overlay_fit import fit
from spikeloom.hdl import core, encoder, firing, membrane, sequencer, tile, update, walker
from spikeloom.sim import golden
from spikeloom.spec.errors import CapacityError
from spikeloom.spec.network import Readout
from spikeloom.spec.settings import pack_settings, unpack_settings

from ..hdl.mutant import mutant
from .overlay_bench import differences, play_all
from .overlay_networks import RULES, clip_of, layered, looped, random_network, small_capacity

FAST = {"derandomize": True, "deadline": None, "database": None, "suppress_health_check": list(HealthCheck),
        "phases": [Phase.explicit, Phase.generate]}


def chains():
    """Three networks of different depth, width, payloads and readouts, and an overlay for all."""
    nets = [layered("deep", (6, 9, 5, 4), 1), layered("wide", (7, 10, 3), 2, payload=5, readout=Readout.SUM), layered("flat", (4, 3), 4)]
    return capacity_of(nets[0], also=nets[1:], lanes=4, widen={"inputs": [7, 3]}), nets  # so that the numbers of keys are others, too


def found(capacity, nets, steps=7):
    """Differences of all networks, played one after the other; what hangs or breaks a rule of the bench counts as one."""
    clips = [(net, clip_of(net, steps, k)) for k, net in enumerate(nets)]
    try:
        played = play_all(capacity, nets[0], clips)
    except AssertionError as error:
        return [str(error)]
    return [wrong for (loaded, run), (_, x) in zip(played, clips) for wrong in differences(loaded, run, x)]


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: f"{rules[0].value}-{rules[1].value}")
@settings(**FAST, max_examples=2)
@given(seed=st.integers(0, 2**31))
def test_random_networks_equal_the_models_on_one_overlay(rules, seed):
    rng, capacity = np.random.default_rng(seed), small_capacity(*rules)
    overlay, nets, shapes = overlay_chip(capacity), [], set()
    while len(nets) < 4:
        net = random_network(rng, *rules)
        try:
            shapes.add(tuple(g.size for t in fit(overlay, net).chip.tiles for g in t.groups))
        except CapacityError:
            continue
        nets.append(net)
    assert len(shapes) > 1
    wrong = found(capacity, nets)
    assert not wrong, f"seed {seed}: {len(wrong)} differences: {'; '.join(wrong[:6])}"


def test_a_network_comes_back_as_it_was_after_others():
    capacity, nets = chains()
    assert all(golden.run(net, clip_of(net, 7, k)[None], record=True).readouts["p" + str(len(net.populations) - 2)].any()
               for k, net in enumerate(nets)), "an output that is silent proves nothing"
    assert not found(capacity, [*nets, nets[0], nets[2], nets[1]])


# Each breaks one register's effect: (module of the user, class, text, what it becomes, name that others know it by).
MUTANTS = {
    "the barrier drains to the last level there could be": (core, "Sequencer", sequencer, "Sequencer", "self.active[:-1] & self.drain",
                                                            "self.active[:-1]"),
    "all rows are walked": (tile, "Walker", walker, "Walker", "self.rows if tile.loadable", "tile.rows(0) - 1 if tile.loadable"),
    "rows are as far apart as the axons there could be": (tile, "Walker", walker, "Walker", "self.axons if tile.loadable",
                                                          "tile.groups[0].axons if tile.loadable"),
    "lanes without a neuron fire": (tile, "NeuronUpdate", update, "NeuronUpdate", "with m.If(local >= self.settings.full)",
                                    "with m.If(local > self.settings.full)"),
    "the encoder sends its own number": (tile, "Encoder", encoder, "Encoder", "self.key if tile.loadable", "keys[0] if tile.loadable"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_overlay_is_found(name, monkeypatch):
    user, known, module, cls, old, new = MUTANTS[name]
    monkeypatch.setattr(user, known, mutant(module, cls, old, new))
    capacity, nets = chains()
    loop = looped()
    assert found(capacity, [nets[2], nets[0], nets[1]]) or found(capacity_of(loop, lanes=8, widen={"inputs": [6, 3, 2]}), [loop])


def test_a_clip_at_the_widest_limit_is_found(monkeypatch):
    monkeypatch.setattr(firing, "limited", lambda x, high: membrane.limited(x, Const1(high)))
    capacity, nets = chains()
    narrow = replace(nets[2].populations[1], v_bits=7, theta=np.full(3, 60), bias=0)
    net = replace(nets[2], populations=(nets[2].populations[0], narrow))
    assert found(capacity, [net])
    monkeypatch.undo()
    assert not found(capacity, [net])


def Const1(high):
    """All ones, as wide as ``high``."""
    from amaranth import Const

    return Const((1 << len(high)) - 1, len(high))


def leaves(values, path=()):
    """Paths of all settings."""
    if isinstance(values, dict | list):
        for name, part in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(part, (*path, name))
    else:
        yield path


# Settings of :func:`looped`; with what they become, if not the lowest bit changes.
OF_LOOPED = [("period",), ("drain",), ("readouts",), ("answer", "smallest"), ("answer", "single"), ("tiles", 2, "values"), ("outputs", 0, "level"),
             *(("tiles", 0, name) for name in ("shift", "rows", "axons")),
             *(("tiles", 1, name) for name in ("used", "listens", "level", "key", "routes", "full", "rest", "limit")),
             *(("inputs", 1, name) for name in ("exists", "used", "last", "base", "key", "low", "high", "routes")),
             *(("outputs", 1, name) for name in ("spikes", "operation", "base", "end", "limit")),
             ("keys", 4, "output"), ("keys", 2, "first"), ("keys", 4, "place")]
OTHERS = {"limit": 7, "low": 2, "routes": 0, "drain": 0, "last": 1, "base": 0, "level": 6}


@pytest.mark.parametrize("path", OF_LOOPED, ids=lambda path: ".".join(map(str, path)))
def test_each_setting_matters(path, monkeypatch):
    """A setting with another value than it should have is found: so the hardware heeds it, and the comparison sees it."""
    net, own = looped(), overlay_pack.settings_of
    capacity = capacity_of(net, lanes=8)

    def wrong(overlay, loaded):
        values = unpack_settings(overlay, own(overlay, loaded))
        place = values
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = OTHERS.get(path[-1], place[path[-1]] ^ 1)
        return pack_settings(overlay, values)

    monkeypatch.setattr(overlay_pack, "settings_of", wrong)
    assert found(capacity, [net])


def test_the_network_of_the_settings_is_right_without_a_wrong_one():
    net = looped()
    assert not found(capacity_of(net, lanes=8), [net]) and not found(capacity_of(net, lanes=8, widen={"inputs": [6, 3, 2]}), [net])


def test_the_settings_are_unpacked_as_they_were_packed():
    capacity, nets = chains()
    overlay = overlay_chip(capacity)
    for net in nets:
        words = overlay_pack.settings_of(overlay, fit(overlay, net))
        values = unpack_settings(overlay, words)
        assert pack_settings(overlay, values) == words and len(set(leaves(values))) > 60
        assert values["tiles"][0]["used"] + values["tiles"][1]["used"] + values["tiles"][2]["used"] == len(net.populations) - 1
    values["tiles"][0]["rows"] = 1 << 20
    with pytest.raises(ValueError, match=r"tiles\.0\.rows must be 0 to"):
        pack_settings(overlay, values)
