"""Progress is drawn on terminals and nowhere else."""

import io

import pytest

from spikeloom.software.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream, quiet", [(io.StringIO(), False), (Terminal(), True)])
def test_nothing_is_drawn_into_a_pipe_or_under_quiet(stream: io.StringIO, quiet: bool) -> None:
    with Progress("cosim", 2, quiet=quiet, stream=stream) as progress:
        progress.update(1)
        progress.update(2)
    assert stream.getvalue() == ""


def test_a_terminal_sees_the_count_and_a_clean_line_at_the_end() -> None:
    stream = Terminal()
    with Progress("cosim", stream=stream) as progress:
        progress.update(1, 4)
        progress.update(4, 4)
    assert "cosim  1/4  25 %" in stream.getvalue()
    assert "cosim  4/4  100 %" in stream.getvalue()
    assert stream.getvalue().endswith("\r" + " " * len("cosim  4/4  100 %") + "\r")


def test_frequent_updates_are_not_all_drawn() -> None:
    stream = Terminal()
    with Progress("cosim", 100_000, stream=stream) as progress:
        for n in range(10_000):
            progress.update(n)
    assert stream.getvalue().count("cosim") < 100


def test_the_line_goes_away_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), Progress("cosim", stream=stream):
        raise KeyboardInterrupt
    assert stream.getvalue().endswith("\r     \r")
