"""The whole chip as a host uses it: streaming, commands in any order, waiting, loops, long delays, and its counters."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.sim import golden
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

from ..end_to_end.chip_bench import compare, play, prove
from ..end_to_end.host_items import FLUSH, READ, RESET, idle, step, timesteps
from ..end_to_end.host_programs import prove_program, random_clip, random_program

LEAK = Decay(factor=230, fraction_bits=8)


def chain(layers: int, seed: int = 0, *, back: int | None = None, delay: int = 0, payloads: tuple[int, int] = (1, 1), size: int = 7,
          li: bool = False) -> Network:
    """Inputs, ``layers`` layers in a row, and with ``back`` a projection of that delay from the last to the first."""
    rng = np.random.default_rng(seed)
    populations = [Population(name="x", size=9, model=Model.INPUT, payload_min=payloads[0], payload_max=payloads[1])]
    projections, source, before = [], "x", 9
    for k in range(layers):
        last = k == layers - 1
        populations.append(Population(
            name=f"l{k}", size=size, model=Model.LIF, decay=LEAK, reset=list(Reset)[(seed + k) % 4], theta=rng.integers(5, 40, size),
            bias=rng.integers(-2, 4, size), v_bits=11, v_init=3, readout=Readout.COUNT if last and not li else Readout.NONE))
        projections.append(Projection(source=source, target=f"l{k}", weights=rng.integers(-12, 32, (size, before)), weight_bits=6,
                                      delay=delay if k == 0 else 0))
        source, before = f"l{k}", size
    if back is not None:
        projections.append(Projection(source=source, target="l0", weights=rng.integers(-20, 31, (size, size)), weight_bits=6, delay=back))
    if li:
        populations.append(Population(name="y", size=3, model=Model.LI, decay=LEAK, v_bits=12, readout=Readout.SUM))
        projections.append(Projection(source=source, target="y", weights=rng.integers(-20, 31, (3, size)), weight_bits=6))
    return Network(name="chain", populations=tuple(populations), projections=tuple(projections))


@pytest.mark.parametrize("layers", [2, 3])
def test_a_loop_over_several_layers_takes_as_many_phases_per_timestep(layers):
    network = chain(layers, seed=layers, back=1)
    chip = plan(network, lanes=4, tiles=layers)
    assert chip.period == layers
    run = prove(network, chip, random_clip(network, 9, np.random.default_rng(1), 0.4))
    assert run.spikes


@pytest.mark.parametrize("layers, back", [(1, 63), (2, 63), (3, 5)])
def test_a_loop_with_a_longer_delay_keeps_its_events_apart(layers, back):
    network = chain(layers, seed=5, back=back)
    run = prove(network, plan(network, lanes=8), random_clip(network, back + 6, np.random.default_rng(2), 0.15))
    assert any(t > back for _, _, t, _ in run.spikes)


@pytest.mark.parametrize("delay", [1, 7, 63])
def test_inputs_can_be_delayed(delay):
    network = chain(1, seed=1, delay=delay)
    prove(network, plan(network, lanes=4), random_clip(network, delay + 4, np.random.default_rng(3), 0.5))


@pytest.mark.parametrize("fabric", ["star", "mesh"])
def test_a_host_that_waits_at_random_loses_nothing_and_changes_nothing(fabric):
    network = chain(2, seed=3, back=1, li=True, payloads=(-20, 40))
    chip = plan(network, lanes=4, tiles=4, fabric=fabric)
    x = random_clip(network, 8, np.random.default_rng(4), 0.4)
    quick = prove(network, chip, x)
    for seed, stall in enumerate((0.3, 0.9)):
        slow = prove(network, chip, x, seed=seed, stall=stall)
        assert (sorted(slow.spikes), slow.readouts, slow.potentials) == (sorted(quick.spikes), quick.readouts, quick.potentials)


def test_idle_cycles_between_events_change_no_result():
    network = chain(2, seed=4)
    chip, rng = plan(network, lanes=4), np.random.default_rng(5)
    x = random_clip(network, 7, rng, 0.5)
    items = [item for given in timesteps(chip, x) for item in (idle(int(rng.integers(1, 30))), given)]
    (run,) = play(chip, pack(chip, network), [*items, READ], seed=1, stall=0.4)
    assert compare(chip, network, x, run, lengths=False) == []


def test_a_reset_makes_the_second_run_equal_to_the_first():
    network = chain(3, seed=6, back=1)
    chip, x = plan(network, lanes=4, tiles=3), random_clip(chain(3), 8, np.random.default_rng(6), 0.4)
    clip = [*timesteps(chip, x), READ]
    first, second, third = play(chip, pack(chip, network), [*clip, RESET, *timesteps(chip, x[:3]), RESET, *clip])
    assert compare(chip, network, x, first) == compare(chip, network, x, third) == []
    assert (first.spikes, first.potentials, first.readouts) == (third.spikes, third.potentials, third.readouts)
    assert first.phases[:-1] == third.phases  # the last one is that between READ and RESET
    assert not second.readouts and len(second.potentials) == len(first.potentials)


@pytest.mark.parametrize("layers, back", [(2, None), (2, 1), (3, 1)])
def test_the_stream_goes_on_across_read_and_flush(layers, back):
    network = chain(layers, seed=7, back=back, li=True)
    chip, rng = plan(network, lanes=4), np.random.default_rng(7)
    x = random_clip(network, 12, rng, 0.4)
    parts = [timesteps(chip, x[:3]), [READ], timesteps(chip, x[3:4]), [FLUSH], timesteps(chip, x[4:9]), [READ, READ], timesteps(chip, x[9:]), [READ]]
    (run,) = play(chip, pack(chip, network), [item for part in parts for item in part])
    assert compare(chip, network, x, run, lengths=False, reads=[3, 9, 9, 12]) == []
    # The same by the golden model's own streaming.
    state, words = None, []
    for part in (x[:3], x[3:9], x[9:]):
        result = golden.run(network, part[None], state=state)
        state = result.state
        words.append([int(v) for o in chip.outputs if o.readout is not Readout.NONE for v in result.readouts[o.population][0]])
    assert [[v for _, _, v in run.readouts[k]] for k in (0, 1, 3)] == words


def test_one_step_of_many_timesteps_is_many_steps_without_events():
    network = chain(2, seed=8, back=2)
    chip, x = plan(network, lanes=4), random_clip(chain(2), 1, np.random.default_rng(8), 0.9)
    whole = np.concatenate([x, np.zeros((19, x.shape[1]), dtype=x.dtype)])
    (run,) = play(chip, pack(chip, network), [*timesteps(chip, x)[:-1], step(20), READ])
    assert compare(chip, network, whole, run, lengths=False) == []


@pytest.mark.parametrize("seed", range(6))
def test_any_order_of_commands_gives_what_the_golden_model_says(seed):
    rng = np.random.default_rng(seed)
    network = chain(1 + seed % 3, seed=seed, back=1 + seed // 3 if seed % 2 else None, li=bool(seed % 2), payloads=(-3, 5) if seed % 3 else (1, 1))
    chip = plan(network, lanes=4, tiles=1 + seed, fabric="mesh" if seed % 2 else "star")
    prove_program(network, chip, *random_program(chip, network, rng, 12), seed=seed, stall=(0.0, 0.3, 0.8)[seed % 3])


@pytest.mark.parametrize("tiles", [1, 3])
def test_counters_equal_those_of_the_golden_model(tiles):
    network = chain(2, seed=9, back=1, li=True)
    chip, x = plan(network, lanes=4, tiles=tiles, counters=True), random_clip(network, 10, np.random.default_rng(9), 0.4)
    x[-1] = 0
    run = prove(network, chip, x)
    golden_counters = golden.run(network, x[None]).counters
    for tile, counted in zip(chip.tiles, run.counters, strict=True):
        for group, got in zip(tile.groups, counted, strict=True):
            want, share = golden_counters[group.population], group.size / network.population(group.population).size
            values = group.size * len(x) * group.update.values  # an LI neuron sends its value, and the model counts spikes
            assert got["events"] == want.events[0]
            for name in ("sops", "multiplied", "updates"):
                assert got[name] == getattr(want, name)[0] * share, (group.population, name)
            assert got["spikes"] == want.spikes[0] + values or share < 1


def test_the_comparison_refutes_another_network():
    network, other = chain(2, seed=1), chain(2, seed=2)
    chip, x = plan(network, lanes=4), random_clip(network, 6, np.random.default_rng(1), 0.5)
    (run,) = play(chip, pack(chip, network), [*timesteps(chip, x), READ])
    assert compare(chip, network, x, run) == []
    assert compare(chip, network, x, run, result=golden.run(other, x[None], record=True), lengths=False)
