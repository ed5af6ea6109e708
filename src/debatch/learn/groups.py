"""The sampler: which images stand together in a batch-norm group, and which groups in a step.

AdaBN in training is nothing but this: a group of one batch instead of a group of random images.
"""

import numpy as np

LEAST_BATCHES = 4


def epoch_steps(together: np.ndarray, size: int, groups_per_step: int, seed: int, epoch: int) -> list[list[np.ndarray]]:
    """An epoch's optimizer steps, each with its groups: every image once, no tiny last group or step, nothing dropped.

    How many steps an epoch has depends on the number of images alone, so that all methods that train on them get as
    many. What shares a number gets its part of as many groups as random images would make, and at least one.

    Groups of one batch are dealt so that a step holds as many different batches as it can: an adversary that saw a
    single one would learn nothing, and with and without it AdaBN trains on the same steps. Likewise groups of one part.

    Args:
        together: (N,) a number that the images of a group share: their batch under AdaBN, their part where the screen
            has several. Where all have the same, groups are random.
        size: images in a group.
        groups_per_step: groups whose gradients a step averages; one more where they do not come out even, and more
            where `together` has more numbers than an epoch would have groups.
        seed: the run's seed.
        epoch: counted from 0; the same seed and epoch give the same steps, so that training can resume.

    Returns:
        By step, positions (n,) of each group's images.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    steps: list[list[np.ndarray]] = [[] for _ in range(steps_in_epoch(len(together), size, groups_per_step))]
    kinds, counts = np.unique(together, return_counts=True)
    number = dict(zip(kinds.tolist(), _dealt(counts, groups_in_epoch(len(together), size)).tolist(), strict=True))
    if len(kinds) == 1:
        groups = np.array_split(generator.permutation(len(together)), number[kinds[0]])
        parts = np.array_split(generator.permutation(len(groups)), len(steps))
        return [[groups[at] for at in part] for part in parts]
    waiting = [
        np.array_split(generator.permutation(np.flatnonzero(together == kind)), number[kind])
        for kind in generator.permutation(kinds).tolist()
    ]
    # the largest first: each goes round the steps, those with fewest groups, then fewest batches, before others
    filled, held = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.int64)
    for groups in sorted(waiting, key=len, reverse=True):
        new = np.ones(len(steps), np.int64)
        while groups:
            for at in np.lexsort((generator.permutation(len(steps)), held, filled))[: len(groups)].tolist():
                steps[at].append(groups.pop())
                filled[at] += 1
                held[at] += new[at]
                new[at] = 0
    shuffled = [[step[at] for at in generator.permutation(len(step))] for step in steps]
    return [shuffled[at] for at in generator.permutation(len(shuffled))]


def steps_in_epoch(images: int, size: int, groups_per_step: int) -> int:
    """Optimizer steps in an epoch; it is the same for every epoch, and for all methods that train on as many images."""
    return max(1, groups_in_epoch(images, size) // groups_per_step)


def groups_in_epoch(images: int, size: int) -> int:
    """Groups that an epoch is cut into, as near to their size as equal parts allow."""
    return max(1, round(images / size))


def _dealt(counts: np.ndarray, groups: int) -> np.ndarray:
    """(K,) how many of some groups each of K kinds of image gets: in proportion, and at least one.

    Each in turn goes to the kind whose groups are largest, so that they come out as near to one size as they can.
    """
    dealt = np.ones(len(counts), np.int64)
    for _ in range(groups - len(counts)):
        dealt[np.argmax(counts / dealt)] += 1
    return dealt
