"""Direct encoding computed once: a picture that comes in every timestep, given in the first alone to neurons that hold their current."""

from __future__ import annotations

from dataclasses import replace

from ..spec.arithmetic import bits_signed
from ..spec.errors import NetworkError
from ..spec.network import Network, Port

__all__ = ["hold_current"]


def hold_current(network: Network, name: str) -> Network:
    """The same network, but that population ``name`` holds its current (docs/numerics.md, Activations), in as many bits as no picture can exceed.

    Where the events of all timesteps were those of a picture, the same ones at t = 0 alone give every neuron the same potentials: the synaptic sum,
    which was computed anew in each timestep, is kept.

    Raises NetworkError where ``name`` is driven by anything but inputs without delay, or its model cannot hold a current.
    """
    p = network.population(name)
    low, high = 0, 0
    for q in network.incoming(name):
        source = network.population(q.source)
        if source not in network.inputs or q.delay or q.port is not Port.CURRENT:
            raise NetworkError(f"Population {name!r} can hold the current of a picture where inputs alone drive it, without delay, at port 'i'; "
                               f"{q.source} -> {q.target} with delay {q.delay} at port {q.port.value!r} is another projection")
        lows, highs = q.sum_bounds(source.payload_range)
        low, high = low + (int(lows.min()) << q.shift), high + (int(highs.max()) << q.shift)
    held = replace(p, held=True, i_bits=max(bits_signed(low << p.guard_bits, high << p.guard_bits), 2))
    return replace(network, populations=tuple(held if other is p else other for other in network.populations))
