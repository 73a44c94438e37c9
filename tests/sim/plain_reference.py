"""A second golden model, one neuron at a time in plain Python, and the comparison with the first.

It is written from docs/numerics.md alone and shares no arithmetic with the package: decays, roundings, resets, gates and saturation
are spelled out again on Python's unbounded integers.
"""

import numpy as np

from spikeloom.spec.arithmetic import Rounding
from spikeloom.spec.network import Gain, Kind, Model, Port, Readout, Refractory, Reset

CURRENTS = (Model.CUBALIF, Model.CUBALI, Model.SPIKGRU)
VALUES = (Model.LI, Model.CUBALI)


def _shift(x, n, rounding):
    if rounding is Rounding.TOWARD_ZERO:
        return -(-x // 2**n) if x < 0 else x // 2**n
    return (x + (2**n // 2 if rounding is Rounding.NEAREST else 0)) // 2**n


def _decay(x, d, factor, rounding):
    """beta * x; ``factor`` is the neuron's own, or None."""
    if d.factor is not None:
        return _shift(x * (d.factor if factor is None else factor), d.fraction_bits, rounding)
    return x - sum(_shift(x, n, rounding) for n in (d.shift_a, d.shift_b) if n is not None)


def _complement(x, d, factor, rounding):
    """(1 - beta) * x."""
    if d.factor is not None:
        return _shift(x * (2**d.fraction_bits - (d.factor if factor is None else factor)), d.fraction_bits, rounding)
    return sum(_shift(x, n, rounding) for n in (d.shift_a, d.shift_b) if n is not None)


def _signed(x, bits):
    """(x in that two's complement format, whether it was not)."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return max(low, min(high, x)), not low <= x <= high


class _Neuron:
    """One neuron and all that it remembers."""

    def __init__(self, p, k):
        self.p = p
        self.theta, self.bias, self.v, self.jump = int(p.theta[k]), int(p.bias[k]), int(p.v_init[k]), int(p.jump[k])
        self.beta, self.alpha = (None if factors is None else int(factors[k]) for factors in (p.beta, p.alpha))
        self.gate_bias = int(p.gate_bias[k])
        self.i = self.a = self.n = self.q = self.sent = 0
        self.saturations = 0

    def step(self, total, gate, block):
        p, n = self.p, self.n
        # 2. Quiet or not.
        self.q = p.refractory if n > 0 else max(self.q - 1, 0)
        if block > 0:
            self.q = max(self.q, p.inhibition)
        # 3. The drive.
        drive = total * 2**p.guard_bits + self.bias
        if p.held:
            self.i, saturated = _signed(self.i + total * 2**p.guard_bits, p.i_bits)
            self.saturations += saturated
            drive = self.i + self.bias
        if p.model in CURRENTS:
            self.i, saturated = _signed(_decay(self.i, p.current_decay, self.alpha, p.rounding) + drive, p.i_bits)
            self.saturations += saturated
            drive = _complement(self.i, p.decay, self.beta, p.rounding) if p.gain is Gain.COMPLEMENT else self.i
        # 4. The membrane.
        if self.q > 0 and p.refractory_mode is Refractory.INTEGRATE:
            v = {Reset.SUBTRACT: self.v - self.theta * n, Reset.SUBTRACT_BEFORE_DECAY: self.v - self.theta * n, Reset.NONE: self.v,
                 Reset.ZERO: 0 if n else self.v, Reset.ZERO_AFTER: 0 if n else self.v}[p.reset]
        elif p.reset is Reset.SUBTRACT:
            v = self._next(self.v, drive, gate) - self.theta * n
        elif p.reset is Reset.SUBTRACT_BEFORE_DECAY:
            v = self._next(self.v - self.theta * n, drive, gate)
        elif p.reset is Reset.ZERO:
            v = self._next(0 if n else self.v, drive, gate)
        elif p.reset is Reset.ZERO_AFTER:
            v = 0 if n else self._next(self.v, drive, gate)
        else:
            v = self._next(self.v, drive, gate)
        # 5. Saturation, then the floor.
        self.v, saturated = _signed(v, p.v_bits)
        self.saturations += saturated
        if p.v_floor is not None and self.v < p.v_floor:
            self.v = p.v_floor
        if p.model in VALUES:
            return
        # 6. The threshold.
        threshold = self.theta
        if p.model is Model.ALIF:
            self.a = max(0, min(2**p.a_bits - 1, _decay(self.a, p.adaptation_decay, None, p.rounding) + self.jump * n))
            threshold += self.a
        # 7. Spikes.
        before, self.n = self.n, 0
        while self.q == 0 and self.v >= threshold * (self.n + 1) and self.n < p.max_spikes:
            self.n += 1
        self.sent = self.n - before if p.model is Model.RELU else self.n

    def _next(self, x, drive, gate):
        p = self.p
        if p.model is not Model.SPIKGRU:
            return _decay(x, p.decay, self.beta, p.rounding) + drive
        half = len(p.gate_table) // 2
        g = max(-half, min(half - 1, _shift(gate + self.gate_bias, p.gate_shift, p.rounding)))
        z = int(p.gate_table[g + half])
        return _shift(z * x + (256 - z) * self.i, 8, p.rounding)


def _readout(p, sent, potentials):
    """Values of a population's readout, of the whole clip: payloads and potentials ``[T][size]``."""
    columns = [[row[k] for row in (potentials if p.model in VALUES else sent)] for k in range(p.size)]
    if p.readout is Readout.COUNT:
        return [min(sum(c), 65535) for c in columns]
    if p.readout is Readout.FIRST:
        return [next((min(t, 65534) for t, n in enumerate(c) if n), 65535) for c in columns]
    if p.readout is Readout.VOTE:
        return [min(sum(sum(c) for c, own in zip(columns, p.classes) if own == k), 65535) for k in range(max(p.classes) + 1)]
    if p.readout is Readout.LAST:
        return [c[-1] if c else 0 for c in columns]
    if p.readout is Readout.MAX:
        return [max(c, default=-(2 ** (p.v_bits - 1))) for c in columns]
    sums = [0] * p.size
    for k, column in enumerate(columns):
        for v in column:
            sums[k] = _signed(sums[k] + v, p.v_bits + 16)[0]
    return sums


def _answer(p, values):
    """(index of the best value, distance from the second)."""
    best = min(values) if p.readout is Readout.FIRST else max(values)
    others = [*values]
    others.remove(best)
    second = min(others, default=best) if p.readout is Readout.FIRST else max(others, default=best)
    return values.index(best), abs(best - second)


def convolved(q, pre):
    """(target neuron, weight) of each synapse of a neuron of a map: every target and tap is tried, by the definition."""
    conv, found = q.conv, []
    (channels, height, width), (top, _, left, _) = conv.shape, conv.padding
    channel, y, x = pre // (height * width), pre // width % height, pre % width
    py, px = y // conv.pool[0], x // conv.pool[1]  # in the map of summed blocks, whose last one may be cut off
    if py >= height // conv.pool[0] or px >= width // conv.pool[1]:
        return found
    own, into = conv.out_channels // conv.groups, channels // conv.groups
    _, rows, columns = conv.out_shape
    for c in range(conv.out_channels):
        if c // own != channel // into:
            continue
        for ty in range(rows):
            for tx in range(columns):
                for ky in range(conv.kernel[0]):
                    for kx in range(conv.kernel[1]):
                        if (ty * conv.stride[0] + ky * conv.dilation[0] - top, tx * conv.stride[1] + kx * conv.dilation[1] - left) == (py, px):
                            found.append(((c * rows + ty) * columns + tx, int(q.weights[c, channel % into, ky, kx])))
    return found


def run_clip(network, x, potentials=None, currents=None):
    """One clip [T, C] as dictionaries: spikes, potentials and currents [T][size], readouts, events, sops, multiplied, saturations; answer.

    ``rises`` and ``quiet`` [size] are the a and q of the end.
    ``potentials`` and ``currents`` [size], by population, are those to start from where it is not the reset.
    """
    sent = {p.name: [] for p in network.populations}  # payloads per timestep
    neurons = {p.name: [_Neuron(p, k) for k in range(p.size)] for p in network.populations if p.model is not Model.INPUT}
    for name, values in (potentials or {}).items():
        for neuron, v in zip(neurons[name], values, strict=True):
            neuron.v = int(v)
    for name, values in (currents or {}).items():
        for neuron, i in zip(neurons[name], values, strict=True):
            neuron.i = int(i)
    out = {"spikes": sent, **{what: {name: [] for name in neurons} for what in ("potentials", "currents")},
           **{what: dict.fromkeys(neurons, 0) for what in ("events", "sops", "multiplied")}}
    for t in range(len(x)):
        channel = 0
        for p in network.populations:
            if p.model is Model.INPUT:
                sent[p.name].append([int(k) for k in x[t, channel : channel + p.size]])
                channel += p.size
        for name in network.order:
            p = network.population(name)
            if p.model is Model.INPUT:
                continue
            # 1. The sums.
            sums = {port: [0] * p.size for port in Port}
            for q in network.incoming(name):
                arrived = sent[q.source][t - q.delay] if t >= q.delay else []
                for pre, payload in enumerate(arrived):
                    if payload and q.kind is Kind.CONV:
                        out["events"][name] += 1
                        for post, weight in convolved(q, pre):
                            sums[q.port][post] += payload * weight * 2**q.shift
                            out["sops"][name] += 1
                            out["multiplied"][name] += payload not in (-1, 1)
                    elif payload:
                        out["events"][name] += 1
                        for post in range(p.size):
                            if q.kind is Kind.DENSE or q.weights[post, pre] != 0:
                                sums[q.port][post] += payload * int(q.weights[post, pre]) * 2**q.shift
                                out["sops"][name] += 1
                                out["multiplied"][name] += payload not in (-1, 1)
            for k, neuron in enumerate(neurons[name]):
                neuron.step(sums[Port.CURRENT][k], sums[Port.GATE][k], sums[Port.BLOCK][k])
            out["potentials"][name].append([neuron.v for neuron in neurons[name]])
            out["currents"][name].append([neuron.i for neuron in neurons[name]])
            sent[name].append([neuron.sent for neuron in neurons[name]])
    for what, name in (("rises", "a"), ("quiet", "q")):
        out[what] = {population: [getattr(neuron, name) for neuron in group] for population, group in neurons.items()}
    out["saturations"] = {name: sum(neuron.saturations for neuron in group) for name, group in neurons.items()}
    read = [p for p in network.populations if p.readout is not Readout.NONE]
    out["readouts"] = {p.name: _readout(p, sent[p.name], out["potentials"][p.name]) for p in read}
    out["answer"] = _answer(read[-1], out["readouts"][read[-1].name]) if read else None
    return out


def compare(network, x, result, potentials=None, currents=None):
    """Assert that a recorded result equals the plain reference in everything it reports."""
    assert_equal(network, result, [run_clip(network, clip, *({name: a[n] for name, a in (part or {}).items()} for part in (potentials, currents)))
                                   for n, clip in enumerate(x)])


def assert_equal(network, result, wanted):
    """Assert that a recorded result is what :func:`run_clip` gave for its clips."""
    totals = dict.fromkeys(result.saturations, 0)
    for n, want in enumerate(wanted):
        for p in network.populations:
            if p.model is Model.INPUT:
                assert result.counters[p.name].spikes[n] == np.count_nonzero(want["spikes"][p.name])
                continue
            n_steps = len(want["spikes"][p.name])
            shape = (n_steps, p.size)
            np.testing.assert_array_equal(result.potentials[p.name][n], np.reshape(want["potentials"][p.name], shape))
            assert (p.name in result.currents) == p.has_current
            if p.has_current:
                np.testing.assert_array_equal(result.currents[p.name][n], np.reshape(want["currents"][p.name], shape))
            if p.spikes:
                spikes = np.reshape(want["spikes"][p.name], shape)
                assert result.spikes[p.name].dtype == (bool if p.max_spikes == 1 and p.model is not Model.RELU else np.int16)
                np.testing.assert_array_equal(result.spikes[p.name][n], spikes)
                np.testing.assert_array_equal(result.spike_counts[p.name][n], spikes.sum(axis=0))
                assert result.counters[p.name].spikes[n] == np.count_nonzero(spikes)
            if p.readout is not Readout.NONE:
                np.testing.assert_array_equal(result.readouts[p.name][n], want["readouts"][p.name])
            for what in ("rises", "quiet"):
                if p.name in result.state.parts[what]:
                    np.testing.assert_array_equal(result.state.parts[what][p.name][n], want[what][p.name])
            for what in ("events", "sops", "multiplied"):
                assert getattr(result.counters[p.name], what)[n] == want[what][p.name]
            assert result.counters[p.name].updates[n] == n_steps * p.size
            totals[p.name] += want["saturations"][p.name]
        if want["answer"] is None:
            assert result.answers is None and result.confidences is None
        else:
            assert (result.answers[n], result.confidences[n]) == want["answer"]
    assert result.saturations == totals
