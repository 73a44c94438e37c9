"""Every equation of the golden model, changed in one place, is found by the comparison with the plain reference."""

import inspect
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_reference import assert_equal, run_clip
from small_networks import clips_for, networks, rich_network

from spikeloom.sim import _bounds, _currents, _engine, _firing, _neuron_steps, _neurons, _plan, _readouts, _tally, golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Model, Readout, Refractory, Reset

N = _neurons.Neurons
# The module in which a function is called, where that is another.
USERS = {"current_offset": _plan, "accumulate": _engine, "answers": golden, "tally": _engine}
# (where, function, its text, what it becomes)
MUTANTS = [
    (_neuron_steps.Membrane, "step", "self.v, self._temporary, self._reset", "self.v.copy(), self._temporary, self._reset"),
    (_neuron_steps.Membrane, "step", "v.max() > self._high or ", ""),
    (_neuron_steps.Membrane, "step", "np.maximum(v, self._floor, out=v)", "np.maximum(v, self._floor + 1, out=v)"),
    (_neuron_steps.Membrane, "_apply_decay", "self._factor, out=v", "decay.factor, out=v"),
    (_neuron_steps, "current_offset", "bias - population.theta", "bias"),
    (_currents.Current, "step", "self.i, p.rounding, self._alpha", "self.i, p.rounding"),
    (_currents.Current, "step", "i >= self._limit", "i > self._limit"),
    (_currents.Current, "step", "self._limit - 1, out", "self._limit, out"),
    (_currents.Current, "step", "p.gain is Gain.UNIT", "True"),
    (_currents.Current, "step", "complement(self.i, p.rounding, self._beta)", "complement(self.i, p.rounding)"),
    (_currents.Current, "step", "self.i + self._bias", "self.i"),
    (_plan, "_layer", "if p.held:", "if False:"),
    (_engine._Chunk, "_send", "if population.changes:", "if False:"),
    (_engine._Chunk, "_collect", "abs(of) > 1", "of > 1"),
    (_currents.Gate, "step", "self._shift, self._rounding", "self._shift, Rounding.FLOOR"),
    (_currents.Gate, "step", "-self._half, self._half - 1) + self._half", "-self._half, self._half - 2) + self._half"),
    (_firing.Rest, "step", "self.q - 1", "self.q"),
    (_firing.Rest, "step", "self._refractory, np", "self._refractory + 1, np"),
    (_firing.Rest, "step", "block > 0", "block >= 0"),
    (_firing.Rest, "step", "np.maximum(self.q, self._inhibition), self.q", "self._inhibition, self.q"),
    (_firing.Threshold, "step", "self._jump * spikes", "self._jump"),
    (_firing.Threshold, "step", "np.clip(a, 0, (1 << p.a_bits) - 1", "np.clip(a, 0, 1 << p.a_bits"),
    (_firing.Threshold, "step", "np.clip(a, 0,", "np.clip(a, -9,"),
    (_firing.Threshold, "step", "v >= threshold", "v > threshold"),
    (_firing.Threshold, "step", "v >= threshold", "v >= self.theta"),
    (_firing.Threshold, "step", ", p.max_spikes)", ", p.max_spikes + 1)"),
    (N, "step", "held, v)", "self.v, v)"),
    (N, "step", "n[resting] = 0", "pass"),
    (N, "step", "is Refractory.INTEGRATE", "is not Refractory.INTEGRATE"),
    (N, "_reset", "(Reset.ZERO, Reset.ZERO_AFTER)", "(Reset.ZERO,)"),
    (N, "_reset", "self.threshold.theta * spikes", "self.threshold.theta * fired"),
    (N, "_integrated", "(Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO)", "(Reset.ZERO,)"),
    (N, "_integrated", "(Reset.SUBTRACT_BEFORE_DECAY, Reset.ZERO)", "(Reset.SUBTRACT_BEFORE_DECAY,)"),
    (N, "_integrated", "256 - z", "255 - z"),
    (N, "_integrated", "8, p.rounding", "8, Rounding.NEAREST"),
    (N, "_integrated", "p.rounding, self._beta", "p.rounding"),
    (N, "_integrated", "self.threshold.theta * spikes", "self.threshold.theta"),
    (N, "_integrated", "np.where(fired, 0, v)", "v"),
    (N, "_write_back", "p.low, p.v_max", "p.v_min, p.v_max"),
    (N, "_write_back", "v < p.v_min", "v < p.low"),
    (_readouts, "accumulate", "(readout == NO_SPIKE) & ", ""),
    (_readouts, "accumulate", "p.classes[p.classes >= 0], counts.T[p.classes >= 0]", "p.classes, counts.T"),
    (_readouts, "answers", "* (-1 if read[-1].readout is Readout.FIRST else 1)", ""),
    (_readouts, "answers", "ranked[:, -1] - ranked[:, -2]", "ranked[:, -1] - ranked[:, 0]"),
    (_tally, "tally", "projection.fan_out", "source.size * [p.size]"),
    (_tally, "tally", "abs(first) > 1", "first > 1"),
    (_tally, "tally", "np.count_nonzero(first, axis=1)", "0"),
    (_tally, "tally", "multiplied += arrived", "multiplied += sent[source.name]"),
    (_bounds, "_widest", "256 * max(v", "max(v"),
]


@pytest.fixture(scope="module")
def bank():
    """Networks, clips, and what must come of them."""
    rich = [rich_network(model, reset, mode, rounding) for model in Model if model is not Model.INPUT for reset in Reset
            for mode, rounding in zip([*Refractory, Refractory.FIRE], Rounding, strict=True)]
    rich += [rich_network(Model.SPIKGRU, v_bits=29, i_bits=29, theta=1 << 22, bias=1 << 27, current_decay=Decay(), alpha=None),
             rich_network(Model.LIF, held=True, i_bits=9), rich_network(Model.ALIF, Reset.ZERO, held=True),
             rich_network(Model.LI, held=True, i_bits=7),
             rich_network(Model.RELU, max_spikes=1, theta=5),
             rich_network(Model.LIF, readout=Readout.VOTE, classes=[0, -1, 1, -1, 1]),
             rich_network(Model.ALIF, adaptation_decay=Decay(shift_a=1, shift_b=1), a_bits=3),
             rich_network(Model.ALIF, adaptation_decay=Decay(), jump=3, a_bits=3)]  # a comes to its largest value, and stays
    cases = [(network, clips_for(network, 2, 15, 3)) for network in rich]

    @settings(max_examples=250, deadline=None, derandomize=True, database=None)
    @given(networks(), st.integers(0, 2**32 - 1))
    def draw(network, seed):
        cases.append((network, clips_for(network, 1, 9, seed)))

    draw()
    assert len(cases) > 300
    return [(network, x, [run_clip(network, clip) for clip in x]) for network, x in cases]


def _check(bank, monkeypatch):
    """Compare all of it in blocks of few timesteps, and the work of two runs, the second of which goes on where the first was."""
    monkeypatch.setattr(_engine, "_BLOCK_ELEMENTS", 60)
    for network, x, want in bank:
        _plan.plan.cache_clear()
        assert_equal(network, golden.run(network, x, record=True), want)
        first = golden.run(network, x[:, :4])
        second = golden.run(network, x[:, 4:], state=first.state)
        for what in ("events", "sops", "multiplied"):
            for name in want[0][what]:
                total = getattr(first.counters[name], what) + getattr(second.counters[name], what)
                assert total.tolist() == [clip[what][name] for clip in want]


def test_nothing_is_wrong_without_a_change(bank, monkeypatch):
    _check(bank, monkeypatch)


@pytest.mark.parametrize("owner, name, old, new", MUTANTS, ids=lambda k: "" if not isinstance(k, str) else k)
def test_a_changed_equation_is_seen(owner, name, old, new, bank, monkeypatch):
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1, source
    module = inspect.getmodule(owner)
    space = {**vars(module), "Rounding": Rounding}
    exec(compile(source.replace(old, new), module.__file__, "exec"), space)
    monkeypatch.setattr(USERS.get(name, owner), name, space[name])
    with pytest.raises((AssertionError, IndexError)):
        _check(bank, monkeypatch)
