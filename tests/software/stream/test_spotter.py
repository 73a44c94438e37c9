"""Posteriors, the threshold, the refractory time, and settings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikeloom.software.stream.settings import StreamSettings
from spikeloom.software.stream.spotter import Spotter
from spikeloom.spec.errors import NetworkError

from ...linked import network

SETTINGS = StreamSettings(every_s=0.1, smooth_s=0.3, refractory_s=0.5, threshold=0.6, temperature=10.0, background=("quiet",))
QUIET, A, B = (np.array(v) for v in ([100, 0, 0], [0, 100, 0], [0, 0, 100]))


def words(scores: list[np.ndarray], settings: StreamSettings = SETTINGS) -> list[tuple[str, int]]:
    """(word, step) of a READ after every fifth timestep of 20 ms."""
    spotter = Spotter(("quiet", "a", "b"), settings, 0.02)
    found = (spotter.push(5 * (k + 1), s)[1] for k, s in enumerate(scores))
    return [(w.word, w.step) for w in found if w is not None]


def test_posteriors_are_a_softmax_at_the_temperature() -> None:
    spotter = Spotter(("quiet", "a", "b"), SETTINGS, 0.02)
    assert spotter.posterior(np.array([10, 0, -10])) == pytest.approx(np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum())
    own = Spotter(("quiet", "a", "b"), replace(SETTINGS, temperature=None), 0.02)
    # Scores in units of their own deviation: whatever the scale of a network's readouts is.
    assert own.posterior(np.array([10, 0, -10])) == pytest.approx(own.posterior(np.array([7000, 0, -7000])))
    assert own.posterior(np.zeros(3)).tolist() == pytest.approx([1 / 3] * 3)


def test_posteriors_are_averaged_before_they_are_compared() -> None:
    spotter = Spotter(("quiet", "a", "b"), SETTINGS, 0.02)
    levels = [round(float(spotter.push(5 * k, s)[0][1]), 3) for k, s in enumerate([A, A, A, QUIET, QUIET], 1)]
    assert levels == [0.333, 0.667, 1.0, 0.667, 0.333]
    assert words([A, QUIET, QUIET]) == []  # a third of the average alone
    assert words([A, A, QUIET]) == [("a", 10)]


def test_a_word_that_lasts_is_one_word_and_comes_again_after_a_pause() -> None:
    assert words([A] * 30) == [("a", 10)]
    assert words([A] * 12 + [QUIET] * 3 + [A] * 3) == [("a", 10), ("a", 85)]


def test_nothing_is_spotted_in_the_refractory_time_and_what_goes_on_behind_it_is() -> None:
    # b reaches the threshold at step 20, 0.2 s behind a; at step 35 the half second is over.
    assert words([A, A, B, B, B, B, B]) == [("a", 10), ("b", 35)]
    assert words([A, A, B, B, QUIET, QUIET, QUIET, QUIET]) == [("a", 10)]
    assert words([A, A, B, B], replace(SETTINGS, refractory_s=0.0)) == [("a", 10), ("b", 20)]


def test_the_background_is_no_word_but_keeps_others_down() -> None:
    assert words([QUIET] * 9) == []
    assert words([np.array([100, 99, 0])] * 9) == []


def test_a_word_has_its_time_and_posterior() -> None:
    spotter = Spotter(("quiet", "a", "b"), SETTINGS, 0.02)
    spotter.push(5, A)
    word = spotter.push(10, A)[1]
    assert word is not None and (word.word, word.step, word.time_s, word.posterior) == ("a", 10, 0.2, 0.6666)


def test_settings_come_from_the_metadata_and_changes_on_top() -> None:
    net = network()
    assert StreamSettings.of(net) == StreamSettings()
    named = replace(net, metadata={"stream": {"threshold": 0.7, "background": ["a"]}})
    assert StreamSettings.of(named, every_s=0.2, threshold=None) == StreamSettings(threshold=0.7, background=("a",), every_s=0.2)
    silent = replace(net, populations=(*net.populations[:-1], replace(net.populations[-1], labels=("_silence_", "b", "c", "d"))))
    assert StreamSettings.of(silent).background == ("_silence_",)


@pytest.mark.parametrize(("stream", "text"), [
    (5, "metadata 'stream' must be an object, not '5'"),
    ({"treshold": 1}, "names treshold; it takes window_s, every_s"),
    ({"threshold": 2}, "threshold must be a number of 0 to 1, not '2'"),
    ({"every_s": "x" * 99}, "every_s must be a number of 0.001 to 10"),
    ({"temperature": 0}, "temperature must be a number of 0.001"),
    ({"background": "a"}, "background must be a list of labels"),
    ({"background": ["a", "silence", "_noise_"]}, "background of metadata 'stream' names 'silence', '_noise_', and its labels are a, b, c, d"),
])
def test_settings_of_a_hostile_file_are_refused(stream: object, text: str) -> None:
    with pytest.raises(NetworkError, match=text):
        StreamSettings.of(replace(network(), metadata={"stream": stream}))
