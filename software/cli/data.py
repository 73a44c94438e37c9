"""Make clips of a data set: recordings through a front end, with labels.

    spikeloom data gsc    PATH   Google Speech Commands v0.02: its archive, or the unpacked folder
    spikeloom data shd    PATH   Spiking Heidelberg Digits: shd_test.h5, shd_test.h5.gz, or a folder with them (needs h5py)
    spikeloom data folder PATH   WORD/NAME.wav, or SPLIT/WORD/NAME.wav
    spikeloom data compact PATH  train, val and test as one .flac each, with a .csv (needs soundfile)

With --download, gsc and shd are fetched into the folder PATH first; a download that breaks is continued by the same command.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from ...spec.clips import Clips
from ...spec.errors import FileFormatError, NetworkError
from .. import api
from ..data import gsc, shd
from ..data.archive import MARKER, extract_tar, gunzip
from ..data.checksum import check
from ..data.compact import compact_recordings
from ..data.download import download
from ..data.encode import clips_of_recordings, clips_of_spikes, save_clips
from ..data.folder import folder_recordings
from ..data.recordings import SPLITS, Recordings
from ..encoders.bins import bins
from ..encoders.front_end import front_end
from ..progress import Progress
from ..report import table
from .arguments import positive

__all__ = ["add_arguments", "run"]

_CONFIG_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("kind", choices=("gsc", "shd", "folder", "compact"), help="what the data are")
    parser.add_argument("path", metavar="PATH", type=Path, help="where they are")
    parser.add_argument("-o", "--output", metavar="CLIPS.npz", type=Path, required=True, help="file to write")
    parser.add_argument("--front-end", metavar="CONFIG.json", type=Path, required=True,
                        help="the front end's description (docs/data.md), or a network (.npz) that names one")
    parser.add_argument("--split", choices=SPLITS, help="train, val or test (default all; shd: test)")
    parser.add_argument("--limit", type=positive, metavar="N", help="use N recordings, evenly from the whole split")
    parser.add_argument("--words", metavar="W,W,...", help="only these words, in this order; 12: the ten commands of Speech Commands and _unknown_")
    parser.add_argument("--unknown", action="store_true", help="with --words: the others too, as the class _unknown_")
    parser.add_argument("--download", action="store_true", help="fetch the data first (gsc: 2.3 GB)")
    parser.add_argument("--url", help="fetch it from here instead of from the publisher")
    parser.add_argument("--sha256", metavar="HEX", help="what the archive's SHA-256 must be")


def run(args: argparse.Namespace) -> int:
    """Reads, encodes, writes, and shows what there is."""
    if args.download and args.kind not in ("gsc", "shd"):
        raise FileFormatError(f"--download is for gsc and shd; {args.kind} takes what is at {args.path}")
    config = _description(args.front_end)
    try:
        clips, speakers = (_spikes if args.kind == "shd" else _sound)(args, config)
    except NetworkError as error:
        raise FileFormatError(f"{args.front_end}: {error}") from None
    save_clips(args.output, clips, speakers=speakers, front_end=config)
    print(table([("clips", f"{clips.n_clips:,}"), ("speakers", f"{len(set(speakers) - {''}):,}"), ("classes", f"{len(clips.words):,}"),
                 ("timesteps", f"{clips.n_steps:,}"), ("channels", f"{clips.n_channels:,}"),
                 ("events per clip", f"{len(clips.clip) / clips.n_clips:,.1f}")]))
    print(f"Written: {args.output}")
    return 0


def _sound(args: argparse.Namespace, config: Any) -> tuple[Clips, tuple[str, ...]]:
    encoder = front_end(config)  # before anything is fetched or unpacked
    recordings = _recordings(args)
    with Progress("encode") as progress:
        return clips_of_recordings(recordings, encoder, progress.update), recordings.speakers


def _spikes(args: argparse.Namespace, config: Any) -> tuple[Clips, tuple[str, ...]]:
    encoder = bins(config)
    with shd.open_shd(_shd_file(args)) as file, Progress("encode") as progress:
        n = len(file.labels)
        kept = min(args.limit or n, n)
        chosen = np.arange(kept) * n // kept
        return clips_of_spikes(file, encoder, chosen, progress.update), tuple(file.speakers[k] for k in chosen)


def _description(path: Path) -> Any:
    if path.suffix == ".npz":
        found = api.load(path).metadata.get("front_end")
        if found is None:
            raise FileFormatError(f"{path}: the network names no front end; give its description as a .json file")
        return found
    try:
        with open(path, "rb") as file:
            text = file.read(_CONFIG_BYTES + 1)
        if len(text) > _CONFIG_BYTES:
            raise ValueError(f"more than {_CONFIG_BYTES} bytes")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: is not a JSON file: {str(error)[:200]}") from None


def _recordings(args: argparse.Namespace) -> Recordings:
    if args.kind == "folder":
        found = folder_recordings(args.path)
    elif args.kind == "compact":
        found = compact_recordings(args.path)
    else:
        found = gsc.gsc_recordings(_gsc_folder(args))
    if args.unknown and not args.words:
        raise FileFormatError("--unknown needs --words: it names what the others are")
    if args.words:
        twelve = args.words == "12"
        words = gsc.TWELVE if twelve else tuple(w for w in args.words.split(",") if w)
        found = found.only(words, unknown=args.unknown or twelve)
    return found.of(args.split, args.limit)


def _fetch(url: str, path: Path, sha256: str | None, max_bytes: int) -> None:
    with Progress("download") as progress:
        words = download(url, path, max_bytes=max_bytes, sha256=sha256, progress=progress.update)
    print(words)


def _gsc_folder(args: argparse.Namespace) -> Path:
    """The unpacked folder, fetched and unpacked where it is not yet."""
    archive = args.path
    if args.download:
        archive = args.path / gsc.ARCHIVE
        _fetch(args.url or gsc.URL, archive, args.sha256 or gsc.SHA256, gsc.MAX_BYTES)
    elif args.path.is_dir():
        return args.path
    elif args.sha256:
        print(check(archive, args.sha256))
    folder = archive.with_name(archive.name.removesuffix(".gz").removesuffix(".tar").removesuffix(".tgz") + ".extracted")
    if not (folder / MARKER).is_file():
        with Progress("unpack") as progress:
            extract_tar(archive, folder, progress=progress.update)
    return folder


def _shd_file(args: argparse.Namespace) -> Path:
    """The unpacked HDF5 file of the split, fetched and unpacked where it is not yet."""
    split = args.split or "test"
    if split not in shd.URLS:
        raise FileFormatError(f"SHD has the splits {' and '.join(shd.URLS)}, not {split}; hold back some speakers of train")
    path = args.path
    if args.download:
        path = args.path / f"shd_{split}.h5.gz"
        _fetch(args.url or shd.URLS[split], path, args.sha256, shd.MAX_BYTES)
    elif path.is_dir():
        path = next((path / name for name in (f"shd_{split}.h5", f"shd_{split}.h5.gz") if (path / name).is_file()), path / f"shd_{split}.h5")
    elif args.sha256:
        print(check(path, args.sha256))
    if path.suffix != ".gz":
        return path
    out = path.with_suffix("")
    if not out.is_file():
        with Progress("unpack") as progress:
            gunzip(path, out, max_bytes=shd.MAX_BYTES, progress=progress.update)
    return out
