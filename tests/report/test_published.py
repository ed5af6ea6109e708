import itertools

import numpy as np
import pytest

from debatch.report.published import MARGIN_POINTS, Estimate, Published, margin_of, verdict


@pytest.fixture(scope="module")
def published(root):
    return Published.read(root / "resources/published/published.csv")


@pytest.mark.parametrize(
    ("own", "theirs", "comparable", "expected"),
    [
        (Estimate(), Estimate(75.1, 0.2, 5), True, "not run"),
        (Estimate(75.0, 0.1, 5), Estimate(), True, "not comparable"),
        (Estimate(75.0, 0.1, 5), Estimate(75.1, 0.2, 5), False, "not comparable"),
        (Estimate(76.1, 0.3, 5), Estimate(75.1, 0.2, 5), True, "reproduced"),
        (Estimate(79.1, 0.3, 5), Estimate(75.1, 0.2, 5), True, "differs"),
        # noise of ours is no success, and too little of it to judge by none either
        (Estimate(68.0, 3.6, 5), Estimate(75.1, 0.2, 5), True, "differs"),
        (Estimate(74.0, 3.6, 5), Estimate(75.1, 0.2, 5), True, "undecided"),
        (Estimate(75.1, 0.1, 2), Estimate(75.1, 0.2, 5), True, "undecided"),
        (Estimate(75.1, None, 1), Estimate(75.1, 0.2, 5), True, "undecided"),
        # without a spread of the paper's, its one run varies as ours do
        (Estimate(84.0, 0.2, 5), Estimate(83.9, None, 1), True, "reproduced"),
        (Estimate(84.0, 1.0, 5), Estimate(83.9, None, 1), True, "undecided"),
        # runs that do not differ
        (Estimate(77.1, 0.0, 3), Estimate(75.1, 0.0, 5), True, "reproduced"),
        (Estimate(77.2, 0.0, 3), Estimate(75.1, 0.0, 5), True, "differs"),
    ],
)
def test_verdict(own, theirs, comparable, expected):
    assert verdict(own, theirs, comparable, MARGIN_POINTS) == expected


def test_margin_is_fixed_and_relative_near_chance_and_for_distances():
    assert [margin_of(value, True) for value in (75.1, 8.0, 1.8)] == pytest.approx([2, 2, 0.45])
    assert margin_of(0.21, False) == pytest.approx(0.042)


def cells(published: Published, tables: tuple[str, ...]) -> dict[tuple[str, str, str], Estimate]:
    known = published.numbers.items()
    return {place[1:]: cell for place, cell in known if place[0] == "rxrx1" and place[1] in tables}


def test_no_two_rows_of_the_paper_that_differ_by_more_than_the_margin_reproduce_each_other(published):
    rows = cells(published, ("table1", "table2", "table3", "table4", "table5", "table6", "table_s3"))
    compared = differing = 0
    for (one, a), (other, b) in itertools.permutations(rows.items(), 2):
        if (one[0], one[2]) != (other[0], other[2]):
            continue
        margin = margin_of(b.mean, one[0] != "table_s3")
        copy = Estimate(a.mean, 0.3 if a.sd is None else a.sd, 5)
        compared += 1
        if abs(a.mean - b.mean) > margin:
            differing += 1
            assert verdict(copy, b, True, margin) != "reproduced", (one, other)
    assert (compared, differing) == (312, 209)


def test_a_true_copy_with_the_papers_own_spread_reproduces_it(published):
    rng = np.random.default_rng(0)
    judged = {key: cell for key, cell in cells(published, ("table1",)).items() if cell.sd is not None}
    assert len(judged) == 12
    for key, cell in judged.items():
        runs = cell.mean + cell.sd * rng.standard_normal((400, 2, 5))
        found = [
            verdict(*(Estimate(of.mean(), of.std(ddof=1), 5) for of in pair), True, margin_of(cell.mean, True))
            for pair in runs
        ]
        assert found.count("reproduced") >= 0.95 * len(found), key
        assert "differs" not in found


def test_contrasts_of_the_paper_are_differences_of_its_rows(published):
    adabn, baseline = (
        published.cell("rxrx1", "table1", row, "accuracy_batch_separated") for row in ("adabn", "baseline")
    )
    assert adabn.less(baseline) == pytest.approx((12.0, np.hypot(0.2, 0.2), 5))
    assert adabn.less(Estimate()) == Estimate()
