"""What goes onto a board: the self-test of a project, or its chip behind the host link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..boards.board import Board
from ..sim.scenario import Scenario
from ..spec.chip import ChipSpec
from ..spec.image import MemoryImage

if TYPE_CHECKING:
    from ..hdl.link.linked_chip import LinkedChip

__all__ = ["link_top", "self_test_top"]


def link_top(board: Board, device: LinkedChip, pll: Any) -> Any:
    """A chip behind its host link, on the board's serial port; ``pll`` as of :func:`~spikeloom.boards.flow.board_pll`."""
    from ..boards.top import LinkTop

    return LinkTop(board, device, pll)


def self_test_top(board: Board, chip: ChipSpec, image: MemoryImage, scenario: Scenario, pll: Any) -> Any:
    """The self-test that plays the first clip of a scenario."""
    from ..boards.top import SelfTestTop
    from ..hdl.self_test import SelfTest, program_words
    from ..spec.signature import readout_words, signature, spike_words

    steps: list[list[tuple[int, int, int]]] = []
    for t in range(scenario.n_steps):
        lo, hi = scenario.event_offset[t], scenario.event_offset[t + 1]
        steps.append([(int(scenario.event_population[k]), int(scenario.event_neuron[k]), int(scenario.event_payload[k])) for k in range(lo, hi)])
    spikes = scenario.spikes[scenario.spikes[:, 0] == 0]
    expected = signature(spike_words(*spikes[:, 2:].T),
                         readout_words(scenario.readout_index[:, 0], scenario.readout_index[:, 1], scenario.readout_values[0]))
    return SelfTestTop(board, SelfTest(chip, image, program_words(chip, steps), expected), pll)
