"""Networks of many small populations that hold every neuron model with every reset, rounding and weight format, and much that goes with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.network import Gain, Kind, Model, Network, Population, Port, Projection, Readout, Refractory, Reset

__all__ = ["ALL", "FORMATS", "INPUTS", "MODELS", "VALUES", "Row", "clips", "network", "rows"]

VALUES = (Model.LI, Model.CUBALI)
# An activation has no reset, and neighbours of its own: test_hybrid.py.
MODELS = tuple(model for model in Model if model not in (Model.INPUT, Model.RELU))
ALL = tuple((model, reset, rounding) for model in MODELS
            for reset, rounding in product((Reset.NONE,) if model in VALUES else Reset, Rounding))

SIZES, DELAYS = (1, 5, 33), (0, 1, 4)
DECAYS = ("none", "shift", "two shifts", "multiplier", "per neuron")
WIDE = (-120, -97, -71, -50, -33, -20, -9, -2, 0, 3, 12, 25, 44, 66, 91, 127)
# Fields of a projection, and by how many bits its weights are shifted into v, so that they are worth about the same.
FORMATS: dict[str, tuple[dict, int]] = {
    "1 bit": ({"weight_bits": 1}, 5), "0 w": ({"codebook": (0, 41)}, 0), "0 w w": ({"codebook": (-70, 0, 39)}, 0),
    "16 entries": ({"codebook": WIDE}, 0), "2 bit": ({"weight_bits": 2}, 5), "4 bit": ({"weight_bits": 4}, 3), "8 bit": ({"weight_bits": 8}, 0),
    "sparse": ({"weight_bits": 5, "kind": Kind.SPARSE}, 2)}
INPUTS = {"unit": (1, 1), "sign": (-1, 1), "graded": (-2, 3)}
TABLE = (0, 3, 20, 60, 128, 196, 240, 255)


@dataclass(frozen=True)
class Row:
    """What one population stands for: its model and what is asked for in every combination, and what varies beside it."""

    model: Model
    reset: Reset
    rounding: Rounding
    form: str
    size: int
    delay: int
    decay: str

    def name(self, number: int) -> str:
        return f"{self.model.value}{number}"


def rows(forms: Sequence[str], which: Iterable[tuple[Model, Reset, Rounding]] = ALL, turn: int = 0) -> list[Row]:
    """A row for each of ``which``; formats, sizes, delays and decays take turns, beginning with number ``turn``."""
    return [Row(*what, forms[k % len(forms)], SIZES[(k + turn) % 3], DELAYS[(k + k // 9 + turn) % 3], DECAYS[(k + k // 15 + turn) % 5])
            for k, what in enumerate(which)]


def _decay(kind: str, k: int) -> Decay:
    return {"none": Decay(), "shift": Decay(shift_a=2 + k % 3), "two shifts": Decay(shift_a=2, shift_b=3 + k % 4)}.get(
        kind, Decay(factor=180 + k % 60, fraction_bits=8))


def _population(row: Row, number: int, rng: np.random.Generator) -> Population:
    """Of its model everything; in turns several spikes, refractory timesteps of both kinds, inhibition, a lower clip, readouts."""
    model, size, v_bits = row.model, row.size, 9 + number % 3
    largest = (1 << v_bits - 1) - 1
    fields: dict = {"bias": rng.integers(-9, 10, size), "v_init": int(rng.integers(-20, 40)), "guard_bits": FORMATS[row.form][1]}
    if model not in (Model.IF, Model.SPIKGRU):
        fields["decay"] = _decay(row.decay, number)
        if row.decay == "per neuron":
            fields["beta"] = rng.integers(100, 257, size)
    other = DECAYS[(DECAYS.index(row.decay) + 2) % 5]
    if model in (Model.CUBALIF, Model.CUBALI, Model.SPIKGRU):
        fields |= {"current_decay": _decay("shift" if other == "none" else other, number + 1), "i_bits": v_bits}
        if other == "per neuron":
            fields["alpha"] = rng.integers(60, 240, size)
    if model in (Model.CUBALIF, Model.CUBALI):
        fields["gain"] = Gain.UNIT if row.decay == "none" else list(Gain)[number % 2]  # 1 - beta would be 0
    if model is Model.SPIKGRU:
        fields |= {"gate_table": TABLE if number % 2 else rng.integers(0, 256, 4), "gate_shift": FORMATS[row.form][1] // 2 + number % 3,
                   "gate_bias": rng.integers(-20, 40, size)}
    if model is Model.ALIF:
        fields |= {"adaptation_decay": _decay("shift" if other == "none" else other, number), "a_bits": v_bits - 1, "jump": rng.integers(0, 60, size)}
    if model in VALUES:
        fields["readout"] = (Readout.LAST, Readout.SUM, Readout.MAX)[number % 3]
    else:
        fields["theta"] = rng.integers(20, 20 + largest // 4, size)
        fields["bias"][0] = 9
        fields["theta"][0] = 1 if fields.get("gain") is Gain.COMPLEMENT else 16
        if model is not Model.ALIF:
            fields["max_spikes"] = (1, 3, 1, 7, 1)[number % 5]
        fields |= {0: {"refractory": 2}, 1: {"refractory": 3, "refractory_mode": Refractory.INTEGRATE}, 2: {"inhibition": 2}}.get(number % 6, {})
        fields["output"] = number % 4 != 3
        fields["readout"] = (Readout.COUNT, Readout.NONE, Readout.FIRST, Readout.NONE)[number % 4]
    if number % 7 == 4:
        fields["v_floor"] = -60
        fields["v_init"] = abs(fields["v_init"])
    return Population(name=row.name(number), size=size, model=model, reset=row.reset, rounding=row.rounding, v_bits=v_bits, **fields)


def _projection(source: str, target: str, shape: tuple[int, int], form: str, rng: np.random.Generator, **fields) -> Projection:
    """Random weights, of most neurons mostly of one sign, so that some v rise and some fall until they saturate."""
    how = dict(FORMATS[form][0])
    if how.get("kind") is Kind.SPARSE and fields.get("port", Port.CURRENT) is not Port.CURRENT:
        how = {"weight_bits": 5}
    if "codebook" in how:
        values = np.array(how["codebook"])
    else:
        values = np.array((-1, 1)) if how["weight_bits"] == 1 else np.arange(-(1 << how["weight_bits"] - 1), 1 << how["weight_bits"] - 1)
    up = rng.choice((0.15, 0.6, 0.7, 0.85), (shape[0], 1))
    up[0] = 1.0  # neuron 0 of each population fires
    weights = np.where(rng.random(shape) < up, rng.choice(values[values > 0], shape), rng.choice(values[values <= 0], shape))
    if how.get("kind") is Kind.SPARSE:
        weights[1:] *= rng.random((shape[0] - 1, shape[1])) < 0.5
    return Projection(source=source, target=target, weights=weights, **how, **fields)


def network(name: str, listed: Sequence[Row], payload: str = "unit", seed: int = 1, channels: int = 7) -> Network:
    """An input, and a population per row that it drives; some drive the next one too, and some themselves."""
    rng = np.random.default_rng(seed)
    low, high = INPUTS[payload]
    populations = [Population(name="x", size=channels, model=Model.INPUT, payload_min=low, payload_max=high)]
    projections: list[Projection] = []
    for number, row in enumerate(listed):
        population = _population(row, number, rng)
        before = populations[-1]

        def add(source: Population, target: Population = population, form: str = row.form, **fields) -> None:
            projections.append(_projection(source.name, target.name, (target.size, source.size), form, rng, **fields))

        add(populations[0], delay=row.delay)
        if number % 3 == 1 and before.spikes and before.max_spikes == 1:
            add(before, delay=number % 2)
        if number % 3 == 2 and population.spikes and population.max_spikes == 1:
            add(population, delay=1)
        if population.has_gate:
            add(populations[0], port=Port.GATE, delay=row.delay)
        elif population.inhibition:
            add(populations[0], port=Port.BLOCK, delay=row.delay)
        populations.append(population)
    return Network(name=name, populations=tuple(populations), projections=tuple(projections))


def clips(net: Network, n_clips: int, n_steps: int, seed: int = 1) -> np.ndarray:
    """``[N, T, C]``: dense and thin stretches of events, and silence."""
    rng = np.random.default_rng(seed)
    x = net.inputs[0]
    density, power = (np.repeat(rng.choice(choices, (n_clips, -(-n_steps // 8))), 8, axis=1)[:, :n_steps, None]
                      for choices in ((0.0, 0.1, 0.3, 0.6), (0.3, 0.3, 1.0, 2.0)))
    # Payloads of a stretch tend to one end of their range.
    payloads = x.payload_min + np.floor((x.payload_max - x.payload_min + 1) * rng.random((n_clips, n_steps, x.size)) ** power).astype(np.int64)
    return payloads * (rng.random((n_clips, n_steps, x.size)) < density)
