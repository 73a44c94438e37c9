"""C++ of the compiled engine's testbench: plays a clip on the class that CXXRTL made of a chip, clock by clock.

What it offers when is section 5 of docs/architecture.md; ``templates/chip_player.py`` is the same testbench for cocotb.
"""

from __future__ import annotations

import re

import numpy as np

from ..layout import ANSWER_PORTS, Layout

__all__ = ["CLOCK", "PREAMBLE", "STAGES", "driver_source", "port_names", "top_of"]

# What the testbench was doing, by the numbers that it reports when its watchdog ends a clip.
STAGES = ("waiting for RESET to be taken", "waiting for the end of RESET", "offering an event", "offering STEP", "waiting for the next start",
          "offering READ", "waiting for the readouts")

PREAMBLE = """
template<size_t B> static inline const value<B> &now(const value<B> &x) { return x; }
template<size_t B> static inline const value<B> &now(const wire<B> &x) { return x.curr; }
// Whether a signal is a flip-flop, whose value is known before this clock's logic was evaluated.
template<size_t B> static constexpr bool registered(const value<B> &) { return false; }
template<size_t B> static constexpr bool registered(const wire<B> &) { return true; }

// `width` (up to 64) bits of a value, from `offset` on.
template<size_t B> static inline uint64_t bits(const value<B> &x, unsigned offset, unsigned width) {
    if (!width) return 0;
    uint64_t word = 0;
    for (unsigned chunk = offset / 32, at = 0; at < width + offset % 32 && chunk < value<B>::chunks; chunk++, at += 32) {
        uint64_t part = x.data[chunk];
        if (at == 0) word = part >> (offset % 32);
        else word |= part << (at - offset % 32);
    }
    return width < 64 ? word & ((uint64_t(1) << width) - 1) : word;
}
static inline int64_t extend(uint64_t word, unsigned width) {
    return width && width < 64 && word >> (width - 1) & 1 ? int64_t(word) - (int64_t(1) << width) : int64_t(word);
}
template<size_t B> static inline void put(value<B> &x, uint64_t word) {
    for (size_t chunk = 0; chunk < value<B>::chunks; chunk++) x.data[chunk] = chunk < 2 ? uint32_t(word >> (32 * chunk)) : 0;
    if (B % 32) x.data[value<B>::chunks - 1] &= (uint32_t(1) << (B % 32)) - 1;
}
template<size_t B> static inline bool any(const value<B> &x) { return !x.is_zero(); }
"""

CLOCK = """
struct Player {
    Top top;
    bool fresh = true;

    // First half of a clock: the logic sees the inputs, and the flip-flops what they will become.
    void evaluate() {
        if (ONE_PASS) { put(top.p_clk, 1); top.eval(); }
        else { put(top.p_clk, 0); top.step(); }
    }
    // Second half: the edge. With one pass it is half done already, and the falling edge needs no evaluation.
    void clock() {
        if (ONE_PASS) { top.commit(); put(top.p_clk, 0); put(top.prev_p_clk, 0); }
        else { put(top.p_clk, 1); top.step(); }
    }
    // Lets the logic settle without an edge.
    void settle() { put(top.p_clk, 0); top.step(); }
};

"""

_PLAYER = """
enum Stage { RESETTING, CLEARING, EVENTS, STEPPING, WAITING, READING, FINISHING };

extern "C" void *chip_new() { return new Player(); }
extern "C" void chip_delete(void *player) { delete static_cast<Player *>(player); }

// See CompiledChip in compiled.py for the arguments; returns 0, or 1 if the watchdog ended the clip.
extern "C" int chip_play(void *handle, const int64_t *numbers, const int64_t *event_offset, const uint64_t *event_words,
                         int64_t *phase_cycles, int32_t *potentials, uint8_t *traced,
                         int64_t *spikes, int64_t *readouts, int64_t *counters, int64_t *results) {
    Player &player = *static_cast<Player *>(handle);
    Top &top = player.top;
    const int64_t n_steps = numbers[0], n_phases = numbers[1], watchdog = numbers[2], max_spikes = numbers[3], max_readouts = numbers[4];
    int64_t n_spikes = 0, n_readouts = 0, stray = 0, extra_phases = 0, clocks = 0, phase = 0, cycle = 0, begin = 0, step = 0;
    int64_t event = event_offset[0];
    Stage stage = RESETTING;
    bool hung = false;

    put(top.p_spikes____ready, 1);
    @READOUTS_READY@
    put(top.p_events____valid, 0);
    put(top.p_control____valid, 0);
    if (player.fresh) {  // power-up behaves as RESET
        put(top.p_rst, 1);
        for (int i = 0; i < 2; i++) { player.evaluate(); player.clock(); }
        put(top.p_rst, 0);
        player.fresh = false;
    } else {
        put(top.p_control____payload, RESET);
        put(top.p_control____valid, 1);
        for (bool taken = false; !taken && !hung; hung = ++clocks > watchdog) {
            player.evaluate();
            taken = any(now(top.p_control____ready));
            player.clock();
        }
        put(top.p_control____valid, 0);
    }
    if (!hung) stage = CLEARING;
    // RESET ends with a start strobe and the next command may come: that is cycle 0 of phase 0, and its edge is still to come.
    for (bool begun = false; !begun && !hung;) {
        player.settle();
        begun = any(now(top.p_status____start)) && any(now(top.p_control____ready));
        if (!begun) { player.evaluate(); player.clock(); hung = ++clocks > watchdog; }
    }

    if (!hung) stage = event < event_offset[1] ? EVENTS : STEPPING;
    bool open = true;
    for (; !hung; cycle++, hung = ++clocks > watchdog) {
        // A start can only follow the end of a phase; then the logic is evaluated once more, so that what it waits for comes in time.
        bool start = cycle == 0;
        if (cycle && (registered(top.p_status____start) || !open)) {
            if (!registered(top.p_status____start) || stage == FINISHING) player.settle();
            start = any(now(top.p_status____start));
        }
        // READ is over when the next command may come; that is a start strobe, too, but of the phase of another clip.
        if (stage == FINISHING && start && any(now(top.p_control____ready))) break;
        if (start && cycle) {
            phase++;
            begin = cycle;
            if (phase >= n_phases) extra_phases++;
            open = true;
            if (stage == WAITING && (step == n_steps || phase % PERIOD == 0))
                stage = step == n_steps ? READING : event < event_offset[step + 1] ? EVENTS : STEPPING;
        }
        const bool offers_event = stage == EVENTS, offers_command = stage == STEPPING || stage == READING;
        put(top.p_events____valid, offers_event);
        @PUT_EVENT@
        put(top.p_control____valid, offers_command);
        if (offers_command) put(top.p_control____payload, stage == STEPPING ? STEP : READ);

        player.evaluate();
        if (!start && any(now(top.p_status____start))) {  // a start in the middle of a phase: the phase never ended
            phase++;
            begin = cycle;
            if (phase >= n_phases) extra_phases++;
        }
        if (open && any(now(top.p_status____finish))) {
            if (phase < n_phases) phase_cycles[phase] = cycle - begin + 1;
            open = false;
        }
        if (any(now(top.p_spikes____valid))) {
            @SPIKE@
        }
        @READOUT@
        @TRACES@
        const bool command_taken = any(now(top.p_control____ready));
        if (offers_event && any(now(top.p_events____ready))) {
            if (++event == event_offset[step + 1]) stage = STEPPING;
        } else if (stage == STEPPING && command_taken) {
            step++;
            stage = WAITING;
        } else if (stage == READING && command_taken) {
            stage = FINISHING;
        }
        player.clock();
    }
    put(top.p_events____valid, 0);
    put(top.p_control____valid, 0);
    player.settle();
    results[0] = n_spikes;
    results[1] = n_readouts;
    results[2] = stray;
    results[3] = extra_phases;
    results[4] = @ERRORS@;
    results[5] = @REJECTED@;
    results[6] = @ANSWER_VALID@;
    results[7] = @ANSWER_INDEX@;
    results[8] = @ANSWER_CONFIDENCE@;
    @COUNTERS@
    results[9] = clocks;
    results[10] = phase;
    results[11] = step;
    results[12] = stage;
    return hung;
}
"""

_LOAD = """
// Writes words of the configuration port on a chip that was just switched on; returns 0, or 1 if it takes none for too long.
extern "C" int chip_load(void *handle, const uint64_t *words, int64_t n_words) {
    Player &player = *static_cast<Player *>(handle);
    Top &top = player.top;
    put(top.p_rst, 1);
    for (int i = 0; i < 2; i++) { player.evaluate(); player.clock(); }
    put(top.p_rst, 0);
    player.fresh = false;
    for (int64_t k = 0; k < n_words; k++) {
        put(top.p_config____payload, words[k]);
        put(top.p_config____valid, 1);
        bool taken = false;
        for (int64_t waited = 0; !taken; waited++) {
            if (waited > 1000000) return 1;
            player.evaluate();
            taken = any(now(top.p_config____ready));
            player.clock();
        }
        put(top.p_config____valid, 0);
    }
    return 0;
}
"""

_TRACE = """
template<size_t B> static inline void trace(const value<B> &v, uint64_t update, unsigned lanes, unsigned width, const int32_t *columns,
                                            const int32_t *levels, uint64_t n_updates, int64_t phase, int64_t n_steps,
                                            int32_t *potentials, uint8_t *traced, int64_t &stray) {
    const int64_t level = update < n_updates ? levels[update] : -1;
    const int64_t late = phase - level;
    if (level < 0 || late < 0 || late % PERIOD || late / PERIOD >= n_steps) { stray++; return; }
    const int64_t row = late / PERIOD * N_STATES;
    for (unsigned lane = 0; lane < lanes; lane++) {
        const int32_t column = columns[update * lanes + lane];
        if (column < 0) continue;
        potentials[row + column] = int32_t(extend(bits(v, lane * width, width), width));  // a narrower group's v arrives sign-extended
        if (traced[row + column] < 255) traced[row + column]++;
    }
}
"""


def port_names(cxxrtl: str, top: str) -> dict[str, str]:
    """Ports of the class of module ``top`` in CXXRTL's output: name in Verilog -> name in C++."""
    body = re.search(rf"struct p_{_mangled(top)} : public module \{{(.*?)\n\}};", cxxrtl, re.DOTALL)
    members = re.findall(r"/\*(?:in|out)put\*/ (?:value|wire)<\d+> (p_\w+)", body.group(1) if body else "")
    return {_demangled(member): member for member in members}


def top_of(cxxrtl: str, top: str) -> list[str]:
    """What :data:`CLOCK` must know: the class of module ``top``, and whether one evaluation of its logic is enough."""
    single = "bool converged = false" not in cxxrtl and "converged = false;" not in cxxrtl
    return [f"using Top = cxxrtl_design::p_{_mangled(top)};", f"static constexpr bool ONE_PASS = {str(single).lower()};"]


def driver_source(layout: Layout, cxxrtl: str) -> str:
    """The whole C++ file: CXXRTL's output and the testbench behind it. Raises ValueError naming a port that is missing."""
    ports = {name: member for name, member in port_names(cxxrtl, layout.name).items() if layout.carries(name)}
    for name in ("clk", "rst", "events__valid", "events__ready", "control__valid", "control__ready", "control__payload", "spikes__valid",
                 "spikes__ready", "status__start", "status__finish", *(() if layout.answer is None else ANSWER_PORTS),
                 *(f"trace_{k}__valid" for k in range(len(layout.traces))),
                 *(f"counters_{k}" for k in range(len(layout.counters)))):
        if name not in ports:
            raise ValueError(f"module {layout.name} has no port {name}")
    constants = [
        *top_of(cxxrtl, layout.name),
        f"static constexpr int64_t PERIOD = {layout.period}, N_STATES = {layout.n_states};",
        *(f"static constexpr uint64_t {name} = {layout.command_word(name, 1 if name == 'STEP' else 0)}u;" for name in ("STEP", "READ", "RESET")),
    ]
    traces = []
    for k, table in enumerate(layout.traces):
        constants.append(_array(f"COLUMNS_{k}", table.column))
        constants.append(_array(f"LEVELS_{k}", table.level))
        index = f"bits(now(top.{ports[f'trace_{k}__index']}), 0, 32)" if f"trace_{k}__index" in ports else "0"
        traces.append(f"if (any(now(top.{ports[f'trace_{k}__valid']}))) trace(now(top.{ports[f'trace_{k}__v']}), {index}, {table.lanes}, "
                      f"{table.v_bits}, COLUMNS_{k}, LEVELS_{k}, {len(table.level)}, phase, n_steps, potentials, traced, stray);")
    readout = ""
    if "readouts__valid" in ports and layout.n_readouts:
        fields = _fields(layout, ports, "readouts", ("population", "neuron", "value", "last"))
        readout = (f"if (any(now(top.p_readouts____valid))) {{\n            if (n_readouts < max_readouts) {{\n"
                   f"                int64_t *row = readouts + 4 * n_readouts;\n{fields}"
                   f"            }}\n            n_readouts++;\n        }}")
    spike = (f"if (n_spikes < max_spikes) {{\n                int64_t *row = spikes + 5 * n_spikes;\n                row[0] = phase;\n"
             f"{_fields(layout, ports, 'spikes', ('population', 'neuron', 'timestep', 'payload'), 1)}            }}\n            n_spikes++;")
    player = _PLAYER
    for mark, text in (
            ("READOUTS_READY", "put(top.p_readouts____ready, 1);" if "readouts__ready" in ports else ""),
            ("PUT_EVENT", "if (offers_event) put(top.p_events____payload, event_words[event]);" if "events__payload" in ports else ""),
            ("COUNTERS", "\n    ".join(_counters(layout, ports))), ("SPIKE", spike), ("READOUT", readout), ("TRACES", "\n        ".join(traces)),
            ("ERRORS", "int64_t(bits(now(top.p_status____errors), 0, 63))" if "status__errors" in ports else "0"),
            ("REJECTED", "any(now(top.p_status____rejected))" if "status__rejected" in ports else "0"),
            *((name.upper().replace("__", "_"), "0" if layout.answer is None else f"int64_t(bits(now(top.{ports[name]}), 0, 63))")
              for name in ANSWER_PORTS)):
        player = player.replace(f"@{mark}@", text)
    return "\n".join([cxxrtl, *constants, PREAMBLE, CLOCK, _TRACE, player, *([_LOAD] if "config__payload" in ports else [])])


def _fields(layout: Layout, ports: dict[str, str], stream: str, names: tuple[str, ...], first: int = 0) -> str:
    """Statements that take the fields of an output stream apart into ``row``; one that is not there is 0, a payload then 1."""
    out = ""
    for i, name in enumerate(names):
        field = layout.streams[stream].get(name)
        if field is None or not field.width or f"{stream}__payload" not in ports:
            out += f"                row[{first + i}] = {int(name == 'payload')};\n"
            continue
        word = f"bits(now(top.{ports[f'{stream}__payload']}), {field.offset}, {field.width})"
        out += f"                row[{first + i}] = {f'extend({word}, {field.width})' if field.signed else f'int64_t({word})'};\n"
    return out


def _counters(layout: Layout, ports: dict[str, str]) -> list[str]:
    """Statements that take the counters of all groups."""
    places = [(ports[f"counters_{k}"], group * table.width + field.offset, field.width)
              for k, table in enumerate(layout.counters) for group in range(len(table.populations)) for field in table.fields]
    return [f"counters[{n}] = int64_t(bits(now(top.{port}), {offset}, {width}));" for n, (port, offset, width) in enumerate(places)]


def _array(name: str, values: np.ndarray) -> str:
    return f"static const int32_t {name}[] = {{{', '.join(str(int(v)) for v in values.ravel())}}};"


def _mangled(name: str) -> str:
    """A Verilog name as CXXRTL writes it: underscores doubled, other characters in hexadecimal between underscores."""
    return "".join("__" if c == "_" else c if c.isalnum() else f"_{ord(c):x}_" for c in name)


def _demangled(member: str) -> str:
    return re.sub(r"_([0-9a-f]{2})_|__", lambda m: chr(int(m.group(1), 16)) if m.group(1) else "_", member.removeprefix("p_"))
