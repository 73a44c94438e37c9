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
from spikeloom.hdl.tile import MemoryKind
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Gain, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

from ..strategies import plan_options, random_networks
from .chip_bench import compare, describe, play
from .host_items import FLUSH, READ, RESET, config_state, config_words, read_states, timesteps
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


def layered(seed=1, *, delay=0, back=False, **fields):
    """x -> h -> y; ``fields`` make h what it is; with ``back`` it also leads to itself."""
    rng = np.random.default_rng(seed)
    h = {"model": Model.LIF, "decay": Decay(factor=230, fraction_bits=8), "reset": Reset.SUBTRACT, "theta": rng.integers(8, 40, 9), "v_bits": 10,
         "bias": rng.integers(-3, 6, 9), **fields}
    if h["model"] is Model.SPIKGRU:
        h["decay"] = Decay()
    populations = (Population(name="x", size=6, model=Model.INPUT), Population(name="h", size=9, readout=Readout.COUNT, **h),
                   Population(name="y", size=4, model=Model.LI, decay=Decay(shift_a=3), v_bits=12, readout=Readout.LAST))
    projections = [Projection(source="x", target="h", weights=rng.integers(-8, 16, (9, 6)), weight_bits=5, delay=delay),
                   Projection(source="h", target="y", weights=rng.integers(-8, 16, (4, 9)), weight_bits=5)]
    if h["model"] is Model.SPIKGRU:
        projections.append(Projection(source="x", target="h", weights=rng.integers(-8, 8, (9, 6)), weight_bits=5, port=Port.GATE, delay=delay))
    if back:
        projections.append(Projection(source="h", target="h", weights=rng.integers(-8, 8, (9, 9)), weight_bits=5, delay=1))
    return Network(name="layered", populations=populations, projections=tuple(projections))


def chip_of(network, **options):
    """(chip that exports its states, its image)."""
    chip = plan(network, **{"lanes": 4, "export": True, **options})
    return chip, pack(chip, network)


def clip_of(network, seed, steps=6):
    return random_clip(network, steps, np.random.default_rng(seed), 0.6)


CURRENT = {"current_decay": Decay(factor=200, fraction_bits=8), "i_bits": 9}
MODELS = {
    "lif": {}, "several spikes": {"max_spikes": 5, "theta": 6}, "refractory": {"refractory": 3},
    "refractory membrane": {"refractory": 3, "refractory_mode": Refractory.INTEGRATE},
    "alif": {"model": Model.ALIF, "adaptation_decay": Decay(shift_a=2), "jump": np.arange(9), "a_bits": 7},
    "current": {"model": Model.CUBALIF, **CURRENT}, "complement": {"model": Model.CUBALIF, "gain": Gain.COMPLEMENT, **CURRENT},
    "gate": {"model": Model.SPIKGRU, "gate_table": np.arange(0, 256, 16), "gate_shift": 2, **CURRENT},
    "gate and spikes": {"model": Model.SPIKGRU, "gate_table": np.arange(0, 256, 16), "gate_shift": 2, "max_spikes": 3, "theta": 5, **CURRENT},
}


def of_every_reset(fields):
    """x -> h0 .. h4, one for each reset, every other one recurrent -> y."""
    parts = [layered(k, **{"reset": reset, "rounding": list(Rounding)[k % 3], "back": k % 2 == 1, **fields}) for k, reset in enumerate(Reset)]
    populations = [parts[0].populations[0], parts[0].populations[2]]
    populations += [replace(part.populations[1], name=f"h{k}") for k, part in enumerate(parts)]
    projections = [replace(q, **{end: f"h{k}" for end in ("source", "target") if getattr(q, end) == "h"})
                   for k, part in enumerate(parts) for q in part.projections if q.target == "h" or k == 0]
    return Network(name="resets", populations=tuple(populations), projections=tuple(projections))


@pytest.mark.parametrize("name", MODELS)
def test_states_of_every_model_and_reset_are_read_and_written(name):
    network = of_every_reset(MODELS[name])
    clips = [clip_of(network, seed, 4) for seed in (1, 2, 3)]
    run, result = prove_states(network, {"lanes": 4, "tiles": 2}, *clips)
    anew = golden.run(network, clips[2][None], record=True)
    assert run.spikes and all(np.any(result.potentials[f"h{k}"] != anew.potentials[f"h{k}"]) for k in range(5))


@settings(**FAST, max_examples=10)
@given(cases(max_size=9))
def test_states_of_random_networks_are_read_and_written(case):
    network, options, clips = case
    prove_states(network, options, *clips)


@pytest.mark.slow
@settings(**LONG)
@given(cases(longest=12, max_size=14, max_delay=63, sparse=True, shared=True), st.sampled_from((0.0, 0.5)))
def test_states_of_many_random_networks_are_read_and_written(case, stall):
    network, options, clips = case
    prove_states(network, options, *clips, stall=stall)


def test_a_stream_that_is_put_aside_and_taken_up_again_gives_what_it_gives_without_a_break():
    network = layered()
    chip, image = chip_of(network, tiles=2)
    stream, other = clip_of(network, 1, 12), clip_of(network, 2)
    (run,) = play(chip, image, [*timesteps(chip, stream[:6]), FLUSH, *read_states(chip)])
    aside = split(chip, run.words)
    runs = play(chip, image, [*timesteps(chip, other), READ, RESET, *config_state(chip, aside), *timesteps(chip, stream[6:]), READ])
    whole = golden.run(network, stream[None], record=True)
    for number, tile in enumerate(chip.tiles):
        for index, group in enumerate(tile.groups):
            for beat in range(tile.rows(index) * tile.beats):
                got = np.array(runs[-1].potentials[number, tile.update_base(index) + beat])
                first = group.first + beat * tile.update_lanes
                want = whole.potentials[group.population][0, 6:, first:min(first + tile.update_lanes, group.first + group.size)]
                np.testing.assert_array_equal(got[:, :want.shape[1]], want)


def test_reset_forgets_what_was_written_and_what_was_read_changes_nothing():
    network = layered()
    chip, image = chip_of(network)
    x = clip_of(network, 1)
    words = state_words(chip, network, golden.run(network, clip_of(network, 2)[None]).state)
    _, run = play(chip, image, [*config_state(chip, words), RESET, *timesteps(chip, x[:2]), READ, *read_states(chip), *timesteps(chip, x[2:]), READ])
    assert compare(chip, network, x, run, lengths=False, reads=[2, 6]) == []


def test_states_of_one_population_can_be_written_alone():
    network = layered()
    chip, image = chip_of(network, tiles=2)
    begin = golden.State.with_potentials(network, {"y": np.array([5, -300, 1000, 7])})
    (where,) = [k for k, tile in enumerate(chip.tiles) if tile.groups[0].population == "y"]
    x = clip_of(network, 3)
    (run,) = play(chip, image, [*config_words(chip, where, MemoryKind.STATE, state_words(chip, network, begin)[where]), *timesteps(chip, x), READ])
    assert compare(chip, network, x, run, result=golden.run(network, x[None], state=begin, record=True), lengths=False) == []


def test_events_that_are_on_their_way_stay_there():
    # Delay 2: what was sent before the states are written arrives behind them.
    network = layered(delay=2)
    chip, image = chip_of(network)
    x = clip_of(network, 1, 8)
    before = golden.run(network, x[None, :4])
    written = golden.State.with_potentials(network, {"h": np.arange(9), "y": np.arange(4)})
    begin = replace(written, n_steps=4, history=before.state.history, readouts=before.state.readouts)
    words = state_words(chip, network, written)
    (run,) = play(chip, image, [*timesteps(chip, x[:4]), FLUSH, *config_state(chip, words), *timesteps(chip, x[4:]), READ])
    after = golden.run(network, x[None, 4:], state=begin, record=True)
    (group,) = [k for k, g in enumerate(chip.tiles[0].groups) if g.population == "h"]
    base = chip.tiles[0].update_base(group)
    got = [[v for (_, index), steps in sorted(run.potentials.items()) if index >= base for v in steps[t]][:9] for t in range(4, 8)]
    assert got == after.potentials["h"][0].tolist()


def test_a_decoder_starts_from_what_its_encoder_ended_with():
    # Sequence to sequence: READ gives the encoder's answer, the potentials of y, which become those of the decoder's y; h as the export shows it.
    encoder, decoder = layered(1), layered(2, model=Model.CUBALIF, **CURRENT)
    first, image = chip_of(encoder)
    x, y = clip_of(encoder, 1), clip_of(decoder, 2)
    (run,) = play(first, image, [*timesteps(first, x), READ, *read_states(first)])
    handed = {"y": np.array([value for output, _, value in run.readouts[0] if first.outputs[output].population == "y"]),
              "h": unpack_state(first, split(first, run.words))["h"]["v"]}
    begin = golden.State.with_potentials(decoder, handed)
    second, image = chip_of(decoder, tiles=2, export=False)
    (run,) = play(second, image, [*config_state(second, state_words(second, decoder, begin)), *timesteps(second, y), READ])
    result = golden.run(decoder, y[None], state=begin, record=True)
    assert compare(second, decoder, y, run, result=result, lengths=False) == []
    assert np.any(handed["y"]) and np.any(handed["h"])
    assert np.any(result.potentials["y"] != golden.run(decoder, y[None], record=True).potentials["y"])


@pytest.mark.parametrize("field", ["u", "v", "spent"])
def test_the_comparison_sees_a_field_that_is_one_bit_wrong(field):
    network = layered(reset=Reset.ZERO_AFTER)
    chip, image = chip_of(network)
    x = clip_of(network, 1)
    (run,) = play(chip, image, [*timesteps(chip, x), READ, *read_states(chip)])
    words, state = split(chip, run.words), golden.run(network, x[None]).state
    assert differences(chip, network, words, state) == []
    offset = 0
    for f in chip.tiles[0].state_fields:
        if f.name == field:
            break
        offset += f.bits
    words[0][2] ^= 1 << offset
    assert any(text.startswith(f"{field} of") for text in differences(chip, network, words, state))
