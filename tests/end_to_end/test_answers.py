"""Readouts, payloads and the answer of whole chips: read at any time, compared with plain loops and with the golden model."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth import *
from amaranth.lib import wiring

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.hdl import top
from spikeloom.hdl.answer import Answer
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

from .chip_bench import compare, play
from .host_items import READ, RESET, timesteps
from .host_programs import random_clip

LEAK = Decay(factor=230, fraction_bits=8)


def several(readout: Readout) -> Network:
    """Inputs, a population that spikes up to 3 times (and is read as well, where it is the first spikes), one that votes, one of this readout."""
    rng = np.random.default_rng(3)
    if readout in (Readout.LAST, Readout.SUM, Readout.MAX):
        values = {"model": Model.LI, "decay": LEAK}
    else:
        theta = np.array([700, 500, 60, 190, 900, 350]) if readout is Readout.FIRST else rng.integers(20, 90, 6)  # one fires after the other
        values = {"model": Model.IF, "reset": Reset.SUBTRACT, "theta": theta, "max_spikes": 5}
    classes = {"classes": np.array([1, 0, 2, 0, -1, 2])} if readout is Readout.VOTE else {}
    populations = (
        Population(name="x", size=6, model=Model.INPUT),
        Population(name="h", size=9, model=Model.LIF, decay=LEAK, reset=Reset.SUBTRACT, theta=12, v_bits=10, max_spikes=3, output=True,
                   readout=readout if readout is Readout.FIRST else Readout.NONE),
        Population(name="poll", size=4, model=Model.LIF, decay=LEAK, theta=20, v_bits=10, readout=Readout.VOTE, classes=np.array([1, 1, -1, 0])),
        Population(name="y", size=6, v_bits=11, readout=readout, **values, **classes))
    return Network(name="several", populations=populations, projections=tuple(
        Projection(source=a, target=b, weights=rng.integers(-4, 16, (m, n)), weight_bits=5)
        for a, b, m, n in (("x", "h", 9, 6), ("h", "poll", 4, 9), ("h", "y", 6, 9))))


@pytest.mark.parametrize("readout", [r for r in Readout if r is not Readout.NONE])
@pytest.mark.parametrize("stall", [0.0, 0.4])
def test_the_answer_and_its_confidence_can_be_read_at_any_timestep_of_a_stream(readout, stall):
    network = several(readout)
    chip, reads = plan(network, lanes=4, tiles=3), [0, 1, 3, 3, 4, 8, 13]
    x = random_clip(network, reads[-1], np.random.default_rng(2), 0.4)
    items = [item for a, b in zip([0, *reads], reads) for item in (*timesteps(chip, x[a:b]), READ)]
    (run,) = play(chip, pack(chip, network), items, seed=1, stall=stall)
    assert compare(chip, network, x, run, lengths=False, reads=reads) == []
    assert any(payload == 3 for *_, payload in run.spikes)
    # The same by the golden model's own streaming.
    state, answers = None, []
    for a, b in zip([0, *reads], reads):
        result = golden.run(network, x[None, a:b], state=state)
        state = result.state
        answers.append((int(result.answers[0]), int(result.confidences[0])))
    assert run.answers == answers
    assert len(set(answers)) > 2


@pytest.mark.parametrize("change, words", [
    (lambda run: run.answers.__setitem__(0, (run.answers[0][0], run.answers[0][1] + 1)), "answer after 6 timesteps"),
    (lambda run: run.answers.clear(), "0 answers for 1 readouts"),
    (lambda run: run.readouts[0].__setitem__(-1, (*run.readouts[0][-1][:2], 99)), "readouts after 6 timesteps"),
    (lambda run: run.spikes.__setitem__(0, (*run.spikes[0][:3], run.spikes[0][3] % 3 + 1)), "extra spike"),
])
def test_the_comparison_refutes_another_answer_readout_and_payload(change, words):
    network = several(Readout.COUNT)
    chip, x = plan(network, lanes=4), random_clip(several(Readout.COUNT), 6, np.random.default_rng(1), 0.5)
    (run,) = play(chip, pack(chip, network), [*timesteps(chip, x), READ])
    assert compare(chip, network, x, run) == []
    change(run)
    assert any(words in line for line in compare(chip, network, x, run))


def spoiled(change):
    """An Answer of which ``change`` spoils a port: it gets the module, the right ports and those that are shown."""
    class Spoiled(wiring.Component):
        def __init__(self, chip):
            self._right = Answer(chip)
            super().__init__(self._right.signature)

        def elaborate(self, platform):
            m = Module()
            m.submodules.right = right = self._right
            m.d.comb += [getattr(right, name).eq(getattr(self, name)) for name in ("taken", "word", "renew")]
            m.d.comb += [getattr(self, name).eq(getattr(right, name)) for name in ("valid", "index", "confidence")]
            change(m, right, self)
            return m

    return Spoiled


def late(m, right, shown):
    before = Signal()
    m.d.sync += before.eq(right.valid)
    m.d.comb += shown.valid.eq(right.valid & before)


def long(m, right, shown):
    before = Signal()
    m.d.sync += before.eq(right.valid)
    m.d.comb += shown.valid.eq(right.valid | before)


def restless(m, right, shown):
    beat = Signal()
    m.d.sync += beat.eq(~beat)
    m.d.comb += shown.confidence.eq(right.confidence ^ beat)


@pytest.mark.parametrize("change, words", [(late, "the answer is not valid"), (long, "the answer is valid"), (restless, "became")])
def test_the_bench_refutes_an_answer_in_another_cycle_or_one_that_changes(change, words, monkeypatch):
    network = several(Readout.COUNT)
    chip, x = plan(network, lanes=4), random_clip(network, 4, np.random.default_rng(1), 0.5)
    program = [*timesteps(chip, x[:2]), READ, *timesteps(chip, x[2:]), READ, RESET]
    play(chip, pack(chip, network), program)
    monkeypatch.setattr(top, "Answer", spoiled(change))
    with pytest.raises(AssertionError, match=words):
        play(chip, pack(chip, network), program)
