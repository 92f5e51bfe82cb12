"""Draw labels, the class numbers that a conditional generator gets beside z."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gansweep.store.errors import UserError, choices_hint


def drawn_labels(classes: Mapping[str, int], n: int, seed: int | None = None) -> Tensor | None:
    """Return the labels of n generated images, int64 (n,), on the CPU; None without classes.

    classes: the number of training images by class; the labels have their shares, apart from
    chance. Without a seed, torch's global random generator draws them.
    """
    if not classes:
        return None
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    counts = torch.tensor(list(classes.values()), dtype=torch.float64)
    return torch.multinomial(counts, n, replacement=True, generator=generator)


def chosen_labels(
    labels: int | str | Sequence[int | str], classes: Mapping[str, int], n: int
) -> Tensor:
    """Return the labels that a user has chosen for n images, int64 (n,).

    labels: one class for all images or one for each, as a number from 0 or by its name. Raises
    UserError for an unknown class or another number of labels, and without classes.
    """
    if not classes:
        raise UserError("labels= needs a run with labels=true")
    names = list(classes)
    given = [labels] * n if isinstance(labels, int | str) else list(labels)
    if len(given) != n:
        raise UserError(f"labels= has {len(given)} labels for n={n} images")
    numbers = []
    for label in given:
        if isinstance(label, str) and label in names:
            numbers.append(names.index(label))
        elif not isinstance(label, str) and 0 <= int(label) < len(names):
            numbers.append(int(label))
        else:
            raise UserError(f"no class {label!r}: {choices_hint(str(label), names)}")
    return torch.tensor(numbers, dtype=torch.int64)
