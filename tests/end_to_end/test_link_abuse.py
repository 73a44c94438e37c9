"""The link under abuse: no wrong result, no lost event, no hang, every error counted; and mutants of the hardware that it finds."""

from __future__ import annotations

import pytest

from ..linked import compiled, needs_compiler, network, shared_folder
from .link_abuse import abuse

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return shared_folder(tmp_path_factory, "linked")


def seen_all(counts: dict[str, int]) -> bool:
    return all(counts.get(name, 0) > 0 for name in ("damaged", "cut", "repeated", "out_of_sequence", "refused", "full"))


def test_five_hundred_frames(folder):
    assert seen_all(abuse(compiled(folder, network()), network(), 500, seed=1))


@pytest.mark.slow
def test_ten_thousand_frames(folder):
    counts = abuse(compiled(folder, network()), network(), 10_000, seed=2)
    assert seen_all(counts) and sum(counts.values()) > 5000
