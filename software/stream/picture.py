"""The picture of a stream: its sound, the events that the network took and fired, and what the host made of the readouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...spec.errors import SpikeLoomError, ToolError
from ..atomic import replace_file
from .spotting import Spotting

__all__ = ["check_picture", "draw"]

_FFT, _RANGE_DB = 256, 60.0
_SHOWN, _WORTH = 7, 0.15  # lines of the scores with a colour and a name, at most, if they come so high; the others are grey
_INK, _INPUT, _WORD = "#222222", "#1f6f8b", "#c0392b"
_LAYERS = ("#2c5f9e", "#7a3e9d", "#2e7d4f", "#a0522d")


def check_picture(path: Path) -> None:
    """Raises ToolError where matplotlib is absent, SpikeLoomError for another kind of file: before anything is heard."""
    if path.suffix.lower() != ".png":
        raise SpikeLoomError(f"{path}: a picture is written as .png, not {path.suffix or 'without a suffix'}")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ToolError("A picture (--plot) needs matplotlib; install it with pip install 'spikeloom[plot]' (or matplotlib)") from None


def draw(spotting: Spotting, path: Path) -> None:
    """Draw a stream that was spotted with ``trace`` as a PNG: spectrogram (of sound), input events, spikes per layer, averaged posteriors, words.

    The same stream gives the same bytes with the same matplotlib. Raises ToolError where matplotlib is absent, SpikeLoomError if nothing was heard.
    """
    check_picture(path)
    trace = spotting.trace
    if not trace.moments:
        raise SpikeLoomError(f"{path}: nothing was heard for so long as to be read once, so there is nothing to draw")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layers = {name: np.concatenate(pieces) for name, pieces in trace.spikes.items() if pieces}
    payloads = np.concatenate(trace.payloads) if trace.payloads else np.zeros((0, 0))
    heights = [1.6] * bool(trace.sound) + [1.2] * bool(payloads.size) + [1.6] * len(layers) + [1.9]
    figure = Figure(figsize=(min(24.0, 8.0 + 0.25 * spotting.seconds), sum(heights) + 1.1), layout="constrained")
    FigureCanvasAgg(figure)
    panels = iter(figure.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0])
    used = []
    if trace.sound:
        used.append(next(panels))
        _spectrogram(used[-1], np.concatenate(trace.sound), trace.sample_rate_hz)
    if payloads.size:
        used.append(next(panels))
        _dots(used[-1], payloads, spotting.step_s, _INPUT, "input\nchannel", "events")
    for k, (name, fired) in enumerate(layers.items()):
        used.append(next(panels))
        _dots(used[-1], fired, spotting.step_s, _LAYERS[k % len(_LAYERS)], f"{name}\nneuron", "spikes")
    used.append(next(panels))
    _scores(used[-1], spotting)
    for word in trace.words:
        for axes in used:
            axes.axvline(word.time_s, color=_WORD, linewidth=0.9, alpha=0.8)
        used[0].annotate(word.word, (word.time_s, 1), xycoords=("data", "axes fraction"), textcoords="offset points", xytext=(0, 3), ha="center",
                         va="bottom", color=_WORD, fontsize=10, fontweight="bold")
    used[-1].set_xlabel("seconds")
    used[0].set_xlim(0, max(spotting.seconds, spotting.step_s))
    with replace_file(path) as partial:
        figure.savefig(partial, format="png", dpi=110, metadata={"Software": None})


def _spectrogram(axes: Any, sound: np.ndarray, rate: int) -> None:
    """Power of windows of 256 samples, half overlapping, in dB below the loudest."""
    if len(sound) < _FFT:
        sound = np.pad(sound, (0, _FFT - len(sound)))
    hop = _FFT // 2
    cuts = np.lib.stride_tricks.sliding_window_view(sound, _FFT)[::hop] * np.hanning(_FFT)
    power = np.abs(np.fft.rfft(cuts, axis=1)) ** 2
    db = 10 * np.log10(power / max(float(power.max()), 1.0) + 1e-12)
    half = hop / rate / 2
    axes.imshow(db.T, origin="lower", aspect="auto", cmap="magma", vmin=-_RANGE_DB, vmax=0, interpolation="nearest",
                extent=(_FFT / 2 / rate - half, (_FFT / 2 + hop * (len(db) - 1)) / rate + half, 0, rate / 2000))
    axes.set_facecolor("black")
    axes.set_ylabel("sound\nkHz")


def _dots(axes: Any, fired: np.ndarray, step_s: float, colour: str, label: str, what: str) -> None:
    """A dot per event, at the end of its timestep; graded ones are darker the larger they are."""
    step, place = np.nonzero(fired)
    size = np.abs(fired[step, place].astype(np.float64))
    strength = size / size.max() if len(size) else size
    # Dots about as large as their timestep and neuron, within what can be seen.
    area = float(np.clip(9e4 / max(fired.shape[0] * fired.shape[1], 1), 0.8, 9.0))
    axes.scatter((step + 1) * step_s, place, s=area, c=colour, alpha=0.25 + 0.75 * strength if len(size) else None, marker="s", linewidths=0)
    axes.set_ylim(-0.5, fired.shape[1] - 0.5)
    axes.set_ylabel(label)
    axes.annotate(f"{len(step) / max(len(fired), 1):,.1f} {what} per timestep", (1, 1), xycoords="axes fraction", textcoords="offset points",
                  xytext=(-3, -3), ha="right", va="top", fontsize=7, color=_INK,
                  bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5})


def _scores(axes: Any, spotting: Spotting) -> None:
    """Averaged posteriors: the words that came highest with a name, background and all others thin and grey."""
    from matplotlib import colormaps

    steps, posteriors = zip(*spotting.trace.moments)
    time, values = np.array(steps) * spotting.step_s, np.array(posteriors)
    words = [k for k, label in enumerate(spotting.labels) if label not in spotting.settings.background]
    highest = sorted(words, key=lambda k: -float(values[:, k].max()))
    named = [k for k in highest if values[:, k].max() >= _WORTH or k == highest[0]][:_SHOWN]
    for k in range(len(spotting.labels)):
        if k in named:
            axes.plot(time, values[:, k], color=colormaps["Dark2"](sorted(named).index(k) % 7), linewidth=1.6, label=spotting.labels[k], zorder=3)
        else:
            axes.plot(time, values[:, k], color="#bbbbbb", linewidth=0.8, linestyle="--" if k not in words else "-", zorder=2)
    axes.axhline(spotting.settings.threshold, color=_INK, linewidth=0.8, linestyle=":", label="threshold")
    if len(words) < len(spotting.labels):
        axes.plot([], [], color="#bbbbbb", linewidth=0.8, linestyle="--", label="background")
    for word in spotting.trace.words:
        axes.plot([word.time_s], [word.posterior], marker="o", color=_WORD, markersize=5, zorder=4)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("averaged\nposterior")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=8, frameon=False, handlelength=1.2)
