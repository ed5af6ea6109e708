"""Kinds of tables and figures as the registry knows them: keys, needs, runs.

Each kind is a file of `report/kinds/tables` or `report/kinds/figures`, named for it, with its object as `KIND`. They
are found by these names: the registry comes before the report and cannot import from it.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Union

from pydantic import Discriminator, Field, Tag, create_model

import debatch
from debatch.config.read import TAG
from debatch.config.screen import Screen
from debatch.config.tables import Table, Tables, Target
from debatch.files import UNCORRECTED

if TYPE_CHECKING:
    from debatch.registry.variants import Deriver, Variant

Form = Literal["tables", "figures"]


class ManyStatistics(NamedTuple):
    """Test-time statistics under which a run is looked at.

    Attributes:
        names: of the statistics.
        classes: percents of a batch's classes whose images are scored by themselves too.
    """

    names: list[str]
    classes: list[int]


class Kind:
    """A kind of table or figure.

    Attributes:
        spec: its keys in `config/tables.yaml`.
        needs: what it is made from, of each of its runs: `metrics`, `cosine`, `probe`,
            `training_side_probe`, `readouts`, `tasks`, `embeddings`, `training`, `scores`, `epochs`, `adaptation`; or
            of a split: `nulls`.
        trains: whether it is of networks that the screen trains: there is none of profiles.
        whole_screen: whether profiles need no split for it: it looks at embeddings alone.
    """

    spec: ClassVar[type[Target]]
    needs: ClassVar[tuple[str, ...]]
    trains: ClassVar[bool] = False
    whole_screen: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """As in `kind:`."""
        return str(self.spec.model_fields["kind"].default)

    def lacking(self, spec: Any, screen: Screen) -> str:
        """Why a screen that has one of its splits cannot make it, as the rest of a sentence; empty where it can."""
        return ""

    def splits(self, spec: Any, screen: Screen) -> list[str]:
        """The splits that it looks at, of those that the screen can draw."""
        return [split for split in spec.splits if split in screen.splits.names]

    def nulls(self, spec: Any) -> list[str]:
        """Methods that can only score at chance: one seed, on the first split."""
        return []

    def corrections(self, spec: Any) -> list[str]:
        """Corrections of embeddings that it shows of each method."""
        return [UNCORRECTED]

    def variants(self, target: str, spec: Any, deriver: "Deriver") -> "list[Variant] | None":
        """The changes of its methods that it has runs of; None: it has runs of the methods themselves."""
        return None

    def statistics(self, spec: Any, inference: str) -> ManyStatistics | None:
        """Under which further test-time statistics it looks at a method, given the method's own; None: under none."""
        return None


@cache
def kinds(form: Form) -> dict[str, Kind]:
    """The kinds of tables or of figures, by name."""
    folder = Path(debatch.__file__).parent / "report/kinds" / form
    names = sorted(path.stem for path in folder.glob("[a-z]*.py"))
    found = [import_module(f"debatch.report.kinds.{form}.{name}").KIND for name in names]
    assert [kind.name for kind in found] == names, f"each file of report/kinds/{form} is named for its kind"
    return dict(zip(names, found, strict=True))


def kind_of(spec: Target) -> Kind:
    """The kind of a table or figure."""
    return kinds("tables" if isinstance(spec, Table) else "figures")[spec.kind]


@cache
def tables_model() -> type[Tables]:
    """The model of `config/tables.yaml`: a union of all kinds' keys, told apart by `kind`."""
    return create_model(
        "Tables", __base__=Tables, __doc__=Tables.__doc__, tables=_by_name("tables"), figures=_by_name("figures")
    )


def _by_name(form: Form) -> Any:
    tagged = [Annotated[kind.spec, Tag(f"{TAG}{name}")] for name, kind in kinds(form).items()]
    one: Any = Annotated[Union[tuple(tagged)], Discriminator(_tag)]  # noqa: UP007 (of a tuple)
    return dict[str, one], Field(description=Tables.model_fields[form].description)


def _tag(value: Any) -> str | None:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return None if kind is None else f"{TAG}{kind}"
