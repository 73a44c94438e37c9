"""The chip of docs/aer.md: every address that goes in comes out, through a network that repeats its input."""

from __future__ import annotations

import random
import re

import numpy as np

from spikeloom.gen.pack import pack
from spikeloom.gen.plan import plan
from spikeloom.spec.network import Model, Network, Population, Projection, Reset

from ..harness import simulate


def test_addresses_pass_the_chip_of_the_documentation(root):
    names: dict = {}
    exec(re.search(r"```python\n(.*?)\n\nnetwork = ", (root / "docs/aer.md").read_text(), re.DOTALL)[1], names)
    network = Network(name="repeat", populations=(
        Population(name="x", size=6, model=Model.INPUT),
        Population(name="y", size=6, model=Model.IF, theta=1, reset=Reset.SUBTRACT, v_bits=4, output=True)),
        projections=(Projection(source="x", target="y", weights=np.eye(6, dtype=int), weight_bits=2),))
    spec = plan(network, lanes=2)
    dut, rng, sent, got = names["AerChip"](spec, pack(spec, network), clocks_per_step=150), random.Random(1), [], []

    async def sensor(ctx):
        for _ in range(100):  # the chip clears itself
            await ctx.tick()
        for _ in range(6):
            for address in rng.sample(range(8), 5):  # 6 and 7 are nobody
                sent.append(address)
                ctx.set(dut.address, address)
                for request in (1, 0):
                    await ctx.delay(rng.random() * 2e-6)
                    ctx.set(dut.request, request)
                    while ctx.get(dut.acknowledge) != request:
                        await ctx.delay(0.3e-6)
            for _ in range(320):  # two timesteps: no neuron twice in one, and all has come out
                await ctx.tick()

    async def listener(ctx):
        async for (request,) in ctx.changed(dut.out_request):
            if request:
                got.append(ctx.get(dut.out_address))
            await ctx.delay(rng.random() * 4e-6)
            ctx.set(dut.out_acknowledge, request)

    simulate(dut, sensor, background=[listener], max_cycles=20_000)
    assert sorted(got) == sorted(address for address in sent if address < 6) and len(got) > 20
