"""Spike counts of any layer, for a classifier on the host: as a file of a simulation, and as readouts of a chip."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..sim.golden import SimulationReport
from ..spec.errors import NetworkError
from ..spec.network import Network, Readout
from .atomic import replace_file

__all__ = ["counted", "write_counts"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold: no clock in the bytes


def counted(network: Network, names: Sequence[str]) -> Network:
    """The network with the readout ``count`` for some of its populations: READ then gives how often each of their neurons spiked, too.

    A population that is read already stays as it is. The answer is that of the same population as before: it is listed last. Without any, there
    is one now, of the last of ``names``, which means nothing by itself. Spikes of these populations leave the chip. Raises NetworkError for one that
    does not spike.
    """
    populations = list(network.populations)
    read = [p.name for p in populations if p.readout is not Readout.NONE]
    for name in names:
        p = network.population(name)
        if not p.spikes or p.changes:
            what = "changes of an activation" if p.changes else "no spikes"
            raise NetworkError(f"Population {name!r}: it sends {what} (model {p.model.value}), so there is nothing to count; name a spiking "
                               "population")
        if p.readout is Readout.NONE:
            populations[network.populations.index(p)] = replace(p, readout=Readout.COUNT)
    if read:
        populations.sort(key=lambda p: p.name == read[-1])  # stable: the others stay in their order
    return replace(network, populations=tuple(populations))


def write_counts(path: str | os.PathLike[str], report: SimulationReport, labels: np.ndarray | None = None) -> None:
    """Write the spike counts of a simulation, .npz: ``counts_<population>`` ``[clips, neurons], int64`` of every spiking population (of a RELU the
    activation at the end), and ``labels`` ``[clips], int64`` where the clips have some. The same counts, the same bytes."""
    arrays = {f"counts_{name}": values for name, values in report.spike_counts.items()}
    if labels is not None:
        arrays["labels"] = np.asarray(labels[: report.clips], dtype=np.int64)
    with replace_file(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", _DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_STORED)
