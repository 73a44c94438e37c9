"""Checkers of AXI handshakes, clock by clock: what Arm IHI 0022 and IHI 0051 demand of every sender, and of a subordinate's responses.

Plain Python: the benches feed it what they sample at each rising edge, and its own tests feed it broken traces.
"""

from __future__ import annotations

__all__ = ["Channel", "Responses"]


class Channel:
    """One channel: an offer stays as it is until it is taken; none is made in reset; VALID and READY are known.

    ``texts`` are the violations found so far.
    """

    def __init__(self, name: str) -> None:
        self.name, self.texts = name, []
        self._clock, self._offered, self._in_reset = 0, None, False

    def step(self, in_reset: bool, valid: int | None, ready: int | None, payload: object) -> bool:
        """One rising edge; None is an X. Returns whether there is a transfer."""
        self._clock += 1
        if in_reset or self._in_reset:
            # Sampled synchronously: the edge at which reset is seen may still show an offer, those after it must not.
            if in_reset and self._in_reset and valid != 0:
                self._complain(f"VALID is {valid} in reset")
            self._offered, self._in_reset = None, in_reset
            return False
        if valid is None or (valid and ready is None):
            self._complain("VALID or READY is unknown")
            return False
        if self._offered is not None:
            if not valid:
                self._complain(f"the offer of {self._offered[0]} was withdrawn")
            elif payload != self._offered[0]:
                self._complain(f"the offer of {self._offered[0]} became {payload}")
        self._offered = (payload,) if valid and not ready else None
        return bool(valid and ready)

    def _complain(self, text: str) -> None:
        self.texts.append(f"{self.name}, clock {self._clock}: {text}")


class Responses:
    """Responses of a direction: one for each request, never before all parts of the request were taken (so VALID may not come before, either)."""

    def __init__(self, name: str, parts: int) -> None:
        self.name, self.texts = name, []
        self._requests, self._responses = [0] * parts, 0

    def step(self, requested: tuple[bool, ...], offered: bool, taken: bool) -> None:
        """One rising edge: which parts of a request were taken, and whether a response is offered and taken."""
        if offered and self._responses >= min(self._requests):
            self.texts.append(f"{self.name}: response {self._responses + 1} is offered, with {min(self._requests)} requests")
        self._responses += taken
        self._requests = [count + int(now) for count, now in zip(self._requests, requested)]

    def end(self) -> None:
        """Nothing more comes: every request has its response."""
        if set(self._requests) != {self._responses}:
            self.texts.append(f"{self.name}: {self._requests} requests and {self._responses} responses")
