"""docs/numerics.md: its code prints what it says, and its worked example is the arithmetic of its own rows."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from plain_reference import run_clip

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
