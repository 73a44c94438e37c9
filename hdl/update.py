"""Neuron update: U membranes per cycle from the sums of a finished row."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.arithmetic import bits_signed, bits_unsigned
from ..spec.chip import TileSpec
from ..spec.network import Reset
from .drive import drive
from .membrane import digits, multiple, saturated
from .next_state import next_state
from .pipeline import Pipeline

__all__ = ["NeuronUpdate", "parameter_layout", "state_layout"]


def _lanes_of(fields, tile: TileSpec) -> data.ArrayLayout:
    shapes = {f.name: signed(f.bits) if f.signed and f.bits else unsigned(f.bits) for f in fields}
    return data.ArrayLayout(data.StructLayout(shapes), tile.update_lanes)


def parameter_layout(tile: TileSpec) -> data.ArrayLayout:
    """The tile's parameter fields, theta lowest, per update lane, lane 0 in the lowest bits."""
    return _lanes_of(tile.fields, tile)


def state_layout(tile: TileSpec) -> data.ArrayLayout:
    """A word of the state memory: the tile's state fields, u lowest, per update lane, lane 0 in the lowest bits."""
    return _lanes_of(tile.state_fields, tile)


class NeuronUpdate(wiring.Component):
    """Membrane update of all neuron models and resets, U neurons per cycle; of each tile's models only what they need exists.

    A pipeline from a beat to its results: the drive (:mod:`.drive`: state and sum give v), saturation and threshold, the number of spikes, and
    the next state (:mod:`.next_state`). A beat given in cycle B reads its state in B, compares in B + ``tile.check_latency``, and shows
    ``spikes``, ``counts``, ``v`` and ``done`` in B + ``tile.update_latency`` (1 and 2 for IF, LIF and LI); its state is written at the end of
    that cycle, or of the next where a decay multiplies. One beat per cycle; no backpressure. A state is read once per phase, so there is no
    hazard.

    The state memory holds what is ready for the next sum, u = decay(v) + b - theta * n, so neither v nor the spikes are kept (with a gate, whose
    decay is known only then, v itself).

    Members
    -------
    next_index : ``index`` of the beat given in the next cycle, if one is: the parameter memory is read ahead.
    beat, index, local, group, clear : a beat of the group, its index in the tile and in the group; ``clear`` replaces v by v_init and all else by 0.
    sums, side_sums : the U accumulated inputs of the beat, of port ``i`` and of the gate or block port.
    busy : a beat is under way.
    done : results of a beat are valid in this cycle.
    done_index, done_local, done_group : which.
    done_exists : lanes of the beat that hold real neurons.
    spikes, v : U spikes (LI: all ones; only of real neurons), U membrane potentials.
    counts : U numbers of spikes, where a neuron may fire several times in a timestep.
    w_valid, w_address, w_data : write port of the parameter memory, where there is one.
    s_valid, s_address, s_data : write of a state word, if ``writable``: only while no beat is under way, and not in the cycle after ``busy``.
    state : the state word at ``index``, in the same cycle, where the tile keeps v.
    """

    def __init__(self, tile: TileSpec, init=(), *, writable: bool = False):
        self._tile, self._init, self._writable = tile, init, writable
        self._v_bits = max(g.update.v_bits for g in tile.groups)
        u, index, group = tile.update_lanes, range(tile.n_updates), ceil_log2(len(tile.groups))
        super().__init__({
            "next_index": In(index),
            "beat": In(1), "index": In(index), "local": In(index), "group": In(group), "clear": In(1),
            "sums": In(data.ArrayLayout(signed(tile.accumulator_bits), u)), "side_sums": In(data.ArrayLayout(signed(tile.accumulator_bits), u)),
            "busy": Out(1), "done": Out(1), "done_index": Out(index), "done_local": Out(index), "done_group": Out(group),
            "done_exists": Out(u), "spikes": Out(u), "v": Out(data.ArrayLayout(signed(self._v_bits), u)),
            **({"counts": Out(data.ArrayLayout(unsigned(tile.count_bits), u))} if tile.count_bits else {}),
            "w_valid": In(1), "w_address": In(index), "w_data": In(parameter_layout(tile)),
            **({"s_valid": In(1), "s_address": In(index), "s_data": In(state_layout(tile))} if writable else {}),
            **({"state": Out(state_layout(tile))} if tile.keeps_v else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        profiles = list(dict.fromkeys(g.update for g in tile.groups))
        check, done = tile.check_latency, tile.update_latency
        written = done + any(p.multiplies for p in profiles)
        beats = Pipeline(m, "beat")
        for name in ("beat", "index", "local", "group", "clear"):
            beats.put(name, getattr(self, name), 0)
        beats.put("exists", self._existing(m, beats.at("group", check), beats.at("local", check)), check)
        m.d.comb += [self.done.eq(beats.at("beat", done)), self.done_index.eq(beats.at("index", done)),
                     self.done_local.eq(beats.at("local", done)), self.done_group.eq(beats.at("group", done)),
                     self.done_exists.eq(beats.at("exists", done)),
                     self.busy.eq(Cat(beats.at("beat", stage) for stage in range(done + 1)).any())]

        m.submodules.state = state = memory.Memory(shape=state_layout(tile), depth=tile.n_updates, init=[])
        read, write = state.read_port(domain="comb"), state.write_port()
        m.d.comb += [read.addr.eq(self.index), write.en.eq(beats.at("beat", written)), write.addr.eq(beats.at("index", written))]
        stored = Signal(state_layout(tile)) if self._writable else write.data  # what the update writes
        if self._writable:
            m.d.comb += write.data.eq(stored)
            with m.If(self.s_valid):
                m.d.comb += [write.en.eq(1), write.addr.eq(self.s_address), write.data.eq(self.s_data)]
        if tile.keeps_v:
            m.d.comb += self.state.eq(read.data)
        parameters = self._parameters(m, beats)

        for lane in range(tile.update_lanes):
            pipe = Pipeline(m, f"lane_{lane}")
            for name, width in (("u", 1), ("current", tile.current_bits), ("a", tile.a_bits), ("quiet", tile.quiet_bits),
                                ("taken", tile.taken_bits), ("spent", tile.marks_spent)):
                if width and name != "quiet":
                    pipe.put(name, read.data[lane][name], 0)
            pipe.put("sum", self.sums[lane], 0)
            pipe.put("side", self.side_sums[lane], 0)
            pipe.put("clear", self.clear, 0)
            for name, value in parameters(lane).items():
                pipe.put(name, value, 1)
            quiet_now = self._quiet(m, pipe, beats, profiles, read.data[lane].quiet) if tile.quiet_bits else Const(0, 1)
            v, fires = self._check(m, pipe, beats, profiles, lane, check, quiet_now)
            self._count(m, pipe, beats, profiles, lane, check, done, v, fires)
            results = {p: next_state(m, pipe, p, f"lane_{lane}_{k}", done, written) for k, p in enumerate(profiles)}
            for k, p in enumerate(profiles if tile.keeps_v else ()):
                results[p] |= {"v": pipe.at("v", written)} | ({"i": pipe.at(f"i_lane_{lane}_{k}", written)} if p.has_current else {})
            group = beats.at("group", written)
            for field in tile.state_fields:
                values = [results[p].get(field.name, Const(0)) for p in profiles]
                m.d.comb += stored[lane][field.name].eq(self._of_profile(profiles, values, group))
        return m

    def _of_profile(self, profiles, values, group):
        """The value of the group's update profile: no multiplexer where all are the same."""
        if all(value is values[0] or (isinstance(value, int) and value == values[0]) for value in values):
            return values[0]
        return Array(values[profiles.index(g.update)] for g in self._tile.groups)[group]

    def _parameters(self, m, beats):
        """Parameters of a lane in stage 1, by name: from the memory (read in the cycle before the beat) or constants."""
        tile = self._tile
        if tile.constant_parameters:
            group = beats.at("group", 1)
            widths = {"theta": unsigned(tile.theta_bits), "bias": signed(tile.bias_bits) if tile.bias_bits else unsigned(0)}
            for name, sign in (("gate_bias", True), ("jump", False)):
                values = [getattr(g, name) for g in tile.groups]
                if any(values):
                    widths[name] = signed(bits_signed(min(values), max(values))) if sign else unsigned(bits_unsigned(max(values)))
            constants = {}
            for name, shape in widths.items():
                values = [getattr(g, name) for g in tile.groups]
                constants[name] = Signal(shape, name=f"constant_{name}")
                m.d.comb += constants[name].eq(Array(values)[group] if len(values) > 1 else values[0])
            return lambda lane: constants
        layout = parameter_layout(tile)
        m.submodules.parameters = parameters = memory.Memory(shape=unsigned(layout.size), depth=tile.n_updates, init=self._init)
        write, read = parameters.write_port(), parameters.read_port()
        m.d.comb += [write.addr.eq(self.w_address), write.data.eq(self.w_data), write.en.eq(self.w_valid),
                     read.addr.eq(self.next_index), read.en.eq(~self.w_valid)]
        # Read in B - 1, one cycle ahead of the state, so that the memory's slow output has B to itself and a register behind.
        value = Signal(layout, name="parameters", reset_less=True)
        m.d.sync += value.eq(read.data)
        return lambda lane: {f.name: value[lane][f.name] for f in tile.fields}

    def _existing(self, m, group, local):
        """Mask of the lanes that hold real neurons: the last row of a group may be partly empty."""
        tile = self._tile
        exists = Signal(tile.update_lanes)
        m.d.comb += exists.eq((1 << tile.update_lanes) - 1)
        for g, spec in enumerate(tile.groups):
            full, rest = divmod(spec.size, tile.update_lanes)
            if spec.size == tile.rows(g) * tile.lanes:
                continue
            here = (group == g) if len(tile.groups) > 1 else Const(1, 1)
            with m.If(here & (local >= full)):
                m.d.comb += exists.eq(Mux(local == full, (1 << rest) - 1, 0))
        return exists

    def _quiet(self, m, pipe, beats, profiles, stored):
        """Timesteps left in which the neuron must not fire, in stage 1; ``hold`` says in stage 0 that it does not integrate either."""
        inhibitions = [p.inhibition for p in profiles]
        quiet = stored
        if any(inhibitions):
            most = self._of_profile(profiles, inhibitions, self.group)
            quiet = Mux((pipe.at("side", 0) > 0) & (stored < most), most, stored)
        if any(p.holds for p in profiles):
            pipe.put("hold", stored != 0, 0)
        pipe.register("quiet", quiet[:len(stored)], 0)
        return pipe.at("quiet", self._tile.check_latency) != 0

    def _check(self, m, pipe, beats, profiles, lane, check, quiet):
        """v and whether the neuron fires, in stage ``check``."""
        tile = self._tile
        group, clear = beats.at("group", check), beats.at("clear", check)
        names: dict[tuple, str] = {}
        for k, p in enumerate(profiles):
            # Plain models share a sum, whatever their decays: what differs comes behind it.
            plain = not p.has_current and not p.holds
            key = ("plain", p.input_shift) if plain else (k,)
            if key not in names:
                names[key] = f"lane_{lane}_{k}"
                drive(m, pipe, p, names[key])
            elif p.has_current:
                raise AssertionError("a current is its profile's own")
        totals = [pipe.at(f"total_{names[('plain', p.input_shift) if not p.has_current and not p.holds else (k,)]}", check)
                  for k, p in enumerate(profiles)]
        total = self._of_profile(profiles, totals, group)
        values: dict[tuple, Value] = {}
        for p, one in zip(profiles, totals):
            key = (id(one), p.v_bits, p.low)
            if key not in values:
                values[key] = saturated(one, p.low, p.v_max)
        value = self._of_profile(profiles, [values[id(one), p.v_bits, p.low] for p, one in zip(profiles, totals)], group)
        zeroes = [int(p.reset is Reset.ZERO_AFTER) for p in profiles]
        if any(zeroes):
            value = Mux(pipe.at("spent", check) & self._of_profile(profiles, zeroes, group), 0, value)
        each = [p.v_init is None for p in profiles]
        starts = [pipe.at("v_init", check) if own else Const(p.v_init, signed(self._v_bits)) for p, own in zip(profiles, each)]
        if not any(each) and len({p.v_init for p in profiles}) == 1:
            starts = starts[:1] * len(profiles)
        v, fires = Signal(signed(self._v_bits), name=f"v_{lane}"), Signal(name=f"fires_{lane}")
        m.d.comb += v.eq(Mux(clear, self._of_profile(profiles, starts, group), value))
        threshold = pipe.at("theta", check)
        if tile.a_bits:
            rise = self._of_profile(profiles, [int(p.adaptation_decay is not None) for p in profiles], beats.at("group", 1))
            pipe.register("threshold", pipe.at("theta", 1) + Mux(rise, pipe.at("a", 1), 0), 1)
            threshold = pipe.at("threshold", check)
        # The comparison reads the unsaturated sum where it may: theta lies within the range of v, so saturation cannot change it.
        plain = len(values) == 1 and not any(zeroes) and not tile.a_bits
        reached = (total if plain else v) >= threshold
        always = self._of_profile(profiles, [int(p.values) for p in profiles], group)  # LI: every neuron sends v
        m.d.comb += fires.eq((reached | always) & ~clear & beats.at("exists", check)[lane] & ~quiet)
        return v, fires

    def _count(self, m, pipe, beats, profiles, lane, check, done, v, fires):
        """v and the spikes in stage ``done``; where a neuron fires several times, how often, and what that takes from its membrane."""
        tile = self._tile
        pipe.register("v", v, check)
        pipe.register("fired", fires, check)
        pipe.register("lowered", pipe.at("bias", done - 1) - pipe.at("theta", done - 1), done - 1)
        m.d.comb += [self.v[lane].eq(pipe.at("v", done)), self.spikes[lane].eq(pipe.at("fired", done))]
        counts = [pipe.at("fired", done)] * len(profiles)
        for k, p in enumerate(profiles):
            if p.max_spikes == 1:
                continue
            name, stage = f"lane_{lane}_{k}", check + 1
            n, rest, taken = Const(0, 1), pipe.at("v", stage), Const(0, 1)
            for d in digits(p.max_spikes):
                step = multiple(pipe.at("theta", stage), d)
                hit = Signal(name=f"{name}_hit_{stage}")
                m.d.comb += hit.eq(pipe.at("fired", stage) & (rest >= step))
                for what, value, width in (("n", n + Mux(hit, d, 0), unsigned(tile.count_bits)), ("rest", rest - Mux(hit, step, 0), signed(p.v_bits)),
                                           ("taken", taken + Mux(hit, step, 0), unsigned(p.v_bits - 1))):
                    narrow = Signal(width, name=f"{name}_{what}_after_{stage}")
                    m.d.comb += narrow.eq(value)
                    pipe.register(f"{what}_{stage}_{name}", narrow, stage)
                stage += 1
                n, rest, taken = (pipe.at(f"{what}_{stage - 1}_{name}", stage) for what in ("n", "rest", "taken"))
            for what, value in (("n", n), ("rest", rest), ("taken", taken)):
                pipe.put(f"{what}_n_{name}", value, stage)
            counts[k] = pipe.at(f"n_n_{name}", done)
            bias = Const(0, 1) if p.has_current else pipe.at("bias", done - 1)
            pipe.register(f"lowered_{name}", bias - pipe.at(f"taken_n_{name}", done - 1), done - 1)
        if tile.count_bits:
            m.d.comb += self.counts[lane].eq(self._of_profile(profiles, counts, beats.at("group", done)))
