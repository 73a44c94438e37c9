"""Random networks for overlays: any graph of plain neurons, with the resets and roundings of the tiles that they are to be loaded into."""

from __future__ import annotations

import numpy as np

from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.capacity import Capacity, InputCapacity, TileCapacity
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset

__all__ = ["RULES", "clip_of", "layered", "looped", "random_network", "small_capacity"]

# Reset and rounding of all tiles of an overlay. Membranes can be read where the reset leaves them alone.
RULES = ((Reset.SUBTRACT, Rounding.NEAREST), (Reset.SUBTRACT_BEFORE_DECAY, Rounding.FLOOR), (Reset.ZERO, Rounding.TOWARD_ZERO),
         (Reset.ZERO_AFTER, Rounding.NEAREST))
_READABLE = (Reset.SUBTRACT, Reset.SUBTRACT_BEFORE_DECAY)


def small_capacity(reset: Reset, rounding: Rounding) -> Capacity:
    """Four tiles of different sizes, two inputs of graded events, two outputs."""
    def tile(neurons: int, axons: int, values: bool) -> TileCapacity:
        return TileCapacity(neurons=neurons, axons=axons, words=neurons // 4 * axons, entries=2, slots=8, lanes=4, update_lanes=2, weight_bits=7,
                            payload_min=-4, payload_max=5, v_bits=14, shift=6, values=values, reset=reset, rounding=rounding)

    values = reset in _READABLE
    return Capacity(tiles=(tile(12, 26, False), tile(8, 20, values), tile(8, 26, False), tile(8, 14, values)), outputs=2, output_size=16, readouts=20,
                    inputs=(InputCapacity(size=9, payload_min=-4, payload_max=5), InputCapacity(size=4, payload_min=-4, payload_max=5)),
                    levels=8, period=3)


def _decay(rng: np.random.Generator) -> Decay:
    bits = int(rng.integers(1, 13))
    return Decay() if rng.random() < 0.2 else Decay(factor=int(rng.integers(0, (1 << bits) + 1)), fraction_bits=bits)


def random_network(rng: np.random.Generator, reset: Reset, rounding: Rounding) -> Network:
    """One to three populations of 1 to 14 neurons, one or two inputs; one that is larger than the widest tile is cut."""
    n_inputs, n = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    sizes = [[9, 4][k] - int(rng.integers(0, 3)) for k in range(n_inputs)]
    ranges = [(1, 1), (-1, 1), (1, 5), (-4, 3)]
    populations = []
    for k, size in enumerate(sizes):
        low, high = ranges[rng.integers(len(ranges))]
        populations.append(Population(name=f"x{k}", size=size, model=Model.INPUT, payload_min=low, payload_max=high))
    reads = reset in _READABLE and rng.random() < 0.6
    for k in range(n):
        last, v_bits = k == n - 1, int(rng.integers(6, 15))
        size = int(rng.integers(1, 9)) if last or rng.random() < 0.7 else int(rng.integers(9, 15))
        top = (1 << (v_bits - 1)) - 1
        bias = rng.integers(-min(9, top), min(9, top) + 1, size)
        common = {"name": f"p{k}", "size": size, "v_bits": v_bits, "guard_bits": int(rng.integers(0, 4)), "bias": bias, "rounding": rounding}
        decay = _decay(rng)
        if decay.factor is not None and decay.fraction_bits is not None and rng.random() < 0.5:
            common["beta"] = rng.integers(0, (1 << decay.fraction_bits) + 1, size)
        if last and reads:
            populations.append(Population(**common, model=Model.LI, decay=decay,
                                          readout=(Readout.SUM, Readout.MAX, Readout.LAST)[rng.integers(3)]))
            continue
        readout = (Readout.COUNT, Readout.FIRST, Readout.NONE)[rng.integers(3)] if last else Readout.NONE
        populations.append(Population(**common, model=Model.LIF if decay.factor is not None else Model.IF, decay=decay, reset=reset,
                                      theta=rng.integers(1, min(top, 120) + 1, size), readout=readout,
                                      output=last or (k == 0 and rng.random() < 0.3)))
    own = populations[n_inputs:]
    links = [(populations[rng.integers(n_inputs)], own[0], 0)]
    links += [(a, b, 0) for a, b in zip(own, own[1:])]
    if n_inputs > 1:
        links.append((populations[1], own[rng.integers(n)], int(rng.integers(0, 3))))
    if own[-1].model is not Model.LI and rng.random() < 0.5:
        links.append((own[-1], own[0], int(rng.integers(1, 4))))
    if rng.random() < 0.3:
        links.append((links[0][0], own[0], int(rng.integers(1, 4))))
    heard = {id(own[0]): links[0][0].size}
    kept = []
    for source, target, delay in links:  # no more axons than a tile has
        used = heard.get(id(target), 0) if (source, target, delay) != links[0] else 0
        if used + source.size <= 20 or (source, target) in zip(own, own[1:]):
            heard[id(target)] = used + source.size
            kept.append((source, target, delay))
    projections = tuple(Projection(source=s.name, target=t.name, delay=d, weights=rng.integers(-12, 16, (t.size, s.size)), weight_bits=5,
                                   shift=int(rng.integers(0, 3))) for s, t, d in kept)
    return Network(name="random", populations=tuple(populations), projections=projections)


def layered(name: str, sizes: tuple[int, ...], seed: int, *, payload: int = 1, readout: Readout = Readout.COUNT) -> Network:
    """A chain of LIF layers, the last read as a count or (LI) as a value."""
    rng = np.random.default_rng(seed)
    populations = [Population(name="x", size=sizes[0], model=Model.INPUT, payload_min=1, payload_max=payload)]
    for k, size in enumerate(sizes[1:]):
        last = k == len(sizes) - 2
        common = {"name": f"p{k}", "size": size, "decay": Decay(factor=int(rng.integers(180, 250)), fraction_bits=8), "v_bits": 14, "guard_bits": 1}
        if last and readout in (Readout.SUM, Readout.LAST, Readout.MAX):
            populations.append(Population(**common, model=Model.LI, readout=readout))
        else:
            populations.append(Population(**common, model=Model.LIF, theta=rng.integers(12, 60, size), bias=rng.integers(-4, 9, size),
                                          reset=Reset.SUBTRACT, readout=readout if last else Readout.NONE))
    names = [p.name for p in populations]
    projections = [Projection(source=a, target=b, weights=rng.integers(-22, 28 if s < 20 else 21, (t, s)), weight_bits=6)
                   for a, b, s, t in zip(names, names[1:], sizes, sizes[1:])]
    return Network(name=name, populations=tuple(populations), projections=tuple(projections))


def looped() -> Network:
    """Two inputs, a loop of two populations, of which one is counted, and a population whose largest membranes are read: each setting matters."""
    rng = np.random.default_rng(4)
    common = {"model": Model.LIF, "decay": Decay(factor=200, fraction_bits=8), "v_bits": 12, "guard_bits": 1, "reset": Reset.SUBTRACT}
    populations = (
        Population(name="x", size=6, model=Model.INPUT), Population(name="y", size=3, model=Model.INPUT, payload_min=-2, payload_max=3),
        Population(name="p0", size=9, **common, theta=rng.integers(15, 60, 9), readout=Readout.COUNT),
        Population(name="p1", size=7, **common, theta=rng.integers(15, 40, 7)),
        Population(name="p2", size=4, model=Model.LI, decay=Decay(factor=15, fraction_bits=4), v_bits=11, bias=-60, guard_bits=2,
                   readout=Readout.MAX))
    links = (("x", "p0", 0), ("y", "p0", 0), ("p0", "p1", 0), ("p1", "p0", 1), ("p1", "p2", 0))
    sizes = {p.name: p.size for p in populations}
    return Network(name="looped", populations=populations, projections=tuple(
        Projection(source=s, target=t, delay=d, weights=rng.integers(*((-9, 30) if t != "p2" else (-16, 2)), (sizes[t], sizes[s])), weight_bits=6,
                   shift=int(s == "y")) for s, t, d in links))


def clip_of(network: Network, steps: int, seed: int, density: float = 0.35) -> np.ndarray:
    """Random payloads ``[T, C]``, 0 where there is no event."""
    rng = np.random.default_rng(seed)
    payloads = np.concatenate([rng.integers(p.payload_min, p.payload_max + 1, (steps, p.size)) for p in network.inputs], axis=1)
    return payloads * (rng.random(payloads.shape) < density)
