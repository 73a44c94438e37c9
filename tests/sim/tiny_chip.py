"""What tiny_chip.v must do: its manifest, and the scenario of any clips, computed with loops."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from spikeloom.sim.layout import Layout
from spikeloom.sim.scenario import Scenario

__all__ = ["manifest", "project", "scenario"]

WEIGHTS = np.array([[1, 2, 3], [3, -1, 2], [2, 2, -3]])
THETA = 5
VERILOG = Path(__file__).with_name("tiny_chip.v")


def manifest() -> dict:
    """As gen/emit.py would write it."""
    return {
        "format": 1, "name": "tiny", "top": "chip.v", "period": 1, "levels": 1,
        "streams": {
            "events": {"fields": {"population": [0, 0, False], "neuron": [0, 2, False], "payload": [2, 0, False]}},
            "control": {"fields": {"command": [0, 2, False], "count": [2, 16, False]}},
            "spikes": {"fields": {"population": [0, 0, False], "neuron": [0, 2, False], "timestep": [2, 16, False],
                                  "payload": [18, 2, False]}},
            "readouts": {"fields": {"population": [0, 0, False], "neuron": [0, 2, False], "value": [2, 17, True], "last": [19, 1, False]}},
        },
        "commands": {"STEP": 0, "FLUSH": 1, "READ": 2, "RESET": 3},
        "inputs": [{"population": "in", "size": 3, "index": 0}],
        "outputs": [{"population": "out", "size": 3, "index": 0, "readout": "count", "level": 1, "values": 3, "max_spikes": 2}],
        "answer": {"output": 0, "population": "out", "best": "largest", "widths": {"valid": 1, "index": 2, "confidence": 16}},
        "populations": [{"name": "in", "size": 3, "level": 0, "model": "input"}, {"name": "out", "size": 3, "level": 1, "model": "if"}],
        "tiles": [{"index": 0, "lanes": 2, "update_lanes": 2, "v_bits": 8,
                   "groups": [{"population": "out", "first": 0, "size": 3, "level": 1, "update_base": 0, "updates": 2}]}],
    }


def project(folder: Path, *edits: tuple[str, str]) -> tuple[Path, Layout]:
    """A project with the chip, its Verilog changed by ``edits`` (text, new text), each of which must occur."""
    verilog = VERILOG.read_text()
    for old, new in edits:
        assert old in verilog
        verilog = verilog.replace(old, new)
    (folder / "chip.v").write_text(verilog)
    (folder / "manifest.json").write_text(json.dumps(manifest()))
    return folder, Layout.read(folder / "manifest.json")


def scenario(x: np.ndarray) -> Scenario:
    """Events ``x`` ``[N, T, 3]`` (0 or 1) and what must come of them."""
    n, n_steps, _ = x.shape
    potentials = np.zeros((n, n_steps, 3), dtype=np.int32)
    counts, cycles = np.zeros((n, 3), dtype=np.int64), np.zeros((n, n_steps + 1), dtype=np.int64)
    spikes = []
    for clip in range(n):
        v, fired = np.zeros(3, dtype=int), np.zeros(3, dtype=int)
        sent = -1  # nothing was computed in phase 0
        for step in range(n_steps):
            events = int(x[clip, step].sum())
            # idle: at once, or after two beats and the spikes; STEP is pending in the cycle after the one behind the last event.
            cycles[clip, step] = max(1 if sent < 0 else 3 + sent, events + 1) + 1
            v = v - THETA * fired + WEIGHTS @ x[clip, step]
            fired = np.clip(v // THETA, 0, 2)
            potentials[clip, step] = v
            counts[clip] += fired
            spikes += [(clip, step + 1, 0, neuron, step, fired[neuron]) for neuron in np.flatnonzero(fired)]
            sent = np.count_nonzero(fired)
        cycles[clip, n_steps] = 3 + sent + 1
    clip, step, neuron = np.nonzero(x)
    per_step = np.bincount(clip * n_steps + step, minlength=n * n_steps)
    return Scenario(
        n_clips=n, n_steps=n_steps, event_offset=np.concatenate([[0], np.cumsum(per_step)]), event_population=np.zeros(len(clip), np.int32),
        event_neuron=neuron.astype(np.int32), event_payload=np.ones(len(clip), np.int32),
        spikes=np.array(spikes, dtype=np.int64).reshape(-1, 6), potentials=potentials,
        readout_index=np.array([[0, i] for i in range(3)], dtype=np.int32), readout_values=counts, phase_cycles=cycles,
        answers=np.array([(1, np.argmax(c), np.sort(c)[-1] - np.sort(c)[-2]) for c in counts]), sops=3 * x.sum(axis=(1, 2)),
        group_events=np.zeros((n, 0), np.int64), work=np.zeros((n, 0, 4), np.int64))
