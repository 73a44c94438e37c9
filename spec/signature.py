"""Order-independent signature of a chip's output: what the self-test in the bitstream compares.

The sum modulo 2**32, over all output events and readouts, of an xorshift of a word made of each. Tiles may deliver the events of a
timestep in any order, so the order must not count.
"""

from __future__ import annotations

import numpy as np

__all__ = ["PAYLOAD_SHIFT", "READOUT_MARK", "mix", "readout_words", "signature", "spike_words"]

_MASK = 0xFFFFFFFF
READOUT_MARK = 0x5BD1E995  # tells a readout's word from a spike's
PAYLOAD_SHIFT = 24  # place of a spike's payload in its word


def mix(words: np.ndarray) -> np.ndarray:
    """Xorshift of ``[n], uint64`` words below 2**32 (Marsaglia, "Xorshift RNGs", 2003, triple 13, 17, 5)."""
    words = words ^ (words << np.uint64(13)) & np.uint64(_MASK)
    words = words ^ (words >> np.uint64(17))
    return words ^ (words << np.uint64(5)) & np.uint64(_MASK)


def spike_words(population, neuron, timestep, payload=1) -> np.ndarray:
    """One word per output event; the payload is 1..255, and 1 leaves the word as it is without."""
    population, neuron, timestep, payload = (np.asarray(a, dtype=np.uint64) for a in (population, neuron, timestep, payload))
    return (((timestep & np.uint64(0xFFFF)) << np.uint64(16)) ^ (population << np.uint64(12)) ^ neuron
            ^ ((payload ^ np.uint64(1)) << np.uint64(PAYLOAD_SHIFT)))


def readout_words(population, neuron, value) -> np.ndarray:
    """One word per readout; a value is taken modulo 2**32."""
    population, neuron = (np.asarray(a, dtype=np.uint64) for a in (population, neuron))
    low = (np.asarray(value, dtype=np.int64) & _MASK).astype(np.uint64)
    return low ^ (neuron << np.uint64(16)) & np.uint64(_MASK) ^ (population << np.uint64(28)) & np.uint64(_MASK) ^ np.uint64(READOUT_MARK)


def signature(*words: np.ndarray) -> int:
    """Signature of all these words."""
    return int(sum(int(mix(w).sum(dtype=np.uint64)) for w in words)) & _MASK
