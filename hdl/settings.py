"""Settings of an overlay: the registers that say what network it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth import *
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..spec.chip import ChipSpec
from ..spec.settings import WORD, settings_fields, settings_words

__all__ = ["Settings", "settings_layout", "tile_settings_layout"]


def _layout(fields: Any) -> data.StructLayout | Shape:
    if isinstance(fields, tuple):
        bits, sign = fields
        return signed(bits) if sign else unsigned(bits)
    parts = fields.items() if isinstance(fields, Mapping) else ((str(k), part) for k, part in enumerate(fields))
    return data.StructLayout({name: _layout(part) for name, part in parts})


def settings_layout(chip: ChipSpec) -> data.StructLayout:
    """All settings of a chip, in the order of :func:`~spikeloom.spec.settings.settings_fields`; what is a list there has the members "0", "1", ..."""
    layout = _layout(settings_fields(chip))
    assert isinstance(layout, data.StructLayout)
    return layout


def tile_settings_layout(chip: ChipSpec, number: int) -> data.StructLayout:
    """Those of one tile."""
    layout = _layout(settings_fields(chip)["tiles"][number])
    assert isinstance(layout, data.StructLayout)
    return layout


class Settings(wiring.Component):
    """A register for each setting. A word written in cycle c acts from c + 1 on: only a chip at rest may be given one, and needs a RESET then.

    They keep what they hold over a reset, as memories do, and begin with what they are made with.

    Parameters
    ----------
    chip : an overlay.
    init : words of the settings at power-up.

    Members
    -------
    w_valid, address, w_data : a word is written.
    r_data : the word of the address in the cycle before.
    values : see :func:`settings_layout`.
    """

    def __init__(self, chip: ChipSpec, init):
        self._layout, self._n_words = settings_layout(chip), settings_words(chip)
        self._init = sum(word << (WORD * k) for k, word in enumerate(init))
        super().__init__({"w_valid": In(1), "address": In(20), "w_data": In(WORD), "r_data": Out(WORD), "values": Out(self._layout)})

    def elaborate(self, platform):
        m = Module()
        held = Signal(self._layout.size, init=self._init & ((1 << self._layout.size) - 1), reset_less=True)
        m.d.comb += self.values.as_value().eq(held)
        words = [held[WORD * k:WORD * (k + 1)] for k in range(self._n_words)]
        for k, word in enumerate(words):
            with m.If(self.w_valid & (self.address == k)):
                m.d.sync += word.eq(self.w_data)
        m.d.sync += self.r_data.eq(Array(words)[self.address[:max((self._n_words - 1).bit_length(), 1)]])
        return m
