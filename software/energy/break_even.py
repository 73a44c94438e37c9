"""How often neurons may fire before an ANN takes less energy: the thesis' Table 3.3, and figure 4.8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .constants import NM65, Constants
from .feedforward import ann_eyeriss, ann_naive, ann_reuse, ann_reuse_sparse, if_inst
from .recurrent import light_gru_naive, light_gru_reuse, light_gru_reuse_sparse, spikgru

__all__ = ["break_even", "feedforward_table", "recurrent_table"]


def break_even(snn: Callable[[float], float], ann: float) -> float:
    """The activity s at which ``snn(s)``, which is a line, equals ``ann``."""
    at_rest = snn(0.0)
    return (ann - at_rest) / (snn(1.0) - at_rest)


def feedforward_table(constants: Constants = NM65) -> dict[str, float]:
    """Spikes per synapse and inference at which IF (3.4) equals an ANN, by the ANN's name: Table 3.3."""
    anns = {"naive": ann_naive(1, constants), "ideal reuse": ann_reuse(1, constants), "reuse and sparsity": ann_reuse_sparse(1, constants),
            "Eyeriss v1, AlexNet": ann_eyeriss(1, constants, 80), "Eyeriss v1, VGG16": ann_eyeriss(1, constants, 25),
            "Eyeriss v2, AlexNet": ann_eyeriss(1, constants, 80, version=2)}
    return {name: break_even(lambda s: if_inst(1, s, constants), ann) for name, ann in anns.items()}


def recurrent_table(n: int, constants: Constants = NM65) -> dict[str, float]:
    """Spikes per neuron and timestep at which a SpikGRU layer of ``n`` neurons with ``n`` inputs (4.15) equals a light-GRU layer: figure 4.8."""
    shape: dict[str, Any] = {"n_hid": n, "n_syn": 2 * n * n, "steps": 1, "constants": constants}
    anns = {"naive": light_gru_naive(**shape), "ideal reuse": light_gru_reuse(n_in=n, **shape),
            "reuse and sparsity": light_gru_reuse_sparse(n_in=n, **shape)}

    def snn(s: float) -> float:
        return spikgru(n_in=n, n_hid=n, n_syn_in=n * n, n_syn_hid=n * n, s_in=s, s_hid=s, steps=1, constants=constants)

    return {name: break_even(snn, ann) for name, ann in anns.items()}
