"""What luck alone reaches: a guess that knows nothing of an image, and a network that learnt from permuted labels."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from debatch.embedding_table import top_columns
from debatch.evaluate.metrics import METRICS
from debatch.learn.data import training_data

CONFIDENCE = 0.95
DRAWS = 100
# beyond what permutations keep on average, of all wells
MOST_IN_PLACE = 0.05


@dataclass(frozen=True)
class Chance:
    """What a guess scores that knows nothing of an image.

    Attributes:
        level: a share: that of the best such guess, which names the test images' most frequent classes.
        highest: what luck brings it to in 95 of 100 draws, by the binomial distribution.
        units: how many answers count as independent.
        unit: what these are: wells, whose images are alike, or classes.
    """

    level: float
    highest: float
    units: int
    unit: str


@dataclass(frozen=True)
class Permutation:
    """What a permutation of the training wells' labels leaves as it was.

    Attributes:
        wells: that were permuted.
        kept: wells whose new label is their own.
        expected: how many keep theirs in the mean over permutations.
    """

    wells: int
    kept: int
    expected: float

    @property
    def is_poor(self) -> bool:
        """Whether so many keep theirs that labels can be learnt."""
        return self.kept - self.expected > MOST_IN_PLACE * self.wells


def chance_of(metric: str, tested: pd.DataFrame) -> Chance:
    """Chance of a metric of predictions.

    Args:
        metric: its name.
        tested: the labelled test images: experiment, plate, well, label.
    """
    from scipy.special import bdtr  # half a second, which a start of the workflow need not wait

    order = tested["label"].astype(np.int64).value_counts().sort_index().sort_values(ascending=False, kind="stable")
    level, count = _scored(metric, tested, np.broadcast_to(order.index.to_numpy(), (len(tested), len(order))))
    wells = len(tested.drop_duplicates(["experiment", "plate", "well"]))
    units = min(count, wells)
    right = np.arange(units + 1)
    highest = int(right[bdtr(right, units, level) >= CONFIDENCE][0])
    return Chance(level, highest / units, units, "classes" if units < wells else "wells")


def permutation_of(index: pd.DataFrame, split: pd.DataFrame, seed: int) -> Permutation:
    """What a run with permuted labels left in place.

    Args:
        index: the screen's images, of the parts that the run is of.
        split: that it was trained on: image_id, subset.
        seed: of the run.
    """
    labels, permuted = (_labels_by_well(index, split, shuffled, seed) for shuffled in (False, True))
    frequent = np.bincount(labels)
    return Permutation(len(labels), int((labels == permuted).sum()), float((frequent**2).sum() / len(labels)))


def reached_by_permutations(
    metric: str, index: pd.DataFrame, split: pd.DataFrame, tested: pd.DataFrame, draws: int = DRAWS
) -> np.ndarray:
    """(draws,) what permutations of the training wells' labels bring a network to without any leak.

    The network tells all classes apart, and answers for each with the labels that the permutation gave most of its
    wells: what it gets right it owes to the permutation. All wells of a class go right or wrong together, so that
    with few classes luck reaches further than the binomial distribution of the test wells says.

    Args:
        metric: of predictions.
        index: the screen's images, of the parts that the run is of.
        split: image_id, subset.
        tested: the labelled test images: experiment, plate, well, label.
        draws: permutations.
    """
    labels = _labels_by_well(index, split, False, 0)
    wells = tested.drop_duplicates(["experiment", "plate", "well"])
    own = wells["label"].to_numpy(np.int64)
    classes = int(max(labels.max(), own.max())) + 1
    generator = np.random.default_rng(0)
    reached = []
    for _ in range(draws):
        given = np.bincount(labels * classes + generator.permutation(labels), minlength=classes**2)
        # less than one well: it decides between labels of as many
        counts = given.reshape(classes, classes) + generator.random((classes, classes))
        reached.append(_scored(metric, wells, np.argsort(-counts, axis=1)[own])[0])
    return np.array(reached)


def _labels_by_well(index: pd.DataFrame, split: pd.DataFrame, shuffled: bool, seed: int) -> np.ndarray:
    """(W,) the labels that the training wells were trained with."""
    data = training_data(index, split, shuffled, seed)
    return data.labels[~data.rows.duplicated(["experiment", "plate", "well"]).to_numpy()]


def _scored(metric: str, images: pd.DataFrame, answers: np.ndarray) -> tuple[float, int]:
    """A metric of answers (N, K), the most probable first, and of how many it is."""
    score = METRICS[metric].score
    assert score is not None
    names = top_columns("class")
    known = {name: answers[:, at] if at < answers.shape[1] else -1 for at, name in enumerate(names)}
    first = answers[:, 0]
    of_images = {name: images[name].to_numpy() for name in ("experiment", "plate", "well")}
    labels = images["label"].to_numpy(np.int64)
    return score(pd.DataFrame({**of_images, "label": labels, "predicted": first, "predicted_well": first, **known}))
