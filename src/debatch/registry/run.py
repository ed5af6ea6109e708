"""A run: a training, and how its embeddings are looked at."""

from dataclasses import dataclass

from debatch.files import UNCORRECTED

ALL_IMAGES = "all"
PROFILES = "profiles"


@dataclass(frozen=True, order=True)
class Run:
    """A method on a split with a seed, and how it is looked at: under which test-time statistics, corrected or not.

    Attributes:
        weights: the method that was trained: another one where this one differs by its test-time statistics alone.
        correction: of the embeddings, after training; `none`: as they are.
        external: whether they are profiles made elsewhere: `method` is then their name.
    """

    method: str
    split: str
    seed: int
    inference: str
    weights: str
    correction: str = UNCORRECTED
    external: bool = False

    @property
    def view(self) -> str:
        """The test-time statistics, and the correction after a dot."""
        return self.inference if self.correction == UNCORRECTED else f"{self.inference}.{self.correction}"
