"""The sampler: which images stand together in a batch-norm group, and which groups in a step.

AdaBN in training is nothing but this: a group of one batch instead of a group of random images.
"""

import numpy as np

from debatch.screen.order import nearly_equal_groups

LEAST_BATCHES = 4


def epoch_steps(
    batches: np.ndarray, size: int, single_batch: bool, groups_per_step: int, seed: int, epoch: int
) -> list[list[np.ndarray]]:
    """An epoch's optimizer steps, each with its groups: every image once, no tiny last group or step, nothing dropped.

    Groups of one batch are dealt so that a step holds as many different batches as it can: an adversary that saw a
    single one would learn nothing, and with and without it AdaBN trains on the same steps.

    Args:
        batches: (N,) each training image's batch.
        size: images in a group.
        single_batch: all images of a group are of one batch (AdaBN), else they are random.
        groups_per_step: groups whose gradients a step averages; one more where they do not come out even.
        seed: the run's seed.
        epoch: counted from 0; the same seed and epoch give the same steps, so that training can resume.

    Returns:
        By step, positions (n,) of each group's images.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    steps: list[list[np.ndarray]] = [[] for _ in range(steps_in_epoch(batches, size, single_batch, groups_per_step))]
    if not single_batch:
        groups = nearly_equal_groups(generator.permutation(len(batches)), size)
        parts = np.array_split(generator.permutation(len(groups)), len(steps))
        return [[groups[at] for at in part] for part in parts]
    waiting = [
        nearly_equal_groups(generator.permutation(np.flatnonzero(batches == batch)), size)
        for batch in generator.permutation(np.unique(batches))
    ]
    # the largest batches first: each goes round the steps, those with fewest groups, then fewest batches, before others
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


def steps_in_epoch(batches: np.ndarray, size: int, single_batch: bool, groups_per_step: int) -> int:
    """Optimizer steps in an epoch; it is the same for every epoch."""
    counts = np.unique(batches, return_counts=True)[1] if single_batch else np.array([len(batches)])
    groups = sum(max(1, round(count / size)) for count in counts)
    return max(1, groups // groups_per_step)
