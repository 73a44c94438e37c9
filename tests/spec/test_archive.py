"""Network files: the same bytes for the same network, and a plain error for everything that is no network file."""

import io
import json
import pickle
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from spikeloom.spec.archive import load_network, network_bytes, save_network
from spikeloom.spec.arithmetic import Decay, Rounding
from spikeloom.spec.errors import FileFormatError, NetworkError
from spikeloom.spec.network import Model, Network, Population, Projection, Readout, Reset


def _network():
    rng = np.random.default_rng(5)
    populations = (
        Population(name="audio", size=3, model=Model.INPUT, payload_min=-2, payload_max=7),
        Population(name="hidden", size=5, model=Model.LIF, decay=Decay(shift_a=3, shift_b=5), rounding=Rounding.FLOOR,
                   reset=Reset.ZERO, theta=rng.integers(1, 99, 5), bias=rng.integers(-9, 9, 5), v_init=-4),
        Population(name="words", size=2, model=Model.LI, decay=Decay(factor=230, fraction_bits=8), readout=Readout.SUM,
                   labels=("ja", "nein")))
    projections = (Projection(source="audio", target="hidden", weights=rng.integers(-128, 128, (5, 3)), shift=2),
                   Projection(source="hidden", target="hidden", weights=rng.integers(-8, 8, (5, 5)), weight_bits=4, delay=2),
                   Projection(source="hidden", target="words", weights=rng.integers(-128, 128, (2, 5))))
    return Network(name="tiny", populations=populations, projections=projections,
                   metadata={"front_end": {"bands": 40}, "ö": [1.5, None]})


def _members(data=None):
    with zipfile.ZipFile(io.BytesIO(network_bytes(_network()) if data is None else data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def _with_header(path, change):
    members = _members()
    header = json.loads(np.load(io.BytesIO(members["header.npy"])).tobytes())
    change(header)
    return _write(path, members | {"header.npy": _npy(np.frombuffer(json.dumps(header).encode(), dtype=np.uint8))})


def _refused(path, text):
    with pytest.raises(FileFormatError) as error:
        load_network(path)
    assert str(error.value).startswith(f"{path}: ") and text in str(error.value), str(error.value)


def test_a_network_comes_back_with_its_digest_and_metadata(tmp_path):
    network = _network()
    save_network(network, tmp_path / "a.npz")
    loaded = load_network(tmp_path / "a.npz")
    assert loaded.digest == network.digest and loaded.name == network.name and loaded.metadata == network.metadata
    assert network_bytes(loaded) == network_bytes(network) == (tmp_path / "a.npz").read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_numpy_opens_the_file_without_pickle(tmp_path):
    save_network(_network(), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        np.testing.assert_array_equal(data["projection_1_weights"], _network().projections[1].weights)


def test_a_compressed_archive_is_read_too(tmp_path):
    assert load_network(_write(tmp_path / "a.npz", _members(), zipfile.ZIP_DEFLATED)).digest == _network().digest


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(FileFormatError, match=r"none.a\.npz: cannot be written: No such file"):
        save_network(_network(), tmp_path / "none" / "a.npz")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileFormatError, match="cannot be written"):
        save_network(_network(), tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    _refused(tmp_path / "a.npz", "cannot be read: No such file")
    _refused(tmp_path, "cannot be read: Is a directory")


@pytest.mark.parametrize("content", [b"", b"P", b"a text file\n", pickle.dumps({"w": 1}), b"\x93NUMPY\x01\x00"])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    _refused(path, "not a network file")


def test_a_renamed_pt_file_is_refused(tmp_path):
    members = {"archive/data.pkl": b"\x80\x02}q", "archive/version": b"3"}
    _refused(_write(tmp_path / "a.npz", members), "it holds 'archive/data.pkl'")


def test_another_npz_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3), y=np.zeros(3))
    _refused(tmp_path / "a.npz", "no member 'header.npy'")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(network_bytes(_network())[:-30])
    _refused(path, "damaged or truncated")


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = _members() | {"population_1_theta.npy": _npy(np.zeros(1 << 22, dtype=np.int64))}
    path = _write(tmp_path / "a.npz", bomb, zipfile.ZIP_DEFLATED)
    _refused(path, "unpacks to 33554560 bytes; 40 and a short preamble are needed")


def test_a_huge_announced_size_is_refused(tmp_path):
    data = bytearray(network_bytes(_network()))
    at = data.index(b"PK\x01\x02")  # directory entry of the header: its unpacked size is at offset 24
    data[at + 24 : at + 28] = (0xF0000000).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(data)
    _refused(tmp_path / "a.npz", "its members unpack to")


def test_too_many_members_are_refused(tmp_path):
    _refused(_write(tmp_path / "a.npz", {f"m{i}": b"" for i in range(6500)}), "6500 members")
    _refused(_write(tmp_path / "b.npz", {f"m{i}": b"" for i in range(30000)}), "its zip directory has 1548890 bytes")  # not parsed
    _refused(_write(tmp_path / "c.npz", {f"m{i}": b"" for i in range(70000)}), "beyond 4 GiB")


def test_a_member_too_many_too_few_or_twice_is_refused(tmp_path):
    members = _members()
    _refused(_write(tmp_path / "more.npz", members | {"extra.npy": b""}), "unknown member 'extra.npy'")
    _refused(_write(tmp_path / "path.npz", members | {"../../etc/x": b""}), "unknown member '../../etc/x'")
    del members["projection_2_weights.npy"]
    _refused(_write(tmp_path / "less.npz", members), "member 'projection_2_weights.npy' is missing")
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as archive, pytest.warns(UserWarning):
        for name in [*members, "header.npy"]:
            archive.writestr(name, members[name])
    _refused(tmp_path / "twice.npz", "a member occurs twice")


@pytest.mark.parametrize(("array", "text"), [
    (np.zeros((5, 3), dtype=np.int16), "must be int8 of shape [5, 3] in C order, not int16 of shape [5, 3]"),
    (np.zeros((5, 3), dtype=np.float32), "not float32 of shape"), (np.zeros((3, 5), dtype=np.int8), "not int8 of shape [3, 5]"),
    (np.zeros(15, dtype=np.int8), "not int8 of shape [15]"), (np.zeros((5, 3), dtype=np.int8, order="F"), "in C order"),
    (np.zeros((2, 2), dtype=object), "not object"), (np.zeros((5, 3), dtype=[("a", np.int8)]), "not [('a', 'i1')]")])
def test_a_wrong_type_or_shape_is_refused(tmp_path, array, text):
    _refused(_write(tmp_path / "a.npz", _members() | {"projection_0_weights.npy": _npy(array)}), text)


def test_an_array_that_lies_about_its_length_is_refused(tmp_path):
    content = _members()["projection_0_weights.npy"]
    _refused(_write(tmp_path / "a.npz", _members() | {"projection_0_weights.npy": content + b"\0"}), "holds 16 bytes of data")
    content = b"\x93NUMPY\x03" + content[7:]
    _refused(_write(tmp_path / "b.npz", _members() | {"projection_0_weights.npy": content}), "npy version 1.0")


@pytest.mark.parametrize(("change", "text"), [
    (lambda h: h.update(format_version=5), "format version 5; this SpikeLoom reads versions 1 to 4"),
    (lambda h: h.update(format_version=True), "format version True"),
    (lambda h: h.update(format="other"), "not that of a network"),
    (lambda h: h.update(surprise=1), "header: unknown field 'surprise'"),
    (lambda h: h.pop("metadata"), "header: missing field 'metadata'"),
    (lambda h: h.update(name=3), "field 'name' must be str, not int"),
    (lambda h: h.update(populations=h["populations"] * 100), "300 populations; at most 256"),
    (lambda h: h["populations"][1].update(surprise=1), "population 1: unknown field 'surprise'"),
    (lambda h: h["populations"][1].pop("reset"), "population 1: missing field 'reset'"),
    (lambda h: h["populations"][1].update(reset="hard"), "population 1: reset 'hard' is unknown; known are subtract, "),
    (lambda h: h["populations"][1].update(size=5.0), "field 'size' must be int, not float"),
    (lambda h: h["populations"][1].update(size=True), "field 'size' must be int, not bool"),
    (lambda h: h["populations"][1].update(size=1 << 40), "size must be 1 to 65536"),
    (lambda h: h["populations"][1].update(decay=None), "field 'decay' must be dict, not NoneType"),
    (lambda h: h["populations"][1]["decay"].update(factor="x"), "population 1: decay: field 'factor' must be int, not str"),
    (lambda h: h["populations"][1]["decay"].update(q=1), "population 1: decay: unknown field 'q'"),
    (lambda h: h["populations"][2].update(labels=["a", 1]), "population 2: labels must be text"),
    (lambda h: h["projections"].__setitem__(0, []), "projection 0: a JSON object is needed, not list"),
    (lambda h: h["projections"][0].update(source="nobody"), "projection 0: its source 'nobody' is no population"),
    (lambda h: h["projections"][0].update(delay=None), "field 'delay' must be int, not NoneType"),
    (lambda h: h.update(metadata={"x": float("nan")}), "NaN is not JSON")])
def test_a_wrong_header_is_refused(tmp_path, change, text):
    _refused(_with_header(tmp_path / "a.npz", change), text)


def test_a_header_that_is_no_json_is_refused(tmp_path):
    for text in (b"{", b"\xff\xfe", b"[" * 100000, b"1" * 5000):
        header = _npy(np.frombuffer(text, dtype=np.uint8))
        with pytest.raises(FileFormatError, match="header is not"):
            load_network(_write(tmp_path / "a.npz", _members() | {"header.npy": header}))


def test_a_network_that_breaks_the_contract_is_a_network_error_with_the_name_of_the_file(tmp_path):
    path = _with_header(tmp_path / "a.npz", lambda h: h["projections"][1].update(delay=0))
    with pytest.raises(NetworkError, match=r"a\.npz: Network 'tiny': projections of delay 0 form a cycle"):
        load_network(path)


def test_the_name_and_order_count_in_the_bytes_but_only_behaviour_in_the_digest():
    network = _network()
    other = replace(network, metadata={"accuracy": 0.5})
    assert other.digest == network.digest and network_bytes(other) != network_bytes(network)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_damage_raises_anything_but_our_errors(tmp_path, compression):
    path = tmp_path / "a.npz"
    good = _write(path, _members(), compression).read_bytes()
    rng = random.Random(20)
    refused = 0
    for trial in range(1500):
        data = bytearray(good)
        kind = trial % 3
        if kind == 0:
            for _ in range(rng.choice([1, 1, 2, 8])):
                data[rng.randrange(len(data))] = rng.randrange(256)
        elif kind == 1:
            del data[rng.randrange(len(data)) :]
        else:
            at = rng.randrange(len(data))
            data[at : at + rng.randrange(1, 40)] = rng.randbytes(rng.randrange(40))
        path.write_bytes(data)
        try:
            load_network(path)
        except (FileFormatError, NetworkError) as error:
            assert str(error).startswith(f"{path}: "), f"trial {trial}"
            refused += 1
    assert refused > 1000  # most damage is seen: members carry a CRC
