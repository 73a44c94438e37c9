"""WindowWalk: the words and rows of every axon of a convolution, in every cycle, against loops over the definition."""

import inspect
import random
import textwrap

import pytest

from spikeloom.hdl import window_walk
from spikeloom.hdl.window_walk import WindowWalk, pointer_layout
from spikeloom.spec.convolution import Conv
from spikeloom.spec.tile import SparseSpec
from spikeloom.spec.window import WindowSpec

from .harness import simulate
from .small_tiles import group, small_tile

PLAIN = Conv(shape=(3, 4, 5), out_channels=8, kernel=(3, 3), padding=(1, 1, 1, 1))
CASES = {
    "plain": (PLAIN,), "strides": (Conv(shape=(2, 6, 7), out_channels=4, kernel=(4, 3), stride=(2, 3), padding=(2, 1, 0, 2)),),
    "grouped": (Conv(shape=(4, 3, 3), out_channels=8, kernel=(2, 2), groups=4),),
    "depthwise": (Conv(shape=(4, 3, 4), out_channels=4, kernel=(2, 3), groups=4),),
    "dilated": (Conv(shape=(1, 7, 8), out_channels=4, kernel=(3, 3), dilation=(2, 3), stride=(3, 2)),),
    "pooled": (Conv(shape=(2, 5, 5), out_channels=4, kernel=(2, 2), pool=(2, 2)),),
    "causal": (Conv(shape=(3, 1, 8), out_channels=4, kernel=(1, 3), padding=(0, 0, 2, 0)),),
    "two": (PLAIN, Conv(shape=(2, 8, 10), out_channels=8, kernel=(2, 2), stride=(2, 2))),  # the same target map, other steps
}


def tile_of(convolutions):
    axon, windows = 0, []
    for conv in convolutions:
        windows.append(WindowSpec(conv=conv, axon=axon, first=0, channels=conv.out_channels))
        axon += conv.source_size
    words = [max(int(n), 1) for w in windows for n in w.cycles(4)]
    spec = SparseSpec(words=tuple(words), synapses=tuple(words), weight_bits=0, windows=tuple(windows))
    return small_tile([group(convolutions[0].target_size, 0, sparse=spec, positions=convolutions[0].positions)]), windows


def wanted(conv, axon, base):
    """(weight address, row, first lane, lanes) of each word of a neuron, by the definition, as a set: a word for each tap that has a target."""
    (_, height, width), lanes = conv.shape, 4
    channel, y, x = axon // (height * width), axon // width % height // conv.pool[0], axon % width // conv.pool[1]
    own, into = conv.out_channels // conv.groups, conv.shape[0] // conv.groups
    found = set()
    if y >= height // conv.pool[0] or x >= width // conv.pool[1]:
        return found
    for ky in range(conv.kernel[0]):
        for kx in range(conv.kernel[1]):
            ty, tx = (at - k * d + pad for at, k, d, pad in zip((y, x), (ky, kx), conv.dilation, conv.padding[::2]))
            (ty, rest_y), (tx, rest_x) = divmod(ty, conv.stride[0]), divmod(tx, conv.stride[1])
            if rest_y or rest_x or not (0 <= ty < conv.out_shape[1] and 0 <= tx < conv.out_shape[2]):
                continue
            place = ty * conv.out_shape[2] + tx
            for block in sorted({c // lanes for c in range(channel // into * own, (channel // into + 1) * own)}):
                word = ((block * into + channel % into) * conv.kernel[0] + ky) * conv.kernel[1] + kx
                found.add((base + word, block * conv.positions + place))
    return found


def play(convolutions, seed=1):
    """Every axon in random order, with and without gaps; its words must be those wanted, one per cycle, the last one marked."""
    tile, windows = tile_of(convolutions)
    dut, rng, fields = WindowWalk(tile), random.Random(seed), tile.pointer_fields
    axons, base = [], 0
    for window in windows:
        p = window.pointers(4)
        for axon in range(window.axons):
            pointer = {name: int(getattr(p, name)[axon]) for name in fields if name != "walk"}
            pointer["first"] += base if pointer["count"] else 0
            pointer["walk"] = tile.walks.index(window.steps(4))
            axons.append((pointer, wanted(window.conv, axon, base)))
        base += window.words(4)
    rng.shuffle(axons)

    async def bench(ctx):
        for pointer, words in axons:
            while rng.random() < 0.2:
                ctx.set(dut.valid, 0)
                await ctx.tick()
            ctx.set(dut.valid, 1)
            ctx.set(dut.pointer, pointer)
            found = []
            for k in range(max(len(words), 1)):
                assert ctx.get(dut.exists) == bool(words)
                assert ctx.get(dut.last) == (k == max(len(words), 1) - 1), f"word {k} of {len(words)}"
                found.append((ctx.get(dut.address), ctx.get(dut.row)))
                await ctx.tick()
            assert not words or (len(set(found)) == len(found) and set(found) == words), (found, words)

    simulate(dut, bench, max_cycles=20_000)
    return len(axons)


@pytest.mark.parametrize("name", CASES)
def test_each_axon_walks_the_words_of_its_taps_one_per_cycle(name):
    assert play(CASES[name]) == sum(conv.source_size for conv in CASES[name])


def test_the_pointer_of_a_tile_without_convolutions_is_as_narrow_as_ever():
    spec = SparseSpec(words=(3, 0, 1), synapses=(5, 0, 1), weight_bits=4)
    tile = small_tile([group(9, 0, sparse=spec)])
    assert tile.pointer_fields == {"first": 2, "count": 2} and pointer_layout(tile).size == 4 and not tile.has_windows


@pytest.mark.parametrize("old, new", [
    ("pointer.count <= 1", "pointer.count <= 2"), ("line == pointer.lines", "line + 1 >= pointer.lines"), ("block == pointer.blocks", "block == 0"),
    ("fresh.eq(self.last)", "fresh.eq(last_word)"), ("Mux(last_line, block_now, line_now)", "Mux(last_line, line_now, line_now)"),
    ("Mux(last_word, following, line_now)", "line_now"), ("block_step, line_step)", "block_step, word_step)"),
    ("getattr(steps, name)[k]", "getattr(steps, 'word')[k]"),
    ("Mux(fresh, start, of_block)", "Mux(fresh, 0, of_block)"), ("word.eq(Mux(last_word, 0, word + 1))", "word.eq(word + 1)")])
def test_a_changed_walk_is_seen(old, new, monkeypatch):
    source = textwrap.dedent(inspect.getsource(WindowWalk.elaborate))
    assert source.count(old) == 1
    space = {**vars(window_walk)}
    exec(source.replace(old, new), space)
    monkeypatch.setattr(WindowWalk, "elaborate", space["elaborate"])
    with pytest.raises(AssertionError):
        for convolutions in CASES.values():
            play(convolutions)
