"""The whole way from data to a scored integer network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ....sim.golden import SimulationReport, simulate
from ....spec.clips import Clips
from ....spec.network import Network
from ...features import apply_front_end
from .config import TrainConfig
from .data import Split, load_split, load_training_set
from .export import to_network
from .kws import score, train

__all__ = ["integer_score", "make_network"]


def integer_score(network: Network, split: Split) -> SimulationReport:
    """A split through the golden model, with the network's own front end."""
    payloads = apply_front_end(split.x, network.metadata["front_end"])
    return simulate(network, Clips.from_dense(payloads, split.y, split.words), threads=1)


def make_network(config: TrainConfig, data: Path, progress: Callable[[str], None]) -> Network:
    """Train and return the integer network, with its accuracy and activity in its metadata.

    Raises FileFormatError (data) or ToolError (soundfile, espeak-ng).
    """
    torch.set_num_threads(1)
    splits = {name: load_split(data, name) for name in ("val", "test")}
    progress("reading the recordings, making the synthetic voices")
    training_set = load_training_set(data, config)
    progress(f"{len(training_set.y)} training clips, each at {len(config.augment.speeds)} speeds")
    model = train(config, training_set, splits["val"], progress)
    network = to_network(model, config, training_set.words, {"front_end": config.front_end})
    accuracy: dict[str, float] = {}
    activity: dict[str, float] = {}
    for name, split in splits.items():
        for kind, quantized in (("float", False), ("quantization-aware", True)):
            value = score(model, split, config.front_end, quantized)[0]
            progress(f"{name}: {kind} {value:.2%}")
            if not quantized:
                accuracy[f"{name}_float"] = round(value, 4)
        report = integer_score(network, split)
        progress(f"{name}: integer {report.accuracy:.2%} of {report.clips} clips, events per clip {report.spikes_per_population}, "
                 f"{report.sops / report.clips:.0f} SOP per clip, saturations {report.saturations}")
        accuracy[f"{name}_integer"] = round(report.accuracy or 0.0, 4)
        if name == "test":
            activity = {f"{population}_events_per_step": round(events / config.front_end["frames"], 2)
                        for population, events in report.spikes_per_population.items()}
            activity["sops_per_second"] = round(report.sops / report.clips)
    metadata = {
        "front_end": config.front_end,
        "training_data": "Google Speech Commands v0.02 (its test set, split again by speaker, 134 speakers), and espeak-ng voices",
        "training_data_licence": "CC BY 4.0, Pete Warden / Google, arXiv:1804.03209",
        "accuracy": accuracy,
        "activity": activity,
        "step_ms": 20,
    }
    return replace(network, metadata=metadata)
