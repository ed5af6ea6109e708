"""Partners: another image of the same perturbation for each training image, as of another batch."""

import logging
from typing import Literal

import numpy as np
import pandas as pd

log = logging.getLogger(__name__)
Rule = Literal["other_batch", "any_batch"]


class Partners:
    """Draws partners from an index that is made once: O(1) an image, whatever the number of images.

    Where an image has no partner by the rule, one of the same perturbation serves, of another well where there is one;
    where the perturbation has no other image, the image itself does. How often is said once in the log.

    Args:
        rows: (N, …) training images: experiment, plate, well, cell_type, perturbation, batch, part.
        rule: whether a partner must be of another batch.

    Attributes:
        by_rule: images that have a partner by the rule.
        same_batch: images whose partners are of their own batch, for want of another.
        alone: images that are their own partner.
    """

    def __init__(self, rows: pd.DataFrame, rule: Rule) -> None:
        perturbation = rows["perturbation"].astype("object").where(rows["perturbation"].notna(), None)
        # an unlabelled image is of no perturbation: only itself is like it
        names = [name if name is not None else ("", at) for at, name in enumerate(perturbation)]
        # of its part too: a group's images share channels and size
        alike = list(zip(rows["part"], rows["cell_type"], names, strict=True))
        kinds = pd.factorize(pd.Series(alike, dtype=object))[0]
        batches = np.unique(rows["batch"].to_numpy(str), return_inverse=True)[1]
        wells = rows.groupby(["experiment", "plate", "well"], sort=False).ngroup().to_numpy()
        # of each perturbation its images stand together, of each batch within it likewise, and of each well
        self._order = np.lexsort((wells, batches, kinds))
        self._lowest, self._highest, self._gap = (np.zeros(len(rows), np.int64) for _ in range(3))
        sorted_kinds, sorted_batches = kinds[self._order], batches[self._order]
        sorted_wells = wells[self._order]
        first = np.searchsorted(sorted_kinds, sorted_kinds, side="left")
        last = np.searchsorted(sorted_kinds, sorted_kinds, side="right")
        of_batch = _runs(sorted_kinds, sorted_batches)
        of_well = _runs(sorted_kinds, sorted_batches, sorted_wells)
        # what is left out around an image: its batch, else its well, else nothing but itself, else nothing at all
        itself = np.arange(len(rows))[:, None] + np.array([0, 1])
        barred = [of_batch, of_well, itself] if rule == "other_batch" else [of_well, itself]
        left, size = np.zeros((len(rows), 2), np.int64), last - first
        chosen = np.full(len(rows), len(barred))
        for level, (low, high) in reversed(list(enumerate((out[:, 0], out[:, 1]) for out in barred))):
            fits = size > high - low
            chosen[fits] = level
            left[fits] = np.stack([low, high], axis=1)[fits]
        alone = chosen == len(barred)
        left[alone] = 0
        self._first, self._count = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        self._low, self._high = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        self._first[self._order], self._low[self._order], self._high[self._order] = first, left[:, 0], left[:, 1]
        self._count[self._order] = size - (left[:, 1] - left[:, 0])
        self.alone = int(alone.sum())
        self.same_batch = int(((chosen > 0) & ~alone).sum()) if rule == "other_batch" else 0
        self.by_rule = len(rows) - self.alone - self.same_batch
        if self.same_batch or self.alone:
            log.warning(
                "partners: %d of %d images have none in another batch and take one of their own; %d have no other "
                "image of their perturbation and stand for themselves", self.same_batch, len(rows), self.alone,
            )  # fmt: skip

    def draw(self, positions: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(n,) a partner of each image (n,), uniform over those that it may have."""
        rank = np.floor(generator.random(len(positions)) * self._count[positions]).astype(np.int64)
        at = self._first[positions] + rank
        at += np.where(at >= self._low[positions], self._high[positions] - self._low[positions], 0)
        return self._order[at]


def _runs(*keys: np.ndarray) -> np.ndarray:
    """(N, 2) first and one past the last of the run of equal keys that each place of sorted keys (N,) is in."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1]) if len(keys[0]) else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(keys[0]))
    run = np.concatenate([[0], np.cumsum(changes)]) if len(keys[0]) else np.zeros(0, np.int64)
    return np.stack([starts[run], ends[run]], axis=1) if len(starts) else np.zeros((0, 2), np.int64)
