"""docs/quantize.md: its code runs in one go and prints what it says."""

import contextlib
import io
import re


def test_the_code_of_the_guide_prints_what_it_says(root):
    text = (root / "docs" / "quantize.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(python|text)\n(.*?)```", text, flags=re.DOTALL)
    assert [kind for kind, _ in blocks] == ["python", "text"] * (len(blocks) // 2) and len(blocks) >= 8
    namespace: dict = {}
    for (_, code), (_, expected) in zip(blocks[::2], blocks[1::2], strict=True):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/quantize.md", "exec"), namespace)
        assert printed.getvalue() == expected
