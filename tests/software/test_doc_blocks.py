"""Pages with examples: their code prints what they say."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

BLOCKS = {"docs/aer.md": 1, "docs/conversion.md": 1, "docs/data.md": 4, "docs/energy.md": 2, "docs/faults.md": 2, "docs/import.md": 2,
          "docs/link.md": 3, "docs/topology.md": 4, "docs/training.md": 1}


def run_blocks(text: str, page: str) -> int:
    """Runs every python block in one namespace and compares what it prints with the text block after it; how many there were."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    namespace: dict[str, object] = {}
    for (kind, code), (after, expected) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, page, "exec"), namespace)
            assert after == "text" and out.getvalue() == expected
    return sum(kind == "python" for kind, _ in blocks)


@pytest.mark.parametrize("page", BLOCKS)
def test_every_code_block_prints_what_the_text_block_says(root: Path, page: str) -> None:
    if page == "docs/import.md":
        pytest.importorskip("nir", reason="needs the extra nir: pip install -c constraints.txt -e '.[nir]'")
    if page in ("docs/training.md", "docs/conversion.md"):
        pytest.importorskip("torch", reason="needs the extra train: make venv-train")
    assert run_blocks((root / page).read_text(encoding="utf-8"), page) == BLOCKS[page]


@pytest.mark.parametrize("page, right, wrong", [
    ("docs/data.md", "-6 9 ", "-6 8 "), ("docs/energy.md", "0.527\n", "0.528\n"), ("docs/faults.md", "words that differ: ", "words that differ: 1")])
def test_a_wrong_number_in_a_text_block_is_seen(root: Path, page: str, right: str, wrong: str) -> None:
    text = (root / page).read_text(encoding="utf-8")
    before, found, after = text.rpartition(right)
    assert found
    with pytest.raises(AssertionError):
        run_blocks(before + wrong + after, page)
