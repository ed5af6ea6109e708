"""The registry: one screen, the methods, the tables, and which runs each of them is made of."""

import glob
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from debatch.config.corrections import Correction
from debatch.config.paths import Written, called
from debatch.config.profiles import ProfileSet, TableFiles
from debatch.config.read import expand, unset_variables
from debatch.config.recipe import Method, Recipe
from debatch.config.screen import Screen
from debatch.config.splits import Split
from debatch.config.tables import SCREEN_FIGURES, Figure, Table, Tables, Target
from debatch.config.trained import TrainedModel
from debatch.errors import ConfigError
from debatch.files import UNCORRECTED
from debatch.registry.kinds import Kind, ManyStatistics, kind_of
from debatch.registry.run import ALL_IMAGES, PROFILES, Run
from debatch.registry.targets import lacking
from debatch.registry.variants import Variant


@dataclass(frozen=True)
class Registry:
    """Everything the configuration says, resolved.

    Attributes:
        variants: target -> its rows, where those are changes of methods.
        changed: derived method -> the method that it is a change of.
        untrainable: table or figure of which not each method can be trained on the screen -> why.
        targets_of: every table and figure.
        written: path that the screen names -> how its file writes it.
        page: the paper that is compared with.
        chosen: the screen as the user named it: a name or a path.
    """

    name: str
    screen: Screen
    experiments: list[str]
    recipes: dict[str, Recipe]
    methods: dict[str, Method]
    variants: dict[str, list[Variant]]
    changed: dict[str, str]
    untrainable: dict[str, str]
    corrections: dict[str, Correction]
    targets_of: Tables
    seeds: int
    results: str
    ome_zarr: list[str]
    model: TrainedModel | None
    written: Mapping[str, Written]
    page: str = "paper"
    chosen: str = ""

    @property
    def tables(self) -> Mapping[str, Table]:
        """Tables by name."""
        return self.targets_of.tables

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Figures of trained runs by name."""
        return self.targets_of.figures

    @cached_property
    def split_names(self) -> list[str]:
        """The screen's splits, and those of few training batches that its tables may take."""
        of_tables = [] if self.externals else [split for target in self.tables for split in self.splits(target)]
        return [*dict.fromkeys([*self.screen.splits.names, *of_tables])]

    @property
    def externals(self) -> dict[str, ProfileSet]:
        """Profiles made elsewhere, by name."""
        return self.screen.profiles or {}

    def source_files(self) -> tuple[Path, ...]:
        """The tables of metadata, annotations and profiles that the index is made from; none of a simulated screen.

        Raises:
            ConfigError: an environment variable is not set.
        """
        metadata = [Path(expand(name)) for name in self.screen.metadata.names()] if self.screen.metadata else []
        joined: list[TableFiles] = [*self.screen.annotations, *self.externals.values()]
        return (*metadata, *(file for each in joined for file in each.files()))

    def refuse_missing_sources(self) -> None:
        """Look whether those files are there.

        Raises:
            ConfigError: one is not.
        """
        metadata = self.screen.metadata.names() if self.screen.metadata else []
        joined: list[TableFiles] = [*self.screen.annotations, *self.externals.values()]
        for given in [*metadata, *(name for each in joined for name in each.names())]:
            path = expand(given)
            if not Path(path).exists() and not glob.glob(path):
                unset = [f"; the environment variable {name} is not set" for name in unset_variables(given)]
                raise ConfigError(
                    f"{path}: no such file, and nothing was started{called(given, self.written)}{''.join(unset)}"
                )

    def in_own_words(self, error: str) -> str:
        """An error about a path that is not there, with how the screen's file writes it, where that is otherwise."""
        for path in self.written:
            with suppress(ConfigError):  # what the screen lays its own word over may name a variable that nobody set
                if error.startswith(f"{expand(path)}: no such"):
                    return error + called(path, self.written)
        return error

    def runs(self, target: str) -> list[Run]:
        """The runs that a table or figure is made of, on the splits that the screen has; nulls come last."""
        made_of, kind = self.target(target), self.kind(target)
        if self.externals and kind.trains:
            return []
        nulls = [] if self.externals else kind.nulls(made_of)
        splits = self.splits(target)
        runs = [
            self.run(method, split, seed)
            for method in self.trained(target)
            for split in splits
            for seed in range(self.seeds_on(target, split))
        ]
        runs += [self.run(method, split, 0) for method in nulls for split in splits[:1]]
        corrections = self.corrections_of(target)
        return [replace(run, correction=correction) for run in runs for correction in corrections]

    def rows(self, target: str) -> list[str]:
        """The methods of a table or figure; of a screen of profiles, those."""
        return list(self.externals) or self.target(target).methods

    def trained(self, target: str) -> list[str]:
        """The methods that it has runs of: under each of its variations, where it has such."""
        if self.externals or target not in self.variants:
            return self.rows(target)
        rows = self.variants[target]
        return list(dict.fromkeys(row.methods[method] for method in self.target(target).methods for row in rows))

    def seeds_on(self, target: str, split: str) -> int:
        """How many seeds it takes on a split: of few training batches, one on all draws but the first."""
        if self.externals or Split.named(split).draw:
            return 1
        return min(self.target(target).seeds, self.seeds)

    def devices(self, method: str) -> int:
        """How many devices train it: a group is on one of them, and a loss of a whole step's images has one group."""
        gpus, recipe = self.screen.compute.gpus, self.recipes[method]
        return min(gpus, recipe.groups_per_step) if recipe.compares_images else gpus

    def is_derived(self, method: str) -> bool:
        """Whether a method is a variation of a named one."""
        return method in self.changed

    def splits(self, target: str) -> list[str]:
        """The splits of a table or figure that the screen has; `all` where profiles need none."""
        if self.externals and self.kind(target).whole_screen:
            return [ALL_IMAGES]
        return [] if self.lacking(target) else self.kind(target).splits(self.target(target), self.screen)

    def corrections_of(self, target: str) -> list[str]:
        """The corrections that a table or figure shows here; `none` alone where it is of embeddings as they are."""
        named = self.kind(target).corrections(self.target(target))
        chosen = self.screen.corrections
        return [name for name in named if name == UNCORRECTED or chosen is None or name in chosen]

    def run(self, method: str, split: str, seed: int) -> Run:
        """One run, under its recipe's own test-time statistics."""
        if method in self.externals:
            return Run(method, split, seed, PROFILES, method, external=True)
        return Run(method, split, seed, self.recipes[method].inference, self.methods[method].weights_of or method)

    def starts_from(self, method: str) -> list[str]:
        """The method that is trained before this one, whose backbone it starts with; none: it starts by itself."""
        base = self.recipes[method].starts_from
        return [] if base is None else [self.methods[base].weights_of or base]

    def needs(self, target: str) -> tuple[str, ...]:
        """What a table or figure is made from, of each of its runs."""
        return self.kind(target).needs

    def statistics(self, method: str) -> ManyStatistics:
        """The test-time statistics under which one job looks at a trained method for all tables and figures."""
        asked = [
            kind_of(spec).statistics(spec, self.recipes[name].inference)
            for spec in self.targets_of.all().values()
            for name in spec.methods
            if method in (name, self.methods[name].weights_of) and name in self.recipes
        ]
        found = [each for each in asked if each is not None]
        names = dict.fromkeys(name for each in found for name in each.names)
        return ManyStatistics([*names], sorted({percent for each in found for percent in each.classes}))

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
        return [target for target in self.shown if target in known]

    @property
    def shown(self) -> list[str]:
        """The screen's own targets, those of papers first and in their order."""
        first = self.targets_of.on_pages()
        own = self.screen.targets
        return [*(name for name in first if name in own), *(name for name in own if name not in first)]

    def of_page(self, page: str) -> "Registry":
        """The same, its targets those of a paper that the screen can make, and the pictures of the screen itself."""
        able = [name for name in self.targets_of.pages[page] if not self.lacking(name)]
        pictures = [name for name in self.screen.targets if name in SCREEN_FIGURES]
        return replace(self, screen=self.screen.model_copy(update={"targets": [*pictures, *able]}), page=page)

    def shown_splits(self) -> list[str]:
        """The screen's splits, and those of few training batches that its own targets are made from.

        Of `separated_val`, which is for choosing settings, only where one of them is made from it.
        """
        specs = self.targets_of.all()
        used = {run.split for target in self.shown if target in specs for run in self.runs(target)}
        own = {split for split in self.screen.splits.names if Split.named(split).form != "separated_val"}
        return [split for split in self.split_names if split in own | used]

    def lacking(self, target: str) -> str:
        """Why the screen cannot make a target, as the rest of a sentence; empty where it can."""
        return lacking(target, self.screen, self.targets_of, self.untrainable)

    def target(self, name: str) -> Target:
        """A table or figure as it is configured."""
        return self.tables[name] if name in self.tables else self.figures[name]

    def kind(self, target: str) -> Kind:
        """The kind of a table or figure."""
        return kind_of(self.target(target))
