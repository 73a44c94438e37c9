"""Clips from files: sparse events or dense integers in .npz, dense integers in .npy, sound in .wav.

* Sparse .npz: ``shape`` (clips, steps, channels), parallel arrays ``clip``, ``step``, ``channel`` and ``payload`` (or ``sign``), and
  where there are labels ``label`` (class of each clip) and ``words`` (names of the classes).
* Dense .npz: ``x [N, T, C]``, and where there are labels ``y [N]`` and ``labels`` (names). Zeros are no events. Raw log-mel features
  (uint8, 50 x 40) go through the front end of a network that names one.
* .npy: ``[T, C]``, one clip, or ``[N, T, C]``.

Nothing in a file is trusted; every refusal says which entry is wrong.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..gen.float_network import FloatNetwork
from ..spec.clips import Clips
from ..spec.errors import FileFormatError
from ..spec.network import Network
from .arrays import read_npy, read_npz
from .encoders.front_end import front_end as front_end_of
from .features import is_raw_log_mel, read_wav_clips

__all__ = ["read_clips"]

MAX_CLIPS, MAX_STEPS, MAX_CHANNELS = 1 << 24, 1 << 20, 1 << 20
MAX_CLIP_ENTRIES = 1 << 26  # steps times channels: a simulator holds whole clips
MAX_ENTRIES = 1 << 32  # of all clips: beyond, a small file of few events would keep the simulator busy for hours
PAYLOADS = (-256, 255)  # of the contract
_MEMBERS = ("shape", "clip", "step", "channel", "payload", "sign", "label", "words", "x", "y", "labels")


def read_clips(path: str | Path, network: Network | FloatNetwork | None = None, limit: int | None = None) -> Clips:
    """Read clips, the first ``limit`` only (all, if None), and check them against ``network`` if there is one.

    The number of channels must be that of the network's inputs together, and payloads must be within the ranges of a quantized
    network's inputs (a float network takes any: quantization widens its range). Class names of the file and labels of the network may be
    in different orders; the labels are then given in the network's.

    Raises FileFormatError for a file that is missing, damaged, hostile, of another kind, or does not suit the network.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind == ".wav":
        front_end = None if network is None else network.metadata.get("front_end")
        if front_end is None:
            name = "no network is given" if network is None else f"network {network.name!r} names none"
            raise FileFormatError(f"{path}: sound needs the audio front end of a network (metadata 'front_end'), and {name}. "
                                  "Give clips as events (.npz) or payloads (.npy).")
        clips = read_wav_clips(path, front_end)
    elif kind == ".npz":
        arrays = read_npz(path, _MEMBERS)
        if "x" in arrays:
            clips = _dense(path, arrays["x"], arrays.get("y"), arrays.get("labels"), network, limit)
        elif {"shape", "clip", "step", "channel"} <= arrays.keys():
            clips = _sparse(path, arrays)
        else:
            raise FileFormatError(f"{path}: no clips: it needs x (dense), or shape, clip, step, channel and payload or sign (events); "
                                  f"it has {', '.join(arrays) or 'none of these'}")
    elif kind == ".npy":
        x = read_npy(path)
        clips = _dense(path, x[None] if x.ndim == 2 else x, None, None, network, limit)
    else:
        raise FileFormatError(f"{path}: clips are read from .npz, .npy and .wav files, not {kind or 'a file without a suffix'}")
    clips = clips.take(limit)
    return clips if network is None else _suited(path, clips, network)


def _integers(path: Path, array: np.ndarray, name: str, length: int | None = None) -> np.ndarray:
    """``array`` as int64, one-dimensional, of ``length`` if given."""
    if array.dtype.kind not in "iub" or array.ndim != 1 or (length is not None and len(array) != length):
        need = "one dimension" if length is None else f"shape [{length}]"
        raise FileFormatError(f"{path}: {name} must be integers of {need}, not {array.dtype} of shape {list(array.shape)}")
    if array.dtype == np.uint64 and array.size and int(array.max()) >= 1 << 63:
        raise FileFormatError(f"{path}: {name} holds {int(array.max())}, which is far out of range")
    return array.astype(np.int64)


def _bounded(path: Path, n_clips: int, n_steps: int, n_channels: int) -> None:
    shape = (n_clips, n_steps, n_channels)
    if not all(0 < n <= limit for n, limit in zip(shape, (MAX_CLIPS, MAX_STEPS, MAX_CHANNELS), strict=True)):
        raise FileFormatError(f"{path}: shape {list(shape)} (clips, steps, channels) must be 1 to "
                              f"{MAX_CLIPS}, {MAX_STEPS}, {MAX_CHANNELS}")
    if n_steps * n_channels > MAX_CLIP_ENTRIES:
        raise FileFormatError(f"{path}: a clip of {n_steps} steps and {n_channels} channels has {n_steps * n_channels} entries; "
                              f"at most {MAX_CLIP_ENTRIES} are possible. Cut the clips into shorter ones.")
    if n_clips * n_steps * n_channels > MAX_ENTRIES:
        raise FileFormatError(f"{path}: {n_clips} clips of {n_steps} steps and {n_channels} channels have {n_clips * n_steps * n_channels} entries; "
                              f"at most {MAX_ENTRIES} are possible. Split the file.")


def _labels(path: Path, labels: np.ndarray | None, words: np.ndarray | None, n_clips: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Checked labels and names of classes."""
    names: tuple[str, ...] = ()
    if words is not None:
        if words.dtype.kind != "U" or words.ndim != 1:
            raise FileFormatError(f"{path}: names of classes must be a list of text, not {words.dtype} of shape {list(words.shape)}")
        names = tuple(str(w) for w in words)
    if labels is None:
        return None, names
    labels = _integers(path, labels, "labels of clips", n_clips)
    wrong = np.flatnonzero((labels < 0) | (labels >= (len(names) or 1 << 16)))
    if len(wrong):
        raise FileFormatError(f"{path}: the label of clip {wrong[0]} is {labels[wrong[0]]}; labels are 0 to {(len(names) or 1 << 16) - 1}"
                              f" ({len(wrong)} such clips)")
    return labels, names


def _dense(path: Path, x: np.ndarray, labels: np.ndarray | None, words: np.ndarray | None, network: Network | FloatNetwork | None,
           limit: int | None) -> Clips:
    if x.dtype.kind not in "iub" or x.ndim != 3:
        hint = " Payloads are integers: scale and round the features first." if x.dtype.kind == "f" else ""
        raise FileFormatError(f"{path}: clips must be integers of shape [clips, steps, channels] (in .npy also [steps, channels]), "
                              f"not {x.dtype} of shape {list(x.shape)}.{hint}")
    _bounded(path, *x.shape)
    checked, names = _labels(path, labels, words, len(x))
    x = x[:limit]
    front_end = None if network is None else network.metadata.get("front_end")
    if is_raw_log_mel(x, front_end) and (encoder := front_end_of(front_end)).takes_log_mel:
        x = np.stack([encoder.encode_log_mel(q) for q in x]) if len(x) else np.zeros((0, *encoder.shape), np.int16)
    if x.dtype.kind != "b" and x.size and not PAYLOADS[0] <= int(x.min()) <= int(x.max()) <= PAYLOADS[1]:
        n, t, c = np.argwhere((x < PAYLOADS[0]) | (x > PAYLOADS[1]))[0]
        raise FileFormatError(f"{path}: clip {n}, step {t}, channel {c}: payload {x[n, t, c]} is not within {PAYLOADS[0]}..{PAYLOADS[1]}")
    return Clips.from_dense(x, labels=None if checked is None else checked[:limit], words=names)


def _sparse(path: Path, arrays: dict[str, np.ndarray]) -> Clips:
    n_clips, n_steps, n_channels = (int(n) for n in _integers(path, arrays["shape"], "shape", 3))
    _bounded(path, n_clips, n_steps, n_channels)
    if ("payload" in arrays) == ("sign" in arrays):
        raise FileFormatError(f"{path}: events need either payload or sign, and have {'both' if 'sign' in arrays else 'neither'}")
    values = "payload" if "payload" in arrays else "sign"
    payload = _integers(path, arrays[values], values)
    clip, step, channel = (_integers(path, arrays[k], k, len(payload)) for k in ("clip", "step", "channel"))
    for name, index, size in (("clip", clip, n_clips), ("step", step, n_steps), ("channel", channel, n_channels)):
        wrong = np.flatnonzero((index < 0) | (index >= size))
        if len(wrong):
            raise FileFormatError(f"{path}: event {wrong[0]}: {name} {index[wrong[0]]} is not within 0..{size - 1} "
                                  f"({len(wrong)} such events)")
    low, high = (-1, 1) if values == "sign" else PAYLOADS
    wrong = np.flatnonzero((payload < low) | (payload > high) | (payload == 0))
    if len(wrong):
        i = wrong[0]
        raise FileFormatError(f"{path}: event {i} (clip {clip[i]}, step {step[i]}, channel {channel[i]}): {values} {payload[i]} must be "
                              f"within {low}..{high} and not 0 ({len(wrong)} such events)")
    key = (clip * n_steps + step) * n_channels + channel  # below 2**50, by the bounds above
    order = np.argsort(key, kind="stable")
    twice = np.flatnonzero(np.diff(key[order]) == 0)
    if len(twice):
        i = order[twice[0]]
        raise FileFormatError(f"{path}: clip {clip[i]}, step {step[i]}, channel {channel[i]} has more than one event "
                              f"({len(twice)} events too many). A channel sends at most once per step: merge them into one payload.")
    labels, names = _labels(path, arrays.get("label"), arrays.get("words"), n_clips)
    return Clips(n_clips=n_clips, n_steps=n_steps, n_channels=n_channels, clip=clip[order].astype(np.int32),
                 step=step[order].astype(np.int32), channel=channel[order].astype(np.int32), payload=payload[order].astype(np.int16),
                 labels=labels, words=names)


def _suited(path: Path, clips: Clips, network: Network | FloatNetwork) -> Clips:
    """The clips, with labels in the network's order, if they suit its inputs."""
    channels = sum(p.size for p in network.inputs)
    if clips.n_channels != channels:
        parts = ", ".join(f"{p.name} {p.size}" for p in network.inputs)
        raise FileFormatError(f"{path}: the clips have {clips.n_channels} channels, network {network.name!r} has {channels} ({parts}). "
                              "Use clips that were made for this network.")
    if isinstance(network, Network):
        first = 0
        for p in network.inputs:
            of_p = (clips.channel >= first) & (clips.channel < first + p.size)
            wrong = np.flatnonzero(of_p & ((clips.payload < p.payload_min) | (clips.payload > p.payload_max)))
            if len(wrong):
                i = wrong[0]
                raise FileFormatError(
                    f"{path}: clip {clips.clip[i]}, step {clips.step[i]}, channel {clips.channel[i]}: payload {clips.payload[i]} is not "
                    f"within {p.payload_min}..{p.payload_max}, the range of input {p.name!r} of network {network.name!r} "
                    f"({len(wrong)} such events). Scale the clips, or quantize the network with such clips as --input.")
            first += p.size
    read = [p for p in network.populations if p.readout.value != "none"]
    if clips.labels is None or not read:
        return clips
    known = read[-1].labels  # the population that answers
    if clips.words and known and clips.words != known:
        used = sorted({clips.words[i] for i in np.unique(clips.labels)})
        strange = [w for w in used if w not in known]
        if strange:
            raise FileFormatError(f"{path}: its labels name {', '.join(strange[:5])}, which network {network.name!r} does not know; "
                                  f"it knows {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}")
        places = np.array([known.index(w) if w in known else -1 for w in clips.words])
        return Clips(n_clips=clips.n_clips, n_steps=clips.n_steps, n_channels=clips.n_channels, clip=clips.clip, step=clips.step,
                     channel=clips.channel, payload=clips.payload, labels=places[clips.labels], words=known)
    if clips.n_clips and int(np.max(clips.labels)) >= read[-1].size:
        raise FileFormatError(f"{path}: a clip has label {int(np.max(clips.labels))}, and population {read[-1].name!r} of network "
                              f"{network.name!r}, which answers, has {read[-1].size} neurons")
    return clips
