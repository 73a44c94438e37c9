"""The picture of a stream is drawn where matplotlib is, and says what is missing where it is not."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from spikeloom.software import api
from spikeloom.software.cli.main import main
from spikeloom.software.stream.picture import check_picture, draw
from spikeloom.spec.archive import save_network
from spikeloom.spec.errors import SpikeLoomError, ToolError

from .test_sound import write
from .test_spotting import NET, sound


def test_without_matplotlib_it_says_so_before_anything_is_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolError, match=r"pip install 'spikeloom\[plot\]'"):
        check_picture(Path("a.png"))
    save_network(NET, tmp_path / "net.npz")
    wav = write(tmp_path / "s.wav", 8000, sound(1.0))
    assert main(["run", str(tmp_path / "net.npz"), "--device", "golden", "--wav", str(wav), "--plot", str(tmp_path / "a.png")]) == 2
    assert capsys.readouterr().out == ""


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(SpikeLoomError, match=r"a picture is written as \.png, not \.svg"):
        check_picture(Path("a.svg"))


@pytest.mark.parametrize("slide", [False, True])
def test_the_same_stream_gives_the_same_picture(tmp_path: Path, slide: bool) -> None:
    pytest.importorskip("matplotlib", reason="in the extra plot")
    wav = write(tmp_path / "s.wav", 8000, sound(2.2))
    for name in ("a.png", "b.png"):
        spotting = api.spot(NET, wav, trace=True, slide=slide)
        list(spotting)
        draw(spotting, tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG") and content == (tmp_path / "b.png").read_bytes()
    # Sound, input, one layer, scores; slid windows have no timesteps in common, so only sound and scores.
    assert width > 900 and (height > 700) == (not slide)


def test_nothing_heard_is_nothing_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="in the extra plot")
    spotting = api.spot(NET, write(tmp_path / "s.wav", 8000, sound(0.05)), trace=True)  # and nobody listens
    with pytest.raises(SpikeLoomError, match="nothing was heard for so long as to be read once"):
        draw(spotting, tmp_path / "a.png")
