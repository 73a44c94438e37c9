"""Picture of a chip: its tiles in the order in which a timestep reaches them, what they hold, and who sends events to whom. SVG."""

from __future__ import annotations

from ..spec.chip import ChipSpec, Endpoint

__all__ = ["chip_picture"]

_COLUMN, _ROW, _BOX, _GAP = 230, 150, 160, 40
_HOST = ' class="host"'
_STYLE = ("rect{fill:#fff;stroke:#30415d;stroke-width:1.5}.host{fill:#e8eefc}text{text-anchor:middle;fill:#1c2636}.small{font-size:11px;fill:#44536b}"
          ".bar{fill:#8fb3e8;stroke:none}.rest{fill:#e4eaf4;stroke:none}path{fill:none;stroke:#30415d;stroke-width:1.5;marker-end:url(#head)}")


def _text(x: float, y: float, text: str, small: bool = False) -> str:
    return f'<text x="{x:g}" y="{y:g}"{" class=" + chr(34) + "small" + chr(34) if small else ""}>{text}</text>'


def chip_picture(chip: ChipSpec) -> str:
    """Text of an SVG file, the same for the same plan. Each tile's bar is the share of its weight memory among all tiles'."""
    # Columns by level: the host at the left, then each tile under the first phase in which it works.
    columns: dict[int, list[int]] = {}
    for index, tile in enumerate(chip.tiles):
        columns.setdefault(min(g.level for g in tile.groups), []).append(index)
    places: dict[Endpoint, tuple[float, float]] = {Endpoint("host"): (_GAP, _GAP)}
    for column, level in enumerate(sorted(columns), start=1):
        for row, index in enumerate(columns[level]):
            places[Endpoint("tile", index)] = (_GAP + column * _COLUMN, _GAP + row * _ROW)
    height = _GAP * 2 + max(len(c) for c in columns.values()) * _ROW
    width = _GAP + (len(columns) + 1) * _COLUMN
    bits = [tile.weight_depth * tile.lanes * tile.weight_bits for tile in chip.tiles]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, sans-serif" font-size="13">',
           f"<style>{_STYLE}</style>",
           '<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0,0 L9,4 L0,8 z" '
           'style="fill:#30415d;stroke:none;marker-end:none"/></marker></defs>',
           f'<rect x="0" y="0" width="{width}" height="{height}" style="fill:#f7f9fc;stroke:none"/>']
    for (kind, index, _), (x, y) in places.items():
        out.append(f'<rect x="{x:g}" y="{y:g}" width="{_BOX}" height="100" rx="6"{_HOST if kind == "host" else ""}/>')
        middle = x + _BOX / 2
        if kind == "host":
            names = [f"{i.population} ({i.size})" for i in chip.inputs] + [f"{o.population} out" for o in chip.outputs]
            out += [_text(middle, y + 22, "host port")] + [_text(middle, y + 42 + 15 * k, n, True) for k, n in enumerate(names[:4])]
            continue
        tile = chip.tiles[index]
        out.append(_text(middle, y + 20, f"tile {index}: {tile.lanes} lanes"))
        groups = [f"{g.population} {g.first}..{g.neurons[-1]}" for g in tile.groups]
        shown = groups if len(groups) <= 3 else [*groups[:2], f"and {len(groups) - 2} more"]
        out += [_text(middle, y + 38 + 14 * k, name, True) for k, name in enumerate(shown)]
        share = bits[index] / max(sum(bits), 1)
        out += [f'<rect class="rest" x="{x + 12:g}" y="{y + 76:g}" width="{_BOX - 24}" height="5"/>',
                f'<rect class="bar" x="{x + 12:g}" y="{y + 76:g}" width="{(_BOX - 24) * share:.1f}" height="5"/>',
                _text(middle, y + 95, f"{bits[index] / 1000:,.1f} kbit of weights", True)]
    for source, target in _links(chip):
        (x, y), (u, v) = places[source], places[target]
        if source == target:
            out.append(f'<path d="M{x + 50:g},{y:g} C{x + 50:g},{y - 28:g} {x + 110:g},{y - 28:g} {x + 110:g},{y:g}"/>')
        elif u > x:
            out.append(f'<path d="M{x + _BOX:g},{y + 44:g} C{x + _BOX + 35:g},{y + 44:g} {u - 35:g},{v + 44:g} {u:g},{v + 44:g}"/>')
        elif u == x:  # within a column: a bow at its right
            bow = x + _BOX + 24 + abs(v - y) / 12
            out.append(f'<path d="M{x + _BOX:g},{y + 62:g} C{bow:g},{y + 62:g} {bow:g},{v + 76:g} {x + _BOX:g},{v + 76:g}"/>')
        else:  # backwards: below the boxes
            low = max(y, v) + 100 + 28
            middle, end = x + _BOX / 2, u + _BOX / 2 + 12
            out.append(f'<path d="M{middle:g},{y + 100:g} C{middle:g},{low:g} {end:g},{low:g} {end:g},{v + 100:g}"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def _links(chip: ChipSpec) -> list[tuple[Endpoint, Endpoint]]:
    """Who sends events to whom, whatever routers lie between."""
    links = [(spec.origin, Endpoint("tile", index)) for index, tile in enumerate(chip.tiles)
             for key, spec in enumerate(chip.keys) if key in tile.entries]
    links += [(chip.keys[key].origin, Endpoint("host")) for output in chip.outputs for key in output.keys]
    return sorted(set(links))
