"""A GAN in plain NumPy, with its gradients by hand, which gansweep sweeps as a script.

    python -m gansweep -m command="python examples/numpy_gan.py --data {data} --out {out} \\
        --steps {steps} --batch {batch_size} --lr {lr} --beta1 {beta1} --seed {seed} \\
        --hidden {hidden:int=128} {resume:--resume}" \\
        lr=5e-4,2e-3 beta1=0,0.5 batch_size=64 steps=3000 data=mnist5k

It needs nothing of gansweep: the contract is the folder --out, into which it writes
samples/STEP.npz and metrics.jsonl. docs/scripts.md describes both.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np


class MLP:
    """Dense layers with leaky ReLUs between them, and their Adam."""

    def __init__(self, sizes, rng):
        pairs = list(itertools.pairwise(sizes))
        self.p = [rng.normal(0, (2 / a) ** 0.5, (a, b)).astype("f4") for a, b in pairs]
        self.p += [np.zeros(b, "f4") for _, b in pairs]
        self.m = [np.zeros_like(p) for p in self.p]
        self.v = [np.zeros_like(p) for p in self.p]
        self.depth, self.t = len(pairs), 0

    def forward(self, x):
        self.inputs = []
        for i in range(self.depth):
            self.inputs.append(x)
            x = x @ self.p[i] + self.p[self.depth + i]
            x = x if i == self.depth - 1 else np.where(x > 0, x, 0.2 * x)
        return x

    def backward(self, grad):
        """Return the gradient of the input, and keep those of the parameters."""
        self.g = [None] * len(self.p)
        for i in reversed(range(self.depth)):
            self.g[i], self.g[self.depth + i] = self.inputs[i].T @ grad, grad.sum(0)
            grad = grad @ self.p[i].T
            if i:  # the slope of the leaky ReLU before this layer
                grad *= np.where(self.inputs[i] > 0, 1, 0.2)
        return grad

    def step(self, lr, beta1, beta2=0.999):
        self.t += 1
        rate = lr * (1 - beta2**self.t) ** 0.5 / (1 - beta1**self.t)
        for p, g, m, v in zip(self.p, self.g, self.m, self.v, strict=True):
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            p -= rate * m / (np.sqrt(v) + 1e-8)

    def state(self):
        return [np.stack(arrays) for arrays in zip(self.p, self.m, self.v, strict=True)]


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def save(path, **arrays):
    """Write a file beside its name and rename it, so that nobody reads a part of it."""
    hidden = path.with_name("." + path.name)
    np.savez_compressed(hidden, **arrays)
    hidden.replace(path)


def main(args):
    images = np.load(args.data)  # uint8 N×C×H×W
    real = (images.reshape(len(images), -1) / 127.5 - 1).astype("f4")
    rng = np.random.default_rng(args.seed)
    sizes = [args.z, args.hidden, 2 * args.hidden, real.shape[1]]
    G, D = MLP(sizes, rng), MLP([real.shape[1], 2 * args.hidden, args.hidden, 1], rng)
    shown = np.random.default_rng(0).uniform(-1, 1, (1000, args.z)).astype("f4")
    nets = {"G": G, "D": D}
    state, start = args.out / "state.npz", 0

    def write(step):
        made = np.tanh(G.forward(shown)).reshape(-1, *images.shape[1:])
        save(args.out / "samples" / f"{step}.npz", images=(127.5 * made + 127.5).astype("u1"))
        kept = {
            f"{n}{i}": arrays for n, net in nets.items() for i, arrays in enumerate(net.state())
        }
        save(state, step=step, **kept)

    if args.resume and state.exists():
        kept = np.load(state)
        for name, net in nets.items():
            for i in range(len(net.p)):
                net.p[i], net.m[i], net.v[i] = kept[f"{name}{i}"]
        start = G.t = D.t = int(kept["step"])
        rng = np.random.default_rng([args.seed, start])
    else:
        write(0)
    for step in range(start + 1, args.steps + 1):
        z = rng.uniform(-1, 1, (args.batch, args.z)).astype("f4")
        fake = np.tanh(G.forward(z))
        # D's loss is −log D(real) − log(1 − D(fake)), with one-sided label smoothing.
        batch = real[rng.integers(0, len(real), args.batch)]
        logits = D.forward(np.concatenate([batch, fake]))
        labels = np.repeat([[1 - args.smooth], [0]], args.batch, 0).astype("f4")
        loss_d = np.mean(np.logaddexp(0, logits) - labels * logits)
        D.backward((sigmoid(logits) - labels) / args.batch)
        D.step(args.lr, args.beta1)
        # G's loss is −log D(fake).
        logits = D.forward(fake)
        loss_g = np.mean(np.logaddexp(0, -logits))
        G.backward(D.backward((sigmoid(logits) - 1) / args.batch) * (1 - fake * fake))
        G.step(args.lr, args.beta1)
        if step % 20 == 0:
            line = {"step": step, "loss_d": float(loss_d), "loss_g": float(loss_g)}
            with (args.out / "metrics.jsonl").open("a") as metrics:
                print(json.dumps(line), file=metrics)
        if step % max(1, args.steps // args.samples) == 0 or step == args.steps:
            write(step)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    for name, default in (
        ("steps", 3000), ("batch", 64), ("z", 64), ("hidden", 128), ("seed", 1), ("samples", 10),
        ("lr", 5e-4), ("beta1", 0.5), ("smooth", 0.1),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=type(default), default=default)
    main(parser.parse_args())
