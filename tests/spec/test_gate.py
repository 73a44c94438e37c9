"""The table of a gate: the sigmoid at the centre of what each index stands for."""

import math

import numpy as np
import pytest

from spikeloom.spec.arithmetic import Rounding, round_shift
from spikeloom.spec.gate import GATE_BITS, GATE_RANGE, gate_table
from spikeloom.spec.population import Model, Population


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def test_entries_are_the_sigmoid_in_256_steps():
    table = gate_table(5, 0.5)
    assert table.dtype == np.int64 and table.shape == (32,)
    assert table.tolist() == [min(round(256 * sigmoid(0.5 * (j - 16))), 255) for j in range(32)]
    assert table[16] == 128 and (np.diff(table) >= 0).all()


def test_the_default_reaches_over_the_range_of_the_documentation():
    assert gate_table().tolist() == gate_table(GATE_BITS, GATE_RANGE / 2 ** (GATE_BITS - 1)).tolist()
    assert gate_table()[0] == round(256 * sigmoid(-GATE_RANGE))


def test_both_ends_stay_within_a_byte_however_large_the_argument():
    table = gate_table(12, 1000.0)
    assert (table[0], table[2048], table[-1]) == (0, 128, 255)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("shift", (1, 4))
def test_an_entry_is_the_sigmoid_of_the_mean_argument_that_leads_to_it(rounding, shift):
    bits, unit = 5, 0.4 / (1 << shift)
    table = gate_table(bits, unit * (1 << shift), rounding)
    arguments = np.arange(-(14 << shift), (14 << shift) + 1)
    index = round_shift(arguments, shift, rounding) + (1 << (bits - 1))
    for j in np.unique(index)[1:-1]:  # the outermost are cut by the range of arguments
        # A whole number of arguments: their mean lies half a unit below (nearest, floor) the centre of the reals that lead there.
        mean = arguments[index == j].mean() * unit
        assert abs(table[j] - 256 * sigmoid(mean)) <= 0.5 + 256 * 0.25 * unit


@pytest.mark.parametrize("wrong", (0, 13))
def test_bits_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"^Bits of a gate table must be 1 to 12, not {wrong}$"):
        gate_table(wrong)


@pytest.mark.parametrize("wrong", (0.0, -1.0, math.inf, math.nan))
def test_a_scale_that_is_no_scale_is_refused(wrong):
    with pytest.raises(ValueError, match=f"^Scale of a gate table must be a number above 0, not {wrong}$"):
        gate_table(6, wrong)


def test_a_population_takes_it_as_it_is():
    p = Population(name="y", size=2, model=Model.SPIKGRU, gate_table=gate_table())
    assert p.gate_table.tolist() == gate_table().tolist()
