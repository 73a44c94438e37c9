"""NeuronUpdate against the equations of the numeric contract, and in the cycles that its docstring states."""

import random

import pytest
from amaranth import *

from spikeloom.hdl.update import NeuronUpdate, parameter_layout, state_layout
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Reset
from spikeloom.spec.tile import ParameterSpec

from .harness import simulate
from .small_tiles import group, neuron_steps, profile, small_tile

DECAYS = {"none": Decay(), "multiply": Decay(factor=201, fraction_bits=8), "shift": Decay(shift_a=2), "shifts": Decay(shift_a=2, shift_b=3)}


class Player:
    """Drives one NeuronUpdate: parameters, a clearing phase, then phases of all groups with random sums; records all results."""

    def __init__(self, dut, tile, steps, seed, sum_max, idle):
        self.dut, self.tile, self.steps, self.rng, self.sum_max, self.idle = dut, tile, steps, random.Random(seed), sum_max, idle
        self.parameters, self.sums, self.sides, self.seen = {}, {}, {}, {}
        self.under_way = [None] * tile.update_latency  # beats of the last cycles: (index, local, group, phase)
        self.noise = random.Random(seed)  # next_index where no beat follows

    async def bench(self, ctx):
        dut, tile = self.dut, self.tile
        for g, spec in enumerate(tile.groups):
            for k in range(tile.rows(g) * tile.beats):
                word = []
                for lane in range(tile.update_lanes):
                    own = {f.name: getattr(spec, f.name) if tile.constant_parameters else self.parameter(f) for f in tile.fields}
                    word.append(own)
                    where = (tile.update_base(g) + k, lane)
                    self.parameters[where], self.sums[where], self.sides[where], self.seen[where] = (spec.update, own), [], [], []
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
            (index, local, g, phase), sums, sides = now
            for lane, (value, side) in enumerate(zip(sums, sides)):
                ctx.set(dut.sums[lane], value)
                ctx.set(dut.side_sums[lane], side)
            for signal, value in ((dut.index, index), (dut.local, local), (dut.group, g), (dut.clear, phase == 0)):
                ctx.set(signal, value)
            await self.cycle(ctx, (index, local, g, phase))

    def parameter(self, field):
        """A random value of a parameter; small ones more often, so that neurons fire."""
        if field.signed:
            return self.rng.randint(-(1 << field.bits >> 1), max((1 << field.bits >> 1) - 1, 0)) if field.bits else 0
        most = (1 << field.bits) - 1
        return self.rng.randint(1, min(most, 60)) if field.name == "theta" else self.rng.randint(0, most)

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
                    sides = [rng.choice((0, 0, rng.randint(-self.sum_max, self.sum_max), rng.randint(-9, 9))) for _ in range(tile.update_lanes)]
                    for lane in range(tile.update_lanes):
                        if phase:
                            self.sums[index, lane].append(sums[lane])
                            self.sides[index, lane].append(sides[lane])
                    plan.append(((index, local, g, phase), sums, sides))
            # The state is written at the end of the cycle of the results, with a multiplier one later: the next phase may read it after that.
            plan += [None] * (tile.update_latency + 1)
        return plan

    async def cycle(self, ctx, beat):
        """One clock: gives a beat or none, and checks what the one of ``update_latency`` cycles ago must show now."""
        dut, tile = self.dut, self.tile
        ctx.set(dut.beat, beat is not None)
        self.under_way.append(beat)
        due = self.under_way.pop(0)
        assert ctx.get(dut.done) == (due is not None), f"results must be valid {tile.update_latency} cycles after the beat"
        assert ctx.get(dut.busy) == (due is not None or any(b is not None for b in self.under_way))
        if due is not None:
            index, local, g, phase = due
            assert (ctx.get(dut.done_index), ctx.get(dut.done_local), ctx.get(dut.done_group)) == (index, local, g)
            exists = sum((local * tile.update_lanes + lane < tile.groups[g].size) << lane for lane in range(tile.update_lanes))
            spikes = ctx.get(dut.spikes)
            assert ctx.get(dut.done_exists) == exists
            assert spikes & ~exists == 0, "a lane without a neuron fired"
            v = [ctx.get(dut.v[lane]) for lane in range(tile.update_lanes)]
            for lane in range(tile.update_lanes):
                n = ctx.get(dut.counts[lane]) if tile.count_bits and spikes >> lane & 1 else spikes >> lane & 1
                if phase:
                    self.seen[index, lane].append((v[lane], n if exists >> lane & 1 else None))
                elif exists >> lane & 1:
                    start = tile.groups[g].update.v_init
                    assert n == 0 and v[lane] == (self.parameters[index, lane][1]["v_init"] if start is None else start)
        await ctx.tick()

    def compare(self):
        """Asserts that v and spikes of all phases follow from the sums; returns all v and how many spikes there were."""
        values, spikes = [], 0
        for where, (update, own) in self.parameters.items():
            assert len(self.seen[where]) == self.steps
            for step, ((v, n), got) in enumerate(zip(neuron_steps(update, own, self.sums[where], self.sides[where]), self.seen[where])):
                if got[1] is None:  # a lane without a neuron computes, and nobody looks
                    continue
                assert got == (v, n or update.values), f"{where}, step {step}: {got}, not {v, n}: {update}, {own}"
                values.append(v)
                spikes += n
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


CURRENT = {"current_decay": Decay(factor=190, fraction_bits=8), "i_bits": 9}
GATE = {**CURRENT, "gate_table": tuple(range(4, 256, 8)), "gate_shift": 3, "side_shift": 1}
MODELS = {
    "current": CURRENT, "current of its own factor": {**CURRENT, "alpha_each": True, "current_decay": Decay(factor=255, fraction_bits=8)},
    "current by shifts": {"current_decay": Decay(shift_a=2, shift_b=4), "i_bits": 12},
    "current that does not decay": {"current_decay": Decay(), "i_bits": 10},
    "complement": {**CURRENT, "complement": True}, "complement of its own factor": {**CURRENT, "complement": True, "beta_each": True},
    "gate": GATE, "coarse gate": {**GATE, "gate_table": (3, 250), "gate_shift": 0},
    "adaptive": {"adaptation_decay": Decay(factor=250, fraction_bits=8), "a_bits": 6},
    "adaptive by shifts": {"adaptation_decay": Decay(shift_a=3), "a_bits": 9},
    "own factors": {"beta_each": True}, "own start": {"v_init": None},
    "two spikes": {"max_spikes": 2}, "nine spikes": {"max_spikes": 9}, "255 spikes": {"max_spikes": 255},
    "gate and spikes": {**GATE, "max_spikes": 5},
    "refractory": {"refractory": 3}, "refractory membrane": {"refractory": 2, "holds": True}, "inhibited": {"inhibition": 4},
    "refractory and inhibited": {"refractory": 5, "inhibition": 2}, "lower clip": {"v_floor": -20},
    "refractory current": {**CURRENT, "refractory": 2, "holds": True}, "refractory gate": {**GATE, "refractory": 2, "holds": True},
    "all with a current": {**CURRENT, "complement": True, "max_spikes": 3, "refractory": 1, "inhibition": 3, "v_floor": -50, "v_init": None},
}
FIELDS = {"gate_bias": (7, True), "jump": (5, False), "beta": (8, False), "alpha": (8, False), "v_init": (7, True)}


def modelled(fields, **changes):
    """A profile of the model, and the parameters that its neurons then have of their own."""
    update = profile(**{**fields, **changes})
    own = {"gate_bias": update.has_gate, "jump": update.adaptation_decay is not None, "beta": update.beta_each, "alpha": update.alpha_each,
           "v_init": update.v_init is None}
    return update, tuple(ParameterSpec(name=name, bits=FIELDS[name][0], signed=FIELDS[name][1]) for name, needed in own.items() if needed)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_follows_its_equation_with_every_reset_rounding_and_decay(name):
    fields, tiles = MODELS[name], []
    for k, reset in enumerate(Reset):
        rounding = list(Rounding)[k % 3]
        decay = Decay() if "gate_table" in fields else list(DECAYS.values())[k % 3 + 1 if fields.get("complement") else k % 4]
        if fields.get("beta_each"):
            decay = Decay(factor=255, fraction_bits=8)
        update, parameters = modelled(fields, reset=reset, rounding=rounding, decay=decay, input_shift=k % 2)
        theta_bits = 4 if update.max_spikes > 1 else 7
        tiles.append(small_tile([group(5, 3, update, side_axons=2)], update_lanes=2, parameters=parameters, bias_bits=k, theta_bits=theta_bits))
    results = prove(tiles, steps=30)
    assert all(spikes > 2 and len(set(values)) > 15 for values, spikes in results)
    assert max(max(values) for values, _ in results) == 127


@pytest.mark.parametrize("rounding", Rounding)
def test_wide_states_of_gated_neurons_saturate_exactly(rounding):
    update, parameters = modelled({**GATE, "i_bits": 32, "v_bits": 32, "input_shift": 12, "current_decay": Decay(factor=4095, fraction_bits=12)},
                                  reset=Reset.SUBTRACT, rounding=rounding)
    tile = small_tile([group(6, 3, update, side_axons=2)], accumulator_bits=30, parameters=parameters, bias_bits=5)
    ((values, _),) = prove([tile], sum_max=(1 << 29) - 1)
    assert min(values) < -(1 << 30) and max(values) > 1 << 30


def test_groups_of_all_models_share_a_tile():
    groups, fields = [], {}
    for k, model in enumerate(MODELS.values()):
        if model.get("max_spikes", 1) > 9:
            continue
        decay = Decay() if "gate_table" in model else list(DECAYS.values())[k % 4]
        decay = Decay(factor=255, fraction_bits=8) if model.get("beta_each") else decay
        update, parameters = modelled(model, reset=list(Reset)[k % 5], rounding=list(Rounding)[k % 3], decay=decay, v_bits=8 + k % 3)
        groups.append(group(1 + k % 5, 3, update, side_axons=k % 2))
        fields.update({p.name: p for p in parameters})
    groups.append(group(3, 3, profile(values=True, v_bits=11)))
    groups.append(group(3, 3, profile(values=True, **CURRENT)))
    prove([small_tile(groups, update_lanes=2, parameters=tuple(fields.values()))], steps=12)


def test_states_are_written_word_by_word_and_shown_at_the_index_of_a_beat():
    update, parameters = modelled({**GATE, "max_spikes": 5, "refractory": 3}, reset=Reset.SUBTRACT)
    tile = small_tile([group(13, 3, update, side_axons=2)], update_lanes=2, parameters=parameters, keeps_v=True)
    dut, rng, words = NeuronUpdate(tile, writable=True), random.Random(1), {}
    assert [name for name, _ in state_layout(tile)[0].shape] == ["u", "current", "quiet", "taken", "v", "i"]

    async def bench(ctx):
        for step in range(100):
            index = rng.randrange(tile.n_updates)
            ctx.set(dut.index, index)
            if index in words:
                assert ctx.get(dut.state.as_value()) == words[index]
            address, word, writes = rng.randrange(tile.n_updates), rng.getrandbits(state_layout(tile).size), rng.random() < 0.5 or step < 2
            ctx.set(dut.s_valid, writes)
            ctx.set(dut.s_address, address)
            ctx.set(dut.s_data.as_value(), word)
            await ctx.tick()
            if writes:
                words[address] = word

    simulate(dut, bench)
    assert len(words) == tile.n_updates == 8


def test_the_check_refutes_a_threshold_that_is_one_too_high():
    class Late(Player):
        def compare(self):
            self.parameters = {where: (update, {**own, "theta": own["theta"] + 1}) for where, (update, own) in self.parameters.items()}
            return super().compare()

    tile = small_tile([group(8, 3, profile(reset=Reset.SUBTRACT))])
    dut = NeuronUpdate(tile)
    player = Late(dut, tile, 30, 1, 400, 0.0)
    simulate(dut, player.bench)
    with pytest.raises(AssertionError, match="step"):
        player.compare()
