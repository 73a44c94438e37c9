"""Shapes of the literature at CIFAR-10 size, 32 x 32 x 3, with random 4 bit weights: what planning costs, not what they classify."""

from __future__ import annotations

import numpy as np

from spikeloom.spec.arithmetic import Decay
from spikeloom.spec.convolution import Conv
from spikeloom.spec.network import Kind, Model, Network, Population, Projection, Readout, Reset

__all__ = ["resnet20", "vgg16"]

RATE = 0.1  # share of neurons that fire in a timestep, about, of every layer
QUANTILE = 1.28  # of the normal distribution, for that share
VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512, "pool")


class _Builder:
    """Layers one after the other; a threshold is that which random sums of a layer's fan-in pass in about ``RATE`` of all cases."""

    def __init__(self, image: tuple[int, int, int], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.maps = {"x": image}
        self._populations = [Population(name="x", size=int(np.prod(image)), model=Model.INPUT)]
        self._projections: list[Projection] = []

    def project(self, source: str, target: str, **geometry) -> tuple[Conv, float]:
        """A convolution with random weights; returns it, and the variance of its sums."""
        conv = Conv(shape=self.maps[source], **geometry)
        weights = self._rng.integers(-7, 8, conv.weights_shape)
        self._projections.append(Projection(source=source, target=target, weights=weights, weight_bits=4, kind=Kind.CONV, conv=conv))
        return conv, RATE * float((weights.astype(np.int64) ** 2).sum()) / conv.out_channels * conv.pool[0] * conv.pool[1]

    def layer(self, name: str, parts: list[tuple[Conv, float]], last: bool = False) -> None:
        """The population that these projections lead to."""
        conv = parts[0][0]
        theta = max(1, round(QUANTILE * sum(variance for _, variance in parts) ** 0.5))
        more = {"readout": Readout.COUNT} if last else {}
        self.maps[name] = conv.out_shape
        self._populations.append(Population(name=name, size=conv.target_size, model=Model.LIF, decay=Decay(shift_a=2), reset=Reset.SUBTRACT,
                                            theta=theta, v_bits=14, **more))

    def network(self, name: str) -> Network:
        """All of it."""
        return Network(name=name, populations=tuple(self._populations), projections=tuple(self._projections))


def _same(channels: int, **more) -> dict:
    return {"out_channels": channels, "kernel": (3, 3), "padding": (1, 1, 1, 1), **more}


def vgg16(classes: int = 10, seed: int = 0) -> Network:
    """VGG16 (Simonyan and Zisserman, 2015, configuration D) as it is used on CIFAR-10: 13 convolutions, sum pooling, layers of 512, 512 and 10."""
    build, source, pool, number = _Builder((3, 32, 32), seed), "x", (1, 1), 0
    for channels in VGG16:
        if channels == "pool":
            pool = (2, 2)
            continue
        number += 1
        build.layer(f"c{number}", [build.project(source, f"c{number}", **_same(channels, pool=pool))])
        source, pool = f"c{number}", (1, 1)
    for name, size in (("f1", 512), ("f2", 512), ("y", classes)):  # 512 maps of 2 x 2, pooled to one
        build.layer(name, [build.project(source, name, out_channels=size, kernel=(1, 1), pool=pool)], last=name == "y")
        source, pool = name, (1, 1)
    return build.network("vgg16")


def resnet20(classes: int = 10, seed: int = 0) -> Network:
    """ResNet20 (He et al., 2016, section 4.2): 16, 32 and 64 channels, three blocks of two convolutions each. A block's input is led past it by
    a 1 x 1 projection into the same membranes, with no delay: the schedule lets its events wait for the phase in which their target works."""
    build, source = _Builder((3, 32, 32), seed), "b0"
    build.layer("b0", [build.project("x", "b0", **_same(16))])
    for number in range(1, 10):
        channels, stride = 16 << (number - 1) // 3, 2 if number in (4, 7) else 1
        inner, outer = f"a{number}", f"b{number}"
        build.layer(inner, [build.project(source, inner, **_same(channels, stride=(stride, stride)))])
        build.layer(outer, [build.project(inner, outer, **_same(channels)),
                            build.project(source, outer, out_channels=channels, kernel=(1, 1), stride=(stride, stride))])
        source = outer
    build.layer("y", [build.project(source, "y", out_channels=classes, kernel=(1, 1), pool=(8, 8))], last=True)
    return build.network("resnet20")
