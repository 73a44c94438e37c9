"""Layout of the flits that carry events between tiles."""

from __future__ import annotations

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream

from ..spec.chip import FlitSpec

__all__ = ["flit_layout", "flit_stream"]


def flit_layout(spec: FlitSpec) -> data.StructLayout:
    """{key, neuron, time, payload}; a field of width 0 stays, so that every module can name it."""
    payload = signed(spec.payload_bits) if spec.payload_signed and spec.payload_bits else unsigned(spec.payload_bits)
    return data.StructLayout({"key": unsigned(spec.key_bits), "neuron": unsigned(spec.neuron_bits), "time": unsigned(spec.time_bits),
                              "payload": payload})


def flit_stream(spec: FlitSpec) -> stream.Signature:
    """The stream signature of every link."""
    return stream.Signature(flit_layout(spec))
