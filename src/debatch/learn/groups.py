"""The sampler: which images stand together in a batch-norm group, and which groups in a step.

AdaBN in training is nothing but this: a group of one batch instead of a group of random images.
"""

import numpy as np

from debatch.screen.order import nearly_equal_groups

LEAST_BATCHES = 4


def epoch_steps(together: np.ndarray, size: int, groups_per_step: int, seed: int, epoch: int) -> list[list[np.ndarray]]:
    """An epoch's optimizer steps, each with its groups: every image once, no tiny last group or step, nothing dropped.

    Groups of one batch are dealt so that a step holds as many different batches as it can: an adversary that saw a
    single one would learn nothing, and with and without it AdaBN trains on the same steps. Likewise groups of one part.

    Args:
        together: (N,) a number that the images of a group share: their batch under AdaBN, their part where the screen
            has several. Where all have the same, groups are random.
        size: images in a group.
        groups_per_step: groups whose gradients a step averages; one more where they do not come out even.
        seed: the run's seed.
        epoch: counted from 0; the same seed and epoch give the same steps, so that training can resume.

    Returns:
        By step, positions (n,) of each group's images.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    steps: list[list[np.ndarray]] = [[] for _ in range(steps_in_epoch(together, size, groups_per_step))]
    kinds = np.unique(together)
    if len(kinds) == 1:
        groups = nearly_equal_groups(generator.permutation(len(together)), size)
        parts = np.array_split(generator.permutation(len(groups)), len(steps))
        return [[groups[at] for at in part] for part in parts]
    waiting = [
        nearly_equal_groups(generator.permutation(np.flatnonzero(together == kind)), size)
        for kind in generator.permutation(kinds)
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


def steps_in_epoch(together: np.ndarray, size: int, groups_per_step: int) -> int:
    """Optimizer steps in an epoch; it is the same for every epoch."""
    counts = np.unique(together, return_counts=True)[1]
    groups = sum(max(1, round(count / size)) for count in counts)
    return max(1, groups // groups_per_step)
