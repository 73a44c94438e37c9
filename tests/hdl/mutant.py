"""A class or function again, with one expression of its source changed: for tests that must find that it is broken."""

from __future__ import annotations

import inspect
import textwrap
from types import ModuleType
from typing import Any

__all__ = ["mutant"]


def mutant(owner: ModuleType | type, name: str, old: str, new: str) -> Any:
    """What is ``name`` in a module or a class, with ``old``, which must be in it once, replaced."""
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {name}"
    names = dict(vars(inspect.getmodule(owner)))
    exec(source.replace(old, new), names)
    return names[name]
