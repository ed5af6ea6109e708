"""The sampler: which images stand together in a batch-norm group, and which groups in a step.

AdaBN in training is nothing but this: a group of one batch instead of a group of random images.
"""

import numpy as np

from debatch.screen.order import nearly_equal_groups

LEAST_BATCHES = 4


def epoch_steps(
    batches: np.ndarray, size: int, single_batch: bool, groups_per_step: int, seed: int, epoch: int
) -> list[list[np.ndarray]]:
    """An epoch's optimizer steps, each with its groups: every image once, no tiny last group, nothing dropped.

    Groups of one batch are dealt so that a step holds as many different batches as it can: an adversary that saw a
    single one would learn nothing, and with and without it AdaBN trains on the same steps.

    Args:
        batches: (N,) each training image's batch.
        size: images in a group.
        single_batch: all images of a group are of one batch (AdaBN), else they are random.
        groups_per_step: groups whose gradients a step averages.
        seed: the run's seed.
        epoch: counted from 0; the same seed and epoch give the same steps, so that training can resume.

    Returns:
        By step, positions (n,) of each group's images.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    if not single_batch:
        groups = nearly_equal_groups(generator.permutation(len(batches)), size)
        parts = np.array_split(generator.permutation(len(groups)), -(-len(groups) // groups_per_step))
        return [[groups[at] for at in part] for part in parts]
    waiting = [
        nearly_equal_groups(generator.permutation(np.flatnonzero(batches == batch)), size)
        for batch in np.unique(batches)
    ]
    steps = []
    for number in _step_sizes(sum(map(len, waiting)), groups_per_step):
        step: list[np.ndarray] = []
        while len(step) < number:
            # those batches first that have most groups left, in random order among equals: none is left over so
            lengths = np.array([len(groups) for groups in waiting])
            order = np.lexsort((generator.permutation(len(waiting)), -lengths))
            step += [waiting[at].pop() for at in order[: number - len(step)] if waiting[at]]
        steps.append([step[at] for at in generator.permutation(len(step))])
    return [steps[at] for at in generator.permutation(len(steps))]


def steps_in_epoch(batches: np.ndarray, size: int, single_batch: bool, groups_per_step: int) -> int:
    """Optimizer steps in an epoch; it is the same for every epoch."""
    counts = np.unique(batches, return_counts=True)[1] if single_batch else np.array([len(batches)])
    groups = sum(max(1, round(count / size)) for count in counts)
    return -(-groups // groups_per_step)


def _step_sizes(groups: int, groups_per_step: int) -> list[int]:
    """Groups of each step: as many as asked for, and nearly equal where that does not come out even."""
    steps = -(-groups // groups_per_step)
    return [len(part) for part in np.array_split(np.arange(groups), steps)] if steps else []
