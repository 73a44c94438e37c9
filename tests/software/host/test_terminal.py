"""The driver's serial port, pyserial and all, against a simulated device behind a pseudo-terminal."""

from __future__ import annotations

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.host.device import Device
from spikeloom.software.host.terminal import PseudoTerminal
from spikeloom.spec.clips import Clips

from ...linked import compiled, needs_compiler, network, shared_folder

pytestmark = needs_compiler


def test_a_serial_port_gives_the_same_answers_and_a_host_that_comes_again_finds_the_device(tmp_path_factory):
    pytest.importorskip("serial", reason="needs the extra host: pip install -c constraints.txt -e '.[host]'")
    net, rng = network(), np.random.default_rng(4)
    given = Clips.from_dense(rng.integers(1, 4, (2, 5, 8)) * (rng.random((2, 5, 8)) < 0.4))
    want = golden.run(net, given.dense())
    with PseudoTerminal(compiled(shared_folder(tmp_path_factory, "linked"), net)) as terminal:
        for _ in range(2):
            with Device.open(terminal.port) as device:
                assert [(r.answer, r.confidence) for r in device.run(given)] == list(zip(want.answers, want.confidences))
                device._transport.reopen()  # as after a cable that was pulled
                assert device.status()["chip_errors"] == 0
