"""The registry: one screen, the methods, the tables, and which runs each of them is made of."""

from dataclasses import dataclass, replace

from debatch.config.corrections import Correction
from debatch.config.profiles import ProfileSet
from debatch.config.recipe import Method, Recipe
from debatch.config.screen import Screen
from debatch.config.tables import NEEDS, SCREEN_FIGURES, UNCORRECTED, WITHOUT_SPLIT, Figure, Table
from debatch.config.trained import TrainedModel

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


@dataclass(frozen=True)
class Registry:
    """Everything the configuration says, resolved."""

    name: str
    screen: Screen
    experiments: list[str]
    recipes: dict[str, Recipe]
    methods: dict[str, Method]
    corrections: dict[str, Correction]
    tables: dict[str, Table]
    figures: dict[str, Figure]
    seeds: int
    results: str
    ome_zarr: list[str]
    model: TrainedModel | None

    @property
    def externals(self) -> dict[str, ProfileSet]:
        """Profiles made elsewhere, by name."""
        return self.screen.profiles or {}

    def runs(self, target: str) -> list[Run]:
        """The runs that a table or figure is made of, on the splits that the screen has; nulls come last."""
        made_of = self._target(target)
        nulls = made_of.nulls if isinstance(made_of, Table) and not self.externals else []
        seeds = 1 if self.externals else min(made_of.seeds, self.seeds)
        splits = self.splits(target)
        runs = [
            self.run(method, split, seed)
            for methods, some_splits, some_seeds in ((self.rows(target), splits, seeds), (nulls, splits[:1], 1))
            for method in methods
            for split in some_splits
            for seed in range(some_seeds)
        ]
        corrections = self.corrections_of(target)
        return [replace(run, correction=correction) for run in runs for correction in corrections]

    def rows(self, target: str) -> list[str]:
        """The methods of a table or figure; of a screen of profiles, those."""
        return list(self.externals) or self._target(target).methods

    def splits(self, target: str) -> list[str]:
        """The splits of a table or figure that the screen has; `all` where profiles need none."""
        made_of = self._target(target)
        if self.externals and made_of.kind in WITHOUT_SPLIT:
            return [ALL_IMAGES]
        return [split for split in made_of.splits if split in self.screen.splits.names]

    def corrections_of(self, target: str) -> list[str]:
        """The corrections that a table or figure shows here; `none` alone where it is of embeddings as they are."""
        named = self._target(target).corrections or [UNCORRECTED]
        chosen = self.screen.corrections
        return [name for name in named if name == UNCORRECTED or chosen is None or name in chosen]

    def run(self, method: str, split: str, seed: int) -> Run:
        """One run, under its recipe's own test-time statistics."""
        if method in self.externals:
            return Run(method, split, seed, PROFILES, method, external=True)
        return Run(method, split, seed, self.recipes[method].inference, self.methods[method].weights_of or method)

    def needs(self, target: str) -> list[str]:
        """What a table or figure is made from, of each of its runs."""
        return NEEDS[self._target(target).kind]

    def title(self, method: str) -> str:
        """A method's name for people."""
        if method in self.externals:
            return self.externals[method].title or method
        return self.methods[method].title or method.replace("_", " ")

    def correction_title(self, correction: str) -> str:
        """A correction's name for people."""
        if correction == UNCORRECTED:
            return "uncorrected"
        return self.corrections[correction].title or correction.replace("_", " ")

    def targets(self, kind: str) -> list[str]:
        """Those of the screen's own targets that are tables, or figures (those of the screen itself included)."""
        known = self.tables if kind == "tables" else {**SCREEN_FIGURES, **self.figures}
        return [target for target in self.screen.targets if target in known]

    def _target(self, name: str) -> Table | Figure:
        return self.tables[name] if name in self.tables else self.figures[name]
