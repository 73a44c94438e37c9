"""The golden model against the printed equations in float64: prints the tables of docs/numerics.md, "Against the printed equations".

    python bench/float_agreement.py

Random recurrent layers (40 inputs, 64 neurons, 20 clips of 100 timesteps, fixed seeds) of tests/float_models.py. Running freely, a recurrent layer
goes its own way after the first spike that differs; so each decision is also compared with the same past on both sides.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from float_layers import GATE_STEP, MODELS, STEP, Agreement, agreement, clips_for, random_layer, tabulated, to_network
from float_models import FloatLayer

STATE_BITS = (8, 10, 12, 16, 20, 24)
WEIGHT_BITS = tuple(range(2, 9))


def _cell(found: Agreement) -> str:
    return f"{100 * found.forced:.3f}, {100 * found.free:.1f}, {100 * found.clips:.0f}" + (f" ({found.saturations:.1f})" if found.saturations else "")


def _table(head: str, columns: tuple[int, ...], rows: dict[str, list[str]]) -> None:
    print(f"| {head} | " + " | ".join(map(str, columns)) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()


def state_rows() -> dict[str, list[str]]:
    """Weights, biases and decays are exact in integers, so that only the rounding of the state differs."""
    rows = {}
    for name in MODELS:
        layer = random_layer(name, seed=1)
        x = clips_for(layer, seed=2)
        networks = [to_network(layer, v_bits=bits, step=STEP, gate_step=GATE_STEP) for bits in STATE_BITS]
        layers: dict[str, FloatLayer] = {name: layer}
        if layer.model == "spikgru":
            layers = {f"{name}, sigmoid": layer, f"{name}, z of the table": tabulated(layer, networks[0])}
        for label, reference in layers.items():
            rows[label] = [_cell(agreement(network, reference, x)) for network in networks]
    return rows


def weight_rows() -> dict[str, list[str]]:
    """Weights are any numbers, rounded with one scale per layer; states of 16 bits."""
    rows = {}
    for name in MODELS:
        layer = random_layer(name, seed=1, exact=False)
        x = clips_for(layer, seed=2)
        rows[name] = [_cell(agreement(to_network(layer, v_bits=16, weight_bits=bits), layer, x)) for bits in WEIGHT_BITS]
    return rows


def main() -> None:
    """Prints both tables."""
    print("In per cent: neuron-steps equal with the same past, neuron-steps equal, clips wholly equal (saturations per clip)\n")
    _table("state bits", STATE_BITS, state_rows())
    _table("weight bits", WEIGHT_BITS, weight_rows())


if __name__ == "__main__":
    main()
