"""The integer decay nearest to a float beta, and how far it is off."""

from __future__ import annotations

from dataclasses import dataclass

from ..spec.arithmetic import Decay
from ..spec.errors import NetworkError

__all__ = ["DecayChoice", "choose_decay"]

MAX_FRACTION_BITS = 12
MIN_FRACTION_BITS = 8
GAIN_TOLERANCE = 0.005  # of the gain 1 / (1 - beta) of a constant input, up to which fewer fraction bits are taken


@dataclass(frozen=True, kw_only=True)
class DecayChoice:
    """A decay, the beta that was asked for, and the error."""

    decay: Decay
    beta: float

    @property
    def absolute_error(self) -> float:
        """Beta of the decay minus the beta asked for."""
        return self.decay.beta - self.beta

    @property
    def relative_error(self) -> float:
        """Absolute error over beta (0 where beta is 0 and met exactly)."""
        return 0.0 if self.absolute_error == 0 else self.absolute_error / self.beta if self.beta else float("inf")

    @property
    def gain_error(self) -> float:
        """Relative error of the gain 1 / (1 - beta) of a constant input: 0.01 lifts v by 1 % in the long run."""
        return 0.0 if self.absolute_error == 0 else (1 - self.beta) / (1 - self.decay.beta) - 1 if self.decay.beta < 1 else float("inf")


def choose_decay(beta: float, kind: str = "multiply", fraction_bits: int | None = None) -> DecayChoice:
    """The decay of a kind that comes nearest to ``beta`` (0..1; 1 is the identity, without error).

    Parameters
    ----------
    kind : ``"multiply"``, factor / 2**fraction_bits, or ``"shift"``, 1 - 2**-a or 1 - 2**-a - 2**-b with shifts of 1 to 15.
    fraction_bits : of a multiplier, 8 to 12; None takes the fewest whose gain error is at most 0.5 %, or else 12.

    Raises NetworkError for another kind, beta or fraction_bits.
    """
    if not 0.0 <= beta <= 1.0:
        raise NetworkError(f"Beta must be 0 to 1, not {beta}")
    if kind not in ("multiply", "shift"):
        raise NetworkError(f"Decay must be multiply or shift, not {kind!r}")
    if fraction_bits is not None and not MIN_FRACTION_BITS <= fraction_bits <= MAX_FRACTION_BITS:
        raise NetworkError(f"Fraction bits of a decay must be {MIN_FRACTION_BITS} to {MAX_FRACTION_BITS}, not {fraction_bits}")
    if beta == 1.0:
        return DecayChoice(decay=Decay(), beta=beta)
    if kind == "shift":
        return _shifts(beta)
    if fraction_bits is not None:
        return _multiplier(beta, fraction_bits)
    choices = [_multiplier(beta, bits) for bits in range(MIN_FRACTION_BITS, MAX_FRACTION_BITS + 1)]
    return next((c for c in choices if abs(c.gain_error) <= GAIN_TOLERANCE), choices[-1])


def _multiplier(beta: float, bits: int) -> DecayChoice:
    # A beta below 1 stays below 1: a leak that vanished would let v grow without bound.
    factor = min(round(beta * (1 << bits)), (1 << bits) - 1)
    return DecayChoice(decay=Decay(factor=factor, fraction_bits=bits), beta=beta)


def _shifts(beta: float) -> DecayChoice:
    decays = [Decay(shift_a=a) for a in range(1, 16)]
    decays += [Decay(shift_a=a, shift_b=b) for a in range(1, 16) for b in range(a, 16)]
    # One shift costs less than two: of equals the first wins, and the single shifts come first.
    return min((DecayChoice(decay=d, beta=beta) for d in decays), key=lambda c: abs(c.absolute_error))
