"""Size, range and precision of the gate's table, by accuracy of a SpikGRU keyword network: prints the tables of docs/numerics.md, "The gate table".

    python bench/gate_table.py [--weights FILE.npz] [--epochs N]

Trains the network of gate_network.py on ../shared/data/asc (7 minutes of one core) unless FILE (build/bench/gate_network.npz) is there, and needs
torch only for that. Weights become 8 bits (one scale per neuron for i, one per layer for the gate), states 16 bits, and every network runs on the
golden model with the validation split. The same weights serve every table: nothing is trained again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from gate_data import DATA, INPUT_SHIFT, load

from spikeloom.gen.quantize_weights import quantize_weights
from spikeloom.sim.golden import SimulationReport, simulate
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.gate import GATE_BITS, GATE_RANGE, gate_table
from spikeloom.spec.network import Model, Network, Population, Port, Projection, Readout, Reset

ROOT = Path(__file__).resolve().parents[1]
WEIGHT_BITS, STATE_BITS, FRACTION_BITS = 8, 16, 12
HEADROOM = 12.0  # thresholds that i and v hold
INDEX_BITS, RANGES, Z_BITS = tuple(range(2, 11)), (2, 4, 8, 16), tuple(range(2, 9))
FINEST = 11  # index bits with which, over GATE_RANGE, an index is one unit of the gate's sum (of the second layer)
Table = Callable[[int, float], np.ndarray]  # of index bits and the value of one index


def _factors(values: np.ndarray) -> tuple[Decay, np.ndarray]:
    factors = np.rint(np.asarray(values, np.float64) * 2**FRACTION_BITS).astype(np.int64)
    return Decay(factor=int(factors.max()), fraction_bits=FRACTION_BITS), factors


class Quantizer:
    """Integer networks of trained parameters that differ in nothing but the table of the gate.

    The scale of the gate's weights is a power of two, so that a table of any size has the same range in both layers.
    """

    def __init__(self, parameters: dict[str, np.ndarray], payload_bits: int = 8, state_bits: int = STATE_BITS, headroom: float = HEADROOM) -> None:
        self._p = {name: value.astype(np.float64) for name, value in parameters.items()}
        self._layers = sum(name.startswith("alpha") for name in parameters)
        self._payload_bits, self._bits, self._headroom = payload_bits, state_bits, headroom

    def _guard(self, scale: np.ndarray, headroom: float) -> int:
        """The most guard bits with which every neuron's state holds ``headroom``, whose sum has a unit of ``scale``."""
        return min(int(np.floor(np.log2(float(scale.min()) / headroom * 2 ** (self._bits - 1)) + 1e-9)), 12)

    def network(self, bits: int, span: float, table: Table = gate_table) -> Network:
        """With a table of ``2**bits`` entries from -span to span."""
        half = 1 << (self._payload_bits - 1)
        populations = [Population(name="audio", size=self._p["w0"].shape[1], model=Model.INPUT, payload_min=-half, payload_max=half - 1)]
        projections: list[Projection] = []
        for k in range(self._layers):
            fields, more = self._layer(k, populations[-1].name, bits, span, table)
            populations.append(Population(name=f"layer{k}", model=Model.SPIKGRU, reset=Reset.SUBTRACT, **fields))
            projections += more
        q = quantize_weights([self._p["w_out"]], weight_bits=WEIGHT_BITS, per_neuron=False, floor=np.full(len(self._p["w_out"]), 1e-9))
        decay, beta = _factors(self._p["beta_out"])
        guard = self._guard(q.scale, 32.0)  # the readout's o reaches from -26 to 9
        unit = q.scale / 2**guard
        populations.append(Population(name="words", size=len(beta), model=Model.LI, decay=decay, beta=beta, v_bits=self._bits, readout=Readout.MAX,
                                      guard_bits=guard, bias=np.rint(self._p["b_out"] / unit).astype(np.int64)))
        projections.append(Projection(source=populations[-2].name, target="words", weights=q.weights[0]))
        return Network(name="keywords", populations=tuple(populations), projections=tuple(projections))

    def _layer(self, k: int, source: str, bits: int, span: float, table: Table) -> tuple[dict, list[Projection]]:
        w, u, b, alpha = (self._p[f"{name}{k}"] for name in ("w", "u", "b", "alpha"))
        size = len(alpha)
        w = w / 2 ** (INPUT_SHIFT - 8 + self._payload_bits) if k == 0 else w
        floor = np.full(size, self._headroom / 2 ** (self._bits - 1))  # a sum has no unit finer than the state
        i = quantize_weights([w[:size], u[:size]], weight_bits=WEIGHT_BITS, per_neuron=True, floor=floor)
        guard = self._guard(i.scale, self._headroom)
        unit = i.scale / 2**guard
        # Of the gate: the power of two with which the largest weight fits, the input's shifted as the quantizer would.
        z = quantize_weights([w[size:], u[size:]], weight_bits=WEIGHT_BITS, per_neuron=False, floor=floor * 0 + 1e-9)
        z_scale = 2.0 ** np.ceil(np.log2(float(z.scale[0])))
        gates = [np.rint(m / (z_scale * 2**s)).astype(np.int64) for m, s in zip((w[size:], u[size:]), z.shifts, strict=True)]
        step = span / 2 ** (bits - 1)
        shift = round(np.log2(step / z_scale))
        if shift < 0:
            raise ValueError(f"An index worth {step} is finer than one unit of the gate's sum, {z_scale}")
        decay, factors = _factors(alpha)
        fields = {"size": size, "v_bits": self._bits, "i_bits": self._bits, "guard_bits": guard, "current_decay": decay, "alpha": factors,
                  "theta": np.rint(1 / unit).astype(np.int64), "bias": np.rint(b[:size] / unit).astype(np.int64),
                  "gate_bias": np.rint(b[size:] / z_scale).astype(np.int64), "gate_table": table(bits, step), "gate_shift": shift}
        return fields, [Projection(source=name, target=f"layer{k}", weights=m, weight_bits=WEIGHT_BITS, shift=s, port=port, delay=delay)
                        for port, matrices, shifts in ((Port.CURRENT, i.weights, i.shifts), (Port.GATE, gates, z.shifts))
                        for name, m, s, delay in zip((source, f"layer{k}"), matrices, shifts, (0, 1), strict=True)]


def of_z_bits(z_bits: int) -> Table:
    """Entries with fewer bits: ``round(2**z_bits * sigmoid)``, at most 2**z_bits - 1, in units of 2**-z_bits."""
    def table(bits: int, step: float) -> np.ndarray:
        g = np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) * step
        return np.clip(np.rint(2**z_bits / (1 + np.exp(-g))), 0, 2**z_bits - 1).astype(np.int64) << (8 - z_bits)
    return table


def of_line(slope: float) -> Table:
    """The hard sigmoid ``clip(1/2 + slope * a, 0, 1)``."""
    def table(bits: int, step: float) -> np.ndarray:
        g = np.arange(-(1 << (bits - 1)), 1 << (bits - 1)) * step
        return np.clip(np.rint(256 * (0.5 + slope * g)), 0, 255).astype(np.int64)
    return table


def clips_of(split: str, mean: np.ndarray, payload_bits: int = 8) -> Clips:
    """A split as clips, with the training mean of each channel taken off."""
    x, y, _ = load(split, mean, payload_bits)
    return Clips.from_dense(x, labels=y)


def float_accuracy(parameters: dict[str, np.ndarray]) -> float:
    """Fraction right of the validation split in floating point, with the exact sigmoid."""
    p = parameters
    payloads, y, _ = load("val", p["mean"])
    x = payloads.transpose(1, 0, 2) / 2.0**INPUT_SHIFT
    for k in range(sum(name.startswith("alpha") for name in p)):
        size = len(p[f"alpha{k}"])
        i = v = s = np.zeros((x.shape[1], size))
        spikes = []
        for drive in x @ p[f"w{k}"].T + p[f"b{k}"]:
            total = drive + s @ p[f"u{k}"].T
            i, z = p[f"alpha{k}"] * i + total[:, :size], 0.5 + 0.5 * np.tanh(total[:, size:] / 2)
            v = z * v + (1 - z) * i - s
            s = (v >= 1).astype(np.float64)
            spikes.append(s)
        x = np.stack(spikes)
    o, best = np.zeros((x.shape[1], len(p["b_out"]))), np.full((x.shape[1], len(p["b_out"])), -np.inf)
    for drive in x @ p["w_out"].T + p["b_out"]:
        o = p["beta_out"] * o + drive
        best = np.maximum(best, o)
    return float((best.argmax(axis=1) == y).mean())


def parameters_of(path: Path, epochs: int) -> dict[str, np.ndarray]:
    """Trained parameters, from the file or trained into it."""
    if not path.is_file():
        from gate_network import train
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **train(hidden=128, epochs=epochs, seed=1, progress=lambda line: print(line, file=sys.stderr, flush=True)))
    with np.load(path) as data:
        return dict(data)


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=ROOT / "build" / "bench" / "gate_network.npz", help="trained parameters")
    parser.add_argument("--epochs", type=int, default=70, help="of a training")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"needs the recordings' features in {DATA}, which is not there", file=sys.stderr)
        return 2
    parameters = parameters_of(args.weights, args.epochs)
    print(f"float accuracy {100 * float_accuracy(parameters):.2f} %")
    mean = parameters.pop("mean")
    print("Accuracy, and (answers that are those of the same network with the finest table), in per cent")
    for payload_bits, headroom in ((8, HEADROOM), (6, 2.5 * HEADROOM)):
        _print_tables(Quantizer(parameters, payload_bits, STATE_BITS, headroom), clips_of("val", mean, payload_bits))
    _print_states(parameters, mean)
    return 0


def _cell(report: SimulationReport, best: SimulationReport) -> str:
    assert report.accuracy is not None
    return f"{100 * report.accuracy:.2f} ({100 * float(np.mean(report.answers == best.answers)):.1f})"


def _print_tables(quantizer: Quantizer, clips: Clips) -> None:
    """By size and range of the table, by bits of z, and with straight lines for a sigmoid."""
    def run(bits: int, span: float, table: Table = gate_table) -> str:
        try:
            return _cell(simulate(quantizer.network(bits, span, table), clips), best)
        except ValueError:  # an index would be finer than the sum
            return "-"

    best = simulate(quantizer.network(FINEST, GATE_RANGE), clips)
    network = quantizer.network(FINEST, GATE_RANGE)
    rates = ", ".join(f"{best.spikes_per_population[p.name] / clips.n_steps / p.size:.3f}" for p in network.populations if p.spikes)
    print(f"\n{clips.n_clips} clips, {network.populations[0].payload_max.bit_length() + 1} bit payloads; spikes per neuron and timestep {rates}; "
          f"saturations per clip {sum(best.saturations.values()) / clips.n_clips:.1f}\n")
    print("| index bits | " + " | ".join(f"-{r} to {r}" for r in RANGES) + " |\n" + "|---" * (len(RANGES) + 1) + "|")
    for bits in (*INDEX_BITS, FINEST):
        print(f"| {bits} | " + " | ".join(run(bits, float(r)) for r in RANGES) + " |", flush=True)
    print("\n| z bits | " + " | ".join(map(str, Z_BITS)) + " |\n" + "|---" * (len(Z_BITS) + 1) + "|")
    for bits in (GATE_BITS, 10):
        print(f"| {bits} index bits | " + " | ".join(run(bits, GATE_RANGE, of_z_bits(z)) for z in Z_BITS) + " |", flush=True)
    print("\n| hard sigmoid, 10 index bits | accuracy |\n|---|---|")
    for slope in (1 / 4, 1 / 5, 1 / 6):
        print(f"| 1/2 + {slope:.3g} a | {run(10, GATE_RANGE, of_line(slope))} |", flush=True)


def _print_states(parameters: dict[str, np.ndarray], mean: np.ndarray) -> None:
    """By bits of a payload and thresholds that a state of 16 bits holds."""
    headrooms = (8.0, 12.0, 16.0, 32.0)
    print("\n| payload bits | " + " | ".join(f"{h:.0f} thresholds" for h in headrooms) + " | 20 bits, 32 thresholds |\n" + "|---" * 6 + "|")
    best = simulate(Quantizer(parameters, 8, 24, 64.0).network(FINEST, GATE_RANGE), clips_of("val", mean))
    for payload_bits in (8, 7, 6, 5, 4):
        clips = clips_of("val", mean, payload_bits)
        formats = [(STATE_BITS, h) for h in headrooms] + [(20, 32.0)]
        reports = [simulate(Quantizer(parameters, payload_bits, *f).network(FINEST, GATE_RANGE), clips) for f in formats]
        print(f"| {payload_bits} | " + " | ".join(_cell(report, best) for report in reports) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
