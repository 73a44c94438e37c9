"""What users read is finished: no mark where a number should be, no table left empty, no link to a file that is not there."""

import re

import pytest

PAGES = ("README.md", "CHANGES.md", "docs/aer.md", "docs/architecture.md", "docs/axi.md", "docs/boards.md",
         "docs/numerics.md", "docs/data.md", "docs/energy.md", "docs/faults.md", "docs/formal.md",
         "docs/import.md", "docs/integration.md", "docs/link.md", "docs/overlay.md",
         "docs/performance.md", "docs/quantize.md", "docs/topology.md", "models/kws-small.md")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_finished(root, page):
    text = (root / page).read_text(encoding="utf-8")
    assert not re.search(r"@[A-Z]{2,}@", text)
    assert not re.search(r"<!--[^>]*-->\s*<!-- end -->", text)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert ((root / page).parent / target).exists(), target


def test_an_unfinished_page_would_be_seen():
    assert re.search(r"@[A-Z]{2,}@", "so many: @NUMBERS@") and re.search(r"<!--[^>]*-->\s*<!-- end -->", "<!-- bench: area -->\n<!-- end -->")
