"""The operations of SpikeLoom as functions: what ``spikeloom.load``, ``quantize``, ``compile``, ``simulate``, ``energy``, ``cosim``, ``deploy``,
``run`` and ``spot`` are.

Each imports what it needs when it is called: reading a network needs no hardware library, quantizing an .npz needs no torch.
Where a function takes a network it takes a :class:`~spikeloom.spec.network.Network` or the path of one (.npz); where it takes clips,
:class:`~spikeloom.spec.clips.Clips` or a path (.npz, .npy, .wav). Anything else raises NetworkError or FileFormatError. ``progress`` is called with
(steps done, steps in all).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..spec.clips import Clips
from ..spec.errors import FileFormatError, NetworkError
from ..spec.network import Network

if TYPE_CHECKING:
    from ..gen.float_network import FloatNetwork
    from ..gen.quantize import QuantizeResult
    from ..sim.fault_runs import FaultReport
    from ..sim.faults import Fault
    from ..sim.golden import SimulationReport
    from .energy.report import EnergyReport
    from .results import BuildResult, CosimResult, DeployResult, RunResult
    from .stream.spotting import Spotting

__all__ = ["boards", "compile", "cosim", "deploy", "energy", "load", "quantize", "run", "save", "simulate", "simulate_faults", "spot", "to_nir"]

Source = str | os.PathLike[str]
OnProgress = Callable[[int, int], None]

_FILE, _FOLDER, _STREAM = "The file of a network must be a path", "The folder of a project must be a path", "A stream must be the path of a file"
_CLIPS = "Clips must be Clips (of an array: Clips.from_dense) or the path of a file"


def load(path: Source) -> Network:
    """The quantized network of an .npz file; raises FileFormatError if it is not one."""
    from ..spec.archive import load_network

    return load_network(_path(path, _FILE))


def save(network: Network | Source, path: Source) -> None:
    """Writes a quantized network as an .npz file."""
    from ..spec.archive import save_network

    save_network(_network(network), _path(path, _FILE))


def quantize(source: Source | FloatNetwork | Any, *, weight_bits: int | str | Mapping[Any, int] = 8, scale: str = "neuron", decay: str = "multiply",
             v_bits: int | None = None, i_bits: int | None = None, max_drop: float = 1.0, clips: Clips | Source | None = None,
             beta: float | None = None, threshold: float | None = None, reset: str | None = None, readout: str | None = None,
             dt: float | None = None, decay_form: str | None = None, fires: str | None = None, progress: OnProgress | None = None) -> QuantizeResult:
    """Quantizes a float network, a NIR graph, or the state dict of a chain of Linear and Leaky layers.

    Parameters
    ----------
    source : a :class:`~spikeloom.gen.float_network.FloatNetwork` of any models; a NIR graph: .nir, or a ``nir.NIRGraph``; or a state dict: .pt (read
        with weights_only), or .npz with w0, b0, w1, ...
    weight_bits, scale, decay, v_bits, i_bits, max_drop : as in :func:`spikeloom.gen.quantize.quantize`.
    clips : inputs to measure the range of v and to compare both networks on, or None. If they name as many classes as the last
        layer has neurons, the network takes the names.
    beta, threshold : of every layer of a state dict; None takes what the file says, and where it says nothing 0.9 and 1.0.
    reset : of every layer; None takes what the file says, and where it says nothing subtract (state dict) or zero (NIR).
    readout : of the last layer: its spike count, or the last, sum or max of its membrane, which then does not fire (default count; of a NIR graph
        whose output does not fire: max).
    dt, decay_form, fires : of a NIR graph, see :class:`~spikeloom.software.importers.nir_neurons.NirOptions`. What was assumed is in the network's
        ``metadata["nir"]["assumed"]``.
    """
    from ..gen.float_network import FloatNetwork
    from ..gen.quantize import quantize as quantize_network
    from .importers.source import read_source

    network = source if isinstance(source, FloatNetwork) else read_source(
        source, beta=beta, threshold=threshold, reset=reset, readout=readout, dt=dt, decay_form=decay_form, fires=fires)
    if clips is not None:
        clips = _clips(clips, network)
        last = network.populations[-1]
        if len(clips.words) == last.n_readouts and not last.labels:
            network = replace(network, populations=(*network.populations[:-1], replace(last, labels=clips.words)))
    return quantize_network(network, weight_bits=weight_bits, scale=scale, decay=decay, v_bits=v_bits, i_bits=i_bits, max_drop=max_drop,
                            clips=clips, progress=progress)


def to_nir(network: Network | FloatNetwork | Source, *, dt: float = 1e-4) -> Any:
    """A network as a ``nir.NIRGraph``, for other simulators, with time constants for a timestep of ``dt`` seconds; ``nir.write`` writes it."""
    from ..gen.float_network import FloatNetwork
    from .importers.nir_export import to_nir as export

    return export(network if isinstance(network, FloatNetwork) else _network(network), dt=dt)


def simulate(network: Network | Source, clips: Clips | Source, *, limit: int | None = None,
             progress: OnProgress | None = None) -> SimulationReport:
    """Runs the golden model on the first ``limit`` clips (all, if None)."""
    from ..sim import golden

    network = _network(network)
    return golden.simulate(network, _clips(clips, network, limit), limit=limit, progress=progress)


def simulate_faults(network: Network | Source, clips: Clips | Source, fault: Fault | str, *, mode: str = "static", per: str = "clip", seed: int = 0,
                    n_seeds: int = 5, limit: int | None = None, progress: OnProgress | None = None) -> FaultReport:
    """Runs the golden model without and with faults of the weight memories; see :mod:`spikeloom.sim.fault_runs`.

    Parameters
    ----------
    fault : ``ber=1e-2`` or ``levels=8,sigma=0.4``, see :mod:`spikeloom.sim.faults`.
    mode, per : ``static`` (drawn per ``clip`` or per ``run``) or ``dynamic`` (drawn at each read).
    seed, n_seeds : the first seed, and how many.
    """
    from ..sim import fault_runs
    from ..sim.faults import Fault

    fault = Fault.parse(fault) if isinstance(fault, str) else fault
    network = _network(network)
    return fault_runs.simulate_faults(network, _clips(clips, network, limit), fault, mode=mode, per=per, seed=seed, n_seeds=n_seeds, limit=limit,
                                      progress=progress)


def energy(network: Network | Source, clips: Clips | Source, *, constants: str = "65nm", static: bool = False, limit: int | None = None,
           progress: OnProgress | None = None) -> EnergyReport:
    """Energy of a network on the first ``limit`` clips (all, if None), and of its ANN equivalents, by the equations of docs/energy.md.

    Parameters
    ----------
    constants : costs of operations: ``"65nm"`` (16 bit) or ``"45nm"`` (8 bit).
    static : the clips show one input in all their timesteps, for which an ANN needs one inference, as those of a front end that makes a picture of
        a clip always do; without it they are sequences.
    """
    from .energy.constants import PRESETS
    from .energy.measure import measure

    if constants not in PRESETS:
        raise ValueError(f"Constants must be one of {', '.join(PRESETS)}, not {constants!r}")
    network = _network(network)
    front_end = network.metadata.get("front_end")
    static = static or (isinstance(front_end, Mapping) and "picture" in front_end)
    return measure(network, _clips(clips, network, limit), constants=PRESETS[constants], static=static, limit=limit, progress=progress)


def compile(network: Network | Source, folder: Source, *, board: str = "generic", lanes: int | None = None, tiles: int | None = None,
            fabric: str = "auto", storage: str = "auto", bitstream: bool = False, wrapper: str | None = None, export: bool = False,
            counters: bool = False, link: int | None = None, clock_hz: int | None = None, fit: bool = False, rate: float | None = None,
            clips: Clips | Source | None = None, overlay: bool = False, capacity: Mapping[str, Sequence[int]] | None = None,
            also: Sequence[Network | Source] = (), progress: OnProgress | None = None) -> BuildResult:
    """Generates the chip of a network into a folder, and with ``bitstream`` takes it through the board's tools.

    Parameters
    ----------
    folder : an existing, empty folder; manifest.json, the Verilog, the memory image, the report and the test go there.
    board : name of a board, see :func:`boards`.
    lanes, tiles : synapses per clock of a tile, and number of tiles; None lets the generator choose.
    fit : choose those of them that are None for the board: the most timesteps per second that it has room for.
    rate : choose them for the least area that keeps so many timesteps per second at the board's clock (``clock_hz``, if given).
    clips : on which the cycles of both are counted; default: random ones.
    fabric : ``"star"``, ``"mesh"`` or ``"auto"``.
    storage : ``"auto"`` stores each projection dense or sparse, by what takes fewer bits; ``"dense"`` all dense; ``"as-given"`` as the network
        says. The project's network is the one that is stored so; it computes the same. Dense weights can be replaced by any others later, over the
        configuration port; sparse ones by those of a network with as many synapses per axon and lane.
    wrapper : ``"axi"`` also writes the chip behind AXI4-Lite and AXI4-Stream, with its C header and register map, into the folder ``axi``.
    export : neuron states can be read back over the configuration port.
    counters : the tiles count what they do (events, synaptic operations, updates, spikes).
    link : baud rate of a host link: device.v is the chip behind a UART (docs/link.md), and its memories can be read back; None for none.
    clock_hz : of the chip, that the link's rate is made from and timesteps per second are counted with; default: the board's oscillator, or 25 MHz.
    overlay : a chip of the network's capacity, into which any other that fits is loaded at run time (docs/overlay.md); the network is in it at
        power-up.
    capacity, also : of an overlay: what is asked for beyond that by name, and networks for which there must be room
        (:func:`~spikeloom.gen.overlay_capacity.capacity_of`).
    """
    from .flow import build

    network = _network(network)
    return build(network, _path(folder, _FOLDER), board=board, lanes=lanes, tiles=tiles, fabric=fabric, storage=storage, bitstream=bitstream,
                 wrapper=wrapper, export=export, counters=counters, link=link, clock_hz=clock_hz, fit=fit, rate=rate,
                 clips=None if clips is None else _clips(clips, network), overlay=overlay, capacity=capacity,
                 also=[_network(other) for other in also], progress=progress)


def cosim(folder: Source, clips: Clips | Source, *, limit: int | None = None, engine: str = "icarus", network: Network | Source | None = None,
          progress: OnProgress | None = None) -> CosimResult:
    """Runs the Verilog in a folder of :func:`compile` and compares everything with the golden model and the cycle model.

    ``engine`` is ``"icarus"``, ``"verilator"`` or ``"compiled"``; the first ``limit`` clips are run (all, if None). ``network`` is another one,
    loaded into an overlay over its configuration port first, by the engine ``"compiled"``.
    """
    from .flow import compare

    clips = clips if isinstance(clips, Clips) else _path(clips, _CLIPS)
    return compare(_path(folder, _FOLDER), clips, limit=limit, engine=engine, network=None if network is None else _network(network),
                   progress=progress)


def deploy(folder: Source, network: Network | Source | None = None, *, device: str, baud: int | None = None,
           record: Source | None = None) -> DeployResult:
    """Loads a network onto a device that runs the image of a folder of :func:`compile`, and verifies it.

    Parameters
    ----------
    folder : that was compiled with ``link``.
    network : another network of the same shape; None is the folder's own.
    device : ``"sim:DIR"``, ``"replay:FILE"``, or a serial port.
    baud : of a serial port; default 1,000,000.
    record : a file that all traffic is written to.

    Raises DeviceError where the device does not answer or runs another image, CapacityError where the network does not fit, MismatchError where a
    memory does not hold what was written.
    """
    from .deployment import deploy as to_device

    network = None if network is None else _network(network)
    return to_device(_path(folder, _FOLDER), network, device, baud=baud, record=None if record is None else Path(record))


def run(network: Network | Source, clips: Clips | Source, *, device: str, limit: int | None = None, baud: int | None = None,
        record: Source | None = None, progress: OnProgress | None = None) -> RunResult:
    """Loads a network onto a device, if it does not hold it already, and plays clips on it.

    ``device``, ``baud`` and ``record`` are as of :func:`deploy`; the first ``limit`` clips are played (all, if None).
    """
    from .deployment import run as on_device

    network = _network(network)
    return on_device(network, device, _clips(clips, network, limit).take(limit), baud=baud, record=None if record is None else Path(record),
                     progress=progress)


def spot(network: Network | Source, source: Source | None, *, device: str = "golden", slide: bool = False, running_mean: bool = False,
         step_s: float | None = None, seconds: float | None = None, trace: bool = False, baud: int | None = None, record: Source | None = None,
         progress: OnProgress | None = None, **settings: float | None) -> Spotting:
    """Spots words in a stream of sound or events, states carried on; iterate over what it returns: each word comes as soon as it is known.

    Parameters
    ----------
    network : with a readout, and for sound an audio front end; or its path.
    source : a file of sound (.wav) or events (.npz, .npy); None is the microphone.
    device : ``"golden"`` for the golden model, or as of :func:`deploy`.
    slide, running_mean, step_s, seconds, trace : see :class:`~spikeloom.software.stream.spotting.Spotting`.
    settings : those of :class:`~spikeloom.software.stream.settings.StreamSettings` that differ from the network's; None leaves one as it is.

    Raises NetworkError where the network, its front end or a setting does not allow it, FileFormatError for a file that is none, and DeviceError.
    """
    from .stream.settings import StreamSettings
    from .stream.spotting import Spotting

    network = _network(network)
    return Spotting(network, None if source is None else _path(source, _STREAM), device=device, settings=StreamSettings.of(network, **settings),
                    slide=slide, running_mean=running_mean, step_s=step_s, seconds=seconds, trace=trace, baud=baud,
                    record=None if record is None else Path(record), progress=progress)


def boards() -> Sequence[tuple[str, str]]:
    """Name and description of each board that :func:`compile` knows."""
    from ..boards import catalogue

    return [(name, catalogue.find(name).description) for name in catalogue.names()]


def _path(path: Source, what: str) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise FileFormatError(f"{what}, not {str(path)[:80]!r} of type {type(path).__name__}")
    return Path(path)


def _network(network: Network | Source) -> Network:
    if isinstance(network, Network):
        return network
    if isinstance(network, (str, os.PathLike)):
        return load(network)
    raise NetworkError(f"A network must be a Network, or the path of one (.npz), not {str(network)[:80]!r} of type {type(network).__name__}"
                       + ("; quantize it first" if hasattr(network, "populations") or hasattr(network, "nodes") else ""))


def _clips(clips: Clips | Source, network: Network | FloatNetwork, limit: int | None = None) -> Clips:
    if isinstance(clips, Clips):
        return clips
    from .clips import read_clips

    return read_clips(_path(clips, _CLIPS), network, limit)
