"""How words are found in what a network says: windows and thresholds of the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ...spec.errors import NetworkError
from ...spec.network import Network
from ..encoders.settings import within
from .answering import answers

__all__ = ["RANGES", "StreamSettings"]

# Least and most of each number.
RANGES = {"window_s": (0.01, 60.0), "every_s": (0.001, 10.0), "smooth_s": (0.001, 60.0), "refractory_s": (0.0, 60.0), "threshold": (0.0, 1.0),
           "temperature": (1e-3, 1e12)}


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """Settings of :class:`~.spotter.Spotter` and of the scores that it is given.

    Parameters
    ----------
    window_s : seconds of which a score is made: the length of a clip.
    every_s : from one READ to the next.
    smooth_s : posteriors are averaged over so long.
    refractory_s : after a word none is spotted for so long.
    threshold : averaged posterior at which a word is spotted, 0..1.
    temperature : units of a score; posterior = softmax(score / temperature). None: the standard deviation of the scores of all classes of that
        moment.
    background : labels that are never spotted.
    """

    window_s: float = 1.0
    every_s: float = 0.1
    smooth_s: float = 0.3
    refractory_s: float = 1.0
    threshold: float = 0.5
    temperature: float | None = None
    background: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None or name != "temperature":
                within(name, value, low, high)
        if not isinstance(self.background, (list, tuple)) or not all(isinstance(word, str) for word in self.background):
            raise NetworkError(f"background must be a list of labels, not {str(self.background)[:60]!r}")
        object.__setattr__(self, "background", tuple(self.background))

    @classmethod
    def of(cls, network: Network, **changes: Any) -> StreamSettings:
        """Those of ``network.metadata["stream"]``, those that it does not name by default; ``changes`` that are not None come on top.

        The background is by default the labels in underscores (``_silence_``). Raises NetworkError for unknown or impossible settings, for a
        background that names no label, and where no population has a readout.
        """
        found = network.metadata.get("stream", {})
        if not isinstance(found, Mapping):
            raise NetworkError(f"Network {network.name!r}: metadata 'stream' must be an object, not {str(found)[:60]!r}")
        strange = sorted(str(name) for name in found if name not in {f.name for f in fields(cls)})
        if strange:
            raise NetworkError(f"Network {network.name!r}: metadata 'stream' names {', '.join(strange[:5])}; it takes "
                               + ", ".join(f.name for f in fields(cls)))
        labels = answers(network)
        settings = cls(**{"background": [label for label in labels if label.startswith("_") and label.endswith("_")], **found})
        settings = replace(settings, **{name: value for name, value in changes.items() if value is not None})
        unknown = [repr(word[:60]) for word in settings.background if word not in labels]
        if unknown:
            raise NetworkError(f"Network {network.name!r}: the background of metadata 'stream' names {', '.join(unknown[:5])}, and its labels are "
                               f"{', '.join(labels)}")
        return settings
