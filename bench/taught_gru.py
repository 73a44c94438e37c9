"""A two-gate GRU trained just as a bundled SpikGRU is: the same clips and variations, answers of the same teachers, epochs; prints its accuracy.

    make venv-train; .venv/bin/python bench/taught_gru.py kws-spikgru-graded --data ../shared/data

The GRU has the sizes, the dropout and the learning rate of the recipe's teachers, which learned without anybody's answers.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch

from spikeloom.software.train.__main__ import maker_of
from spikeloom.software.train.ann import GatedNet
from spikeloom.software.train.fit import fit
from spikeloom.software.train.make import answers_of

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Trains and scores; checkpoints as those of the network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="a network whose recipe has teachers")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    args = parser.parse_args()
    say = partial(print, flush=True)
    maker = maker_of(args.name, args.data, ROOT / "build" / "train", say)
    recipe, anns = maker.recipe, maker.anns()
    how = recipe.training.__class__(**vars(recipe.training) | {"rate": recipe.teachers.training.rate, "activity": 0.0})
    torch.manual_seed(recipe.seed + 2000)
    net = GatedNet(maker.train.x.shape[2], recipe.teachers.sizes, len(maker.train.labels), recipe.teachers.kind,
                   input_scale=recipe.network.input_scale, dropout=recipe.teachers.dropout)
    fit(net, lambda rng: maker.batches(rng, how.batch, anns), len(maker.train.y) // how.batch, how, seed=recipe.seed + 2000, progress=say,
        validate=partial(maker.validate, net), checkpoint=ROOT / "build" / "train" / args.name / "taught_gru.pt")
    for split in ("val", "test"):
        words = maker.words[split]
        right = answers_of(net, words.payloads(recipe.front_end)) == words.y
        say(f"{split}: {recipe.teachers.kind} with teachers {right.mean():.2%} of {len(right)} clips")


if __name__ == "__main__":
    main()
