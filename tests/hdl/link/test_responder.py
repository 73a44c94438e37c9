# amaranth: UnusedElaboratable=no
"""Responder: a decision per request in one cycle, a reply in the next, held until it is taken; each request executed once."""

from __future__ import annotations

from spikeloom.hdl.link.responder import Responder
from spikeloom.spec.link import STATUS_WORDS, VERSION, Command, Status

from ..harness import simulate

OPEN = {"command": Command.OPEN, "sequence": 4, "length": 4, "start": 0xABCD}


def exchange(sequence: int, **fields: int) -> dict:
    return {"command": Command.EXCHANGE, "sequence": sequence, "length": 3, "whole": 1, "argument": 255, **fields}


async def ask(ctx, dut, request: dict, wait: int = 0) -> dict:
    """One request and its reply, which is taken after ``wait`` cycles more; asserts the timing of both."""
    for name in ("command", "sequence", "length", "start", "whole", "argument"):
        ctx.set(getattr(dut, name), request.get(name, 0))
    ctx.set(dut.version, request.get("version", VERSION))
    ctx.set(dut.waiting, 1)
    ctx.set(dut.reply.ready, 0)
    assert ctx.get(dut.done), "the decision takes a cycle"
    strobes = {name: ctx.get(getattr(dut, name)) for name in ("commit", "rollback", "restart", "release")}
    await ctx.tick()
    ctx.set(dut.waiting, 0)
    first = None
    for _ in range(wait + 1):
        assert ctx.get(dut.reply.valid), "the reply is there in the next cycle, and stays"
        now = {name: ctx.get(getattr(dut.reply.payload, name)) for name in ("sequence", "command", "status", "room", "records", "resumed")}
        now |= {"last": ctx.get(dut.last), "session": ctx.get(dut.session)}
        assert first in (None, now)
        first = now
        await ctx.tick()
    ctx.set(dut.reply.ready, 1)
    await ctx.tick()
    ctx.set(dut.reply.ready, 0)
    assert not ctx.get(dut.reply.valid)
    assert strobes["commit"] + strobes["rollback"] == 1, "bytes of a body are kept or forgotten, never left"
    return {**first, **strobes}


def run(bench) -> None:
    dut = Responder(depth=64, places=16)

    async def outer(ctx):
        ctx.set(dut.room, 60)
        await bench(ctx, dut)
    simulate(dut, outer)


def words(ctx, dut) -> dict[str, int]:
    return {name: ctx.get(dut.words[k]) for k, name in enumerate(STATUS_WORDS)}


def test_a_request_is_executed_once_and_its_reply_sent_again():
    async def bench(ctx, dut):
        assert (await ask(ctx, dut, exchange(5)))["status"] == Status.NO_SESSION
        assert (await ask(ctx, dut, OPEN))["status"] == Status.OK
        ctx.set(dut.records, 3)
        first = await ask(ctx, dut, exchange(5), wait=4)
        assert (first["status"], first["commit"], first["room"], first["records"]) == (Status.OK, 1, 57, 3)
        ctx.set(dut.records, 5)
        again = await ask(ctx, dut, exchange(5))
        assert again["commit"] == 0 and again["release"] == 0 and {**again, "commit": 1, "rollback": 0} == first
        assert (await ask(ctx, dut, exchange(7)))["status"] == Status.OUT_OF_SEQUENCE
        behind = await ask(ctx, dut, exchange(6))
        assert (behind["commit"], behind["release"], behind["records"]) == (1, 3, 2)  # those of the reply before are forgotten, and no others
        found = words(ctx, dut)
        assert (found["repeated"], found["out_of_sequence"], found["refused"]) == (1, 1, 1)
    run(bench)


def test_what_does_not_fit_or_is_not_whole_enters_nothing():
    async def bench(ctx, dut):
        await ask(ctx, dut, OPEN)
        ctx.set(dut.overflow, 1)
        found = await ask(ctx, dut, exchange(5))
        assert (found["status"], found["commit"]) == (Status.FULL, 0)
        ctx.set(dut.overflow, 0)
        found = await ask(ctx, dut, exchange(6, whole=0))
        assert (found["status"], found["commit"]) == (Status.BAD_BODY, 0)
        assert (await ask(ctx, dut, exchange(7, version=VERSION + 1)))["status"] == Status.VERSION
        restart = await ask(ctx, dut, {"command": Command.RESTART, "sequence": 7})
        assert restart["status"] == Status.OK and restart["restart"] == 1
        assert (await ask(ctx, dut, {"command": Command.RESTART, "sequence": 7}))["restart"] == 0
    run(bench)


def test_while_a_reply_is_not_taken_no_request_is_decided():
    async def bench(ctx, dut):
        await ask(ctx, dut, OPEN)
        for name, value in exchange(5).items():
            ctx.set(getattr(dut, name), value)
        ctx.set(dut.waiting, 1)
        await ctx.tick()
        ctx.set(dut.sequence, 6)  # the next request waits behind the reply
        for _ in range(5):
            assert not ctx.get(dut.done) and not ctx.get(dut.commit) and ctx.get(dut.reply.valid)
            await ctx.tick()
        ctx.set(dut.reply.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.done) and ctx.get(dut.commit)  # a request every two cycles where replies are taken at once
    run(bench)


def test_every_damaged_frame_is_counted_and_the_last_is_answered():
    async def bench(ctx, dut):
        await ask(ctx, dut, OPEN)
        for name in ("damaged", "cut", "lost", "damaged"):
            ctx.set(getattr(dut, name), 1)
            await ctx.tick()
            ctx.set(getattr(dut, name), 0)
        for _ in range(2):
            await ctx.tick()
        assert ctx.get(dut.reply.valid) and ctx.get(dut.reply.payload.command) == Command.NONE
        first = Status(ctx.get(dut.reply.payload.status))
        ctx.set(dut.reply.ready, 1)
        for _ in range(2):
            await ctx.tick()
        found = words(ctx, dut)
        assert (found["damaged"], found["cut"], found["lost"]) == (2, 1, 1) and first is Status.DAMAGED
        # That of the first was being sent when the others came; of those the last is answered.
        assert Status(ctx.get(dut.reply.payload.status)) is Status.DAMAGED
    run(bench)
