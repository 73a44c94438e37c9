"""What plays the timesteps of a stream: the golden model, a device, or both side by side."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ...sim import golden
from ...spec.errors import MismatchError
from ...spec.network import Network
from ..host.device import Device

__all__ = ["Beside", "DevicePlayer", "GoldenPlayer", "Player"]


class Player(Protocol):
    """Plays timesteps one after the other, and keeps the states between."""

    def reset(self) -> None:
        """Back to cleared states and readouts."""

    def play(self, payloads: np.ndarray, again: bool = False) -> np.ndarray:
        """Further timesteps ``[T, C]``, or some that were played ``again``; the readouts that answer behind them, ``[values], int64``,
        since the reset."""


class GoldenPlayer:
    """See :class:`Player`. With ``record``, :attr:`spikes` holds all that was fired, each timestep once: population -> a list of pieces
    ``[T, size]``."""

    def __init__(self, network: Network, *, record: bool = False) -> None:
        self._network, self._record = network, record
        self.spikes: dict[str, list[np.ndarray]] = {}
        self.reset()

    def reset(self) -> None:
        self._state: golden.State | None = None

    def play(self, payloads: np.ndarray, again: bool = False) -> np.ndarray:
        result = golden.run(self._network, payloads[None], state=self._state, record=self._record and not again)
        self._state = result.state
        for name, fired in result.spikes.items():
            self.spikes.setdefault(name, []).append(fired[0])
        return list(result.readouts.values())[-1][0]


class DevicePlayer:
    """See :class:`Player`; the network must have been loaded."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self.reset()

    def reset(self) -> None:
        self._device.reset()

    def play(self, payloads: np.ndarray, again: bool = False) -> np.ndarray:
        return list(self._device.play(payloads).readouts.values())[-1]


class Beside:
    """See :class:`Player`. The golden model runs beside a device; raises MismatchError where their readouts differ."""

    def __init__(self, device: Player, golden_player: GoldenPlayer) -> None:
        self._device, self._golden, self._step = device, golden_player, 0

    def reset(self) -> None:
        self._device.reset()
        self._golden.reset()

    def play(self, payloads: np.ndarray, again: bool = False) -> np.ndarray:
        self._step += 0 if again else len(payloads)
        found, expected = self._device.play(payloads, again), self._golden.play(payloads, again)
        wrong = np.flatnonzero(found != expected)
        if len(wrong):
            raise MismatchError(f"Behind timestep {self._step} the device's readout {wrong[0]} is {found[wrong[0]]}, and the golden model's "
                                f"{expected[wrong[0]]} "
                                f"({len(wrong)} such readouts); load the network again, and see whether the board is clocked too fast")
        return found
