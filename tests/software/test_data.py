"""Data sets, on small ones made here: what is read, how it is split, and that no archive or file can hurt."""

from __future__ import annotations

import csv
import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
import wave
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from spikeloom.software.cli.main import main
from spikeloom.software.clips import read_clips
from spikeloom.software.data import gsc
from spikeloom.software.data.archive import MARKER, extract_tar, gunzip
from spikeloom.software.data.compact import compact_features, compact_recordings
from spikeloom.software.data.folder import folder_recordings
from spikeloom.software.data.gsc import gsc_recordings
from spikeloom.software.data.shd import open_shd
from spikeloom.software.data.split import speaker_of, split_of
from spikeloom.software.encoders.bins import Bins
from spikeloom.spec.errors import FileFormatError

FRONT_END = {"kind": "graded", "bits": 5, "steps": 1, "offset": -9, "features": {
    "kind": "mel", "sample_rate_hz": 8000, "frames": 10, "bands": 6, "hop": 400, "window": 400, "low_hz": 60, "high_hz": 3900}}
BINS = {"kind": "bins", "steps": 10, "step_us": 10_000, "channels": 70, "most": 3}


def wav(seed: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        writer.writeframes((np.random.default_rng(seed).normal(size=8000) * 3000).astype("<i2").tobytes())
    return out.getvalue()


def speech_commands() -> dict[str, bytes]:
    """A small Speech Commands: file by path."""
    files = {f"{word}/{speaker}_nohash_{k}.wav": wav(i) for i, (word, speaker, k) in enumerate(
        (word, speaker, k) for word in ("yes", "no", "bed") for speaker in ("a1", "b2", "c3", "d4") for k in range(2))}
    files["_background_noise_/pink.wav"] = wav(99)
    files["testing_list.txt"] = "".join(f"{n}\n" for n in files if "/a1_" in n).encode()
    files["validation_list.txt"] = "".join(f"{n}\n" for n in files if "/b2_" in n).encode()
    return files


def tar(path: Path, files: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in extra:
            archive.addfile(member)
    return path


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(FRONT_END))
    return path


# Speech Commands

def test_speech_commands_come_with_the_splits_of_their_lists(tmp_path) -> None:
    found = gsc_recordings(write(tmp_path, speech_commands()))
    assert found.words == ("bed", "no", "yes") and len(found.items) == 24
    assert {(r.speaker, r.split) for r in found.items} == {("a1", "test"), ("b2", "val"), ("c3", "train"), ("d4", "train")}
    test = found.of("test")
    assert [r.source for r in test.items][:2] == ["bed/a1_nohash_0.wav", "bed/a1_nohash_1.wav"] and test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert len(test.items[0].read(16000)) == 8000 and len(test.items[0].read(8000)) == 4000
    assert [r.word for r in found.of("train", limit=3).items] == ["bed", "no", "yes"]


def test_some_words_in_their_order_and_the_others_unknown(tmp_path) -> None:
    found = gsc_recordings(write(tmp_path, speech_commands()))
    assert found.only(("yes", "bed")).of("test").labels.tolist() == [1, 1, 0, 0]
    unknown = found.only(("yes",), unknown=True)
    assert unknown.words == ("yes", "_unknown_") and unknown.of("test").labels.tolist() == [1, 1, 1, 1, 0, 0]
    with pytest.raises(FileFormatError, match="nay"):
        found.only(("nay",))


def test_a_list_that_is_missing_or_names_what_is_not_there_is_refused(tmp_path) -> None:
    files = speech_commands()
    (write(tmp_path, files) / "yes/a1_nohash_0.wav").unlink()
    with pytest.raises(FileFormatError, match="1 listed recordings.*yes/a1_nohash_0.wav"):
        gsc_recordings(tmp_path)
    (tmp_path / "testing_list.txt").unlink()
    with pytest.raises(FileFormatError, match="testing_list.txt.*unpacked"):
        gsc_recordings(tmp_path)


# Archives

def test_an_archive_is_unpacked_whole_or_not_at_all(tmp_path) -> None:
    files = speech_commands()
    path, seen = tar(tmp_path / "a.tar.gz", files), []
    folder = extract_tar(path, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != MARKER} == files
    assert seen and seen[-1][1] == path.stat().st_size
    (tmp_path / "cut.tar.gz").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FileFormatError, match="cut short"):
        extract_tar(tmp_path / "cut.tar.gz", tmp_path / "half")
    assert not (tmp_path / "half").exists() and not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "c:/evil"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, name) -> None:
    with pytest.raises(FileFormatError, match="leads out"):
        extract_tar(tar(tmp_path / "a.tar.gz", {name: b"x"}), tmp_path / "in" / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind) -> None:
    member = tarfile.TarInfo("yes/a.wav")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(FileFormatError, match="only plain files"):
        extract_tar(tar(tmp_path / "a.tar.gz", {}, member), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bounds_of_an_archive_hold(tmp_path) -> None:
    path = tar(tmp_path / "a.tar.gz", {"a": bytes(1 << 20), "b": b"", "c": b""})
    for bounds in ({"max_bytes": 1 << 19}, {"max_files": 2}):
        with pytest.raises(FileFormatError, match="more than"):
            extract_tar(path, tmp_path / "out", **bounds)
    with pytest.raises(FileFormatError, match="twice"):
        extract_tar(tar(tmp_path / "b.tar.gz", {"a": b"x", "./a": b"y"}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gunzip_is_bounded_and_sees_damage(tmp_path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(1 << 22)))
    assert gunzip(path, tmp_path / "a", max_bytes=1 << 22).stat().st_size == 1 << 22
    with pytest.raises(FileFormatError, match="more than"):
        gunzip(path, tmp_path / "b", max_bytes=(1 << 22) - 1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="damaged"):
        gunzip(path, tmp_path / "b", max_bytes=1 << 23)
    assert not (tmp_path / "b").exists()


# Folders

def test_the_speaker_is_what_a_name_begins_with() -> None:
    assert [speaker_of(n) for n in ("c3_nohash_12.wav", "anna_07.wav", "a_b_1.wav", "solo.wav", "_1.wav")] == ["c3", "anna", "a_b", "solo", "_1"]


def test_a_split_is_that_of_speech_commands_and_never_changes() -> None:
    names = [f"speaker{k}" for k in range(4000)]
    share = [sum(split_of(n) == s for n in names) / len(names) for s in ("train", "val", "test")]
    assert np.allclose(share, [0.8, 0.1, 0.1], atol=0.02)
    assert [k for k in range(40) if split_of(f"speaker{k}") != "train"] == [7, 15, 16, 27, 29, 30, 34]
    assert split_of("x", 100, 0) == "val" and split_of("x", 0, 100) == "test" and split_of("x", 0, 0) == "train"


def test_every_speaker_of_the_official_test_set_is_in_the_test_split(shared: Path) -> None:
    rows = [row for split in ("train", "val", "test") for row in csv.DictReader((shared / f"data/gsc/{split}.csv").read_text().splitlines())]
    speakers = {row["speaker"] for row in rows if "_silence_" not in row["source"]}
    assert len(speakers) > 150 and {split_of(s) for s in speakers} == {"test"}


def test_a_folder_is_split_by_speaker_or_by_its_folders(tmp_path) -> None:
    files = {f"{word}/s{k}_{n}.wav": b"" for word in ("ja", "nein") for k in range(60) for n in range(2)}
    found = folder_recordings(write(tmp_path / "plain", files))
    assert found.words == ("ja", "nein") and len(found.items) == 240 and {r.split for r in found.items} == {"train", "val", "test"}
    assert all(len({r.split for r in found.items if r.speaker == s}) == 1 for s in set(found.speakers))
    fixed = folder_recordings(write(tmp_path / "fixed", {f"{s}/ja/{s}{k}.wav": b"" for s in ("train", "test") for k in range(3)}))
    assert [r.split for r in fixed.items] == ["train"] * 3 + ["test"] * 3
    (tmp_path / "plain/ja/link.wav").symlink_to("/etc/passwd")
    assert len(folder_recordings(tmp_path / "plain").items) == 240
    with pytest.raises(FileFormatError, match=r"WORD/NAME\.wav"):
        folder_recordings(write(tmp_path / "none", {"readme.txt": b""}))
    with pytest.raises(FileFormatError, match="cannot be read"):
        folder_recordings(tmp_path / "nowhere")
    with pytest.raises(FileFormatError, match="split 'val'"):
        fixed.of("val")


# Spiking Heidelberg Digits

def shd_file(path: Path, n: int = 12, **changes) -> Path:
    """A small SHD file, as its publisher lays it out; a member that is None is left out."""
    h5py = pytest.importorskip("h5py", reason="reads HDF5: extra data")
    rng = np.random.default_rng(1)
    sizes = rng.integers(0, 40, n)
    members = {"spikes/times": [np.sort(rng.random(s) * 0.1).astype(np.float16) for s in sizes],
               "spikes/units": [rng.integers(0, 700, s).astype(np.uint16) for s in sizes], "labels": np.arange(n, dtype=np.uint16) % 3,
               "extra/speaker": np.arange(n, dtype=np.uint16) % 4, "extra/keys": np.array([b"zero", b"one", b"two"]), **changes}
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            if isinstance(value, list):
                rows = file.create_dataset(name, (len(value),), dtype=h5py.vlen_dtype(value[0].dtype))
                for k, row in enumerate(value):
                    rows[k] = row
            elif value is not None:
                file[name] = value
    return path


def test_spikes_of_shd_come_in_microseconds_with_labels_and_speakers(tmp_path) -> None:
    with open_shd(shd_file(tmp_path / "a.h5", **{"spikes/times": [np.array([0.0, 0.5, 1.0], np.float16)] * 12,
                                                  "spikes/units": [np.array([3, 699, 0], np.uint16)] * 12})) as file:
        time, unit = file.spikes(4)
        assert time.tolist() == [0, 500_000, 1_000_000] and unit.tolist() == [3, 699, 0]
        assert file.labels.tolist()[:4] == [0, 1, 2, 0] and file.words == ("zero", "one", "two") and file.speakers[:5] == ("0", "1", "2", "3", "0")


def test_bins_count_spikes_by_hand() -> None:
    time = np.array([0, 9_999, 10_000, 10_001, 10_002, 10_003, 99_999, 100_000])
    unit = np.array([0, 9, 10, 11, 12, 13, 699, 5])
    x = Bins(**{k: v for k, v in BINS.items() if k != "kind"}).encode(time, unit, 700)
    assert x.shape == (10, 70) and x[0, 0] == 2 and x[1, 1] == 3 and x[9, 69] == 1 and x.sum() == 6  # 4 spikes, at most 3; the last is too late


@pytest.mark.parametrize("changes, says", [
    ({"labels": None}, "no labels"), ({"labels": np.arange(12.0)}, "needs labels"),
    ({"labels": np.arange(12, dtype=np.uint16)}, "labels are 0 to 11"),
    ({"spikes/units": [np.array([700], np.uint16)] * 12, "spikes/times": [np.array([0.1], np.float16)] * 12}, "channels 0 to 699"),
    ({"spikes/units": [np.array([7], np.uint16)] * 12, "spikes/times": [np.array([np.nan], np.float16)] * 12}, "times must be"),
    ({"spikes/units": [np.array([7, 8], np.uint16)] * 12, "spikes/times": [np.array([0.1], np.float16)] * 12}, "a time and a channel each"),
    ({"spikes/times": np.zeros((12, 3), np.float16)}, "one dimension"), ({"extra/keys": np.arange(3)}, "names"),
    ({"extra/speaker": np.zeros(3, np.uint16)}, "a number for each"), ({"extra/speaker": np.zeros((12, 2), np.uint16)}, "one dimension")])
def test_an_shd_file_that_is_none_is_refused(tmp_path, changes, says) -> None:
    path = shd_file(tmp_path / "a.h5", **changes)
    with pytest.raises(FileFormatError, match=says), open_shd(path) as file:
        file.spikes(0)


def test_links_of_hdf5_to_other_files_are_not_followed(tmp_path) -> None:
    h5py = pytest.importorskip("h5py", reason="reads HDF5: extra data")
    other = shd_file(tmp_path / "other.h5")
    links = {"external": h5py.ExternalLink(str(other), "/labels"), "soft": h5py.SoftLink("/spikes/times")}
    for name, link in links.items():
        path = shd_file(tmp_path / f"{name}.h5", labels=link)
        with pytest.raises(FileFormatError, match="link elsewhere"), open_shd(path):
            pass
    layout = h5py.VirtualLayout((12,), np.uint16)
    layout[:] = h5py.VirtualSource(str(other), "labels", (12,))
    path = shd_file(tmp_path / "virtual.h5", labels=None)
    with h5py.File(path, "a") as file:
        file.create_virtual_dataset("labels", layout)
    with pytest.raises(FileFormatError, match="within this file"), open_shd(path):
        pass
    path = shd_file(tmp_path / "raw.h5", labels=None)
    (tmp_path / "raw.bin").write_bytes(bytes(24))
    with h5py.File(path, "a") as file:
        file.create_dataset("labels", (12,), np.uint16, external=[(str(tmp_path / "raw.bin"), 0, 24)])
    with pytest.raises(FileFormatError, match="within this file"), open_shd(path):
        pass


def test_damaged_hdf5_is_refused_without_a_trace(tmp_path) -> None:
    content = bytearray(shd_file(tmp_path / "a.h5").read_bytes())
    rng = np.random.default_rng(5)
    path = tmp_path / "b.h5"
    for k in range(60):
        bad = bytearray(content)
        for place in rng.integers(0, len(bad), 40):
            bad[place] = rng.integers(256)
        path.write_bytes(bad if k % 2 else bad[: int(rng.integers(len(bad)))])
        try:
            with open_shd(path) as file:
                for i in range(len(file.labels)):
                    file.spikes(i)
        except FileFormatError:
            pass


# The compact sets

def test_compact_sets_give_sound_and_features_that_agree(shared: Path) -> None:
    pytest.importorskip("soundfile", reason="reads FLAC: extra data")
    from spikeloom.software.features import log_mel

    for name in ("fsdd", "gsc", "asc"):
        found = compact_recordings(shared / "data" / name)
        assert {r.split for r in found.items} <= {"train", "val", "test"} and "" not in found.speakers
        test = found.of("test", limit=3)
        x, y, words, speakers = compact_features(shared / "data" / name, "test")
        for item in test.items:
            row = int(item.source.partition(":")[2])
            assert np.array_equal(log_mel(item.read(8000)), x[row]) and words[y[row]] == item.word and speakers[row] == item.speaker


@pytest.mark.parametrize("line", ["0,0,x,a,b,c", "0,99999999999,8,a,b,c", "0,0,90000,a,b,c", "0,0"])
def test_a_damaged_list_of_a_compact_set_is_refused(tmp_path, line) -> None:
    (tmp_path / "test.csv").write_text(f"row,offset,length,label,speaker,source\n{line}\n")
    with pytest.raises(FileFormatError, match="list of clips"):
        compact_recordings(tmp_path)


# The command

def test_an_archive_becomes_clips_with_words_and_speakers(tmp_path, config, capsys) -> None:
    archive, out = tar(tmp_path / "sc.tar.gz", speech_commands()), tmp_path / "clips.npz"
    command = ["data", "gsc", str(archive), "-o", str(out), "--front-end", str(config), "--split", "test"]
    assert main([*command, "--sha256", hashlib.sha256(archive.read_bytes()).hexdigest()]) == 0
    clips = read_clips(out)
    assert (clips.n_clips, clips.n_steps, clips.n_channels) == (6, 10, 6) and clips.words == ("bed", "no", "yes")
    assert clips.labels.tolist() == [0, 0, 1, 1, 2, 2] and len(clips.payload) > 50
    assert np.load(out)["speaker"].tolist() == ["a1"] * 6 and json.loads(str(np.load(out)["front_end"])) == FRONT_END
    assert "sc.tar.gz: SHA-256 as given" in capsys.readouterr().out
    again = tmp_path / "again.npz"
    assert main(["data", "gsc", str(tmp_path / "sc.extracted"), "-o", str(again), "--front-end", str(config), "--split", "test"]) == 0
    assert again.read_bytes() == out.read_bytes()
    assert main([*command, "--sha256", "0" * 64]) == 2
    assert main([*command, "--words", "yes", "--unknown", "--limit", "4"]) == 0
    assert read_clips(out).words == ("yes", "_unknown_") and read_clips(out).n_clips == 4


def test_spikes_become_clips(tmp_path, capsys) -> None:
    packed = tmp_path / "shd_test.h5.gz"
    packed.write_bytes(gzip.compress(shd_file(tmp_path / "x.h5").read_bytes()))
    (tmp_path / "bins.json").write_text(json.dumps(BINS))
    out = tmp_path / "clips.npz"
    for path in (packed, tmp_path):
        assert main(["data", "shd", str(path), "-o", str(out), "--front-end", str(tmp_path / "bins.json"), "--limit", "4"]) == 0
        clips = read_clips(out)
        assert (clips.n_clips, clips.n_steps, clips.n_channels) == (4, 10, 70) and clips.labels.tolist() == [0, 0, 0, 0]
    with open_shd(tmp_path / "x.h5") as file:
        assert np.array_equal(clips.dense()[1], Bins(steps=10, step_us=10_000, channels=70, most=3).encode(*file.spikes(3), 700))
    assert main(["data", "shd", str(packed), "-o", str(out), "--front-end", str(tmp_path / "bins.json"), "--split", "val"]) == 2


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, and the address under which this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(http.server.SimpleHTTPRequestHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_speech_commands_are_downloaded_checked_unpacked_and_encoded(tmp_path, config, capsys, served) -> None:
    folder, url = served
    archive, out = tar(folder / gsc.ARCHIVE, speech_commands()), tmp_path / "o.npz"
    get = ["data", "gsc", str(tmp_path / "gsc"), "-o", str(out), "--front-end", str(config), "--download", "--url", url + gsc.ARCHIVE]
    assert main([*get, "--split", "val"]) == 2 and "SHA-256" in capsys.readouterr().err  # it is not the published archive
    assert not list((tmp_path / "gsc").iterdir())
    get += ["--sha256", hashlib.sha256(archive.read_bytes()).hexdigest()]
    assert main([*get, "--split", "val"]) == 0 and read_clips(out).n_clips == 6
    archive.unlink()
    assert main([*get, "--split", "train"]) == 0 and read_clips(out).n_clips == 12  # what is there is not fetched again


def test_spikes_are_downloaded_and_the_first_copy_trusted_plainly(tmp_path, capsys, served) -> None:
    folder, url = served
    (folder / "shd_test.h5.gz").write_bytes(gzip.compress(shd_file(tmp_path / "x.h5").read_bytes()))
    (tmp_path / "bins.json").write_text(json.dumps(BINS))
    out = tmp_path / "o.npz"
    assert main(["data", "shd", str(tmp_path / "shd"), "-o", str(out), "--front-end", str(tmp_path / "bins.json"), "--download", "--url",
                 url + "shd_test.h5.gz"]) == 0
    assert "no published SHA-256 is known" in capsys.readouterr().out
    assert (tmp_path / "shd/shd_test.h5.gz.sha256").is_file() and read_clips(out).n_clips == 12


@pytest.mark.parametrize("text, says", [("{", "not a JSON"), ("[" * 100_000, "not a JSON"), ('{"kind": "bins"}', "knows log_mel"),
                                        ("3", "knows log_mel"), ('{"kind": "delta", "features": {"kind": "mel"}}', "missing")])
def test_a_front_end_that_is_none_is_refused_by_its_file(tmp_path, text, says, capsys) -> None:
    (tmp_path / "c.json").write_text(text)
    assert main(["data", "folder", str(tmp_path), "-o", str(tmp_path / "o.npz"), "--front-end", str(tmp_path / "c.json")]) == 2
    error = capsys.readouterr().err
    assert says in error and "c.json" in error and not (tmp_path / "o.npz").exists()


def test_a_recording_that_cannot_be_read_is_named_and_leaves_no_file(tmp_path, config, capsys) -> None:
    write(tmp_path / "f", {"ja/a_1.wav": wav(0), "ja/b_1.wav": b"RIFFnothing"})
    assert main(["data", "folder", str(tmp_path / "f"), "-o", str(tmp_path / "o.npz"), "--front-end", str(config)]) == 2
    assert "b_1.wav" in capsys.readouterr().err and not (tmp_path / "o.npz").exists()
    assert main(["data", "folder", str(tmp_path / "f"), "-o", str(tmp_path / "o.npz"), "--front-end", str(config), "--download"]) == 2
    assert main(["data", "folder", str(tmp_path / "f"), "-o", str(tmp_path / "o.npz"), "--front-end", str(config), "--unknown"]) == 2
