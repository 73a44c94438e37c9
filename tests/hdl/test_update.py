"""NeuronUpdate against the equations of the numeric contract, and in the cycles that its docstring states."""

import random

import pytest
from amaranth import *

from spikeloom.hdl.update import NeuronUpdate, parameter_layout
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Reset

from .harness import simulate
from .small_tiles import group, membrane_steps, profile, small_tile

DECAYS = {"none": Decay(), "multiply": Decay(factor=201, fraction_bits=8), "shift": Decay(shift_a=2), "shifts": Decay(shift_a=2, shift_b=3)}


class Player:
    """Drives one NeuronUpdate: parameters, a clearing phase, then phases of all groups with random sums; records all results."""

    def __init__(self, dut, tile, steps, seed, sum_max, idle):
        self.dut, self.tile, self.steps, self.rng, self.sum_max, self.idle = dut, tile, steps, random.Random(seed), sum_max, idle
        self.parameters, self.sums, self.seen = {}, {}, {}
        self.under_way = [None, None]  # beats of the last two cycles: (index, local, group, phase)
        self.noise = random.Random(seed)  # next_index where no beat follows

    async def bench(self, ctx):
        dut, tile, rng = self.dut, self.tile, self.rng
        for g, spec in enumerate(tile.groups):
            for k in range(tile.rows(g) * tile.beats):
                word = []
                for lane in range(tile.update_lanes):
                    theta = spec.theta if tile.constant_parameters else rng.randint(1, min((1 << tile.theta_bits) - 1, 60))
                    low = -(1 << tile.bias_bits >> 1)
                    bias = spec.bias if tile.constant_parameters else rng.randint(low, max(~low, 0))
                    word.append({"theta": theta, "bias": bias})
                    where = (tile.update_base(g) + k, lane)
                    self.parameters[where], self.sums[where], self.seen[where] = (spec.update, theta, bias), [], []
                if not tile.constant_parameters:
                    ctx.set(dut.w_valid, 1)
                    ctx.set(dut.w_address, tile.update_base(g) + k)
                    ctx.set(dut.w_data, parameter_layout(tile).const(word))
                    await ctx.tick()
        ctx.set(dut.w_valid, 0)
        plan = self.plan()
        for now, following in zip(plan, [*plan[1:], None]):
            # The parameters are read one cycle ahead; the index that is given where no beat follows must not matter.
            ctx.set(dut.next_index, following[0][0] if following else self.noise.randrange(tile.n_updates))
            if now is None:
                await self.cycle(ctx, None)
                continue
            (index, local, g, phase), sums = now
            for lane, value in enumerate(sums):
                ctx.set(dut.sums[lane], value)
            for signal, value in ((dut.index, index), (dut.local, local), (dut.group, g), (dut.clear, phase == 0)):
                ctx.set(signal, value)
            await self.cycle(ctx, (index, local, g, phase))

    def plan(self):
        """What to give in every cycle: None or (beat, its sums); notes the sums."""
        tile, rng = self.tile, self.rng
        plan = [None]
        for phase in range(self.steps + 1):
            for g in range(len(tile.groups)):
                for local in range(tile.rows(g) * tile.beats):
                    while rng.random() < self.idle:
                        plan.append(None)
                    index = tile.update_base(g) + local
                    sums = [rng.choice((0, rng.randint(-self.sum_max, self.sum_max), rng.randint(-9, 30))) for _ in range(tile.update_lanes)]
                    for lane, value in enumerate(sums):
                        if phase:
                            self.sums[index, lane].append(value)
                    plan.append(((index, local, g, phase), sums))
            # The state is written at the end of B + 2, with a multiplier of B + 3: the next phase may read it after that.
            plan += [None] * 3
        return plan

    async def cycle(self, ctx, beat):
        """One clock: gives a beat or none, and checks what the one of two cycles ago must show now."""
        dut, tile = self.dut, self.tile
        ctx.set(dut.beat, beat is not None)
        self.under_way.append(beat)
        due = self.under_way.pop(0)
        assert ctx.get(dut.done) == (due is not None), "results must be valid two cycles after the beat"
        assert ctx.get(dut.busy) == (due is not None or any(b is not None for b in self.under_way))
        if due is not None:
            index, local, g, phase = due
            assert (ctx.get(dut.done_index), ctx.get(dut.done_local), ctx.get(dut.done_group)) == (index, local, g)
            exists = sum((local * tile.update_lanes + lane < tile.groups[g].size) << lane for lane in range(tile.update_lanes))
            spikes = ctx.get(dut.spikes)
            assert ctx.get(dut.done_exists) == exists
            assert spikes & ~exists == 0, "a lane without a neuron fired"
            v = [ctx.get(dut.v[lane]) for lane in range(tile.update_lanes)]
            if phase == 0:
                assert spikes == 0 and v == [tile.groups[g].update.v_init] * tile.update_lanes
            else:
                for lane in range(tile.update_lanes):
                    self.seen[index, lane].append((v[lane], bool(spikes >> lane & 1) if exists >> lane & 1 else None))
        await ctx.tick()

    def compare(self):
        """Asserts that v and spikes of all phases follow from the sums; returns all v and how many spikes there were."""
        values, spikes = [], 0
        for where, (update, theta, bias) in self.parameters.items():
            assert len(self.seen[where]) == self.steps
            for step, ((v, fires), got) in enumerate(zip(membrane_steps(update, theta, bias, self.sums[where]), self.seen[where])):
                if got[1] is None:  # a lane without a neuron computes, and nobody looks
                    continue
                assert got == (v, fires or update.values), f"{where}, step {step}: {got}, not {v, fires}: {update}, {theta=}, {bias=}"
                values.append(v)
                spikes += fires
        return values, spikes


def prove(tiles, steps=30, seed=1, sum_max=400, idle=0.0):
    """Play tiles side by side and compare; returns (v, spikes) of each."""
    m = Module()
    duts = [NeuronUpdate(tile) for tile in tiles]
    for dut in duts:
        m.submodules += dut
    players = [Player(dut, tile, steps, seed + k, sum_max, idle) for k, (dut, tile) in enumerate(zip(duts, tiles))]
    simulate(m, *(player.bench for player in players))
    return [player.compare() for player in players]


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("reset", Reset)
def test_every_reset_with_every_decay_and_rounding_follows_its_equation(reset, decay):
    tiles = [small_tile([group(5, 3, profile(decay=DECAYS[decay], rounding=rounding, reset=reset, v_init=v_init, input_shift=shift))],
                        update_lanes=2, bias_bits=bias_bits)
             for rounding, v_init, shift, bias_bits in zip(Rounding, (0, 9, -128), (0, 1, 0), (4, 5, 0))]
    for values, spikes in prove(tiles):
        assert min(values) == -128 and max(values) == 127, "the sums were meant to saturate v at both ends"
        assert spikes > 10


@pytest.mark.parametrize("decay", DECAYS)
def test_a_leaky_integrator_shows_every_value_and_never_resets(decay):
    ((values, _),) = prove([small_tile([group(6, 3, profile(decay=DECAYS[decay], values=True, v_init=3))], update_lanes=2)])
    assert len(set(values)) > 40


def test_groups_of_all_kinds_share_a_tile():
    updates = [profile(reset=reset, decay=decay, rounding=rounding, v_bits=v_bits, v_init=v_init, input_shift=shift)
               for reset, decay, rounding, v_bits, v_init, shift in zip(
                   Reset, (*DECAYS.values(), Decay(factor=3, fraction_bits=2)), (*Rounding, *Rounding), (8, 11, 7, 9, 14), (5, 0, -64, 255, 1),
                   (0, 2, 1, 0, 3))]
    updates.append(profile(values=True, v_bits=12, v_init=-7, decay=Decay(shift_a=1)))
    tile = small_tile([group(size, 3, update) for size, update in zip((3, 4, 1, 9, 2, 6), updates)], update_lanes=4, theta_bits=6)
    prove([tile], sum_max=1500)


@pytest.mark.parametrize("reset", [Reset.SUBTRACT, Reset.ZERO_AFTER])
def test_beats_with_gaps_between_them_give_the_same(reset):
    prove([small_tile([group(8, 3, profile(reset=reset, decay=DECAYS["multiply"]))])], idle=0.4)


@pytest.mark.parametrize("lanes, update_lanes, size", [(4, 4, 1), (4, 4, 7), (6, 2, 13), (8, 1, 3)])
def test_lanes_without_a_neuron_never_fire(lanes, update_lanes, size):
    # Their sums are as large as the others': it is not for want of input that they stay silent.
    prove([small_tile([group(size, 2, profile(reset=Reset.ZERO))], lanes=lanes, update_lanes=update_lanes)], steps=12)


def test_constant_parameters_need_no_memory():
    groups = [group(4, 2, profile(reset=Reset.SUBTRACT), theta=9, bias=-3), group(3, 2, profile(reset=Reset.SUBTRACT), theta=30, bias=2)]
    prove([small_tile(groups, update_lanes=2, constant_parameters=True)])


@pytest.mark.parametrize("v_bits, shift", [(2, 0), (2, 12), (32, 12), (32, 0)])
def test_the_narrowest_and_the_widest_membrane_work(v_bits, shift):
    update = profile(v_bits=v_bits, input_shift=shift, reset=Reset.SUBTRACT, decay=Decay(factor=4095, fraction_bits=12),
                     v_init=-(1 << v_bits - 1))
    tile = small_tile([group(4, 2, update)], accumulator_bits=30, bias_bits=2, theta_bits=1 if v_bits == 2 else 7)
    prove([tile], sum_max=(1 << 29) - 1)


def test_the_check_refutes_a_threshold_that_is_one_too_high():
    class Late(Player):
        def compare(self):
            self.parameters = {where: (update, theta + 1, bias) for where, (update, theta, bias) in self.parameters.items()}
            return super().compare()

    tile = small_tile([group(8, 3, profile(reset=Reset.SUBTRACT))])
    dut = NeuronUpdate(tile)
    player = Late(dut, tile, 30, 1, 400, 0.0)
    simulate(dut, player.bench)
    with pytest.raises(AssertionError, match="step"):
        player.compare()
