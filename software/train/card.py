"""The numbers of a bundled network: accuracy of floats, integers and ANNs, per speaker, and its work; printed, and kept in its metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ...spec.network import Network
from .make import Made, Maker, answers_of, per_speaker

__all__ = ["write_scores"]


def write_scores(maker: Maker, made: Made, progress: Callable[[str], None]) -> Network:
    """Print every score of val and test; returns the network with accuracy and activity in its metadata."""
    accuracy: dict[str, float] = {}
    for split in ("val", "test"):
        words, report = maker.words[split], made.reports[split]
        payloads = words.payloads(maker.recipe.front_end)
        answers = {"float": answers_of(made.floats, payloads), "integer": report.answers,
                   **{f"{maker.recipe.teachers.kind}_{k}": answers_of(ann, payloads) for k, ann in enumerate(made.anns)}}
        for name, given in answers.items():
            accuracy[f"{split}_{name}"] = round(float((given == words.y).mean()), 4)
            speakers = per_speaker(words, given)
            spread = f"{min(speakers.values()):.1%} to {max(speakers.values()):.1%}"
            if len(speakers) < 10:
                spread = "; ".join(f"{s} {v:.1%}" for s, v in speakers.items())
            progress(f"{split}: {name} {accuracy[f'{split}_{name}']:.2%} of {len(words.y)} clips; speakers: {spread}")
    report = made.reports["test"]
    activity = {f"{name}_events_per_step": round(events / maker.steps, 2) for name, events in report.spikes_per_population.items()}
    activity["sops_per_second"] = round(report.sops / report.clips)
    progress(f"test: events per timestep {activity}, saturations {report.saturations}")
    return replace(made.network, metadata={**made.network.metadata, "accuracy": accuracy, "activity": activity})
