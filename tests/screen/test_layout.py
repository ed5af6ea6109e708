import numpy as np
import pandas as pd
import pytest

from debatch.screen.layout import layout


def wells(rows):
    columns = ["plate", "well", "perturbation"]
    table = pd.DataFrame(rows, columns=columns).assign(experiment="E", cell_type="A")
    return table.assign(well_type=np.where(table["perturbation"] == "dmso", "negative_control", "treatment"))


def test_pairs_by_hand():
    """a stays in its place, b and c swap theirs; controls do not count."""
    rows = [
        ("1", "A01", "a"), ("1", "A02", "b"), ("1", "A03", "c"), ("1", "A04", "dmso"),
        ("2", "A01", "a"), ("2", "A03", "b"), ("2", "A02", "c"), ("2", "A04", "dmso"),
    ]  # fmt: skip
    found = layout(pd.concat([wells(rows)] * 2))  # two images of each well
    assert found.in_place == pytest.approx(1 / 3)
    assert found.anywhere == pytest.approx(1 / 3)  # of nine pairs of wells three are replicates
    assert found.replicates == 6
    assert not found.is_confounded


def test_a_layout_that_repeats_is_confounded_and_one_plate_says_nothing():
    rows = [(plate, f"A{n:02}", f"drug{n}") for plate in "123" for n in range(1, 9)]
    found = layout(wells(rows))
    assert (found.in_place, found.is_confounded) == (1, True)
    assert found.anywhere == pytest.approx(1 / 8)
    alone = layout(wells(rows[:8]))
    assert np.isnan(alone.in_place)
    assert not str(alone)
    assert not alone.is_confounded
    assert not layout(wells([])).is_confounded


def test_cell_types_are_looked_at_by_themselves():
    rows = [(plate, f"A{n:02}", f"drug{n}") for plate in "12" for n in range(1, 5)]
    table = wells(rows)
    table.loc[table["plate"] == "2", "cell_type"] = "B"
    assert np.isnan(layout(table).in_place)


def test_a_layout_of_several_wells_a_perturbation_is_confounded_too():
    """Each plate holds every drug in the same two wells: of pairs of replicates only half are in one place."""
    rows = [(plate, f"A{n:02}", f"drug{n % 4}") for plate in "12" for n in range(8)]
    assert layout(wells(rows)).in_place == 1
