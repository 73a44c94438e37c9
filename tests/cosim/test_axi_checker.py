"""The checkers of AXI handshakes find what they are there to find, and nothing in a clean trace."""

from __future__ import annotations

import random

import pytest

from .axi_checker import Channel, Responses


def texts_of(rows) -> list[str]:
    channel = Channel("x")
    for row in rows:
        channel.step(*row)
    return channel.texts


def test_a_clean_trace_is_clean():
    rng, rows, offer = random.Random(1), [(True, None, None, None), (True, 0, 0, None), (False, 0, 0, None)], None
    for _ in range(300):
        offer = rng.choice((None, rng.randrange(9))) if offer is None else offer
        ready = rng.randrange(2)
        rows.append((False, int(offer is not None), ready, offer))
        offer = None if ready else offer
    assert texts_of(rows) == []


@pytest.mark.parametrize(("rows", "text"), [
    ([(False, 1, 0, 5), (False, 0, 0, None)], "x, clock 2: the offer of 5 was withdrawn"),
    ([(False, 1, 0, 5), (False, 1, 1, 6)], "x, clock 2: the offer of 5 became 6"),
    ([(False, 1, 0, None), (False, 1, 1, 6)], "x, clock 2: the offer of None became 6"),
    ([(False, 0, 0, None), (False, None, 0, None)], "x, clock 2: VALID or READY is unknown"),
    ([(False, 1, None, 5)], "x, clock 1: VALID or READY is unknown"),
    ([(True, 0, 0, None), (True, 1, 0, 5)], "x, clock 2: VALID is 1 in reset"),
])
def test_each_breach_is_found(rows, text):
    assert texts_of(rows) == [text]


@pytest.mark.parametrize(("steps", "text"), [
    ([((True, False), False, False), ((False, False), True, True)], "w: response 1 is offered, with 0 requests"),
    ([((True, True), False, False), ((False, False), True, True), ((False, False), True, False)], "w: response 2 is offered, with 1 requests"),
    ([((True, True), False, False)], "w: [1, 1] requests and 0 responses"),
    ([((True, True), True, False), ((False, False), True, True)], "w: response 1 is offered, with 0 requests"),
])
def test_a_response_too_early_too_many_or_missing_is_found(steps, text):
    responses = Responses("w", 2)
    for step in steps:
        responses.step(*step)
    responses.end()
    assert responses.texts[0] == text


def test_a_response_for_each_request_is_right():
    responses = Responses("w", 2)
    for step in [((True, False), False, False), ((False, True), False, False), ((False, False), True, False), ((True, True), True, True),
                 ((False, False), True, True)]:
        responses.step(*step)
    responses.end()
    assert responses.texts == []
