"""What fits an overlay and what does not: capacities, refusals with what is needed against what is available, and who goes where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.gen.overlay_capacity import capacity_of
from spikeloom.gen.overlay_chip import overlay_chip
from spikeloom.gen.overlay_fit import fit
from spikeloom.gen.overlay_pack import decay_factors, overlay_image
from spikeloom.software.overlay_project import wishes
from spikeloom.spec.arithmetic import Decay, Rounding, round_shift
from spikeloom.spec.capacity import Capacity
from spikeloom.spec.errors import CapacityError, FileFormatError
from spikeloom.spec.image import MemoryImage
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

DECAY = Decay(factor=230, fraction_bits=8)


def chain(*sizes: int, v_bits: int = 12, readout: Readout = Readout.COUNT, **fields) -> Network:
    """LIF layers; ``fields`` are of all of them."""
    rng = np.random.default_rng(sum(sizes))
    fields = {"model": Model.LIF, "decay": DECAY, "reset": Reset.SUBTRACT, "theta": 50, "v_bits": v_bits, **fields}
    populations = [Population(name="x", size=sizes[0], model=Model.INPUT)]
    populations += [Population(name=f"p{k}", size=n, readout=readout if k == len(sizes) - 2 else Readout.NONE, **fields)
                    for k, n in enumerate(sizes[1:])]
    names = [p.name for p in populations]
    return Network(name="chain", populations=tuple(populations), projections=tuple(
        Projection(source=a, target=b, weights=rng.integers(-8, 8, (t, s)), weight_bits=4) for a, b, s, t in zip(names, names[1:], sizes, sizes[1:])))


def last_with(net: Network, **fields) -> Network:
    return replace(net, populations=(*net.populations[:-1], replace(net.populations[-1], **fields)))


@pytest.fixture(scope="module")
def overlay():
    return overlay_chip(capacity_of(chain(6, 16, 8), lanes=4))


@pytest.mark.parametrize(("network", "reasons"), [
    (chain(7, 16, 8), ["7 neurons of input 0 needed and 6 available"]),
    (chain(6, 8, 8, 4), ["3 tiles (a population each) needed and 2 available"]),
    (chain(6, 4, 12), ["12 neurons of an output needed and 8 available", "12 readout values needed and 8 available"]),
    (chain(6, 20, 8), ["population 'p1': no tile has room; on tile 1, the nearest, 20 axons needed and 16 available",
                       "40 weight words of 4 lanes needed and 32 available"]),
    (chain(6, 8, 8, v_bits=14), ["14 bits of membrane potential needed and 12 available"]),
    (chain(6, 8, 8, guard_bits=3), ["3 bits of shift behind the sums needed and 0 available"]),
    (chain(6, 8, 8, reset=Reset.ZERO), ["reset 'zero' needed and 'subtract' available"]),
    (chain(6, 8, 8, rounding=Rounding.FLOOR), ["rounding 'floor' needed and 'nearest' available"]),
    (last_with(chain(6, 8, 8), model=Model.LI, reset=Reset.NONE, readout=Readout.SUM, theta=1),
     ["its membranes are read, and the tile only sends spikes"]),
])
def test_a_refusal_says_what_is_needed_and_what_is_available(overlay, network, reasons):
    with pytest.raises(CapacityError) as error:
        fit(overlay, network)
    assert "does not fit the overlay" in str(error.value) and "--capacity" in str(error.value)
    for reason in reasons:
        assert reason in str(error.value)


def test_every_bound_that_is_not_met_is_named(overlay):
    net = chain(6, 20, 8, v_bits=15, guard_bits=2)
    with pytest.raises(CapacityError) as error:
        fit(overlay, net)
    for reason in ("'p0'", "'p1'", "20 axons needed and 16", "15 bits of membrane", "2 bits of shift"):
        assert reason in str(error.value)


@pytest.mark.parametrize(("fields", "reason"), [
    ({"decay": Decay(shift_a=3)}, "its decay is made of shifts"), ({"v_floor": -5}, "lower clip"), ({"v_init": 3}, "initial potentials"),
    ({"max_spikes": 3}, "several spikes"), ({"refractory": 2}, "refractory"),
    ({"model": Model.CUBALIF, "current_decay": DECAY, "i_bits": 12}, "its model is CUBALIF"),
    ({"readout": Readout.VOTE, "classes": np.arange(8) % 2}, "vote")])
def test_what_no_overlay_holds_is_refused_as_such(overlay, fields, reason):
    net = last_with(chain(6, 16, 8), **fields)
    for plan in (lambda: fit(overlay, net), lambda: capacity_of(net)):
        with pytest.raises(CapacityError, match="fits no overlay") as error:
            plan()
        assert reason in str(error.value) and "'p1'" in str(error.value)


def test_a_wide_population_is_cut_into_slices(overlay):
    wide = overlay_chip(capacity_of(chain(6, 16, 8), lanes=4, widen={"tiles": [3], "axons": [20]}))
    loaded = fit(wide, chain(6, 20, 8))
    assert sorted((g.population, g.first, g.size) for t in loaded.chip.tiles for g in t.groups) == [("p0", 0, 10), ("p0", 10, 10), ("p1", 0, 8)]
    assert loaded.places == (0, 1, 2)


def test_slices_are_moved_until_all_have_a_tile():
    # The first population fits both tiles, the second only the one that the first would take.
    capacity = capacity_of(chain(9, 8, 8), also=[chain(4, 8, 8)], lanes=4, widen={"axons": [20, 9], "slots": [4]})
    overlay = overlay_chip(capacity)
    net = chain(9, 8, 8)
    rng = np.random.default_rng(0)
    net = replace(net, projections=(*net.projections, Projection(source="x", target="p1", weights=rng.integers(-8, 8, (8, 9)), weight_bits=4)))
    loaded = fit(overlay, net)
    assert {g.population: place for place, t in zip(loaded.places, loaded.chip.tiles) for g in t.groups} == {"p1": 0, "p0": 1}


def test_a_reference_fits_its_own_capacity_and_so_do_those_beside_it():
    nets = [chain(6, 16, 8), chain(9, 4, 12, 3), last_with(chain(3, 4), model=Model.LI, reset=Reset.NONE, readout=Readout.MAX, theta=1)]
    overlay = overlay_chip(capacity_of(nets[0], also=nets[1:]))
    assert [len(fit(overlay, net).places) for net in nets] == [2, 3, 1]


def test_a_capacity_goes_through_json_and_back():
    capacity = capacity_of(chain(6, 16, 8), lanes=4, widen={"tiles": [3], "values": [0, 0, 1], "synapses": [4000], "slots": [5], "inputs": [9, 4]})
    assert Capacity.from_json(capacity.to_json()) == capacity
    assert capacity.tiles[2].values and not capacity.tiles[0].values and capacity.tiles[1].words == 1000 and capacity.tiles[0].slots == 8
    assert [i.size for i in capacity.inputs] == [9, 4]


@pytest.mark.parametrize(("path", "value"), [(("tiles", 0, "neurons"), 1 << 30), (("tiles", 0, "lanes"), "4"), (("tiles", 0, "values"), 1),
                                             (("tiles", 0, "reset"), "none of them"), (("inputs",), []), (("levels",), 1 << 20), (("period",), True),
                                             (("tiles", 0, "update_lanes"), 3), (("tiles", 0, "slots"), 3), (("outputs",), None)])
def test_a_hostile_capacity_is_an_error_of_its_own(path, value):
    found = capacity_of(chain(6, 16, 8), lanes=4).to_json()
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises((CapacityError, ValueError, KeyError, TypeError)):
        Capacity.from_json(found)


@pytest.mark.parametrize(("texts", "reason"), [(["axons"], "NAME=NUMBER"), (["axons=1/x"], "NAME=NUMBER"), (["axons=1", "axons=2"], "twice"),
                                               ([""], "NAME=NUMBER"), (["axons=1,"], "NAME=NUMBER"), (["axons=4/0"], "axons is 1 or more"),
                                               (["shift=-1"], "shift is 0 or more")])
def test_wishes_that_cannot_be_read(texts, reason):
    with pytest.raises(CapacityError, match=reason):
        wishes(texts)


def test_wishes_are_heeded_or_refused():
    assert wishes(["axons=1/2, tiles=3", "neurons=4"]) == {"axons": [1, 2], "tiles": [3], "neurons": [4]}
    with pytest.raises(CapacityError, match="'colour' is not known"):
        capacity_of(chain(6, 16, 8), widen={"colour": [1]})
    with pytest.raises(CapacityError, match="given for 3 tiles, and the overlay has 2"):
        capacity_of(chain(6, 16, 8), widen={"axons": [1, 2, 3]})
    for name in ("tiles", "outputs", "output_size", "readouts", "levels", "period"):
        with pytest.raises(CapacityError, match=f"Capacity {name} is of the whole chip, and 2 numbers are given .3/9.: give one"):
            capacity_of(chain(6, 16, 8), widen={name: [3, 9]})


@pytest.mark.parametrize("rounding", Rounding)
def test_factors_of_fewer_bits_round_the_same_when_shifted_up(rounding):
    v = np.arange(-3000, 3000)
    for decay in (Decay(factor=3, fraction_bits=2), DECAY, Decay(factor=4095, fraction_bits=12), Decay(factor=0, fraction_bits=5), Decay()):
        model = Model.LIF if decay.factor is not None else Model.IF
        p = Population(name="p", size=2, model=model, decay=decay, rounding=rounding, theta=5, output=True)
        assert (round_shift(v * int(decay_factors(p)[0]), 12, rounding) == decay.apply(v, rounding)).all()


def test_an_image_of_an_overlay_is_read_back(overlay, tmp_path):
    image = overlay_image(overlay, fit(overlay, chain(5, 9, 8)))
    image.save(tmp_path / "image.npz")
    again = MemoryImage.load(tmp_path / "image.npz", overlay)
    assert again.settings == image.settings and again.network_digest == image.network_digest
    for a, b, tile in zip(image.tiles, again.tiles, overlay.tiles):
        assert a.words(tile) == b.words(tile)
    replace(image, settings=(*image.settings, 1)).save(tmp_path / "image.npz")
    with pytest.raises(FileFormatError, match="settings"):
        MemoryImage.load(tmp_path / "image.npz", overlay)
