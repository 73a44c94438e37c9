"""Random networks and random plans of them, for every test that maps networks onto chips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from spikeloom.gen.partition import TileLimits
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.convolution import Conv
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

__all__ = ["convolutions", "plan_options", "random_networks"]

PAYLOADS = ((1, 1), (1, 1), (1, 1), (-1, 1), (0, 1), (1, 7), (-4, 3), (-256, 255), (-3, -1))
DECAYS = st.one_of(
    st.builds(Decay),
    st.integers(1, 12).flatmap(lambda bits: st.builds(Decay, factor=st.integers(0, 1 << bits), fraction_bits=st.just(bits))),
    st.builds(Decay, shift_a=st.integers(1, 6)),
    st.builds(Decay, shift_a=st.integers(1, 6), shift_b=st.integers(1, 6)))
WIDTHS = st.one_of(st.integers(6, 20), st.integers(6, 20), st.integers(2, 32))  # of v and i where everything is allowed
PLAIN = (Model.LIF, Model.LIF, Model.IF, Model.LI)
MODELS = (Model.LIF, Model.CUBALIF, Model.SPIKGRU, Model.ALIF, Model.LI, Model.IF, Model.CUBALIF, Model.SPIKGRU, Model.ALIF, Model.CUBALI,
          Model.RELU)
VALUES = (Model.LI, Model.CUBALI)  # those that are read and do not spike
HYBRID = (Model.RELU, Model.LIF, Model.RELU, Model.ALIF, Model.LI, Model.IF)
HOLDING = (Model.IF, Model.LIF, Model.ALIF, Model.LI)  # those that can hold their current


@st.composite
def convolutions(draw, source_size: int, largest: int) -> Conv | None:
    """A convolution from a map of so many neurons to one of ``largest`` at most, or None where what was drawn is none."""
    channels = draw(st.sampled_from([n for n in range(1, source_size + 1) if source_size % n == 0]))
    height = draw(st.sampled_from([n for n in range(1, source_size // channels + 1) if source_size // channels % n == 0]))
    width = source_size // channels // height
    groups = draw(st.sampled_from([1, 1, 1, *(n for n in range(1, channels + 1) if channels % n == 0)]))
    pool = (draw(st.integers(1, min(2, height))), draw(st.integers(1, min(2, width)))) if draw(st.booleans()) else (1, 1)
    kernel = draw(st.integers(1, min(4, height + 1))), draw(st.integers(1, min(4, width + 1)))
    try:
        conv = Conv(shape=(channels, height, width), out_channels=groups * draw(st.integers(1, 6)), kernel=kernel, groups=groups, pool=pool,
                    stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))), padding=tuple(draw(st.integers(0, 2)) for _ in range(4)),
                    dilation=(draw(st.sampled_from((1, 1, 1, 2, 3))), draw(st.sampled_from((1, 1, 1, 2, 3)))))
    except NetworkError:
        return None
    return conv if conv.target_size <= largest else None


def _same(conv: Conv) -> Conv:
    """A convolution of the target map of another onto itself."""
    return Conv(shape=conv.out_shape, out_channels=conv.out_channels, kernel=(1, 3), padding=(0, 0, 1, 1))


@st.composite
def _populations(draw, name: str, max_size: int, model: Model, rng: np.random.Generator, output: bool, extended: bool,
                 size: int | None = None, hybrid: bool = False) -> Population:
    size = draw(st.integers(1, max_size)) if size is None else size
    if model is Model.INPUT:
        low, high = draw(st.sampled_from(PAYLOADS))
        return Population(name=name, size=size, model=model, payload_min=low, payload_max=high)
    v_bits = draw(WIDTHS if extended else st.integers(6, 20))
    largest = (1 << (v_bits - 1)) - 1
    fields = _of_model(draw, model, size, rng)
    bias_limit = (1 << (fields.get("i_bits", v_bits) - 1)) - 1
    theta_max = min(largest, draw(st.sampled_from((1, 8, 60, 1000, largest))))
    uniform, with_bias = draw(st.booleans()), draw(st.booleans())
    bias_max = min(bias_limit, draw(st.sampled_from((1, 5, 100, bias_limit)))) if with_bias else 0
    theta, bias = rng.integers(1, theta_max + 1, size), rng.integers(-bias_max, bias_max + 1, size)
    fields |= {
        "decay": Decay() if model in (Model.IF, Model.SPIKGRU, Model.RELU) else draw(DECAYS), "rounding": draw(st.sampled_from(Rounding)),
        "reset": Reset.NONE if model in (*VALUES, Model.RELU) else draw(st.sampled_from(Reset)),
        "guard_bits": draw(st.integers(0, 4)), "v_bits": v_bits,
        "theta": theta[:1].repeat(size) if uniform else theta,
        "bias": 0 if model is Model.RELU else bias[:1].repeat(size) if uniform else bias,
        "v_init": max(-largest - 1, min(largest, draw(st.sampled_from((0, 0, 3, -5, largest, -largest - 1)))))}
    if extended:
        fields |= _of_any(draw, model, size, fields, rng, hybrid)
    if model in VALUES:
        fields["readout"] = draw(st.sampled_from((Readout.LAST, Readout.SUM, Readout.MAX)))
    elif output:
        readouts = (Readout.NONE, Readout.COUNT) + ((Readout.FIRST, Readout.VOTE) if extended else ())
        fields["readout"] = draw(st.sampled_from(readouts))
    if fields.get("readout") is Readout.VOTE:
        fields["classes"] = rng.integers(-1, draw(st.integers(1, size)), size)
        fields["classes"][rng.integers(size)] = 0  # at least one neuron has a class
    return Population(name=name, size=size, model=model, output=output, **fields)


def _of_model(draw, model: Model, size: int, rng: np.random.Generator) -> dict:
    """Fields that only this model has."""
    fields: dict = {}
    if model in (Model.CUBALIF, Model.CUBALI, Model.SPIKGRU):
        fields |= {"current_decay": draw(DECAYS), "i_bits": draw(WIDTHS)}
    if model in (Model.CUBALIF, Model.CUBALI):
        fields["gain"] = draw(st.sampled_from(Gain))
    if model is Model.SPIKGRU:
        n = 1 << draw(st.integers(1, 6))
        sigmoid = np.rint(255 / (1 + np.exp((n // 2 - np.arange(n)) * 8 / n))).astype(np.int64)
        bias_max = draw(st.sampled_from((0, 3, 200, (1 << 31) - 1)))
        fields |= {"gate_table": draw(st.sampled_from((sigmoid, rng.integers(0, 256, n), rng.choice([0, 255], n)))),
                   "gate_shift": draw(st.one_of(st.integers(0, 6), st.integers(0, 31))),
                   "gate_bias": rng.integers(-bias_max, bias_max + 1, size)}
    if model is Model.ALIF:
        a_bits = draw(st.one_of(st.integers(1, 16), st.integers(1, 31)))
        jump_max = min((1 << a_bits) - 1, draw(st.sampled_from((1, 8, 60, 1000, 1 << 31))))
        fields |= {"adaptation_decay": draw(DECAYS), "a_bits": a_bits, "jump": rng.integers(0, jump_max + 1, size)}
    return fields


def _of_any(draw, model: Model, size: int, have: dict, rng: np.random.Generator, hybrid: bool = False) -> dict:
    """Fields that a population of any model can have beside those it ``have``."""
    fields: dict = {}
    for name, of in (("beta", "decay"), ("alpha", "current_decay")):
        decay = have.get(of, Decay())
        if decay.fraction_bits is not None and draw(st.booleans()):
            fields[name] = rng.integers(0, (1 << decay.fraction_bits) + 1, size)
    low = -(1 << (have["v_bits"] - 1))
    high = -low - 1
    if model is not Model.RELU and draw(st.sampled_from((False, False, True))):
        low = fields["v_floor"] = max(low, draw(st.sampled_from((0, -1, -20, -1000, low))))
    near = draw(st.sampled_from((None, 5, 1 << 31)))
    fields["v_init"] = max(low, have["v_init"]) if near is None else rng.integers(max(low, -near), min(high, near) + 1, size)
    if model in HOLDING and draw(st.sampled_from((False, True) if hybrid else (False, False, False, True))):
        fields |= {"held": True, "i_bits": draw(WIDTHS)}
    if model in VALUES:
        return fields
    if model is not Model.ALIF:
        fields["max_spikes"] = draw(st.sampled_from((1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5, 7, 8, 9, 255)))
    if model is Model.RELU:
        return fields
    fields["refractory"] = draw(st.sampled_from((0, 0, 0, 1, 2, 3, 5, 63)))
    fields["inhibition"] = draw(st.sampled_from((0, 0, 1, 2, 4, 63)))
    # A population without refractory timesteps can have the mode, which then does nothing.
    fields["refractory_mode"] = draw(st.sampled_from(Refractory)) if not fields["inhibition"] else Refractory.FIRE
    return fields


@st.composite
def _projections(draw, source: Population, target: Population, delay: int, port: Port, rng: np.random.Generator, extended: bool,
                 sparse: bool, conv: Conv | None = None) -> Projection:
    """A projection of any weight format; ``sparse`` allows that it is stored so; ``conv`` makes it a convolution."""
    shape, density = (target.size, source.size) if conv is None else conv.weights_shape, draw(st.sampled_from((0.0, 0.3, 1.0, 1.0)))
    fields: dict = {"shift": draw(st.integers(0, 3)), "delay": delay, "port": port}
    form = draw(st.sampled_from(("plain", "plain", "1 bit", "codebook"))) if extended else "plain"
    if form == "plain":
        bits = fields["weight_bits"] = draw(st.integers(2, 8))
        weights = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
    elif form == "1 bit":
        fields["weight_bits"] = 1
        weights = rng.choice([-1, 1], shape)
    else:
        book = rng.choice(np.arange(-128, 128), draw(st.integers(2, 16)), replace=False)
        if draw(st.booleans()) and 0 not in book:
            book[0] = 0
        fields["codebook"], weights = tuple(book.tolist()), rng.choice(book, shape)
    if form == "plain" or 0 in fields.get("codebook", ()):
        weights = weights * (rng.random(shape) < density)
    if conv is not None:
        fields |= {"kind": Kind.CONV, "conv": conv}
    elif sparse and port is Port.CURRENT and draw(st.booleans()):
        fields["kind"] = Kind.SPARSE
    return Projection(source=source.name, target=target.name, weights=weights, **fields)


@st.composite
def random_networks(draw, max_size: int = 14, max_populations: int = 4, max_inputs: int = 2, max_delay: int = 4,
                    recurrent: bool = True, extra_projections: int = 4, sparse: bool = True, shared: bool = True, conv: bool = True,
                    convolutional: bool = False, hybrid: bool = False,
                    models: tuple[Model, ...] | None = None) -> Network:
    """A valid network: 1 to ``max_inputs`` inputs (unit, sign or graded) and populations of 1 to ``max_size`` neurons.

    Every population is driven; with ``recurrent`` there may be loops, backward and parallel projections, all with random delays,
    shifts, widths and densities (0 included). One or more populations are outputs, those that are read as values always.

    About half of the networks are plain: IF, LIF and LI with weights of 2 to 8 bits, read as a count or a value. The others have any model
    and whatever the contract allows of it. ``models`` are those to draw from, in either half. ``sparse`` allows sparse projections,
    ``shared`` projections that share a matrix, ``conv`` convolutions (all: in the other half). ``convolutional``: a network of that half, each
    population of which is led to by a convolution, if it is drawn one. ``hybrid``: one with activations, and spikes that
    may hold their current.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    extended = convolutional or hybrid or draw(st.booleans())
    models = HYBRID if hybrid else models
    inputs = [draw(_populations(f"in{i}", max_size, Model.INPUT, rng, False, extended)) for i in range(draw(st.integers(1, max_inputs)))]
    n = draw(st.integers(1, max_populations))
    drawn = [draw(st.sampled_from(models or (MODELS if extended else PLAIN))) for _ in range(n)]
    outputs = [draw(st.booleans()) for _ in range(n)]
    outputs = [output and model is not Model.RELU for output, model in zip(outputs, drawn)]  # that is not read
    if not any(outputs) and not any(model in VALUES for model in drawn):
        drawn[-1] = Model.LIF if drawn[-1] is Model.RELU else drawn[-1]
        outputs[-1] = True
    neurons: list[Population] = []

    def may(source: Model, target: Model) -> bool:
        """Whether a projection may lead from one to the other: changes of an activation only to those that can sum them."""
        return source is not Model.RELU or target in (*HOLDING, Model.RELU)

    maps: dict[str, tuple[Population, Conv]] = {}  # source, and geometry, of populations that a convolution leads to
    for i, (model, output) in enumerate(zip(drawn, outputs)):
        source = draw(st.sampled_from(inputs + [p for p in neurons if p.model not in VALUES and may(p.model, model)]))
        geometry = draw(convolutions(source.size, 3 * max_size)) if extended and conv and (convolutional or draw(st.booleans())) else None
        neurons.append(draw(_populations(f"p{i}", max_size, model, rng, output, extended, geometry and geometry.target_size,
                                     hybrid)))
        if geometry is not None:
            maps[f"p{i}"] = source, geometry
    spiking = [i for i, model in enumerate(drawn) if model not in VALUES]

    def project(begin: tuple[Population, int], target: Population, port: Port = Port.CURRENT, delay: int | None = None,
                geometry: Conv | None = None) -> Projection:
        """``begin`` is the source and the least delay; without a ``delay`` one is drawn."""
        if delay is None:
            delay = max(begin[1], draw(st.sampled_from((0, 0, 0, 1, max_delay))))
        return draw(_projections(begin[0], target, delay, port, rng, extended, extended and sparse, geometry))

    def any_source(target: int, spikes: bool = False) -> tuple[Population, int]:
        """A population that may lead to neurons[target] (one of ``spikes`` alone), and the least delay of its projection."""
        source = draw(st.sampled_from([-1, *(k for k in spiking if (recurrent or k < target) and may(drawn[k], drawn[target])
                                             and not (spikes and drawn[k] is Model.RELU))]))
        return (draw(st.sampled_from(inputs)), 0) if source < 0 else (neurons[source], int(source >= target))

    projections = []
    for i, target in enumerate(neurons):
        before = inputs + [neurons[k] for k in spiking if k < i and may(drawn[k], target.model)]
        if target.name in maps:
            projections.append(project((maps[target.name][0], 0), target, geometry=maps[target.name][1]))
            if recurrent and target.model not in VALUES and draw(st.sampled_from((False, False, True))):
                projections.append(project((target, 1), target, geometry=_same(maps[target.name][1])))
        if target.name not in maps or draw(st.sampled_from((False, False, True))):
            projections.append(project((draw(st.sampled_from(before)), 0), target))
    for _ in range(draw(st.integers(0, extra_projections)) if recurrent else 0):
        target = draw(st.integers(0, n - 1))
        projections.append(project(any_source(target), neurons[target]))
    by_name = {p.name: p for p in (*inputs, *neurons)}
    for i, target in enumerate(neurons):
        driving = [p for p in projections if p.target == target.name]
        gated = draw(st.sampled_from(("same", "same", "same", "other", "none"))) if target.has_gate else "none"
        if gated == "same":  # the sources of port i, as the gate of a trained network has it
            projections += [project((by_name[p.source], 0), target, Port.GATE, p.delay) for p in driving]
        elif gated == "other":
            projections.append(project(any_source(i), target, Port.GATE))
        if target.inhibition and not target.has_gate and draw(st.sampled_from((True, True, True, False))):
            lateral = recurrent and draw(st.booleans())
            projections.append(project((target, 1) if lateral else any_source(i, spikes=True), target, Port.BLOCK))
    summing = {p.target for p in projections if by_name[p.source].model is Model.RELU and not by_name[p.target].sums_changes}
    neurons = [replace(p, held=True) if p.name in summing else p for p in neurons]
    if extended and shared and draw(st.booleans()):  # the same synapses once more, later
        first = draw(st.integers(0, len(projections) - 1))
        projections[first] = replace(projections[first], matrix="shared")
        projections.append(replace(projections[first], delay=min(63, projections[first].delay + draw(st.integers(1, 3)))))
    twins = []
    if extended and shared and draw(st.booleans()):  # another population with the same synapses: on one tile they share their weights
        one = draw(st.sampled_from(neurons))
        twins = [replace(one, name="twin", theta=one.theta[::-1], bias=one.bias[::-1])]
        for k, p in enumerate(projections):
            if p.target == one.name:
                projections[k] = replace(p, matrix=p.matrix or f"m{k}")
                projections.append(replace(projections[k], target="twin", delay=min(63, p.delay + draw(st.integers(0, 2)))))
    # The order of populations and projections is free.
    rng.shuffle(projections)
    populations = [*inputs, *neurons, *twins]
    if draw(st.booleans()):
        rng.shuffle(populations)
    return Network(name="random", populations=tuple(populations), projections=tuple(projections))


@st.composite
def plan_options(draw, network: Network, cut: bool = False) -> dict:
    """Keyword arguments for :func:`spikeloom.gen.plan.plan`: any lanes, update lanes, tiles (shared or split), fabric and ports; with ``cut`` as
    many tiles as small ones it takes, in one of two plans, so that maps are cut by rows, by channels, or both."""
    places = {q.target: q.conv.out_shape[2] for q in network.projections if q.conv is not None}  # a map can be cut into rows of its channels
    neurons = sum(p.size // places.get(p.name, 1) for p in network.populations if p.model is not Model.INPUT)
    lanes = draw(st.one_of(st.none(), st.integers(1, 20)))
    updates = None
    if lanes is not None and draw(st.booleans()):
        updates = draw(st.sampled_from([u for u in (1, 2, 4, 8, 16) if lanes % u == 0]))
    writable = draw(st.booleans())
    options = {"lanes": lanes, "update_lanes": updates, "tiles": draw(st.one_of(st.none(), st.integers(1, min(neurons, 10)))),
               "fabric": draw(st.sampled_from(("auto", "star", "mesh"))), "writable": writable, "export": writable and draw(st.booleans())}
    if cut and places and draw(st.booleans()):
        row, whole = max(places.values()), max(q.conv.target_size for q in network.projections if q.conv is not None)
        options |= {"tiles": None, "limits": TileLimits(neurons=draw(st.integers(max(row, whole // 4), max(row, whole // 2))))}
    return options
