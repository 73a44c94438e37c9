"""An overlay in the Amaranth simulator: networks loaded over the configuration port one after the other, each compared with the models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spikeloom.gen.overlay_chip import overlay_chip
from spikeloom.gen.overlay_fit import Loaded, fit
from spikeloom.gen.overlay_pack import overlay_image
from spikeloom.hdl.top import Chip
from spikeloom.spec.capacity import Capacity
from spikeloom.spec.network import Network

from .chip_bench import Run, compare, play
from .host_items import READ, RESET, Item, config_image, timesteps

__all__ = ["differences", "play_all"]


def play_all(capacity: Capacity, first: Network, clips: Sequence[tuple[Network, np.ndarray]], *, broken: Any = None) -> list[tuple[Loaded, Run]]:
    """Build one overlay, with ``first`` in its memories, and play each clip ``[T, C]`` on its network, loaded before. ``broken`` changes a Loaded
    before its image is made."""
    overlay = overlay_chip(capacity)
    program: list[Item] = []
    loaded = []
    for network, x in clips:
        plan = fit(overlay, network)
        loaded.append(plan)
        program += [*config_image(overlay, overlay_image(overlay, plan if broken is None else broken(plan))), RESET, *timesteps(plan.chip, x), READ]
    image = overlay_image(overlay, fit(overlay, first))
    runs = play(overlay, image, program, dut=Chip(overlay, image), max_cycles=400_000)
    assert len(runs) == 1 + len(clips)
    return list(zip(loaded, runs[1:], strict=True))


def differences(loaded: Loaded, run: Run, x: np.ndarray) -> list[str]:
    """What a run did otherwise than the golden and the cycle model say; an update of a tile that holds nothing is one, too."""
    own = {(loaded.places.index(tile), index): rows for (tile, index), rows in run.potentials.items() if tile in loaded.places}
    idle = sorted({tile for tile, _ in run.potentials if tile not in loaded.places})
    wrong = [f"tile {tile} holds nothing and updates neurons" for tile in idle]
    phases = loaded.chip.period * (len(x) - 1) + 1 + loaded.chip.levels
    if not phases <= len(run.phases) <= phases + 1:  # the RESET behind READ may end one more
        wrong.append(f"{len(run.phases)} phases, not {phases}")
    return wrong + compare(loaded.chip, loaded.network, x, replace(run, potentials=own))
