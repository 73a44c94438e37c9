"""The driver for asyncio: the same device, its waiting in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from ...spec.clips import Clips
from ...spec.network import Network
from .device import ClipResult, Device
from .identity import Identity
from .program import Program
from .records import Record

__all__ = ["AsyncDevice"]

_T = TypeVar("_T")


class AsyncDevice:
    """A :class:`~.device.Device` whose methods are awaited. One at a time reaches the device; the others wait for their turn."""

    def __init__(self, device: Device) -> None:
        self._device, self._turn = device, asyncio.Lock()

    @classmethod
    async def open(cls, target: str, **options: Any) -> AsyncDevice:
        """See :meth:`.Device.open`."""
        return cls(await asyncio.to_thread(Device.open, target, **options))

    async def _do(self, function: Callable[..., _T], *args: Any, **options: Any) -> _T:
        async with self._turn:
            return await asyncio.to_thread(function, *args, **options)

    @property
    def identity(self) -> Identity:
        """What the device is."""
        return self._device.identity

    async def load(self, program: Program | Network, *, verify: bool = True) -> int:
        """See :meth:`.Device.load`."""
        return await self._do(self._device.load, program, verify=verify)

    async def status(self) -> dict[str, int]:
        """See :meth:`.Device.status`."""
        return await self._do(self._device.status)

    async def execute(self, operations: Iterable[bytes]) -> list[Record]:
        """See :meth:`.Device.execute`."""
        return await self._do(self._device.execute, operations)

    async def run(self, clips: Clips, *, spikes: bool = False) -> AsyncIterator[ClipResult]:
        """See :meth:`.Device.run`."""
        results = self._device.run(clips, spikes=spikes)
        while (result := await self._do(next, results, None)) is not None:
            yield result

    async def reset(self) -> None:
        """See :meth:`.Device.reset`."""
        await self._do(self._device.reset)

    async def play(self, payloads: np.ndarray, *, spikes: bool = False) -> ClipResult:
        """See :meth:`.Device.play`."""
        return await self._do(self._device.play, payloads, spikes=spikes)

    async def close(self) -> None:
        """Let go of the device."""
        await self._do(self._device.close)

    async def __aenter__(self) -> AsyncDevice:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
