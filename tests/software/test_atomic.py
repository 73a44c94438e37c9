"""Files and folders appear complete or not at all."""

from pathlib import Path

import numpy as np
import pytest

from spikeloom.software.atomic import replace_directory, replace_file
from spikeloom.spec.errors import SpikeLoomError

MARKER = "manifest.json"


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    with replace_file(tmp_path / "a" / "net.npz") as partial:
        np.savez(partial, x=1)  # appends .npz to a name that lacks it
        assert not (tmp_path / "a" / "net.npz").exists()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["net.npz"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "net.npz").write_text("old")
    with pytest.raises(error), replace_file(tmp_path / "net.npz") as partial:
        partial.write_text("half")
        raise error
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("net.npz", "old")]


def test_an_exception_takes_back_the_folders_that_led_to_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError), replace_file(tmp_path / "a" / "b" / "net.npz") as partial:
        partial.write_text("half")
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_written_over_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SpikeLoomError, match="there is a folder of that name"), replace_file(tmp_path):
        pytest.fail("the block must not run")


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(SpikeLoomError, match="there is a device or pipe of that name"), replace_file("/dev/null"):
        pytest.fail("the block must not run")


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    with replace_file(tmp_path / "link.txt") as partial:
        partial.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def fill(folder: Path, text: str) -> None:
    (folder / MARKER).write_text(text)


def test_a_folder_appears_when_the_block_ends(tmp_path: Path) -> None:
    with replace_directory(tmp_path / "a" / "out", MARKER) as partial:
        fill(partial, "new")
        assert not (tmp_path / "a" / "out").exists()
    assert (tmp_path / "a" / "out" / MARKER).read_text() == "new"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["out"]


def test_an_earlier_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill(out, "old")
    (out / "stale.v").touch()
    with replace_directory(out, MARKER) as partial:
        fill(partial, "new")
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [(MARKER, "new")]
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_folder_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "out"
    out.mkdir()
    fill(out, "old")
    with pytest.raises(error), replace_directory(out, MARKER) as partial:
        fill(partial, "half")
        raise error
    assert (out / MARKER).read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_an_exception_leaves_no_new_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError), replace_directory(tmp_path / "a" / "out", MARKER):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_someone_else_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SpikeLoomError, match="holds files that SpikeLoom did not write"), replace_directory(tmp_path, MARKER):
        pytest.fail("the block must not run")
    assert (tmp_path / "thesis.tex").exists()


def test_the_folder_that_the_command_runs_in_is_not_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpikeLoomError, match="this command runs in it"), replace_directory(".", MARKER):
        pytest.fail("the block must not run")


def test_a_folder_is_not_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SpikeLoomError, match="there is a file of that name"), replace_directory(tmp_path / "out", MARKER):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("replace", [replace_file, lambda path: replace_directory(path, "manifest.json")], ids=["file", "folder"])
def test_an_error_is_about_the_path_that_was_given(replace):
    with pytest.raises(FileNotFoundError) as caught:
        with replace("/proc/x") as partial:
            partial.write_text("")
    assert caught.value.filename == "/proc/x"
