"""The keyword network that gate_table.py measures: training of 40 - H - H SpikGRU and a leaky-integrator readout, in torch.

Layer (Dampfhoffer 2023, equations 4.10 to 4.13, with the current step's feed-forward input and theta = 1):

    i = alpha * i_prev + W_i x + U_i s_prev + b_i        z = sigmoid(W_z x + U_z s_prev + b_z)
    v = z * v_prev + (1 - z) * i - s_prev                s = v >= 1

Readout: o = beta * o_prev + W s + b; the class with the largest o over time. Inputs are log-mel payloads of 8 bits, signed, as the
integer network gets them; a payload p counts as p / 128.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from gate_data import INPUT_SHIFT, load

__all__ = ["KeywordNet", "train"]

DAMPING = 0.4  # of the surrogate gradient: without it the gradient grows through fifty recurrent steps


class GatedLayer(torch.autograd.Function):
    """Spikes of one recurrent SpikGRU population over all timesteps.

    Backward: ds/dv = DAMPING * max(0, 1 - |v - 1|), the triangle of the thesis (section 4.2.3) made lower; no gradient through the reset. Written by
    hand because the loop over time then does one matrix product per step and the gradient of U one in all.

    Arguments: drive ``[T, B, 2H]`` (that of i, then that of z), U ``[2H, H]``, alpha ``[H]``. Returns s ``[T, B, H]``.
    """

    @staticmethod
    def forward(ctx, drive: torch.Tensor, u: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        steps, clips, size = drive.shape[0], drive.shape[1], drive.shape[2] // 2
        i, v, s = (torch.zeros(clips, size) for _ in range(3))
        kept = [torch.empty(steps, clips, size) for _ in range(4)]
        for t in range(steps):
            total = torch.addmm(drive[t], s, u.T) if t else drive[t]
            i = torch.addcmul(total[:, :size], i, alpha)
            z = torch.sigmoid(total[:, size:])
            v = torch.lerp(i, v, z).sub_(s)
            s = (v >= 1.0).float()
            for store, value in zip(kept, (i, z, v, s), strict=True):
                store[t] = value
        ctx.save_for_backward(*kept, u, alpha)
        return kept[3]

    @staticmethod
    def backward(ctx, *grads: torch.Tensor):
        (out,) = grads
        i, z, v, s, u, alpha = ctx.saved_tensors
        steps, clips, size = s.shape
        surrogate = (1.0 - (v - 1.0).abs()).clamp_(min=0.0).mul_(DAMPING)
        keep, slope = 1.0 - z, z * (1.0 - z)
        total = torch.empty(steps, clips, 2 * size)
        g_v, g_i = torch.zeros(clips, size), torch.zeros(clips, size)
        for t in range(steps - 1, -1, -1):
            g_s = torch.addmm(out[t], total[t + 1], u) if t < steps - 1 else out[t]
            g_v = torch.addcmul(g_v * z[t + 1], g_s, surrogate[t]) if t < steps - 1 else g_s * surrogate[t]
            g_i = torch.addcmul(g_i * alpha, g_v, keep[t])
            before = v[t - 1] - i[t] if t else -i[t]
            total[t, :, :size] = g_i
            torch.mul(g_v, before * slope[t], out=total[t, :, size:])
        g_u = total[1:].reshape(-1, 2 * size).T @ s[:-1].reshape(-1, size)
        return total, g_u, (total[1:, :, :size] * i[:-1]).sum(dim=(0, 1))


class KeywordNet(torch.nn.Module):
    """SpikGRU layers and a readout. Of layer k, ``wk [2H, C]``, ``uk [2H, H]`` and ``bk [2H]`` hold those of i on top of those of the gate."""

    def __init__(self, channels: int, hidden: int, classes: int, layers: int = 2, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers, self.dropout = layers, dropout
        sizes = [channels, *[hidden] * layers]
        for k in range(layers):
            for name, fan_in in (("w", sizes[k]), ("u", hidden)):
                self.register_parameter(f"{name}{k}", torch.nn.Parameter((torch.rand(2 * hidden, fan_in) * 2 - 1) * fan_in**-0.5))
            self.register_parameter(f"b{k}", torch.nn.Parameter(torch.zeros(2 * hidden)))
            self.register_parameter(f"alpha{k}", torch.nn.Parameter(torch.full((hidden,), 0.8)))
        self.w_out = torch.nn.Parameter((torch.rand(classes, hidden) * 2 - 1) * hidden**-0.5)
        self.b_out = torch.nn.Parameter(torch.zeros(classes))
        self.beta_out = torch.nn.Parameter(torch.full((classes,), 0.9))

    def forward(self, payloads: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores ``[B, classes]`` and spikes ``[T, B, H]`` of each layer, of payloads ``[B, T, C]``."""
        x, spikes = payloads.transpose(0, 1) / 2**INPUT_SHIFT, []
        for k in range(self.layers):
            w, u, b, alpha = (getattr(self, f"{name}{k}") for name in ("w", "u", "b", "alpha"))
            s = GatedLayer.apply(x @ w.T + b, u, alpha)
            spikes.append(s)
            x = torch.nn.functional.dropout(s, self.dropout, self.training)
        drive = x @ self.w_out.T + self.b_out
        o = torch.zeros_like(drive[0])
        best = torch.full_like(o, -torch.inf)
        for step in drive:
            o = torch.addcmul(step, o, self.beta_out)
            best = torch.maximum(best, o)
        return best, spikes


def _varied(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Payloads ``[B, 50, 40]`` shifted in time, louder or softer, a little further up or down in pitch, with a band and some frames hidden."""
    n, steps, bands = x.shape
    frames = (np.arange(steps) + rng.integers(-6, 7, (n, 1))) % steps
    places = np.clip(np.arange(bands) + rng.integers(-2, 3, (n, 1)), 0, bands - 1)
    x = x[np.arange(n)[:, None, None], frames[:, :, None], places[:, None, :]] + rng.integers(-12, 13, (n, 1, 1))
    for axis, width in ((1, 8), (2, 6)):
        along, first = np.arange(x.shape[axis]), rng.integers(0, x.shape[axis], (n, 1))
        hidden = (along >= first) & (along < first + rng.integers(0, width + 1, (n, 1)))
        x = np.where(np.expand_dims(hidden, 3 - axis), 0, x)
    return np.clip(x, -128, 127).astype(np.float32)


@torch.no_grad()
def accuracy(net: KeywordNet, x: np.ndarray, y: np.ndarray) -> tuple[float, list[float]]:
    """Fraction right, and spikes per neuron and timestep of each layer."""
    net.eval()
    right, rates = 0, np.zeros(net.layers)
    for k in range(0, len(x), 300):
        scores, spikes = net(torch.from_numpy(x[k : k + 300].astype(np.float32)))
        right += int((scores.argmax(1).numpy() == y[k : k + 300]).sum())
        rates += [float(s.sum()) / (s.shape[0] * s.shape[2]) for s in spikes]
    return right / len(x), (rates / len(x)).tolist()


def train(hidden: int, epochs: int, seed: int, progress: Callable[[str], None], batch: int = 64, rate: float = 2e-3) -> dict[str, np.ndarray]:
    """Train on the train split; returns the parameters (float32), those of the end of a one-cycle schedule: nothing is chosen by validation."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y, mean = load("train")
    x_val, y_val, _ = load("val", mean)
    net = KeywordNet(x.shape[2], hidden, int(y.max()) + 1)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    n_updates, update, begin = epochs * (len(x) // batch), 0, time.process_time()
    for epoch in range(1, epochs + 1):
        net.train()
        order, total = rng.permutation(len(x)), 0.0
        for rows in order[: len(x) // batch * batch].reshape(-1, batch):
            place = update / n_updates
            for group in optimizer.param_groups:
                group["lr"] = rate * max(place / 0.1 if place < 0.1 else 0.5 + 0.5 * math.cos(math.pi * (place - 0.1) / 0.9), 0.01)
            scores, spikes = net(torch.from_numpy(_varied(x[rows], rng)))
            loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(y[rows]), label_smoothing=0.1)
            activity = sum(0.5 * s.square().mean() for s in spikes)  # Dampfhoffer 2023, equation 4.14
            optimizer.zero_grad()
            (loss + 0.5 * activity).backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimizer.step()
            with torch.no_grad():
                for name, p in net.named_parameters():
                    if name.startswith(("alpha", "beta")):
                        p.clamp_(0.0, 1.0)
            update += 1
            total += float(loss.detach())
        if epoch % 5 == 0 or epoch == epochs:
            right, rates = accuracy(net, x_val, y_val)
            progress(f"epoch {epoch}/{epochs}: loss {total / (len(x) // batch):.3f}, validation {right:.2%}, spikes per neuron and step "
                     f"{', '.join(f'{r:.3f}' for r in rates)}, {time.process_time() - begin:.0f} s of CPU")
    return {"mean": mean, **{name: p.detach().numpy() for name, p in net.named_parameters()}}
