"""The sampler: which images stand together in a batch-norm group, and which groups in a step.

AdaBN in training is nothing but this: a group of one batch instead of a group of random images.
"""

import numpy as np

from debatch.model.population import nearly_equal_groups


def epoch_groups(batches: np.ndarray, size: int, single_batch: bool, seed: int, epoch: int) -> list[np.ndarray]:
    """An epoch's groups: every image once, no tiny last group, nothing dropped.

    Args:
        batches: (N,) each training image's batch.
        size: images in a group.
        single_batch: all images of a group are of one batch (AdaBN), else they are random.
        seed: the run's seed.
        epoch: counted from 0; the same seed and epoch give the same groups, so that training can resume.

    Returns:
        Positions (n,) of each group's images, groups in random order.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    if single_batch:
        domains = [np.flatnonzero(batches == batch) for batch in np.unique(batches)]
    else:
        domains = [np.arange(len(batches))]
    groups = [group for domain in domains for group in nearly_equal_groups(generator.permutation(domain), size)]
    return [groups[at] for at in generator.permutation(len(groups))]


def steps_in_epoch(batches: np.ndarray, size: int, single_batch: bool, groups_per_step: int) -> int:
    """Optimizer steps in an epoch; it is the same for every epoch."""
    counts = np.unique(batches, return_counts=True)[1] if single_batch else np.array([len(batches)])
    groups = sum(max(1, round(count / size)) for count in counts)
    return -(-groups // groups_per_step)


def group_steps(groups: list[np.ndarray], groups_per_step: int) -> list[list[np.ndarray]]:
    """Groups by optimizer step; the last step may hold fewer."""
    return [groups[at : at + groups_per_step] for at in range(0, len(groups), groups_per_step)]
