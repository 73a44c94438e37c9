"""docs/numerics.md: its code prints what it says, and its worked example is the arithmetic of its own rows."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from plain_reference import run_clip

from spikeloom.sim import golden
from spikeloom.sim.golden import run

DOC = Path(__file__).resolve().parents[2] / "docs" / "numerics.md"


def _run_blocks(text):
    """Run every python block, in one namespace, and compare what it prints with the text block after it."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    namespace = {}
    for (kind, code), (after, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, str(DOC), "exec"), namespace)
            assert after == "text" and out.getvalue() == expected
    return namespace


def test_every_code_block_prints_what_the_text_block_says():
    _run_blocks(DOC.read_text())


def test_a_wrong_number_in_a_text_block_is_seen():
    with pytest.raises(AssertionError):
        _run_blocks(DOC.read_text().replace("count [[2]]", "count [[3]]"))


def test_the_table_of_the_worked_example_is_what_the_reference_computes():
    text = DOC.read_text()
    namespace = _run_blocks(text)
    lines = re.findall(r"^\| \d \| \d \d \|.*$", text, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) == 6
    want = run_clip(namespace["network"], namespace["clip"])
    v_prev, s_prev = 0, 0
    for t, (step, x, a, current, decayed, taken, total, v, s) in enumerate(rows):
        x0, x1 = (int(k) for k in x.split())
        assert (int(step), [x0, x1]) == (t, namespace["clip"][t].tolist())
        assert int(a) == 3 * x0 - 2 * x1 and int(current) == 16 * int(a) + 5
        assert int(decayed) == (v_prev * 230 + 128) // 256 and int(taken) == 100 * s_prev
        assert int(total) == int(decayed) + int(current) - int(taken)
        assert [int(v)] == want["potentials"]["y"][t] and [int(s)] == want["spikes"]["y"][t]
        v_prev, s_prev = int(v), int(s)


def _near(x, n):
    return (x + 2 ** (n - 1)) // 2**n


# What a column of the other tables is: by the same row, and by v and n of the row before.
COLUMNS = {
    "A << G": lambda row, v, n: 16 * row["x"], "(A << G) + b": lambda row, v, n: 16 * row["x"] + 5, "Az": lambda row, v, n: -9 * row["x"],
    "decay(v_prev)": lambda row, v, n: _near(13 * v, 4), "complement(i)": lambda row, v, n: _near(3 * row["i"], 4),
    "theta * n_prev": lambda row, v, n: row["theta"] * n, "jump * n_prev": lambda row, v, n: 24 * n, "g": lambda row, v, n: _near(row["Az"] + 6, 2),
    "mix(z, v_prev, i)": lambda row, v, n: _near(row["z"] * v + (256 - row["z"]) * row["i"], 8), "T": lambda row, v, n: row["theta"] + row["a"],
    "floor(v / T)": lambda row, v, n: row["v"] // row["theta"], "Ab": lambda row, v, n: row["x1"],
    "decay_i(i_prev)": lambda row, v, n: row["i"] - row["A << G"], "decay_a(a_prev)": lambda row, v, n: row["a"] - row["jump * n_prev"]}
OF_REFERENCE = {"i": "currents", "v": "potentials", "n": "spikes", "a": "rises", "q": "quiet", "q (fire)": "quiet", "q (integrate)": "quiet"}


def _other_tables(text):
    """(header, rows of integers) of every table of the examples of the other models."""
    part = text[text.index("## Worked examples of the other models") : text.index("## Activations")]
    tables = re.findall(r"((?:^\|.*\|\n)+)", part, re.MULTILINE)
    cells = [[[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()] for table in tables]
    return [(head, [[int(cell) for cell in row] for row in rows]) for head, _, *rows in cells]


def _check_tables(text, monkeypatch):
    runs = []
    monkeypatch.setattr(golden, "run", lambda network, x, record: runs.append((network, x[0])) or run(network, x, record=record))
    _run_blocks(text)
    del runs[0]  # the worked example with a table of its own
    for head, rows in _other_tables(text):
        ends = [c for c, name in enumerate(head) if name == "n"]
        played = [runs.pop(0) for _ in ends]
        for c, name in enumerate(head):
            end = min(k for k in ends if k >= c)
            network, clip = played[ends.index(end)]
            for t, row in enumerate(rows):
                v, n = (rows[t - 1][end - head[end::-1].index("v")], rows[t - 1][end]) if t else (0, 0)
                named = {"theta": int(network.population("y").theta[0]), **dict(zip(head, row, strict=True))}
                if name in COLUMNS:
                    assert row[c] == COLUMNS[name](named, v, n), (head, name, t)
                elif name in OF_REFERENCE:
                    value = run_clip(network, clip[: t + 1])[OF_REFERENCE[name]]["y"]
                    assert [row[c]] == (value if OF_REFERENCE[name] in ("rises", "quiet") else value[t]), (head, name, t)
                elif name.startswith("x"):
                    assert row[c] == clip[t, int(name[1:] or 0)]
                else:
                    assert name == "t" and row[c] == t or name == "z" and row[c] in network.population("y").gate_table
    ((network, clip),) = runs
    _check_activations(text, run_clip(network, clip), clip)


def _check_activations(text, want, clip):
    """The table of an activation and of spikes that hold their current, against the plain reference and its own rows."""
    lines = re.findall(r"^\| \d \| -?\d \|.*$", text[text.index("## Activations") : text.index("## Convolution")], re.MULTILINE)
    rows = [[int(cell.strip() or 0) for cell in line.strip("|").split("|")] for line in lines]
    assert len(rows) == len(clip) == 6
    n_prev, spike_prev = 0, 0
    for t, (step, x, arrived, v_a, n, event, i, drive, taken, v_b, spike) in enumerate(rows):
        assert (step, x, arrived) == (t, clip[t, 0], 16 * x) and n == max(0, min(3, v_a // 20)) and event == n - n_prev and drive == i - 1
        assert taken == 20 * spike_prev
        assert [[v_a], [event]] == [want["potentials"]["a"][t], want["spikes"]["a"][t]]
        assert [[i], [v_b], [spike]] == [want["currents"]["b"][t], want["potentials"]["b"][t], want["spikes"]["b"][t]]
        n_prev, spike_prev = n, spike


def test_the_tables_of_the_other_models_are_what_the_reference_computes(monkeypatch):
    _check_tables(DOC.read_text(), monkeypatch)
    assert len(_other_tables(DOC.read_text())) == 6


@pytest.mark.parametrize("wrong, right", [("| 1 | 1 | 16 | 36 | 52 |", "| 1 | 1 | 16 | 35 | 52 |"), ("| 68 | 40 | 28 | 0 |", "| 68 | 40 | 29 | 0 |"),
                                          ("| 3 | 1 | 0 | 0 | 1 |", "| 3 | 1 | 0 | 0 | 2 |"), ("| 26 | 1 | -1 |", "| 26 | 1 | 1 |"),
                                          ("| 18 | 17 | 20 | 20 | 1 |", "| 18 | 17 | 20 | 21 | 1 |")])
def test_a_wrong_number_in_another_table_is_seen(wrong, right, monkeypatch):
    assert wrong in DOC.read_text() or pytest.fail(wrong)
    with pytest.raises(AssertionError):
        _check_tables(DOC.read_text().replace(wrong, right), monkeypatch)
