"""Names of devices: which there are is said of any other."""

from __future__ import annotations

import pytest

from spikeloom.software.host.transport import open_transport
from spikeloom.spec.errors import DeviceError


@pytest.mark.parametrize("target", ["golden", "foo:bar", "sim", "ttyUSB0", "COM", "", "replay", "COM3:x"])
def test_what_is_no_device_is_told_which_there_are(target: str) -> None:
    with pytest.raises(DeviceError, match="serial ports ./dev/ttyUSB0, COM3, .* sim:DIR .* replay:FILE|missing behind the colon") as refused:
        open_transport(target)
    assert ("golden, the model, is for streams" in str(refused.value)) == (target == "golden")


@pytest.mark.parametrize("target", ["/dev/none", "./none", "../none", "COM3", "com12", r"\\.\COM10", "socket://localhost:1"])
def test_what_could_be_a_serial_port_is_tried(target: str) -> None:
    pytest.importorskip("serial")
    with pytest.raises(DeviceError, match="The serial port .* cannot be opened at 1000000 baud"):
        open_transport(target)


def test_a_file_by_any_name_may_be_a_port(tmp_path, monkeypatch) -> None:
    pytest.importorskip("serial")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "port").write_text("")
    with pytest.raises(DeviceError, match="The serial port port cannot be opened"):
        open_transport("port")
