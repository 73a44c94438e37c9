"""Wrong types of a topology function's arguments as the project's errors."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from ...spec.convolution import Conv
from ...spec.errors import NetworkError
from ...spec.network import Kind, Population, Projection

__all__ = ["typed"]

Function = TypeVar("Function", bound=Callable[..., Any])


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


# What an annotation allows, in words, by its text in the source: (test, words).
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "Population": (lambda v: isinstance(v, Population), "a Population"),
    "Sequence[Population]": (lambda v: _is_sequence(v) and all(isinstance(x, Population) for x in v), "Populations in a list"),
    "int": (_is_integer, "an integer"),
    "float": (lambda v: isinstance(v, numbers.Real) and not isinstance(v, bool), "a number"),
    "str": (lambda v: isinstance(v, str), "a text"),
    "bool": (lambda v: isinstance(v, bool), "True or False"),
    "Kind": (lambda v: isinstance(v, Kind), "a Kind, such as Kind.SPARSE"),
    "Projection": (lambda v: isinstance(v, Projection), "a Projection"),
    "Conv": (lambda v: isinstance(v, Conv), "a Conv"),
    "Sequence[int]": (lambda v: _is_sequence(v) and all(_is_integer(x) for x in v), "integers in a list"),
    "Sequence[Projection]": (lambda v: _is_sequence(v) and all(isinstance(x, Projection) for x in v), "Projections in a list"),
    "Mapping[str, Sequence[Any]]": (lambda v: isinstance(v, Mapping) and all(_is_sequence(x) for x in v.values()), "lists by names"),
    "Sequence[tuple[Population, Projection]]": (lambda v: _is_sequence(v) and all(isinstance(x, tuple) and len(x) == 2 for x in v),
                                                "pairs of a Population and the Projection into it, in a list"),
}


def typed(function: Function) -> Function:
    """The function, which first compares its arguments with their annotations; NetworkError names the argument, and what it must be.

    Annotations that are not in the table (Any, arrays) are left to the function.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            text = str(signature.parameters[name].annotation)
            optional = text.endswith(" | None")
            rule = _RULES.get(text.removesuffix(" | None"))
            if rule is not None and not (optional and value is None) and not rule[0](value):
                shown = str(value) if isinstance(value, Enum) else repr(value)
                raise NetworkError(f"{function.__name__}: {name} must be {rule[1]}, not {shown if len(shown) < 80 else type(value).__name__}")
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]
