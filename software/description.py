"""What a network is made of, when it works, and how it is stored: for `spikeloom info`, and for programs."""

from __future__ import annotations

from typing import Any

from ..gen.period import PeriodReason, period_reason
from ..gen.schedule import schedule, slots_of
from ..gen.storage import StorageChoice, storage_of
from ..spec.errors import CapacityError
from ..spec.network import Model, Network, Projection

__all__ = ["Description", "describe", "neurons", "shared_bits", "weight_bits", "weight_format"]


class Description:
    """A network, its schedule and its storage.

    Members
    -------
    network, reason : the network, and why it has its period.
    levels : phase of the first timestep of each population, by name.
    slots : timesteps of events that a tile of a population holds, by name; none of inputs.
    storage : how each projection is stored on tiles of 16 lanes (fewer where a population is smaller), or None where no tile holds the network.
    obstacle : why there is no storage, or empty.
    """

    def __init__(self, network: Network) -> None:
        timing = schedule(network)
        self.network: Network = network
        self.reason: PeriodReason = period_reason(network)
        self.levels: dict[str, int] = dict(timing.level)
        self.slots: dict[str, int] = {p.name: slots_of(network, timing, [p.name]) for p in network.populations if p.model is not Model.INPUT}
        self.storage: tuple[StorageChoice, ...] | None = None
        self.obstacle: str = ""
        try:
            self.storage = storage_of(network)
        except CapacityError as error:
            self.obstacle = str(error)


def weight_format(p: Projection) -> str:
    """The format of a projection's weights, in words."""
    if p.codebook is None:
        return f"{p.weight_bits} bits"
    if p.codebook == (-1, 1):
        return "1 bit, -1 or 1"
    return f"{p.weight_bits} bit{'s' * (p.weight_bits > 1)} for {' '.join(map(str, p.codebook))}"


def describe(network: Network) -> dict[str, Any]:
    """All of it as JSON values.

    Populations and projections are as in the file's header (arrays left out), with ``level`` and ``slots`` of the one, and ``format``, ``synapses``,
    ``existing``, ``dense_bits``, ``sparse_bits`` and ``break_even`` of the other; None where something cannot be said.
    """
    d = Description(network)
    populations = [{**p.header(), "level": d.levels[p.name], "slots": d.slots.get(p.name)} for p in network.populations]
    choices = d.storage or [None] * len(network.projections)
    loop = {"populations": [p.source for p in d.reason.loop], "projections": len(d.reason.loop), "delay": d.reason.delay}
    return {
        "name": network.name, "digest": network.digest, "neurons": neurons(network), "synapses": sum(p.synapses for p in network.projections),
        "weight_bits": weight_bits(network), "shared_bits": shared_bits(network), "period": d.reason.period, "loop": loop if d.reason.loop else None,
        "populations": populations, "projections": [_projection(p, choice) for p, choice in zip(network.projections, choices, strict=True)],
        "metadata": dict(network.metadata)}


def neurons(network: Network) -> int:
    """Neurons with a state: all but the inputs'."""
    return sum(p.size for p in network.populations if p.model is not Model.INPUT)


def weight_bits(network: Network) -> int:
    """Bits of all weights in their own formats, those of a matrix that several projections share once."""
    kept = {p.matrix or k: p for k, p in reversed(list(enumerate(network.projections)))}
    return sum(_bits(p) for p in kept.values())


def shared_bits(network: Network) -> int:
    """Bits that weights would take more if each projection had its own."""
    return sum(_bits(p) for p in network.projections) - weight_bits(network)


def _bits(p: Projection) -> int:
    return (p.weights.size if p.conv is not None else p.synapses) * p.weight_bits  # those of a kernel serve many synapses


def _projection(p: Projection, choice: StorageChoice | None) -> dict[str, Any]:
    held = {"dense_bits": None, "sparse_bits": None, "break_even": None} if choice is None else {
        "dense_bits": choice.dense_bits, "sparse_bits": choice.sparse_bits, "break_even": choice.break_even}
    return {"port": p.port.value, "kind": p.kind.value, "matrix": "", **p.header(), "format": weight_format(p), "synapses": p.weights.size,
            "existing": int((p.weights != 0).sum()), **held}
