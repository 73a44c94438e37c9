"""docs/energy.md: its code prints what it says."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest


def run_blocks(text: str) -> int:
    """Runs every python block in one namespace and compares what it prints with the text block after it; how many there were."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    namespace: dict[str, object] = {}
    for (kind, code), (after, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, "docs/energy.md", "exec"), namespace)
            assert after == "text" and out.getvalue() == expected
    return sum(kind == "python" for kind, _ in blocks)


def test_every_code_block_prints_what_the_text_block_says(root: Path) -> None:
    assert run_blocks((root / "docs/energy.md").read_text(encoding="utf-8")) == 2


def test_a_wrong_number_in_a_text_block_is_seen(root: Path) -> None:
    text = (root / "docs/energy.md").read_text(encoding="utf-8")
    with pytest.raises(AssertionError):
        run_blocks(text.replace("0.527\n", "0.528\n"))
