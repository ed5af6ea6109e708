"""Kinds of tables and figures: each in one file, with its own keys."""

from pathlib import Path

import pytest
import yaml
from helpers import ROOT

import debatch
from debatch.config.read import validate
from debatch.errors import ConfigError
from debatch.evaluate.metrics import METRICS, OF_PREDICTIONS
from debatch.registry.kinds import kinds, tables_model
from debatch.report.kinds.base import FigureKind, TableKind

TABLE = {"kind": "generalization", "title": "T", "methods": ["baseline"], "splits": ["separated"]}


def tables(**changes):
    spec = {key: value for key, value in {**TABLE, **changes}.items() if value is not None}
    return validate(tables_model(), {"tables": {"mine": spec}, "figures": {}}, "tables.yaml")


def test_each_kind_is_the_file_of_its_name():
    for form, base in (("tables", TableKind), ("figures", FigureKind)):
        files = (Path(debatch.__file__).parent / "report/kinds" / form).glob("[a-z]*.py")
        assert set(kinds(form)) == {path.stem for path in files}
        for name, kind in kinds(form).items():
            assert isinstance(kind, base), name
            assert kind.needs, name


def test_every_shipped_table_and_figure_is_of_a_kind_with_its_keys():
    shipped = validate(tables_model(), yaml.safe_load((ROOT / "config/tables.yaml").read_text()), "tables.yaml")
    for name, spec in shipped.all().items():
        form = "tables" if name in shipped.tables else "figures"
        assert type(spec) is kinds(form)[spec.kind].spec, name
    assert shipped.tables["table1"].metric == "accuracy"
    assert shipped.tables["table_top5"].metric == "accuracy_top5"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "generalisation"}, "tables.yaml: `tables.mine.kind`: no kind 'generalisation'; did you mean 'gener"),
        ({"kind": None}, "tables.yaml: the key `tables.mine.kind` is missing"),
        (
            {"draws": 3},
            "tables.yaml: unknown key `tables.mine.draws` of the kind `generalization`; there is: kind, methods, "
            "metric, nulls, paper, published_columns, published_rows, published_table, seeds, splits, title",
        ),
        ({"kind": "cosine", "metric": "accuracy"}, "unknown key `tables.mine.metric` of the kind `cosine`"),
        ({"kind": "variations"}, "the key `tables.mine.variations` is missing"),
        ({"kind": "variations", "variations": {}}, "`tables.mine.variations`: expected"),
        ({"kind": "variations", "variations": {"No Mixing": {}}}, "a variation's name is lower case letters"),
        ({"metric": "acuracy"}, "tables.yaml: `tables.mine.metric`: no metric 'acuracy'; did you mean 'accuracy'?"),
        (
            {"metric": "kbet"},
            "tables.yaml: `tables.mine.metric`: 'kbet' is not computed from predictions, and this kind shows what is: "
            f"{', '.join(OF_PREDICTIONS)}",
        ),
    ],
)
def test_a_wrong_table_is_said(changes, said):
    with pytest.raises(ConfigError) as error:
        tables(**changes)
    assert said in str(error.value)


def test_a_metric_of_predictions_says_what_tables_need():
    for name, metric in OF_PREDICTIONS.items():
        assert METRICS[name] is metric
        assert metric.words, name
        assert metric.unit == "%", name
