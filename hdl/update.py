"""Neuron update: U membranes per cycle from the sums of a finished row."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.arithmetic import bits_signed
from ..spec.chip import TileSpec, UpdateSpec
from ..spec.network import Reset
from .membrane import decayed, round_up

__all__ = ["NeuronUpdate", "parameter_layout"]


def parameter_layout(tile: TileSpec) -> data.ArrayLayout:
    """{theta, bias} per update lane, lane 0 in the lowest bits."""
    bias = signed(tile.bias_bits) if tile.bias_bits else unsigned(0)
    return data.ArrayLayout(data.StructLayout({"theta": unsigned(tile.theta_bits), "bias": bias}), tile.update_lanes)


class NeuronUpdate(wiring.Component):
    """Membrane update of the IF, LIF and LI models, all resets, U neurons per cycle.

    The state memory holds u = decay(v) + b - theta * s of the timestep before (and, for ZERO_AFTER, a bit that says spent):
    v = saturate(u + (A << shift)), s = v >= theta, u' = decay(v) + b - theta * s. A beat given in cycle B reads its state and adds in B,
    compares in B + 1, shows ``spikes``, ``v`` and ``done`` in B + 2 and has its state written at the end of B + 2 (B + 3 with a
    multiplier). One beat per cycle; no backpressure. A state is read once per phase, so there is no hazard.

    Members
    -------
    next_index : ``index`` of the beat given in the next cycle, if one is: the parameter memory is read ahead.
    beat, index, local, group, clear : a beat of the group, its index in the tile and in the group; ``clear`` replaces v by v_init and s by 0.
    sums : the U accumulated inputs of the beat.
    busy : a beat is under way.
    done : results of a beat are valid in this cycle.
    done_index, done_local, done_group : which.
    done_exists : lanes of the beat that hold real neurons.
    spikes, v : U spikes (LI: all ones; only of real neurons), U membrane potentials.
    w_valid, w_address, w_data : write port of the parameter memory, where there is one.
    """

    def __init__(self, tile: TileSpec, init=()):
        self._tile, self._init = tile, init
        self._v_bits = max(g.update.v_bits for g in tile.groups)
        u, index, group = tile.update_lanes, range(tile.n_updates), ceil_log2(len(tile.groups))
        super().__init__({
            "next_index": In(index),
            "beat": In(1), "index": In(index), "local": In(index), "group": In(group), "clear": In(1),
            "sums": In(data.ArrayLayout(signed(tile.accumulator_bits), u)),
            "busy": Out(1), "done": Out(1), "done_index": Out(index), "done_local": Out(index), "done_group": Out(group),
            "done_exists": Out(u), "spikes": Out(u), "v": Out(data.ArrayLayout(signed(self._v_bits), u)),
            "w_valid": In(1), "w_address": In(index), "w_data": In(parameter_layout(tile)),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        profiles = list(dict.fromkeys(g.update for g in tile.groups))
        multiplies = any(p.decay.kind == "multiply" for p in profiles)

        def of_profile(values, group):
            """The value of the group's update profile: no multiplexer where all are the same."""
            if len(set(values)) == 1:
                return values[0]
            return Array(values[profiles.index(g.update)] for g in tile.groups)[group]

        # Beat B: state and input are added.
        state_layout = data.ArrayLayout(data.StructLayout({"u": signed(tile.stored_bits), "spent": unsigned(tile.marks_spent)}),
                                        tile.update_lanes)
        m.submodules.state = state = memory.Memory(shape=state_layout, depth=tile.n_updates, init=[])
        read, write = state.read_port(domain="comb"), state.write_port()
        m.d.comb += read.addr.eq(self.index)
        shifts = [p.input_shift for p in profiles]
        sum_bits = max(tile.stored_bits, tile.accumulator_bits + max(shifts)) + 1
        totals = Signal(data.ArrayLayout(signed(sum_bits), tile.update_lanes))
        spent = Signal(tile.update_lanes)
        for lane in range(tile.update_lanes):
            inputs = [self.sums[lane] << s for s in sorted(set(shifts))]
            shifted = inputs[0] if len(inputs) == 1 else Array(
                inputs[sorted(set(shifts)).index(g.update.input_shift)] for g in tile.groups)[self.group]
            m.d.sync += totals[lane].eq(read.data[lane].u + shifted)
            if tile.marks_spent:
                m.d.sync += spent[lane].eq(read.data[lane].spent)

        # What travels along: beat B + 1 ("check"), B + 2 ("done"), B + 3 ("write", multipliers only).
        check, done = Signal(), Signal()
        check_index, check_local, check_group, check_clear = (Signal.like(self.index), Signal.like(self.local),
                                                              Signal.like(self.group), Signal())
        m.d.sync += [check.eq(self.beat), check_index.eq(self.index), check_local.eq(self.local), check_group.eq(self.group),
                     check_clear.eq(self.clear), done.eq(check), self.done_index.eq(check_index), self.done_local.eq(check_local),
                     self.done_group.eq(check_group)]
        m.d.comb += [self.done.eq(done), self.busy.eq(self.beat | check | done)]
        parameters = self._parameters(m, check_group)
        exists = self._existing(m, check_group, check_local)
        m.d.sync += self.done_exists.eq(exists)
        spent_now = Signal(tile.update_lanes)
        wrote, write_index = (done, self.done_index)
        if multiplies:
            wrote, write_index = Signal(name="late"), Signal.like(self.index, name="late_index")
            m.d.sync += [wrote.eq(done), write_index.eq(self.done_index)]
        m.d.comb += [write.en.eq(wrote), write.addr.eq(write_index)]

        for lane in range(tile.update_lanes):
            # Beat B + 1: saturate, compare.
            def saturated(profile: UpdateSpec, total=totals[lane]):
                if bits_signed(profile.v_min, profile.v_max) >= sum_bits:
                    return total
                low, high = total < profile.v_min, total > profile.v_max
                return Mux(low, profile.v_min, Mux(high, profile.v_max, total[:profile.v_bits].as_signed()))

            v, fires = Signal(signed(self._v_bits), name=f"v_{lane}"), Signal(name=f"fires_{lane}")
            widest = {(p.v_bits): saturated(p) for p in profiles}
            value = widest[profiles[0].v_bits] if len(widest) == 1 else Array(
                widest[g.update.v_bits] for g in tile.groups)[check_group]
            starts = of_profile([p.v_init for p in profiles], check_group)
            if tile.marks_spent:
                value = Mux(spent[lane], 0, value)
            m.d.comb += v.eq(Mux(check_clear, starts, value))
            # The comparison reads the unsaturated sum where it may: theta lies within the range of v, so saturation cannot change it.
            reached = v >= parameters[lane].theta if tile.marks_spent or len(widest) > 1 else totals[lane] >= parameters[lane].theta
            always = of_profile([int(p.values) for p in profiles], check_group)  # LI: every neuron sends v
            m.d.comb += fires.eq((reached | always) & ~check_clear & exists[lane])
            theta, bias = Signal.like(parameters[lane].theta, name=f"theta_{lane}"), Signal.like(parameters[lane].bias, name=f"bias_{lane}")
            lowered = Signal(signed(max(tile.theta_bits, tile.bias_bits) + 2), name=f"lowered_{lane}")
            m.d.sync += [self.v[lane].eq(v), self.spikes[lane].eq(fires), theta.eq(parameters[lane].theta), bias.eq(parameters[lane].bias),
                         lowered.eq(parameters[lane].bias - parameters[lane].theta)]

            # Beat B + 2 (and B + 3): decay, bias, reset; one result per profile.
            results = {}
            for k, profile in enumerate(profiles):
                results[profile] = self._next_state(m, profile, f"lane_{lane}_{k}", self.v[lane], self.spikes[lane], theta, bias, lowered,
                                                    late=multiplies)
            group = self.done_group
            fired = self.spikes[lane]
            if multiplies:
                group, fired = Signal.like(group, name=f"late_group_{lane}"), Signal(name=f"late_fired_{lane}")
                m.d.sync += [group.eq(self.done_group), fired.eq(self.spikes[lane])]
            m.d.comb += write.data[lane].u.eq(results[profiles[0]] if len(profiles) == 1 else
                                              Array(results[g.update] for g in tile.groups)[group])
            if tile.marks_spent:
                marks = of_profile([int(p.reset is Reset.ZERO_AFTER) for p in profiles], group)
                m.d.comb += spent_now[lane].eq(fired & marks)
                m.d.comb += write.data[lane].spent.eq(spent_now[lane])
        return m

    def _parameters(self, m, check_group):
        """theta and bias of the beat being checked: from the memory (read in the cycle before the beat) or constants."""
        tile = self._tile
        layout = parameter_layout(tile)
        if tile.constant_parameters:
            words = [sum(layout[0].shape.const({"theta": g.theta, "bias": g.bias}).as_bits() << lane * layout[0].shape.size
                         for lane in range(tile.update_lanes)) for g in tile.groups]
            value = Signal(layout, name="parameters")
            m.d.comb += value.as_value().eq(Array(words)[check_group] if len(words) > 1 else words[0])
            return value
        m.submodules.parameters = parameters = memory.Memory(shape=unsigned(layout.size), depth=tile.n_updates, init=self._init)
        write, read = parameters.write_port(), parameters.read_port()
        m.d.comb += [write.addr.eq(self.w_address), write.data.eq(self.w_data), write.en.eq(self.w_valid),
                     read.addr.eq(self.next_index), read.en.eq(~self.w_valid)]
        # Read in B - 1, one cycle ahead of the state, so that the memory's slow output has B to itself and a register behind.
        value = Signal(layout, name="parameters", reset_less=True)
        m.d.sync += value.eq(read.data)
        return value

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

    def _next_state(self, m, profile: UpdateSpec, name: str, v, fired, theta, bias, lowered, *, late: bool):
        """u' of one lane for one profile; one cycle later if ``late``."""
        decay, rounding, reset = profile.decay, profile.rounding, profile.reset
        before = v
        if reset is Reset.SUBTRACT_BEFORE_DECAY:
            reduced = Signal(signed(max(len(v), len(theta)) + 2), name=f"{name}_reduced")
            m.d.comb += reduced.eq(v - Mux(fired, theta, 0))
            before = reduced
        elif reset is Reset.ZERO:
            reduced = Signal(signed(len(v)), name=f"{name}_reduced")
            m.d.comb += reduced.eq(Mux(fired, 0, v))
            before = reduced
        addend = Signal(signed(max(len(bias), len(lowered))), name=f"{name}_addend")
        m.d.comb += addend.eq(Mux(fired, lowered, bias) if reset is Reset.SUBTRACT else bias)

        if decay.kind != "multiply":
            after = decayed(m, decay, rounding, before, f"{name}_decayed")
            if late:
                after_register, addend_register = Signal.like(after, name=f"{name}_after"), Signal.like(addend, name=f"{name}_late_addend")
                m.d.sync += [after_register.eq(after), addend_register.eq(addend)]
                after, addend = after_register, addend_register
            return after + addend
        fraction_bits = decay.fraction_bits or 0
        product = Signal(signed(len(before) + fraction_bits + 1), name=f"{name}_product")
        addend_register = Signal.like(addend, name=f"{name}_late_addend")
        m.d.sync += [product.eq(before * Const(decay.factor)), addend_register.eq(addend)]
        carry = round_up(product, fraction_bits, rounding)
        return (Cat(1, product >> fraction_bits).as_signed() + Cat(carry, addend_register).as_signed()) >> 1
