"""Random networks and random plans of them, for every test that maps networks onto chips."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

__all__ = ["plan_options", "random_networks"]

PAYLOADS = ((1, 1), (1, 1), (1, 1), (-1, 1), (0, 1), (1, 7), (-4, 3), (-256, 255), (-3, -1))
DECAYS = st.one_of(
    st.builds(Decay),
    st.integers(1, 12).flatmap(lambda bits: st.builds(Decay, factor=st.integers(0, 1 << bits), fraction_bits=st.just(bits))),
    st.builds(Decay, shift_a=st.integers(1, 6)),
    st.builds(Decay, shift_a=st.integers(1, 6), shift_b=st.integers(1, 6)))


@st.composite
def _populations(draw, name: str, max_size: int, model: Model, rng: np.random.Generator, output: bool) -> Population:
    size = draw(st.integers(1, max_size))
    if model is Model.INPUT:
        low, high = draw(st.sampled_from(PAYLOADS))
        return Population(name=name, size=size, model=model, payload_min=low, payload_max=high)
    v_bits = draw(st.integers(6, 20))
    largest = (1 << (v_bits - 1)) - 1
    theta_max = min(largest, draw(st.sampled_from((1, 8, 60, 1000, largest))))
    uniform, with_bias = draw(st.booleans()), draw(st.booleans())
    bias_max = min(largest, draw(st.sampled_from((1, 5, 100, largest)))) if with_bias else 0
    theta, bias = rng.integers(1, theta_max + 1, size), rng.integers(-bias_max, bias_max + 1, size)
    if model is Model.LI:
        readout = draw(st.sampled_from((Readout.LAST, Readout.SUM, Readout.MAX)))
    else:
        readout = draw(st.sampled_from((Readout.NONE, Readout.COUNT))) if output else Readout.NONE
    return Population(
        name=name, size=size, model=model, rounding=draw(st.sampled_from(Rounding)),
        decay=Decay() if model is Model.IF else draw(DECAYS),
        reset=Reset.NONE if model is Model.LI else draw(st.sampled_from(Reset)), theta=theta[:1].repeat(size) if uniform else theta,
        bias=bias[:1].repeat(size) if uniform else bias, v_bits=v_bits, guard_bits=draw(st.integers(0, 4)),
        v_init=draw(st.sampled_from((0, 0, 3, -5, largest, -largest - 1))), readout=readout, output=output)


@st.composite
def random_networks(draw, max_size: int = 14, max_populations: int = 4, max_inputs: int = 2, max_delay: int = 4,
                    recurrent: bool = True, extra_projections: int = 4) -> Network:
    """A valid network: 1 to ``max_inputs`` inputs (unit, sign or graded), IF, LIF and LI populations of 1 to ``max_size`` neurons.

    Every population is driven; with ``recurrent`` there may be loops, backward and parallel projections, all with random delays,
    shifts, widths and densities (0 included). One or more populations are outputs, LI ones always.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = [draw(_populations(f"in{i}", max_size, Model.INPUT, rng, False)) for i in range(draw(st.integers(1, max_inputs)))]
    n = draw(st.integers(1, max_populations))
    models = [draw(st.sampled_from((Model.LIF, Model.LIF, Model.IF, Model.LI))) for _ in range(n)]
    outputs = [draw(st.booleans()) for _ in range(n)]
    if not any(outputs) and Model.LI not in models:
        outputs[-1] = True
    neurons = [draw(_populations(f"p{i}", max_size, model, rng, output)) for i, (model, output) in enumerate(zip(models, outputs))]
    spiking = [i for i, model in enumerate(models) if model is not Model.LI]

    def project(source: Population, target: Population, least_delay: int) -> Projection:
        bits, density = draw(st.integers(2, 8)), draw(st.sampled_from((0.0, 0.3, 1.0, 1.0)))
        shape = (target.size, source.size)
        weights = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape) * (rng.random(shape) < density)
        delay = max(least_delay, draw(st.sampled_from((0, 0, 0, 1, max_delay))))
        return Projection(source=source.name, target=target.name, weights=weights, weight_bits=bits, delay=delay,
                          shift=draw(st.integers(0, 3)))

    projections = []
    for i, target in enumerate(neurons):
        before = inputs + [neurons[k] for k in spiking if k < i]
        projections.append(project(draw(st.sampled_from(before)), target, 0))
    for _ in range(draw(st.integers(0, extra_projections)) if recurrent else 0):
        target = draw(st.integers(0, n - 1))
        source = draw(st.sampled_from([-1, *spiking]))
        if source < 0:
            projections.append(project(draw(st.sampled_from(inputs)), neurons[target], 0))
        else:
            projections.append(project(neurons[source], neurons[target], int(source >= target)))
    # The order of populations and projections is free.
    rng.shuffle(projections)
    populations = [*inputs, *neurons]
    if draw(st.booleans()):
        rng.shuffle(populations)
    return Network(name="random", populations=tuple(populations), projections=tuple(projections))


@st.composite
def plan_options(draw, network: Network) -> dict:
    """Keyword arguments for :func:`spikeloom.gen.plan.plan`: any lanes, update lanes, tiles (shared or split) and fabric."""
    neurons = sum(p.size for p in network.populations if p.model is not Model.INPUT)
    lanes = draw(st.one_of(st.none(), st.integers(1, 20)))
    updates = None
    if lanes is not None and draw(st.booleans()):
        updates = draw(st.sampled_from([u for u in (1, 2, 4, 8, 16) if lanes % u == 0]))
    return {"lanes": lanes, "update_lanes": updates, "tiles": draw(st.one_of(st.none(), st.integers(1, min(neurons, 10)))),
            "fabric": draw(st.sampled_from(("auto", "star", "mesh"))), "writable": draw(st.booleans())}
