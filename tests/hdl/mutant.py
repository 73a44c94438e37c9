"""A class again, with one expression of its source changed: for tests that must find that it is broken."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

__all__ = ["mutant"]


def mutant(module: ModuleType, name: str, old: str, new: str) -> Any:
    """Class ``name`` of a module with ``old``, which must be in it once, replaced."""
    source = inspect.getsource(getattr(module, name))
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in {name}"
    names = dict(vars(module))
    exec(source.replace(old, new), names)
    return names[name]
