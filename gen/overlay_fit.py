"""A network on the tiles of an overlay: which slice goes where, and the plan of what is then loaded; or why it does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..spec.chip import ChipSpec, GroupSpec, InputSpec, TileSpec
from ..spec.errors import CapacityError
from ..spec.network import Model, Network
from .keys import Keys, assign_keys
from .lists import list_axons
from .overlay_need import Need, check_supported, need_of
from .partition import Partition, TilePart
from .place import place
from .plan import parameter_fields, plan_entries, plan_outputs
from .route import route
from .schedule import Schedule, schedule
from .slices import Slice
from .storage import choose_storage
from .updates import update_of

__all__ = ["Loaded", "fit"]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A network as an overlay holds it.

    Parameters
    ----------
    network : with all projections dense; it computes the same as the one given.
    chip : its plan: the tiles that are used, with the widths and lanes that the overlay's have. The cycle model's, and the golden check's.
    places : the overlay's tile for each of them, ascending.
    """

    network: Network
    chip: ChipSpec
    places: tuple[int, ...]


def fit(overlay: ChipSpec, network: Network) -> Loaded:
    """Plan a network for an overlay.

    Raises CapacityError if the network does not fit, and says for every bound what is needed and what is available.
    """
    assert overlay.capacity is not None, "only an overlay is loaded"
    check_supported(network)
    network, _ = choose_storage(network, lanes=None, tiles=None, storage="dense")
    timing = schedule(network)
    _check_whole(overlay, network, timing)
    slices, needs, tiles = _assigned(overlay, network, timing)
    order = sorted(range(len(slices)), key=lambda k: tiles[k])
    capacity = overlay.capacity.tiles
    parts = tuple(TilePart(lanes=capacity[tiles[k]].lanes, update_lanes=capacity[tiles[k]].update_lanes, slices=(slices[k],)) for k in order)
    keys = assign_keys(network, Partition(tiles=parts))
    woven = route(keys, place(keys, len(parts), "star"))
    places = tuple(tiles[k] for k in order)
    specs = tuple(_tile(overlay.tiles[where], network, keys, timing, part, t) for t, (part, where) in enumerate(zip(parts, places, strict=True)))
    number = {k.population: n for n, k in enumerate(keys.specs) if k.origin.kind == "host"}
    inputs = tuple(InputSpec(population=p.name, size=p.size, key=number.get(p.name), payload_min=p.payload_min, payload_max=p.payload_max)
                   for p in network.inputs)
    chip = replace(overlay, network_digest=network.digest, period=timing.period, tiles=specs, keys=keys.specs, inputs=inputs, fabric=woven,
                   outputs=plan_outputs(network, keys, timing), capacity=None)
    return Loaded(network=network, chip=chip, places=places)


def _tile(tile: TileSpec, network: Network, keys: Keys, timing: Schedule, part: TilePart, number: int) -> TileSpec:
    """The overlay's tile as far as a slice uses it: its widths, and the slice's shape."""
    (s,) = part.slices
    p = network.population(s.population)
    group = GroupSpec(population=p.name, first=s.first, size=s.size, key=keys.find(s), level=timing.level[p.name],
                      axons=list_axons(network, p.name)[0], update=update_of(network, p))
    return replace(tile, groups=(group,), entries=plan_entries(network, keys, part, number), weight_words=None, loadable=False,
                   parameters=parameter_fields([p], [slice(s.first, s.first + s.size)], constants=False))


def _check_whole(overlay: ChipSpec, network: Network, timing: Schedule) -> None:
    """What concerns no single tile."""
    capacity = overlay.capacity
    assert capacity is not None
    populations = [p for p in network.populations if p.model is not Model.INPUT]
    bounds = [("tiles (a population each)", len(populations), len(capacity.tiles)), ("inputs", len(network.inputs), len(capacity.inputs)),
              ("output populations", len(network.outputs), capacity.outputs),
              ("neurons of an output", max(p.size for p in network.outputs), capacity.output_size),
              ("readout values", sum(p.n_readouts for p in network.outputs if p.readout.value != "none"), capacity.readouts),
              ("levels", max(timing.level.values()), capacity.levels), ("phases per timestep", timing.period, capacity.period)]
    bounds += [(f"neurons of input {k}", p.size, i.size) for k, (p, i) in enumerate(zip(network.inputs, capacity.inputs))]
    reasons = [f"{need} {what} needed and {there} available" for what, need, there in bounds if need > there]
    reasons += [f"payloads {p.payload_min}..{p.payload_max} of input {k} needed and {i.payload_min}..{i.payload_max} available"
                for k, (p, i) in enumerate(zip(network.inputs, capacity.inputs)) if p.payload_min < i.payload_min or p.payload_max > i.payload_max]
    if reasons:
        raise CapacityError(_refusal(network, reasons))


def _assigned(overlay: ChipSpec, network: Network, timing: Schedule) -> tuple[list[Slice], list[Need], list[int]]:
    """Slices and the tile of each: one population per tile, and one that is too large for any is cut into as few slices as fit."""
    assert overlay.capacity is not None
    capacity = overlay.capacity.tiles
    slices: list[Slice] = []
    needs: list[Need] = []
    reasons = []
    for p in (p for p in network.populations if p.model is not Model.INPUT):
        cuts = (_cut(p.name, p.size, n) for n in range(1, min(len(capacity), p.size) + 1))
        pieces = next((cut for cut in cuts if all(_holders(capacity, need_of(network, timing, s)) for s in cut)), None)
        if pieces is None:
            reasons.append(f"population {p.name!r}: {_nearest(capacity, need_of(network, timing, Slice(population=p.name, first=0, size=p.size)))}")
            continue
        slices += pieces
        needs += [need_of(network, timing, s) for s in pieces]
    if reasons:
        raise CapacityError(_refusal(network, reasons))
    tiles = _matched([_holders(capacity, need) for need in needs])
    left = [s for s, t in zip(slices, tiles) if t is None]
    if left:
        raise CapacityError(_refusal(network, [f"each of its {len(slices)} slices fits some of the {len(capacity)} tiles, but not all at once: "
                                               f"none is left for {', '.join(f'{s.population}[{s.first}:{s.first + s.size}]' for s in left)}"]))
    return slices, needs, [t for t in tiles if t is not None]


def _cut(population: str, size: int, count: int) -> list[Slice]:
    """Slices of nearly equal size."""
    ends = [size * k // count for k in range(count + 1)]
    return [Slice(population=population, first=a, size=b - a) for a, b in zip(ends, ends[1:])]


def _holders(capacity: Sequence, need: Need) -> list[int]:
    return [k for k, tile in enumerate(capacity) if not need.lacks(tile)]


def _nearest(capacity: Sequence, need: Need) -> str:
    """What the tile lacks that lacks least."""
    lacks = [need.lacks(tile) for tile in capacity]
    best = min(range(len(capacity)), key=lambda k: (len(lacks[k]), need.shortage(capacity[k]), k))
    return f"no tile has room; on tile {best}, the nearest, {', '.join(lacks[best])}"


def _matched(choices: list[list[int]]) -> list[int | None]:
    """A tile for each slice, each tile once, as many as can be: augmenting paths (Kuhn); deterministic."""
    owner: dict[int, int] = {}

    def moved(slice_number: int, seen: set[int]) -> bool:
        for tile in choices[slice_number]:
            if tile not in seen:
                seen.add(tile)
                if tile not in owner or moved(owner[tile], seen):
                    owner[tile] = slice_number
                    return True
        return False

    for number in range(len(choices)):
        moved(number, set())
    found = {number: tile for tile, number in owner.items()}
    return [found.get(number) for number in range(len(choices))]


def _refusal(network: Network, reasons: Sequence[str]) -> str:
    return (f"Network {network.name!r} does not fit the overlay: {'; '.join(reasons)}. Build an overlay with more (--capacity, --also), "
            "or a chip of its own for it")
