"""Orders in a NIR graph: of the linear nodes between neurons, and which edges of a cycle of populations lead back."""

from __future__ import annotations

from collections.abc import Container, Iterable

from .nir_flat import FlatGraph

__all__ = ["back_edges", "order"]


def order(flat: FlatGraph, names: list[str]) -> list[str]:
    """Nodes ``names`` so that each comes after those it depends on; FileFormatError where they feed themselves without a neuron between."""
    inside = set(names)
    missing = {n: sum(m in inside for m in flat.before(n)) for n in names}
    ready, found = [n for n in names if not missing[n]], []
    while ready:
        n = ready.pop()
        found.append(n)
        for m in flat.after(n):
            if m in inside:
                missing[m] -= 1
                if not missing[m]:
                    ready.append(m)
    if len(found) != len(names):
        stuck = next(n for n in names if missing[n])
        raise flat.error(stuck, "feeds itself through nodes without a neuron among them: such a loop is a filter, which spikes cannot compute. "
                                "Put a neuron into the loop, or remove the edge.")
    return found


def back_edges(names: list[str], edges: Iterable[tuple[str, str]], targets: Container[str]) -> set[tuple[str, str]]:
    """Edges that close a cycle, met by depth-first search in the order of ``names`` (inputs first); without them there is none."""
    after: dict[str, list[str]] = {}
    for a, b in edges:
        if b in targets:
            after.setdefault(a, []).append(b)
    found: set[tuple[str, str]] = set()
    state: dict[str, int] = {}  # 1: on the way, 2: done
    for start in names:
        if start in state:
            continue
        stack = [(start, iter(after.get(start, ())))]
        state[start] = 1
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif state.get(following) == 1:
                found.add((name, following))
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(after.get(following, ()))))
    return found
