"""The integer decay nearest to a float beta, or to one of each neuron, and how far it is off."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..spec.arithmetic import Decay
from ..spec.errors import NetworkError

__all__ = ["DecayChoice", "choose_decay", "choose_decays"]

MAX_FRACTION_BITS = 12
MIN_FRACTION_BITS = 8
GAIN_TOLERANCE = 0.005  # of the gain 1 / (1 - beta) of a constant input, up to which fewer fraction bits are taken


@dataclass(frozen=True, kw_only=True, eq=False)
class DecayChoice:
    """A decay, what was asked for, and the errors: of many neurons, those of the one whose gain error is the largest.

    Parameters
    ----------
    decay : of the population.
    beta : that was asked for; of many the one whose error is reported.
    factors : ``[size], int64``, the factor of each neuron where they differ (``Population.beta`` or ``alpha``), else None.
    betas : smallest and largest beta that was asked for.
    chosen : beta of the neuron that is reported, as it became.
    """

    decay: Decay
    beta: float
    factors: np.ndarray | None = None
    betas: tuple[float, float] | None = None
    chosen: float | None = None

    @property
    def beta_integer(self) -> float:
        """What ``beta`` became."""
        return self.decay.beta if self.chosen is None else self.chosen

    @property
    def absolute_error(self) -> float:
        """Beta of the decay minus the beta asked for."""
        return self.beta_integer - self.beta

    @property
    def relative_error(self) -> float:
        """Absolute error over beta (0 where beta is 0 and met exactly)."""
        return 0.0 if self.absolute_error == 0 else self.absolute_error / self.beta if self.beta else float("inf")

    @property
    def gain_error(self) -> float:
        """Relative error of the gain 1 / (1 - beta) of a constant input: 0.01 lifts v by 1 % in the long run."""
        return _gain_error(self.beta, self.beta_integer)

    def of_each(self, size: int) -> np.ndarray:
        """Beta of each neuron as it became, ``[size], float64``."""
        if self.factors is None or self.decay.fraction_bits is None:
            return np.full(size, self.decay.beta)
        return self.factors / (1 << self.decay.fraction_bits)

    def text(self) -> str:
        """How it is written in a report: ``none``, ``230/256``, ``1 - 2^-4``, ``3000..3900/4096``."""
        d = self.decay
        if d.kind == "shift":
            return f"1 - 2^-{d.shift_a}" + (f" - 2^-{d.shift_b}" if d.shift_b else "")
        if d.kind == "none":
            return "none"
        return (f"{d.factor}" if self.factors is None else f"{self.factors.min()}..{self.factors.max()}") + f"/{1 << (d.fraction_bits or 0)}"


def _gain_error(asked: float, became: float) -> float:
    return 0.0 if became == asked else (1 - asked) / (1 - became) - 1 if became < 1 else float("inf")


def choose_decays(betas: np.ndarray | float, kind: str = "multiply", fraction_bits: int | None = None) -> DecayChoice:
    """As :func:`choose_decay`, for a beta of each neuron, ``[size]``, or one for all.

    A multiplier takes a factor per neuron where they differ. Shifts are the same for all neurons of a population: those whose largest gain error is
    the smallest.
    """
    values = np.asarray(betas, np.float64)
    unique = np.unique(values)
    if unique.size == 1:
        # A float32 0.9 is 0.89999998: the nearest short decimal is what was meant.
        one = float(unique[0])
        return choose_decay(one if isinstance(betas, float) else float(f"{one:.7g}"), kind, fraction_bits)
    bits = [fraction_bits] if fraction_bits is not None else list(range(MIN_FRACTION_BITS, MAX_FRACTION_BITS + 1))
    if kind == "shift":
        spread = (choose_decay(float(b), kind) for b in np.linspace(unique[0], unique[-1], 33))  # the best lies among those of a beta between
        candidates = (_worst(DecayChoice(decay=c.decay, beta=c.beta), unique, unique * 0 + c.decay.beta) for c in spread)
        return min(candidates, key=lambda c: abs(c.gain_error))
    choose_decay(float(unique[0]), kind, fraction_bits)  # refuses a kind or bits out of range
    choice = None
    for n in bits:
        factors = np.where(values == 1.0, 1 << n, np.minimum(np.rint(values * (1 << n)), (1 << n) - 1)).astype(np.int64)
        decay = Decay(factor=int(factors.max()), fraction_bits=n)
        alike = bool((factors == factors[0]).all())
        choice = _worst(DecayChoice(decay=decay, beta=0.0, factors=None if alike else factors), values, factors / (1 << n))
        if abs(choice.gain_error) <= GAIN_TOLERANCE:
            break
    assert choice is not None
    return choice


def _worst(choice: DecayChoice, asked: np.ndarray, became: np.ndarray) -> DecayChoice:
    """The choice with the errors of the worst neuron."""
    k = max(range(asked.size), key=lambda n: abs(_gain_error(float(asked[n]), float(became[n]))))
    return replace(choice, beta=float(asked[k]), chosen=float(became[k]), betas=(float(asked.min()), float(asked.max())))


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
