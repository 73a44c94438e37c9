"""Clips from files: what is read, and that nothing damaged, hostile or unsuited comes through."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from spikeloom.software.arrays import read_npz
from spikeloom.software.clips import read_clips
from spikeloom.spec.clips import Clips
from spikeloom.spec.errors import FileFormatError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout

EVENTS = {"shape": np.array([3, 4, 5], np.int32), "clip": np.array([2, 0, 0], np.uint16), "step": np.array([3, 1, 1], np.uint8),
          "channel": np.array([4, 2, 0], np.uint8), "sign": np.array([1, -1, 1], np.int8), "label": np.array([1, 0, 1], np.uint8),
          "words": np.array(["no", "yes"])}


def network(channels=5, low=-1, high=1, labels=("no", "yes"), **metadata) -> Network:
    return Network(name="net", metadata=metadata, populations=(
        Population(name="input", size=channels, model=Model.INPUT, payload_min=low, payload_max=high),
        Population(name="out", size=2, model=Model.IF, readout=Readout.COUNT, labels=labels)),
        projections=(Projection(source="input", target="out", weights=np.ones((2, channels), int)),))


@pytest.fixture
def events(tmp_path):
    """Writes the events of this file, some members changed, or left out where None."""
    def write(**changes):
        path = tmp_path / "clips.npz"
        np.savez_compressed(path, **{k: v for k, v in {**EVENTS, **changes}.items() if v is not None})
        return path
    return write


def test_sparse_events_come_sorted_with_labels_and_words(events):
    clips = read_clips(events(), network())
    np.testing.assert_array_equal(np.stack([clips.clip, clips.step, clips.channel, clips.payload]),
                                  [[0, 0, 2], [1, 1, 3], [0, 2, 4], [1, -1, 1]])
    assert clips.labels.tolist() == [1, 0, 1] and clips.words == ("no", "yes")
    dense = clips.dense()
    assert dense.shape == (3, 4, 5) and dense[0, 1, 2] == -1 and abs(dense).sum() == 3


def test_limit_keeps_the_first_clips(events, tmp_path):
    assert read_clips(events(), limit=2).n_clips == 2
    assert len(read_clips(events(), limit=2).clip) == 2
    np.save(tmp_path / "x.npy", np.ones((3, 4, 5), int))
    assert read_clips(tmp_path / "x.npy", limit=2).dense().shape == (2, 4, 5)


def test_dense_npz_and_npy_hold_the_same(tmp_path):
    x = np.random.default_rng(0).integers(-2, 3, (4, 6, 5))
    np.savez(tmp_path / "x.npz", x=x, y=np.array([0, 1, 1, 0]), labels=np.array(["no", "yes"]), speaker=np.array(["a"] * 4))
    np.save(tmp_path / "x.npy", np.asfortranarray(x))
    np.save(tmp_path / "one.npy", x[0])
    clips = read_clips(tmp_path / "x.npz", network(low=-2, high=2))
    np.testing.assert_array_equal(clips.dense(), x)
    assert clips.labels.tolist() == [0, 1, 1, 0]
    np.testing.assert_array_equal(read_clips(tmp_path / "x.npy").dense(), x)
    np.testing.assert_array_equal(read_clips(tmp_path / "one.npy").dense(), x[:1])
    np.save(tmp_path / "bool.npy", x > 0)
    np.testing.assert_array_equal(read_clips(tmp_path / "bool.npy").dense(), x > 0)


def test_labels_follow_the_order_of_the_networks_words(events):
    clips = read_clips(events(), network(labels=("yes", "no")))
    assert clips.labels.tolist() == [0, 1, 0] and clips.words == ("yes", "no")
    with pytest.raises(FileFormatError, match="its labels name no, yes, which network 'net' does not know; it knows up, down"):
        read_clips(events(), network(labels=("up", "down")))


@pytest.mark.parametrize(("changes", "text"), [
    ({"clip": np.array([0, 0, 0]), "step": np.array([1, 1, 1]), "channel": np.array([2, 3, 2])},
     r"clip 0, step 1, channel 2 has more than one event \(1 events too many\)"),
    ({"clip": np.array([0, 3, 0])}, r"event 1: clip 3 is not within 0..2"),
    ({"step": np.array([0, -1, 0])}, r"event 1: step -1 is not within 0..3"),
    ({"channel": np.array([0, 1, 5])}, r"event 2: channel 5 is not within 0..4 \(1 such events\)"),
    ({"sign": np.array([1, 2, 1])}, r"event 1 \(clip 0, step 1, channel 2\): sign 2 must be within -1..1 and not 0"),
    ({"sign": np.array([1, 0, 1])}, "sign 0 must be within"),
    ({"sign": np.array([1.0, 1.0, 1.0])}, "sign must be integers of one dimension, not float64"),
    ({"sign": None}, "either payload or sign, and have neither"),
    ({"payload": np.array([1, 1, 1])}, "either payload or sign, and have both"),
    ({"sign": None, "payload": np.array([1, 256, 1])}, "payload 256 must be within -256..255"),
    ({"step": np.array([0, 1])}, r"step must be integers of shape \[3\]"),
    ({"shape": np.array([3, 4])}, r"shape must be integers of shape \[3\]"),
    ({"shape": np.array([3, 0, 5])}, "must be 1 to"),
    ({"shape": np.array([3, -4, 5])}, "must be 1 to"),
    ({"shape": np.array([3, 1 << 20, 1 << 20])}, "at most 67108864 are possible"),
    ({"shape": np.array([1 << 24, 25, 20])}, "at most 4294967296 are possible"),
    ({"shape": np.array([3, 1 << 40, 5])}, "must be 1 to"),
    ({"clip": np.array([0, 2**64 - 1, 0], np.uint64)}, "far out of range"),
    ({"label": np.array([0, 1])}, r"labels of clips must be integers of shape \[3\]"),
    ({"label": np.array([0, 1, 2])}, "the label of clip 2 is 2; labels are 0 to 1"),
    ({"words": np.array([1, 2])}, "names of classes must be a list of text"),
    ({"words": None, "label": np.array([0, 1, 2])}, "a clip has label 2, and population 'out'"),
    ({"clip": None}, "no clips: it needs x"),
    ({"clip": np.array([0, None, 1], object)}, "only numbers and text are read, never pickled objects"),
])
def test_wrong_event_files_are_refused_with_the_entry_that_is_wrong(events, changes, text):
    path = events(**changes)
    with pytest.raises(FileFormatError, match=text) as error:
        read_clips(path, network())
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("x", "text"), [
    (np.ones((2, 3, 5)), "Payloads are integers: scale and round"),
    (np.ones((2, 3, 5, 1), int), r"not int64 of shape \[2, 3, 5, 1\]"),
    (np.ones(3, int), r"of shape \[3\]"),
    (np.zeros((0, 3, 5), int), "must be 1 to"),
    (np.full((2, 3, 5), 256), "clip 0, step 0, channel 0: payload 256 is not within -256..255"),
    (np.full((2, 3, 5), 2**63, np.uint64), "payload 9223372036854775808 is not within"),
    (np.full((2, 3, 5), 2), "payload 2 is not within -1..1, the range of input 'input' of network 'net'"),
    (np.ones((2, 3, 4), int), r"the clips have 4 channels, network 'net' has 5 \(input 5\)"),
    (np.array([["a", "b"]]), "must be integers"),
    (np.array([[None]]), "never pickled objects"),
])
def test_wrong_dense_files_are_refused(tmp_path, x, text):
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(FileFormatError, match=text):
        read_clips(tmp_path / "x.npy", network())


def test_files_that_are_missing_of_another_kind_or_renamed_are_refused(tmp_path, events):
    for name, content, text in (("no.npz", None, "No such file"), ("a.npz", b"", "not an .npz file"), ("b.npz", b"\x93NUMPY", "not an .npz"),
                                ("c.npy", events().read_bytes(), "not an .npy file"), ("d.txt", b"1 2", "not .txt"),
                                ("e", b"1", "a file without a suffix"), ("f.npz", b"PK\x05\x06" + bytes(3), "damaged or truncated"),
                                ("g.npy", b"\x93NUMPY\x01\x00\xff\xff{", "damaged")):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=text):
            read_clips(tmp_path / name)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_clips(tmp_path.with_suffix(".npz"))


def test_every_truncation_and_flipped_byte_gives_an_error_or_the_same_clips(events):
    path = events()
    whole = path.read_bytes()
    good = read_clips(path)
    refused = 0
    for i in range(0, len(whole), 7):
        for damaged in (whole[:i], whole[:i] + bytes([whole[i] ^ 0x55]) + whole[i + 1:]):
            path.write_bytes(damaged)
            try:
                clips = read_clips(path)
            except FileFormatError:
                refused += 1
                continue
            # Bytes that do not matter (dates, attributes) or a member's name of something optional.
            np.testing.assert_array_equal(clips.payload, good.payload)
    assert refused > len(whole) / 7


def test_a_small_file_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("x.npy", bytes(20 << 20))
    monkeypatch.setattr("spikeloom.software.arrays.MAX_BYTES", 16 << 20)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("unpacked"))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FileFormatError, match="unpack to 20971520 bytes; at most 16777216"):
        read_clips(path)
    assert read_npz(path, ["y"]) == {}


def test_a_header_that_promises_more_than_the_file_holds_is_refused(tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "<i8", "fortran_order": False, "shape": (1 << 40, 1, 1)})
    (tmp_path / "x.npy").write_bytes(content.getvalue() + bytes(8))
    with pytest.raises(FileFormatError, match="8 bytes of data for int64 of shape"):
        read_clips(tmp_path / "x.npy")


def test_sound_needs_a_network_with_a_front_end(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(FileFormatError, match="no network is given"):
        read_clips(tmp_path / "a.wav")
    with pytest.raises(FileFormatError, match="network 'net' names none"):
        read_clips(tmp_path / "a.wav", network())
    asked = []

    def read(path, front_end):
        asked.append((path, front_end))
        return Clips.from_dense(np.ones((1, 2, 5), int))

    monkeypatch.setattr("spikeloom.software.clips.read_wav_clips", read)
    assert read_clips(tmp_path / "a.wav", network(front_end={"kind": "log_mel"})).n_steps == 2
    assert asked == [(tmp_path / "a.wav", {"kind": "log_mel"})]


def test_raw_log_mel_goes_through_the_front_end_of_the_network(tmp_path):
    q = np.full((2, 50, 40), 100, np.uint8)
    np.savez(tmp_path / "x.npz", x=q)
    front_end = {"kind": "log_mel", "sample_rate_hz": 8000, "frames": 50, "bands": 40, "offset": 72, "shift": 3, "max": 15}
    assert read_clips(tmp_path / "x.npz", network(40, 1, 15, front_end=front_end)).payload.tolist() == [3] * 4000
    assert read_clips(tmp_path / "x.npz").payload.tolist() == [100] * 4000


def test_published_files_are_read_whole(shared):
    clips = read_clips(shared / "truth/neurobench/gsc_test_events.npz")
    assert (clips.n_clips, clips.n_steps, clips.n_channels, len(clips.words)) == (3764, 200, 20, 35)
    assert len(clips.payload) == 2807583 and set(np.unique(clips.payload)) == {-1, 1}
    clips = read_clips(shared / "data/gsc/test_logmel40x50.npz")
    assert (clips.n_clips, clips.n_steps, clips.n_channels, len(clips.words)) == (788, 50, 40, 12)


def test_reading_clips_does_not_import_torch_or_amaranth():
    code = "import spikeloom.software.clips, sys; sys.exit(any(m in sys.modules for m in ('torch', 'amaranth', 'cocotb')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
