"""Scores of a window: what readouts gain, restarts before they could saturate, windows that are clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.sim import golden
from spikeloom.software.stream.answering import answering
from spikeloom.software.stream.players import GoldenPlayer
from spikeloom.software.stream.scores import CarriedScores, SlidScores
from spikeloom.spec.errors import NetworkError
from spikeloom.spec.network import Network, Population, Readout

from ...linked import network

WINDOW, EVERY = 12, 3


def payloads(n: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(1, 4, (n, 8)) * (rng.random((n, 8)) < 0.4)).astype(np.int16)


def with_last(net: Network, **changes: object) -> Network:
    return replace(net, populations=(*net.populations[:-1], replace(net.populations[-1], **changes)))


def read_as(readout: Readout) -> Network:
    net = network()
    if readout in (Readout.SUM, Readout.LAST, Readout.MAX):
        return with_last(net, readout=readout)
    y = net.populations[-1]
    fires = Population(name="y", size=4, decay=y.decay, model=net.populations[1].model, v_bits=12, theta=25, readout=readout,
                       **({"classes": np.array([0, 1, 1, 0])} if readout is Readout.VOTE else {}))
    return replace(net, populations=(*net.populations[:-1], fires))


def pieces(x: np.ndarray, sizes: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(x, np.cumsum(sizes))


@pytest.mark.parametrize("readout", [Readout.SUM, Readout.COUNT, Readout.VOTE, Readout.LAST])
def test_scores_are_what_the_window_gave_with_states_carried_on(readout: Readout) -> None:
    net, x = read_as(readout), payloads(100)
    scores = CarriedScores(net, GoldenPlayer(net), WINDOW, EVERY)
    found = [item for piece in pieces(x, (1, 10, 2, 40)) for item in scores.push(piece)]
    assert [step for step, _ in found] == list(range(3, 100, 3))
    nonzero = 0
    for step, values in found:
        behind = golden.run(net, x[None, :step]).readouts["y"][0]
        if readout is not Readout.LAST and step > WINDOW:
            behind = behind - golden.run(net, x[None, :step - WINDOW]).readouts["y"][0]
        assert values.tolist() == behind.tolist()
        nonzero += np.count_nonzero(values)
    assert nonzero and scores.renewed == 0


@pytest.mark.parametrize("readout", [Readout.SUM, Readout.LAST])
def test_the_last_timesteps_are_scored_though_they_fill_no_block(readout: Readout) -> None:
    net, x = read_as(readout), payloads(29)
    scores = CarriedScores(net, GoldenPlayer(net), WINDOW, EVERY)
    assert [step for step, _ in scores.push(x)][-1] == 27
    (step, values), = scores.finish()
    behind = golden.run(net, x[None]).readouts["y"][0]
    if readout is Readout.SUM:  # of three whole blocks and a part
        behind = behind - golden.run(net, x[None, :27 - WINDOW + EVERY]).readouts["y"][0]
    assert (step, values.tolist()) == (29, behind.tolist()) and np.count_nonzero(values)
    assert list(scores.finish()) == [] and list(CarriedScores(net, GoldenPlayer(net), WINDOW, EVERY).finish()) == []


def test_the_last_window_of_its_own_ends_where_the_stream_does() -> None:
    net, x = read_as(Readout.MAX), payloads(29)
    slid = SlidScores(net, GoldenPlayer(net), WINDOW, EVERY, lambda clip: clip)
    assert [step for step, _ in slid.push(x)][-1] == 27
    (step, values), = slid.finish()
    assert (step, values.tolist()) == (29, golden.run(net, x[None, -WINDOW:]).readouts["y"][0].tolist())
    assert list(slid.finish()) == [] and list(SlidScores(net, GoldenPlayer(net), WINDOW, EVERY, lambda clip: clip).finish()) == []


def test_before_a_readout_could_saturate_the_player_starts_again_a_window_back(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = read_as(Readout.COUNT), payloads(300)
    monkeypatch.setattr("spikeloom.software.stream.scores.MAX_COUNT", 40)
    scores = CarriedScores(net, player := GoldenPlayer(net), WINDOW, EVERY)
    worst = 0
    for _ in scores.push(x):
        worst = max(worst, int(player._state.readouts["y"].max()))
    assert scores.renewed > 2 and 30 < worst <= 40
    monkeypatch.setattr("spikeloom.software.stream.scores._limit", lambda p, steps: 1 << 40)
    again = CarriedScores(net, player := GoldenPlayer(net), WINDOW, EVERY)
    list(again.push(x))
    assert again.renewed == 0 and int(player._state.readouts["y"].max()) > 40, "it would not have saturated anyway"


def test_a_restart_gives_the_scores_of_a_stream_that_began_a_window_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = read_as(Readout.SUM), payloads(30)
    scores = CarriedScores(net, GoldenPlayer(net), WINDOW, EVERY)
    first = list(scores.push(x[:27]))
    scores._renew()
    (step, values), = scores.push(x[27:])
    fresh = golden.run(net, x[None, 27 - WINDOW:]).readouts["y"][0] - golden.run(net, x[None, 27 - WINDOW:30 - WINDOW]).readouts["y"][0]
    assert (first[-1][0], step, values.tolist()) == (27, 30, fresh.tolist())


def test_limits_leave_room_for_the_steps_to_the_next_read() -> None:
    from spikeloom.software.stream.scores import _limit

    y = read_as(Readout.SUM).populations[-1]
    assert _limit(y, 5) + 5 * (1 << (y.v_bits - 1)) == (1 << (y.v_bits + 15)) - 1
    assert _limit(read_as(Readout.COUNT).populations[-1], 5) == 65535 - 5
    assert _limit(read_as(Readout.VOTE).populations[-1], 5) == 65535 - 10


@pytest.mark.parametrize("readout", [Readout.MAX, Readout.FIRST])
def test_readouts_that_say_nothing_of_a_window_are_refused_carried_and_taken_slid(readout: Readout) -> None:
    net, x = read_as(readout), payloads(40)
    with pytest.raises(NetworkError, match=rf"read as {readout.value}.*--slide"):
        CarriedScores(net, GoldenPlayer(net), WINDOW, EVERY)
    slid = SlidScores(net, GoldenPlayer(net), WINDOW, EVERY, lambda clip: clip)
    padded = np.concatenate([np.zeros((WINDOW, 8), np.int16), x])
    found = [item for piece in pieces(x, (1, 10, 2)) for item in slid.push(piece)]
    assert [step for step, _ in found] == list(range(3, 41, 3))
    for step, values in found:
        clip = golden.run(net, padded[None, step:step + WINDOW])
        assert values.tolist() == (clip.readouts["y"][0] * (-1 if readout is Readout.FIRST else 1)).tolist()
        assert int(values.argmax()) == clip.answers[0]


def test_a_network_without_a_readout_spots_nothing() -> None:
    net = replace(network(), populations=network().populations[:2], projections=network().projections[:1])
    with pytest.raises(NetworkError, match="has a readout, so it spots nothing"):
        answering(net)
