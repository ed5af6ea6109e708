"""What kinds of tables and of figures have in common: what each must say, keys that several share."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypedDict, TypeVar, cast

from pydantic import Field, field_validator

from debatch.config.base import Section
from debatch.config.read import check_entry_name, nearest
from debatch.config.recipe import Variation
from debatch.config.tables import Figure, Table
from debatch.errors import ConfigError
from debatch.evaluate.metrics import METRICS, OF_PREDICTIONS, Metric
from debatch.files import UNCORRECTED
from debatch.registry import Registry
from debatch.registry.kinds import Kind
from debatch.registry.variants import Deriver, Variant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Drawing

    from debatch.report.cells import Draft
    from debatch.report.results import Results


TableSpec = TypeVar("TableSpec", bound=Table)
FigureSpec = TypeVar("FigureSpec", bound=Figure)


class TableKind(Kind, Generic[TableSpec]):
    """A kind of table."""

    def spec_of(self, name: str, registry: Registry) -> TableSpec:
        """A table of this kind, as it is configured."""
        return cast("TableSpec", registry.tables[name])

    @abstractmethod
    def draft(self, name: str, results: "Results") -> "Draft":
        """The table, from its runs' results; each cell knows the runs that it is of."""


class FigureKind(Kind, Generic[FigureSpec]):
    """A kind of figure.

    Attributes:
        caption: what it shows and how it was made, but for its runs; `{metric}` stands for its metric.
    """

    caption: ClassVar[str]

    def spec_of(self, name: str, registry: Registry) -> FigureSpec:
        """A figure of this kind, as it is configured."""
        return cast("FigureSpec", registry.figures[name])

    def caption_of(self, spec: FigureSpec) -> str:
        """The caption, its metric named."""
        words = spec.shown.words if isinstance(spec, ByMetric) else ""
        text = self.caption.format(metric=words)
        return text[0].upper() + text[1:]

    @abstractmethod
    def draw(self, name: str, results: "Results") -> "tuple[Drawing, pd.DataFrame]":
        """The figure, and the numbers behind it."""


class Format(TypedDict):
    """Of the numbers of a draft."""

    unit: str
    decimals: int


class ByMetric(Section):
    """Keys of kinds that show a metric of predictions."""

    metric: str = Field(
        "accuracy",
        description=f"Metric of predictions that it shows: {', '.join(OF_PREDICTIONS)}.",
    )

    @field_validator("metric")
    @classmethod
    def _of_predictions(cls, value: str) -> str:
        if value in OF_PREDICTIONS:
            return value
        if value in METRICS:
            raise ValueError(
                f"{value!r} is not computed from predictions, and this kind shows what is: {', '.join(OF_PREDICTIONS)}"
            )
        raise ValueError(f"no metric {value!r}{nearest(value, list(OF_PREDICTIONS))}")

    @property
    def shown(self) -> Metric:
        """The metric as tables and figures name it."""
        return METRICS[self.metric]

    @property
    def label(self) -> str:
        """Its name within a sentence."""
        return self.shown.title[0].lower() + self.shown.title[1:]

    @property
    def axis_label(self) -> str:
        """Of an axis, with its unit."""
        return f"test {self.label} ({self.shown.unit})"

    @property
    def format(self) -> Format:
        """How a draft shows it."""
        return {"unit": self.shown.unit, "decimals": self.shown.decimals}


class OfCorrections(Section):
    """Keys of kinds that show corrections of embeddings."""

    corrections: list[str] = Field(
        default=[UNCORRECTED],
        min_length=1,
        description="Corrections of embeddings that it shows of each method; `none`: as they are.",
    )


class OfVariations(Section):
    """Keys of kinds whose rows are changes of the methods' recipes."""

    variations: dict[str, Variation] = Field(
        min_length=1, description="Rows: what each changes of every method's recipe; {} changes nothing."
    )

    @field_validator("variations")
    @classmethod
    def _plain_names(cls, value: dict[str, Variation]) -> dict[str, Variation]:
        for name in value:
            try:
                check_entry_name(name, "variations", "variation")
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value


class Varied(Kind):
    """A kind whose rows are changes of the methods' recipes."""

    trains = True

    def variants(self, target: str, spec: Any, deriver: Deriver) -> list[Variant]:
        """A row a change; those that come to the same here are one."""
        return deriver.variations(target, spec.methods, spec.variations)


def same_rows(variants: Sequence[Variant]) -> list[str]:
    """Notes of the changes that come to the same on this screen."""
    return [f"{row.title} is also: {', '.join(row.also)}" for row in variants if row.also]


SPLIT_WORDS = {
    "separated": "unseen batches",
    "stratified": "seen batches",
    "stratified_site": "seen wells (another site)",
    "separated_val": "validation batches",
}


def split_column(split: str, metric: str) -> tuple[str, str]:
    """A split's column, as published numbers name it, and its heading."""
    title = METRICS[metric].title
    if split not in SPLIT_WORDS:
        return f"{metric}_{split}", f"{title}, {split}"
    return f"{metric}_batch_{split}", f"{title}, {SPLIT_WORDS[split]}"
