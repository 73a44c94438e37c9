"""From recordings to a scored integer network: what ``python -m spikeloom.software.train NAME`` does for a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ...gen.float_network import FloatNetwork
from ...gen.held import hold_current
from ...gen.quantize import quantize
from ...sim.faults import Fault
from ...sim.golden import SimulationReport, simulate
from ...spec.clips import Clips
from ...spec.network import Network
from .ann import GatedNet
from .conv_net import ConvNet
from .fit import Batch, device_of, fit
from .integer_net import IntegerNet
from .recipe import FRAME_MS, PictureConfig, Recipe
from .spiking_net import SpikingNet
from .variations import Variations
from .words import Words, load_words

__all__ = ["Made", "Maker", "answers_of", "clips_of", "per_speaker"]

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """What a recipe gave: the networks (integer, float, each ANN) and the golden model's reports of val and test."""

    network: Network
    floats: SpikingNet | ConvNet
    anns: list[GatedNet]
    reports: dict[str, SimulationReport]


class Maker:
    """Trains what a recipe describes, step by step; every step resumes from its checkpoint in ``work``.

    Parameters
    ----------
    recipe : what to make.
    data : folder of the set's train, val and test files, or the one that holds the set's folder.
    work : folder of checkpoints; None for none.
    start : network whose layers to start from (see :meth:`SpikingNet.load`), or None.
    elder : what makes the teachers that the teachers start from, or None.
    device : of the training in floating point, ``"cpu"`` or ``"cuda"``; integers are trained on the CPU.

    Raises FileFormatError (data).
    """

    def __init__(self, recipe: Recipe, data: Path, work: Path | None, progress: Progress, start: Network | None = None,
                 elder: Maker | None = None, device: str = "cpu") -> None:
        torch.set_num_threads(1)
        self.recipe, self.work, self.progress, self.start, self.elder, self.device = recipe, work, progress, start, elder, device
        folder = data / recipe.data.set if (data / recipe.data.set).is_dir() else data
        self.words: dict[str, Words] = {split: load_words(folder, split) for split in ("train", "val", "test")}
        self.train = self.words["train"]
        picture = recipe.network.picture
        self.front_end = recipe.front_end if picture is None else {**recipe.front_end, "picture": picture.steps}
        self.steps = self.train.x.shape[1] if picture is None else picture.steps
        self._variations: Variations | None = None
        self._payloads = {split: words.payloads(recipe.front_end) for split, words in self.words.items()}

    def make(self) -> Made:
        """All steps."""
        anns = self.anns()
        net = self.floats(anns)
        network = self.fine_tuned(net, anns)
        reports = {split: simulate(network, self.clips(split), threads=1) for split in ("val", "test")}
        return Made(network=network, floats=net, anns=anns, reports=reports)

    def clips(self, split: str) -> Clips:
        """A split as the integer network gets it."""
        return clips_of(self.words[split], self.front_end)

    def anns(self) -> list[GatedNet]:
        """The teachers."""
        t = self.recipe.teachers
        elders = self.elder.anns() if self.elder and t.count else []
        nets = []
        for k in range(t.count):
            torch.manual_seed(self.recipe.seed + 1000 + k)
            net = GatedNet(self.train.x.shape[2], t.sizes, len(self.train.labels), t.kind, input_scale=self.recipe.network.input_scale,
                           dropout=t.dropout).to(self.device)
            if elders:
                same = {name: value for name, value in elders[k].state_dict().items() if value.shape == net.state_dict()[name].shape}
                net.load_state_dict(same, strict=False)
            self.progress(f"teacher {k + 1} of {t.count}: {t.kind} {'-'.join(map(str, t.sizes))}")
            fit(net, lambda rng: self.batches(rng, t.training.batch, []), len(self.train.y) // t.training.batch, t.training,
                seed=self.recipe.seed + 1000 + k, progress=self.progress, validate=partial(self.validate, net),
                checkpoint=self._path(f"teacher{k}"))
            nets.append(net)
        return nets

    def floats(self, anns: list[GatedNet]) -> SpikingNet | ConvNet:
        """The network in floating point."""
        r = self.recipe
        torch.manual_seed(r.seed)
        if r.network.picture is not None:
            return self._maps(anns, r.network.picture)
        net = SpikingNet(self.train.x.shape[2], r.network.sizes, len(self.train.labels), r.network.model, readout=r.network.readout,
                         input_scale=r.network.input_scale, dropout=r.network.dropout, surrogate=r.network.surrogate, layer=r.network.layer,
                         input_delays=r.network.input_delays)
        net.to(self.device)
        if self.start is not None:
            net.load(self.start)
        self.progress(f"{r.network.model.value} {'-'.join(map(str, r.network.sizes))} in floating point, {len(self.train.y)} clips")
        fit(net, lambda rng: self.batches(rng, r.training.batch, anns), len(self.train.y) // r.training.batch, r.training, seed=r.seed,
            progress=self.progress, validate=lambda: self.validate(net), checkpoint=self._path("float"))
        return net

    def _maps(self, anns: list[GatedNet], picture: PictureConfig) -> ConvNet:
        """The network in floating point of clips that are pictures: first its rates, then its spikes."""
        r, shape = self.recipe, self.train.x.shape[1:]
        net = ConvNet((1, *shape), r.network.sizes, len(self.train.labels), kernel=picture.kernel, stride=picture.stride, padding=picture.padding,
                      steps=picture.steps, readout=r.network.readout, input_scale=r.network.input_scale, dropout=r.network.dropout,
                      surrogate=r.network.surrogate, **r.network.layer).to(self.device)
        for spiking, what, training in ((False, "rates", picture.rates), (True, "float", r.training)):
            net.spiking = spiking
            self.progress(f"maps of {', '.join(map(str, r.network.sizes))} channels in floating point, "
                          f"{'spikes' if spiking else 'rates'}, {len(self.train.y)} clips")
            fit(net, partial(self.batches, size=training.batch, anns=anns), len(self.train.y) // training.batch, training, seed=r.seed,
                progress=self.progress, validate=partial(self.validate, net), checkpoint=self._path(what))
        return net

    def float_network(self, net: SpikingNet | ConvNet) -> FloatNetwork:
        """The trained network as the quantizer takes it."""
        r = self.recipe
        net.cpu()  # integers are trained there
        largest = r.front_end["max"]
        step_ms = FRAME_MS * self.train.x.shape[1] // self.steps  # of a picture: its timesteps last as long as its frames
        return net.to_float(r.name, (-largest if r.front_end.get("centred") else 0, largest), self.train.labels, {
            "front_end": self.front_end, "step_ms": step_ms, "training_data": r.data.description, "training_data_licence": r.data.licence})

    def fine_tuned(self, net: SpikingNet | ConvNet, anns: list[GatedNet]) -> Network:
        """The integer network: quantized, then trained on with its own integers as the forward pass."""
        r = self.recipe
        floats = self.float_network(net)
        some = np.random.default_rng(r.seed).permutation(len(self.train.y))[: r.quantize.clips]
        seen = self._payloads["train"][np.sort(some)]
        if r.network.picture:  # in every timestep, for the quantizer: it knows no current that is held
            seen = np.repeat(seen.reshape(len(seen), 1, -1), self.steps, axis=1)
        network = quantize(floats, weight_bits=r.quantize.weight_bits, clips=Clips.from_dense(seen), **r.quantize.options).network
        if r.network.picture:
            network = hold_current(network, network.populations[1].name)
        self.progress(f"quantized to {r.quantize.weight_bits} bits: val {simulate(network, self.clips('val'), threads=1).accuracy:.2%}")
        if not r.fine_tuning.epochs:
            return network
        exact = IntegerNet(network, floats, r.network.surrogate)
        fault = Fault.parse(r.errors) if r.errors else None
        draws = np.random.default_rng(r.seed + 2)

        def forward(x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            if r.network.picture:
                x = torch.nn.functional.pad(x.reshape(len(x), 1, -1), (0, 0, 0, self.steps - 1))  # given at t = 0
            return exact(x, None if fault is None else exact.faulty_weights(fault, draws))

        fit(exact, lambda rng: self.batches(rng, r.fine_tuning.batch, anns), len(self.train.y) // r.fine_tuning.batch, r.fine_tuning,
            seed=r.seed + 1, progress=self.progress, validate=lambda: self.validate(exact, self.front_end), every=1, checkpoint=self._path("integer"),
            forward=forward)
        return exact.to_network()

    def batches(self, rng: np.random.Generator, size: int, anns: list[GatedNet]) -> Iterator[Batch]:
        """One epoch of varied clips in random order; the remainder is left out. Teachers see the clips before stripes are taken out."""
        r, order = self.recipe, rng.permutation(len(self.train.y))
        for rows in order[: len(order) // size * size].reshape(-1, size):
            taught: np.ndarray | None
            if r.variations and anns:
                whole, taught = self._varied(anns).draw(rows, rng)
            else:
                whole = replace(self.train, x=r.augment.vary(self.train.x[rows], rng)).payloads(r.front_end)
                taught = _taught(anns, whole) if anns else None
            yield r.augment.mask(whole, rng).astype(np.float32), self.train.y[rows], taught

    def _varied(self, anns: list[GatedNet]) -> Variations:
        if self._variations is None:
            r = self.recipe
            self._variations = Variations(self.train, r.augment, r.front_end, r.variations, partial(_taught, anns), r.seed + 3, self.progress)
        return self._variations

    def validate(self, net: torch.nn.Module, front_end: dict | None = None) -> str:
        """Words about the accuracy on the validation split, of payloads as the recipe's front end, or the one given, makes them."""
        payloads = self._payloads["val"] if front_end is None else self.words["val"].payloads(front_end)
        return f"val {(answers_of(net, payloads) == self.words['val'].y).mean():.2%}"

    def _path(self, step: str) -> Path | None:
        return None if self.work is None else self.work / f"{step}.pt"


def _taught(anns: list[GatedNet], payloads: np.ndarray) -> np.ndarray:
    return np.mean([_shares(ann, payloads) for ann in anns], axis=0)


@torch.no_grad()
def _shares(ann: GatedNet, payloads: np.ndarray) -> np.ndarray:
    ann.eval()
    return ann(torch.from_numpy(payloads.astype(np.float32)).to(device_of(ann)))[0].softmax(dim=1).cpu().numpy()


@torch.no_grad()
def answers_of(net: torch.nn.Module, payloads: np.ndarray) -> np.ndarray:
    """The class with the largest score of each clip, ``[N], int64``, of payloads ``[N, T, C]``."""
    net.eval()
    parts = np.split(payloads.astype(np.float32), range(256, len(payloads), 256))
    return np.concatenate([net(torch.from_numpy(part).to(device_of(net)))[0].argmax(dim=1).cpu().numpy() for part in parts])


def clips_of(words: Words, front_end: dict) -> Clips:
    """Recordings as the clips of a network with this front end."""
    return Clips.from_dense(words.payloads(front_end), words.y, words.labels)


def per_speaker(words: Words, answers: np.ndarray) -> dict[str, float]:
    """Fraction right of each speaker."""
    return {str(s): float((answers == words.y)[words.speaker == s].mean()) for s in sorted(set(words.speaker.tolist()))}
