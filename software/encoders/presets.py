"""Descriptions of front ends that others have published."""

from __future__ import annotations

__all__ = ["NEUROBENCH"]

#: Of NeuroBench's keyword network (../shared/truth/README.md): 16 kHz, 201 frames of 5 ms, 20 bands, delta events of the natural logarithm.
NEUROBENCH = {"kind": "delta", "features": {"kind": "mel", "sample_rate_hz": 16000, "frames": 201, "bands": 20, "hop": 80, "window": 512,
                                            "low_hz": 20, "high_hz": 4000, "floor": 1e-6, "centred": True}}
