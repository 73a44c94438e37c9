"""Neuron update: U membranes per cycle from the sums of a finished row."""

from amaranth import *
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..spec.arithmetic import bits_signed, bits_unsigned
from ..spec.chip import TileSpec
from .firing import check_threshold, count_shape, count_spikes, put_quiet
from .next_state import next_state
from .pipeline import Pipeline
from .profiles import Profiles

__all__ = ["NeuronUpdate", "loaded_update", "parameter_layout", "state_layout"]


def parameter_layout(tile: TileSpec) -> data.ArrayLayout:
    """The tile's parameter fields, theta lowest, per update lane, lane 0 in the lowest bits."""
    shapes = {f.name: signed(f.bits) if f.signed and f.bits else unsigned(f.bits) for f in tile.fields}
    return data.ArrayLayout(data.StructLayout(shapes), tile.update_lanes)


def state_layout(tile: TileSpec) -> data.ArrayLayout:
    """The tile's state fields, u lowest, per update lane, lane 0 in the lowest bits."""
    shapes = {f.name: signed(f.bits) if f.signed else unsigned(f.bits) for f in tile.state_fields}
    return data.ArrayLayout(data.StructLayout(shapes), tile.update_lanes)


def loaded_update(tile: TileSpec) -> dict[str, Shape]:
    """Settings of a loadable tile that its update needs: ``full`` beats of U neurons and ``rest`` more, ``shift`` of the sums into v, ``limit`` the
    largest v (one less than a power of two), and whether they are ``values``: leaky integrators, which send v."""
    update = tile.groups[0].update
    return {"full": unsigned(bits_unsigned(tile.n_updates)), "rest": unsigned(bits_unsigned(tile.update_lanes - 1)),
            "shift": unsigned(bits_unsigned(update.input_shift)), "limit": unsigned(update.v_bits - 1), "values": unsigned(int(update.values))}


class NeuronUpdate(wiring.Component):
    """Membrane update of all neuron models and resets, U neurons per cycle; of each tile's models only what they need exists.

    A pipeline from a beat to its results: the drive (:mod:`.drive`: state and sum give v), saturation, threshold and the number of spikes
    (:mod:`.firing`), and the next state (:mod:`.next_state`). A beat given in cycle B reads its state in B, compares in B +
    ``tile.check_latency``, and shows ``spikes``, ``counts``, ``v`` and ``done`` in B + ``tile.update_latency`` (1 and 2 for IF, LIF and LI); its
    state is written at the end of that cycle, or of the next where a decay multiplies. One beat per cycle; no backpressure. A state is read
    once per phase, so there is no hazard.

    The state memory holds what is ready for the next sum, u = decay(v) + b - theta * n, so neither v nor the spikes are kept (with a gate, whose
    decay is known only then, v itself). Where the tile keeps v, it holds that, and i, as well, for the host to read.

    Members
    -------
    next_index : ``index`` of the beat given in the next cycle, if one is: the parameter memory is read ahead.
    beat, index, local, group, clear : a beat of the group, its index in the tile and in the group; ``clear`` replaces v by v_init and all else by 0.
    sums, side_sums : the U accumulated inputs of the beat, of port ``i`` and of the gate or block port.
    busy : a beat is under way.
    done : results of a beat are valid in this cycle.
    done_index, done_local, done_group : which.
    done_exists : lanes of the beat that hold real neurons.
    spikes, v : U spikes (LI: all ones; RELU: whether the activation changed; only of real neurons), U membrane potentials.
    counts : U numbers of spikes, where a neuron may fire several times in a timestep, or how its activation changed.
    w_valid, w_address, w_data : write port of the parameter memory, where there is one.
    s_valid, s_address, s_data : write of a state word, if ``writable``: only while no beat is under way, and not in the cycle after ``busy``.
    state : the state word at ``index``, in the same cycle, where the tile keeps v or is readable.
    settings : of a loadable tile, see :func:`loaded_update`; they do not change while a beat is under way.
    r_valid, r_address, r_data : of a readable tile: the parameter word of the address, two cycles later; no beat may be under way.
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
            **({"part": In(range(tile.beats))} if tile.has_map_parts else {}),
            **({"counts": Out(data.ArrayLayout(count_shape(tile), u))} if tile.count_bits else {}),
            "w_valid": In(1), "w_address": In(index), "w_data": In(parameter_layout(tile)),
            **({"settings": In(data.StructLayout(loaded_update(tile)))} if tile.loadable else {}),
            **({"s_valid": In(1), "s_address": In(index), "s_data": In(state_layout(tile))} if writable else {}),
            **({"state": Out(state_layout(tile))} if tile.keeps_v or tile.readable else {}),
            **({"r_valid": In(1), "r_address": In(20), "r_data": Out(parameter_layout(tile))}
               if tile.readable and not tile.constant_parameters else {}),
        })

    def elaborate(self, platform):
        m = Module()
        tile = self._tile
        profiles = Profiles(tile)
        check, done = tile.check_latency, tile.update_latency
        written = done + any(p.multiplies for p in profiles)  # the stage of the stored state
        beats = Pipeline(m, "beat")
        for name in ("beat", "index", "local", "group", "clear"):
            beats.put(name, getattr(self, name), 0)
        if tile.has_map_parts:
            beats.put("part", self.part, 0)
        part = beats.at("part", check) if tile.has_map_parts else None
        beats.put("exists", self._existing(m, beats.at("group", check), beats.at("local", check), part), check)
        m.d.comb += [self.done.eq(beats.at("beat", done)), self.done_index.eq(beats.at("index", done)),
                     self.done_local.eq(beats.at("local", done)), self.done_group.eq(beats.at("group", done)),
                     self.done_exists.eq(beats.at("exists", done)),
                     self.busy.eq(Cat(beats.at("beat", stage) for stage in range(done + 1)).any())]

        m.submodules.state = state = memory.Memory(shape=state_layout(tile), depth=tile.n_updates, init=[])
        write = state.write_port()
        if tile.memories == "distributed":
            read = state.read_port(domain="comb")
            m.d.comb += read.addr.eq(self.index)
        else:  # a cycle ahead; a word is read again only phases after it was written
            read = state.read_port(transparent_for=(write,))
            m.d.comb += read.addr.eq(self.next_index)
        m.d.comb += [write.en.eq(beats.at("beat", written)), write.addr.eq(beats.at("index", written))]
        stored = Signal(state_layout(tile)) if self._writable else write.data  # what the update writes
        if self._writable:
            m.d.comb += write.data.eq(stored)
            with m.If(self.s_valid):
                m.d.comb += [write.en.eq(1), write.addr.eq(self.s_address), write.data.eq(self.s_data)]
        if tile.keeps_v or tile.readable:
            m.d.comb += self.state.eq(read.data)
        parameters = self._parameters(m, beats)

        for lane in range(tile.update_lanes):
            pipe = Pipeline(m, f"lane_{lane}")
            for field in tile.state_fields:
                if field.name not in ("quiet", "v", "i"):
                    pipe.put(field.name, read.data[lane][field.name], 0)
            pipe.put("sum", self.sums[lane], 0)
            pipe.put("side", self.side_sums[lane], 0)
            pipe.put("clear", self.clear, 0)
            for name, stage in (("shift", 0), ("limit", check), ("values", check)) if tile.loadable else ():
                pipe.put(name, self.settings[name], stage)
            for name, value in parameters(lane).items():
                pipe.put(name, value, 1)
            if tile.quiet_bits:
                put_quiet(pipe, beats, profiles, read.data[lane].quiet)
            check_threshold(m, pipe, beats, profiles, tile, lane)
            count_spikes(m, pipe, profiles, tile, f"lane_{lane}")
            sends = [pipe.at(f"changed_lane_{lane}_{k}" if p.changes else "fired", done) for k, p in enumerate(profiles)]
            m.d.comb += [self.v[lane].eq(pipe.at("v", done)), self.spikes[lane].eq(profiles.choose(sends, beats.at("group", done)))]
            if tile.count_bits:
                counts = [pipe.at(("change_lane_" if p.changes else "n_n_lane_") + f"{lane}_{k}" if p.counts else "fired", done)
                          for k, p in enumerate(profiles)]
                m.d.comb += self.counts[lane].eq(profiles.choose(counts, beats.at("group", done)))
            results = {p: next_state(m, pipe, p, f"lane_{lane}_{k}", done, written) for k, p in enumerate(profiles)}
            for k, p in enumerate(profiles if tile.keeps_v else ()):
                results[p] |= {"v": pipe.at("v", written)} | ({"i": pipe.at(f"i_lane_{lane}_{k}", written)} if p.has_current else {})
            group = beats.at("group", written)
            for field in tile.state_fields:
                values = [results[p].get(field.name, 0) for p in profiles]
                m.d.comb += stored[lane][field.name].eq(profiles.choose(values, group))
        return m

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
                     read.addr.eq(Mux(self.r_valid, self.r_address, self.next_index) if tile.readable else self.next_index),
                     read.en.eq(~self.w_valid)]
        # Read in B - 1, one cycle ahead of the state, so that the memory's slow output has B to itself and a register behind.
        value = Signal(layout, name="parameters", reset_less=True)
        m.d.sync += value.eq(read.data)
        if tile.readable:
            m.d.comb += self.r_data.eq(value)
        return lambda lane: {f.name: value[lane][f.name] for f in tile.fields}

    def _existing(self, m, group, local, part):
        """Mask of the lanes that hold real neurons: the last row of a group, of a map the last one of each place, may be partly empty."""
        tile = self._tile
        exists = Signal(tile.update_lanes)
        m.d.comb += exists.eq((1 << tile.update_lanes) - 1)
        if tile.loadable:
            with m.If(local >= self.settings.full):
                m.d.comb += exists.eq(Mux(local == self.settings.full, Cat(k < self.settings.rest for k in range(tile.update_lanes)), 0))
            return exists
        for g, spec in enumerate(tile.groups):
            if not tile.part(g):
                continue
            beat, size = (local, spec.size) if spec.positions == 1 else (part, tile.part(g))
            full, rest = divmod(size, tile.update_lanes)
            late = local >= (full if spec.positions == 1 else (tile.rows(g) - spec.positions) * tile.beats)
            here = (group == g) if len(tile.groups) > 1 else Const(1, 1)
            with m.If(here & late & (beat >= full)):
                m.d.comb += exists.eq(Mux(beat == full, (1 << rest) - 1, 0))
        return exists
