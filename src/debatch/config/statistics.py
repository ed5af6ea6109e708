"""The names of test-time statistics: whose images give them, and how many of those."""

import re
from typing import Literal, NamedTuple, get_args

from debatch.errors import ConfigError

Form = Literal["pool", "train", "mini_batch", "half"]
Domain = Literal["batch", "plate"]
Pool = Literal["all", "treatments", "controls"]
FORMS: tuple[Form, ...] = get_args(Form)
DOMAINS: tuple[Domain, ...] = get_args(Domain)
POOLS: tuple[Pool, ...] = get_args(Pool)
# for people
POOL_IMAGES: dict[Pool, str] = {"all": "images", "controls": "control images", "treatments": "treatment images"}

_NUMBER = "n[1-9][0-9]*"
# what a recipe may ask for; without groups that capture, since Snakemake puts it into expressions of its own
RECIPE_STATISTICS = f"train|batch|plate|mini_batch|(?:plate_)?(?:{_NUMBER}|(?:controls|treatments)(?:_{_NUMBER})?)"
# and what probes and stress tests look at beside
STATISTICS = f"{RECIPE_STATISTICS}|half|classes_[1-9][0-9]?"


class Statistics(NamedTuple):
    """What the name of test-time statistics says.

    Attributes:
        form: `pool`: from images of the image's batch or plate; `train`, `mini_batch`, `half`: drawn in their own way,
            and nothing below holds.
        domain: `batch` or `plate`.
        pool: which of its images.
        images: how many of those, if there are as many; None: all of them.
        classes: percent of the batch's classes, whose images are taken to be all that it has; None: all classes.
    """

    form: Form = "pool"
    domain: Domain = "batch"
    pool: Pool = "all"
    images: int | None = None
    classes: int | None = None

    @property
    def name(self) -> str:
        """The name that says this: the inverse of `parse_statistics`."""
        if self.form != "pool":
            return self.form
        if self.classes is not None:
            return f"classes_{self.classes}"
        words = ["plate"] if self.domain == "plate" else []
        words += [] if self.pool == "all" else [self.pool]
        words += [] if self.images is None else [f"n{self.images}"]
        return "_".join(words) or self.domain


def parse_statistics(name: str) -> Statistics:
    """What a name says.

    Raises:
        ConfigError: it is no such name.
    """
    if not re.fullmatch(STATISTICS, name):
        raise ConfigError(
            f"no test-time statistics {name!r}; they are train, batch, plate, mini_batch, or "
            "[plate_][controls_|treatments_]n<number>, as in n32, plate_controls and plate_treatments_n16"
        )
    for form in FORMS:
        if name == form:
            return Statistics(form)
    *_, last = words = name.split("_")
    if words[0] == "classes":
        return Statistics(classes=int(last))
    return Statistics(
        domain="plate" if words[0] == "plate" else "batch",
        pool=next((pool for pool in POOLS if pool in words), "all"),
        images=int(last[1:]) if re.fullmatch(_NUMBER, last) else None,
    )
