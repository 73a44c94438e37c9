"""A second golden model, one neuron at a time in plain Python, and random networks to compare the two on.

It is written from docs/numerics.md alone and shares no arithmetic with the package: decays, roundings, resets and saturation are
spelled out again on Python's unbounded integers.
"""

import numpy as np
from hypothesis import strategies as st

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset


def _shift(x, n, rounding):
    if rounding is Rounding.TOWARD_ZERO:
        return int(x / abs(x) * (abs(x) // 2**n)) if x else 0
    return (x + (2**n // 2 if rounding is Rounding.NEAREST else 0)) // 2**n


def _decay(x, p):
    d = p.decay
    if d.factor is not None:
        return _shift(x * d.factor, d.fraction_bits, p.rounding)
    return x - sum(_shift(x, n, p.rounding) for n in (d.shift_a, d.shift_b) if n is not None)


def _next(p, v, s, current, theta):
    if p.reset is Reset.SUBTRACT:
        v = _decay(v, p) + current - theta * s
    elif p.reset is Reset.SUBTRACT_BEFORE_DECAY:
        v = _decay(v - theta * s, p) + current
    elif p.reset is Reset.ZERO:
        v = _decay(0 if s else v, p) + current
    elif p.reset is Reset.ZERO_AFTER:
        v = 0 if s else _decay(v, p) + current
    else:
        v = _decay(v, p) + current
    low, high = -(2 ** (p.v_bits - 1)), 2 ** (p.v_bits - 1) - 1
    return max(low, min(high, v)), not low <= v <= high


def run_clip(network, x):
    """One clip [T, C] as dictionaries: spikes, potentials [T][size], readouts [size], events, sops, saturations."""
    sent = {p.name: [] for p in network.populations}  # payloads per timestep
    out = {"spikes": sent, "potentials": {}, "readouts": {}, "events": {}, "sops": {}, "saturations": {}}
    for p in network.populations:
        if p.model is not Model.INPUT:
            out["potentials"][p.name], out["events"][p.name], out["sops"][p.name], out["saturations"][p.name] = [], 0, 0, 0
    for t in range(len(x)):
        channel = 0
        for p in network.populations:
            if p.model is Model.INPUT:
                sent[p.name].append([int(k) for k in x[t, channel : channel + p.size]])
                channel += p.size
        for p in (network.population(name) for name in network.order):
            if p.model is Model.INPUT:
                continue
            sums = [0] * p.size
            for q in network.incoming(p.name):
                arrived = sent[q.source][t - q.delay] if t >= q.delay else []
                for pre, payload in enumerate(arrived):
                    if payload:
                        out["events"][p.name] += 1
                        for post in range(p.size):
                            sums[post] += payload * int(q.weights[post, pre]) * 2**q.shift
                            out["sops"][p.name] += 1
            values, spikes = [], []
            for k in range(p.size):
                v = out["potentials"][p.name][-1][k] if t else p.v_init
                s = sent[p.name][-1][k] if t and p.spikes else 0
                v, clipped = _next(p, v, s, sums[k] * 2**p.guard_bits + int(p.bias[k]), int(p.theta[k]))
                out["saturations"][p.name] += clipped
                values.append(v)
                spikes.append(int(p.spikes and v >= int(p.theta[k])))
            out["potentials"][p.name].append(values)
            sent[p.name].append(spikes)
    for p in network.populations:
        column = list(zip(*(out["potentials"] if p.model is Model.LI else sent)[p.name], strict=True)) or [()] * p.size
        if p.readout is Readout.COUNT:
            out["readouts"][p.name] = [min(sum(c), 65535) for c in column]
        elif p.readout is Readout.LAST:
            out["readouts"][p.name] = [c[-1] if c else 0 for c in column]
        elif p.readout is Readout.MAX:
            out["readouts"][p.name] = [max(c, default=-(2 ** (p.v_bits - 1))) for c in column]
        elif p.readout is Readout.SUM:
            limit, sums = 2 ** (p.v_bits + 15), []
            for c in column:
                total = 0
                for v in c:
                    total = max(-limit, min(limit - 1, total + v))
                sums.append(total)
            out["readouts"][p.name] = sums
    return out


_decays = st.one_of(
    st.just(Decay()),
    st.integers(1, 12).flatmap(lambda f: st.builds(Decay, factor=st.integers(0, 1 << f), fraction_bits=st.just(f))),
    st.builds(Decay, shift_a=st.integers(1, 8)), st.builds(Decay, shift_a=st.integers(1, 8), shift_b=st.integers(1, 8)))


@st.composite
def networks(draw):
    """Small networks with every option of the contract: several inputs, recurrence, delays, skips, tiny and wide membranes."""
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
