"""Clips per second of the golden model on a 20-256-256-256-35 LIF network of 8 bit weights.

Runs the NeuroBench keyword network and clips where ../shared/truth has them (weights rounded here, one scale per neuron), else
random weights and events of the same density. Other programs on the machine make the first number smaller (run
it alone); clips per CPU second, over all threads, suffers less.

    python bench/golden_speed.py [clips] [threads] [batch]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from spikeloom.sim.golden import simulate
from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.clips import Clips
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

TRUTH = Path(__file__).resolve().parents[2] / "shared" / "truth" / "neurobench"
SIZES = (20, 256, 256, 256, 35)
GUARD_BITS = 4


def network_of(layers: list[tuple[np.ndarray, np.ndarray]]) -> Network:
    """A chain of LIF layers (beta 230/256, reset by subtraction) of float weights ``[post, pre]`` and biases, at 8 bits."""
    populations = [Population(name="audio", size=layers[0][0].shape[1], model=Model.INPUT, payload_min=-1, payload_max=1)]
    projections = []
    for i, (weights, bias) in enumerate(layers):
        scale = 127 / np.abs(weights).max(axis=1)  # integer weight per unit of weight, per neuron
        unit = scale * (1 << GUARD_BITS)
        populations.append(Population(
            name=f"layer{i}", size=len(weights), model=Model.LIF, decay=Decay(factor=230, fraction_bits=8), reset=Reset.SUBTRACT,
            theta=np.floor(unit).astype(np.int64) + 1, bias=np.rint(bias * unit).astype(np.int64), v_bits=20, guard_bits=GUARD_BITS,
            readout=Readout.COUNT if i == len(layers) - 1 else Readout.NONE))
        projections.append(Projection(source=populations[-2].name, target=f"layer{i}",
                                      weights=np.rint(weights * scale[:, None]).astype(np.int64)))
    return Network(name="keywords", populations=tuple(populations), projections=tuple(projections))


def published() -> tuple[Network, Clips]:
    """The NeuroBench network and its 3,764 clips."""
    with np.load(TRUTH / "neurobench_gsc_lif.npz") as w:
        network = network_of([(w[f"w{i}"], w[f"b{i}"]) for i in range(4)])
    with np.load(TRUTH / "gsc_test_events.npz") as e:
        n, t, c = (int(k) for k in e["shape"])
        order = np.lexsort((e["channel"], e["step"], e["clip"]))
        clip, step, channel = (e[name][order].astype(np.int32) for name in ("clip", "step", "channel"))
        clips = Clips(n_clips=n, n_steps=t, n_channels=c, clip=clip, step=step, channel=channel,
                      payload=e["sign"][order].astype(np.int16), labels=e["label"].astype(np.int64))
    return network, clips


def invented() -> tuple[Network, Clips]:
    """Random weights that keep every layer at some 10 % activity, and 1,000 random clips."""
    rng = np.random.default_rng(1)
    shapes = zip(SIZES, SIZES[1:], strict=False)
    layers = [(rng.normal(0.02, 0.15, (post, pre)), rng.normal(0.05, 0.05, post)) for pre, post in shapes]
    x = rng.integers(-1, 2, (1000, 200, SIZES[0])) * (rng.random((1000, 200, SIZES[0])) < 0.2)
    return network_of(layers), Clips.from_dense(x)


def main(limit: int = 1000, threads: int = 2, batch: int | None = None) -> None:
    """Print one line per run; the best of three counts."""
    network, clips = published() if TRUTH.exists() else invented()
    simulate(network, clips, limit=64)
    for _ in range(3):
        begin = time.process_time()
        report = simulate(network, clips, limit=limit, threads=threads, batch=batch)
        cpu = time.process_time() - begin
        accuracy = "no labels" if report.accuracy is None else f"accuracy {report.accuracy:.4f}"
        spikes = " ".join(f"{name} {mean:.0f}" for name, mean in report.spikes_per_population.items())
        print(f"{report.clips_per_second:.0f} clips/s, {report.clips / cpu:.0f} per CPU second, {report.clips} clips, "
              f"{threads} threads, {accuracy}, {report.sops} SOPs, "
              f"{sum(report.saturations.values())} saturations, events per clip: {spikes}")


if __name__ == "__main__":
    main(*(int(a) for a in sys.argv[1:]))
