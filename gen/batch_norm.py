"""Folding of a batch normalisation into the layer before it, so that nothing of it is left to quantize."""

from __future__ import annotations

import numpy as np

from ..spec.errors import NetworkError

__all__ = ["fold_batch_norm"]


def fold_batch_norm(weights: np.ndarray, bias: np.ndarray | float, gamma: np.ndarray | float, beta: np.ndarray | float, mean: np.ndarray | float,
                    var: np.ndarray | float, eps: float = 1e-5) -> tuple[np.ndarray, np.ndarray]:
    """Weights ``[size, source size]`` (of a convolution ``[out channels, ...]``) and bias ``[size]`` (float64)
    whose sum is that of ``gamma * (W x + b - mean) / sqrt(var + eps) + beta``.

    Of a trained network, mean and var are those of the training (running_mean, running_var). The normalisation has to stand between the synaptic
    sum and the
    neuron: one behind the spikes belongs into the next layer's weights. A recurrent matrix, whose sum is added behind the normalisation, stays as
    it is.

    Parameters
    ----------
    weights, bias : of the layer before the normalisation.
    gamma, beta : its weight and bias, ``[size]`` or a number (1 and 0 where it is not affine).
    mean, var, eps : its statistics and the number that keeps the root from 0.

    Raises NetworkError for shapes that do not fit and for a variance that is negative or, with eps, 0.
    """
    weights = np.asarray(weights, np.float64)
    if weights.ndim < 2:
        raise NetworkError(f"Batch normalisation: weights must be a matrix [target, source] or the kernel of a convolution, not of shape "
                           f"{list(weights.shape)}")
    size = len(weights)
    values = {}
    for name, value in (("bias", bias), ("gamma", gamma), ("beta", beta), ("mean", mean), ("var", var)):
        array = np.asarray(value, np.float64)
        if array.shape not in ((), (size,)):
            raise NetworkError(f"Batch normalisation: {name} must have one entry per neuron ({size}; of a convolution per output channel), not shape "
                               f"{list(array.shape)}")
        values[name] = np.broadcast_to(array, (size,))
    if not (values["var"] >= 0).all() or not (values["var"] + eps > 0).all():
        raise NetworkError(f"Batch normalisation: variances must be at least 0, and above 0 with eps; the smallest is {values['var'].min()}")
    factor = values["gamma"] / np.sqrt(values["var"] + eps)
    return weights * factor.reshape(-1, *(1,) * (weights.ndim - 1)), (values["bias"] - values["mean"]) * factor + values["beta"]
