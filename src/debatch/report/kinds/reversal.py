"""What the table and the figure of a sweep over gradient reversal share: the settings, their numbers, the choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import Field, field_validator

from debatch.config.base import Section
from debatch.config.objectives import Classification
from debatch.config.recipe import Variation
from debatch.errors import ConfigError
from debatch.evaluate.metrics import METRICS
from debatch.evaluate.tidy import WITHIN
from debatch.evaluate.uncertainty import UNKNOWN
from debatch.registry.kinds import Kind
from debatch.registry.variants import Deriver, Variant
from debatch.report.cells import NOT_RUN, Cell, Origin, pooled, scaled_cell
from debatch.report.results import ByRun, Results

Schedule = Literal["dann", "constant"]
SCHEDULE_WORDS: dict[Schedule, str] = {"dann": "DANN ramp", "constant": "constant"}
PROBES = ("probe_lda", "probe_knn", "probe_mlp")
LACKING = "too few batches or wells"
OF_TRAINING = "of training images, in the last epoch, as it was trained on them"


class OfReversal(Section):
    """Keys of kinds that show gradient reversal under many settings."""

    strengths: list[Annotated[float, Field(gt=0, le=10)]] = Field(
        min_length=1, description="Largest strengths of the reversal (lambda), each tried with all of the others below."
    )
    head_rates: list[Annotated[float, Field(gt=0)]] = Field(
        min_length=1, description="Learning rates of the batch head, as multiples of the network's."
    )
    schedules: list[Schedule] = Field(
        default=["dann"], min_length=1, description="How the reversal grows, as `reversal_schedule` of an objective."
    )
    accuracy_margin: float = Field(
        2.0,
        ge=0,
        description="Points of validation accuracy that a chosen setting may lose against the method alone.",
    )

    # the least of many settings is low by chance too
    probe_margin: float = Field(
        2.0, ge=0, description="Points that the strongest probe must read less of it than of the method alone."
    )

    @field_validator("methods", check_fields=False)
    @classmethod
    def _one_method(cls, value: list[str]) -> list[str]:
        if len(value) > 1:
            raise ValueError("name one method, which the adversary is added to")
        return value

    @field_validator("splits", check_fields=False)
    @classmethod
    def _no_test_image(cls, value: list[str]) -> list[str]:
        if value != ["separated_val"]:
            raise ValueError("settings are chosen on separated_val alone: any other split scores test images")
        return value

    def settings(self) -> "list[Setting]":
        """All of them, the weakest first."""
        return [
            Setting(strength, rate, schedule)
            for schedule, rate, strength in product(self.schedules, self.head_rates, sorted(self.strengths))
        ]


class Setting(NamedTuple):
    """One setting of an adversary.

    Attributes:
        strength: largest, of the reversal (lambda).
        head_rate: learning rate of the batch head, as a multiple of the network's.
        schedule: how the reversal grows.
    """

    strength: float
    head_rate: float
    schedule: Schedule

    @property
    def key(self) -> str:
        """Its row, and part of a file's name."""
        words = f"lambda_{self.strength:g}_head_{self.head_rate:g}_{self.schedule}"
        return words.replace(".", "p").replace("-", "m")

    @property
    def title(self) -> str:
        """For people."""
        return f"lambda {self.strength:g}, head rate {self.head_rate:g}, {SCHEDULE_WORDS[self.schedule]}"

    @property
    def variation(self) -> Variation:
        """As a change of a recipe."""
        objective = Classification(
            gradient_reversal=self.strength, batch_head_rate=self.head_rate, reversal_schedule=self.schedule
        )
        return Variation(title=self.title, objective=objective)


@dataclass(frozen=True)
class Swept:
    """What one setting came to, in %, or the method without an adversary.

    Attributes:
        key: its row.
        title: for people.
        setting: None: without an adversary.
        accuracy: of validation images.
        head: batch accuracy of the head that was trained beside the network.
        probes: batch accuracy by probe and by whether it is within a cell type.
        guesses: of always answering with the most frequent batch, by whether it is within a cell type.
    """

    key: str
    title: str
    setting: Setting | None
    accuracy: Cell
    head: Cell
    probes: dict[tuple[str, bool], Cell]
    guesses: dict[bool, Cell]

    @property
    def strongest(self) -> str:
        """The probe that reads most within a cell type, which others cannot make up for."""
        return max(PROBES, key=lambda probe: self.probes[probe, True].mean or 0.0)

    @property
    def read(self) -> Cell:
        """What that probe reads."""
        return self.probes[self.strongest, True]

    @property
    def is_whole(self) -> bool:
        """Whether there is all that a choice looks at."""
        return None not in (self.accuracy.mean, *(self.probes[probe, True].mean for probe in PROBES))


class Choice(NamedTuple):
    """Which setting is chosen.

    Attributes:
        chosen: None: no setting helps, or not all have been run.
        words: for people.
    """

    chosen: Swept | None
    words: str


class Reversal(Kind):
    """A kind that shows gradient reversal under many settings."""

    needs = ("metrics", "training_side_probe")
    trains = True

    def variants(self, target: str, spec: Any, deriver: Deriver) -> list[Variant]:
        """The method itself, and a row a setting; those that come to the same here are one.

        Raises:
            ConfigError: the method has an adversary already, or is looked at under a batch's own statistics, which a
                probe on wells that they come from would read.
        """
        method = spec.methods[0]
        recipe = deriver.recipes[method]
        if recipe.has_adversary or recipe.inference != "train" or not isinstance(recipe.objective, Classification):
            raise ConfigError(
                f"`{target}`: the adversary is to be added to {method!r}, which must be a classification without "
                "gradient reversal under the test-time statistics `train`; name such a method, as `baseline`"
            )
        rows = {method: Variation(title=deriver.methods[method].title)}
        rows |= {setting.key: setting.variation for setting in spec.settings()}
        return deriver.variations(target, spec.methods, rows)


def sweep(name: str, spec: OfReversal, results: Results) -> list[Swept]:
    """What each setting of a table or figure came to, the method without an adversary first.

    Args:
        name: of the table or figure.
        spec: as it is configured.
        results: of the screen.
    """
    registry = results.registry
    (split,), (base,) = registry.splits(name), registry.target(name).methods
    settings = {setting.key: setting for setting in spec.settings()}
    found = []
    for row in registry.variants[name]:
        method = row.methods[base]
        metrics, probes = (results.by_seed(need, name, method, split) for need in Reversal.needs)
        lacking = LACKING if probes else NOT_RUN
        read = {
            (probe, within): pooled(probes, probe, lacking, WITHIN if within else "all")
            for probe in (*PROBES, "probe_guess")
            for within in (False, True)
        }
        found.append(
            Swept(
                row.key,
                row.title,
                settings.get(row.key),
                pooled(metrics, "accuracy", NOT_RUN),
                _head(metrics, results),
                {place: cell for place, cell in read.items() if place[0] in PROBES},
                {within: read["probe_guess", within] for within in (False, True)},
            )
        )
    return found


def choose(found: Sequence[Swept], spec: OfReversal) -> Choice:
    """The setting that leaves the strongest probe the least, of those that keep the accuracy.

    No test image is looked at: accuracies are of validation batches, probes of training and validation ones.

    Args:
        found: as `sweep` gives them; the first has no adversary.
        spec: says how much accuracy may be lost against the first, and how much less a probe must read.
    """
    without, *settings = found
    missing = [swept.title for swept in found if not swept.is_whole]
    if missing:
        return Choice(None, f"no setting is chosen: {len(missing)} of {len(found)} rows lack numbers, as {missing[0]}")
    keeping = [swept for swept in settings if _mean(swept.accuracy) >= _mean(without.accuracy) - spec.accuracy_margin]
    rule = (
        f"{len(keeping)} of {len(settings)} settings keep validation accuracy within {spec.accuracy_margin:g} points "
        f"of {without.title}'s; of these that one is to be chosen whose strongest probe within a cell type reads least"
    )
    least = min(keeping, key=lambda swept: _mean(swept.read), default=None)
    if least is None or _mean(least.read) > _mean(without.read) - spec.probe_margin:
        nearest = "" if least is None else f": the least is {_read(least)}, by {least.title}"
        words = (
            f"no setting helps: {rule}, and none is {spec.probe_margin:g} points below {_read(without)} without an "
            f"adversary{nearest}"
        )
        return Choice(None, words)
    words = (
        f"chosen: {least.title}; {rule}: {_read(least)}, against {_read(without)} without an adversary; the least of "
        "many is low by chance too"
    )
    return Choice(least, words)


def _head(metrics: ByRun, results: Results) -> Cell:
    """The head's batch accuracy: of batches that were not trained on there is none."""
    origin = Origin.of(metrics, words=OF_TRAINING)
    histories = [history for run in metrics.runs if (history := results.history(run)) is not None]
    last = [
        float(history["batch_accuracy"].iloc[-1])
        for history in histories
        if "batch_accuracy" in history and len(history)
    ]
    return scaled_cell("batch_accuracy", last, UNKNOWN, "", origin) if last else Cell(note=NOT_RUN, origin=origin)


def _mean(cell: Cell) -> float:
    return cast("float", cell.mean)


def _read(swept: Swept) -> str:
    return f"{_mean(swept.read):.1f} % ({METRICS[swept.strongest].title})"
