"""Any file that the quantizer can start from, by its kind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...gen.float_network import FloatNetwork
from ...spec.errors import NetworkError

__all__ = ["read_source"]


def read_source(source: Any, *, beta: float | None = None, threshold: float | None = None, reset: str | None = None, readout: str | None = None,
                dt: float | None = None, decay_form: str | None = None, fires: str | None = None) -> FloatNetwork:
    """A NIR graph or a state dict as a float network. NetworkError for what is neither, and for an option that its kind does not have: it would do
    nothing."""
    from .nir_graph import is_nir, read_nir
    from .state_dict import read_state_dict

    nir = is_nir(source)
    if not nir and not isinstance(source, (str, os.PathLike)):
        raise NetworkError(f"A source must be the path of a state dict (.pt, .npz) or of a NIR graph (.nir), a nir.NIRGraph or a FloatNetwork, not "
                           f"{str(source)[:80]!r} of type {type(source).__name__}")
    kind, other = ("a NIR graph", "a state dict") if nir else ("a state dict", "a NIR graph")
    wrong = {"beta": beta, "threshold": threshold} if nir else {"dt": dt, "decay_form": decay_form, "fires": fires}
    for name, value in wrong.items():
        if value is not None:
            raise NetworkError(f"--{name.replace('_', '-')} is an option of {other}, and {kind} is given; leave it out")
    if nir:
        return read_nir(source, dt=dt, decay_form=decay_form, fires=fires, reset=reset, readout=readout)
    return read_state_dict(Path(source), beta=beta, threshold=threshold, reset=reset, readout="count" if readout is None else readout)
