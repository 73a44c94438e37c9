"""Operations of an EXCHANGE as bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ...spec.link import Op

__all__ = ["control", "digest", "events", "fetch", "mark", "pieces", "report", "select", "step", "timesteps", "write"]

MOST_WORDS = (1 << 16) - 1  # of one FETCH or DIGEST


def events(population: np.ndarray | Sequence[int], neuron: np.ndarray | Sequence[int], payload: np.ndarray | Sequence[int]) -> list[bytes]:
    """An operation per event, each in its shortest form.

    Parameters
    ----------
    population : number of the input population, 0..255.
    neuron : 0..65,535.
    payload : -32,768..32,767.

    Raises ValueError for a number that the link cannot carry.
    """
    out = []
    for p, n, value in zip(population, neuron, payload, strict=True):
        p, n, value = int(p), int(n), int(value)
        if not (0 <= p < 256 and 0 <= n < 1 << 16 and -(1 << 15) <= value < 1 << 15):
            raise ValueError(f"Event must have a population of 0..255, a neuron of 0..65535 and a payload of 16 bits, not {(p, n, value)}")
        if p:
            out.append(bytes([Op.ANY]) + n.to_bytes(2, "little") + value.to_bytes(2, "little", signed=True) + bytes([p]))
        elif value == 1:
            out.append(bytes([Op.EVENT]) + n.to_bytes(2, "little"))
        elif -128 <= value < 128:
            out.append(bytes([Op.VALUE]) + n.to_bytes(2, "little") + value.to_bytes(1, "little", signed=True))
        else:
            out.append(bytes([Op.ANY]) + n.to_bytes(2, "little") + value.to_bytes(2, "little", signed=True) + b"\0")
    return out


def step(count: int = 1) -> bytes:
    """End the timestep, and ``count`` - 1 more without events; 1..65,535."""
    if not 1 <= count < 1 << 16:
        raise ValueError(f"Timesteps of a STEP must be 1 to 65535, not {count}")
    return bytes([Op.STEP]) + count.to_bytes(2, "little")


def timesteps(given: Sequence[bytes], of: np.ndarray, n_steps: int) -> list[bytes]:
    """``n_steps`` timesteps and their events; ``of`` ``[events]``, ascending, says which of them each is of."""
    edges = np.searchsorted(of, np.arange(n_steps + 1))
    out: list[bytes] = []
    for t in range(n_steps):
        out += [*given[edges[t]:edges[t + 1]], step()]
    return out


def control(op: Op) -> bytes:
    """FLUSH, READ, RESET or COUNTERS."""
    return bytes([op])


def report(spikes: bool) -> bytes:
    """Whether spikes become records; off after RESTART."""
    return bytes([Op.REPORT, int(spikes)])


def mark(value: int) -> bytes:
    """A record when all before it is done; 0..255."""
    return bytes([Op.MARK, value])


def select(tile: int, memory: int, address: int) -> bytes:
    """What WORDs, FETCH and DIGEST are about from here on."""
    return bytes([Op.SELECT, tile, memory]) + address.to_bytes(3, "little")


def write(words: Iterable[int], width: int) -> list[bytes]:
    """An operation list per word of ``width`` bits: its parts, lowest first."""
    parts = -(-width // 32)
    out = []
    for word in words:
        pieces_of = [bytes([Op.LAST if k == parts - 1 else Op.PART]) + (word >> 32 * k & 0xFFFFFFFF).to_bytes(4, "little") for k in range(parts)]
        out.append(b"".join(pieces_of))
    return out


def fetch(count: int) -> bytes:
    """So many words become records; at most 65,535."""
    return bytes([Op.FETCH]) + count.to_bytes(2, "little")


def digest(count: int) -> bytes:
    """One record with the CRC-32 of so many words, each as its parts of 32 bits, low byte first; at most 65,535 words."""
    return bytes([Op.DIGEST]) + count.to_bytes(2, "little")


def pieces(operations: Iterable[bytes], most: int) -> list[bytes]:
    """The same operations joined into bodies of at most ``most`` bytes, none of them cut."""
    out: list[bytearray] = []
    for operation in operations:
        if not out or len(out[-1]) + len(operation) > most:
            out.append(bytearray())
        out[-1] += operation
    return [bytes(body) for body in out]
