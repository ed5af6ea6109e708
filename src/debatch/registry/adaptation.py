"""Under which test-time statistics tables and figures of adaptation look at a run."""

from typing import NamedTuple

from debatch.config.statistics import DOMAINS, POOLS, Statistics
from debatch.config.tables import Figure, Table

# kinds of tables and figures
ADAPTED = ("adaptation", "label_shift")


class Adaptation(NamedTuple):
    """How a run is looked at.

    Attributes:
        statistics: names of test-time statistics.
        classes: percents of a batch's classes whose images are scored by themselves too.
    """

    statistics: list[str]
    classes: list[int]


def adaptation(spec: Table | Figure, inference: str) -> Adaptation:
    """How a table or figure looks at one of its methods.

    Args:
        spec: of a kind in `ADAPTED`.
        inference: the method's own test-time statistics: one that takes them from training images (`train`) stands
            beside the others as what there is without adaptation.
    """
    with_classes = spec.kind == "label_shift" or isinstance(spec, Figure)
    classes = spec.classes if with_classes else []
    if inference == "train":
        return Adaptation(["train"], classes)
    names = ["batch"]
    if spec.kind == "adaptation":
        names = [
            Statistics(domain=domain, pool=pool, images=images).name
            for domain in DOMAINS
            for pool in POOLS
            for images in (*spec.images, None)
        ]
    return Adaptation([*names, *(Statistics(classes=percent).name for percent in classes)], classes)
