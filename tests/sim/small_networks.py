"""Small networks and clips to compare the golden model with the plain reference on."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from strategies import random_networks

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Gain, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

VALUES = (Model.LI, Model.CUBALI)


def rich_network(model, reset=Reset.SUBTRACT, mode=Refractory.FIRE, rounding=Rounding.NEAREST, **others_of_y):
    """Three inputs and five neurons of a model that have all it can have, with a loop; VALUES are driven by neurons that are read as well."""
    rng = np.random.default_rng(5)
    fires = model not in VALUES
    fields = {"rounding": rounding, "reset": reset if fires else Reset.NONE, "theta": rng.integers(8, 20, 5), "bias": rng.integers(-2, 4, 5),
              "v_bits": 9, "guard_bits": 1, "v_init": rng.integers(-9, 30, 5), "v_floor": -70,
              "readout": Readout.FIRST if fires else Readout.SUM}
    if model not in (Model.IF, Model.SPIKGRU, Model.RELU):
        fields |= {"decay": Decay(factor=230, fraction_bits=8), "beta": rng.integers(150, 257, 5)}
    if model in (Model.CUBALIF, Model.CUBALI, Model.SPIKGRU):
        fields |= {"current_decay": Decay(factor=12, fraction_bits=4), "alpha": rng.integers(5, 17, 5), "i_bits": 7}
    if model in (Model.CUBALIF, Model.CUBALI):
        fields["gain"] = Gain.COMPLEMENT
    if model is Model.SPIKGRU:
        fields |= {"gate_table": [10, 30, 70, 120, 140, 180, 220, 250], "gate_shift": 2, "gate_bias": rng.integers(-9, 10, 5)}
    if model is Model.ALIF:
        fields |= {"adaptation_decay": Decay(shift_a=2, shift_b=3), "jump": rng.integers(1, 9, 5), "a_bits": 5}
    elif fires:
        fields["max_spikes"] = 3
    if fires:
        fields |= {"refractory": 3, "refractory_mode": mode, "inhibition": 0 if mode is Refractory.INTEGRATE or model is Model.SPIKGRU else 1}
    if model is Model.RELU:
        fields = {name: fields[name] for name in ("theta", "v_bits", "guard_bits", "v_init", "max_spikes")}
    y = Population(name="y", size=5, model=model, **fields | others_of_y)
    hidden = () if fires else (Population(name="h", size=5, model=Model.LIF, theta=9, reset=Reset.ZERO, readout=Readout.COUNT),)
    readers = (Population(name="r", size=5, model=Model.LI, v_bits=8, readout=Readout.SUM),) if model is Model.RELU else ()

    def project(source, target, size, **more):
        return Projection(source=source, target=target, weights=rng.integers(-6, 12, (5, size)), **more)

    loop = "y" if fires else "h"
    projections = [project("x", "y", 3), project(loop, "y", 5, delay=1), project(loop, "y", 5, delay=3)]
    if not fires:
        projections.append(project("x", "h", 3))
    if readers:
        projections.append(project("y", "r", 5))
    if y.has_gate:
        projections += [project("x", "y", 3, port=Port.GATE), project("y", "y", 5, delay=1, port=Port.GATE)]
    if y.inhibition:
        projections.append(project("y", "y", 5, delay=2, port=Port.BLOCK))
    return Network(name="rich", populations=(Population(name="x", size=3, model=Model.INPUT, payload_min=-2, payload_max=3), *hidden, y, *readers),
                   projections=tuple(projections))


@st.composite
def networks(draw):
    """Small networks with every option of the contract, some of them stretched to its widest formats."""
    network = draw(random_networks(max_size=5, max_delay=7, sparse=True, shared=True))
    if draw(st.booleans()):
        return network
    populations = [p if p.model is Model.INPUT else replace(p, guard_bits=draw(st.sampled_from([0, 3, 12]))) for p in network.populations]
    shift = draw(st.sampled_from([0, 6, 12]))  # the same for all: some share a matrix
    return replace(network, populations=populations, projections=[replace(p, shift=shift) for p in network.projections])


_decays = st.one_of(
    st.just(Decay()),
    st.integers(1, 12).flatmap(lambda f: st.builds(Decay, factor=st.integers(0, 1 << f), fraction_bits=st.just(f))),
    st.builds(Decay, shift_a=st.integers(1, 8)), st.builds(Decay, shift_a=st.integers(1, 8), shift_b=st.integers(1, 8)))


@st.composite
def plain_networks(draw):
    """Small networks of IF and LIF neurons, read by LI ones: several inputs, recurrence, delays, skips, tiny and wide membranes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    populations = []
    for k in range(draw(st.integers(1, 2))):
        low, high = sorted(draw(st.tuples(st.integers(-256, 255), st.integers(-256, 255)) | st.just((1, 1)) | st.just((-1, 1))))
        size = draw(st.integers(1, 4))
        populations.append(Population(name=f"x{k}", size=size, model=Model.INPUT, payload_min=low, payload_max=high))
    n_hidden = draw(st.integers(1, 3))
    for k in range(n_hidden):
        size, v_bits = draw(st.integers(1, 5)), draw(st.sampled_from([2, 3, 5, 8, 12, 16, 20, 24, 32]))
        leaky = draw(st.booleans())
        v_max = 2 ** (v_bits - 1) - 1
        populations.append(Population(
            name=f"h{k}", size=size, model=Model.LIF if leaky else Model.IF, decay=draw(_decays) if leaky else Decay(),
            rounding=draw(st.sampled_from(Rounding)), reset=draw(st.sampled_from(Reset)),
            theta=rng.integers(1, max(v_max // draw(st.sampled_from([1, 4, 64])), 1) + 1, size),
            bias=rng.integers(-v_max // 8, v_max // 8 + 1, size), v_bits=v_bits, guard_bits=draw(st.sampled_from([0, 0, 3, 12])),
            v_init=int(rng.integers(-v_max, v_max + 1)), readout=Readout.COUNT if draw(st.booleans()) else Readout.NONE))
    v_bits = draw(st.sampled_from([2, 8, 16, 32]))
    populations.append(Population(
        name="out", size=draw(st.integers(1, 4)), model=Model.LI, decay=draw(_decays), rounding=draw(st.sampled_from(Rounding)),
        bias=draw(st.integers(-1, 1)), v_bits=v_bits, guard_bits=draw(st.integers(0, 4)),
        readout=draw(st.sampled_from([Readout.LAST, Readout.SUM, Readout.MAX]))))

    def projection(source, target, delay):
        bits = draw(st.integers(2, 8))
        limit = 1 << (bits - 1)
        weights = rng.integers(-limit, limit, (target.size, source.size))
        return Projection(source=source.name, target=target.name, weights=weights, weight_bits=bits, delay=delay,
                          shift=draw(st.sampled_from([0, 0, 1, 6])))

    n_inputs = len(populations) - n_hidden - 1
    projections = []
    for k in range(n_inputs, len(populations)):  # something earlier leads to each, maybe with a delay
        source = populations[draw(st.integers(0, k - 1))]
        projections.append(projection(source, populations[k], draw(st.sampled_from([0, 0, 1, 3]))))
    for _ in range(draw(st.integers(0, 4))):  # anything else, backwards with a delay
        source, target = draw(st.integers(0, len(populations) - 2)), draw(st.integers(n_inputs, len(populations) - 1))
        delay = draw(st.integers(0, 3)) if source < target else draw(st.integers(1, 7))
        projections.append(projection(populations[source], populations[target], delay))
    # The declared order is not the order of the graph.
    shuffled = [populations[k] for k in rng.permutation(len(populations))]
    return Network(name="random", populations=tuple(shuffled), projections=tuple(projections))


def clips_for(network, n_clips, n_steps, seed):
    """Random payloads in the range of each input, ``[n_clips, n_steps, C], int64``, some 40 % of them 0."""
    rng = np.random.default_rng(seed)
    parts = []
    for p in network.inputs:
        x = rng.integers(p.payload_min, p.payload_max + 1, (n_clips, n_steps, p.size))
        parts.append(x * (rng.random(x.shape) < 0.6))
    return np.concatenate(parts, axis=2)
