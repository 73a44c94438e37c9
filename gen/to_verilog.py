"""A component's Verilog, the same bytes on every machine and after every other build of a process."""

from __future__ import annotations

import os

from amaranth.back import verilog
from amaranth.lib import wiring

__all__ = ["to_verilog"]

_WHICH = "AMARANTH_USE_YOSYS"


def to_verilog(component: wiring.Component, name: str) -> str:
    """Verilog of ``component`` as the module ``name``: no paths, no dates, no attributes of our sources, no version of the tool.

    Another yosys writes the same modules in another order. Amaranth would take one that it finds first (``PATH``, or the variable ``YOSYS``), so
    it is told to take the one that comes with it.
    """
    before = os.environ.get(_WHICH)
    os.environ[_WHICH] = "builtin"
    try:
        text = verilog.convert(component, name=name, emit_src=False, strip_internal_attrs=True)
    finally:
        if before is None:
            del os.environ[_WHICH]
        else:
            os.environ[_WHICH] = before
    return text.split("\n", 1)[1]  # the first line names the version of the Verilog back end
