"""A script of the user, trained in a process of its own: `command='python train.py --lr {lr}'`.

The contract is a folder, {out}. The script writes `samples/STEP.npz` or `samples/STEP.png`, and it
may write `metrics.jsonl`; docs/scripts.md describes both. gansweep judges each file as it appears.
"""
