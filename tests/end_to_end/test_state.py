"""States of a chip over its configuration port: what is read is what the golden model remembers, and what is written goes on as it does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.gen.state import state_words, stored_state, unpack_state
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Gain, Model, Network, Population, Projection, Readout, Refractory, Reset

from ..strategies import plan_options, random_networks
from .chip_bench import compare, describe, play
from .host_items import FLUSH, READ, RESET, config_state, config_words, idle, read_states, step, timesteps
from .host_programs import random_clip
from .test_random_networks import FAST, LONG


def split(chip, words):
    """Words in the order of :func:`read_states`, one list per tile."""
    words, found = list(words), []
    for tile in chip.tiles:
        found.append(words[:tile.n_updates])
        words = words[tile.n_updates:]
    assert not words
    return found


def without_the_past(network, state):
    """The same state as a chip has it that was preloaded with it: no event is under way, and the readouts begin anew."""
    fresh = golden.State.with_potentials(network, {}, n_clips=state.n_clips)
    return replace(state, n_steps=0, history=fresh.history, readouts=fresh.readouts)


def differences(chip, network, words, state):
    """Where words that were read differ from what the golden model's state says, in words."""
    want, got, wrong = stored_state(network, state), unpack_state(chip, words), []
    for name, fields in got.items():
        for field, values in fields.items():
            expected = want[name].get(field, np.zeros(len(values), dtype=np.int64))
            wrong += [f"{field} of {name}[{k}]: {a}, not {b}" for k, (a, b) in enumerate(zip(values, expected)) if a != b]
    return wrong


def prove_states(network, options, first, other, then, stall=0.0):
    """Read the states of a chip after ``first``; write those of the golden model after ``other`` to a second one, and go on with ``then``."""
    chip = plan(network, **options | {"writable": True, "export": True})
    image = pack(chip, network)
    around = f"\n{describe(network, chip, first)}"
    (run,) = play(chip, image, [*timesteps(chip, first), READ, *read_states(chip)], stall=stall)
    result = golden.run(network, first[None], record=True)
    wrong = compare(chip, network, first, run, result=result, lengths=False) + differences(chip, network, split(chip, run.words), result.state)
    assert not wrong, f"read: {'; '.join(wrong[:6])}{around}"

    begin = without_the_past(network, golden.run(network, other[None]).state)
    words = state_words(chip, network, begin)
    (run,) = play(chip, image, [*config_state(chip, words), *read_states(chip), *timesteps(chip, then), READ, *read_states(chip)], stall=stall)
    result = golden.run(network, then[None], state=begin, record=True)
    n = sum(len(held) for held in words)
    assert split(chip, run.words[:n]) == words, f"what was written is not what is read{around}"
    wrong = compare(chip, network, then, run, result=result, lengths=False)
    wrong += differences(chip, network, split(chip, run.words[n:]), result.state)
    assert not wrong, f"written: {'; '.join(wrong[:6])}{around}\nbegun with {begin}"
    return run, result


@st.composite
def cases(draw, longest=6, **options):
    """(network, options of its plan, three clips ``[T, C]``)."""
    network = draw(random_networks(**options))
    rng, density = np.random.default_rng(draw(st.integers(0, 2**31))), draw(st.sampled_from((0.2, 0.6, 1.0)))
    return network, draw(plan_options(network)), [random_clip(network, draw(st.integers(1, longest)), rng, density) for _ in range(3)]


@settings(**FAST, max_examples=15)
@given(cases(max_size=9))
def test_states_of_random_networks_are_read_and_written(case):
    network, options, clips = case
    prove_states(network, options, *clips)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=12, max_size=14, max_delay=63), st.sampled_from((0.0, 0.5)))
def test_states_of_many_random_networks_are_read_and_written(case, stall):
    network, options, clips = case
    prove_states(network, options, *clips, stall=stall)
