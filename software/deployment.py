"""Networks onto devices, and clips through them: what ``spikeloom deploy`` and ``spikeloom run`` do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from ..spec.archive import load_network
from ..spec.clips import Clips
from ..spec.errors import DeviceError, FileFormatError
from ..spec.network import Network, Readout
from .host.device import Device
from .results import DeployResult, RunResult

__all__ = ["deploy", "run"]

# Of a device's status: what a run must not have moved.
_ERRORS = ("rejected_range", "rejected_payload", "rejected_duplicate", "refused_events")


def deploy(folder: Path, network: Network | None, target: str, *, baud: int | None = None, record: Path | None = None) -> DeployResult:
    """See :func:`spikeloom.software.api.deploy`."""
    expected = _architecture(folder)
    network = network or load_network(folder / "network.npz")
    with Device.open(target, baud=baud, record=record) as device:
        if device.identity.architecture != expected:
            raise DeviceError(f"{target} runs another image than {folder}: its architecture is {device.identity.architecture[:12]}, that of the "
                              f"project {expected[:12]}; program the board with the project's bitstream, or name the project that it was built from")
        program = device.program(network)
        begin = device.seconds()
        written = device.load(program)
        return DeployResult(network=network.name, digest=program.network.digest, memories=len(program.memories), written=written,
                            words=sum(len(memory.words) for memory in program.memories), verified=device.identity.reads,
                            repeated=device.link.repeated, seconds=device.seconds() - begin)


def run(network: Network, target: str, clips: Clips, *, baud: int | None = None, record: Path | None = None,
        progress: Callable[[int, int], None] | None = None) -> RunResult:
    """See :func:`spikeloom.software.api.run`."""
    with Device.open(target, baud=baud, record=record) as device:
        device.load(network)
        before, begin, results = device.status(), device.seconds(), []
        for result in device.run(clips, spikes=not any(o.values for o in device.identity.outputs)):
            results.append(result)
            if progress is not None:
                progress(len(results), clips.n_clips)
        seconds, after = device.seconds() - begin, device.status()
        repeated = device.link.repeated
    numbers = [_fired_most(network, result.spikes) if result.answer is None else result.answer for result in results]
    labels = ([p for p in network.outputs if p.readout is not Readout.NONE] or network.outputs)[-1].labels
    right = None if clips.labels is None or not results else sum(int(a == b) for a, b in zip(numbers, clips.labels)) / len(results)
    return RunResult(clips=len(results), accuracy=right, answers=tuple(labels[n] if n < len(labels) else str(n) for n in numbers),
                     errors=sum(after[name] - before[name] for name in _ERRORS), seconds=seconds, repeated=repeated,
                     confidences=tuple(result.confidence for result in results if result.confidence is not None))


def _fired_most(network: Network, spikes: tuple[tuple[int, int, int, int], ...]) -> int:
    """The neuron of the last output that fired most, the lowest of equals: the answer of a network without readouts."""
    last, counts = len(network.outputs) - 1, [0] * network.outputs[-1].size
    for output, neuron, _, payload in spikes:
        if output == last:
            counts[neuron] += payload
    return counts.index(max(counts))


def _architecture(folder: Path) -> str:
    path = folder / "manifest.json"
    if not path.is_file():
        raise FileFormatError(f"{folder} is not a generated project: it has no manifest.json; make one with spikeloom build --link")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return str(found["link"]["architecture"])
    except KeyError:
        raise FileFormatError(f"{folder} was built without a host link; build it again with --link BAUD") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path} is damaged ({type(error).__name__}: {error}); build the project again") from None
