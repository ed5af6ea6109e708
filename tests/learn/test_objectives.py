"""Each objective that a recipe may name has a file, and each file an objective."""

from pathlib import Path
from typing import get_args

import pytest

from debatch.config.objectives import Objective as Settings
from debatch.config.recipe import Recipe
from debatch.learn.objectives import Objective, base, objective_of

SHARED = {"base", "miro", "labelled", "partners", "self_supervised"}
KINDS = [get_args(member)[0] for member in get_args(get_args(Settings)[0])]


def test_each_kind_is_a_file_of_its_name():
    files = {path.stem for path in Path(base.__file__).parent.glob("[a-z]*.py")} - SHARED
    assert files == {kind.model_fields["kind"].default for kind in KINDS}


@pytest.mark.parametrize("settings", KINDS, ids=lambda kind: kind.__name__)
def test_each_file_ends_with_its_class(settings):
    kind = settings.model_fields["kind"].default
    found = objective_of(Recipe(objective={"kind": kind}))
    assert issubclass(found, Objective)
    assert found.__annotations__["settings"] is settings
