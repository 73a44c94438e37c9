"""From a recipe to a scored integer network of digits: ANN, conversion, hybrid training, DIET-SNN, all on the same splits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ....gen.float_network import FloatNetwork, run_float
from ....gen.quantize import quantize
from ....sim.golden import simulate
from ....spec.clips import Clips
from ....spec.network import Network
from ...convert.activations import activations
from ...convert.balance import convert
from ...convert.chain import read_chain
from ..fit import Batch, FitConfig, fit
from ..map_net import MapNet
from .config import DigitsConfig, SpikingConfig
from .data import LARGEST, LICENCE, SHAPE, Digits, load_digits, shifted

__all__ = ["Row", "Scores", "make_digits"]

Progress = Callable[[str], None]
CLASSES = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network of the table: ``accuracy`` of val and of test, ``spikes`` per neuron and timestep and ``sops`` per picture (test)."""

    what: str
    steps: int
    accuracy: dict[str, float]
    spikes: float | None = None
    sops: int | None = None


@dataclass(kw_only=True)
class Scores:
    """What was made: the bundled integer network, ``parameters`` (weights of all convolutions and the linear layer, shared ones once), rows."""

    network: Network
    parameters: int
    rows: list[Row] = field(default_factory=list)


class _Ann(torch.nn.Module):
    """The chain of a recipe, as :func:`~..fit.fit` trains it."""

    def __init__(self, config: DigitsConfig, unrolled: bool) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        (channels, height, width), conv = SHAPE, torch.nn.Conv2d
        for word, *numbers in (line.split() for line in config.layers):
            n, times = int(numbers[0]), int(numbers[-1]) if word == "again" else 1
            if word == "pool":
                layers.append(torch.nn.AvgPool2d(n))
                height, width = height // n, width // n
                continue
            block: list[torch.nn.Module] = []
            for k in range(times):
                if k == 0 or unrolled:
                    block = [conv(channels, n, 3, padding=1), *([torch.nn.BatchNorm2d(n)] if config.batch_norm else [])]
                layers += [*block, torch.nn.ReLU()]
                channels = n
        self.chain = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(channels * height * width, len(CLASSES)))

    def forward(self, payloads: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores of pictures ``[B, 1, 64]``."""
        return self.chain((payloads[:, 0] / LARGEST).reshape(-1, *SHAPE)), []

    def clip(self) -> None:
        """Nothing has a range."""


def make_digits(config: DigitsConfig, progress: Progress) -> Scores:
    """All steps of a recipe. Where layers occur again, a network in which each pass has weights of its own is made first, and its scores come along.

    Nothing is chosen by the validation or the test split: the last epoch of every training is what is used. Raises ToolError without scikit-learn.
    """
    torch.set_num_threads(1)
    splits = load_digits()
    other = None
    if any(line.startswith("again") for line in config.layers):
        progress("each pass with weights of its own, for comparison:")
        other = _made(config, splits, progress, True)
        progress("all passes with the same weights:")
    scores = _made(config, splits, progress, False)
    if other is not None:
        rows = {f"{split}, {row.what}, T = {row.steps}": round(row.accuracy[split], 4) for row in other.rows for split in ("val", "test")}
        scores.network = replace(scores.network, metadata={**scores.network.metadata, "unrolled": {"parameters": other.parameters, "accuracy": rows}})
    return scores


def _made(config: DigitsConfig, splits: dict[str, Digits], progress: Progress, unrolled: bool) -> Scores:
    maker = _Maker(config, splits, progress)
    torch.manual_seed(config.seed)
    ann = _Ann(config, unrolled)
    progress(f"ANN, {len(splits['train'].y)} pictures")
    maker.fit(ann, config.ann, 1, config.seed)
    ann.eval()
    relu = read_chain(ann.chain, SHAPE, name=config.name, input_scale=1 / LARGEST, payload=(0, LARGEST), labels=CLASSES, metadata={
        "training_data": "8x8 digits of scikit-learn: 1,000 train, 197 val, 600 test", "training_data_licence": LICENCE})
    rows: list[Row] = []
    rows.append(Row(what="ANN", steps=1, accuracy={name: maker.right(split, activations(relu, split.x)["output"].argmax(axis=1))
                                                 for name, split in splits.items() if name != "train"}))
    converted = maker.converted(relu, rows)
    maker.trained(relu, config.hybrid, "hybrid", False, rows)
    diet = maker.trained(relu, config.diet, "DIET-SNN", True, rows)
    for row in rows:
        progress(f"{row.what}, T = {row.steps}: val {row.accuracy['val']:.2%}, test {row.accuracy['test']:.2%}"
                 + ("" if row.spikes is None else f", {row.spikes:.3f} spikes per neuron and timestep, {row.sops:,} SOP a picture"))
    network = converted if config.keep == "converted" else diet
    parameters = sum({q.matrix or str(k): q.weights.size for k, q in enumerate(relu.projections)}.values())
    progress(f"{parameters:,} weights, stored once each")
    accuracy = {f"{split}, {row.what}, T = {row.steps}": round(row.accuracy[split], 4) for row in rows for split in ("val", "test")}
    network = replace(network, metadata={**network.metadata, "parameters": parameters, "accuracy": accuracy})
    return Scores(network=network, parameters=parameters, rows=rows)


class _Maker:
    """What the steps share."""

    def __init__(self, config: DigitsConfig, splits: dict[str, Digits], progress: Progress) -> None:
        self.config, self.splits, self.progress = config, splits, progress

    def fit(self, net: torch.nn.Module, training: FitConfig, steps: int, seed: int) -> None:
        """Train a network on pictures shown for so many timesteps."""
        train = self.splits["train"]

        def batches(rng: np.random.Generator) -> Iterator[Batch]:
            for rows in rng.permutation(len(train.y))[: len(train.y) // training.batch * training.batch].reshape(-1, training.batch):
                x = shifted(train.x[rows], rng, self.config.shift)
                yield np.repeat(x[:, None], steps, axis=1).astype(np.float32), train.y[rows], None

        fit(net, batches, len(train.y) // training.batch, training, seed=seed, progress=self.progress, every=10)

    @staticmethod
    def right(split: Digits, answers: np.ndarray) -> float:
        """Fraction of right answers."""
        return float((answers == split.y).mean())

    def converted(self, relu: FloatNetwork, rows: list[Row]) -> Network:
        """The conversion, in floating point and in integers, for every number of timesteps."""
        c = self.config.conversion
        floats = convert(relu, self.splits["train"].x[: c.clips], percentile=c.percentile, start=c.start)
        network = self.quantized(floats, max(c.steps))
        for steps in c.steps:
            self.score("converted", floats, network, steps, rows)
        return network

    def trained(self, relu: FloatNetwork, s: SpikingConfig, what: str, diet: bool, rows: list[Row]) -> Network:
        """Training from a conversion, in floating point and in integers."""
        start = convert(relu, self.splits["train"].x[: self.config.conversion.clips], percentile=s.percentile, start=s.start)
        net = MapNet(start, leaks=diet, thresholds=diet)
        self.progress(f"{what}, {s.steps} timesteps")
        self.fit(net, s.training, s.steps, self.config.seed + 1)
        floats = net.to_float()
        network = self.quantized(floats, s.steps)
        self.score(what, floats, network, s.steps, rows)
        return network

    def quantized(self, floats: FloatNetwork, steps: int) -> Network:
        """Integers; ranges are measured on pictures of the training set."""
        q = self.config.quantize
        train = self.splits["train"]
        some = Digits(train.x[: q.clips], train.y[: q.clips]).clips(steps)
        return quantize(floats, weight_bits=q.weight_bits, clips=Clips.from_dense(some.dense()), **q.options).network

    def score(self, what: str, floats: FloatNetwork, network: Network, steps: int, rows: list[Row]) -> None:
        """Rows of floats and integers."""
        accuracy = {name: self.right(split, run_float(floats, split.clips(steps).dense()).answers)
                    for name, split in self.splits.items() if name != "train"}
        rows.append(Row(what=f"{what}, float", steps=steps, accuracy=accuracy))
        reports = {name: simulate(network, split.clips(steps), threads=1) for name, split in self.splits.items() if name != "train"}
        report, neurons = reports["test"], sum(p.size for p in network.populations if p.spikes and p.model.value != "input")
        inputs = {p.name for p in network.inputs}
        fired = sum(n for name, n in report.spikes_per_population.items() if name not in inputs)  # a clip
        rows.append(Row(what=f"{what}, integers", steps=steps, spikes=fired / steps / neurons, sops=round(report.sops / report.clips),
                        accuracy={name: float(r.accuracy or 0.0) for name, r in reports.items()}))
